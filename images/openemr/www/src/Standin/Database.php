<?php

/**
 * A connection that answers as upstream's ADOdb connection does, as far as pages use it.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use mysqli;
use OpenEMR\Common\Logging\EventAuditLogger;

class Database
{
    public ?mysqli $_connectionID = null;
    public string $database;
    private string $error = '';
    private int $inserted = 0;
    private int $affected = 0;
    /** How deep in StartTrans(), inside which BeginTrans() and CommitTrans() do nothing, and whether all went well there. */
    public int $transOff = 0;
    public bool $_transOK = true;

    public function __construct(string $host, string $login, string $password, string $database, int $port)
    {
        $this->database = $database;
        mysqli_report(MYSQLI_REPORT_OFF);
        $connection = mysqli_init();
        // Only connecting is guarded, with its warning kept as the message.
        if (!@$connection->real_connect($host, $login, $password, $database, $port)) {
            $this->error = (string)mysqli_connect_error();
            return;
        }
        $this->_connectionID = $connection;
        $connection->query("SET NAMES 'utf8mb4'");
        $connection->query("SET sql_mode = ''");
    }

    /** Runs a statement and writes it into the audit log. False where the database refuses it. */
    public function Execute(string $sql, mixed $binds = false): Recordset|false
    {
        $result = $this->ExecuteNoLog($sql, $binds);
        [$inserted, $affected, $error] = [$this->inserted, $this->affected, $this->error];
        EventAuditLogger::instance()->auditSQLEvent($sql, $result !== false, is_array($binds) ? $binds : null);
        [$this->inserted, $this->affected, $this->error] = [$inserted, $affected, $error];
        return $result;
    }

    public function ExecuteNoLog(string $sql, mixed $binds = false): Recordset|false
    {
        $connection = $this->_connectionID;
        // One value may stand without an array, as with ADOdb.
        $values = $binds === false ? [] : array_values((array)$binds);
        $result = $values ? $connection->execute_query($sql, $values) : $connection->query($sql);
        $this->error = $connection->error;
        if ($result === false) {
            $this->_transOK = $this->_transOK && $this->transOff === 0;
            return false;
        }
        $this->inserted = (int)$connection->insert_id;
        $this->affected = (int)$connection->affected_rows;
        return new Recordset($result === true ? [] : $result->fetch_all(MYSQLI_ASSOC));
    }

    /** ADOdb says BEGIN whether or not a transaction is open, so a transaction in another one commits the outer one. */
    public function BeginTrans(): bool
    {
        return $this->transOff > 0 || ($this->_connectionID->autocommit(false) && $this->_connectionID->query('BEGIN'));
    }

    public function CommitTrans(): bool
    {
        return $this->transOff > 0 || ($this->_connectionID->query('COMMIT') && $this->_connectionID->autocommit(true));
    }

    public function RollbackTrans(): bool
    {
        return $this->transOff > 0 || ($this->_connectionID->query('ROLLBACK') && $this->_connectionID->autocommit(true));
    }

    /** ADOdb's "smart" transactions: those inside do nothing, and one statement that fails rolls all of it back. */
    public function StartTrans(): bool
    {
        if ($this->transOff === 0) {
            $this->_transOK = true;
            $this->BeginTrans();
        }
        $this->transOff++;
        return true;
    }

    public function FailTrans(): void
    {
        $this->_transOK = false;
    }

    public function HasFailedTrans(): bool
    {
        return $this->transOff > 0 && !$this->_transOK;
    }

    /** Returns whether it was meant to be committed, not whether it was. */
    public function CompleteTrans($autoComplete = true): bool
    {
        if (--$this->transOff > 0) {
            return true;
        }
        $this->transOff = 0;
        $good = $this->_transOK && $autoComplete;
        $good ? $this->CommitTrans() : $this->RollbackTrans();
        return $good;
    }

    /** The next number of a sequence; encounters and documents share one. On an error ADOdb makes the table, which commits, and tries again. */
    public function GenID(string $sequence): int
    {
        $next = "UPDATE `$sequence` SET id = LAST_INSERT_ID(id + 1)";
        $good = $this->_transOK;
        if ($this->ExecuteNoLog($next) === false) {
            $this->_transOK = $good;
            $this->ExecuteNoLog("CREATE TABLE IF NOT EXISTS `$sequence` (id int not null)");
            $this->ExecuteNoLog($next);
        }
        return $this->inserted;
    }

    public function Insert_ID(): int
    {
        return $this->inserted;
    }

    public function affected_rows(): int
    {
        return $this->affected;
    }

    public function ErrorMsg(): string
    {
        return $this->error;
    }
}
