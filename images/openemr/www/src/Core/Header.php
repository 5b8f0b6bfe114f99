<?php

/**
 * What a page has in its head. Upstream brings its assets here, the stand-in one style sheet.
 */

declare(strict_types=1);

namespace OpenEMR\Core;

class Header
{
    public static function setupHeader($assets = [], $echoOutput = true): string
    {
        $style = [
            'body { font: 15px/1.45 sans-serif; margin: 1em 1.5em; color: #222; }',
            'table { border-collapse: collapse; margin: .6em 0; } td, th { border: 1px solid #ccc; padding: .25em .6em; text-align: left; }',
            'th { background: #eef2f6; font-weight: 600; } a { color: #1a5a96; } label, p > select { margin-right: .8em; }',
            '.navbar { background: #eef2f6; border-radius: 4px; } .navbar-nav { display: flex; list-style: none; margin: 0; padding: .5em 1em; }',
            '.navbar-nav > li { margin-right: 1.4em; } .navbar-nav a { text-decoration: none; }',
            'iframe { border: 1px solid #ccc; width: 100%; height: 85vh; } .standin { color: #666; font-size: .85em; } .text-danger { color: #a00; }',
        ];
        $head = "<meta charset=\"utf-8\" />\n<style>\n" . implode("\n", $style) . "\n</style>\n"
            . "<script>top.restoreSession = top.restoreSession || function () { return true; };</script>\n";
        if ($echoOutput) {
            echo $head;
        }
        return $head;
    }
}
