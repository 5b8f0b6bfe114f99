<?php

/**
 * Bodies of the interfaces.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

class Json
{
    /** Answers and ends. */
    public static function answer(int $status, mixed $body): never
    {
        http_response_code($status);
        header('Content-Type: application/json');
        echo json_encode($body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE);
        exit;
    }

    /** @return array<string, mixed> the request's object; anything else is answered with 400 */
    public static function body(): array
    {
        $body = json_decode((string)file_get_contents('php://input'), true);
        return is_array($body) ? $body : self::answer(400, ['error' => 'invalid_request', 'error_description' => 'Invalid JSON']);
    }
}
