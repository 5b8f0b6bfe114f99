<?php

// The database, written by the installation. $config says whether there was one.
global $disable_utf8_flag;
$disable_utf8_flag = false;

$host = 'localhost';
$port = '3306';
$login = 'openemr';
$pass = 'openemr';
$dbase = 'openemr';
$db_encoding = 'utf8mb4';

global $sqlconf;
$sqlconf = ['host' => $host, 'port' => $port, 'login' => $login, 'pass' => $pass, 'dbase' => $dbase, 'db_encoding' => $db_encoding];

$config = 0; /////////////
