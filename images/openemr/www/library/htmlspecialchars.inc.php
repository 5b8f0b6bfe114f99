<?php

/**
 * Escaping of what is printed, under upstream's names.
 */

declare(strict_types=1);

function text(mixed $text): string
{
    return htmlspecialchars((string)$text, ENT_NOQUOTES);
}

function attr(mixed $text): string
{
    return htmlspecialchars((string)$text, ENT_QUOTES);
}

function attr_url(mixed $text): string
{
    return attr(urlencode((string)$text));
}

function js_escape(mixed $text): string
{
    return json_encode($text, JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_QUOT | JSON_HEX_APOS | JSON_INVALID_UTF8_SUBSTITUTE);
}

function attr_js(mixed $text): string
{
    return attr(json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
}

function js_url(mixed $text): string
{
    return js_escape(urlencode((string)$text));
}

function xlt(mixed $constant): string
{
    return text(xl((string)$constant));
}

function xla(mixed $constant): string
{
    return attr(xl((string)$constant));
}

function xlj(mixed $constant): string
{
    return js_escape(xl((string)$constant));
}

function errorLogEscape(mixed $text): string
{
    return attr($text);
}
