<?php

/**
 * The import of result files, under upstream's names (openemr.md §3.4 and §7.5).
 */

declare(strict_types=1);

use OpenEMR\Standin\ResultImport;
use OpenEMR\Standin\ResultPoll;

require_once $GLOBALS['srcdir'] . '/forms.inc.php';

/**
 * Imports what lies in the results folders.
 *
 * @param array<string, mixed> $info in: $info["<lab name>/<ppid>/<file>"]['delete']; out: the same with ['mssgs'], and ['match']
 * @param int|string $labs the provider, 0 for all
 * @return string what is wrong with a folder, or ""
 */
function poll_hl7_results(&$info, $labs = 0): string
{
    return (new ResultPoll())->run($info, (int)$labs);
}

/**
 * Reads one message.
 *
 * @return array{mssgs: list<string>, needmatch: bool, fatal?: true}
 */
function receive_hl7_results(&$hl7, &$matchreq, $lab_id = 0, $direction = 'B', $dryrun = false, $matchresp = null): array
{
    return (new ResultImport((int)$lab_id, (string)$direction, (bool)$dryrun))->read((string)$hl7);
}

function match_lab(&$hl7, $send_acct, $lab_acct = '', $lab_app = '', $lab_npi = ''): bool
{
    return ResultPoll::matches($hl7, (string)$send_acct, (string)$lab_acct, (string)$lab_app, (string)$lab_npi);
}
