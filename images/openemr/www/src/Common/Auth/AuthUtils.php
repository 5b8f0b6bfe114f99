<?php

/**
 * Logins and passwords (openemr.md §5 and §7.7).
 */

declare(strict_types=1);

namespace OpenEMR\Common\Auth;

use OpenEMR\Common\Logging\EventAuditLogger;
use OpenEMR\Common\Session\SessionUtil;

class AuthUtils
{
    private string $error = '';

    public function __construct(private string $mode = '')
    {
    }

    public function getErrorMessage(): string
    {
        return $this->error;
    }

    /** Checks a login; in mode `login` the session becomes the user's. */
    public function confirmPassword($username, &$password): bool
    {
        $user = sqlQueryNoLog(
            'SELECT u.id, u.username, u.authorized, u.see_auth, s.password, s.login_fail_counter, g.name AS groupname FROM users u '
            . 'JOIN users_secure s ON s.id = u.id AND BINARY s.username = u.username LEFT JOIN `groups` g ON g.user = u.username '
            . "WHERE BINARY u.username = ? AND u.active = 1 AND u.username <> '' AND EXISTS (SELECT 1 FROM gacl_aro a "
            . "JOIN gacl_groups_aro_map m ON m.aro_id = a.id WHERE a.section_value = 'users' AND a.value = u.username)",
            [$username]
        );
        $limit = (int)($GLOBALS['password_max_failed_logins'] ?? 0);
        $blocked = $user && $limit && $user['login_fail_counter'] >= $limit;
        if (!$user || $blocked || !$user['groupname'] || !AuthHash::passwordVerify($password, (string)$user['password'])) {
            EventAuditLogger::instance()->newEvent('login', $username, $user['groupname'] ?? '', 0, 'failure: ' . ($_SERVER['REMOTE_ADDR'] ?? ''));
            if ($user) {
                sqlStatementNoLog('UPDATE users_secure SET login_fail_counter = login_fail_counter + 1, last_login_fail = NOW(), '
                    . 'total_login_fail_counter = total_login_fail_counter + 1 WHERE id = ?', [$user['id']]);
            }
            return false;
        }
        sqlStatementNoLog('UPDATE users_secure SET login_fail_counter = 0 WHERE id = ?', [$user['id']]);
        if ($this->mode === 'login') {
            session_regenerate_id(true);
            SessionUtil::setSession([
                'authUser' => $user['username'], 'authUserID' => $user['id'], 'authPass' => $user['password'],
                'authProvider' => $user['groupname'], 'userauthorized' => $user['authorized'],
            ]);
        }
        EventAuditLogger::instance()->newEvent('login', $user['username'], $user['groupname'], 1, 'success: ' . ($_SERVER['REMOTE_ADDR'] ?? ''));
        return true;
    }

    /** Whether the session is of a user who may still log in with the same password. */
    public static function authCheckSession(): bool
    {
        if (empty($_SESSION['authUserID']) || empty($_SESSION['authUser']) || empty($_SESSION['authPass'])) {
            return false;
        }
        $row = sqlQueryNoLog('SELECT s.password FROM users u JOIN users_secure s ON s.id = u.id WHERE u.id = ? AND u.active = 1 AND u.username = ?',
            [$_SESSION['authUserID'], $_SESSION['authUser']]);
        return $row && hash_equals($_SESSION['authPass'], $row['password']);
    }

    /** Changes a password, or with `$create` makes a user with it. The first password is that of who asks for it. */
    public function updatePassword($activeUser, $targetUser, &$currentPwd, &$newPwd, $create = false, $insert_sql = '', $new_username = null): bool
    {
        $active = sqlQueryNoLog('SELECT * FROM users_secure WHERE id = ?', [$activeUser]);
        if (!$active || !AuthHash::passwordVerify($currentPwd, $active['password'])) {
            $this->error = xl('Incorrect password!');
            return false;
        }
        if (($this->error = $this->weakness((string)$newPwd)) !== '') {
            return false;
        }
        $hash = (new AuthHash())->passwordHash($newPwd);
        if ($create) {
            $id = sqlInsert($insert_sql);
            sqlInsert('INSERT INTO users_secure (id, username, password, last_update_password) VALUES (?, ?, ?, NOW())', [$id, $new_username, $hash]);
            return true;
        }
        $target = sqlQueryNoLog('SELECT * FROM users_secure WHERE id = ?', [$targetUser]);
        foreach (['password', 'password_history1', 'password_history2', 'password_history3', 'password_history4'] as $column) {
            if ($GLOBALS['password_history'] && $target[$column] && AuthHash::passwordVerify($newPwd, $target[$column])) {
                $this->error = xl('Reuse of recent passwords not allowed!');
                return false;
            }
        }
        sqlStatement('UPDATE users_secure SET password_history4 = password_history3, password_history3 = password_history2, '
            . 'password_history2 = password_history1, password_history1 = password, password = ?, last_update_password = NOW() WHERE id = ?',
            [$hash, $targetUser]);
        return true;
    }

    private function weakness(string $password): string
    {
        if (strlen($password) < $GLOBALS['gbl_minimum_password_length']) {
            return xl('Password too short. Minimum characters required') . ': ' . $GLOBALS['gbl_minimum_password_length'];
        }
        $classes = ['/[a-z]/', '/[A-Z]/', '/[0-9]/', '/[^a-zA-Z0-9]/'];
        $lacking = array_filter($classes, fn(string $class): bool => !preg_match($class, $password));
        return $GLOBALS['secure_password'] && $lacking ? xl('Password does not meet minimum requirements and should contain a number, '
            . 'a lowercase letter, an uppercase letter and a special character.') : '';
    }
}
