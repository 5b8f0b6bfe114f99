<?php

/**
 * The audit log: tables log, log_comment_encrypt and api_log (openemr.md §5 and §7.8). `comments` is Base64.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Logging;

class EventAuditLogger
{
    /** Which event a statement on a table is; the first that occurs in the statement counts. */
    private const EVENTS = [
        'billing' => 'patient-record', 'employer_data' => 'patient-record', 'forms' => 'patient-record',
        'form_encounter' => 'patient-record', 'history_data' => 'patient-record', 'immunizations' => 'patient-record',
        'insurance_data' => 'patient-record', 'issue_encounter' => 'patient-record', 'lists' => 'patient-record',
        'patient_data' => 'patient-record', 'pnotes' => 'patient-record', 'prescriptions' => 'order',
        'facility' => 'security-administration', 'insurance_companies' => 'security-administration',
        'codes' => 'security-administration', 'users' => 'security-administration', 'groups' => 'security-administration',
        'gacl_' => 'security-administration', 'procedure_order' => 'lab-order', 'procedure_report' => 'lab-results',
        'procedure_result' => 'lab-results', 'form_' => 'patient-record',
    ];
    private const CATEGORIES = [
        'procedure_order' => 'Lab Order', 'procedure_report' => 'Lab Result', 'procedure_result' => 'Lab Result',
        'patient_data' => 'Patient Demographics', 'employer_data' => 'Patient Demographics', 'insurance_data' => 'Patient Insurance',
        'forms' => 'Encounter Form', 'form_encounter' => 'Encounter Form', 'prescriptions' => 'Medication', 'pnotes' => 'Clinical Mail',
    ];
    private static ?self $instance = null;

    public static function instance(): self
    {
        return self::$instance ??= new self();
    }

    public function newEvent($event, $user, $groupname, $success, $comments = '', $patient_id = null, $log_from = 'open-emr'): void
    {
        $this->recordLogItem($success, $event, $user, $groupname, $comments, $patient_id, $event, $log_from);
    }

    /** Writes a statement into the log, where the switches `audit_events_…` let it. */
    public function auditSQLEvent($statement, $outcome, $binds = null): void
    {
        $statement = trim($statement);
        $switch = fn(string $name): bool => !empty($GLOBALS[$name]);
        if (!$switch('enable_auditlog') || preg_match('/^insert into `?log|FROM `?log`? |sequences|^SELECT count\(/i', $statement)) {
            return;
        }
        $type = preg_match('/^(update|insert|delete|replace)/i', $statement, $found) ? strtolower($found[1]) : 'select';
        $part = preg_split($type === 'select' ? '/ where /i' : '/\(| set | values /i', str_replace("\n", ' ', $statement))[0];
        $event = $category = 'other';
        foreach (self::EVENTS as $table => $name) {
            if (str_contains($part, $table)) {
                [$event, $category] = [$name, self::CATEGORIES[$table] ?? $name];
                break;
            }
        }
        // There is no switch for lab-order and lab-results upstream: such statements are never written.
        if (!$switch("audit_events_$event") || ($type === 'select' && ($event === 'other' || !$switch('audit_events_query')))) {
            return;
        }
        if ($binds) {
            $statement .= ' (' . implode('', array_map(fn($value): string => "'" . add_escape_custom($value) . "',", $binds)) . ')';
        }
        $pid = $event === 'patient-record' ? (int)($_SESSION['pid'] ?? 0) : 0;
        $this->recordLogItem((int)$outcome, "$event-$type", $_SESSION['authUser'] ?? '', $_SESSION['authProvider'] ?? '', $statement, $pid, $category);
    }

    /** @param array<string, mixed>|null $api the fields of a row of api_log */
    public function recordLogItem($success, $event, $user, $group, $comments, $patientId = null, $category = null, $logFrom = 'open-emr', $api = null): void
    {
        $entry = [date('Y-m-d H:i:s'), $event, $category, $user, $group, base64_encode((string)$comments), $patientId, $success, $logFrom];
        $db = $GLOBALS['adodb']['db'];
        $db->ExecuteNoLog('insert into `log` (`date`, `event`, `category`, `user`, `groupname`, `comments`, `user_notes`, `patient_id`, '
            . "`success`, `crt_user`, `log_from`) values (?, ?, ?, ?, ?, ?, '', ?, ?, '', ?)", $entry);
        $id = $db->Insert_ID();
        $db->ExecuteNoLog("INSERT INTO `log_comment_encrypt` (`log_id`, `encrypt`, `checksum`, `checksum_api`, `version`) VALUES (?, 'No', ?, '', '4')",
            [$id, hash('sha3-512', implode($entry))]);
        if ($api) {
            $db->ExecuteNoLog('INSERT INTO `api_log` (`log_id`, `user_id`, `patient_id`, `ip_address`, `method`, `request`, `request_url`, '
                . '`request_body`, `response`, `created_time`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NOW())', [$id, ...array_values($api)]);
        }
    }
}
