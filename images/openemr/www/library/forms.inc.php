<?php

/**
 * Forms of an encounter.
 */

declare(strict_types=1);

/** Adds a form to an encounter; the date is a text or the SQL function NOW(). */
function addForm($encounter, $form_name, $form_id, $formdir, $pid, $authorized = '0', $date = 'NOW()', $user = '', $group = ''): int
{
    return sqlInsert(
        'insert into forms (date, encounter, form_name, form_id, pid, user, groupname, authorized, formdir) '
        . 'values (IFNULL(?, NOW()), ?, ?, ?, ?, ?, ?, ?, ?)',
        [$date === 'NOW()' ? null : $date, $encounter, $form_name, $form_id, $pid, $user ?: ($_SESSION['authUser'] ?? null),
            $group ?: ($_SESSION['authProvider'] ?? null), $authorized, $formdir]
    );
}
