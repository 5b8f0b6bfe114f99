#!/bin/sh
# Print a part of the default tree as LDIF: base, devices or users. It holds the entries of the upstream image's default configuration
# (dcm4chee.md §2.1, §2.3, §4.1, §4.4; same names, same values) that a lab reads or changes, in the same order. The transfer
# capabilities are a handful of examples, since the archive stand-in does not read them. Left out: attribute filters, compression,
# metrics, rejection notes, permissions of the user interface, vendor data.
set -eu

config="cn=DICOM Configuration,$LDAP_BASE_DN"
devices="cn=Devices,$config"
archive="dicomDeviceName=$ARCHIVE_DEVICE_NAME,$devices"

# root CN OBJECTCLASS PARENT
root() {
  cat <<END

dn: cn=$1,$3
objectClass: $2
cn: $1
END
}

# device NAME [PRIMARY-TYPE]
device() {
  cat <<END

dn: dicomDeviceName=$1,$devices
objectClass: dicomDevice
objectClass: dcmDevice
dicomDeviceName: $1
dicomInstalled: TRUE
${2:+dicomPrimaryDeviceType: $2}
END
}

# connection DEVICE CN HOST [PORT [PROTOCOL]]; further attributes on stdin
connection() {
  cat <<END

dn: cn=$2,dicomDeviceName=$1,$devices
objectClass: dicomNetworkConnection
objectClass: dcmNetworkConnection
cn: $2
dicomHostname: $3
END
  [ -z "${4:-}" ] || echo "dicomPort: $4"
  [ -z "${5:-}" ] || echo "dcmProtocol: $5"
  cat
}

listening="dcmBindAddress: 0.0.0.0
dcmClientBindAddress: 0.0.0.0
dcmTCPConnectTimeout: 5000
dcmResponseTimeout: 5000
dcmIdleTimeout: 300000"
association="dcmMaxOpsInvoked: 0
dcmMaxOpsPerformed: 0
dcmAARQTimeout: 5000
dcmAAACTimeout: 5000
dcmARRPTimeout: 5000
dcmAATimeout: 5000
dcmSendTimeout: 5000
dcmStoreTimeout: 300000
dcmRetrieveTimeout: 300000"
tls="dicomTLSCipherSuite: TLS_RSA_WITH_AES_128_CBC_SHA
dicomTLSCipherSuite: SSL_RSA_WITH_3DES_EDE_CBC_SHA"

# unique_aet TITLE
unique_aet() {
  cat <<END

dn: dicomAETitle=$1,cn=Unique AE Titles Registry,$config
objectClass: dicomUniqueAETitle
dicomAETitle: $1
END
}

# unique_webapp NAME
unique_webapp() {
  cat <<END

dn: dcmWebAppName=$1,cn=Unique Web Application Names Registry,$config
objectClass: dcmUniqueWebAppName
dcmWebAppName: $1
END
}

# archive_ae TITLE VIEW DESCRIPTION; further attributes on stdin
archive_ae() {
  cat <<END

dn: dicomAETitle=$1,$archive
objectClass: dicomNetworkAE
objectClass: dcmNetworkAE
objectClass: dcmArchiveNetworkAE
dicomAETitle: $1
dicomDescription: $3
dicomAssociationInitiator: TRUE
dicomAssociationAcceptor: TRUE
dicomNetworkConnectionReference: cn=dicom,$archive
dicomNetworkConnectionReference: cn=dicom-tls,$archive
dcmQueryRetrieveViewID: $2
END
  cat
}

# peer_ae DEVICE TITLE
peer_ae() {
  cat <<END

dn: dicomAETitle=$2,dicomDeviceName=$1,$devices
objectClass: dicomNetworkAE
objectClass: dcmNetworkAE
dicomAETitle: $2
dicomAssociationInitiator: TRUE
dicomAssociationAcceptor: TRUE
dicomNetworkConnectionReference: cn=dicom,dicomDeviceName=$1,$devices
END
}

