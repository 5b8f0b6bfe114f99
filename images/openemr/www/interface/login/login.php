<?php

/**
 * The login page (openemr.md §1.5: name="authUser" is what a health check looks for).
 */

$ignoreAuth = true;
$sessionAllowWrite = true;
require_once __DIR__ . '/../globals.php';

use OpenEMR\Core\Header;

?>
<!DOCTYPE html>
<html>
<head>
<?php Header::setupHeader(); ?>
<title><?php echo text($openemr_name); ?> <?php echo xlt('Login'); ?></title>
</head>
<body>
<h1><?php echo text($openemr_name); ?></h1>
<p class="standin">Stand-in of OpenEMR <?php echo text("$v_major.$v_minor.$v_patch"); ?>: for tests and demonstrations.</p>
<?php
if (!empty($_SESSION['loginfailure'])) {
    echo '<p>' . xlt('Invalid username or password') . "</p>\n";
    unset($_SESSION['loginfailure']);
}
?>
<form method="POST" id="login_form" autocomplete="off" action="../main/main_screen.php?auth=login&site=<?php echo attr_url($_SESSION['site_id']); ?>" target="_top" name="login_form">
<input type="hidden" name="new_login_session_management" value="1">
<input type="hidden" name="languageChoice" value="1">
<p><label><?php echo xlt('Username'); ?> <input type="text" id="authUser" name="authUser"></label></p>
<p><label><?php echo xlt('Password'); ?> <input type="password" id="clearPass" name="clearPass"></label></p>
<p><button id="login-button" type="submit"><?php echo xlt('Login'); ?></button></p>
</form>
</body>
</html>
