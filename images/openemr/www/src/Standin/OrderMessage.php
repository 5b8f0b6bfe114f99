<?php

/**
 * The order messages, HL7 v2.3 ORM^O01, of upstream's two generators (openemr.md §3.2 and §7.4). They differ in the order number, the
 * medication line, insurance, guarantor, how procedures are joined, the specimen, and the diagnosis of the order as a whole.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

class OrderMessage
{
    private string $out = '';
    /** @var array<string, mixed> */
    private array $order;
    private string $number;
    private string $doctor;

    public function __construct(private int $id, private bool $universal)
    {
    }

    /** Makes the message into $out; returns what is wrong, or "". */
    public function make(string &$out): string
    {
        $order = sqlQuery(
            'SELECT po.*, pp.*, pd.pid, pd.fname, pd.lname, pd.mname, pd.DOB, pd.ss, pd.phone_home, pd.phone_biz, pd.sex, pd.street, pd.city, pd.state, '
            . 'pd.postal_code, f.encounter, u.fname AS docfname, u.lname AS doclname, u.npi AS docnpi '
            . 'FROM procedure_order po JOIN procedure_providers pp ON pp.ppid = po.lab_id '
            . "JOIN forms f ON f.formdir = 'procedure_order' AND f.form_id = po.procedure_order_id JOIN patient_data pd ON pd.pid = f.pid "
            . 'JOIN users u ON u.id = po.provider_id WHERE po.procedure_order_id = ?',
            [$this->id]
        );
        if (!$order) {
            return "Procedure order, ordering provider or lab is missing for order ID '$this->id'";
        }
        $this->order = $order;
        $padded = str_pad((string)$this->id, 4, '0', STR_PAD_LEFT);
        $this->number = $this->universal ? trim($order['send_fac_id']) . "-$padded" : $padded;
        $this->doctor = self::text($order['docnpi']) . '^' . self::text($order['doclname']) . '^' . self::text($order['docfname']);
        $this->segment('MSH', [1 => '^~\&', $order['send_app_id'], $order['send_fac_id'], $order['recv_app_id'], $order['recv_fac_id'],
            date('YmdHis'), '', 'ORM^O01', $this->number, $order['DorP'], '2.3']);
        $this->patient();
        $payers = $this->payers();
        $complaint = $this->insurance($payers);
        if ($complaint !== '') {
            return $complaint;
        }
        if (!$this->universal || $order['billing_type'] !== 'C') {
            $this->guarantor();
        }
        $this->segment('ORC', [1 => 'NW', $this->number, 9 => date('YmdHis'), 12 => $this->doctor, 20 => '2']);
        $this->procedures(count($payers));
        $out = $this->out;
        return '';
    }

    /** @param array<int, mixed> $fields by number; those between are empty, and `$last` says how many there are at least */
    private function segment(string $name, array $fields, int $last = 0): void
    {
        $all = [];
        for ($number = 1; $number <= max($last, max(array_keys($fields))); $number++) {
            $all[] = $fields[$number] ?? '';
        }
        $this->out .= "$name|" . implode('|', $all) . "\r";
    }

    private function name(): string
    {
        return self::text($this->order['lname']) . '^' . self::text($this->order['fname']) . ($this->order['mname'] ? '^' . self::text($this->order['mname']) : '');
    }

    private function address(): string
    {
        $order = $this->order;
        return self::text($order['street']) . '^^' . self::text($order['city']) . '^' . self::text($order['state']) . '^' . self::zip($order['postal_code']);
    }

    private function patient(): void
    {
        $order = $this->order;
        $this->segment('PID', [1 => '1', $order['pid'], $order['pid'], 5 => $this->name(), 7 => self::digits($order['DOB']), self::sex($order['sex']),
            11 => $this->address(), 13 => self::phone($order['phone_home']), self::phone($order['phone_biz']), 18 => $order['encounter'],
            self::ssn($order['ss'])], 22);
        $rows = sqlStatement('SELECT drug FROM prescriptions WHERE active=1 AND patient_id=?', [$order['pid']]);
        $drugs = [];
        while ($row = sqlFetchArray($rows)) {
            $drugs[] = trim($row['drug']);
        }
        // Not escaped, as upstream.
        $this->segment('NTE', [1 => '1', 'L', ($this->universal ? 'medications ' : 'Medications:') . (implode(',', $drugs) ?: 'NONE')]);
        $this->segment('PV1', [1 => '1', 7 => $this->doctor, 19 => $order['encounter']], 32);
    }

    /** @return list<array<string, mixed>> insurances in force when it was ordered, the first one first */
    private function payers(): array
    {
        $day = $this->order['date_ordered'] ?: date('Y-m-d');
        $rows = sqlStatement(
            'SELECT d.*, c.id AS company_id, c.name AS company_name, c.cms_id FROM insurance_data d JOIN insurance_companies c ON c.id = d.provider '
            . "WHERE d.pid = ? AND d.provider <> '' AND (d.date IS NULL OR d.date <= ?) AND (d.date_end IS NULL OR d.date_end >= ?) ORDER BY d.type, d.date DESC",
            [$this->order['pid'], $day, $day]
        );
        $payers = [];
        while ($row = sqlFetchArray($rows)) {
            $payers[$row['type']] ??= $row;
        }
        return array_values($payers);
    }

    /** @param list<array<string, mixed>> $payers */
    private function insurance(array $payers): string
    {
        $type = trim((string)$this->order['billing_type']);
        if ($this->universal && $type !== 'T') {
            $this->segment('IN1', [1 => '1', 47 => $type]);
            return '';
        }
        foreach ($this->universal ? array_slice($payers, 0, 2) : $payers as $index => $payer) {
            // The stand-in knows no addresses and phones of companies.
            $this->segment('IN1', [1 => $index + 1, 3 => $this->universal ? '' : self::text($payer['company_id']), self::text($payer['company_name']), '^^^^',
                8 => self::text($payer['group_number']),
                16 => self::text($payer['subscriber_lname']) . '^' . self::text($payer['subscriber_fname']) . '^' . self::text($payer['subscriber_mname']),
                $payer['subscriber_relationship'] ?: 'self', self::digits($payer['subscriber_DOB']),
                self::digits($payer['subscriber_street']) . '^^' . self::text($payer['subscriber_city']) . '^' . self::text($payer['subscriber_state']) . '^'
                    . self::zip($payer['subscriber_postal_code']),
                22 => $index + 1, 36 => self::text($payer['policy_number'])], 48);
        }
        return $this->universal && !$payers ? "\nInsurance is being billed but patient does not have any payers on record!" : '';
    }

    private function guarantor(): void
    {
        $order = $this->order;
        $this->segment('GT1', [1 => '1', 3 => $this->name(), 5 => $this->address(), self::phone($order['phone_home']), self::phone($order['phone_biz']),
            self::digits($order['DOB']), self::sex($order['sex']), '', 'self', self::ssn($order['ss'])]);
    }

    private function procedures(int $payers): void
    {
        $order = $this->order;
        // The classic generator finds the procedure by its name, in any lab's catalogue.
        $join = $this->universal ? 'NULL AS specimen FROM procedure_order_code c' : 't.specimen FROM procedure_order_code c JOIN procedure_type t ON t.name = c.procedure_name';
        $rows = sqlStatement("SELECT c.*, $join WHERE c.procedure_order_id = ? AND c.do_not_send = 0 ORDER BY c.procedure_order_seq", [$this->id]);
        $number = 0;
        while ($row = sqlFetchArray($rows)) {
            $this->segment('OBR', [1 => ++$number, $this->number, 4 => self::text($row['procedure_code']) . '^' . self::text($row['procedure_name']),
                strtoupper(substr($order['order_priority'], 0, 1)) === 'H' ? 'S' : 'R', 7 => self::time($order['date_collected']),
                15 => self::text($row['specimen']), $this->doctor, 18 => $payers ? 'I' : 'P', 27 => '0']);
            $this->diagnoses((string)$row['diagnoses']);
            $this->answers($row);
        }
    }

    private function diagnoses(string $own): void
    {
        $number = 0;
        foreach (explode(';', $own ?: ($this->universal ? (string)$this->order['order_diagnosis'] : '')) as $diagnosis) {
            if (str_starts_with($diagnosis, 'ICD10:')) {
                $code = substr($diagnosis, 6);
                $row = sqlQuery('SELECT code_text FROM codes WHERE code = ? AND active = 1 ORDER BY id LIMIT 1', [$code]);
                $this->segment('DG1', [1 => ++$number, 3 => "$code^" . self::text($row['code_text'] ?? '') . '^I10', '']);
            }
        }
    }

    /** @param array<string, mixed> $line */
    private function answers(array $line): void
    {
        $rows = sqlStatement('SELECT a.question_code, a.answer, q.fldtype FROM procedure_answers a LEFT JOIN procedure_questions q ON q.lab_id = ? '
            . 'AND q.procedure_code = ? AND q.question_code = a.question_code WHERE a.procedure_order_id = ? AND a.procedure_order_seq = ? ORDER BY q.seq, a.answer_seq',
            [$this->order['ppid'], $line['procedure_code'], $this->id, $line['procedure_order_seq']]);
        $number = 0;
        while ($row = sqlFetchArray($rows)) {
            $answer = trim($row['answer']);
            $answer = match ($row['fldtype']) {
                'D' => self::digits($answer),
                'G' => intdiv((int)$answer, 7) . 'wks ' . (int)$answer % 7 . 'days',
                default => $answer,
            };
            $this->segment('OBX', [1 => ++$number, $row['fldtype'] === 'N' ? 'NM' : 'ST', self::text($row['question_code']), 5 => self::text($answer)]);
        }
    }

    public static function text(mixed $text): string
    {
        return strtr((string)$text, ['\\' => '\\E\\', '^' => '\\S\\', '|' => '\\F\\', '~' => '\\R\\', '&' => '\\T\\', "\r" => '\\X0d\\']);
    }

    private static function zip(mixed $text): string
    {
        return self::text(preg_replace('/[-\s]*/', '', (string)$text));
    }

    private static function digits(mixed $text): string
    {
        return (string)preg_replace('/\D/', '', (string)$text);
    }

    private static function time(mixed $text): string
    {
        return $text ? date('YmdHis', strtotime($text)) : '';
    }

    private static function sex(mixed $text): string
    {
        $letter = strtoupper(substr((string)$text, 0, 1));
        return in_array($letter, ['M', 'F'], true) ? $letter : 'U';
    }

    /** Numbers of the United States only; others are dropped. */
    private static function phone(mixed $text): string
    {
        if (preg_match('/([2-9]\d\d)\D*(\d\d\d)\D*(\d\d\d\d)\D*$/', (string)$text, $found)) {
            return "($found[1])$found[2]-$found[3]";
        }
        return preg_match('/(\d\d\d)\D*(\d\d\d\d)\D*$/', (string)$text, $found) ? "$found[1]-$found[2]" : '';
    }

    private static function ssn(mixed $text): string
    {
        return preg_match('/(\d\d\d)\D*(\d\d)\D*(\d\d\d\d)\D*$/', (string)$text, $found) ? "$found[1]-$found[2]-$found[3]" : '';
    }
}
