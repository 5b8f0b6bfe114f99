"""The archive's configuration and its peers, read from LDAP (dcm4chee.md §2)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from standin import hl7config
from standin.errors import ConfigurationError, LdapError
from standin.hl7config import Attributes, Hl7Config
from standin.settings import STANDALONE, Settings

CACHE_SECONDS = 300.0
TIMEOUT_SECONDS = 5
READ_CLASSES = (
    "dicomDevice", "dicomNetworkConnection", "dicomNetworkAE", "dicomTransferCapability", "dcmStorage", "dcmQueue", "dcmWebApp",
    "dcmArchiveAttributeCoercion2", "hl7Application", "hl7OrderScheduledStation", "hl7OrderSPSStatus",
)  # fmt: skip
WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
MERGED = re.compile(r"IssuerOfPatientID=(?P<format>.+)")
PLACEHOLDER = re.compile(r"\{(\w+)(,hash)?\}")


@dataclass(frozen=True)
class NetworkAE:
    """An AE title of the archive; one with a storage stores and answers queries, one with a worklist serves it, another only echoes.

    The issuer formats are for stored objects and for MPPS.
    """

    title: str
    description: str
    storage_id: str | None
    issuer_format: str | None
    mpps_issuer_format: str | None
    worklist: bool


@dataclass(frozen=True)
class Peer:
    """Where an AE title or an HL7 application listens."""

    title: str
    host: str
    port: int


@dataclass(frozen=True)
class Device:
    """The archive device."""

    name: str
    dicom_port: int
    aes: dict[str, NetworkAE]
    storages: dict[str, Path]
    hl7: Hl7Config
    lacking: frozenset[int] = frozenset()
    web_services: dict[str, set[str]] = field(default_factory=dict)

    @property
    def main(self) -> NetworkAE:
        """The AE that stores; the first one when LDAP has several."""
        return next(ae for ae in self.aes.values() if ae.storage_id)

    @property
    def storage(self) -> Path:
        """The folder of the main AE's storage."""
        return self.storages[self.main.storage_id or ""]


def hash_code(text: str) -> str:
    """Return Java's String.hashCode as eight hexadecimal digits, as dcm4che writes {…,hash}."""
    units = text.encode("utf-16-be")
    value = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return f"{value:08X}"


def issuer_for(issuer_format: str, values: dict[str, str]) -> str:
    """Fill {Keyword} and {Keyword,hash} of a dcmMergeAttribute from an object's attributes by keyword."""

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        return hash_code(value) if match[2] else value

    return PLACEHOLDER.sub(fill, issuer_format)


def folder_of(uri: str) -> Path:
    """Return the folder of a dcmURI. Raises ConfigurationError for anything but file:, the only kind this stand-in writes to."""
    uri = uri.replace("${jboss.server.data.url}", f"file://{STANDALONE}/data").replace("${jboss.server.data.dir}", f"{STANDALONE}/data")
    parts = urlsplit(uri)
    if parts.scheme != "file" or not parts.path.startswith("/") or "${" in uri:
        raise ConfigurationError(f"dcmURI {uri}: this stand-in stores in file:///folder only")
    return Path(unquote(parts.path))


