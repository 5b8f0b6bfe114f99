<?php

/**
 * What every page begins with: session, site, settings, database, login check. Reads $ignoreAuth and $sessionAllowWrite of the page
 * and $_GET['site'], leaves upstream's variables ($srcdir, $rootdir, $pid, $encounter …) and $GLOBALS (openemr.md §3.5b).
 */

use OpenEMR\Common\Session\SessionUtil;

$webserver_root = dirname(__DIR__);
$web_root = '';
$ignoreAuth ??= false;
$GLOBALS['vendor_dir'] = "$webserver_root/vendor";
require_once $GLOBALS['vendor_dir'] . '/autoload.php';

if (session_status() === PHP_SESSION_NONE) {
    SessionUtil::coreSessionStart($web_root, empty($sessionAllowWrite));
}

$GLOBALS['OE_SITES_BASE'] = "$webserver_root/sites";
if (empty($_SESSION['site_id']) || !empty($_GET['site'])) {
    $site = $_GET['site'] ?? '';
    if ($site === '') {
        if (!$ignoreAuth) {
            die('Site ID is missing from session data!');
        }
        $site = 'default';
    }
    if (preg_match('/[^A-Za-z0-9\\-.]/', $site) || !is_file($GLOBALS['OE_SITES_BASE'] . "/$site/sqlconf.php")) {
        die('Invalid URL');
    }
    $_SESSION['site_id'] = $site;
}

$GLOBALS['OE_SITE_DIR'] = $GLOBALS['OE_SITES_BASE'] . '/' . $_SESSION['site_id'];
$GLOBALS['OE_SITE_WEBROOT'] = '/sites/' . $_SESSION['site_id'];
$OE_SITE_DIR = $GLOBALS['OE_SITE_DIR'];
$GLOBALS['rootdir'] = $rootdir = '/interface';
$GLOBALS['srcdir'] = $srcdir = "$webserver_root/library";
$GLOBALS['fileroot'] = $webserver_root;
$GLOBALS['incdir'] = $GLOBALS['include_root'] = $include_root = "$webserver_root/interface";
$GLOBALS['webserver_root'] = $webserver_root;
$GLOBALS['webroot'] = $GLOBALS['web_root'] = $web_root;
$GLOBALS['login_screen'] = $login_screen = "$rootdir/login_screen.php";
$GLOBALS['temporary_files_dir'] = sys_get_temp_dir();

require_once "$webserver_root/library/sql.inc.php";
require_once "$webserver_root/version.php";
mb_internal_encoding('UTF-8');

$rows = sqlStatementNoLog('SELECT gl_name, gl_value FROM globals ORDER BY gl_name, gl_index');
while ($row = sqlFetchArray($rows)) {
    if ($row['gl_name'] === 'gbl_time_zone') {
        if ($row['gl_value']) {
            date_default_timezone_set($row['gl_value']);
        }
        sqlStatementNoLog('SET time_zone = ?', [(new DateTime())->format('P')]);
    }
    $GLOBALS[$row['gl_name']] = $row['gl_value'];
}
unset($rows, $row, $site);
$openemr_name = $GLOBALS['openemr_name'];
$css_header = $GLOBALS['css_header'];
require_once $GLOBALS['OE_SITE_DIR'] . '/config.php';
$GLOBALS['site_addr_oath'] = $GLOBALS['site_addr_oath'] ?: 'https://' . ($_SERVER['HTTP_X_FORWARDED_HOST'] ?? $_SERVER['HTTP_HOST'] ?? 'localhost');

if (!$ignoreAuth) {
    require_once "$srcdir/auth.inc.php";
}

foreach ([$_GET['pid'] ?? '', $_POST['pid'] ?? ''] as $given) {
    if ($given && empty($_SESSION['pid'])) {
        SessionUtil::setSession('pid', $given);
    }
}
$pid = $_SESSION['pid'] ?? 0 ?: 0;
$encounter = $_SESSION['encounter'] ?? 0 ?: 0;
$userauthorized = $_SESSION['userauthorized'] ?? 0 ?: 0;
$groupname = $_SESSION['authProvider'] ?? 0 ?: 0;
$attendant_type = 'pid';
unset($given);