# capability TITLE NAME ROLE SOP-CLASS TRANSFER-SYNTAX…
capability() {
  cat <<END

dn: cn=$2 $3,dicomAETitle=$1,$archive
objectClass: dicomTransferCapability
objectClass: dcmTransferCapability
cn: $2 $3
dicomTransferRole: $3
dicomSOPClass: $4
END
  shift 4
  printf 'dicomTransferSyntax: %s\n' "$@"
}

# coercion TITLE CN DIMSE [SOP-CLASS]: the issuer that objects without one get, made of the patient's name and birth date
coercion() {
  cat <<END

dn: cn=$2,dicomAETitle=$1,$archive
objectClass: dcmArchiveAttributeCoercion2
cn: $2
dcmDIMSE: $3
dicomTransferRole: SCU
dcmURI: merge-attrs:
dcmProperty: IssuerOfPatientID!=.+
dcmMergeAttribute: IssuerOfPatientID=DCM4CHEE.{PatientName,hash}.{PatientBirthDate,hash}
END
  [ -z "${4:-}" ] || echo "dcmSOPClass: $4"
}

# web_app NAME AE-TITLE PATH DESCRIPTION CLASS…; further attributes on stdin
web_app() {
  cat <<END

dn: dcmWebAppName=$1,$archive
objectClass: dcmWebApp
dcmWebAppName: $1
dcmWebServicePath: $3
dicomDescription: $4
END
  [ -z "$2" ] || echo "dicomAETitle: $2"
  shift 4
  printf 'dcmWebServiceClass: %s\n' "$@"
  cat
}

# view ID; further attributes on stdin
view() {
  cat <<END

dn: dcmQueryRetrieveViewID=$1,$archive
objectClass: dcmQueryRetrieveView
dcmQueryRetrieveViewID: $1
END
  cat
}

# order_status STATUS ORC-1_ORC-5…
order_status() {
  cat <<END

dn: dcmSPSStatus=$1,$archive
objectClass: hl7OrderSPSStatus
dcmSPSStatus: $1
END
  shift
  printf 'hl7OrderControlStatus: %s\n' "$@"
}

# id_generator NAME FORMAT
id_generator() {
  cat <<END

dn: dcmIDGeneratorName=$1,$archive
objectClass: dcmIDGenerator
dcmIDGeneratorName: $1
dcmIDGeneratorFormat: $2
END
}

# group CN PARENT MEMBER-UID…
group() {
  cat <<END

dn: cn=$1,$2
objectClass: groupOfNames
cn: $1
END
  shift 2
  printf "member: uid=%s,ou=users,$LDAP_BASE_DN\n" "$@"
}

# unit OU
unit() {
  cat <<END

dn: ou=$1,$LDAP_BASE_DN
objectClass: top
objectClass: organizationalUnit
ou: $1
END
}

quality='dcmShowInstancesRejectedByCode: (113001, DCM, "Rejected for Quality Reasons")'
safety='dcmShowInstancesRejectedByCode: (113037, DCM, "Rejected for Patient Safety Reasons")'
wrong_mwl='dcmShowInstancesRejectedByCode: (113038, DCM, "Incorrect Modality Worklist Entry")'
expired='dcmShowInstancesRejectedByCode: (113039, DCM, "Data Retention Policy Expired")'
only='dcmHideNotRejectedInstances: TRUE'

base() {
  cat <<END
dn: $LDAP_BASE_DN
objectClass: top
objectClass: dcObject
objectClass: organization
o: $LDAP_ORGANISATION
END
}

