<?php

/**
 * Clients and tokens (openemr.md §4).
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use OpenEMR\Common\Auth\AuthUtils;

class OAuth
{
    private const PLAIN = 'openid|offline_access|online_access|fhirUser|profile|name|email|launch|launch\/patient|api:oemr|api:fhir|api:port|site:default';
    private const RESOURCES = 'allergy|appointment|document|drug|encounter|facility|immunization|insurance|insurance_company|insurance_type|list|medical_problem|'
        . 'medication|message|patient|practitioner|prescription|procedure|soap_note|surgery|transaction|user|version|vital|'
        . 'Patient|Encounter|DocumentReference|DiagnosticReport|Observation|Organization|Practitioner|Procedure|Binary|Condition|Person|Location';

    /**
     * @param array<string, mixed> $data the request
     * @return array<string, mixed> the answer
     */
    public static function register(array $data): array
    {
        $scope = trim((string)($data['scope'] ?? ''));
        $private = ($data['application_type'] ?? '') === 'private';
        if (str_contains($scope, 'system/')) {
            Json::answer(400, ['error' => 'invalid_client_metadata', 'error_description' => 'The stand-in of OpenEMR has no system scopes']);
        }
        if (!$private && str_contains($scope, 'user/')) {
            Json::answer(400, ['error' => 'invalid_client_metadata', 'error_description' => 'system and user scopes are only allowed for confidential clients']);
        }
        foreach (explode(' ', $scope) as $one) {
            if (!preg_match('/^(' . self::PLAIN . '|(user|patient)\/(' . self::RESOURCES . ')\.(read|write))$/', $one)) {
                Json::answer(400, ['error' => 'invalid_scope', 'error_description' => "The requested scope is invalid, unknown, or malformed: $one"]);
            }
        }
        if (empty($data['redirect_uris'])) {
            Json::answer(400, ['error' => 'invalid_redirect_uri', 'error_description' => 'redirect_uris is invalid']);
        }
        $client = [
            'client_id' => self::random(32), 'client_role' => $private ? 'user' : 'patient', 'client_name' => $data['client_name'] ?? '',
            'client_secret' => $private ? self::random(64) : '', 'registration_token' => self::random(32), 'registration_uri_path' => self::random(16),
            'register_date' => date('Y-m-d H:i:s'), 'contacts' => implode('|', $data['contacts'] ?? []), 'redirect_uri' => implode('|', $data['redirect_uris']),
            'grant_types' => 'authorization_code', 'scope' => $scope, 'site_id' => 'default', 'is_confidential' => (int)$private,
            'is_enabled' => (int)(!str_contains($scope, 'user/') && empty($GLOBALS['oauth_app_manual_approval'])),
        ];
        sqlStatementNoLog('INSERT INTO oauth_clients SET ' . implode(', ', array_map(fn(string $name): string => "`$name` = ?", array_keys($client))), array_values($client));
        return [
            'client_id' => $client['client_id'], 'client_secret' => $client['client_secret'], 'registration_access_token' => $client['registration_token'],
            'registration_client_uri' => $GLOBALS['site_addr_oath'] . "/oauth2/default/client/$client[registration_uri_path]", 'client_id_issued_at' => time(),
            'client_secret_expires_at' => 0, 'client_role' => $client['client_role'], 'contacts' => $data['contacts'] ?? [], 'application_type' => $data['application_type'] ?? '',
            'client_name' => $client['client_name'], 'redirect_uris' => $data['redirect_uris'], 'scope' => $scope,
        ];
    }

    /**
     * The password grant; the client's secret is not asked for.
     *
     * @param array<string, mixed> $form the request
     * @return array<string, mixed> the answer
     */
    public static function token(array $form): array
    {
        if (($form['grant_type'] ?? '') !== 'password' || ($form['user_role'] ?? '') !== 'users') {
            Json::answer(501, ['error' => 'unsupported_grant_type', 'error_description' => 'The stand-in of OpenEMR has the password grant of users only']);
        }
        if (!in_array((int)$GLOBALS['oauth_password_grant'], [1, 3], true)) {
            Json::answer(400, ['error' => 'unsupported_grant_type', 'error_description' => 'The authorization grant type is not supported by the authorization server.']);
        }
        $client = sqlQueryNoLog('SELECT * FROM oauth_clients WHERE client_id = ?', [$form['client_id'] ?? '']);
        if (!$client || !$client['is_enabled']) {
            Json::answer(401, ['error' => 'invalid_client', 'error_description' => 'Client authentication failed']);
        }
        $scopes = explode(' ', trim((string)($form['scope'] ?? '')));
        if (array_diff($scopes, explode(' ', $client['scope']))) {
            Json::answer(400, ['error' => 'invalid_scope', 'error_description' => 'The requested scope is invalid, unknown, or malformed']);
        }
        $password = (string)($form['password'] ?? '');
        if (!(new AuthUtils('api'))->confirmPassword($form['username'] ?? '', $password)) {
            Json::answer(400, ['error' => 'invalid_grant', 'error_description' => 'Failed Authentication']);
        }
        $token = self::random(64);
        $user = sqlQueryNoLog('SELECT id FROM users WHERE username = ?', [$form['username']]);
        sqlStatementNoLog('INSERT INTO api_token SET user_id = ?, token = ?, expiry = NOW() + INTERVAL 1 HOUR, client_id = ?, scope = ?',
            [$user['id'], hash('sha256', $token), $client['client_id'], json_encode($scopes)]);
        return ['scope' => implode(' ', $scopes), 'token_type' => 'Bearer', 'expires_in' => 3600, 'access_token' => $token];
    }

    /**
     * Makes the session that of the token's user. Answers 401 where there is no good token.
     *
     * @return list<string> the scopes
     */
    public static function authenticate(): array
    {
        $token = preg_match('/^Bearer (\S+)$/', $_SERVER['HTTP_AUTHORIZATION'] ?? '', $found) ? hash('sha256', $found[1]) : '';
        $row = sqlQueryNoLog('SELECT t.scope, u.id, u.username, g.name FROM api_token t JOIN oauth_clients c ON c.client_id = t.client_id AND c.is_enabled = 1 '
            . 'JOIN users u ON u.id = t.user_id AND u.active = 1 JOIN `groups` g ON g.user = u.username WHERE t.token = ? AND t.revoked = 0 AND t.expiry > NOW()', [$token]);
        if (!$row) {
            Json::answer(401, ['error' => 'access_denied', 'error_description' => 'The resource owner or authorization server denied the request.']);
        }
        $_SESSION = ['site_id' => 'default', 'authUser' => $row['username'], 'authUserID' => $row['id'], 'authProvider' => $row['name']];
        return json_decode($row['scope'], true);
    }

    private static function random(int $length): string
    {
        return substr(rtrim(strtr(base64_encode(random_bytes($length)), '+/', '-_'), '='), 0, $length);
    }
}
