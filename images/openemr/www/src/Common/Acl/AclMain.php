<?php

/**
 * Rights: a user (gacl_aro) is in groups (gacl_groups_aro_map), they and those above them have rules (gacl_aro_groups_map, gacl_acl),
 * the rules name objects (gacl_aco_map). Who may do admin/super may do all. A user without a row in gacl_aro may do nothing.
 */

declare(strict_types=1);

namespace OpenEMR\Common\Acl;

class AclMain
{
    public static function aclCheckCore($section, $value, $user = '', $return_value = ''): bool
    {
        $user = $user ?: ($_SESSION['authUser'] ?? '');
        if (($section !== 'admin' || $value !== 'super') && self::aclCheckCore('admin', 'super', $user)) {
            return true;
        }
        $wanted = array_filter((array)$return_value);
        $rules = sqlStatementNoLog(
            'SELECT acl.allow, acl.return_value FROM gacl_aro aro '
            . 'JOIN gacl_groups_aro_map member ON member.aro_id = aro.id JOIN gacl_aro_groups own ON own.id = member.group_id '
            . 'JOIN gacl_aro_groups above ON above.lft <= own.lft AND above.rgt >= own.rgt '
            . 'JOIN gacl_aro_groups_map rule ON rule.group_id = above.id JOIN gacl_acl acl ON acl.id = rule.acl_id AND acl.enabled = 1 '
            . 'JOIN gacl_aco_map object ON object.acl_id = acl.id '
            . "WHERE aro.section_value = 'users' AND aro.value = ? AND object.section_value = ? AND object.value = ?",
            [$user, $section, $value]
        );
        $access = false;
        while ($rule = sqlFetchArray($rules)) {
            if ($wanted && !in_array($rule['return_value'], $wanted, true)) {
                continue;
            }
            if (!$rule['allow']) {
                return false;
            }
            $access = true;
        }
        return $access;
    }
}