archive_device() {
  cat <<END

dn: $archive
objectClass: dicomDevice
objectClass: dcmDevice
objectClass: dcmArchiveDevice
dicomDeviceName: $ARCHIVE_DEVICE_NAME
dicomInstalled: TRUE
dicomPrimaryDeviceType: ARCHIVE
dicomManufacturer: dcm4che.org
dicomManufacturerModelName: dcm4chee-arc
dcmFuzzyAlgorithmClass: org.dcm4che3.soundex.ESoundex
dcmKeyStoreURL: file://\${env.KEYSTORE}
dcmKeyStoreType: \${env.KEYSTORE_TYPE}
dcmKeyStorePin: \${env.KEYSTORE_PASSWORD}
dcmKeyStoreKeyPin: \${env.KEY_PASSWORD}
dcmTrustStoreURL: file://\${env.TRUSTSTORE}
dcmTrustStoreType: \${env.TRUSTSTORE_TYPE}
dcmTrustStorePin: \${env.TRUSTSTORE_PASSWORD}
dcmAECacheStaleTimeout: PT5M
dcmTaskPollingInterval: PT1M
dcmQidoMaxNumberOfResults: 1000
dcmOverwritePolicy: SAME_SOURCE
hl7PatientArrivalMessageType: ADT^A10
hl7PSUTemplateParam: PlacerOrderNumberImagingServiceRequest={StudyInstanceUID}
hl7PSUTemplateParam: FillerOrderNumberImagingServiceRequest={StudyInstanceUID}
hl7PSUTemplateParam: RequestedProcedureID={StudyInstanceUID}
hl7PSUTemplateParam: AccessionNumber={StudyInstanceUID}
END
  for status in STARTED DEPARTED CANCELED DISCONTINUED COMPLETED; do
    printf 'dcmHideSPSWithStatusFromMWL: %s\ndcmHideSPSWithStatusFromMWLRS: %s\n' $status $status
  done

  connection "$ARCHIVE_DEVICE_NAME" hl7 "$ARCHIVE_HOST" "$HL7_PORT" HL7 <<END
$listening
END
  connection "$ARCHIVE_DEVICE_NAME" dicom "$ARCHIVE_HOST" "$DICOM_PORT" <<END
$listening
$association
END
  connection "$ARCHIVE_DEVICE_NAME" hl7-tls "$ARCHIVE_HOST" "$HL7_TLS_PORT" HL7 <<END
$listening
$tls
END
  connection "$ARCHIVE_DEVICE_NAME" dicom-tls "$ARCHIVE_HOST" "$DICOM_TLS_PORT" <<END
$listening
$association
$tls
END
  syslog_connections "$ARCHIVE_DEVICE_NAME" "$ARCHIVE_HOST"
  audit_logger "$ARCHIVE_DEVICE_NAME"

  cat <<END

dn: dcmStorageID=fs1,$archive
objectClass: dcmStorage
dcmStorageID: fs1
dcmURI: file://$STORAGE_DIR/
dcmDigestAlgorithm: MD5
dcmCheckMountFilePath: NO_MOUNT

dn: dcmQueueName=HL7Send,$archive
objectClass: dcmQueue
dcmQueueName: HL7Send
dicomDescription: HL7 Forward Tasks
dcmMaxRetries: 10
dcmRetryDelay: PT30S
dcmMaxRetryDelay: PT10M
dcmRetryDelayMultiplier: 200
dcmPurgeQueueMessageCompletedDelay: P1D

dn: hl7ApplicationName=*,$archive
objectClass: hl7Application
objectClass: dcmArchiveHL7Application
hl7ApplicationName: *
dicomDescription: Default HL7 Receiver
dicomAETitle: $AE_TITLE
hl7DefaultCharacterSet: 8859/1
hl7SendingCharacterSet: 8859/1
dicomNetworkConnectionReference: cn=hl7,$archive
dicomNetworkConnectionReference: cn=hl7-tls,$archive
END
  for event in A01 A02 A03 A04 A05 A06 A07 A08 A10 A11 A12 A13 A28 A31 A38 A40 A47; do
    echo "hl7AcceptedMessageType: ADT^$event"
  done
  printf 'hl7AcceptedMessageType: %s\n' ORM^O01 OMI^O23 OMG^O19 ORU^R01 SIU^S12 SIU^S13 SIU^S15

  archive_ae "$AE_TITLE" hideRejected 'Hide instances rejected for Quality Reasons' <<END
dcmObjectStorageID: fs1
END
  archive_ae "$AE_TITLE_WORKLIST" hideRejected 'Modality and Unified Worklist' </dev/null
  archive_ae "$AE_TITLE_AS_RECEIVED" iocmDisabled 'Retrieve instances as received without hiding rejected instances' </dev/null
  archive_ae "$AE_TITLE_IOCM_EXPIRED" dataRetentionPolicyExpired 'Only show instances rejected for Data Retention Expired' </dev/null
  archive_ae "$AE_TITLE_IOCM_QUALITY" rejectedForQualityReasons 'Only show instances rejected for Quality Reasons' </dev/null
  archive_ae "$AE_TITLE_IOCM_WRONG_MWL" incorrectModalityWorklistEntry \
    'Only show instances rejected for Incorrect Modality Worklist Entry' </dev/null
  archive_ae "$AE_TITLE_IOCM_PAT_SAFETY" rejectedForPatientSafetyReasons \
    'Only show instances rejected for Patient Safety Reasons' </dev/null
  archive_ae "$AE_TITLE_IOCM_REGULAR_USE" regularUse 'Show instances rejected for Quality Reasons' </dev/null

  order_status CANCELED CA_CA
  order_status COMPLETED XO_CM SC_CM SC_A
  order_status SCHEDULED NW_SC NW_IP XO_SC
  order_status DISCONTINUED DC_CA
  cat <<END

dn: cn=Default Scheduled Station,$archive
objectClass: hl7OrderScheduledStation
cn: Default Scheduled Station
hl7OrderScheduledStationDeviceReference: dicomDeviceName=$SCHEDULED_STATION_DEVICE_NAME,$devices
END
  id_generator PatientID 'P-%08d'
  id_generator AccessionNumber 'A-%08d'
  id_generator RequestedProcedureID 'RP-%08d'
  id_generator ScheduledProcedureStepID 'SPS-%08d'

  printf '%s\n' 'dcmHideRejectionNoteWithCode: (113039, DCM, "Data Retention Policy Expired")' | view hideRejected
  printf '%s\n' "$quality" | view regularUse
  printf '%s\n' "$quality" "$safety" "$wrong_mwl" "$expired" | view iocmDisabled
  printf '%s\n' "$only" "$quality" | view rejectedForQualityReasons
  printf '%s\n' "$only" "$safety" | view rejectedForPatientSafetyReasons
  printf '%s\n' "$only" "$wrong_mwl" | view incorrectModalityWorklistEntry
  printf '%s\n' "$only" "$expired" | view dataRetentionPolicyExpired

  coercion "$AE_TITLE" SupplementIssuerOfPatientID C_STORE_RQ
  coercion "$AE_TITLE" SupplementIssuerOfPatientIDOnMPPS N_CREATE_RQ 1.2.840.10008.3.1.2.3.3
  coercion "$AE_TITLE_WORKLIST" SupplementIssuerOfPatientIDOnMPPS N_CREATE_RQ 1.2.840.10008.3.1.2.3.3

  implicit=1.2.840.10008.1.2
  explicit=1.2.840.10008.1.2.1
  capability "$AE_TITLE" 'Verification SOP Class' SCP 1.2.840.10008.1.1 $implicit
  capability "$AE_TITLE" 'CT Image Storage' SCP 1.2.840.10008.5.1.4.1.1.2 $implicit $explicit
  capability "$AE_TITLE" 'Study Root Query Retrieve Information Model - FIND' SCP 1.2.840.10008.5.1.4.1.2.2.1 $implicit
  capability "$AE_TITLE" 'Storage Commitment Push Model SOP Class' SCP 1.2.840.10008.1.20.1 $implicit
  capability "$AE_TITLE_WORKLIST" 'Verification SOP Class' SCP 1.2.840.10008.1.1 $implicit
  capability "$AE_TITLE_WORKLIST" 'Modality Worklist Information Model - FIND' SCP 1.2.840.10008.5.1.4.31 $implicit
  capability "$AE_TITLE_WORKLIST" 'Modality Performed Procedure Step SOP Class' SCP 1.2.840.10008.3.1.2.3.3 $implicit

  context=/$ARCHIVE_WEBAPP_NAME
  web_app "$ARCHIVE_WEBAPP_NAME" '' "$context" 'Forward Reschedule Task(s)' DCM4CHEE_ARC </dev/null
  web_app "$AE_TITLE" "$AE_TITLE" "$context/aets/$AE_TITLE/rs" 'Hide instances rejected for Quality Reasons' \
    WADO_RS STOW_RS QIDO_RS MPPS_RS QIDO_COUNT DCM4CHEE_ARC_AET <<END
$(viewer_links)
END
  web_app "$AE_TITLE-WADO" "$AE_TITLE" "$context/aets/$AE_TITLE/wado" 'Hide instances rejected for Quality Reasons' \
    WADO_URI </dev/null
  web_app "$AE_TITLE_WORKLIST" "$AE_TITLE_WORKLIST" "$context/aets/$AE_TITLE_WORKLIST/rs" 'Modality and Unified Worklist' \
    UPS_RS MWL_RS MPPS_RS DCM4CHEE_ARC_AET UPS_MATCHING </dev/null
  web_app "$AE_TITLE_AS_RECEIVED" "$AE_TITLE_AS_RECEIVED" "$context/aets/$AE_TITLE_AS_RECEIVED/rs" \
    'Retrieve instances as received without hiding rejected instances' WADO_RS QIDO_RS QIDO_COUNT DCM4CHEE_ARC_AET <<END
dcmProperty: roles=$ADMIN_USER_ROLE
END
}

