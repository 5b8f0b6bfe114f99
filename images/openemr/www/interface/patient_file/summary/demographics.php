<?php

/**
 * The patient's chart: menu, data, encounters, orders and documents. `set_pid` opens it, `set_encounterid` an encounter of it.
 */

use OpenEMR\Core\Header;
use OpenEMR\Menu\PatientMenuRole;

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/page.inc.php";
require_once "$srcdir/pid.inc.php";
require_once "$srcdir/patient.inc.php";

if (isset($_GET['set_pid'])) {
    setpid($_GET['set_pid']);
    if ((int)($_GET['set_encounterid'] ?? 0) > 0) {
        setencounter($_GET['set_encounterid']);
    }
}
$patient = getPatientData($pid);
?>
<!DOCTYPE html>
<html>
<head>
<?php Header::setupHeader(); ?>
<title><?php echo xlt('Dashboard'); ?></title>
</head>
<body>
<?php
if (!$patient) {
    die(xlt('Please select a patient') . "\n</body></html>");
}
?>
<h2 id="patient_name"><?php echo text("$patient[fname] $patient[lname] ($patient[pubpid])"); ?></h2>
<?php
(new PatientMenuRole())->displayHorizNavBarMenu();
needRight('patients', 'demo', 'Demographics');
echo "<table id='DEM'>\n";
$labels = ['pubpid' => 'External ID', 'lname' => 'Last Name', 'fname' => 'First Name', 'mname' => 'Middle Name', 'DOB' => 'DOB', 'sex' => 'Sex',
    'street' => 'Address', 'postal_code' => 'Postal Code', 'city' => 'City', 'state' => 'State', 'phone_home' => 'Home Phone'];
foreach ($labels as $column => $label) {
    echo '<tr><th>' . xlt($label) . '</th><td id="text_' . attr($column) . '">' . text($patient[$column]) . "</td></tr>\n";
}
echo "</table>\n<h3>" . xlt('Encounters') . "</h3>\n<ul>\n";
$rows = sqlStatement('SELECT encounter, date, reason FROM form_encounter WHERE pid = ? ORDER BY date DESC, encounter DESC', [$pid]);
while ($row = sqlFetchArray($rows)) {
    echo '<li><a href="../encounter/encounter_top.php?set_encounter=' . attr_url($row['encounter']) . '&pid=' . attr_url($pid) . '">'
        . text(substr((string)$row['date'], 0, 10) . " $row[encounter] $row[reason]") . "</a></li>\n";
}
echo "</ul>\n<h3>" . xlt('Procedure Orders') . "</h3>\n<ul>\n";
$rows = sqlStatement('SELECT procedure_order_id, date_ordered, order_status FROM procedure_order WHERE patient_id = ? AND activity = 1 ORDER BY 1 DESC', [$pid]);
while ($row = sqlFetchArray($rows)) {
    echo '<li><a href="../../orders/single_order_results.php?orderid=' . attr_url($row['procedure_order_id']) . '">'
        . text("$row[procedure_order_id] " . substr((string)$row['date_ordered'], 0, 10) . " $row[order_status]") . "</a></li>\n";
}
echo "</ul>\n";
pageEnd();
