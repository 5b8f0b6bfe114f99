"""What the lab sets in the archive's LDAP, as entries; the plan of changes that leads there. Pure: no LDAP is asked here.

Shapes and names: dcm4chee-lab.ldif items 1 to 4, 6 and 7, dcm4chee.md §2.1, §2.2 and §4. Its item 5 (stations by modality) is not needed:
the engine sends the station in ORC-18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.pacs_emr.lab.plugins.module_utils import ldif
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldap_plan import OWNED, Plan, values_of
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldif import Attributes

#: An entry of this name says that the archive has not yet been reloaded since LDAP changed.
MARKER = "pacs-emr reload pending"
#: Connection protocols on which the archive listens (dcmProtocol; none means DICOM).
LISTENING = {"DICOM", "HL7", "HL7_MLLP2"}
#: Device of the engine.
ENGINE = "hl7-engine"
#: What the archive takes from the engine; `*` would have it answer AA to types that it does not know (dcm4chee.md §4.1).
MESSAGE_TYPES = ["ADT^A04", "ADT^A08", "ADT^A40", "ORM^O01", "ORU^R01"]

#: State of a worklist row → ``ORC-1_ORC-5`` that lead to it: upstream's, and those of an order that says nothing in ORC-5, which upstream
#: refuses with AE (dcm4chee.md §4.2).
ORDER_STATUS = {
    "SCHEDULED": ["NW_SC", "NW_IP", "XO_SC", "NW_", "XO_"],
    "CANCELED": ["CA_CA", "CA_"],
    "DISCONTINUED": ["DC_CA", "DC_"],
}


@dataclass(frozen=True)
class Hl7:
    """The archive's HL7 side. Names are ``application|facility``; ``host`` and ``port`` are where the engine takes status updates.

    ``delay`` after a study's last object, and ``poll`` for such studies, are ISO 8601 durations.
    """

    archive: str
    engine: str
    host: str
    port: int
    delay: str
    poll: str


@dataclass(frozen=True)
class Settings:
    """The lab's tables, as far as the archive's LDAP holds them. ``peers`` are rows of lab_ae_table, ``users`` uid → password."""

    base: str
    device: str
    ae_title: str
    worklist_ae_title: str
    assigning_authority: str
    peers: list[dict[str, Any]]
    users: dict[str, str]
    hl7: Hl7

    @property
    def root(self) -> str:
        """DN of the DICOM configuration."""
        return f"cn=DICOM Configuration,{self.base}"

    @property
    def devices(self) -> str:
        """DN above all devices."""
        return f"cn=Devices,{self.root}"

    @property
    def archive(self) -> str:
        """DN of the archive's device."""
        return f"dicomDeviceName={self.device},{self.devices}"

    def registry(self, ae_title: str) -> str:
        """DN of an AE title in the registry that keeps them unique."""
        return f"dicomAETitle={ldif.escape(ae_title)},cn=Unique AE Titles Registry,{self.root}"

    def hl7_registry(self, name: str) -> str:
        """DN of an HL7 application in the registry that keeps them unique."""
        return f"hl7ApplicationName={ldif.escape(name)},cn=Unique HL7 Application Names Registry,{self.root}"


def wanted(settings: Settings) -> dict[str, Attributes]:
    """Return dn → attributes that must be there, parents first; what an entry has besides stays."""
    entries: dict[str, Attributes] = {}
    for peer in settings.peers:
        title = str(peer["ae_title"])
        device = f"dicomDeviceName={ldif.escape(title.lower())},{settings.devices}"
        connection = f"cn=dicom,{device}"
        entries[settings.registry(title)] = {"objectClass": ["dicomUniqueAETitle"], "dicomAETitle": [title]}
        entries[device] = {
            "objectClass": ["dicomDevice", "dcmDevice"],
            "dicomDeviceName": [title.lower()],
            "dicomDescription": [f"{OWNED} {peer.get('description') or title}"],
            "dicomInstalled": ["TRUE"],
        }
        entries[connection] = {
            "objectClass": ["dicomNetworkConnection", "dcmNetworkConnection"],
            "cn": ["dicom"],
            "dicomHostname": [str(peer["host"])],
            "dicomPort": [str(peer["port"])],
        }
        entries[f"dicomAETitle={ldif.escape(title)},{device}"] = {
            "objectClass": ["dicomNetworkAE", "dcmNetworkAE"],
            "dicomAETitle": [title],
            "dicomAssociationInitiator": ["TRUE"],
            "dicomAssociationAcceptor": ["TRUE"],
            "dicomNetworkConnectionReference": [connection],
        }
    entries |= wanted_hl7(settings, settings.hl7)
    issuer = {"dcmMergeAttribute": [f"IssuerOfPatientID={settings.assigning_authority}"]}
    for title, coercion in (
        (settings.ae_title, "SupplementIssuerOfPatientID"),
        (settings.ae_title, "SupplementIssuerOfPatientIDOnMPPS"),
        (settings.worklist_ae_title, "SupplementIssuerOfPatientIDOnMPPS"),
    ):
        entries[f"cn={coercion},dicomAETitle={title},{settings.archive}"] = dict(issuer)
    return entries


