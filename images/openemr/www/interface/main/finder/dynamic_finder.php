<?php

/**
 * The patients, the newest 200; `search_any` looks in names and numbers.
 */

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/page.inc.php";

needRight('patients', 'demo', 'Patient Finder');
pageStart('Patient Finder');
$any = '%' . ($_GET['search_any'] ?? '') . '%';
echo '<form><input name="search_any" value="' . attr($_GET['search_any'] ?? '') . '" /> <button>' . xlt('Search') . "</button></form>\n";
echo '<table id="pt_table"><tr><th>' . xlt('Full Name') . '</th><th>' . xlt('DOB') . '</th><th>' . xlt('External ID') . "</th></tr>\n";
$rows = sqlStatement('SELECT pid, pubpid, lname, fname, mname, DOB FROM patient_data WHERE lname LIKE ? OR fname LIKE ? OR pubpid LIKE ? OR pid LIKE ? '
    . 'ORDER BY pid DESC LIMIT 200', [$any, $any, $any, $any]);
while ($row = sqlFetchArray($rows)) {
    echo '<tr id="pid_' . attr($row['pid']) . '"><td><a href="../../patient_file/summary/demographics.php?set_pid=' . attr_url($row['pid']) . '">'
        . text("$row[lname], $row[fname] $row[mname]") . '</a></td><td>' . text($row['DOB']) . '</td><td>' . text($row['pubpid']) . "</td></tr>\n";
}
echo "</table>\n";
pageEnd();