# Links of the archive's user interface to a viewer; upstream takes `\&` for `&` (dcm4chee.md §1.2).
viewer_links() {
  for name in IID_PATIENT_URL IID_STUDY_URL IID_URL_TARGET; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || printf 'dcmProperty: %s=%s\n' "$name" "$value" | sed 's/\\&/\&/g'
  done
}

# syslog_connections DEVICE HOST [PORT TLS-PORT]
syslog_connections() {
  connection "$1" syslog "$2" "${3:-}" "SYSLOG_$SYSLOG_PROTOCOL" </dev/null
  connection "$1" syslog-tls "$2" "${4:-}" SYSLOG_TLS <<END
dicomInstalled: FALSE
$tls
END
}

# audit_logger DEVICE
audit_logger() {
  cat <<END

dn: cn=Audit Logger,dicomDeviceName=$1,$devices
objectClass: dcmAuditLogger
cn: Audit Logger
dcmAuditSourceTypeCode: 4
dcmAuditRecordRepositoryDeviceReference: dicomDeviceName=$SYSLOG_DEVICE_NAME,$devices
dcmAuditLoggerSpoolDirectoryURI: \${jboss.server.temp.url}
dicomNetworkConnectionReference: cn=syslog,dicomDeviceName=$1,$devices
dicomNetworkConnectionReference: cn=syslog-tls,dicomDeviceName=$1,$devices
END
}

