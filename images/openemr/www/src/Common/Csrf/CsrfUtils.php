<?php

/**
 * Tokens of forms: a keyed hash with a secret of the session.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Csrf;

class CsrfUtils
{
    public static function setupCsrfKey(): void
    {
        $_SESSION['csrf_private_key'] = random_bytes(32);
    }

    public static function collectCsrfToken($subject = 'default'): string|false
    {
        return empty($_SESSION['csrf_private_key']) ? false : substr(hash_hmac('sha256', $subject, $_SESSION['csrf_private_key']), 0, 40);
    }

    public static function verifyCsrfToken($token, $subject = 'default'): bool
    {
        $own = self::collectCsrfToken($subject);
        return $own && $token && hash_equals($own, (string)$token);
    }

    /** Ends the page, with 200 as upstream does. */
    public static function csrfNotVerified(): never
    {
        error_log('OpenEMR CSRF token authentication error');
        die(xlt('Authentication Error'));
    }
}
