"""The HL7 side of the archive's configuration in LDAP (dcm4chee.md §2.2, §4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from standin.errors import ConfigurationError

Attributes = dict[str, list[str]]
Entries = list[tuple[str, Attributes]]
# Attributes whose effect this stand-in lacks.
LACKING = ("dcmTrustedIssuerOfPatientID", "hl7PrimaryAssigningAuthorityOfPatientID", "hl7PSUCondition")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS = (86400, 3600, 60, 1)


@dataclass(frozen=True)
class StationRule:
    """Scheduled stations for orders whose fields match; a value of `conditions` is a pattern, and whether it must not match."""

    priority: int
    conditions: dict[str, tuple[re.Pattern[str], bool]]
    titles: list[str]
    names: list[str]


@dataclass(frozen=True)
class Application:
    """A receiving application; `*` takes what no other is named for."""

    name: str
    senders: frozenset[str]
    types: frozenset[str]
    character_set: str
    sending_character_set: str
    optional_fields: frozenset[int]
    # ORC-1_ORC-5 → status of the scheduled step
    statuses: dict[str, str]
    stations: list[StationRule]
    station_in_orc_18: bool
    protocol_in_obr_4_1: bool
    missing_study_uid: str
    report_actions: list[str]
    arrival: str


@dataclass(frozen=True)
class Psu:
    """Procedure Status Update; delay and interval in seconds, None when never."""

    actions: list[str]
    delay: float | None
    message_type: str
    sender: str
    receivers: list[str]
    with_patient: bool
    ordered_only: bool
    by_accession: bool
    parameters: dict[str, str]


@dataclass(frozen=True)
class Retry:
    """The queue of outgoing messages; times in seconds."""

    attempts: int = 10
    delay: float = 30
    longest: float = 600
    factor: float = 2


@dataclass(frozen=True)
class Hl7Config:
    """All of it; without a port there is no listener."""

    port: int | None = None
    applications: dict[str, Application] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    hidden_rest: frozenset[str] = frozenset()
    psu: Psu | None = None
    psu_interval: float | None = None
    retry: Retry = Retry()

    def application(self, name: str) -> Application | None:
        """Return the application of a name, else `*`, else None."""
        return self.applications.get(name) or self.applications.get("*")


def duration(text: str | None) -> float | None:
    """Return the seconds of an ISO 8601 duration such as PT1M30S. Raises ConfigurationError."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise ConfigurationError(f"{text} is no duration such as PT30S")
    return float(sum(int(number or 0) * seconds for number, seconds in zip(match.groups(), _SECONDS, strict=True)))


def read(entries: Entries, station: Callable[[str], tuple[list[str], list[str]]]) -> Hl7Config:
    """Make the configuration of the device's entries. `station` returns AE titles and station names of a device by its DN.

    Raises ConfigurationError, also for what this stand-in would have to ignore.
    """
    archives = _of_class(entries, "dcmArchiveDevice")
    if len(archives) != 1:
        raise ConfigurationError("the device is no dcmArchiveDevice")
    device_dn, device = archives[0]
    connections = {dn: int(entry["dicomPort"][0]) for dn, entry in _of_class(entries, "dicomNetworkConnection") if is_plain_hl7(entry)}
    if len(set(connections.values())) > 1:
        raise ConfigurationError(f"HL7 ports {sorted(connections.values())}: this stand-in opens exactly one")
    applications = {}
    for dn, entry in _of_class(entries, "hl7Application"):
        application = _application(dn, {**device, **entry}, entries, device_dn, station)
        if connections.keys() & set(entry.get("dicomNetworkConnectionReference", [])):
            applications[application.name] = application
    for dn, entry in entries:
        if found := [name for name in LACKING if name in entry]:
            raise ConfigurationError(f"{dn}: this stand-in lacks {', '.join(found)}")
    return Hl7Config(
        port=next(iter(connections.values()), None),
        applications=applications,
        hidden=frozenset(device.get("dcmHideSPSWithStatusFromMWL", [])),
        hidden_rest=frozenset(device.get("dcmHideSPSWithStatusFromMWLRS", [])),
        psu=_psu(next((entry for _, entry in _of_class(entries, "dicomNetworkAE") if "dcmObjectStorageID" in entry), {}), device),
        psu_interval=duration(_one(device, "hl7PSUTaskPollingInterval")),
        retry=_retry(next((entry for _, entry in _of_class(entries, "dcmQueue") if entry["dcmQueueName"] == ["HL7Send"]), {})),
    )


def _of_class(entries: Entries, name: str) -> Entries:
    return [(dn, entry) for dn, entry in entries if name in entry["objectClass"]]


def is_plain_hl7(connection: Attributes) -> bool:
    """Return whether a connection is one of HL7 without TLS that listens."""
    return connection.get("dcmProtocol") == ["HL7"] and not connection.get("dicomTLSCipherSuite") and "dicomPort" in connection


def _one(entry: Attributes, name: str) -> str | None:
    return entry.get(name, [None])[0]


