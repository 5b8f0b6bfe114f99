<?php

/**
 * Encryption of what lies on the drive. The key is split between the table `keys` and a file below documents/logs_and_misc/methods: both are
 * needed to read anything back (openemr.md §5). The form of the ciphertext is our own.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Crypto;

use RuntimeException;

class CryptoGen
{
    private const PREFIX = '007';

    public function encryptStandard($value, $customPassword = null, $keySource = 'drive'): string
    {
        $nonce = random_bytes(SODIUM_CRYPTO_SECRETBOX_NONCEBYTES);
        return self::PREFIX . base64_encode($nonce . sodium_crypto_secretbox((string)$value, $nonce, $this->key()));
    }

    public function decryptStandard($value, $customPassword = null, $keySource = 'drive'): string|false
    {
        $bytes = base64_decode(substr((string)$value, strlen(self::PREFIX)), true);
        return $this->cryptCheckStandard($value) && $bytes !== false
            ? sodium_crypto_secretbox_open(substr($bytes, 24), substr($bytes, 0, 24), $this->key()) : false;
    }

    public function cryptCheckStandard($value): bool
    {
        return str_starts_with((string)$value, self::PREFIX);
    }

    private function key(): string
    {
        static $key = null;
        return $key ??= hash('sha256', $this->fromDatabase() . $this->fromDrive(), true);
    }

    private function fromDatabase(): string
    {
        sqlStatementNoLog("INSERT IGNORE INTO `keys` (`name`, `value`) VALUES ('sevena', ?)", [base64_encode(random_bytes(32))]);
        return sqlQueryNoLog("SELECT `value` FROM `keys` WHERE `name` = 'sevena'")['value'];
    }

    private function fromDrive(): string
    {
        $file = $GLOBALS['OE_SITE_DIR'] . '/documents/logs_and_misc/methods/sevena';
        if (!is_file($file) && file_put_contents($file, base64_encode(random_bytes(32))) === false) {
            throw new RuntimeException("cannot write $file");
        }
        return file_get_contents($file);
    }
}
