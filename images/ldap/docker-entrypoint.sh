#!/bin/bash
# Starts slapd as root, which then becomes ldap (uid 1021). The first start (no cn=config yet) also loads the configuration and the
# default tree, the latter in the background while slapd already answers, as the upstream image does (dcm4chee.md §1.2, §9.2).
set -eu

if [ "${1:-}" != slapd ]; then
  exec "$@"
fi

refuse() {
  echo "ldap stand-in refuses to start: $*" >&2
  exit 1
}

# Upstream's entrypoint empties the password that a *_FILE variable names, loads nothing and stays up (dcm4chee.md §0 trap 2).
for variable in LDAP_ROOTPASS_FILE LDAP_CONFIGPASS_FILE; do
  [ -z "${!variable:-}" ] || refuse "$variable is set, but the upstream image would read an empty password from it." \
    "Export the password inside the container instead, see images/README.md"
done
# What upstream acts on and this image does not.
for variable in LDAP_REPLICATION_HOSTS LDAP_REPLICATION_DB_SYNCPROV LDAP_EXTRA_HOST LDAP_EXTRA_HOST_IP_PREFIX LDAP_INIT_SCHEMA \
  LDAP_UPDATE_SCHEMA LDAP_INIT_CONFIG LDAP_INIT_USERS LDAP_INIT_CMDS LDAP_CONFIG_SED LDAP_USER_ID LDAP_GROUP_ID EXT_VENDOR_DATA_PATH; do
  [ -z "${!variable:-}" ] || refuse "it does not support $variable"
done
export LDAP_ROOTPASS="${LDAP_ROOTPASS:-secret}" LDAP_CONFIGPASS="${LDAP_CONFIGPASS:-secret}"
for variable in LDAP_ROOTPASS LDAP_CONFIGPASS; do
  # Upstream expands them unquoted: another alphabet breaks there (dcm4chee.md §1.2).
  [[ ${!variable} =~ ^[A-Za-z0-9_.][A-Za-z0-9_.-]*$ ]] || refuse "$variable may hold A-Z a-z 0-9 _ . - only, and not begin with -"
done
if [[ $LDAP_URLS = *ldaps://* ]]; then
  for file in "$LDAP_TLS_CACERT" "$LDAP_TLS_CERT" "$LDAP_TLS_KEY"; do
    [ -r "$file" ] || refuse "LDAP_URLS names ldaps, but $file is not there (no sample certificate is shipped)"
  done
fi

chown -R ldap:ldap /var/lib/openldap/openldap-data /etc/openldap/slapd.d /run/openldap
if [ ! -f /etc/openldap/slapd.d/cn=config.ldif ]; then
  /etc/openldap/server-config.sh | setpriv --reuid=ldap --regid=ldap --clear-groups slapadd -n 0 -F /etc/openldap/slapd.d
  # The two seconds are upstream's: whoever takes an open port for a loaded tree must find out.
  (sleep 2 && exec /etc/openldap/configure.sh) &
fi
printf 'TLS_CERT %s\nTLS_KEY %s\nTLS_CACERT %s\nTLS_REQCERT %s\n' \
  "$LDAP_TLS_CERT" "$LDAP_TLS_KEY" "$LDAP_TLS_CACERT" "$LDAP_TLS_REQCERT" >/etc/ldap/ldap.conf

# slapd sizes its connection table by this limit: gigabytes where Docker's is a million (dcm4chee.md §1.1, memory).
ulimit -n 1024
exec "$@" -F /etc/openldap/slapd.d -d "$LDAP_DEBUG" -h "$LDAP_URLS"