class Directory:
    """LDAP as cn=admin. Each call makes its own short connection, so a restarted LDAP is no matter."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._devices = f"cn=Devices,cn=DICOM Configuration,{settings.ldap_base}"
        self._peers: dict[str, tuple[float, Peer | None]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def _connection(self) -> Iterator[ldap3.Connection]:
        """Yield a bound connection to the first server that answers. Raises LdapError."""
        failures = []
        for url in self._settings.ldap_urls:
            server = ldap3.Server(url, get_info=ldap3.NONE, connect_timeout=TIMEOUT_SECONDS)
            user = f"cn=admin,{self._settings.ldap_base}"
            try:
                connection = ldap3.Connection(
                    server, user, self._settings.ldap_password, auto_bind=True, receive_timeout=TIMEOUT_SECONDS, raise_exceptions=True
                )
            except LDAPException as error:
                failures.append(f"{url}: {error}")
                continue
            try:
                yield connection
            except LDAPException as error:
                raise LdapError(f"{url}: {error}") from error
            finally:
                connection.unbind()
            return
        raise LdapError("; ".join(failures))

    def _search(self, base: str, query: str, scope: str = ldap3.SUBTREE) -> list[tuple[str, Attributes]]:
        """Return DN and attributes of the entries found, nothing when the base does not exist. Raises LdapError."""
        with self._connection() as connection:
            try:
                connection.search(base, query, search_scope=scope, attributes=[ldap3.ALL_ATTRIBUTES])
            except ldap3.core.exceptions.LDAPNoSuchObjectResult:
                return []
            return [(entry["dn"], _text(entry["raw_attributes"])) for entry in connection.response if entry["type"] == "searchResEntry"]

    def read_device(self) -> Device:
        """Read the archive device. Raises LdapError, and ConfigurationError when it is missing or makes no sense."""
        name = self._settings.device
        base = f"dicomDeviceName={name},{self._devices}"
        classes = "".join(f"(objectClass={name})" for name in READ_CLASSES)
        entries = self._search(base, f"(|{classes})")
        if not entries:
            raise ConfigurationError(f"LDAP has no entry {base}")
        return _device(name, entries, hl7config.read(entries, self._station))

    def peer(self, title: str) -> Peer | None:
        """Return where an AE title listens, None when no device has it. Raises LdapError."""
        return self._cached(title, "dicomNetworkAE", "dicomAETitle", _is_plain_dicom)

    def hl7_receiver(self, name: str) -> Peer | None:
        """Return where an HL7 application `App|Facility` listens, None when no device has it. Raises LdapError."""
        return self._cached(name, "hl7Application", "hl7ApplicationName", hl7config.is_plain_hl7)

    def _cached(self, name: str, kind: str, attribute: str, usable: Callable[[Attributes], bool]) -> Peer | None:
        """Look up a peer. Cached, failures too, until `forget` (dcm4chee.md §2.2)."""
        with self._lock:
            cached = self._peers.get(name)
        if cached and cached[0] > time.monotonic():
            return cached[1]
        found = self._find_peer(name, kind, attribute, usable)
        with self._lock:
            self._peers[name] = (time.monotonic() + CACHE_SECONDS, found)
        return found

    def _station(self, dn: str) -> tuple[list[str], list[str]]:
        """Return the AE titles and station names of a device. Raises ConfigurationError when it does not exist, LdapError."""
        entries = self._search(dn, "(|(objectClass=dicomDevice)(objectClass=dicomNetworkAE))")
        if not entries:
            raise ConfigurationError(f"LDAP has no scheduled station {dn}")
        titles = [entry["dicomAETitle"][0] for _, entry in _of_class(entries, "dicomNetworkAE")]
        return titles, [name for _, entry in entries for name in entry.get("dicomStationName", [])]

    def forget(self) -> None:
        """Drop the cached lookups, as a reload does."""
        with self._lock:
            self._peers.clear()

    def _find_peer(self, name: str, kind: str, attribute: str, usable: Callable[[Attributes], bool]) -> Peer | None:
        for _, entry in self._search(self._devices, f"(&(objectClass={kind})({attribute}={escape_filter_chars(name)}))"):
            if name not in entry[attribute]:
                continue
            for reference in entry.get("dicomNetworkConnectionReference", []):
                for _, connection in self._search(reference, "(objectClass=dicomNetworkConnection)", ldap3.BASE):
                    if usable(connection) and "dicomPort" in connection:
                        return Peer(name, connection["dicomHostname"][0], int(connection["dicomPort"][0]))
        return None

    def device_names(self) -> list[str]:
        """Return the names of all devices. Raises LdapError."""
        return sorted(entry["dicomDeviceName"][0] for _, entry in self._search(self._devices, "(objectClass=dicomDevice)", ldap3.LEVEL))

    def ae_titles(self) -> list[str]:
        """Return the AE titles of all devices. Raises LdapError."""
        return sorted(entry["dicomAETitle"][0] for _, entry in self._search(self._devices, "(objectClass=dicomNetworkAE)"))


def _text(raw: dict[str, list[bytes]]) -> Attributes:
    return {name: [value.decode("utf-8", "replace") for value in values] for name, values in raw.items()}


def _is_plain_dicom(connection: Attributes) -> bool:
    return connection.get("dcmProtocol", ["DICOM"]) == ["DICOM"] and not connection.get("dicomTLSCipherSuite")


def _of_class(entries: list[tuple[str, Attributes]], name: str) -> list[tuple[str, Attributes]]:
    return [(dn, entry) for dn, entry in entries if name in entry["objectClass"]]


def _device(name: str, entries: list[tuple[str, Attributes]], hl7: Hl7Config) -> Device:
    """Make the device of its LDAP entries. Raises ConfigurationError."""
    storages = {entry["dcmStorageID"][0]: folder_of(entry["dcmURI"][0]) for _, entry in _of_class(entries, "dcmStorage")}
    connections = {dn: entry for dn, entry in _of_class(entries, "dicomNetworkConnection") if _is_plain_dicom(entry)}
    aes = {}
    ports = set()
    for dn, entry in _of_class(entries, "dicomNetworkAE"):
        title = entry["dicomAETitle"][0]
        storage_id = entry.get("dcmObjectStorageID", [None])[0]
        if storage_id and storage_id not in storages:
            raise ConfigurationError(f"AE {title}: dcmObjectStorageID {storage_id} is no dcmStorageID of the device")
        capabilities = [capability for at, capability in _of_class(entries, "dicomTransferCapability") if at.endswith("," + dn)]
        aes[title] = NetworkAE(
            title,
            entry.get("dicomDescription", [""])[0],
            storage_id,
            _issuer_format(dn, entries, "C_STORE_RQ"),
            _issuer_format(dn, entries, "N_CREATE_RQ"),
            any(WORKLIST_FIND in capability["dicomSOPClass"] for capability in capabilities),
        )
        referred = [connections[ref] for ref in entry.get("dicomNetworkConnectionReference", []) if ref in connections]
        ports |= {connection["dicomPort"][0] for connection in referred if "dicomPort" in connection}
    if not any(ae.storage_id for ae in aes.values()):
        raise ConfigurationError(f"device {name} has no AE with a storage (dcmObjectStorageID)")
    if len(ports) != 1:
        raise ConfigurationError(f"device {name}: its AEs use the plain DICOM ports {sorted(ports)}, this stand-in opens exactly one")
    services: dict[str, set[str]] = {}
    for _, entry in _of_class(entries, "dcmWebApp"):
        for title in entry.get("dicomAETitle", []):
            services.setdefault(title, set()).update(entry.get("dcmWebServiceClass", []))
    listening = [(dn, entry) for dn, entry in _of_class(entries, "dicomNetworkConnection") if "dicomPort" in entry]
    spoken = {"DICOM", "HL7"}
    others = [entry for dn, entry in listening if dn not in connections and set(entry.get("dcmProtocol", ["DICOM"])) <= spoken]
    lacking = frozenset(int(entry["dicomPort"][0]) for entry in others) - {hl7.port}
    return Device(name, int(ports.pop()), aes, storages, hl7, lacking, services)


def _issuer_format(ae_dn: str, entries: list[tuple[str, Attributes]], dimse: str) -> str | None:
    """Return what an AE puts into a missing Issuer of Patient ID at C-STORE or N-CREATE (dcm4chee.md §4.4), None when nothing.

    Raises ConfigurationError for another coercion there, which this stand-in would have to ignore.
    """
    found = None
    for dn, entry in _of_class(entries, "dcmArchiveAttributeCoercion2"):
        if not dn.endswith("," + ae_dn) or entry.get("dcmDIMSE") != [dimse] or entry.get("dicomTransferRole") != ["SCU"]:
            continue
        merged = entry.get("dcmMergeAttribute", [])
        match = MERGED.fullmatch(merged[0]) if len(merged) == 1 else None
        if not match or entry.get("dcmProperty") != ["IssuerOfPatientID!=.+"]:
            raise ConfigurationError(f"{dn}: this stand-in supplements a missing IssuerOfPatientID only, not {merged}")
        found = match["format"]
    return found
