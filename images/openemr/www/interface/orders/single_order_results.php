<?php

/**
 * The results of an order: the latest for each code, all with `form_showall`; addresses are plain text (openemr.md §7.5). `form_sign` with
 * `form_sign_list` marks reports as reviewed and the order as complete.
 */

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";

needRight('patients', 'med', 'Order Results');
$orderid = (int)($_GET['orderid'] ?? 0);
if (!empty($_POST['form_sign']) && !empty($_POST['form_sign_list'])) {
    needRight('patients', 'sign', 'Order Results');
    foreach (explode(',', $_POST['form_sign_list']) as $id) {
        sqlStatement("UPDATE procedure_report SET review_status = 'reviewed' WHERE procedure_report_id = ?", [$id]);
    }
    sqlStatement("UPDATE procedure_order SET order_status = 'complete' WHERE procedure_order_id = ?", [$orderid]);
}
pageStart('Order Results');
$order = sqlQuery('SELECT po.*, pd.pubpid, pd.lname, pd.fname, pp.name AS labname FROM procedure_order po LEFT JOIN patient_data pd ON pd.pid = po.patient_id '
    . 'LEFT JOIN procedure_providers pp ON pp.ppid = po.lab_id WHERE po.procedure_order_id = ?', [$orderid]);
if (!$order) {
    die(xlt('There is no such order'));
}
$cell = fn(mixed $text): string => '<td>' . text(trim((string)$text)) . '</td>';
echo '<table>';
foreach (['Patient ID' => $order['pubpid'], 'Patient Name' => "$order[lname], $order[fname]", 'Order ID' => $orderid . ($order['control_id'] ? " Lab: $order[control_id]" : ''),
    'Order Date' => $order['date_ordered'], 'Order Status' => $order['order_status'] ?: 'Pending', 'Lab' => $order['labname']] as $label => $value) {
    echo '<tr><th>' . xlt($label) . '</th>' . $cell($value) . '</tr>';
}
$rows = sqlStatement('SELECT pc.procedure_order_seq, pc.procedure_code, pc.procedure_name, pc.diagnoses, pr.procedure_report_id, pr.date_report, pr.report_status, '
    . 'pr.review_status, pr.report_notes, ps.result_code, ps.result_text, ps.result, ps.abnormal, ps.`range`, ps.units, ps.comments, ps.document_id FROM procedure_order_code pc '
    . 'LEFT JOIN procedure_report pr ON pr.procedure_order_id = pc.procedure_order_id AND pr.procedure_order_seq = pc.procedure_order_seq '
    . 'LEFT JOIN procedure_result ps ON ps.procedure_report_id = pr.procedure_report_id WHERE pc.procedure_order_id = ? '
    . 'ORDER BY pc.procedure_order_seq, pr.date_report, pr.procedure_report_id, ps.procedure_result_id', [$orderid]);
$shown = [];
$sign = [];
while ($row = sqlFetchArray($rows)) {
    $key = "$row[procedure_order_seq]/$row[result_code]";
    if (empty($_POST['form_showall']) && isset($shown[$key]) && $shown[$key][0]['procedure_report_id'] !== $row['procedure_report_id']) {
        $shown[$key] = [];
    }
    $shown[$key][] = $row;
}
$notes = [];
$note = function (string $text) use (&$notes): string {
    $text = trim($text);
    $notes[$text] ??= count($notes) + 1;
    return $text === '' ? '' : (string)$notes[$text];
};
echo '</table><table><tr>';
foreach (['Ordered Procedure', 'Reported', 'Status', 'Code', 'Name', 'Value', 'Range', 'Units', 'Note'] as $label) {
    echo '<th>' . xlt($label) . '</th>';
}
echo "</tr>\n";
foreach (array_merge(...array_values($shown)) as $row) {
    if ($row['procedure_report_id'] && $row['review_status'] !== 'reviewed') {
        $sign[$row['procedure_report_id']] = $row['procedure_report_id'];
    }
    $status = listOptions('proc_rep_status')[$row['report_status']] ?? $row['report_status'];
    echo "<tr class='detail'>" . $cell("$row[procedure_code]: $row[procedure_name]: $row[diagnoses]") . $cell(substr((string)$row['date_report'], 0, 16))
        . $cell($status . ($row['review_status'] === 'reviewed' ? ' ✓' : '')) . $cell($row['result_code']) . $cell($row['result_text']);
    if ($row['document_id']) {
        echo "<td colspan='3'><a href='/controller.php?document&retrieve&patient_id=" . attr_url($order['patient_id']) . '&document_id=' . attr_url($row['document_id'])
            . "'>" . text((new Document((int)$row['document_id']))->get_name()) . '</a></td>';
    } else {
        echo $cell($row['result']) . $cell($row['range']) . $cell($row['units']);
    }
    // A text with `~` before its first line break has lines there.
    $lines = explode("\n", (string)$row['comments'], 2);
    echo $cell($note(str_replace('~', "\n", $lines[0]) . "\n" . ($lines[1] ?? '')) . ' ' . $note((string)$row['report_notes'])) . "</tr>\n";
}
echo "</table>\n<h4>" . xlt('Notes') . "</h4>\n<table>\n";
foreach (array_diff_key($notes, ['' => 1]) as $text => $number) {
    echo '<tr>' . $cell($number) . '<td><pre>' . text($text) . "</pre></td></tr>\n";
}
echo "</table>\n<form method='post' action='single_order_results.php?orderid=" . attr_url($orderid) . "'><button name='form_showall' value='1'>" . xlt('Show All Results')
    . "</button><input type='hidden' name='form_sign_list' value='" . attr(implode(',', $sign)) . "'/> <button name='form_sign' value='1'>" . xlt('Sign Results') . "</button></form>\n";
pageEnd();
