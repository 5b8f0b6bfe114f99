<?php

/**
 * Registration of a client and the password grant (openemr.md §4 and §7.9). Tokens are random texts and rows of api_token.
 */

declare(strict_types=1);

use OpenEMR\Standin\Json;
use OpenEMR\Standin\OAuth;

$path = explode('/', trim(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/'));
$_GET['site'] = $path[1] ?? '';
$ignoreAuth = true;
require_once __DIR__ . '/../interface/globals.php';

if (empty($GLOBALS['rest_api']) && empty($GLOBALS['rest_fhir_api']) && empty($GLOBALS['rest_portal_api'])) {
    http_response_code(404);
    exit;
}
match ($_SERVER['REQUEST_METHOD'] . ' ' . implode('/', array_slice($path, 2))) {
    'POST registration' => Json::answer(200, OAuth::register(Json::body())),
    'POST token' => Json::answer(200, OAuth::token($_POST)),
    default => require __DIR__ . '/../not_there.php',
};
