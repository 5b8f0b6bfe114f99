<?php

/**
 * How an order message leaves (openemr.md §3.3): as a file in the provider's orders_path, or as a download. Not by SFTP.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use OpenEMR\Common\Logging\EventAuditLogger;

class Transmission
{
    /** Sends; returns what is wrong, or "". The file is written in place, mode 0644, as upstream. */
    public static function send(int $ppid, string $hl7): string
    {
        $provider = sqlQuery('SELECT * FROM procedure_providers WHERE ppid = ?', [$ppid]);
        if (!$provider) {
            return xl('Procedure provider') . " $ppid " . xl('not found');
        }
        $id = explode('|', strtok($hl7, "\r"))[9] ?? '';
        if ($id === '') {
            return xl('Internal error: Cannot find MSH-10');
        }
        $protocol = $provider['protocol'];
        if ($protocol === 'DL' || $provider['orders_path'] === '') {
            header('Content-Type: application/force-download');
            header("Content-Disposition: attachment; filename=order_$id.hl7");
            echo $hl7;
            exit;
        }
        if ($protocol !== 'FS') {
            return $protocol === 'SFTP' ? 'The stand-in of OpenEMR has no SFTP' : xl('This protocol is not implemented') . ": '$protocol'";
        }
        $name = "$provider[orders_path]/$id.txt";
        $file = @fopen($name, 'w');
        if (!$file) {
            return xl('Cannot create file') . " \"$name\"";
        }
        // Upstream does not look whether it could be written, so a full disk leaves an empty file and counts as sent.
        @fwrite($file, $hl7);
        @fclose($file);
        EventAuditLogger::instance()->newEvent('proc_order_xmit', $_SESSION['authUser'], $_SESSION['authProvider'], 1,
            "ID: $id Protocol: $protocol Host: $provider[remote_host]");
        return '';
    }
}
