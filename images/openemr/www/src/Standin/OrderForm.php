<?php

/**
 * A procedure order as its form saves and transmits it: rows of procedure_order, procedure_order_code, procedure_answers and forms.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

class OrderForm
{
    public function __construct(public int $id, private int $pid, private int $encounter)
    {
    }

    /** @return array<string, mixed> the order's row, for a new one what the form begins with */
    public function order(): array
    {
        $row = $this->id ? sqlQuery('SELECT * FROM procedure_order WHERE procedure_order_id = ? AND patient_id = ?', [$this->id, $this->pid]) : false;
        $new = ['date_ordered' => date('Y-m-d'), 'provider_id' => $this->encounterProvider()];
        $columns = ['order_priority', 'order_status', 'date_collected', 'lab_id', 'billing_type', 'order_psc', 'order_abn', 'clinical_hx', 'patient_instructions', 'order_diagnosis', 'procedure_order_type'];
        return ($row ?: $new) + array_fill_keys($columns, '');
    }

    private function encounterProvider(): int
    {
        $row = sqlQuery('SELECT provider_id FROM form_encounter WHERE encounter = ?', [$this->encounter]);
        return (int)($row['provider_id'] ?? 0);
    }

    /** @return list<array{id: int, label: string}> what this lab offers (openemr.md §3.1) */
    public function catalogue(int $lab): array
    {
        $rows = sqlStatement("SELECT procedure_type_id, procedure_code, name FROM procedure_type WHERE lab_id = ? AND procedure_type IN ('ord', 'pro') "
            . 'AND activity = 1 ORDER BY seq, procedure_code, procedure_type_id', [$lab]);
        $found = [];
        while ($row = sqlFetchArray($rows)) {
            $found[] = ['id' => $row['procedure_type_id'], 'label' => "$row[procedure_code] $row[name]"];
        }
        return $found;
    }

    /** @return list<array<string, mixed>> the order's procedures, each with its answers */
    public function lines(int $lab): array
    {
        $rows = sqlStatement('SELECT c.*, t.procedure_type_id FROM procedure_order_code c LEFT JOIN procedure_type t ON t.lab_id = ? '
            . "AND t.procedure_code = c.procedure_code AND t.procedure_type LIKE 'ord' WHERE c.procedure_order_id = ? ORDER BY c.procedure_order_seq", [$lab, $this->id]);
        $lines = [];
        while ($row = sqlFetchArray($rows)) {
            $answers = sqlStatement('SELECT question_code, answer FROM procedure_answers WHERE procedure_order_id = ? AND procedure_order_seq = ?',
                [$this->id, $row['procedure_order_seq']]);
            $row['answers'] = [];
            while ($answer = sqlFetchArray($answers)) {
                $row['answers'][$answer['question_code']] = $answer['answer'];
            }
            $lines[] = $row;
        }
        return $lines;
    }

    /** @return list<array<string, mixed>> the questions of a procedure */
    public function questions(int $lab, string $code): array
    {
        $rows = sqlStatement('SELECT * FROM procedure_questions WHERE lab_id = ? AND procedure_code = ? AND activity = 1 ORDER BY seq, question_text', [$lab, $code]);
        $found = [];
        while ($row = sqlFetchArray($rows)) {
            $found[] = $row;
        }
        return $found;
    }

    /** @param array<string, mixed> $post the form */
    public function save(array $post): void
    {
        $or = fn(string $field): ?string => ($post[$field] ?? '') === '' ? null : $post[$field];
        $text = fn(string $field): string => trim($post[$field] ?? '');
        $lab = (int)($post['form_lab_id'] ?? 0);
        $row = [
            'date_ordered' => $or('form_date_ordered'), 'provider_id' => (int)($post['form_provider_id'] ?? 0), 'lab_id' => $lab,
            'date_collected' => $or('form_date_collected'), 'order_priority' => $text('form_order_priority'),
            'order_status' => $text('form_order_status'), 'billing_type' => $text('form_billing_type'), 'order_psc' => $text('form_order_psc'),
            'specimen_fasting' => $text('form_specimen_fasting'), 'specimen_volume' => $text('form_specimen_volume'),
            'clinical_hx' => $text('form_clinical_hx'), 'patient_instructions' => $text('form_patient_instructions'), 'patient_id' => $this->pid,
            'encounter_id' => $this->encounter, 'history_order' => $text('form_history_order'), 'order_abn' => $text('form_order_abn'),
            'order_diagnosis' => $text('form_order_diagnosis'), 'account' => $text('form_account'),
            'account_facility' => (int)($post['form_account_facility'] ?? 0), 'collector_id' => (int)($post['form_collector_id'] ?? 0),
            'procedure_order_type' => $text('procedure_type_names'),
        ];
        $sets = implode(', ', array_map(fn(string $column): string => "$column = ?", array_keys($row)));
        $name = sqlQuery('SELECT name FROM procedure_providers WHERE ppid = ?', [$lab])['name'] ?? '';
        if ($this->id) {
            sqlStatement("UPDATE procedure_order SET $sets WHERE procedure_order_id = ?", [...array_values($row), $this->id]);
            sqlStatement("UPDATE forms SET form_name = ? WHERE encounter = ? AND form_id = ? AND formdir = 'procedure_order'",
                ["$name-" . ($row['procedure_order_type'] ?: $this->id), $this->encounter, $this->id]);
        } else {
            $this->id = sqlInsert("INSERT INTO procedure_order SET $sets", array_values($row));
            addForm($this->encounter, "$name-" . ($row['procedure_order_type'] ?: $this->id), $this->id, 'procedure_order', $this->pid, $_SESSION['userauthorized'] ?? 0);
        }
        sqlStatement('DELETE FROM procedure_answers WHERE procedure_order_id = ?', [$this->id]);
        sqlStatement('DELETE FROM procedure_order_code WHERE procedure_order_id = ?', [$this->id]);
        foreach ($post['form_proc_type'] ?? [] as $index => $type) {
            if ((int)$type > 0) {
                $this->saveLine($post, (int)$index, (int)$type);
            }
        }
    }

    /** @param array<string, mixed> $post the form */
    private function saveLine(array $post, int $index, int $type): void
    {
        $procedure = sqlQuery('SELECT * FROM procedure_type WHERE procedure_type_id = ?', [$type]);
        $seq = sqlQuery('SELECT IFNULL(MAX(procedure_order_seq), 0) + 1 AS next FROM procedure_order_code WHERE procedure_order_id = ?', [$this->id])['next'];
        sqlInsert(
            'INSERT INTO procedure_order_code SET procedure_order_id = ?, diagnoses = ?, procedure_order_title = ?, transport = ?, procedure_code = ?, '
            . 'procedure_name = ?, procedure_type = ?, procedure_order_seq = ?',
            [$this->id, trim($post['form_proc_type_diag'][$index] ?? ''), trim($post['form_proc_order_title'][$index] ?? ''),
                trim($post['form_transport'][$index] ?? ''), $procedure['procedure_code'], $procedure['name'],
                trim(($post['form_procedure_type'][$index] ?? '') ?: ($post['procedure_type_names'] ?? '')), $seq]
        );
        foreach ($this->questions((int)$procedure['lab_id'], $procedure['procedure_code']) as $question) {
            $code = trim($question['question_code']);
            foreach ((array)($post["ans{$index}_$code"] ?? []) as $number => $answer) {
                if ($answer !== '') {
                    sqlStatement('INSERT INTO procedure_answers SET procedure_order_id = ?, procedure_order_seq = ?, question_code = ?, answer_seq = ?, '
                        . 'answer = ?, procedure_code = ?', [$this->id, $seq, $code, $number + 1, trim($answer), $procedure['procedure_code']]);
                }
            }
        }
    }

    /**
     * Checks, makes the message and sends it.
     *
     * @param array<string, mixed> $post the form
     * @return string what kept the message from being made, or ""
     */
    public function transmit(array $post): string
    {
        $lab = (int)($post['form_lab_id'] ?? 0);
        $name = sqlQuery('SELECT name FROM procedure_providers WHERE ppid = ?', [$lab])['name'] ?? '';
        if (preg_match('/quest|labcorp/i', $name)) {
            return "The stand-in has no generator of its own for the lab $name";
        }
        $complaints = $this->complaints($post);
        if ($complaints) {
            $text = date('Y-m-d H:i') . ' ' . xl('Prior Validations Errors') . "\n" . implode("\n", $complaints);
            $this->writeLog($text);
            return $text;
        }
        require_once $GLOBALS['webserver_root'] . '/interface/procedure_tools/gen_universal_hl7/gen_hl7_order.inc.php';
        $hl7 = '';
        $error = gen_hl7_order($this->id, $hl7);
        if ($error !== '') {
            $this->writeLog($error);
            return $error;
        }
        $error = send_hl7_order($lab, $hl7);
        if ($error !== '') {
            $this->writeLog($error);
            return '';
        }
        sqlStatement('UPDATE procedure_order SET date_transmitted = NOW() WHERE procedure_order_id = ?', [$this->id]);
        $this->writeLog("\n" . date('Y-m-d H:i') . ' ' . xl('Order Successfully Sent') . "...\n" . xl('Order HL7 Content') . ":\n$hl7\n");
        return '';
    }

    /**
     * @param array<string, mixed> $post the form
     * @return list<string>
     */
    private function complaints(array $post): array
    {
        $found = [];
        if ((int)($post['form_provider_id'] ?? 0) < 1) {
            $found[] = xl('Ordering Provider is required but not selected!');
        }
        if (!array_filter([...($post['form_proc_type_diag'] ?? []), $post['form_order_diagnosis'] ?? ''])) {
            $found[] = xl('At least one diagnosis is required! Please add a diagnosis for this order.');
        }
        if (($post['form_order_abn'] ?? '') === 'required') {
            $found[] = xl('ABN is required but not signed!');
        }
        if (empty($post['form_date_collected']) && empty($post['form_order_psc'])) {
            $found[] = xl('Specimen Collections date has not been entered and this is not a PSC Hold Order!');
        }
        return $found;
    }

    /** What the transmissions of this order said so far. */
    public function log(): string
    {
        return is_file($this->logFile()) ? file_get_contents($this->logFile()) : '';
    }

    private function logFile(): string
    {
        return $GLOBALS['OE_SITE_DIR'] . "/documents/labs/ammon/logs/{$this->id}_order_log.log";
    }

    private function writeLog(string $text): void
    {
        $folder = dirname($this->logFile());
        if (!is_dir($folder)) {
            mkdir($folder, 0755, true);
        }
        file_put_contents($this->logFile(), $text, FILE_APPEND);
    }
}
