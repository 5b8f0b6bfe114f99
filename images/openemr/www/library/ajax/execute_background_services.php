<?php

/**
 * Runs the background services that are due (openemr.md §3.5a and §7.6). On the command line the arguments for one service and for force
 * change nothing, since they go into $_GET and $_REQUEST is read.
 */

use OpenEMR\Common\Csrf\CsrfUtils;

if (PHP_SAPI === 'cli' && !isset($_POST['ajax'])) {
    $ignoreAuth = 1;
    $_GET['site'] = $argv[1] ?? 'default';
    if (($argv[2] ?? 'all') !== 'all') {
        $_GET['background_service'] = $argv[2];
    }
    if (($argv[3] ?? '') === '1') {
        $_GET['background_force'] = 1;
    }
    $sessionAllowWrite = true;
    require_once __DIR__ . '/../../interface/globals.php';
} else {
    require_once __DIR__ . '/../../interface/globals.php';
    if (!CsrfUtils::verifyCsrfToken($_POST['csrf_token_form'] ?? '')) {
        CsrfUtils::csrfNotVerified();
    }
}
set_time_limit(0);
ignore_user_abort(true);

function execute_background_service_calls(): void
{
    // The name is for the shutdown function: it frees the service whose function ended the whole program.
    global $service_name;

    $single = $_REQUEST['background_service'] ?? '';
    $force = !empty($_REQUEST['background_force']);
    $services = sqlStatementNoLog('SELECT * FROM background_services WHERE ' . ($force ? '1' : 'execute_interval > 0')
        . ($single === '' ? ' ORDER BY sort_order' : ' AND name = ?'), $single === '' ? false : [$single]);
    while ($service = sqlFetchArray($services)) {
        $service_name = $service['name'];
        if (!$service['active'] || $service['running'] == 1) {
            continue;
        }
        sqlStatementNoLog('UPDATE background_services SET running = 1, next_run = NOW() + INTERVAL ? MINUTE WHERE running < 1 '
            . ($force ? '' : 'AND NOW() > next_run ') . 'AND name = ?', [(int)$service['execute_interval'], $service_name]);
        if (generic_sql_affected_rows() < 1) {
            continue;
        }
        if ($service['require_once']) {
            require_once $GLOBALS['fileroot'] . $service['require_once'];
        }
        if (!function_exists($service['function'])) {
            // `running` stays 1, as upstream: nobody frees it.
            continue;
        }
        try {
            $service['function']();
        } catch (Exception) {
            // Upstream drops exceptions (not errors) of a service and goes on.
        }
        sqlStatementNoLog('UPDATE background_services SET running = 0 WHERE name = ?', [$service_name]);
    }
}

register_shutdown_function(function (): void {
    global $service_name;
    if (isset($service_name)) {
        sqlStatementNoLog('UPDATE background_services SET running = 0 WHERE name = ?', [$service_name]);
    }
});
execute_background_service_calls();
unset($service_name);
