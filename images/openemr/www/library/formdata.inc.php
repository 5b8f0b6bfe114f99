<?php

/**
 * Escaping of what goes into SQL or a path, under upstream's names.
 */

declare(strict_types=1);

function add_escape_custom(mixed $text): string
{
    return mysqli_real_escape_string($GLOBALS['dbh'], (string)$text);
}

function escape_table_name(string $name): string
{
    $found = sqlQueryNoLog('SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?', [$name]);
    return $found ? $found['name'] : die(text("unknown table $name"));
}

/** A name that becomes part of a path: letters, digits, - and _ (openemr.md has no more, upstream's function of this name). */
function check_file_dir_name(mixed $label): string
{
    if ($label === '' || preg_match('/[^A-Za-z0-9_.-]/', (string)$label)) {
        error_log('OpenEMR ERROR: the following variable contains invalid characters: ' . errorLogEscape($label));
        die(text("ERROR: The following variable contains invalid characters: $label"));
    }
    return (string)$label;
}
