<?php

/**
 * Beginning and end that the stand-in's own pages share.
 */

declare(strict_types=1);

use OpenEMR\Common\Acl\AclMain;
use OpenEMR\Common\Csrf\CsrfUtils;
use OpenEMR\Core\Header;

/** Says "Not Authorized" with 200, as upstream, to who lacks the right. */
function needRight(string $section, string $value, string $title): void
{
    if (!AclMain::aclCheckCore($section, $value)) {
        pageStart($title);
        echo '<p>' . xlt('Not Authorized') . '</p>';
        pageEnd();
        exit;
    }
}

function pageStart(string $title): void
{
    echo "<!DOCTYPE html>\n<html>\n<head>\n";
    Header::setupHeader();
    echo '<title>' . xlt($title) . "</title>\n</head>\n<body>\n<h2>" . xlt($title) . "</h2>\n";
}

function pageEnd(): void
{
    echo "</body>\n</html>\n";
}

/** Ends the page where its form does not carry this session's token. */
function needToken(): void
{
    if (!CsrfUtils::verifyCsrfToken($_POST['csrf_token_form'] ?? '')) {
        CsrfUtils::csrfNotVerified();
    }
}

function tokenField(): string
{
    return '<input type="hidden" name="csrf_token_form" value="' . attr(CsrfUtils::collectCsrfToken()) . '" />';
}

/** @param array<string, string> $options value → label */
function selectField(string $name, array $options, mixed $selected): string
{
    $html = '';
    foreach ($options as $value => $label) {
        $html .= '<option value="' . attr($value) . '"' . ((string)$value === (string)$selected ? ' selected' : '') . '>' . text($label) . '</option>';
    }
    return "<select name='" . attr($name) . "' id='" . attr($name) . "'>$html</select>";
}

/** @return array<string, string> a list of list_options, in its order */
function listOptions(string $list): array
{
    $rows = sqlStatementNoLog('SELECT option_id, title FROM list_options WHERE list_id = ? AND activity = 1 ORDER BY seq', [$list]);
    $options = [];
    while ($row = sqlFetchArray($rows)) {
        $options[$row['option_id']] = $row['title'];
    }
    return $options;
}
