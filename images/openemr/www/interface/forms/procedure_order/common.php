<?php

/**
 * The procedure order form (openemr.md §3.2, §7.4): upstream's field names, checks and traces. The encounter is the session's.
 * `bn_save` saves, `bn_save_exit` saves and leaves, `bn_xmit` saves and transmits; a refused transmission leaves the order saved.
 */

use OpenEMR\Standin\OrderForm;

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/page.inc.php";
require_once "$srcdir/forms.inc.php";

if (!$encounter) {
    die('Internal error: we do not seem to be in an encounter!');
}
$form = new OrderForm((int)($_REQUEST['id'] ?? 0), (int)$pid, (int)$encounter);
if (!empty($_POST['bn_save']) || !empty($_POST['bn_xmit']) || !empty($_POST['bn_save_exit'])) {
    needToken();
    $form->save($_POST);
    if (isset($_POST['bn_save_exit'])) {
        echo "\n<script>window.location='$rootdir/patient_file/encounter/forms.php';</script>\n";
        exit;
    }
    // What keeps the message from being made is shown here; what keeps it from being sent, only by the page that follows (the order's log).
    $complaint = empty($_POST['bn_xmit']) ? '' : $form->transmit($_POST);
    if ($complaint === '') {
        header("Location: $rootdir/patient_file/encounter/view_form.php?formname=procedure_order&id=" . $form->id);
    }
}

$order = $form->order();
pageStart('Procedure Order for');
if (!empty($complaint)) {
    echo '<pre id="errors" class="text-danger">' . text($complaint) . "</pre>\n";
}
echo '<pre id="order_log">' . text($form->log()) . "</pre>\n";
$labs = sqlStatement('SELECT ppid, name FROM procedure_providers WHERE active = 1 ORDER BY name, ppid');
$providers = sqlStatement("SELECT id, lname, fname FROM users WHERE authorized = 1 AND active = 1 AND username <> '' ORDER BY lname, fname");
$labNames = $providerNames = [];
while ($row = sqlFetchArray($labs)) {
    $labNames[$row['ppid']] = $row['name'];
}
while ($row = sqlFetchArray($providers)) {
    $providerNames[$row['id']] = "$row[lname], $row[fname]";
}
$lab = (int)($order['lab_id'] ?: array_key_first($labNames) ?? 0);
?>
<form method="post" action="<?php echo attr("$rootdir/forms/procedure_order/new.php?id=" . $form->id); ?>">
<?php echo tokenField(); ?>
<input type="hidden" name="id" value="<?php echo attr($form->id); ?>" />
<p><?php echo xlt('Sending To') . ' ' . selectField('form_lab_id', $labNames, $lab); ?>
<?php echo xlt('Ordering Provider') . ' ' . selectField('form_provider_id', ['' => '-- ' . xl('Please Select') . ' --'] + $providerNames, $order['provider_id']); ?></p>
<p><?php echo xlt('Order Date'); ?> <input name="form_date_ordered" value="<?php echo attr($order['date_ordered']); ?>" />
<?php echo xlt('Collection Date/Time'); ?> <input name="form_date_collected" value="<?php echo attr($order['date_collected']); ?>" />
<?php echo xlt('Order Type') . ' ' . selectField('procedure_type_names', listOptions('order_type'), $order['procedure_order_type']); ?></p>
<p><?php echo xlt('Priority') . ' ' . selectField('form_order_priority', ['' => xl('Unassigned')] + listOptions('ord_priority'), $order['order_priority']); ?>
<?php echo xlt('Order Status') . ' ' . selectField('form_order_status', ['' => xl('Unassigned')] + listOptions('ord_status'), $order['order_status']); ?>
<?php echo xlt('Billing') . ' ' . selectField('form_billing_type', ['T' => xl('Third Party'), 'P' => xl('Self Pay'), 'C' => xl('Bill Clinic')], $order['billing_type']); ?>
<?php echo xlt('PSC Hold Order') . ' ' . selectField('form_order_psc', ['' => xl('No'), '1' => xl('Yes')], $order['order_psc'] ?: ''); ?>
<?php echo xlt('ABN') . ' ' . selectField('form_order_abn', ['not_required' => xl('Not Required'), 'required' => xl('Required'), 'signed' => xl('Signed')], $order['order_abn']); ?></p>
<p><?php echo xlt('Clinical History'); ?> <input name="form_clinical_hx" value="<?php echo attr($order['clinical_hx']); ?>" />
<?php echo xlt('Patient Instructions'); ?> <input name="form_patient_instructions" value="<?php echo attr($order['patient_instructions']); ?>" />
<?php echo xlt('Primary Diagnosis'); ?> <input name="form_order_diagnosis" value="<?php echo attr($order['order_diagnosis']); ?>" /></p>
<input type="hidden" name="form_history_order" value="0" /><input type="hidden" name="form_account" value="" />
<input type="hidden" name="form_account_facility" value="" /><input type="hidden" name="form_collector_id" value="" />
<table id="procedures">
<?php
$catalogue = $form->catalogue($lab);
$lines = $form->lines($lab);
// Three empty lines stand for upstream's picker.
foreach ([...$lines, [], [], []] as $i => $line) {
    echo '<tr class="proc-table"><td>' . selectField("form_proc_type[$i]", ['-1' => '--'] + array_column($catalogue, 'label', 'id'), $line['procedure_type_id'] ?? '-1')
        . "</td><td><input name=\"form_proc_type_diag[$i]\" value=\"" . attr($line['diagnoses'] ?? '') . '" placeholder="ICD10:…" />'
        . "<input type=\"hidden\" name=\"form_proc_order_title[$i]\" value=\"\" /><input type=\"hidden\" name=\"form_transport[$i]\" value=\"\" />"
        . "<input type=\"hidden\" name=\"form_procedure_type[$i]\" value=\"" . attr($line['procedure_type'] ?? '') . '" />'
        . "<input type=\"hidden\" name=\"form_proc_code[$i]\" value=\"" . attr($line['procedure_code'] ?? '') . '" /></td><td>';
    foreach ($form->questions($lab, $line['procedure_code'] ?? '') as $question) {
        $code = $question['question_code'];
        echo '<label>' . text($question['question_text'] ?: $code) . ' <input name="' . attr("ans{$i}_$code") . '" value="'
            . attr($line['answers'][$code] ?? '') . '" /></label>';
    }
    echo "</td></tr>\n";
}
?>
</table>
<p><button type="submit" name="bn_save" value="save"><?php echo xlt('Save and Continue'); ?></button>
<button type="submit" name="bn_save_exit" value="save_exit"><?php echo xlt('Save and Exit'); ?></button>
<button type="submit" name="bn_xmit" value="transmit"><?php echo xlt('Transmit Order'); ?></button></p>
</form>
<?php
pageEnd();
