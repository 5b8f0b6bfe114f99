<?php

/**
 * Reads a result message, ORU^R01, of a bidirectional provider (openemr.md §3.4 and §7.5): a strict list of segments, the order by
 * intval(OBR-2), the line by OBR-4.1, reports and results as rows, attachments as documents. Each message is read twice, first dry.
 * Results only (direction R) and MDM are refused.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use Document;
use OpenEMR\Common\Logging\EventAuditLogger;

class ResultImport
{
    /** @var array{mssgs: list<string>, needmatch: bool, fatal?: true} */
    private array $said = ['mssgs' => [], 'needmatch' => false];
    /** @var list<array{report: array<string, mixed>, results: list<array<string, mixed>>}> what is filed at the end */
    private array $groups = [];
    private string $context = '';
    private string $component = '^';
    private int $category = 0;
    private int $orderId = 0;
    private int $encounter = 0;
    /** @var array<string, mixed>|false|null */
    private array|false|null $order = null;
    /** @var array<string, int> code → the sequence number that was used last */
    private array $used = [];

    public function __construct(private int $lab, private string $direction, private bool $dryrun)
    {
    }

    /** @return array{mssgs: list<string>, needmatch: bool, fatal?: true} messages; `*` begins a fatal one */
    public function read(string $hl7): array
    {
        if (!str_starts_with($hl7, 'MSH')) {
            $this->fail(xl('Input does not begin with a MSH segment'));
            return $this->said;
        }
        if ($this->direction === 'R') {
            $this->fail('The stand-in of OpenEMR has no results-only direction');
            return $this->said;
        }
        $wanted = $GLOBALS['lab_results_category_name'];
        $this->category = (int)(sqlQuery('SELECT id FROM categories WHERE name = ?', [$wanted])['id'] ?? 0);
        if (!$this->category) {
            $this->fail(xl('Document category for lab results does not exist') . ": $wanted");
            return $this->said;
        }
        $field = substr($hl7, 3, 1);
        $this->component = substr($hl7, 4, 1) ?: '^';
        foreach (preg_split('/\r\n|\r|\n/', $hl7) as $segment) {
            if ($segment === '' || $segment === "\x1c") {
                continue;
            }
            $fields = explode($field, $segment);
            if ($fields[0] === 'PID') {
                // Address and telephone are read whether they are there or not, and PHP warns (receive_hl7_results.inc.php).
                [$fields[11], $fields[13]];
            }
            if (!$this->segment(array_pad($fields, 60, ''))) {
                return $this->said;
            }
        }
        $this->file();
        return $this->said;
    }

    private function fail(string $message): false
    {
        $this->said['mssgs'][] = "*$message";
        $this->said['fatal'] = true;
        EventAuditLogger::instance()->newEvent('lab-results-error', $_SESSION['authUser'] ?? '', $_SESSION['authProvider'] ?? '', 0, $message);
        return false;
    }

    /**
     * @param list<string> $a its fields; MSH has one less than HL7 numbers
     * @return bool whether reading goes on
     */
    private function segment(array $a): bool
    {
        $where = "$a[0] in $this->context";
        switch (true) {
            case $a[0] === 'MSH':
                $this->file();
                $this->context = 'MSH';
                return str_contains($a[8], 'ORU') ? true : $this->fail(str_starts_with($a[8], 'MDM^T0') ? 'The stand-in of OpenEMR has no MDM'
                    : xl('MSH.8 message type is not supported') . ": '$a[8]'");
            case $a[0] === 'PID':
                // Nobody looks whose it is: the order number alone decides.
                [$this->context, $this->order, $this->orderId] = ['PID', null, 0];
                return true;
            case $a[0] === 'PV1':
                $this->encounter = $a[19] === '' ? $this->encounter : (int)$a[19];
                return true;
            case $a[0] === 'ORC':
                [$this->context, $this->order] = ['ORC', null];
                $this->orderId = $a[2] ? (int)$a[2] : $this->orderId;
                return true;
            case $a[0] === 'OBR':
                $this->context = 'OBR';
                return $this->request($a);
            case $a[0] === 'OBX':
                return $this->observation($a);
            case $a[0] === 'ZEF':
                $this->context = 'OBX';
                return $this->attach(base64_decode($a[2]), 'pdf', ['comments' => "\n", 'result_data_type' => 'E', 'date' => $this->last('report')['date_report']]);
            case $where === 'NTE in OBR':
                $this->last('report')['report_notes'] .= self::text($a[3], "\n") . "\n";
                return true;
            case $where === 'NTE in OBX':
                $results = &$this->last('results');
                $results[count($results) - 1]['comments'] .= self::text($a[3], "\n") . "\n";
                return true;
            case $where === 'NTE in PID' && (bool)$this->groups:
                $this->groups[0]['report']['report_notes'] .= self::text($a[3], "\n") . "\n";
                return true;
            case $a[0] === 'SPM':
                $specimen = explode($this->component, $a[4]);
                $name = ($specimen[8] ?? '') ?: $specimen[0] . (isset($specimen[1]) ? " ($specimen[1])" : '');
                $this->last('report')['specimen_num'] = $name;
                $this->last('report')['report_notes'] .= xl('Specimen type') . ': ' . self::text($name) . "\n";
                return true;
            case in_array($a[0], ['PD1', 'TQ1', 'ZPS'], true) || in_array($where, ['NTE in ORC', 'NTE in PID'], true):
                return true;
            default:
                return $this->fail(xl('Segment name') . " '$a[0]' " . xl('is misplaced or unknown'));
        }
    }

    /** @return array<string, mixed> the part of the report that is being read */
    private function &last(string $part): array
    {
        return $this->groups[count($this->groups) - 1][$part];
    }

    /** @param list<string> $a */
    private function request(array $a): bool
    {
        if ($a[2]) {
            [$this->orderId, $this->order] = [(int)$a[2], null];
        }
        [$code, $name] = array_pad(explode($this->component, $a[4]), 2, '');
        if (!$this->order) {
            $this->order = sqlQuery('SELECT * FROM procedure_order WHERE procedure_order_id = ?', [$this->orderId]);
            if (!$this->order) {
                return $this->fail(xl('Procedure order not found') . ": $this->orderId");
            }
            if ($this->encounter && $this->order['encounter_id'] != $this->encounter) {
                return $this->fail("Encounter ID '{$this->order['encounter_id']}' for OBR placer order number '$this->orderId' "
                    . "does not match the PV1 encounter number '$this->encounter'");
            }
            $filler = explode($this->component, $a[3])[0];
            if ($filler && !$this->order['control_id']) {
                // In the dry run too.
                sqlStatement('UPDATE procedure_order SET control_id = ? WHERE procedure_order_id = ?', [$filler, $this->orderId]);
            }
            $this->used = [];
        }
        $seq = $this->line($code, self::text($name));
        $this->used[$code] = $seq;
        $this->groups[] = ['results' => [], 'report' => [
            'procedure_order_id' => $this->orderId, 'procedure_order_seq' => $seq, 'date_collected' => self::time($a[7]), 'date_collected_tz' => self::zone($a[7]),
            'date_report' => self::time($a[22]), 'date_report_tz' => self::zone($a[22]), 'report_status' => self::status($a[25]), 'report_notes' => '', 'specimen_num' => '',
        ]];
        return true;
    }

    /** The next line of the order with this code; an unknown one is added, in a transaction of its own. */
    private function line(string $code, string $name): int
    {
        $row = sqlQuery('SELECT procedure_order_seq FROM procedure_order_code WHERE procedure_order_id = ? AND procedure_code = ? '
            . 'ORDER BY (procedure_order_seq <= ?), procedure_order_seq LIMIT 1', [$this->orderId, $code, $this->used[$code] ?? 0]);
        if ($row || $this->dryrun) {
            return (int)($row['procedure_order_seq'] ?? 0);
        }
        $type = sqlQuery("SELECT procedure_type, transport FROM procedure_type WHERE lab_id = ? AND procedure_type IN ('ord', 'pro') AND activity = 1 "
            . 'AND procedure_code = ? LIMIT 1', [$this->lab, $code]);
        sqlBeginTrans();
        $seq = (int)sqlQuery('SELECT IFNULL(MAX(procedure_order_seq), 0) + 1 AS increment FROM procedure_order_code WHERE procedure_order_id = ?', [$this->orderId])['increment'];
        sqlInsert("INSERT INTO procedure_order_code SET procedure_order_id = ?, procedure_order_seq = ?, procedure_code = ?, procedure_name = ?, procedure_type = ?, "
            . "transport = ?, procedure_source = '2'", [$this->orderId, $seq, $code, $name, $type['procedure_type'] ?? '', $type['transport'] ?? '']);
        sqlCommitTrans();
        return $seq;
    }

    /** @param list<string> $a */
    private function observation(array $a): bool
    {
        [$code, $text] = array_pad(explode($this->component, $a[3]), 2, '');
        $row = [
            'result_data_type' => substr($a[2], 0, 1), 'comments' => "\n", 'result_code' => self::text($code), 'result_text' => self::text($text),
            'date' => self::time($a[14]), 'units' => self::text(explode($this->component, $a[6])[0]), 'range' => self::text($a[7]),
            'abnormal' => self::abnormal($a[8]), 'result_status' => self::status($a[11]),
        ];
        $results = &$this->last('results');
        $before = count($results) - 1;
        if ($before >= 0 && $this->context === 'OBX' && $a[2] === 'TX' && $results[$before]['result_data_type'] === 'L'
            && array_intersect_key($results[$before], array_flip(['result_code', 'date', 'abnormal', 'result_status']))
                == array_intersect_key($row, array_flip(['result_code', 'date', 'abnormal', 'result_status']))) {
            $results[$before]['comments'] .= self::text($a[5]) . "\n";
            return true;
        }
        $this->context = 'OBX';
        if ($a[2] === 'ED') {
            [, , $kind, $encoding, $data] = array_pad(explode($this->component, $a[5]), 5, '');
            if ($data === 'EMBEDDED DOCUMENT') {
                $results[] = $row;
                return true;
            }
            $bytes = match ($encoding) {
                'Base64' => base64_decode($data),
                'A' => self::text($data),
                'Hex' => hex2bin(substr($data, 0, 2 * intdiv(strlen($data), 2))),
                default => false,
            };
            return $bytes === false ? $this->fail(xl('Invalid encapsulated data encoding type') . ": $encoding") : $this->attach($bytes, strtolower($kind), $row);
        }
        if ($a[2] === 'TX' || (strlen($a[5]) > 200 && !in_array($a[2], ['CWE', 'SN'], true))) {
            $row['result_data_type'] = 'L';
            $row['result'] = '';
            $row['comments'] = self::text($a[5] === '' ? str_replace('^', ' ', $a[3]) : $a[5]) . "\n";
        } else {
            $parts = explode($this->component, $a[5]);
            $row['result'] = match ($a[2]) {
                'CWE' => ($parts[8] ?? '') ?: $parts[0] . (isset($parts[1]) ? " ($parts[1])" : ''),
                'SN' => trim(str_replace($this->component, ' ', $a[5])),
                default => self::text($a[5]),
            };
        }
        $results[] = $row;
        return true;
    }

    /** @param array<string, mixed> $row */
    private function attach(string $bytes, string $kind, array $row): bool
    {
        if (!$this->dryrun) {
            $document = new Document();
            $types = ['pdf' => 'application/pdf', 'doc' => 'application/msword', 'rtf' => 'application/rtf', 'txt' => 'text/plain', 'zip' => 'application/zip'];
            $complaint = $document->createDocument($this->order['patient_id'], $this->category, date('Ymd_His') . "_orderid_$this->orderId.$kind",
                $types[$kind] ?? 'application/octet-stream', $bytes);
            if ($complaint !== '') {
                return $this->fail($complaint);
            }
            $row['document_id'] = $document->get_id();
        }
        $results = &$this->last('results');
        $results[] = $row;
        return true;
    }

    /** Writes reports and results; a text of at most ten characters becomes the result itself. */
    private function file(): void
    {
        foreach ($this->dryrun ? [] : $this->groups as $group) {
            $report = self::insert('procedure_report', $group['report']);
            foreach ($group['results'] as $row) {
                $end = strpos($row['comments'], "\n");
                // A document has none, and PHP warns, as upstream.
                if ($row['result'] === '' && $row['result_data_type'] === 'L' && $end && $end <= 10) {
                    $row['result'] = substr($row['comments'], 0, $end);
                    $row['comments'] = substr($row['comments'], $end);
                }
                self::insert('procedure_result', $row + ['procedure_report_id' => $report]);
            }
        }
        $this->groups = [];
    }

    /** @param array<string, mixed> $row */
    private static function insert(string $table, array $row): int
    {
        return sqlInsert("INSERT INTO $table SET " . implode(', ', array_map(fn(string $column): string => "`$column` = ?", array_keys($row))), array_values($row));
    }

    private static function text(string $text, string $break = '~'): string
    {
        return str_replace(['\\S\\', '\\F\\', '\\R\\', '\\T\\', '\\X0d\\', '\\E\\', '\\.br\\'], ['^', '|', '~', '&', "\r", '\\', $break], $text);
    }

    private static function time(string $text): string
    {
        $digits = preg_replace('/[^0-9]/', '', preg_replace('/^([0-9.]+)[+-].*$/', '$1', $text));
        if ($digits === '' || $digits === '0') {
            return '0000-00-00 00:00:00';
        }
        $day = substr($digits, 0, 4) . '-' . substr($digits, 4, 2) . '-' . substr($digits, 6, 2);
        return strlen($digits) > 8 ? "$day " . substr($digits, 8, 2) . ':' . substr($digits, 10, 2) . ':' . (strlen($digits) > 12 ? substr($digits, 12, 2) : '00') : $day;
    }

    private static function zone(string $text): string
    {
        return preg_match('/^[0-9.]+([+-].*)$/', $text, $found) ? trim($found[1]) : '';
    }

    private static function status(string $letter): string
    {
        return ['F' => 'final', 'P' => 'prelim', 'C' => 'correct', 'X' => 'error'][$letter] ?? self::text($letter);
    }

    private static function abnormal(string $flag): string
    {
        return ['' => 'no', 'N' => 'no', 'A' => 'yes', 'H' => 'high', 'L' => 'low', 'HH' => 'vhigh', 'LL' => 'vlow'][$flag] ?? self::text($flag);
    }
}
