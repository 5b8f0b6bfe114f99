<?php

/**
 * UUIDs as the tables keep them, 16 bytes, and as the API writes them.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Uuid;

class UuidRegistry
{
    /** @param array<string, mixed> $associations as upstream's; the stand-in registers nothing */
    public function __construct(array $associations = [])
    {
    }

    public static function getRegistryForTable(string $table): self
    {
        return new self();
    }

    /** Begins with the time, as upstream's, so that they are in order. */
    public function createUuid(): string
    {
        $bytes = substr(pack('J', (int)(microtime(true) * 1e6)), 2) . random_bytes(10);
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
        return $bytes;
    }

    public static function uuidToString($bytes): string
    {
        return preg_replace('/^(.{8})(.{4})(.{4})(.{4})(.{12})$/', '$1-$2-$3-$4-$5', bin2hex($bytes));
    }

    /** The 16 bytes, or "" where the text is no UUID. */
    public static function uuidToBytes(string $text): string
    {
        return preg_match('/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i', $text) ? hex2bin(str_replace('-', '', $text)) : '';
    }
}
