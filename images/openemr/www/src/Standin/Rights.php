<?php

/**
 * Groups and rights of a new installation, as far as the stand-in asks for rights.
 */

declare(strict_types=1);

namespace OpenEMR\Standin;

use Closure;

class Rights
{
    /** Group → return value → section → objects; upstream's defaults. */
    private const RULES = [
        'admin' => ['write' => [
            'acct' => 'bill disc eob rep rep_a',
            'admin' => 'calendar database forms practice superbill users batchcom language super drugs acl multipledb menu manage_modules',
            'encounters' => 'auth_a auth coding_a coding notes_a notes date_a relaxed',
            'patients' => 'appt demo med trans docs notes sign reminder alert disclosure rx amendment lab docs_rm pat_rep',
            'sensitivities' => 'normal high',
        ]],
        'doc' => ['view' => ['patients' => 'pat_rep'], 'write' => [
            'acct' => 'disc rep',
            'admin' => 'drugs',
            'encounters' => 'auth_a auth coding_a coding notes_a notes date_a relaxed',
            'patients' => 'appt demo med trans docs notes sign reminder alert disclosure rx amendment lab',
            'sensitivities' => 'normal high',
        ]],
        'clin' => ['view' => ['patients' => 'pat_rep'], 'addonly' => [
            'encounters' => 'notes relaxed',
            'patients' => 'demo med docs notes trans reminder alert disclosure rx amendment lab',
            'sensitivities' => 'normal',
        ], 'write' => ['admin' => 'drugs', 'encounters' => 'auth coding notes', 'patients' => 'appt']],
        'front' => ['view' => ['patients' => 'alert'], 'write' => ['patients' => 'appt demo']],
        'back' => ['view' => ['patients' => 'alert'], 'write' => [
            'acct' => 'bill disc eob rep rep_a',
            'admin' => 'practice superbill',
            'encounters' => 'auth_a coding_a date_a',
            'patients' => 'appt demo',
        ]],
    ];
    private const NAMES = ['admin' => 'Administrators', 'clin' => 'Clinicians', 'doc' => 'Physicians', 'front' => 'Front Office', 'back' => 'Accounting'];

    /** @param Closure(string, array<string, mixed>): void $insert */
    public function __construct(private Closure $insert)
    {
    }

    public function install(string $administrator): void
    {
        $insert = $this->insert;
        $insert('gacl_aro_groups', ['id' => 10, 'parent_id' => 0, 'lft' => 1, 'rgt' => 2 + 2 * count(self::NAMES), 'name' => 'OpenEMR Users', 'value' => 'users']);
        $acl = 0;
        foreach (array_keys(self::NAMES) as $index => $group) {
            $id = 11 + $index;
            $insert('gacl_aro_groups', ['id' => $id, 'parent_id' => 10, 'lft' => 2 + 2 * $index, 'rgt' => 3 + 2 * $index, 'name' => self::NAMES[$group], 'value' => $group]);
            foreach (self::RULES[$group] as $value => $sections) {
                $acl++;
                $insert('gacl_acl', ['id' => $acl, 'section_value' => 'system', 'allow' => 1, 'enabled' => 1, 'return_value' => $value]);
                $insert('gacl_aro_groups_map', ['acl_id' => $acl, 'group_id' => $id]);
                foreach ($sections as $section => $objects) {
                    foreach (explode(' ', $objects) as $object) {
                        $insert('gacl_aco_map', ['acl_id' => $acl, 'section_value' => $section, 'value' => $object]);
                    }
                }
            }
        }
        $insert('gacl_aro', ['id' => 10, 'section_value' => 'users', 'value' => $administrator, 'order_value' => 10, 'name' => 'Administrator']);
        $insert('gacl_groups_aro_map', ['group_id' => 11, 'aro_id' => 10]);
        $insert('gacl_aro_seq', ['id' => 10]);
    }
}
