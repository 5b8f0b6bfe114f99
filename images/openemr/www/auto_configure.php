<?php

/**
 * Installs: makes database and user as root, loads the tables, writes sqlconf.php, then settings, first user and rights, in upstream's order
 * (openemr.md §1.2, §5 and §7.1). Each argument is parted at every "=", only the second piece counts. Ends with 255 on an error.
 */

declare(strict_types=1);

use OpenEMR\Common\Auth\AuthHash;
use OpenEMR\Standin\Installation;

require __DIR__ . '/vendor/autoload.php';

$settings = ['iuser' => 'admin', 'iuserpass' => 'pass', 'server' => 'localhost', 'loginhost' => 'localhost', 'port' => '3306', 'root' => 'root',
    'rootpass' => '', 'login' => 'openemr', 'pass' => 'openemr', 'dbname' => 'openemr'];
foreach (array_slice($_SERVER['argv'], 1) as $argument) {
    $pieces = explode('=', $argument);
    $settings[$pieces[0]] = ($pieces[1] ?? '') === 'BLANK' ? '' : $pieces[1] ?? '';
}
try {
    (new Installation(...array_intersect_key($settings, array_flip(['iuser', 'iuserpass', 'server', 'loginhost', 'port', 'root', 'rootpass',
        'login', 'pass', 'dbname']))))->run(new AuthHash());
} catch (Throwable $error) {
    fwrite(STDERR, 'ERROR: ' . $error->getMessage() . "\n");
    exit(255);
}
