#!/bin/sh
# Print cn=config: one database for LDAP_BASE_DN, everything but userPassword readable by anyone (dcm4chee.md §2.1).
set -eu

# Before anything is printed, where a failure ends the script; through a pipe, not through the process list.
config_password=$(printf %s "$LDAP_CONFIGPASS" | slappasswd -T /dev/stdin)
root_password=$(printf %s "$LDAP_ROOTPASS" | slappasswd -T /dev/stdin)

cat <<END
dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: /run/openldap/slapd.pid
olcArgsFile: /run/openldap/slapd.args
END
if [ -r "$LDAP_TLS_CERT" ]; then
  cat <<END
olcTLSCACertificateFile: $LDAP_TLS_CACERT
olcTLSCertificateFile: $LDAP_TLS_CERT
olcTLSCertificateKeyFile: $LDAP_TLS_KEY
olcTLSVerifyClient: $LDAP_TLS_VERIFY
END
fi
cat <<END

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/nis.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase=config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: config
olcRootDN: cn=admin,cn=config
olcRootPW: $config_password

dn: olcDatabase=mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: mdb
olcDbDirectory: /var/lib/openldap/openldap-data
olcDbMaxSize: 1073741824
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcSuffix: $LDAP_BASE_DN
olcRootDN: cn=admin,$LDAP_BASE_DN
olcRootPW: $root_password
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by * read
END
