<?php

/**
 * A document of a patient: a row of documents, its category, and a file below documents/<pid>, encrypted where drive_encryption says so.
 */

declare(strict_types=1);

use OpenEMR\Common\Acl\AclMain;
use OpenEMR\Common\Crypto\CryptoGen;
use OpenEMR\Common\Uuid\UuidRegistry;

class Document
{
    /** @var array<string, mixed> */
    private array $row = [];

    public function __construct(private int $id = 0)
    {
        if ($id) {
            $this->row = sqlQuery('SELECT * FROM documents WHERE id = ?', [$id]) ?: [];
        }
    }

    /** Stores; returns what is wrong, or "". */
    public function createDocument($patient_id, $category_id, $filename, $mimetype, &$data): string
    {
        $folder = $GLOBALS['OE_SITE_DIR'] . '/documents/' . (int)$patient_id;
        if (!is_dir($folder) && !mkdir($folder, 0700, true)) {
            return xl('Unable to create patient document subdirectory');
        }
        $uuids = new UuidRegistry();
        $drive = $uuids->createUuid();
        $file = "$folder/" . UuidRegistry::uuidToString($drive);
        $encrypted = (int)!empty($GLOBALS['drive_encryption']);
        if (file_put_contents($file, $encrypted ? (new CryptoGen())->encryptStandard($data, null, 'database') : $data) === false) {
            return xl('Failed to create') . " $file";
        }
        $this->id = generate_id();
        $this->row = [
            'id' => $this->id, 'uuid' => $uuids->createUuid(), 'type' => 'file_url', 'size' => strlen($data), 'date' => date('Y-m-d H:i:s'),
            'url' => "file://$file", 'mimetype' => $mimetype, 'owner' => (int)($_SESSION['authUserID'] ?? 0), 'foreign_id' => (int)$patient_id,
            'docdate' => date('Y-m-d'), 'hash' => hash('sha3-512', $data), 'name' => $filename, 'drive_uuid' => $drive, 'encrypted' => $encrypted,
        ];
        sqlStatement('REPLACE INTO documents SET ' . implode(', ', array_map(fn(string $column): string => "`$column` = ?", array_keys($this->row))), array_values($this->row));
        if ($category_id) {
            sqlStatement('INSERT INTO categories_to_documents SET category_id = ?, document_id = ?', [$category_id, $this->id]);
        }
        return '';
    }

    public function get_id(): int
    {
        return $this->id;
    }

    public function get_name(): string
    {
        return (string)($this->row['name'] ?? '');
    }

    public function get_mimetype(): string
    {
        return (string)($this->row['mimetype'] ?? '');
    }

    public function get_foreign_id(): int
    {
        return (int)($this->row['foreign_id'] ?? 0);
    }

    /** The content, false where row or file is gone. */
    public function get_data(): string|false
    {
        $stored = $this->row && !$this->row['deleted'] ? file_get_contents($this->row['url']) : false;
        return $stored !== false && $this->row['encrypted'] ? (new CryptoGen())->decryptStandard($stored, null, 'database') : $stored;
    }

    /** Whether the user has the right that the category asks for (section|value). */
    public function can_access(): bool
    {
        $rows = sqlStatement('SELECT c.aco_spec FROM categories_to_documents d JOIN categories c ON c.id = d.category_id WHERE d.document_id = ?', [$this->id]);
        while ($row = sqlFetchArray($rows)) {
            [$section, $value] = explode('|', $row['aco_spec']);
            if (!AclMain::aclCheckCore($section, $value)) {
                return false;
            }
        }
        return true;
    }
}
