<?php

/**
 * Takes a form out of its encounter: the form's own delete page does it.
 */

require_once __DIR__ . '/../../globals.php';

if (($_REQUEST['formname'] ?? '') !== 'procedure_order') {
    require "$webserver_root/not_there.php";
}
require __DIR__ . '/../../forms/procedure_order/delete.php';
