<?php

/**
 * The universal generator, of the order form: openemr.md §3.2. Both files have the same functions, a page takes one of them.
 */

declare(strict_types=1);

use OpenEMR\Standin\OrderMessage;
use OpenEMR\Standin\Transmission;

function gen_hl7_order($orderid, &$out): string
{
    $out = '';
    return (new OrderMessage((int)$orderid, true))->make($out);
}

function send_hl7_order($ppid, $out): string
{
    return Transmission::send((int)$ppid, $out);
}
