"""Procedure Status Update: a message some time after a study's last object (dcm4chee.md §4.3).

What is pending stands in a table, so it survives a kill; how the messages get out stands in `sending`.
"""

from __future__ import annotations

import logging
import random
import re
import threading
from datetime import datetime

import psycopg

from standin import worklist
from standin.device import Device
from standin.errors import DatabaseError
from standin.hl7config import Application, Psu
from standin.hl7text import CODECS
from standin.mapping import items_of
from standin.objects import Header, Json, first
from standin.registry import Registry, Row
from standin.sending import Sender, schedule

log = logging.getLogger("standin.psu")

_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": "\\X0D\\", "\n": "\\X0A\\"}
_PARAMETER = re.compile(r"\{(\w+)\}")


def note(connection: psycopg.Connection[Row], psu: Psu | None, header: Header) -> None:
    """Make or put off the task of the study of a new object, report or image."""
    if psu is None or psu.delay is None:
        return
    connection.execute(
        "INSERT INTO standin.psu_task (study_uid, series_uid, accession, due) VALUES (%s, %s, %s, now() + make_interval(secs => %s))"
        " ON CONFLICT (study_uid) DO UPDATE SET series_uid = EXCLUDED.series_uid, due = EXCLUDED.due",
        (header.study_uid, header.series_uid, first(header.study, "AccessionNumber"), psu.delay),
    )


class Updates:
    """Looks for tasks that are due, at the interval of LDAP; without one never."""

    def __init__(self, registry: Registry, sender: Sender) -> None:
        self._registry = registry
        self._sender = sender
        self._device: Device | None = None
        self._changed = threading.Event()
        self._stopped = threading.Event()

    def open(self, device: Device) -> None:
        """Begin, or take a new device; the interval starts anew."""
        begun, self._device = self._device is not None, device
        self._changed.set()
        if not begun:
            threading.Thread(target=self._run, name="psu", daemon=True).start()

    def close(self) -> None:
        """End for good."""
        self._stopped.set()
        self._changed.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            assert self._device is not None
            if self._changed.wait(self._device.hl7.psu_interval):
                self._changed.clear()
                continue
            try:
                self._look(self._device)
            except DatabaseError as error:
                log.warning("no procedure status update: %s", error)

    def _look(self, device: Device) -> None:
        """Turn the tasks that are due into messages. Raises DatabaseError."""
        with self._registry.transaction() as connection:
            due = connection.execute(
                "DELETE FROM standin.psu_task WHERE due <= now() RETURNING study_uid, series_uid, accession, due"
            ).fetchall()
            for study_uid, series_uid, accession, _ in sorted(due, key=lambda row: row[3]):
                self._act(connection, device, study_uid, series_uid, accession)
        if due:
            self._sender.wake()

    def _act(self, connection: psycopg.Connection[Row], device: Device, study_uid: str, series_uid: str, accession: str) -> None:
        psu = device.hl7.psu
        if psu is None:
            return
        column, value = ("accession", accession) if psu.by_accession else ("study_uid", study_uid)
        item = connection.execute(
            "SELECT p.attrs || m.attrs FROM standin.mwl_item m JOIN standin.patient p ON p.pk = m.patient"
            f" WHERE m.{column} = %s ORDER BY m.pk",
            (value,),
        ).fetchone()
        if "SEND_NOTIFICATION" in psu.actions:
            self._notify(connection, device, psu, item, study_uid, series_uid)
        if "UPDATE_MWL_STATUS" in psu.actions:
            changed = worklist.set_status(connection, "COMPLETED", f"{column} = %s", [value])
            log.info("%d worklist items of study %s set to COMPLETED", changed, study_uid)

    def _notify(
        self, connection: psycopg.Connection[Row], device: Device, psu: Psu, item: Row | None, study_uid: str, series_uid: str
    ) -> None:
        sender = device.hl7.application(psu.sender) if psu.sender else None
        if sender is None or not psu.receivers:
            log.info("no procedure status update of %s: sending or receiving application not configured", study_uid)
            return
        if item is None and psu.ordered_only:
            log.info("no procedure status update of %s: it has no worklist item", study_uid)
            return
        found = (
            item
            or connection.execute(
                "SELECT se.attrs || st.attrs || p.attrs FROM standin.series se JOIN standin.study st ON st.pk = se.study"
                " JOIN standin.patient p ON p.pk = st.patient WHERE st.uid = %s AND se.uid = %s",
                (study_uid, series_uid),
            ).fetchone()
        )
        if found is None:
            log.info("no procedure status update of %s: no such series", study_uid)
            return
        for receiver in psu.receivers:
            schedule(connection, receiver, compose(psu, sender, receiver, found[0]))


