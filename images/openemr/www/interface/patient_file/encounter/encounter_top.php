<?php

/**
 * Opens an encounter: `set_encounter`, with `set_pid` or `pid` where it is another patient's.
 */

require_once __DIR__ . '/../../globals.php';
require_once "$srcdir/pid.inc.php";

if (isset($_GET['set_encounter'])) {
    $wanted = $_GET['set_pid'] ?? $_GET['pid'] ?? 0;
    if ($wanted && $wanted != ($_SESSION['pid'] ?? 0)) {
        setpid($wanted);
    }
    setencounter($_GET['set_encounter']);
}
require __DIR__ . '/forms.php';
