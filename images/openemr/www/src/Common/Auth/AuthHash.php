<?php

/**
 * Hashes of passwords: PHP's own (bcrypt), upstream's default.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Auth;

class AuthHash
{
    public function __construct(string $mode = 'auth')
    {
    }

    public function passwordHash(&$password): string
    {
        return password_hash($password, PASSWORD_DEFAULT);
    }

    public static function passwordVerify(&$password, $hash): bool
    {
        return password_verify($password, $hash);
    }
}