devices() {
  root 'DICOM Configuration' dicomConfigurationRoot "$LDAP_BASE_DN"
  root Devices dicomDevicesRoot "$config"
  root 'Unique AE Titles Registry' dicomUniqueAETitlesRegistryRoot "$config"
  root 'Unique HL7 Application Names Registry' hl7UniqueApplicationNamesRegistryRoot "$config"
  root 'Unique Web Application Names Registry' dcmUniqueWebAppNamesRegistryRoot "$config"
  for title in "$AE_TITLE" "$AE_TITLE_WORKLIST" "$AE_TITLE_AS_RECEIVED" "$AE_TITLE_IOCM_EXPIRED" "$AE_TITLE_IOCM_QUALITY" \
    "$AE_TITLE_IOCM_WRONG_MWL" "$AE_TITLE_IOCM_PAT_SAFETY" "$AE_TITLE_IOCM_REGULAR_USE"; do
    unique_aet "$title"
  done
  for name in "$AE_TITLE" "$AE_TITLE_AS_RECEIVED" "$ARCHIVE_WEBAPP_NAME" "$AE_TITLE-WADO" "$AE_TITLE_WORKLIST"; do
    unique_webapp "$name"
  done
  archive_device

  device "$KEYCLOAK_DEVICE_NAME" AUTH
  syslog_connections "$KEYCLOAK_DEVICE_NAME" "$KEYCLOAK_HOST"
  audit_logger "$KEYCLOAK_DEVICE_NAME"

  device "$SYSLOG_DEVICE_NAME" LOG
  syslog_connections "$SYSLOG_DEVICE_NAME" "$SYSLOG_HOST" "$SYSLOG_PORT" "$SYSLOG_TLS_PORT"
  cat <<END

dn: cn=Audit Record Repository,dicomDeviceName=$SYSLOG_DEVICE_NAME,$devices
objectClass: dcmAuditRecordRepository
cn: Audit Record Repository
dicomNetworkConnectionReference: cn=syslog,dicomDeviceName=$SYSLOG_DEVICE_NAME,$devices
dicomNetworkConnectionReference: cn=syslog-tls,dicomDeviceName=$SYSLOG_DEVICE_NAME,$devices
END

  unique_aet "$STORESCP_AE_TITLE"
  device "$STORESCP_DEVICE_NAME"
  connection "$STORESCP_DEVICE_NAME" dicom "$STORESCP_HOST" "$STORESCP_PORT" </dev/null
  peer_ae "$STORESCP_DEVICE_NAME" "$STORESCP_AE_TITLE"

  unique_aet "$SCHEDULED_STATION_AE_TITLE"
  device "$SCHEDULED_STATION_DEVICE_NAME"
  connection "$SCHEDULED_STATION_DEVICE_NAME" dicom localhost 104 </dev/null
  peer_ae "$SCHEDULED_STATION_DEVICE_NAME" "$SCHEDULED_STATION_AE_TITLE"

  cat <<END

dn: dcmuiConfigName=default,$archive
objectClass: dcmuiConfig
dcmuiConfigName: default
dcmuiPersonNameFormat: {NAME-PREFIX} {GIVEN-NAME} {MIDDLE-NAME} {FAMILY-NAME} {NAME-SUFFIX}
END
  printf 'dcmuiModalities: %s\n' CR CT DX KO MR MG NM OT PT PR US XA # codespell:ignore
}

