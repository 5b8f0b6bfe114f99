<?php

/**
 * Ends the session.
 */

$_GET['auth'] = 'logout';
$sessionAllowWrite = true;
require_once __DIR__ . '/globals.php';
