<?php

/**
 * The menu of the patient's chart, from the file that users.patient_menu_role names (openemr.md §2 and §7.3).
 */

declare(strict_types=1);

namespace OpenEMR\Menu;

use OpenEMR\Common\Acl\AclMain;

class PatientMenuRole
{
    /** @return list<\stdClass> the entries that this user sees */
    public function getMenu(): array
    {
        $role = sqlQueryNoLog('SELECT patient_menu_role FROM users WHERE id = ?', [$_SESSION['authUserID']])['patient_menu_role'] ?: 'standard';
        $file = preg_match('/.json$/', $role)
            ? $GLOBALS['OE_SITE_DIR'] . '/documents/custom_menus/patient_menus/' . $role
            : $GLOBALS['fileroot'] . "/interface/main/tabs/menu/menus/patient_menus/$role.json";
        // A missing file warns in the error log and is then no JSON, as upstream.
        $menu = json_decode((string)file_get_contents($file));
        if (!$menu) {
            die("\nJSON ERROR: " . json_last_error());
        }
        return $this->allowed($menu);
    }

    public function displayMenuRoleSelector($selected = ''): string
    {
        $files = glob($GLOBALS['OE_SITE_DIR'] . '/documents/custom_menus/patient_menus/*.json');
        $options = '';
        foreach (['standard', ...array_map('basename', $files)] as $name) {
            $options .= "<option value='" . attr($name) . "'" . ($name === $selected ? ' selected' : '') . '>' . text(basename($name, '.json')) . '</option>';
        }
        return "<select name='patient_menu_role' id='patient_menu_role' class='form-control'>$options</select>";
    }

    public function displayHorizNavBarMenu(): void
    {
        echo '<nav class="navbar navbar-expand-md navbar-light bg-light"><ul class="navbar-nav">' . "\r\n";
        foreach ($this->getMenu() as $entry) {
            if (empty($entry->children)) {
                echo $this->item($entry) . "\r\n";
                continue;
            }
            $class = attr($entry->class ?? '');
            echo '<li class="dropdown"><a href="#"  id="' . attr($entry->menu_id ?? $entry->label) . '" class="nav-link dropdown-toggle text-body '
                . $class . '" data-toggle="dropdown" role="button">' . text($entry->label) . '</a><ul class="dropdown-menu">'
                . implode('', array_map($this->item(...), $entry->children)) . "</ul></li>\r\n";
        }
        echo "</ul></nav>\r\n";
    }

    /** The pid goes to the end of the address; on_click is raw JavaScript in double quotes. */
    private function item(\stdClass $entry): string
    {
        $link = $this->absolute($entry->url) . ($entry->pid === 'true' ? attr($_SESSION['pid']) : '');
        return '<li class="nav-item ' . attr($entry->class ?? '') . '" id="' . attr($entry->menu_id) . '"><a class="nav-link text-dark" href="'
            . attr($link) . '" onclick="' . $entry->on_click . '"> ' . text($entry->label) . ' </a></li>';
    }

    private function absolute(string $url): string
    {
        return $url && !strpos($url, '://') ? $GLOBALS['webroot'] . '/' . ltrim($url, '/\\') : $url;
    }

    /**
     * @param list<\stdClass> $entries
     * @return list<\stdClass>
     */
    private function allowed(array $entries): array
    {
        $kept = [];
        foreach ($entries as $entry) {
            $entry->label = xl($entry->label);
            $entry->children = $this->allowed($entry->children ?? []);
            if ($this->may($entry) && (isset($entry->url) || $entry->children)) {
                $kept[] = $entry;
            }
        }
        return $kept;
    }

    private function may(\stdClass $entry): bool
    {
        $rights = $entry->acl_req ?? [];
        $rights = $rights && !is_array($rights[0]) ? [$rights] : $rights;
        $globals = (array)($entry->global_req ?? []);
        $strict = array_map($this->isOn(...), (array)($entry->global_req_strict ?? []));
        return (!$rights || in_array(true, array_map($this->mayOne(...), $rights), true))
            && (!$globals || in_array(true, array_map($this->isOn(...), $globals), true))
            && !in_array(false, $strict, true);
    }

    /** @param list<string> $right section, value and, where one of them is needed, return values; `!` turns it round */
    private function mayOne(array $right): bool
    {
        $section = ltrim($right[0], '!');
        $may = fn(string $value): bool => AclMain::aclCheckCore($section, $right[1], '', $value) !== ($section !== $right[0]);
        return in_array(true, array_map($may, array_slice($right, 2) ?: ['']), true);
    }

    private function isOn(string $name): bool
    {
        $plain = ltrim($name, '!');
        return !empty($GLOBALS[$plain]) !== ($plain !== $name);
    }
}
