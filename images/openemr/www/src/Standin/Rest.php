<?php

/**
 * The resources of the REST interface (openemr.md §4): answers have validationErrors, internalErrors, data and links.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use Document;
use OpenEMR\Common\Acl\AclMain;
use OpenEMR\Common\Logging\EventAuditLogger;
use OpenEMR\Common\Uuid\UuidRegistry;

class Rest
{
    private string $resource = '';
    private int $pid = 0;

    /** @param list<string> $scopes */
    public function __construct(private array $scopes)
    {
    }

    /** @param list<string> $path below /apis/default/api */
    public function answer(string $method, array $path): never
    {
        $this->resource = implode('/', $path);
        [$what, $patient, $part, $id] = array_pad($path, 4, '');
        if ($what !== 'patient' || count($path) > 4) {
            require dirname(__DIR__, 2) . '/not_there.php';
        }
        match ("$method $part" . ($patient === '' ? '*' : '') . ($id === '' ? '' : '+')) {
            'GET *' => $this->patients(),
            'POST *' => $this->postPatient(),
            'GET ' => $this->reply(200, $this->patient($patient, 'read')),
            'PUT ' => $this->putPatient($patient),
            'GET encounter' => $this->encounters($patient),
            'GET encounter+' => $this->getEncounter($patient, $id),
            'POST encounter' => $this->postEncounter($patient),
            'PUT encounter+' => $this->putEncounter($patient, $id),
            'GET document' => $this->documents((int)$patient),
            'POST document' => $this->postDocument((int)$patient),
            'GET document+' => $this->getDocument((int)$patient, (int)$id),
            default => require dirname(__DIR__, 2) . '/not_there.php',
        };
        exit;
    }

    /** Ends with 401 and an empty body where scope or right is missing. */
    private function allow(string $resource, string $permission, string $section, string $value): void
    {
        $write = $permission === 'write' && $section === 'patients' ? ['write', 'addonly'] : '';
        if (!in_array("user/$resource.$permission", $this->scopes, true) || !AclMain::aclCheckCore($section, $value, '', $write)) {
            http_response_code(401);
            exit;
        }
    }

    private function reply(int $status, mixed $data): never
    {
        $this->raw($status, ['validationErrors' => [], 'internalErrors' => [], 'data' => $data, 'links' => []]);
    }

    private function raw(int $status, mixed $body): never
    {
        $option = (int)$GLOBALS['api_log_option'];
        if ($option) {
            EventAuditLogger::instance()->recordLogItem(1, 'api', $_SESSION['authUser'], $_SESSION['authProvider'], 'api log', $this->pid ?: null, 'api', 'open-emr', [
                'user_id' => $_SESSION['authUserID'], 'patient_id' => $this->pid, 'ip_address' => $_SERVER['REMOTE_ADDR'] ?? '', 'method' => $_SERVER['REQUEST_METHOD'],
                'request' => "/api/$this->resource", 'request_url' => $_SERVER['REQUEST_URI'],
                'request_body' => $option > 1 ? (string)file_get_contents('php://input') : '', 'response' => $option > 1 ? json_encode($body) : '',
            ]);
        }
        Json::answer($status, $body);
    }

    /** @param array<string, array<string, string>> $errors */
    private function invalid(array $errors): never
    {
        $this->raw(400, ['validationErrors' => $errors, 'internalErrors' => [], 'data' => [], 'links' => []]);
    }

    /**
     * @param array<string, mixed> $row
     * @return array<string, mixed>
     */
    private static function shown(array $row): array
    {
        return array_merge($row, $row['uuid'] === null ? [] : ['uuid' => UuidRegistry::uuidToString($row['uuid'])]);
    }

    private function patients(): never
    {
        $this->allow('patient', 'read', 'patients', 'demo');
        $exact = ['ss', 'phone_home', 'phone_biz', 'phone_cell', 'sex', 'country_code', 'email', 'DOB'];
        $where = '1';
        $binds = [];
        foreach (array_intersect_key($_GET, array_flip([...$exact, 'fname', 'lname', 'street', 'city', 'state', 'postal_code'])) as $column => $value) {
            $where .= " AND `$column` LIKE ?";
            $binds[] = in_array($column, $exact, true) ? $value : "%$value%";
        }
        $rows = sqlStatement("SELECT * FROM patient_data WHERE $where ORDER BY pid", $binds ?: false);
        $found = [];
        while ($row = sqlFetchArray($rows)) {
            $found[] = self::shown($row);
        }
        $this->reply(200, $found);
    }

    /** @return array<string, mixed> the patient with this UUID; another is answered with 404 */
    private function patient(string $uuid, string $permission, string $resource = 'patient', string $section = 'patients', string $value = 'demo'): array
    {
        $this->allow($resource, $permission, $section, $value);
        $row = sqlQuery('SELECT * FROM patient_data WHERE uuid = ?', [UuidRegistry::uuidToBytes($uuid)]);
        if (!$row) {
            $permission === 'read' ? $this->reply(404, []) : $this->invalid(['uuid' => ['InvalidValue' => "UUID $uuid does not exist"]]);
        }
        $this->pid = (int)$row['pid'];
        return self::shown($row);
    }

    /**
     * @param array<string, mixed> $data
     * @return array<string, array<string, string>>
     */
    private static function wrong(array $data, bool $new): array
    {
        $wrong = [];
        foreach (['fname' => [1, 'First Name'], 'lname' => [2, 'Last Name'], 'sex' => [4, 'Gender'], 'DOB' => [10, 'Date of Birth']] as $name => [$length, $label]) {
            if (!isset($data[$name])) {
                $wrong += $new ? [$name => ['Required::NON_EXISTENT_KEY' => "$label must be provided, but does not exist"]] : [];
            } elseif (mb_strlen((string)$data[$name]) < $length) {
                $wrong[$name] = ['LengthBetween::TOO_SHORT' => "$label must be $length characters or longer"];
            } elseif ($name === 'DOB' && !preg_match('/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/', $data[$name])) {
                $wrong[$name] = ['Datetime::INVALID_VALUE' => "$label must be a valid date"];
            }
        }
        return $wrong;
    }

    /**
     * @param array<string, mixed> $data
     * @return array{string, list<mixed>} the assignments of those that are columns, with their values
     */
    private static function sets(string $table, array $data): array
    {
        $columns = array_intersect_key($data, array_flip(sqlListFields($table)));
        unset($columns['id']);
        return [implode(', ', array_map(fn(string $name): string => "`$name` = ?", array_keys($columns))), array_values($columns)];
    }

    /** The next pid is one more than the highest: a freed one is used again (openemr.md §7.8). */
    private function postPatient(): never
    {
        $this->allow('patient', 'write', 'patients', 'demo');
        $data = Json::body();
        if ($wrong = self::wrong($data, true)) {
            $this->invalid($wrong);
        }
        $this->pid = (int)sqlQuery('SELECT IFNULL(MAX(pid), 0) + 1 AS pid FROM patient_data')['pid'];
        $uuid = (new UuidRegistry())->createUuid();
        $now = date('Y-m-d H:i:s');
        $own = ['pid' => $this->pid, 'uuid' => $uuid, 'date' => $now, 'regdate' => $now, 'created_by' => $_SESSION['authUserID'], 'updated_by' => $_SESSION['authUserID'],
            'pubpid' => ($data['pubpid'] ?? '') ?: $this->pid];
        [$sets, $values] = self::sets('patient_data', $own + $data);
        sqlInsert("INSERT INTO patient_data SET $sets", $values);
        $this->reply(201, ['pid' => $this->pid, 'uuid' => UuidRegistry::uuidToString($uuid)]);
    }

    private function putPatient(string $uuid): never
    {
        $this->patient($uuid, 'write');
        $data = Json::body();
        if ($wrong = self::wrong($data, false)) {
            $this->invalid($wrong);
        }
        unset($data['uuid'], $data['pid']);
        [$sets, $values] = self::sets('patient_data', ['date' => date('Y-m-d H:i:s')] + $data);
        sqlStatement("UPDATE patient_data SET $sets WHERE pid = ?", [...$values, $this->pid]);
        $this->reply(200, self::shown(sqlQuery('SELECT * FROM patient_data WHERE pid = ?', [$this->pid])));
    }

    /**
     * @param array<string, mixed> $row
     * @return array<string, mixed>
     */
    private static function visit(array $row): array
    {
        return ['eid' => $row['encounter'], 'euuid' => UuidRegistry::uuidToString($row['uuid'])] + self::shown($row);
    }

    private function encounters(string $patient): never
    {
        $this->patient($patient, 'read', 'encounter', 'encounters', 'auth_a');
        $rows = sqlStatement('SELECT * FROM form_encounter WHERE pid = ? ORDER BY encounter', [$this->pid]);
        $found = [];
        while ($row = sqlFetchArray($rows)) {
            $found[] = self::visit($row);
        }
        $this->reply($found ? 200 : 404, $found);
    }

    private function getEncounter(string $patient, string $id): never
    {
        $this->patient($patient, 'read', 'encounter', 'encounters', 'auth_a');
        $row = sqlQuery('SELECT * FROM form_encounter WHERE pid = ? AND uuid = ?', [$this->pid, UuidRegistry::uuidToBytes($id)]);
        $this->reply($row ? 200 : 404, $row ? self::visit($row) : []);
    }

    private function postEncounter(string $patient): never
    {
        $this->patient($patient, 'write', 'encounter', 'encounters', 'auth_a');
        $data = Json::body();
        foreach (['pc_catid', 'class_code'] as $name) {
            if (!isset($data[$name])) {
                $this->invalid([$name => ['Required::NON_EXISTENT_KEY' => "$name must be provided, but does not exist"]]);
            }
        }
        if (!sqlQuery("SELECT 1 FROM list_options WHERE list_id = '_ActEncounterCode' AND option_id = ?", [$data['class_code']])) {
            $this->invalid(['class_code' => ['InvalidValue' => "$data[class_code] is not a valid code"]]);
        }
        $encounter = generate_id();
        $own = ['encounter' => $encounter, 'uuid' => (new UuidRegistry())->createUuid(), 'pid' => $this->pid, 'date' => ($data['date'] ?? '') ?: date('Y-m-d')];
        [$sets, $values] = self::sets('form_encounter', $own + $data);
        $id = sqlInsert("INSERT INTO form_encounter SET $sets", $values);
        require_once $GLOBALS['srcdir'] . '/forms.inc.php';
        addForm($encounter, 'New Patient Encounter', $id, 'newpatient', $this->pid, $data['provider_id'] ?? null, $own['date']);
        $this->reply(201, self::visit(sqlQuery('SELECT * FROM form_encounter WHERE id = ?', [$id])));
    }

    private function putEncounter(string $patient, string $id): never
    {
        $this->patient($patient, 'write', 'encounter', 'encounters', 'auth_a');
        $data = Json::body();
        $row = sqlQuery('SELECT * FROM form_encounter WHERE pid = ? AND uuid = ?', [$this->pid, UuidRegistry::uuidToBytes($id)]);
        if (!$row || empty($data['user']) || empty($data['group'])) {
            $this->invalid([$row ? 'user' : 'euuid' => ['InvalidValue' => $row ? 'user and group must be provided' : "$id does not exist"]]);
        }
        unset($data['uuid'], $data['pid'], $data['encounter']);
        [$sets, $values] = self::sets('form_encounter', $data);
        sqlStatement("UPDATE form_encounter SET $sets WHERE id = ?", [...$values, $row['id']]);
        $this->reply(200, self::visit(sqlQuery('SELECT * FROM form_encounter WHERE id = ?', [$row['id']])));
    }

    /** The category at a path like /Lab_Report, 0 where there is none. */
    private static function category(): int
    {
        $id = 1;
        foreach (array_filter(explode('/', (string)($_GET['path'] ?? ''))) as $name) {
            $row = sqlQuery("SELECT id FROM categories WHERE parent = ? AND REPLACE(LOWER(name), ' ', '_') = ?", [$id, strtolower($name)]);
            $id = (int)($row['id'] ?? 0);
        }
        return $id;
    }

    private function documents(int $pid): never
    {
        $this->allow('document', 'read', 'patients', 'docs');
        $this->pid = $pid;
        $rows = sqlStatement('SELECT d.id, d.name AS filename, d.mimetype, d.docdate FROM documents d JOIN categories_to_documents m ON m.document_id = d.id '
            . 'WHERE d.foreign_id = ? AND m.category_id = ? AND d.deleted = 0 ORDER BY d.id', [$pid, self::category()]);
        $found = [];
        while ($row = sqlFetchArray($rows)) {
            $found[] = $row;
        }
        $this->raw($found ? 200 : 404, $found ?: null);
    }

    /** An unknown category is no error: the document is then in none (openemr.md §7.9). */
    private function postDocument(int $pid): never
    {
        $this->allow('document', 'write', 'patients', 'docs');
        $this->pid = $pid;
        $file = $_FILES['document'] ?? [];
        $data = ($file['error'] ?? 1) === UPLOAD_ERR_OK ? (string)file_get_contents($file['tmp_name']) : '';
        if ($data === '') {
            $this->raw(404, null);
        }
        $complaint = (new Document())->createDocument($pid, self::category(), $file['name'], mime_content_type($file['tmp_name']), $data);
        $this->raw($complaint === '' ? 200 : 404, $complaint === '' ? true : null);
    }

    private function getDocument(int $pid, int $id): never
    {
        $this->allow('document', 'read', 'patients', 'docs');
        $document = new Document($id);
        $data = $document->get_foreign_id() === $pid ? $document->get_data() : false;
        if ($data === false) {
            http_response_code(400);
            exit;
        }
        header('Content-Type: ' . $document->get_mimetype());
        header('Content-Disposition: attachment; filename=' . $document->get_name());
        echo $data;
        exit;
    }
}
