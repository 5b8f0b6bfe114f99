#!/bin/bash
# Prepares volumes and secrets as root, then drops to wildfly (1023:1023). Contract: dcm4chee.md §1.1, §9.2.
set -eu

refuse() {
  echo "arc stand-in: $*" >&2
  exit 1
}

# secret VAR [DEFAULT]: the value of VAR, or of the file that VAR_FILE names. An empty variable counts as not set; a file's
# trailing newlines are dropped, a carriage return stays.
secret() {
  local name=$1 value file
  value=${!name:-}
  file=${name}_FILE
  file=${!file:-}
  if [ -n "$value" ] && [ -n "$file" ]; then
    refuse "both $name and ${name}_FILE are set, but are exclusive"
  fi
  if [ -n "$file" ]; then
    [ -r "$file" ] || refuse "${name}_FILE names $file, which cannot be read"
    value=$(< "$file")
  elif [ -z "$value" ]; then
    value=${2:-}
  fi
  export "$name=$value"
  unset "${name}_FILE"
}

# What changes upstream's behaviour and is lacking here must not be ignored.
lacks() {
  local name
  for name in "$@"; do
    [ -z "${!name:-}" ] || refuse "$name is set, but this stand-in lacks what it asks for; use the upstream image"
  done
}

if [ "${1:-}" != standalone.sh ]; then
  exec "$@"
fi

[ "$(id -u)" = 0 ] || refuse "must be started as root (it drops to wildfly by itself); remove user:"

secret LDAP_ROOTPASS secret
secret POSTGRES_USER pacs
secret POSTGRES_PASSWORD pacs
secret KEYSTORE_PASSWORD secret
secret KEY_PASSWORD "$KEYSTORE_PASSWORD"
secret TRUSTSTORE_PASSWORD changeit
secret EXTRA_CACERTS_PASSWORD secret
secret WILDFLY_ADMIN_USER
secret WILDFLY_ADMIN_PASSWORD

[ "${WILDFLY_DEPLOY_UI:-}" != only ] || refuse "WILDFLY_DEPLOY_UI=only: this stand-in has no user interface"
[ "${NEED_CLIENT_AUTH:-false}" = false ] || refuse "NEED_CLIENT_AUTH: this stand-in has no HTTPS port"
[ "${DCM4CHEE_ARC_URLS:-/dcm4chee-arc}" = /dcm4chee-arc ] || refuse "DCM4CHEE_ARC_URLS: this stand-in knows /dcm4chee-arc only"
if [ -n "$WILDFLY_ADMIN_USER" ] && [ -n "$WILDFLY_ADMIN_PASSWORD" ]; then
  refuse "WILDFLY_ADMIN_USER: this stand-in has no management port"
fi
lacks LOGSTASH_HOST GELF_FACILITY GELF_LEVEL AUTH_SERVER_URL UI_AUTH_SERVER_URL UI_MANAGEMENT_URL REALM_NAME UI_CLIENT_ID RS_CLIENT_ID \
  WILDFLY_INIT POSTGRES_JDBC_PARAMS HTTPS_PORT MANAGEMENT_HTTP_PORT MANAGEMENT_HTTPS_PORT REDIRECT_HTTPS_PORT

standalone=$JBOSS_HOME/standalone
mkdir -p "$standalone/configuration" "$standalone/data" "$standalone/log"
chown wildfly:wildfly "$standalone" "$standalone"/{configuration,data,log}

for folder in ${WILDFLY_CHOWN:-}; do
  if [ ! -f "$folder/chown.done" ]; then
    touch "$folder/chown.done"
    echo "chown -R wildfly:wildfly $folder"
    chown -R wildfly:wildfly "$folder"
  fi
done

for target in ${WILDFLY_WAIT_FOR:-}; do
  echo "Waiting for $target ..."
  until nc -w 1 -z "${target%:*}" "${target##*:}"; do sleep 1; done
  echo "done"
done

[ -z "${WILDFLY_START_DELAY:-}" ] || sleep "$WILDFLY_START_DELAY"

exec chroot --userspec=wildfly:wildfly / "$@"
