<?php

/**
 * Merges a patient into another one (openemr.md §7.8): `form_target_pid`, `form_source_pid`, `form_submit`. Social security number and birth
 * date must agree, unless both came in the address (`pid1`, `pid2`).
 */

use OpenEMR\Common\Logging\EventAuditLogger;

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";
require_once "$srcdir/patient.inc.php";

needRight('admin', 'super', 'Merge Patients');
$pid1 = (int)($_GET['pid1'] ?? 0);
$pid2 = (int)($_GET['pid2'] ?? 0);
pageStart('Merge Patients');

/** Changes or deletes the rows of one table, with its entry in the log. */
function mergeTable(string $table, string $column, int $source, int $target, bool $delete): void
{
    $count = sqlQuery("SELECT COUNT(*) AS count FROM `$table` WHERE `$column` = ?", [$source])['count'];
    if ($count) {
        $sql = $delete ? "DELETE FROM `$table` WHERE `$column` = ?" : "UPDATE `$table` SET `$column` = ? WHERE `$column` = ?";
        echo '<br />' . text("$sql ($count)");
        sqlStatement($sql, $delete ? [$source] : [$target, $source]);
        EventAuditLogger::instance()->newEvent('patient-merge-' . ($delete ? 'delete' : 'update'), $_SESSION['authUser'], $_SESSION['authProvider'], 1,
            $delete ? "Deleted rows with $column = $source in table $table" : "Updated rows with $column = $source to $target in table $table", $target);
    }
}

if (!empty($_POST['form_submit'])) {
    needToken();
    $target = (int)$_POST['form_target_pid'];
    $source = (int)$_POST['form_source_pid'];
    if ($target === $source) {
        die(xlt('Target and source pid may not be the same!'));
    }
    $new = getPatientData($target) ?: die(xlt('Target patient not found'));
    $old = getPatientData($source) ?: die(xlt('Source patient not found'));
    if (!$pid1 || !$pid2) {
        if ($new['ss'] !== $old['ss']) {
            die(xlt('Target and source SSN do not match'));
        }
        if (!$new['DOB'] || $new['DOB'] !== $old['DOB']) {
            die(xlt('Target and source DOB do not match'));
        }
    }
    $documents = sqlStatement('SELECT * FROM documents WHERE foreign_id = ?', [$source]);
    while ($document = sqlFetchArray($documents)) {
        $file = substr($document['url'], 7);
        $moved = $GLOBALS['OE_SITE_DIR'] . "/documents/$target/" . basename($file);
        if (!is_dir(dirname($moved))) {
            mkdir(dirname($moved), 0700, true);
        }
        if (!rename($file, $moved)) {
            die(xlt('Move failed!'));
        }
        sqlStatement('UPDATE documents SET foreign_id = ?, url = ? WHERE id = ?', [$target, "file://$moved", $document['id']]);
    }
    $tables = sqlStatementNoLog("SELECT table_name AS name, MIN(column_name) AS col FROM information_schema.columns WHERE table_schema = DATABASE() "
        . "AND column_name IN ('pid', 'patient_id') AND table_name NOT IN ('documents', 'log') GROUP BY table_name ORDER BY table_name");
    while ($table = sqlFetchArray($tables)) {
        mergeTable($table['name'], $table['col'], $source, $target, in_array($table['name'], ['patient_data', 'history_data', 'insurance_data'], true));
    }
    // Upstream counts anew how alike others are; a patient who came by the interface has -9 until then. Here the birth date alone counts.
    $alike = sqlQuery('SELECT COUNT(*) AS count FROM patient_data WHERE DOB = ? AND pid <> ?', [$new['DOB'], $target])['count'];
    sqlStatement('UPDATE patient_data SET dupscore = ? WHERE pid = ?', [6 * $alike, $target]);
    echo '<br />' . xlt('Merge complete.') . "\n";
    pageEnd();
    exit;
}
echo "<form method='post' action='merge_patients.php?pid1=" . attr_url($pid1) . '&pid2=' . attr_url($pid2) . "'>" . tokenField();
echo '<p>' . xlt('Target Patient') . " <input name='form_target_pid' value='" . attr($pid1) . "' /></p>\n<p>" . xlt('Source Patient')
    . " <input name='form_source_pid' value='" . attr($pid2) . "' /></p>\n<button name='form_submit' value='merge'>" . xlt('Merge') . "</button></form>\n";
pageEnd();
