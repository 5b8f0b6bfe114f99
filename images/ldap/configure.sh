#!/bin/bash
# Load the schemas, the default tree and the files of IMPORT_LDIF into the running slapd, once. As upstream: no step waits for the
# success of the one before, and the first entry refused ends its file (dcm4chee.md §1.2).
set -u

# load DN PASSWORD [FILE]: the password goes through a pipe, not through the process list.
load() {
  ldapadd -x -H "$LDAP_URLS" -D "$1" -y <(printf %s "$2") ${3:+-f "$3"} ||
    echo "ldap: not everything of ${3:-the default tree} was loaded" >&2
}

for schema in dicom dcm4che dcm4chee-archive dcm4chee-archive-ui; do
  load cn=admin,cn=config "$LDAP_CONFIGPASS" /etc/openldap/schema/$schema.ldif
done

/etc/openldap/default-tree.sh base | load "cn=admin,$LDAP_BASE_DN" "$LDAP_ROOTPASS"
if [ "${SKIP_INIT_CONFIG:-}" != true ]; then
  /etc/openldap/default-tree.sh devices | load "cn=admin,$LDAP_BASE_DN" "$LDAP_ROOTPASS"
  /etc/openldap/default-tree.sh users | load "cn=admin,$LDAP_BASE_DN" "$LDAP_ROOTPASS"
fi
for file in ${IMPORT_LDIF:-}; do
  load "cn=admin,$LDAP_BASE_DN" "$LDAP_ROOTPASS" "$file"
done
echo "ldap: first initialisation done"
