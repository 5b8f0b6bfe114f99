#!/bin/bash
# Starts MariaDB as uid 999. An empty data directory is initialised first, with a server that listens on its socket only. Contract of the
# official mariadb image, as far as the lab uses it (openemr.md §1.6): MARIADB_{ROOT_PASSWORD,DATABASE,USER,PASSWORD}, each also with
# the prefix MYSQL_ and as *_FILE; scripts in /docker-entrypoint-initdb.d; healthcheck.sh; CMD is mariadbd with its options.
set -eu -o pipefail

case ${1:-} in
  -*) set -- mariadbd "$@" ;;
esac
if [ "${1:-}" != mariadbd ]; then
  exec "$@"
fi
data=/var/lib/mysql

refuse() {
  echo "mariadb refuses to start: $*" >&2
  exit 1
}

# setting NAME: its value from MARIADB_NAME or MYSQL_NAME, or from the file that one of them with _FILE names; two of them are an error.
setting() {
  local name value='' seen=''
  for name in "MARIADB_$1" "MYSQL_$1"; do
    local file_variable=${name}_FILE
    if [ -n "${!name:-}" ]; then
      [ -z "$seen" ] || refuse "both $seen and $name are set (but are exclusive)"
      seen=$name value=${!name}
    fi
    if [ -n "${!file_variable:-}" ]; then
      [ -z "$seen" ] || refuse "both $seen and $file_variable are set (but are exclusive)"
      [ -r "${!file_variable}" ] || refuse "$file_variable names ${!file_variable}, which cannot be read"
      seen=$file_variable value=$(<"${!file_variable}")
    fi
  done
  printf %s "$value"
}

# A text as an SQL literal.
literal() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

as_mysql=()
if [ "$(id -u)" = 0 ]; then
  as_mysql=(setpriv --reuid=mysql --regid=mysql --clear-groups)
  mkdir -p "$data" /run/mysqld
  find "$data" /run/mysqld \! -user mysql -exec chown mysql:mysql {} +
fi

initialise() {
  local root database user password
  root=$(setting ROOT_PASSWORD) database=$(setting DATABASE) user=$(setting USER) password=$(setting PASSWORD)
  [ -n "$root" ] || refuse "the database is uninitialised and no password is given: set MARIADB_ROOT_PASSWORD or MARIADB_ROOT_PASSWORD_FILE"
  [ -z "$user" ] || [ -n "$password" ] || refuse "MARIADB_USER is set and MARIADB_PASSWORD is not"
  "${as_mysql[@]}" mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --skip-log-bin >/dev/null

  "${as_mysql[@]}" mariadbd --datadir="$data" --skip-networking --socket=/run/mysqld/mysqld.sock "$@" &
  local server=$! sql=(mariadb --no-defaults --protocol=socket --socket=/run/mysqld/mysqld.sock --user=root --batch)
  for _ in $(seq 300); do
    "${sql[@]}" -e 'SELECT 1' >/dev/null 2>&1 && break
    [ -d /proc/$server ] || refuse "the server that initialises the database ended"
    sleep 0.1
  done
  # mariadb-tzinfo-to-sql: CONVERT_TZ with names of zones needs the tables.
  mariadb-tzinfo-to-sql /usr/share/zoneinfo 2>/dev/null | "${sql[@]}" mysql
  local health
  health=$(head -c 24 /dev/urandom | base64 | tr -d '/+=')
  {
    [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [ -n "$user" ]; then
      echo "CREATE USER $(literal "$user")@'%' IDENTIFIED BY $(literal "$password");"
      [ -z "$database" ] || echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(literal "$user")@'%';"
    fi
    for host in 127.0.0.1 ::1 localhost; do
      echo "CREATE USER healthcheck@'$host' IDENTIFIED BY '$health';"
    done
    echo "CREATE USER root@'%' IDENTIFIED BY $(literal "$root"); GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    echo "DROP USER IF EXISTS root@'$(hostname)', root@'127.0.0.1', root@'::1';"
    echo "ALTER USER root@localhost IDENTIFIED BY $(literal "$root");"
  } | "${sql[@]}"
  export MYSQL_PWD=$root
  [ -z "$database" ] || sql+=("--database=$database")
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else bash -eu "$file"; fi ;;
      *.sql) "${sql[@]}" <"$file" ;;
      *.sql.gz) gunzip -c "$file" | "${sql[@]}" ;;
      */\*) ;;
      *) refuse "it does not know what to do with $file (.sh, .sql and .sql.gz are known)" ;;
    esac
  done
  (umask 077 && printf '[mariadb-client]\nport=3306\nsocket=/run/mysqld/mysqld.sock\nuser=healthcheck\npassword=%s\n' "$health" >"$data/.my-healthcheck.cnf")
  [ "$(id -u)" != 0 ] || chown mysql:mysql "$data/.my-healthcheck.cnf"
  # Not by a signal: root without the capability KILL may send none to another user's process.
  "${sql[@]}" -e SHUTDOWN
  wait $server
  echo "MariaDB init process done. Ready for start up."
}

if [ ! -d "$data/mysql" ]; then
  # In a subshell: what it reads from secret files does not reach the environment of the server.
  (initialise "${@:2}")
fi
# The passwords are read at the first boot only and are nothing for the server's environment.
unset MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD MARIADB_PASSWORD MYSQL_PASSWORD
exec "${as_mysql[@]}" "$@"
