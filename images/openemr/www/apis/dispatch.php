<?php

/**
 * The REST interface, as far as a lab uses it (openemr.md §4 and §7.9): patients, encounters, documents, and FHIR's metadata.
 */

declare(strict_types=1);

use OpenEMR\Standin\Json;
use OpenEMR\Standin\OAuth;
use OpenEMR\Standin\Rest;

$path = explode('/', trim(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/'));
$_GET['site'] = $path[1] ?? '';
$ignoreAuth = true;
require_once __DIR__ . '/../interface/globals.php';

$kind = $path[2] ?? '';
if ($kind === 'fhir' && array_slice($path, 3) === ['metadata'] && !empty($GLOBALS['rest_fhir_api'])) {
    Json::answer(200, ['resourceType' => 'CapabilityStatement', 'status' => 'active', 'date' => date('c'), 'kind' => 'instance', 'fhirVersion' => '4.0.1',
        'format' => ['application/json'], 'software' => ['name' => 'Stand-in of OpenEMR', 'version' => "$v_major.$v_minor.$v_patch"], 'rest' => [['mode' => 'server']]]);
}
if ($kind !== 'api' || empty($GLOBALS['rest_api'])) {
    require __DIR__ . '/../not_there.php';
}
$scopes = OAuth::authenticate();
if (!in_array('api:oemr', $scopes, true)) {
    http_response_code(401);
    exit;
}
(new Rest($scopes))->answer($_SERVER['REQUEST_METHOD'], array_slice($path, 3));
