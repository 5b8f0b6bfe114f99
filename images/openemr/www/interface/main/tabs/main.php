<?php

/**
 * The main frame: a bar, and the page that is open. Calls the background services each minute as upstream's does (openemr.md §3.5a).
 */

use OpenEMR\Common\Csrf\CsrfUtils;
use OpenEMR\Common\Session\SessionUtil;
use OpenEMR\Core\Header;

$sessionAllowWrite = true;
require_once __DIR__ . '/../../globals.php';

if (empty($_SESSION['token_main_php']) || ($_GET['token_main'] ?? '') !== $_SESSION['token_main_php']) {
    // The token is good for one call.
    SessionUtil::coreSessionDestroy();
    authLoginScreen();
}
unset($_SESSION['token_main_php']);
?>
<!DOCTYPE html>
<html>
<head>
<?php Header::setupHeader(); ?>
<title><?php echo text($openemr_name); ?></title>
<script>
var webroot_url = <?php echo js_escape($web_root); ?>;
function goRepeaterServices() {
    fetch(webroot_url + "/library/ajax/execute_background_services.php", {
        method: "POST",
        body: new URLSearchParams({skip_timeout_reset: "1", ajax: "1", csrf_token_form: <?php echo js_escape(CsrfUtils::collectCsrfToken()); ?>})
    });
    setTimeout(goRepeaterServices, 60000);
}
setTimeout(goRepeaterServices, 60000);
</script>
</head>
<body>
<p><b><?php echo text($openemr_name); ?></b> <?php echo text($_SESSION['authUser']); ?>
 | <a target="pat" href="../finder/dynamic_finder.php"><?php echo xlt('Patient Finder'); ?></a>
 | <a target="pat" href="../../orders/list_reports.php"><?php echo xlt('Electronic Reports'); ?></a>
 | <a target="pat" href="../../patient_file/merge_patients.php"><?php echo xlt('Merge Patients'); ?></a>
 | <a target="pat" href="../../usergroup/usergroup_admin.php"><?php echo xlt('Users'); ?></a>
 | <a href="../../logout.php"><?php echo xlt('Logout'); ?></a></p>
<iframe name="pat" id="pat" src="../finder/dynamic_finder.php"></iframe>
</body>
</html>
