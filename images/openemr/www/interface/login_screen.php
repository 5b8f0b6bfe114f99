<?php

/**
 * Where a page without a login sends the browser.
 */

header('Location: login/login.php?site=' . urlencode($_GET['site'] ?? '' ?: 'default'));
