<?php

/**
 * The session of the browser. Pages read it and give it free at once; who writes opens it again.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Session;

class SessionUtil
{
    private const OPTIONS = ['name' => 'OpenEMR', 'cookie_samesite' => 'Strict', 'cookie_path' => '/', 'gc_maxlifetime' => 14400];

    public static function coreSessionStart($web_root, $read_only = true): void
    {
        session_start(self::OPTIONS + ($read_only ? ['read_and_close' => true] : []));
    }

    /** @param string|array<string, mixed> $name one name, or names with values */
    public static function setSession($name, $value = null): void
    {
        $values = is_array($name) ? $name : [$name => $value];
        $closed = session_status() !== PHP_SESSION_ACTIVE;
        if ($closed) {
            session_start(self::OPTIONS);
        }
        $_SESSION = $values + $_SESSION;
        if ($closed) {
            session_write_close();
        }
    }

    public static function coreSessionDestroy(): void
    {
        if (session_status() !== PHP_SESSION_ACTIVE) {
            session_start(self::OPTIONS);
        }
        $_SESSION = [];
        session_destroy();
    }
}
