"""C-FIND, C-MOVE and C-GET of the Patient Root and Study Root models."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from standin.device import Directory
from standin.errors import DatabaseError, LdapError, OrthancError, StorageError
from standin.objects import Json, apply_patient
from standin.orthanc import Orthanc
from standin.query import LEVELS, Query, Stored, find, locate
from standin.registry import Registry
from standin.status import (
    CANCEL,
    IDENTIFIER_DOES_NOT_MATCH,
    PENDING,
    PROCESSING_FAILURE,
    UNABLE_TO_CALCULATE_MATCHES,
    UNABLE_TO_PERFORM_SUBOPERATIONS,
    failure,
)

log = logging.getLogger("standin.retrieve")

FIND_MODELS = (PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelFind)
MOVE_MODELS = (PatientRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelMove)
GET_MODELS = (PatientRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelGet)

UNIQUE_KEYS = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
UNCOMPRESSED = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
MAX_CONTEXTS = 128

Yields = Iterator[Any]


class NotOpened:
    """Stands for the association to a C-MOVE destination that cannot be reached; pynetdicom only releases it."""

    is_established = True

    def release(self) -> None:
        """Do nothing: there is no association."""


class Retrieval:
    """Handlers for pynetdicom's query/retrieve events."""

    def __init__(self, ae: AE, directory: Directory, registry: Registry, orthanc: Orthanc) -> None:
        self._ae = ae
        self._directory = directory
        self._registry = registry
        self._orthanc = orthanc

    def on_find(self, event: evt.Event) -> Yields:
        """Yield one pending answer for each match, with the keys asked for."""
        identifier = event.identifier
        level = _level(event, FIND_MODELS)
        if level is None:
            yield failure(IDENTIFIER_DOES_NOT_MATCH, "Invalid Query/Retrieve Level"), None
            return
        try:
            matches = find(self._registry, Query(level, _keys(identifier)))
        except DatabaseError as error:
            yield failure(PROCESSING_FAILURE, str(error)), None
            return
        log.info("%s: C-FIND %s, %d matches", event.assoc.requestor.ae_title, level, len(matches))
        for match in matches:
            if event.is_cancelled:
                yield CANCEL, None
                return
            yield PENDING, self._answer(identifier, level, match)

    def _answer(self, identifier: Dataset, level: str, match: Json) -> Dataset:
        """Return the requested keys of a match, those without a value empty, in a character set that holds them."""
        found = Dataset.from_json(match)
        answer = Dataset()
        for element in identifier:
            if element.tag in found:
                answer[element.tag] = found[element.tag]
            else:
                answer.add_new(element.tag, element.VR, [] if element.VR == "SQ" else None)
        answer.QueryRetrieveLevel = level
        answer.RetrieveAETitle = self._ae.ae_title
        answer.InstanceAvailability = "ONLINE"
        answer[UNIQUE_KEYS[level]] = found[UNIQUE_KEYS[level]]
        answer.SpecificCharacterSet = "ISO_IR 100" if str(answer).isascii() else "ISO_IR 192"
        return answer

    def on_move(self, event: evt.Event) -> Yields:
        """Yield destination, number and objects. Unknown destination A801; unreachable, or LDAP away, A702 (dcm4chee.md §8.2, §8.3)."""
        title = str(event.move_destination)
        reason = ""
        try:
            peer = self._directory.peer(title)
            if peer is None:
                log.warning("C-MOVE to unknown %s", title)
                yield None, None
                return
        except LdapError as error:
            peer, reason = None, f"LDAP: {error}"
        try:
            instances = self._wanted(event, MOVE_MODELS)
        except (ValueError, DatabaseError) as error:
            yield "127.0.0.1", 0, {"opened": NotOpened()}
            yield 1
            yield _refusal(error), None
            return
        association: Any = None
        if peer and instances:
            association = self._ae.associate(peer.host, peer.port, contexts=_contexts(instances), ae_title=title)
            if not association.is_established:
                association, reason = None, f"{title} does not accept an association on {peer.host}:{peer.port}"
        yield "127.0.0.1", 0, {"opened": association or NotOpened()}
        if reason:
            log.warning("C-MOVE to %s: %s", title, reason)
            yield 1
            yield failure(UNABLE_TO_PERFORM_SUBOPERATIONS, reason), None
            return
        yield len(instances)
        yield from self._objects(event, instances, association)

    def on_get(self, event: evt.Event) -> Yields:
        """Yield number and objects."""
        try:
            instances = self._wanted(event, GET_MODELS)
        except (ValueError, DatabaseError) as error:
            yield 1
            yield _refusal(error), None
            return
        yield len(instances)
        yield from self._objects(event, instances, event.assoc)

    def _wanted(self, event: evt.Event, models: tuple[Any, ...]) -> list[Stored]:
        """Return the instances asked for. Raises ValueError for an identifier without level or unique key, DatabaseError."""
        level = _level(event, models)
        if level is None:
            raise ValueError("Invalid Query/Retrieve Level")
        keys = _keys(event.identifier)
        unique = {name: keys[name] for name in UNIQUE_KEYS.values() if keys.get(name, "").strip("*")}
        if UNIQUE_KEYS[level] not in unique:
            raise ValueError(f"Missing {UNIQUE_KEYS[level]}")
        if "IssuerOfPatientID" in keys:
            unique["IssuerOfPatientID"] = keys["IssuerOfPatientID"]
        found = locate(self._registry, unique)
        log.info("%s: %s of %d objects", event.assoc.requestor.ae_title, type(event.request).__name__, len(found))
        return found

    def _objects(self, event: evt.Event, instances: list[Stored], association: Any) -> Yields:
        """Yield each object as the receiver can take it. One that cannot be read or recoded is yielded empty, which counts it failed."""
        for stored in instances:
            if event.is_cancelled:
                yield CANCEL, None
                return
            try:
                yield PENDING, self._object(stored, association)
            except (OrthancError, StorageError) as error:
                log.warning("not sent: %s: %s", stored.sop_uid, error)
                unsent = Dataset()
                unsent.SOPInstanceUID = stored.sop_uid
                yield PENDING, unsent

    def _object(self, stored: Stored, association: Any) -> Dataset:
        """Return the object as it is where the receiver takes that, else uncompressed; pynetdicom counts what is not taken at all."""
        accepted = {cx.transfer_syntax[0] for cx in association.accepted_contexts if cx.abstract_syntax == stored.sop_class}
        plain = next((syntax for syntax in UNCOMPRESSED if syntax in accepted), None)
        as_stored = plain is None or stored.transfer_syntax in accepted or stored.transfer_syntax in UNCOMPRESSED
        dataset = dcmread(BytesIO(self._orthanc.file(stored.orthanc_id, None if as_stored else plain)))
        apply_patient(dataset, stored.patient)
        return dataset


