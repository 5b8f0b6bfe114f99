<?php

/**
 * Deletes for good, with each row in the log (openemr.md §7.8): `patient` (needs allow_pat_delete), `encounterid`, `formid` (forms.id),
 * `document`. A call with an address needs the token in it, the form another time.
 */

use OpenEMR\Common\Acl\AclMain;
use OpenEMR\Common\Csrf\CsrfUtils;
use OpenEMR\Common\Logging\EventAuditLogger;

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";

if ($_GET && !CsrfUtils::verifyCsrfToken($_GET['csrf_token_form'] ?? '')) {
    CsrfUtils::csrfNotVerified();
}

function row_delete(string $table, string $where): void
{
    $rows = sqlStatement("SELECT * FROM `$table` WHERE $where");
    while ($row = sqlFetchArray($rows)) {
        $kept = array_filter($row, fn(mixed $value): bool => $value && $value !== '0000-00-00 00:00:00');
        $text = implode(' ', array_map(fn(string $name, mixed $value): string => "$name= '$value' ", array_keys($kept), $kept));
        EventAuditLogger::instance()->newEvent('delete', $_SESSION['authUser'], $_SESSION['authProvider'], 1, "$table: $text");
    }
    if ($rows->RecordCount()) {
        echo text("DELETE FROM $table WHERE $where") . "<br />\n";
        sqlStatement("DELETE FROM $table WHERE $where");
    }
}

function row_modify(string $table, string $set, string $where): void
{
    if (sqlQuery("SELECT * FROM `$table` WHERE $where")) {
        EventAuditLogger::instance()->newEvent('deactivate', $_SESSION['authUser'], $_SESSION['authProvider'], 1, "$table: $where");
        sqlStatement("UPDATE `$table` SET $set WHERE $where");
    }
}

function form_delete(string $formdir, int $id): void
{
    if ($formdir === 'newpatient') {
        row_delete('form_encounter', "id = '$id'");
        return;
    }
    $reports = sqlStatement('SELECT procedure_report_id FROM procedure_report WHERE procedure_order_id = ?', [$id]);
    while ($report = sqlFetchArray($reports)) {
        row_delete('procedure_result', "procedure_report_id = '$report[procedure_report_id]'");
    }
    foreach (['procedure_report', 'procedure_order_code', 'procedure_order'] as $table) {
        row_delete($table, "procedure_order_id = '$id'");
    }
}

function delete_document(int $id): void
{
    sqlStatement('UPDATE documents SET deleted = 1 WHERE id = ?', [$id]);
    row_delete('categories_to_documents', "document_id = '$id'");
}

function delete_patient(int $pid): void
{
    row_modify('billing', 'activity = 0', "pid = '$pid'");
    row_modify('pnotes', 'deleted = 1', "pid = '$pid'");
    row_delete('prescriptions', "patient_id = '$pid'");
    foreach (['issue_encounter', 'lists', 'employer_data', 'history_data', 'insurance_data', 'forms', 'form_encounter'] as $table) {
        row_delete($table, "pid = '$pid'");
    }
    $documents = sqlStatement('SELECT id FROM documents WHERE foreign_id = ? AND deleted = 0', [$pid]);
    while ($document = sqlFetchArray($documents)) {
        delete_document($document['id']);
    }
    row_delete('patient_data', "pid = '$pid'");
}

$ids = array_map(fn(string $name): int => (int)($_REQUEST[$name] ?? 0), array_combine($names = ['patient', 'encounterid', 'formid', 'document'], $names));
$name = key(array_filter($ids));
if ($name === null) {
    require "$webserver_root/not_there.php";
}
$id = $ids[$name];
pageStart('Delete');
if (!empty($_POST['form_submit'])) {
    needToken();
    $may = $name === 'document' ? AclMain::aclCheckCore('patients', 'docs_rm') : AclMain::aclCheckCore('admin', 'super');
    if (!$may || ($name === 'patient' && empty($GLOBALS['allow_pat_delete']))) {
        die(xlt('Not authorized!'));
    }
    if ($name === 'patient') {
        delete_patient($id);
    } elseif ($name === 'document') {
        delete_document($id);
    } else {
        $where = $name === 'formid' ? "id = '$id'" : "encounter = '$id'";
        $forms = sqlStatement("SELECT * FROM forms WHERE $where");
        while ($form = sqlFetchArray($forms)) {
            form_delete($form['formdir'], (int)$form['form_id']);
        }
        row_delete('forms', $where);
    }
    echo '<p>' . xlt('Delete successful.') . "</p>\n";
    pageEnd();
    exit;
}
echo '<form method="post" action="deleter.php?' . attr("$name=$id") . '&csrf_token_form=' . attr_url(CsrfUtils::collectCsrfToken()) . '">' . tokenField() . '<p>'
    . text("$name $id") . '</p><button name="form_submit" value="Yes">' . xlt('Yes, Delete and Log') . "</button></form>\n";
pageEnd();
