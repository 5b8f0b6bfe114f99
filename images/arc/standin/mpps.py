"""Modality Performed Procedure Step: kept, and passed on to the worklist (dcm4chee.md §4.2)."""

from __future__ import annotations

import logging

import psycopg
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from standin import patients, worklist
from standin.device import Device, issuer_for
from standin.errors import DatabaseError
from standin.filing import generated
from standin.mapping import items_of, overwrite
from standin.objects import PATIENT, Json, first, hex_tag, json_of
from standin.patients import Identity
from standin.registry import Registry, Row, jsonb
from standin.status import DUPLICATE_INSTANCE, INVALID_VALUE, NO_SUCH_OBJECT, PROCESSING_FAILURE, SUCCESS, failure

log = logging.getLogger("standin.mpps")

IN_PROGRESS = "IN PROGRESS"
STEP_STATUS = {IN_PROGRESS: "STARTED", "COMPLETED": "COMPLETED", "DISCONTINUED": "DISCONTINUED"}


def on_create(registry: Registry, device: Device, event: evt.Event) -> tuple[Dataset | int, Dataset | None]:
    """Keep a step in progress; it needs no issuer, and no worklist item. A second one of the same UID is 0111."""
    uid = str(event.request.AffectedSOPInstanceUID or generate_uid(prefix=None))  # type: ignore[union-attr]  # the event is an N-CREATE
    answer = Dataset()
    answer.AffectedSOPInstanceUID = uid
    attributes = json_of(event.attribute_list)
    status = first(attributes, "PerformedProcedureStepStatus")
    if status != IN_PROGRESS:
        return failure(INVALID_VALUE, f"Performed Procedure Step Status {status or 'missing'}"), None
    ae = device.aes[str(event.assoc.acceptor.ae_title)]
    own = {key: attributes[key] for key in map(hex_tag, PATIENT) if key in attributes}
    identity = patients.identity_of(own)
    if not identity.issuer and ae.mpps_issuer_format:
        values = {name: first(own, name) for name in ("PatientName", "PatientBirthDate")}
        identity = Identity(identity.pid, issuer_for(ae.mpps_issuer_format, values))
    try:
        with registry.transaction() as connection:
            patient = patients.obtain(connection, identity if identity.pid else generated(connection, identity), own)
            insert = "INSERT INTO standin.mpps (uid, patient, status, attrs) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
            if not connection.execute(insert, (uid, patient, status, jsonb(attributes))).rowcount:
                return failure(DUPLICATE_INSTANCE, "duplicate SOP Instance"), None
            _pass_on(connection, attributes, status)
    except DatabaseError as error:
        return failure(PROCESSING_FAILURE, f"Database: {error}"), None
    log.info("%s: MPPS %s %s", event.assoc.requestor.ae_title, uid, status)
    return SUCCESS, answer


def on_set(registry: Registry, event: evt.Event) -> tuple[Dataset | int, Dataset | None]:
    """Change a step in progress; one that has ended is 0110, an unknown one 0112."""
    uid = str(event.request.RequestedSOPInstanceUID)  # type: ignore[union-attr]  # the event is an N-SET
    try:
        with registry.transaction() as connection:
            row = connection.execute("SELECT status, attrs FROM standin.mpps WHERE uid = %s FOR UPDATE", (uid,)).fetchone()
            if row is None:
                return failure(NO_SUCH_OBJECT, f"No such MPPS: {uid}"), None
            if row[0] != IN_PROGRESS:
                return failure(PROCESSING_FAILURE, "Performed Procedure Step Object may no longer be updated"), None
            attributes = overwrite(row[1], json_of(event.modification_list))
            status = first(attributes, "PerformedProcedureStepStatus")
            if status not in STEP_STATUS:
                return failure(INVALID_VALUE, f"Performed Procedure Step Status {status}"), None
            connection.execute("UPDATE standin.mpps SET status = %s, attrs = %s WHERE uid = %s", (status, jsonb(attributes), uid))
            _pass_on(connection, attributes, status)
    except DatabaseError as error:
        return failure(PROCESSING_FAILURE, f"Database: {error}"), None
    log.info("%s: MPPS %s %s", event.assoc.requestor.ae_title, uid, status)
    return SUCCESS, None


def _pass_on(connection: psycopg.Connection[Row], attributes: Json, status: str) -> None:
    """Set the items that the step names by study UID and step id, whoever their patient is; others stay as they are."""
    for step in items_of(attributes, "ScheduledStepAttributesSequence"):
        key = [first(step, "StudyInstanceUID"), first(step, "ScheduledProcedureStepID")]
        worklist.set_status(connection, STEP_STATUS[status], "study_uid = %s AND sps_id = %s", key)
