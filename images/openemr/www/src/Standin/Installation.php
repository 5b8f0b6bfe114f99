<?php

/**
 * A first installation.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use mysqli;
use mysqli_sql_exception;
use OpenEMR\Common\Auth\AuthHash;
use RuntimeException;

class Installation
{
    private const SITE = '/var/www/localhost/htdocs/openemr/sites/default';
    private mysqli $database;

    public function __construct(
        private string $iuser,
        private string $iuserpass,
        private string $server,
        private string $loginhost,
        private string $port,
        private string $root,
        private string $rootpass,
        private string $login,
        private string $pass,
        private string $dbname
    ) {
    }

    public function run(AuthHash $hashes): void
    {
        if ($this->iuserpass === '' || preg_match('/\s/', $this->iuser)) {
            throw new RuntimeException('the first user needs a name without spaces, and a password');
        }
        $this->prepareDatabase();
        $this->loadTables();
        $this->writeConfiguration();
        require dirname(__DIR__, 2) . '/version.php';
        $this->insert('version', compact('v_major', 'v_minor', 'v_patch', 'v_realpatch', 'v_tag', 'v_database', 'v_acl'));
        foreach (json_decode(file_get_contents(dirname(__DIR__, 2) . '/sql/globals.json'), true) as $name => $value) {
            $this->insert('globals', ['gl_name' => $name, 'gl_value' => $value]);
        }
        $this->addUsers($hashes);
        (new Rights($this->insert(...)))->install($this->iuser);
        $this->applyEnvironment();
    }

    /** Root is logged in as in any case; database and user are made only where the user cannot log in yet. */
    private function prepareDatabase(): void
    {
        $root = $this->connect($this->root, $this->rootpass, null, 'unable to connect to database as root');
        try {
            $this->database = new mysqli($this->server, $this->login, $this->pass, $this->dbname, (int)$this->port);
            return;
        } catch (mysqli_sql_exception) {
            // Nothing is there yet, which is the usual case.
            $name = '`' . str_replace('`', '``', $this->dbname) . '`';
            $root->query("CREATE DATABASE $name CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci");
            $user = "'" . $root->real_escape_string($this->login) . "'@'" . $root->real_escape_string($this->loginhost) . "'";
            $root->query("CREATE USER IF NOT EXISTS $user IDENTIFIED BY '" . $root->real_escape_string($this->pass) . "'");
            $root->query("GRANT ALL PRIVILEGES ON $name.* TO $user");
        }
        $this->database = $this->connect($this->login, $this->pass, $this->dbname, 'unable to connect to database as user');
    }

    private function connect(string $login, string $password, ?string $name, string $complaint): mysqli
    {
        try {
            return new mysqli($this->server, $login, $password, $name, (int)$this->port);
        } catch (mysqli_sql_exception $error) {
            throw new RuntimeException("$complaint: {$error->getMessage()}", 0, $error);
        }
    }

    private function loadTables(): void
    {
        $this->database->query("SET NAMES 'utf8mb4'");
        $this->database->query("SET sql_mode = ''");
        foreach (preg_split('/;\n/', file_get_contents(dirname(__DIR__, 2) . '/sql/database.sql'), -1, PREG_SPLIT_NO_EMPTY) as $statement) {
            if (trim($statement) !== '') {
                $this->database->query($statement);
            }
        }
    }

    /** The values are not escaped, as upstream: an apostrophe in the password makes a file that is no PHP. */
    private function writeConfiguration(): void
    {
        $text = <<<PHP
        <?php

        // The database, written by the installation. \$config says whether there was one.
        global \$disable_utf8_flag;
        \$disable_utf8_flag = false;

        \$host = '$this->server';
        \$port = '$this->port';
        \$login = '$this->login';
        \$pass = '$this->pass';
        \$dbase = '$this->dbname';
        \$db_encoding = 'utf8mb4';

        global \$sqlconf;
        \$sqlconf = [];
        \$sqlconf["host"] = \$host;
        \$sqlconf["port"] = \$port;
        \$sqlconf["login"] = \$login;
        \$sqlconf["pass"] = \$pass;
        \$sqlconf["dbase"] = \$dbase;
        \$sqlconf["db_encoding"] = \$db_encoding;

        \$config = 1; /////////////

        PHP;
        if (file_put_contents(self::SITE . '/sqlconf.php', $text) === false) {
            throw new RuntimeException('unable to write sqlconf.php');
        }
        require self::SITE . '/sqlconf.php';
    }

    /** Four users: the first one, and three that nobody logs in as (openemr.md §7.1). */
    private function addUsers(AuthHash $hashes): void
    {
        $this->insert('groups', ['name' => 'Default', 'user' => $this->iuser]);
        $this->insert('users', ['username' => $this->iuser, 'password' => 'NoLongerUsed', 'authorized' => 1, 'lname' => 'Administrator',
            'fname' => '', 'facility_id' => 3, 'calendar' => 1, 'cal_ui' => 3, 'active' => 1]);
        $this->insert('users_secure', ['id' => 1, 'username' => $this->iuser, 'password' => $hashes->passwordHash($this->iuserpass),
            'last_update_password' => date('Y-m-d H:i:s')]);
        foreach (['phimail-service', 'portal-user', 'oe-system'] as $name) {
            $this->insert('users', ['username' => $name, 'password' => 'NoLogin', 'authorized' => 0, 'active' => 0]);
        }
    }

    /** OPENEMR_SETTING_x changes the row x of globals; an unknown name changes nothing and is reported all the same. */
    private function applyEnvironment(): void
    {
        foreach (getenv() as $name => $value) {
            if (str_starts_with($name, 'OPENEMR_SETTING_')) {
                $setting = substr($name, 16);
                echo "Set $setting to $value\n";
                $this->database->execute_query('UPDATE globals SET gl_value = ? WHERE gl_name = ?', [$value, $setting]);
            }
        }
    }

    /** @param array<string, mixed> $row */
    private function insert(string $table, array $row): void
    {
        $columns = implode(', ', array_map(fn(string $column): string => "`$column` = ?", array_keys($row)));
        $this->database->execute_query("INSERT INTO `$table` SET $columns", array_values($row));
    }
}
