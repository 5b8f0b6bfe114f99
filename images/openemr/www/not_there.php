<?php

/**
 * What upstream has and this does not: said with 501, for a page or a path of the interfaces.
 */

declare(strict_types=1);

http_response_code(501);
header('Content-Type: text/plain; charset=utf-8');
echo 'The stand-in of OpenEMR has no ' . strtok($_SERVER['REQUEST_URI'] ?? '', '?') . ". Its README says what it has.\n";
exit;
