<?php

/**
 * The database under upstream's function names. Each statement passes the audit log, except with a name that says NoLog.
 */

declare(strict_types=1);

use OpenEMR\Standin\Database;

require_once $GLOBALS['OE_SITE_DIR'] . '/sqlconf.php';

$GLOBALS['adodb']['db'] = new Database((string)$host, (string)$login, (string)$pass, (string)$dbase, (int)$port);
$GLOBALS['dbh'] = $GLOBALS['adodb']['db']->_connectionID;
if (!$GLOBALS['dbh']) {
    // openemr.md §1.5: said with 200.
    HelpfulDie('Could not connect to server!', $GLOBALS['adodb']['db']->ErrorMsg());
}

function sqlStatement($statement, $binds = false)
{
    $recordset = $GLOBALS['adodb']['db']->Execute($statement, $binds);
    return $recordset === false ? HelpfulDie("query failed: $statement", getSqlLastError()) : $recordset;
}

function sqlStatementNoLog($statement, $binds = false, $throw_exception_on_error = false)
{
    $recordset = $GLOBALS['adodb']['db']->ExecuteNoLog($statement, $binds);
    if ($recordset === false && $throw_exception_on_error) {
        throw new RuntimeException('Failed to execute statement. Error: ' . getSqlLastError() . " Statement: $statement");
    }
    return $recordset === false ? HelpfulDie("query failed: $statement", getSqlLastError()) : $recordset;
}

function sqlStatementThrowException($statement, $binds = false)
{
    $recordset = $GLOBALS['adodb']['db']->Execute($statement, $binds);
    if ($recordset === false) {
        throw new RuntimeException('Failed to execute statement. Error: ' . getSqlLastError() . " Statement: $statement");
    }
    return $recordset;
}

function sqlFetchArray($r)
{
    return is_object($r) ? $r->FetchRow() : false;
}

function sqlQuery($statement, $binds = false)
{
    return sqlFetchArray(sqlStatement($statement, $binds));
}

function sqlQueryNoLog($statement, $binds = false, $throw_exception_on_error = false)
{
    return sqlFetchArray(sqlStatementNoLog($statement, $binds, $throw_exception_on_error));
}

function privQuery($statement, $binds = false)
{
    return sqlQueryNoLog($statement, $binds);
}

function sqlInsert($statement, $binds = false)
{
    if ($GLOBALS['adodb']['db']->Execute($statement, $binds) === false) {
        HelpfulDie("insert failed: $statement", getSqlLastError());
    }
    return $GLOBALS['adodb']['db']->Insert_ID();
}

function sqlNumRows($r)
{
    return $r->RecordCount();
}

function sqlListFields($table)
{
    $rows = sqlStatementNoLog('SHOW COLUMNS FROM ' . escape_table_name($table));
    $names = [];
    while ($row = sqlFetchArray($rows)) {
        $names[] = $row['Field'];
    }
    return $names;
}

function sqlBeginTrans()
{
    $GLOBALS['adodb']['db']->BeginTrans();
}

function sqlCommitTrans($ok = true)
{
    $GLOBALS['adodb']['db']->CommitTrans();
}

function sqlRollbackTrans()
{
    $GLOBALS['adodb']['db']->RollbackTrans();
}

function generate_id()
{
    return $GLOBALS['adodb']['db']->GenID('sequences');
}

function generic_sql_affected_rows()
{
    return $GLOBALS['adodb']['db']->affected_rows();
}

function sqlGetLastInsertId()
{
    return $GLOBALS['adodb']['db']->Insert_ID();
}

function getSqlLastError()
{
    return $GLOBALS['adodb']['db']->ErrorMsg();
}

function get_db()
{
    return $GLOBALS['adodb']['db'];
}

/** Ends the page on an error of the database, with 200 as upstream does (openemr.md §1.5). */
function HelpfulDie($statement, $sqlerr = '')
{
    echo "<h2><font color='red'>" . xlt('Query Error') . '</font></h2>';
    if (empty($GLOBALS['sql_string_no_show_screen'])) {
        echo "<p><font color='red'>ERROR:</font> " . text($statement) . "</p><p>Error: <font color='red'>" . text($sqlerr) . '</font></p>';
    }
    error_log(errorLogEscape("SQL Error with statement:$statement--$sqlerr"));
    exit;
}
