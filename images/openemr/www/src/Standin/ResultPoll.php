<?php

/**
 * Goes through the results folders of the providers: which files, whose, kept where, reported how (openemr.md §3.4 and §7.5).
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use OpenEMR\Common\Crypto\CryptoGen;
use RuntimeException;

class ResultPoll
{
    private string $log = '';

    /** @param array<string, mixed> $info as poll_hl7_results() has it */
    public function run(?array &$info, int $only): string
    {
        $info['match'] ??= [];
        $info['select'] ??= [];
        $providers = sqlStatement('SELECT * FROM procedure_providers ORDER BY name');
        while ($provider = sqlFetchArray($providers)) {
            if ($only > 0 && (int)$provider['ppid'] !== $only) {
                continue;
            }
            if ($provider['protocol'] === 'SFTP' || $provider['protocol'] === 'WS') {
                return "The stand-in of OpenEMR has no $provider[protocol]";
            }
            // Its download is the only protocol that has no results.
            $complaint = $provider['protocol'] === 'FS' ? $this->folder($info, $provider) : '';
            if ($complaint !== '') {
                return $complaint;
            }
        }
        return '';
    }

    /**
     * @param array<string, mixed> $info
     * @param array<string, mixed> $provider
     */
    private function folder(array &$info, array $provider): string
    {
        if (isset($info['orphaned_order'])) {
            $provider['direction'] = $info['orphaned_order'];
        }
        $this->log = '';
        $path = $provider['results_path'];
        $npi = strtoupper(trim($provider['npi']));
        $names = @scandir($path);
        if ($names === false) {
            return xl('Unable to access directory for lab npi:') . " $npi";
        }
        $limit = (int)($_REQUEST['form_max_results'] ?? 9999);
        $count = 0;
        foreach (array_filter($names, fn(string $name): bool => $name[0] !== '.') as $name) {
            $key = "$provider[name]/$provider[ppid]/$name";
            $info[$key] ??= [];
            $hl7 = @file_get_contents("$path/$name");
            $count++;
            if (!$hl7) {
                $this->log .= "Result file empty for some reason. #$count: $name\n";
                continue;
            }
            $kept = self::madeFolder('/documents/procedure_results/' . "$provider[ppid]-$provider[npi]");
            $this->keep("$kept/$name", $hl7);
            if (!empty($info[$key]['delete'])) {
                $this->keep("$kept/$name.rejected", $hl7);
                if (!unlink("$path/$name")) {
                    return xl('Cannot delete file') . " \"$path/$name\"";
                }
                continue;
            }
            if (!self::matches($hl7, $provider['send_fac_id'], $provider['recv_fac_id'], $provider['recv_app_id'], $npi)) {
                $this->log .= "No Lab Match File #$count: Account: $provider[send_fac_id]\n";
                continue;
            }
            if ($count > $limit) {
                break;
            }
            $taken = false;
            foreach ([true, false] as $dryrun) {
                $said = (new ResultImport((int)$provider['ppid'], $provider['direction'], $dryrun))->read($hl7);
                $info[$key]['mssgs'] = $said['mssgs'];
                $taken = !$dryrun && empty($said['fatal']);
                if (!empty($said['fatal'])) {
                    break;
                }
            }
            if ($taken) {
                $this->keep("$kept/$name", $hl7);
                if (!unlink("$path/$name")) {
                    return xl('Cannot delete file') . " \"$path/$name\"";
                }
            }
        }
        // One at each run, with or without files.
        file_put_contents(self::madeFolder("/documents/procedure_results/logs/$npi") . '/batchrun_' . date('m-d-y_His') . '.log',
            $this->log . "End of Run Debug Log is:\n" . print_r($info, true) . "\n");
        return '';
    }

    private static function madeFolder(string $path): string
    {
        $folder = $GLOBALS['OE_SITE_DIR'] . $path;
        if (!is_dir($folder) && !mkdir($folder, 0755, true)) {
            throw new RuntimeException("Directory \"$folder\" was not created");
        }
        return $folder;
    }

    private function keep(string $file, string $hl7): void
    {
        $stored = empty($GLOBALS['drive_encryption']) ? $hl7 : (new CryptoGen())->encryptStandard($hl7);
        $this->log .= file_put_contents($file, $stored) === false ? "Couldn't save $file\n" : "Saved $file\n";
    }

    /** MSH-6, MSH-4 or MSH-3 is the provider's; with npi AMMON only MSH-6, and `<it>-` goes from the beginning of fields. */
    public static function matches(string &$hl7, string $account, string $facility, string $application, string $npi): bool
    {
        $same = fn(?string $one, string $other): bool => strtoupper(trim((string)$one)) === strtoupper(trim($other));
        // Fewer than four bytes end the whole run by an exception, as upstream (receive_hl7_results.inc.php, match_lab()).
        $fields = explode(substr($hl7, 3, 1), explode("\r", $hl7)[0]);
        if ($fields[0] !== 'MSH') {
            return false;
        }
        if (strtoupper($npi) === 'AMMON') {
            $hl7 = $same($fields[5] ?? '', $account) ? str_replace('|' . strtoupper(trim($account)) . '-', '|', $hl7) : $hl7;
            return $same($fields[5] ?? '', $account);
        }
        return $same($fields[5] ?? '', $account) || $same($fields[3] ?? '', $facility) || $same($fields[2] ?? '', $application);
    }
}
