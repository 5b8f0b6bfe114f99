<?php

/**
 * A new order, or an old one with `id`.
 */

$viewmode = false;
require __DIR__ . '/common.php';