users() {
  unit users
  for uid in "$SUPER_USER" "$ADMIN_USER" "$REGULAR_USER"; do
    cat <<END

dn: uid=$uid,ou=users,$LDAP_BASE_DN
objectClass: inetOrgPerson
objectClass: organizationalPerson
uid: $uid
sn:: IA==
cn:: IA==
userPassword: changeit
END
  done
  group "$AUTH_USER_ROLE" "ou=users,$LDAP_BASE_DN" "$SUPER_USER" "$ADMIN_USER" "$REGULAR_USER"
  group "$SUPER_USER_ROLE" "ou=users,$LDAP_BASE_DN" "$SUPER_USER"
  group "$ADMIN_USER_ROLE" "ou=users,$LDAP_BASE_DN" "$ADMIN_USER"
  group "$REGULAR_USER_ROLE" "ou=users,$LDAP_BASE_DN" "$REGULAR_USER"
  group auditlog "ou=users,$LDAP_BASE_DN" "$SUPER_USER"
  group ADMINISTRATOR "ou=users,$LDAP_BASE_DN" "$SUPER_USER"

  unit realm-management
  for role in create-client impersonation manage-authorization manage-clients manage-events manage-identity-providers manage-realm; do
    group $role "ou=realm-management,$LDAP_BASE_DN" "$SUPER_USER"
  done
  group manage-users "ou=realm-management,$LDAP_BASE_DN" "$SUPER_USER" "$ADMIN_USER" "$REGULAR_USER"
  for role in realm-admin view-authorization view-clients view-events view-identity-providers view-realm view-users query-users \
    query-groups query-realms query-clients; do
    group $role "ou=realm-management,$LDAP_BASE_DN" "$SUPER_USER"
  done

  unit account
  group view-profile "ou=account,$LDAP_BASE_DN" "$SUPER_USER" "$ADMIN_USER" "$REGULAR_USER"
  group delete-account "ou=account,$LDAP_BASE_DN" "$SUPER_USER"
  group manage-account "ou=account,$LDAP_BASE_DN" "$SUPER_USER" "$ADMIN_USER" "$REGULAR_USER"
  group manage-consent "ou=account,$LDAP_BASE_DN" "$SUPER_USER"
  group view-applications "ou=account,$LDAP_BASE_DN" "$SUPER_USER"
}

case ${1:-} in
  base | devices | users) "$1" ;;
  *)
    echo "usage: $0 base|devices|users" >&2
    exit 2
    ;;
esac
