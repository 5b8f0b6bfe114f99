#!/bin/sh
# Starts the stand-in as upstream's openemr.sh starts OpenEMR (openemr.md §1.2 to §1.5, §7.1, §7.2): certificate, first installation,
# hardening of a new container, Apache. Like there, an interrupted first start leaves every file with mode 600.
set -e

refuse() {
  echo "The stand-in of OpenEMR refuses to start: $*" >&2
  exit 1
}

for name in SWARM_MODE K8S REDIS_SERVER PHPREDIS_BUILD DOMAIN EMAIL FORCE_DATABASE_SSL_CONNECT FORCE_DATABASE_X509_CONNECT \
    XDEBUG_ON XDEBUG_IDE_KEY SQL_DATA_DRIVE; do
  eval "value=\${$name:-}"
  [ -z "$value" ] || [ "$value" = no ] || refuse "it has no $name"
done
[ ! -d /root/certs ] || refuse "it brings no certificates along from /root/certs"

installed() {
  php -r "require_once('/var/www/localhost/htdocs/openemr/sites/default/sqlconf.php'); echo \$config;"
}

auto_setup() {
  find . -not -perm 600 -exec chmod 600 {} +
  # Unquoted, as upstream: white space and wildcards in a value break it, and auto_configure.php parts at every "=".
  settings="server=${MYSQL_HOST} rootpass=${MYSQL_ROOT_PASS} loginhost=%"
  [ -z "$MYSQL_ROOT_USER" ] || settings="$settings root=$MYSQL_ROOT_USER"
  [ -z "$MYSQL_USER" ] || settings="$settings login=$MYSQL_USER"
  [ -z "$MYSQL_PASS" ] || settings="$settings pass=$MYSQL_PASS"
  [ -z "$MYSQL_DATABASE" ] || settings="$settings dbname=$MYSQL_DATABASE"
  [ -z "$MYSQL_PORT" ] || settings="$settings port=$MYSQL_PORT"
  [ -z "$OE_USER" ] || settings="$settings iuser=$OE_USER"
  [ -z "$OE_PASS" ] || settings="$settings iuserpass=$OE_PASS"
  # shellcheck disable=SC2086
  php auto_configure.php -f $settings || return 1
  echo "OpenEMR configured."
  CONFIG=$(installed)
  if [ "$CONFIG" = 0 ]; then
    echo "Error in auto-config. Configuration failed."
    exit 2
  fi
}

sh ssl.sh

CONFIG=$(installed)
[ "$(cat sites/default/docker-version 2>/dev/null || echo 0)" -ge "$(cat /root/docker-version)" ] \
  || refuse "sites/default/docker-version is of an earlier release, and it upgrades nothing"
if [ "$CONFIG" = 0 ] && [ -n "$MYSQL_HOST" ] && [ -n "$MYSQL_ROOT_PASS" ] && [ "$MANUAL_SETUP" != yes ]; then
  echo "Running quick setup!"
  while ! auto_setup; do
    echo "Couldn't set up. The database may not be there yet, or refuses the login."
    sleep 1
  done
  echo "Setup Complete!"
fi

# auto_configure.php is there in each new container, and only before this has run in it.
if [ "$CONFIG" = 1 ] && [ "$MANUAL_SETUP" != yes ] && [ -f auto_configure.php ]; then
  echo "Setting file and directory permissions to 400/500"
  find . -type d -not -path "./sites/default/documents/*" -not -perm 500 -exec chmod 500 {} +
  find . -type f -not -path "./sites/default/documents/*" -not -path './openemr.sh' -not -perm 400 -exec chmod 400 {} +
  chmod 700 openemr.sh
  echo "Setting sites/default/documents permissions to 700"
  find sites/default/documents -not -perm 700 -exec chmod 700 {} +
  rm -f admin.php acl_upgrade.php setup.php sql_patch.php sql_upgrade.php ippf_upgrade.php auto_configure.php
  echo "Setup scripts removed, we should be ready to go now!"
fi

echo "Starting apache!"
/usr/sbin/httpd -D FOREGROUND
