#!/bin/bash
# Starts PostgreSQL as uid 999. An empty data directory is initialised first, with a server that listens on the unix socket only, so
# that a check by TCP cannot take it for the real one (dcm4chee.md §1.3). Contract of the official postgres image.
set -eu -o pipefail

if [ "${1:-}" != postgres ]; then
  exec "$@"
fi

refuse() {
  echo "PostgreSQL refuses to start: $*" >&2
  exit 1
}

# from_file VARIABLE: take it from the file that VARIABLE_FILE names; both together are an error.
from_file() {
  local file_variable=${1}_FILE
  [ -n "${!file_variable:-}" ] || return 0
  [ -z "${!1:-}" ] || refuse "both $1 and $file_variable are set (but are exclusive)"
  [ -r "${!file_variable}" ] || refuse "$file_variable names ${!file_variable}, which cannot be read"
  printf -v "$1" %s "$(<"${!file_variable}")"
  unset "$file_variable"
}

as_postgres=()
if [ "$(id -u)" = 0 ]; then
  as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  # Only where it is needed, so that CHOWN and FOWNER are needed only there.
  mkdir -p "$PGDATA" /var/run/postgresql
  find "$PGDATA" \! -user postgres -exec chown postgres:postgres {} +
  "${as_postgres[@]}" test -w /var/run/postgresql || chown postgres:postgres /var/run/postgresql
fi

initialise() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER
  from_file POSTGRES_DB
  from_file POSTGRES_INITDB_ARGS
  local user=${POSTGRES_USER:-postgres} password=${POSTGRES_PASSWORD:-} arguments=()
  local database=${POSTGRES_DB:-$user} method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || refuse "POSTGRES_INITDB_WALDIR is not supported"
  [ -n "$password" ] || [ "$method" = trust ] || refuse "the database is uninitialised and no superuser password is given:" \
    "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to a value that is not empty"
  read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"

  # initdb takes the server's time zone from TZ. The pipe that hands over the password must belong to who opens it.
  export PGPASSWORD=$password POSTGRES_USER=$user POSTGRES_DB=$database
  "${as_postgres[@]}" bash -c 'initdb --pwfile=<(echo "$PGPASSWORD") "$@"' initdb --username="$user" "${arguments[@]}"
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

  "${as_postgres[@]}" pg_ctl -w -D "$PGDATA" -o "-c listen_addresses=''" start
  local sql=("${as_postgres[@]}" psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$user" --no-password)
  if [ "$database" != postgres ]; then
    "${sql[@]}" --dbname postgres --set database="$database" <<<'CREATE DATABASE :"database";'
  fi
  sql+=(--dbname "$database")
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "${as_postgres[@]}" "$file"; else "${as_postgres[@]}" bash -eu "$file"; fi ;;
      *.sql) "${sql[@]}" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | "${sql[@]}" ;;
      */\*) ;;
      *) refuse "it does not know what to do with $file (.sh, .sql and .sql.gz are known)" ;;
    esac
  done
  "${as_postgres[@]}" pg_ctl -w -D "$PGDATA" -m fast stop
  echo "PostgreSQL init process complete; ready for start up."
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # In a subshell: what it reads from secret files does not reach the environment of the server.
  (initialise)
fi
exec "${as_postgres[@]}" "$@"
