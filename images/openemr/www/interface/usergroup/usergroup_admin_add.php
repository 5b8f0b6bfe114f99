<?php

/**
 * The form for a new user. It posts its own patient_menu_role (openemr.md §2).
 */

use OpenEMR\Menu\PatientMenuRole;

require_once __DIR__ . '/../globals.php';
require_once "$srcdir/page.inc.php";

needRight('admin', 'users', 'Add User');
pageStart('Add User');
echo "<form name='new_user' id='new_user' method='post' action='usergroup_admin.php'>" . tokenField() . "<input type='hidden' name='mode' value='new_user'>\n";
foreach (['rumple' => 'Username', 'stiltskin' => 'Password', 'adminPass' => 'Your Password', 'fname' => 'First Name', 'mname' => 'Middle Name', 'lname' => 'Last Name', 'npi' => 'NPI'] as $name => $label) {
    $type = in_array($name, ['stiltskin', 'adminPass'], true) ? 'password' : 'text';
    echo '<p><label>' . xlt($label) . " <input type='$type' name='$name'></label></p>\n";
}
echo "<p><label><input type='checkbox' name='authorized' value='1' /> " . xlt('Provider') . "</label></p>\n<input type='hidden' name='groupname' value='Default' />\n";
echo "<input type='hidden' name='facility_id' value='3' /><input type='hidden' name='see_auth' value='1' /><input type='hidden' name='main_menu_role' value='standard' />\n";
echo '<p>' . xlt('Patient Menu Role') . ' ' . (new PatientMenuRole())->displayMenuRoleSelector('standard') . "</p>\n<p>" . xlt('Access Control') . " <select name='access_group[]' multiple>";
$rows = sqlStatement('SELECT name FROM gacl_aro_groups WHERE parent_id > 0 ORDER BY name');
while ($row = sqlFetchArray($rows)) {
    echo '<option value="' . attr($row['name']) . '">' . text($row['name']) . '</option>';
}
echo "</select></p>\n<button>" . xlt('Save') . "</button></form>\n";
pageEnd();