def wanted_hl7(settings: Settings, hl7: Hl7) -> dict[str, Attributes]:
    """Return the entries of the archive's HL7 side: the engine as receiver, the named application, orders, reports, status updates."""
    device = f"dicomDeviceName={ENGINE},{settings.devices}"
    own = {"dicomDescription": [f"{OWNED} HL7 engine"]}
    entries: dict[str, Attributes] = {
        settings.hl7_registry(name): {"objectClass": ["hl7UniqueApplicationName"], "hl7ApplicationName": [name]}
        for name in (hl7.engine, hl7.archive)
    }
    entries[device] = {"objectClass": ["dicomDevice", "dcmDevice"], "dicomDeviceName": [ENGINE], "dicomInstalled": ["TRUE"], **own}
    entries[f"cn=hl7,{device}"] = {
        "objectClass": ["dicomNetworkConnection", "dcmNetworkConnection"],
        "cn": ["hl7"],
        "dicomHostname": [hl7.host],
        "dicomPort": [str(hl7.port)],
        "dcmProtocol": ["HL7"],
    }
    entries[f"hl7ApplicationName={ldif.escape(hl7.engine)},{device}"] = {
        "objectClass": ["hl7Application"],
        "hl7ApplicationName": [hl7.engine],
        "dicomNetworkConnectionReference": [f"cn=hl7,{device}"],
        **own,
    }
    entries[f"hl7ApplicationName={ldif.escape(hl7.archive)},{settings.archive}"] = {
        "objectClass": ["hl7Application", "dcmArchiveHL7Application"],
        "hl7ApplicationName": [hl7.archive],
        "dicomAETitle": [settings.ae_title],
        "hl7AcceptedSendingApplication": [hl7.engine],
        "hl7AcceptedMessageType": MESSAGE_TYPES,
        "hl7DefaultCharacterSet": ["UNICODE UTF-8"],
        "hl7SendingCharacterSet": ["UNICODE UTF-8"],
        "dicomNetworkConnectionReference": [f"cn=hl7,{settings.archive}"],
        **own,
    }
    # Upstream's application for any other receiver's name would take messages from everybody.
    entries[f"hl7ApplicationName=*,{settings.archive}"] = {"hl7AcceptedSendingApplication": [hl7.engine]}
    # MWL_COMPLETED and UPDATE_MWL_STATUS stay off: a report before the images would clear the worklist row (dcm4chee.md §4.3).
    entries[settings.archive] = {
        "hl7ScheduledProtocolCodeInOrder": ["OBR_4_1"],
        "hl7ScheduledStationAETInOrder": ["ORC_18"],
        "hl7ORUAction": ["IMPORT_REPORT"],
        "hl7PSUAction": ["SEND_NOTIFICATION"],
        "hl7PSUTrigger": ["STUDY_RECEIVED"],
        "hl7PSUMessageType": ["ORU_R01"],
        "hl7PSUDelay": [hl7.delay],
        "hl7PSUTaskPollingInterval": [hl7.poll],
        "hl7PSUSendingApplication": [hl7.archive],
        "hl7PSUReceivingApplication": [hl7.engine],
    }
    for status, controls in ORDER_STATUS.items():
        entries[f"dcmSPSStatus={status},{settings.archive}"] = {"hl7OrderControlStatus": controls}
    return entries


