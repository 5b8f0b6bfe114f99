<?php

/**
 * The open encounter and its forms.
 */

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/page.inc.php";

needRight('encounters', 'notes', 'Encounter');
pageStart('Encounter');
$row = sqlQuery('SELECT * FROM form_encounter WHERE pid = ? AND encounter = ?', [$pid, $encounter]);
if (!$row) {
    die('<p>' . xlt('There is no such encounter') . '</p>');
}
echo '<p>' . text("$row[date] $row[reason]") . "</p>\n<p><a href=\"load_form.php?formname=procedure_order\">" . xlt('Procedure Order') . "</a></p>\n<ul>\n";
$rows = sqlStatement("SELECT * FROM forms WHERE pid = ? AND encounter = ? AND deleted = 0 AND formdir <> 'newpatient' ORDER BY id", [$pid, $encounter]);
while ($row = sqlFetchArray($rows)) {
    $arguments = 'formname=' . attr_url($row['formdir']) . '&id=' . attr_url($row['id']) . '&encounter=' . attr_url($encounter) . '&pid=' . attr_url($pid);
    echo '<li>' . text($row['form_name']) . ' <a href="view_form.php?formname=' . attr_url($row['formdir']) . '&id=' . attr_url($row['form_id']) . '">'
        . xlt('Edit') . "</a> <a href=\"delete_form.php?$arguments\">" . xlt('Delete') . "</a></li>\n";
}
echo "</ul>\n";
pageEnd();
