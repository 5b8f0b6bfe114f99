<?php

// openemr.md §0 and §7.1.
$v_major = '7';
$v_minor = '0';
$v_patch = '3';
$v_tag = '';
$v_realpatch = '3';
$v_database = 506;
$v_acl = 12;
