<?php

/**
 * Finds the classes of src/ and library/classes/, and brings the functions along that upstream's autoloader brings.
 */

spl_autoload_register(function (string $name): void {
    $root = dirname(__DIR__);
    $file = str_starts_with($name, 'OpenEMR\\')
        ? $root . '/src/' . str_replace('\\', '/', substr($name, 8)) . '.php'
        : "$root/library/classes/$name.class.php";
    if (is_file($file)) {
        require_once $file;
    }
});

require_once dirname(__DIR__) . '/library/htmlspecialchars.inc.php';
require_once dirname(__DIR__) . '/library/translation.inc.php';
require_once dirname(__DIR__) . '/library/formdata.inc.php';