def _level(event: evt.Event, models: tuple[Any, ...]) -> str | None:
    """Return the level asked for; None when the model does not have it. Study Root (the second model) has no PATIENT level."""
    level = str(event.identifier.get("QueryRetrieveLevel", ""))
    known = LEVELS[1:] if event.request.AffectedSOPClassUID == models[1] else LEVELS
    return level if level in known else None


def _keys(identifier: Dataset) -> dict[str, str]:
    """Return the matching keys with a value, several values joined with backslashes."""
    keys = {}
    for element in identifier:
        if element.keyword and element.VR != "SQ" and element.value not in (None, "", []) and element.keyword != "QueryRetrieveLevel":
            values = element.value if element.VM > 1 else [element.value]
            keys[element.keyword] = "\\".join(str(value) for value in values)
    return keys


def _contexts(instances: list[Stored]) -> list[PresentationContext]:
    """Return what to offer a C-MOVE destination: each SOP class as it is stored, and uncompressed."""
    classes = sorted({stored.sop_class for stored in instances})
    pairs = sorted({(stored.sop_class, stored.transfer_syntax) for stored in instances if UID(stored.transfer_syntax) not in UNCOMPRESSED})
    contexts = [build_context(sop_class, list(UNCOMPRESSED)) for sop_class in classes]
    contexts += [build_context(sop_class, syntax) for sop_class, syntax in pairs]
    return contexts[:MAX_CONTEXTS]


def _refusal(error: Exception) -> Dataset:
    status = UNABLE_TO_CALCULATE_MATCHES if isinstance(error, DatabaseError) else IDENTIFIER_DOES_NOT_MATCH
    return failure(status, str(error))
