"""The lab under test, as LAB_ENDPOINTS describes it. Nothing else tells the suite where anything is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOW_TO_RUN = "run `make verify`, or `LAB_ENDPOINTS=<file.json> pytest tests/acceptance`"
DEFAULT_BROWSER = "/usr/bin/chromium"


class LabError(Exception):
    """The description of the lab cannot be used; the text names file and key."""


@dataclass(frozen=True)
class Address:
    """Host and TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class DicomPort(Address):
    """The archive's DICOM port with its AE titles."""

    ae_title: str
    worklist_ae_title: str


@dataclass(frozen=True)
class Destination:
    """An AE of the lab's table that the suite may listen as; `bind` and `port` are where."""

    ae_title: str
    bind: str
    port: int


@dataclass(frozen=True)
class Patient:
    """The lab's one synthetic patient."""

    id: str
    name: str


@dataclass(frozen=True)
class Host:
    """A host of the lab; `exec` is the command that begins `docker exec` there, `project` the folder of its Compose project."""

    name: str
    connection: str
    address: str
    services: tuple[str, ...]
    project: str
    exec: tuple[str, ...]


@dataclass(frozen=True)
class Procedure:
    """A row of the lab's procedure table."""

    code: str
    name: str
    scheme: str
    modality: str
    station: str


@dataclass(frozen=True)
class Engine:
    """The engine: where it takes reports, what it writes into messages, which procedures it knows, how many orders it cancels at once,
    for how many days an order stays on the worklist (0: for ever), whether it reads the EMR's database.
    """

    reports: Address | None
    facility: str
    authority_oid: str
    procedures: tuple[Procedure, ...]
    cancel_limit: int
    worklist_days: int
    reads_emr: bool


@dataclass(frozen=True)
class EmrAccess:
    """The EMR's address, and a user with all rights; `api`: patients can be registered by REST.

    `pdf_max_mb` is the largest PDF of a report that the chart takes.
    """

    url: str
    user: str
    api: bool
    pdf_max_mb: int


@dataclass(frozen=True)
class Certificates:
    """`trust`: the certificates that clients of the lab trust; `chains`: what each service (of Compose) must serve; files on this machine.

    `days` that one must have left.
    """

    trust: Path
    chains: dict[str, Path]
    days: int


@dataclass(frozen=True)
class Lab:
    """What the suite knows of the lab. None: not published, or not there. `names`: those of the edge → where it is."""

    name: str
    production: bool
    viewer: str
    study_list: bool
    dicomweb: str
    archive: str | None
    dicom: DicomPort | None
    ldap: Address | None
    pacs_db: Address | None
    move_destination: Destination | None
    journey_once: bool
    demo_patients: bool
    engine: Engine | None
    emr: EmrAccess | None
    certificates: Certificates
    names: dict[str, str]
    portal: str | None
    plain_entrance: str | None
    plain_viewer: str | None
    assigning_authority: str
    patient: Patient
    hosts: tuple[Host, ...]
    artifacts: Path
    browser: str | None

    def host_of(self, service: str) -> Host | None:
        """Return the host that runs a Compose service."""
        return next((host for host in self.hosts if service in host.services), None)


class _Table:
    """A JSON object that knows its place in the file, so that each complaint can name the key."""

    def __init__(self, file: Path, value: Any, place: str = "") -> None:
        if not isinstance(value, dict):
            raise LabError(f"{file}: '{place or 'the whole file'}' must be an object, not {value!r}")
        self._file = file
        self._value: dict[str, Any] = value
        self._place = place

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def _get(self, key: str, kind: type, called: str) -> Any:
        if key not in self._value:
            raise LabError(f"{self._file}: key '{self._at(key)}' is missing; it is made from lab_endpoints: {HOW_TO_RUN}")
        value = self._value[key]
        # In Python a truth value is a number too.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)) or value == "":
            raise LabError(f"{self._file}: '{self._at(key)}' must be {called}, not {value!r}")
        return value

    def text(self, key: str) -> str:
        return str(self._get(key, str, "a text that is not empty"))

    def number(self, key: str) -> int:
        return int(self._get(key, int, "a whole number"))

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def strings(self) -> dict[str, str]:
        return {key: self.text(key) for key in self._value}

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(map(str, self._get(key, list, "a list")))

    def table(self, key: str) -> _Table:
        return _Table(self._file, self._get(key, dict, "an object"), self._at(key))

    def tables(self, key: str) -> dict[str, _Table]:
        inner = self._get(key, dict, "an object")
        return {name: _Table(self._file, value, f"{self._at(key)}.{name}") for name, value in inner.items()}

    def maybe(self, key: str) -> _Table | None:
        """Return an object that may be null; the key itself must be there."""
        if key in self._value and self._value[key] is None:
            return None
        return self.table(key)

    def has(self, key: str) -> bool:
        return key in self._value

    def maybe_text(self, key: str) -> str | None:
        return None if self._value.get(key) is None else self.text(key)


