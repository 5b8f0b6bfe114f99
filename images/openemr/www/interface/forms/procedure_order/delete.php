<?php

/**
 * Deletes an order from its encounter: forms.deleted and procedure_order.activity, an entry in the log, nothing else (openemr.md §7.8).
 */

use OpenEMR\Common\Logging\EventAuditLogger;

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/page.inc.php";

needRight('admin', 'super', 'Delete Encounter Form');
if (!empty($_POST['confirm'])) {
    needToken();
    if (!in_array($_POST['id'] ?? '', ['', '*'], true)) {
        sqlStatement('update forms set deleted=1 where id=?', [$_POST['id']]);
        sqlStatement('update procedure_order p join forms f on f.form_id = p.procedure_order_id set activity=0 where f.id=?', [$_POST['id']]);
    }
    EventAuditLogger::instance()->newEvent('delete', $_SESSION['authUser'], $_SESSION['authProvider'], 1,
        "Form $_POST[formname] deleted from Encounter $_POST[encounter]");
    echo "\n<script>top.restoreSession();window.location='$rootdir/patient_file/encounter/forms.php';</script>\n";
    exit;
}
pageStart('Delete Encounter Form');
echo '<form method="post" action="' . attr("$rootdir/forms/procedure_order/delete.php") . '" name="my_form" id="my_form">' . tokenField();
foreach ($_GET as $name => $value) {
    echo '<input type="hidden" name="' . attr($name) . '" value="' . attr($value) . '"/>';
}
echo '<input type="hidden" name="confirm" value="1" /><button>' . xlt('Yes, Delete this form') . "</button></form>\n";
pageEnd();