def plan(settings: Settings, present: Mapping[str, Attributes]) -> Plan:
    """Compare what is there with what must be and return the changes.

    :param present: dn → attributes of (at least) all devices, registry entries, coercions and users
    :raises ValueError: an AE title of the table belongs to a device that is not from the table, or an upstream entry is missing
    """
    here = {ldif.key(dn): (dn, attributes) for dn, attributes in present.items()}
    entries = wanted(settings)
    changes = Plan()
    for dn in stale(settings, present, entries):
        changes.delete(dn)
    for dn, attributes in entries.items():
        found = here.get(ldif.key(dn))
        if found is None:
            if "objectClass" not in attributes:
                raise ValueError(
                    f"LDAP has no entry {dn}: it was not first booted by the archive's LDAP image with this AE title and device"
                )
            changes.add(dn, attributes)
            continue
        differing = {
            name: values
            for name, values in attributes.items()
            if name != "objectClass" and comparable(name, values_of(found[1], name)) != comparable(name, values)
        }
        changes.replace(dn, found[1], differing)
    foreign(settings, present)
    for uid, password in settings.users.items():
        dn = f"uid={uid},ou=users,{settings.base}"
        found = here.get(ldif.key(dn))
        if found is None:
            raise ValueError(f"LDAP has no user {dn}: it was not first booted by the archive's LDAP image")
        changes.password(dn, found[1], password)
    return changes


def stale(settings: Settings, present: Mapping[str, Attributes], entries: Mapping[str, Attributes]) -> list[str]:
    """Return DNs of what came from an earlier AE table or had another HL7 name, children first."""
    keep = {ldif.key(dn) for dn in entries}
    owned = [
        dn
        for dn, attributes in present.items()
        if any(value.startswith(OWNED) for value in values_of(attributes, "dicomDescription")) and ldif.key(dn) not in keep
    ]
    below = [dn for dn in present for device in owned if ldif.key(dn).endswith("," + ldif.key(device))]
    owned = [dn for dn in owned if dn not in below]
    titles = {title for dn in below for title in values_of(present[dn], "dicomAETitle")} - {
        str(peer["ae_title"]) for peer in settings.peers
    }
    registered = {ldif.key(settings.registry(title)) for title in titles}
    names = {name for dn in [*below, *owned] for name in values_of(present[dn], "hl7ApplicationName")}
    registered |= {ldif.key(settings.hl7_registry(name)) for name in names} - keep
    gone = [dn for dn in present if ldif.key(dn) in registered]
    return gone + sorted(below, key=lambda dn: -dn.count(",")) + owned


def foreign(settings: Settings, present: Mapping[str, Attributes]) -> None:
    """Refuse AE titles of the table that another device already has, and those whose device would be one that is not from the table.

    :raises ValueError: names the AE title and the device
    """
    titles = {str(peer["ae_title"]) for peer in settings.peers}
    devices = {ldif.key(f"dicomDeviceName={ldif.escape(title.lower())},{settings.devices}"): title for title in titles}
    for dn, attributes in present.items():
        held = titles & values_of(attributes, "dicomAETitle")
        if held and "dicomNetworkAE" in values_of(attributes, "objectClass"):
            title = held.pop()
            if devices.get(ldif.parent(dn)) != title:
                raise ValueError(f"the AE title {title} of lab_ae_table already belongs to another device in LDAP: {dn.partition(',')[2]}")
        mine = any(value.startswith(OWNED) for value in values_of(attributes, "dicomDescription"))
        if ldif.key(dn) in devices and not mine:
            title = devices[ldif.key(dn)]
            raise ValueError(f"the AE title {title} of lab_ae_table would change a device in LDAP that is not from the table: {dn}")


def listeners(settings: Settings, present: Mapping[str, Attributes]) -> list[int]:
    """Return the ports on which the archive's device listens for DICOM and HL7."""
    device = ldif.key(settings.archive)
    ports = [
        int(port)
        for dn, attributes in present.items()
        if ldif.parent(dn) == device and (values_of(attributes, "dcmProtocol") or {"DICOM"}) & LISTENING
        for port in values_of(attributes, "dicomPort")
        if "dicomNetworkConnection" in values_of(attributes, "objectClass")
    ]
    return sorted(set(ports))


def comparable(name: str, values: Iterable[str]) -> set[str]:
    """Return values as they can be compared; one attribute holds DNs."""
    return {ldif.key(value) if name == "dicomNetworkConnectionReference" else value for value in values}
