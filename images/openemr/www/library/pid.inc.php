<?php

/**
 * The patient and the encounter that the session is about.
 */

declare(strict_types=1);

use OpenEMR\Common\Logging\EventAuditLogger;
use OpenEMR\Common\Session\SessionUtil;

function setpid($new_pid): void
{
    $changed = ($_SESSION['pid'] ?? 0) != $new_pid;
    SessionUtil::setSession(['pid' => (int)$new_pid] + ($changed ? ['encounter' => 0] : []));
    $GLOBALS['pid'] = (int)$new_pid;
    EventAuditLogger::instance()->newEvent('view', $_SESSION['authUser'], $_SESSION['authProvider'], 1, '', (int)$new_pid);
}

function setencounter($enc): void
{
    SessionUtil::setSession('encounter', (int)$enc);
    $GLOBALS['encounter'] = (int)$enc;
}
