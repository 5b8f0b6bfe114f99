<?php

/**
 * Sends the browser to the login page, or to the setup where nothing is installed (openemr.md §1.5).
 */

require_once __DIR__ . '/sites/default/sqlconf.php';
header('Location: ' . ($config == 1 ? 'interface/login/login.php' : 'setup.php') . '?site=default');
