#!/bin/sh
# Print cn=config: one database for LDAP_BASE_DN, everything but userPassword readable by anyone (dcm4chee.md §2.1).
set -eu

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
olcRootPW: $(slappasswd -s "$LDAP_CONFIGPASS")

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
olcRootPW: $(slappasswd -s "$LDAP_ROOTPASS")
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by * read
END
