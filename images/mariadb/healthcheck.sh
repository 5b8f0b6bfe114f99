#!/bin/bash
# --connect: the server takes connections by TCP (the one of a first boot does not); --innodb_initialized: its storage is ready.
set -eu
client=(mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --batch --skip-column-names)
[ $# -gt 0 ] || { echo "at least one check required: --connect, --innodb_initialized" >&2; exit 1; }
for check in "$@"; do
  case $check in
    --connect) "${client[@]}" --protocol=tcp --host=127.0.0.1 -e 'SELECT 1' >/dev/null ;;
    --innodb_initialized)
      [ "$("${client[@]}" --protocol=socket -e "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT', 'ENABLED')")" = 1 ] ;;
    *) echo "healthcheck.sh does not know $check" >&2; exit 1 ;;
  esac
done
