<?php

/**
 * An order that exists: `id` is its number.
 */

$viewmode = true;
require __DIR__ . '/common.php';
