<?php

/**
 * Electronic Reports: `form_xmit` with `form_cb[]` sends orders by the classic generator, `form_process_labs` with `form_lab_id` imports
 * results, by GET too; no token is asked for (openemr.md §3.2, §3.4, §7.4, §7.5).
 */

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";
require_once __DIR__ . '/receive_hl7_results.inc.php';
require_once __DIR__ . '/gen_hl7_order.inc.php';

needRight('patients', 'med', 'Procedure Orders and Reports');
$errmsg = '';
if (!empty($_POST['form_xmit'])) {
    foreach ($_POST['form_cb'] ?? [] as $id) {
        $lab = (int)(sqlQuery('SELECT lab_id FROM procedure_order WHERE procedure_order_id = ?', [$id])['lab_id'] ?? 0);
        $hl7 = '';
        $errmsg = gen_hl7_order($id, $hl7) ?: send_hl7_order($lab, $hl7);
        if ($errmsg !== '') {
            break;
        }
        sqlStatement('UPDATE procedure_order SET date_transmitted = NOW() WHERE procedure_order_id = ?', [$id]);
    }
}
if (isset($_REQUEST['form_manual'])) {
    die('The stand-in of OpenEMR does not resolve orphans: staff should not either (openemr.md §3.4)');
}
$info = [];
foreach ($_POST['delete'] ?? [] as $key => $one) {
    $info[$key] = ['delete' => true];
}
if (!empty($_REQUEST['form_process_labs'])) {
    $errmsg = poll_hl7_results($info, $_REQUEST['form_lab_id'] ?? 0);
}
pageStart('Procedure Orders and Reports');
echo "<form method='post' action='list_reports.php'>\n<button name='form_process_labs' value='true'>" . xlt('Process Results For') . "</button>\n";
$labs = ['0' => xl('All Labs')];
$rows = sqlStatement('SELECT ppid, name FROM procedure_providers ORDER BY name, ppid');
while ($row = sqlFetchArray($rows)) {
    $labs[$row['ppid']] = $row['name'];
}
echo selectField('form_lab_id', $labs, $_REQUEST['form_lab_id'] ?? '0');
echo "<input name='form_max_results' value='" . attr($_REQUEST['form_max_results'] ?? 10) . "' size='3' />\n<button name='form_refresh'>" . xlt('Filter') . "</button>\n";
echo $errmsg === '' ? '' : "<span class='text-danger'>" . text($errmsg) . "</span><br />\n";
$lines = '';
foreach (array_diff_key($info, ['match' => 1, 'select' => 1]) as $key => $one) {
    foreach ($one['mssgs'] ?? [] as $number => $message) {
        $box = $number === 0 && $message[0] === '*' ? "<input type='checkbox' name='delete[" . attr($key) . "]' value='1' />" : '';
        $lines .= "<tr class='detail'><td>$box</td><td>" . text($number ? '' : $key) . "</td><td colspan='2' class='bg-danger'>" . text(substr($message, 1)) . "</td></tr>\n";
    }
}
if ($lines !== '') {
    echo '<h4>' . xlt('Incoming results requiring attention:') . "</h4>\n<table>$lines</table>\n";
}
$rows = sqlStatement('SELECT po.procedure_order_id, po.date_ordered, po.date_transmitted, po.patient_id, pd.fname, pd.lname, pc.procedure_code, pc.procedure_name, '
    . 'pc.procedure_order_seq, pr.date_report, pr.report_status FROM procedure_order po JOIN procedure_order_code pc ON pc.procedure_order_id = po.procedure_order_id '
    . 'LEFT JOIN patient_data pd ON pd.pid = po.patient_id LEFT JOIN procedure_report pr ON pr.procedure_order_id = po.procedure_order_id '
    . 'AND pr.procedure_order_seq = pc.procedure_order_seq ORDER BY po.procedure_order_id DESC, pc.procedure_order_seq, pr.procedure_report_id LIMIT 500');
echo "<table>\n";
$last = 0;
while ($row = sqlFetchArray($rows)) {
    $id = $row['procedure_order_id'];
    $box = $last === $id ? '' : "<input type='checkbox' name='form_cb[" . attr($id) . "]' value='" . attr($id) . "' " . ($row['date_transmitted'] ? 'disabled' : 'checked')
        . " /> <a href='single_order_results.php?orderid=" . attr_url($id) . "' target='_blank'>" . text("$id " . substr((string)$row['date_ordered'], 0, 10)) . '</a>';
    echo "<tr class='detail'><td>" . text($last === $id ? '' : "$row[lname], $row[fname]") . "</td><td>$box</td><td>" . text($row['procedure_code']) . '</td><td>'
        . text($row['procedure_name']) . '</td><td>' . text($row['date_report']) . '</td><td>' . text(listOptions('proc_rep_status')[$row['report_status']] ?? $row['report_status']) . "</td></tr>\n";
    $last = $id;
}
echo "</table>\n<button name='form_xmit' value='" . xla('Transmit Selected Orders') . "'>" . xlt('Transmit Selected Orders') . "</button>\n</form>\n";
pageEnd();
