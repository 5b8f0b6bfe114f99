<?php

/**
 * Takes the login: 302 to the main frame with a token, 200 without Location when it is refused (openemr.md §7.1).
 */

use OpenEMR\Common\Csrf\CsrfUtils;

$sessionAllowWrite = true;
require_once __DIR__ . '/../globals.php';

CsrfUtils::setupCsrfKey();
$_SESSION['encounter'] = '';
$_SESSION['token_main_php'] = bin2hex(random_bytes(20));
header('Location: ' . $web_root . '/interface/main/tabs/main.php?token_main=' . urlencode($_SESSION['token_main_php']));