def _choice(entry: Attributes, name: str, *allowed: str) -> str:
    """Return a value, the first allowed one when it is not set. Raises ConfigurationError for one that is not allowed."""
    value = _one(entry, name) or allowed[0]
    if value not in allowed:
        raise ConfigurationError(f"{name} {value}: this stand-in knows {', '.join(allowed)}")
    return value


def _choices(entry: Attributes, name: str, *allowed: str) -> list[str]:
    """Return the values. Raises ConfigurationError for one that is not allowed."""
    values = entry.get(name, [])
    if unknown := set(values) - set(allowed):
        raise ConfigurationError(f"{name} {sorted(unknown)}: this stand-in knows {', '.join(allowed)}")
    return values


def _application(
    dn: str, entry: Attributes, entries: Entries, device_dn: str, station: Callable[[str], tuple[list[str], list[str]]]
) -> Application:
    """Make an application of its attributes, those of the device where it has none."""
    own_statuses = _statuses(entries, dn)
    return Application(
        name=entry["hl7ApplicationName"][0],
        senders=frozenset(entry.get("hl7AcceptedSendingApplication", [])),
        types=frozenset(entry.get("hl7AcceptedMessageType", [])),
        character_set=_one(entry, "hl7DefaultCharacterSet") or "ASCII",
        sending_character_set=_one(entry, "hl7SendingCharacterSet") or "ASCII",
        optional_fields=frozenset(int(number) for number in entry.get("hl7OptionalMSHField", [])),
        statuses=own_statuses or _statuses(entries, device_dn),
        stations=[*_stations(entries, dn, station), *_stations(entries, device_dn, station)],
        station_in_orc_18=_choice(entry, "hl7ScheduledStationAETInOrder", "", "ORC_18") == "ORC_18",
        protocol_in_obr_4_1=_choice(entry, "hl7ScheduledProtocolCodeInOrder", "OBR_4_4", "OBR_4_1") == "OBR_4_1",
        missing_study_uid=_choice(entry, "hl7OrderMissingStudyIUIDPolicy", "GENERATE", "REJECT", "ACCESSION_BASED"),
        report_actions=_choices(entry, "hl7ORUAction", "IMPORT_REPORT", "MWL_COMPLETED"),
        arrival=_one(entry, "hl7PatientArrivalMessageType") or "",
    )


def _is_child(dn: str, parent: str) -> bool:
    """Return whether an entry stands right below another; a comma in a name is escaped."""
    return re.split(r"(?<!\\),", dn, maxsplit=1)[1] == parent


def _statuses(entries: Entries, parent: str) -> dict[str, str]:
    found = [entry for dn, entry in _of_class(entries, "hl7OrderSPSStatus") if _is_child(dn, parent)]
    return {control: entry["dcmSPSStatus"][0] for entry in found for control in entry["hl7OrderControlStatus"]}


def _stations(entries: Entries, parent: str, station: Callable[[str], tuple[list[str], list[str]]]) -> list[StationRule]:
    rules = []
    for dn, entry in _of_class(entries, "hl7OrderScheduledStation"):
        if not _is_child(dn, parent):
            continue
        conditions = {}
        for text in entry.get("dcmProperty", []):
            name, found, pattern = text.partition("=")
            if not found:
                raise ConfigurationError(f"{dn}: {text} is no condition such as OBR-24=CT")
            conditions[name.rstrip("!")] = re.compile(pattern), name.endswith("!")
        titles, names = station(entry["hl7OrderScheduledStationDeviceReference"][0])
        rules.append(StationRule(int(_one(entry, "dcmRulePriority") or 0), conditions, titles, names))
    return rules


def _psu(ae: Attributes, device: Attributes) -> Psu | None:
    """Return what the AE says, the device where it says nothing; None when there is nothing to do."""
    entry = {name: values for name, values in {**device, **ae}.items() if name.startswith("hl7PSU")}
    actions = _choices(entry, "hl7PSUAction", "SEND_NOTIFICATION", "UPDATE_MWL_STATUS")
    if not actions or not _choices(entry, "hl7PSUTrigger", "STUDY_RECEIVED"):
        return None
    return Psu(
        actions=actions,
        delay=duration(_one(entry, "hl7PSUDelay")),
        message_type=_choice(entry, "hl7PSUMessageType", "OMG_O19", "ORU_R01"),
        sender=_one(entry, "hl7PSUSendingApplication") or "",
        receivers=entry.get("hl7PSUReceivingApplication", []),
        with_patient=_one(entry, "hl7PSUPIDPV1") == "TRUE",
        ordered_only=_one(entry, "hl7PSUForRequestedProcedure") == "TRUE",
        by_accession=_choice(entry, "hl7PSUMWLMatchingKey", "StudyInstanceUID", "AccessionNumber") == "AccessionNumber",
        parameters=dict(text.split("=", 1) for text in entry.get("hl7PSUTemplateParam", [])),
    )


def _retry(queue: Attributes) -> Retry:
    return Retry(
        attempts=int(_one(queue, "dcmMaxRetries") or 0),
        delay=duration(_one(queue, "dcmRetryDelay") or "PT1M") or 60,
        longest=duration(_one(queue, "dcmMaxRetryDelay") or "PT10M") or 600,
        factor=int(_one(queue, "dcmRetryDelayMultiplier") or 100) / 100,
    )