def _address(table: _Table | None) -> Address | None:
    return Address(table.text("host"), table.number("port")) if table else None


def _dicom_port(table: _Table | None) -> DicomPort | None:
    return DicomPort(table.text("host"), table.number("port"), table.text("ae_title"), table.text("worklist_ae_title")) if table else None


def _destination(table: _Table | None) -> Destination | None:
    return Destination(table.text("ae_title"), table.text("bind"), table.number("port")) if table else None


def _engine(table: _Table | None) -> Engine | None:
    if table is None:
        return None
    rows = table.tables("procedures")
    procedures = (
        Procedure(code, row.text("name"), row.text("scheme"), row.text("modality"), row.text("station")) for code, row in rows.items()
    )
    return Engine(
        _address(table.maybe("reports")),
        table.text("facility"),
        table.text("authority_oid"),
        tuple(procedures),
        table.number("cancel_limit"),
        table.number("worklist_days"),
        table.flag("reads_emr"),
    )


def _emr(table: _Table | None) -> EmrAccess | None:
    url = _url(table)
    return EmrAccess(url, table.text("user"), table.flag("api"), table.number("pdf_max_mb")) if table and url else None


def _url(table: _Table | None) -> str | None:
    url = table.maybe_text("url") if table else None
    return url.rstrip("/") if url else None


def _certificates(table: _Table) -> Certificates:
    return Certificates(
        Path(table.text("trust")), {name: Path(text) for name, text in table.table("chains").strings().items()}, table.number("days")
    )


def _host(name: str, table: _Table) -> Host:
    command = table.texts("exec")
    if not command or command[-1] != "exec":
        raise LabError(f"hosts.{name}.exec must be a command that ends in `exec`, not {' '.join(command)!r}")
    return Host(name, table.text("connection"), table.text("address"), table.texts("services"), table.text("project"), command)


def load(file: Path) -> Lab:
    """Read the description of a lab. Raises LabError with the file and the key that is missing or wrong."""
    try:
        root = _Table(file, json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise LabError(f"LAB_ENDPOINTS: cannot read {file}: {error.strerror}; {HOW_TO_RUN}") from error
    except json.JSONDecodeError as error:
        raise LabError(f"{file} is no JSON: {error}") from error
    viewer, patient = root.table("viewer"), root.table("patient")
    return Lab(
        name=root.text("lab"),
        production=root.flag("production"),
        viewer=viewer.text("url").rstrip("/"),
        study_list=viewer.flag("study_list") if viewer.has("study_list") else True,
        dicomweb=root.table("dicomweb").text("url").rstrip("/"),
        archive=_url(root.maybe("archive")),
        dicom=_dicom_port(root.maybe("dicom")),
        ldap=_address(root.maybe("ldap")),
        pacs_db=_address(root.maybe("pacs_db")),
        move_destination=_destination(root.maybe("move_destination")),
        journey_once=root.flag("journey_once") if root.has("journey_once") else False,
        demo_patients=root.flag("demo_patients") if root.has("demo_patients") else False,
        engine=_engine(root.maybe("engine")),
        emr=_emr(root.maybe("emr")),
        names=root.table("names").strings(),
        portal=_url(root.table("portal")),
        plain_entrance=_url(root.table("plain_entrance")),
        plain_viewer=_url(root.table("plain_viewer")),
        certificates=_certificates(root.table("certificates")),
        assigning_authority=root.text("assigning_authority"),
        patient=Patient(patient.text("id"), patient.text("name")),
        hosts=tuple(_host(name, table) for name, table in root.tables("hosts").items()),
        artifacts=Path(root.text("artifacts")),
        browser=root.maybe_text("browser") if root.has("browser") else DEFAULT_BROWSER,
    )