def compose(psu: Psu, sender: Application, receiver: str, attributes: Json) -> bytes:
    """Return the message on a worklist item, or on a study that has none; without upstream's address (PID-11) and staff (OBR-34)."""
    now = datetime.now().strftime("%Y%m%d%H%M%S.%f")[:-3]
    character_set = "" if sender.sending_character_set == "ASCII" else sender.sending_character_set
    names = (name.partition("|") if "|" in name else ("", "", "") for name in (sender.name, receiver))
    kind = {"OMG_O19": "OMG^O19^OMG_O19", "ORU_R01": "ORU^R01^ORU_R01"}[psu.message_type]
    parameters = {name: _PARAMETER.sub(lambda match: first(attributes, match[1]), text) for name, text in psu.parameters.items()}
    ordered = next(iter(items_of(attributes, "RequestAttributesSequence")), {})

    def number(keyword: str) -> str:
        return _escaped(first(attributes, keyword) or first(ordered, keyword) or parameters.get(keyword, ""))

    placer, filler = number("PlacerOrderNumberImagingServiceRequest"), number("FillerOrderNumberImagingServiceRequest")
    code = next(iter(items_of(attributes, "RequestedProcedureCodeSequence") or items_of(attributes, "ProcedureCodeSequence")), {})
    service = "^".join(_escaped(first(code, name)) for name in ("CodeValue", "CodeMeaning", "CodingSchemeDesignator")).strip("^")
    routed = [part for application, _, facility in names for part in (application, facility)]
    header = {2: "^~\\&", **dict(enumerate(routed, 3)), 7: now, 9: kind, 10: _control_id(), 11: "P", 12: "2.5.1", 18: character_set}
    observed = first(attributes, "StudyDate") + first(attributes, "StudyTime")
    accession = first(attributes, "AccessionNumber") or parameters.get("AccessionNumber", "")
    request = {2: placer, 3: filler, 4: service, 7: observed, 18: _escaped(accession)}
    request |= {19: _escaped(parameters.get("RequestedProcedureID", "")), 24: "RAD", 25: "R", 27: "^^^^^R", 44: service}
    segments = [_line("MSH", header)]
    if psu.with_patient or psu.message_type == "ORU_R01":
        segments += [_patient(attributes), _visit(attributes)]
    segments += [
        _line("ORC", {1: "SC", 2: placer, 3: filler, 5: "CM"}),
        _line("OBR", request),
        _line("TQ1", {7: now, 9: "R^Routine^HL70078"}),
        _line("OBX", {1: "1", 2: "ST", 3: "113014^DICOM Study^DCM", 5: first(attributes, "StudyInstanceUID"), 11: "O"}),
    ]
    return "".join(segment + "\r" for segment in segments).encode(CODECS.get(character_set, "ascii"), "replace")


def _line(name: str, fields: dict[int, str]) -> str:
    """Return a segment of its fields by number; MSH-1 is the separator itself."""
    begin = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(number, "") for number in range(begin, max(fields) + 1))])


def _patient(attributes: Json) -> str:
    """Return PID, of a name only the alphabetic group."""
    qualifiers = next(iter(items_of(attributes, "IssuerOfPatientIDQualifiersSequence")), {})
    authority = [first(attributes, "IssuerOfPatientID"), first(qualifiers, "UniversalEntityID"), first(qualifiers, "UniversalEntityIDType")]
    issuer = "&".join(map(_escaped, authority)).rstrip("&")
    pid = _escaped(first(attributes, "PatientID"))
    family, given, middle, prefix, suffix, *_ = [*first(attributes, "PatientName").split("=")[0].split("^"), *[""] * 5]
    jr, _, degree = suffix.partition(" ")
    name = "^".join(map(_escaped, (family, given, middle, jr, prefix, degree))).rstrip("^")
    born, sex = first(attributes, "PatientBirthDate"), first(attributes, "PatientSex")
    return _line("PID", {3: f"{pid}^^^{issuer}" if issuer else pid, 5: name, 7: born, 8: sex})


def _visit(attributes: Json) -> str:
    issuer = first(next(iter(items_of(attributes, "IssuerOfAdmissionIDSequence")), {}), "LocalNamespaceEntityID")
    admission = _escaped(first(attributes, "AdmissionID"))
    route = _escaped(first(attributes, "RouteOfAdmissions")) or "U"
    return _line("PV1", {2: route, 19: f"{admission}^^^{_escaped(issuer)}" if issuer else admission, 51: "V"})


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _control_id() -> str:
    return str(random.randrange(2**31))
