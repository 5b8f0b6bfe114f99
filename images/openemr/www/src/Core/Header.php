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
        $head = "<meta charset=\"utf-8\" />\n<style>body { font-family: sans-serif; margin: 1em; } table { border-collapse: collapse; } "
            . "td, th { border: 1px solid #bbb; padding: .2em .5em; text-align: left; } .navbar-nav { display: flex; list-style: none; padding: 0; } "
            . ".navbar-nav > li { margin-right: 1em; } iframe { border: 1px solid #bbb; width: 100%; height: 85vh; } "
            . ".standin { color: #555; font-size: .8em; }</style>\n<script>top.restoreSession = top.restoreSession || function () { return true; };</script>\n";
        if ($echoOutput) {
            echo $head;
        }
        return $head;
    }
}
