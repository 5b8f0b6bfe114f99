<?php

/**
 * The page `view` of the form that `formname` names; the stand-in has one, the procedure order.
 */

require_once __DIR__ . '/../../globals.php';

if (($_GET['formname'] ?? '') !== 'procedure_order') {
    require "$webserver_root/not_there.php";
}
require __DIR__ . '/../../forms/procedure_order/view.php';
