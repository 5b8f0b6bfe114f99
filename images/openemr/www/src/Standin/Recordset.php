<?php

/**
 * The rows of an answer, read one after the other.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

class Recordset
{
    public bool $EOF;
    /** @var array<string, mixed>|false */
    public array|false $fields;

    /** @param list<array<string, mixed>> $rows */
    public function __construct(private array $rows)
    {
        $this->fields = current($this->rows);
        $this->EOF = $this->fields === false;
    }

    /** @return array<string, mixed>|false */
    public function FetchRow(): array|false
    {
        $row = $this->fields;
        $this->fields = next($this->rows);
        $this->EOF = $this->fields === false;
        return $row;
    }

    public function RecordCount(): int
    {
        return count($this->rows);
    }
}
