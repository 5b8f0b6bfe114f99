<?php

/**
 * The users; `mode=new_user` makes one: row, login, group and rights.
 */

use OpenEMR\Common\Auth\AuthUtils;
use OpenEMR\Common\Uuid\UuidRegistry;

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";

needRight('admin', 'users', 'User / Groups');
$message = '';

/** Puts a user into the groups of these names. */
function giveRights(string $user, string $name, array $groups): void
{
    sqlStatement('UPDATE gacl_aro_seq SET id = id + 1');
    $id = sqlQuery('SELECT id FROM gacl_aro_seq')['id'];
    sqlStatement("INSERT INTO gacl_aro SET id = ?, section_value = 'users', value = ?, order_value = 10, name = ?", [$id, $user, $name]);
    foreach ($groups as $group) {
        sqlStatement('INSERT INTO gacl_groups_aro_map (group_id, aro_id) SELECT id, ? FROM gacl_aro_groups WHERE name = ?', [$id, $group]);
    }
}

if (!empty($_POST)) {
    needToken();
    if (($_POST['mode'] ?? '') !== 'new_user') {
        require "$webserver_root/not_there.php";
    }
    $post = fn(string $name): string => "'" . add_escape_custom(trim($_POST[$name] ?? '')) . "'";
    $user = trim($_POST['rumple'] ?? '');
    if (sqlQuery('select username from users where username = ?', [$user])) {
        $message = xl('User') . " $user " . xl('already exists.');
    } else {
        $sql = "insert into users set username = {$post('rumple')}, password = 'NoLongerUsed'";
        foreach (['fname', 'mname', 'lname', 'suffix', 'main_menu_role', 'patient_menu_role', 'authorized', 'npi', 'taxonomy', 'facility_id', 'specialty', 'see_auth'] as $column) {
            $sql .= isset($_POST[$column]) || $column === 'patient_menu_role' || $column === 'main_menu_role' ? ", $column = {$post($column)}" : '';
        }
        $auth = new AuthUtils();
        if ($auth->updatePassword($_SESSION['authUserID'], 0, $_POST['adminPass'], $_POST['stiltskin'], true, $sql, $user)) {
            sqlStatement('UPDATE users SET uuid = ? WHERE username = ?', [(new UuidRegistry())->createUuid(), $user]);
            sqlStatement('insert into `groups` set name = ?, user = ?', [trim($_POST['groupname'] ?? ''), $user]);
            giveRights($user, trim(($_POST['fname'] ?? '') . ' ' . ($_POST['lname'] ?? '')), $_POST['access_group'] ?? []);
        }
        $message = $auth->getErrorMessage();
    }
}
pageStart('User / Groups');
echo $message === '' ? '' : '<p id="alertmsg">' . text($message) . "</p>\n";
echo '<p><a href="usergroup_admin_add.php">' . xlt('Add User') . "</a></p>\n<table>\n";
$rows = sqlStatement("SELECT * FROM users WHERE username <> '' AND active = 1 ORDER BY username");
while ($row = sqlFetchArray($rows)) {
    echo '<tr><td>' . text($row['username']) . '</td><td>' . text("$row[fname] $row[lname]") . '</td><td>' . text($row['patient_menu_role']) . "</td></tr>\n";
}
echo "</table>\n";
pageEnd();
