<?php

/**
 * The login check of a page: who is not logged in gets 200 with a script that opens the login page (openemr.md §7.1).
 */

use OpenEMR\Common\Auth\AuthUtils;
use OpenEMR\Common\Logging\EventAuditLogger;
use OpenEMR\Common\Session\SessionUtil;

if (($_GET['auth'] ?? '') === 'login' && isset($_POST['new_login_session_management'], $_POST['authUser'], $_POST['clearPass'])) {
    if (!(new AuthUtils('login'))->confirmPassword($_POST['authUser'], $_POST['clearPass'])) {
        $_SESSION['loginfailure'] = 1;
        authLoginScreen();
    }
    unset($_SESSION['loginfailure']);
} elseif (($_GET['auth'] ?? '') === 'logout') {
    if (!empty($_SESSION['authUser'])) {
        EventAuditLogger::instance()->newEvent('logout', $_SESSION['authUser'], $_SESSION['authProvider'], 1, 'success');
    }
    SessionUtil::coreSessionDestroy();
    authLoginScreen();
} elseif (!AuthUtils::authCheckSession()) {
    EventAuditLogger::instance()->newEvent('logout', $_SESSION['authUser'] ?? '', $_SESSION['authProvider'] ?? '', 0,
        'authCheckSession() check failed, so force logout');
    authLoginScreen();
}

function authLoginScreen(): never
{
    echo "<script>\n top.location.href = " . js_escape($GLOBALS['login_screen'] . '?error=1&site=' . ($_SESSION['site_id'] ?? '')) . ";\n</script>\n";
    exit;
}
