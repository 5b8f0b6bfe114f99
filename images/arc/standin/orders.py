"""Orders become worklist items (dcm4chee.md §4.2, workflow.md §2.3)."""

from __future__ import annotations

import logging
import re

import psycopg
from pydicom.uid import generate_uid

from standin import worklist
from standin.adt import update_patient
from standin.hl7text import APPLICATION_INTERNAL_ERROR, DATA_TYPE_ERROR, REQUIRED_FIELD_MISSING, Hl7Error, Message, Node, Segment
from standin.mapping import (
    PRIORITIES,
    described,
    name_based_uid,
    put,
    put_code,
    put_doctor,
    put_field,
    put_if,
    put_moment,
    put_number,
    put_staff,
    put_visit,
)
from standin.objects import Json, first
from standin.received import Received
from standin.registry import Row

log = logging.getLogger("standin.orders")
BODY = {("BODY WEIGHT", "kg"): "PatientWeight", ("BODY HEIGHT", "m"): "PatientSize"}


def receive(received: Received) -> None:
    """Take the first order of the message: a step for each ZDS or IPC, none without. Raises Hl7Error, DatabaseError."""
    patient = update_patient(received)
    message = received.message
    request = _request(message)
    steps = _steps(received)
    with received.registry.transaction() as connection:
        _identify(connection, received, request)
        for step in steps:
            _complete(connection, received, request, step)
        try:
            worklist.replace_study(connection, patient, request, steps)
        except worklist.MismatchError as error:
            name = "org.dcm4chee.arc.patient.PatientMismatchException"
            raise Hl7Error(APPLICATION_INTERNAL_ERROR, f"{name}: {error}") from error


def _request(message: Message) -> Json:
    """Return what all steps of the order have in common."""
    order, request = message.first("ORC"), message.first("OBR")
    found: Json = {}
    organization = order[17] if order[17].whole else Node([message.header[4]])
    put_if(found, "InstitutionName", described(organization))
    put_code(found, "InstitutionCodeSequence", order[17])
    put_visit(found, message)
    put_if(found, "PlacerOrderNumberImagingServiceRequest", order[2].text)
    put_if(found, "FillerOrderNumberImagingServiceRequest", order[3].text)
    timing = next(message.all("TQ1"), None)
    priority = order[7].component(6).text if timing is None else timing[9].text
    if priority:
        put(found, "RequestedProcedurePriority", PRIORITIES.get(priority, ""))
    put_if(found, "InstitutionalDepartmentName", order[13].component(9).whole)
    put_if(found, "MedicalAlerts", request[13].decoded[:64])
    put_doctor(found, "RequestingPhysician", request[16])
    put_if(found, "RequestedProcedureDescription", described(request[44]))
    put_code(found, "RequestedProcedureCodeSequence", request[44])
    put_if(found, "PatientState", request[12].text[:64])
    put_if(found, "ReasonForTheRequestedProcedure", described(request[31]))
    put_code(found, "ReasonForRequestedProcedureCodeSequence", request[31])
    put_if(found, "PatientTransportArrangements", request[30].text[:64])
    put_if(found, "ConfidentialityConstraintOnPatientDataDescription", order[28].text)
    put_if(found, "AccessionNumber", request[18].text)
    put_if(found, "RequestedProcedureID", request[19].text)
    for study in message.all("ZDS"):
        put_if(found, "StudyInstanceUID", study[1].text)
    for step in message.all("IPC"):
        put_if(found, "AccessionNumber", step[1].text)
        put_if(found, "RequestedProcedureID", step[2].text)
        put_if(found, "StudyInstanceUID", step[3].text)
    for observation in message.all("OBX"):
        if keyword := BODY.get((observation[3].component(2).whole.upper(), observation[6].text)):
            put_number(found, keyword, observation[5].whole)
    for note in message.all("NTE"):
        put_field(found, "RequestedProcedureComments", note, 3)
    return found


def _steps(received: Received) -> list[Json]:
    """Return the scheduled steps; a ZDS goes before IPC, and makes one step whatever its number."""
    message, application = received.message, received.application
    order, request = message.first("ORC"), message.first("OBR")
    timing = message.first("TQ1")
    begin = order[7].component(4).whole or timing[7].whole
    ordered_station = order[18] if application.station_in_orc_18 else Node()

    def step(station: Node) -> Json:
        made: Json = {}
        put(made, "ScheduledProcedureStepStatus", f"{order[1].whole}_{order[5].whole}")
        put_moment(made, "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", begin)
        put_staff(made, "ScheduledPerformingPhysicianName", request.get(34))
        put_if(made, "ScheduledStationAETitle", "\\".join(filter(None, (node.text for node in (station, *station.repeats)))))
        return made

    if any(message.all("ZDS")):
        made = step(ordered_station)
        offset = 1 if application.protocol_in_obr_4_1 else 4
        _put_protocol(made, request[4], offset)
        put_field(made, "Modality", request, 24)
        put_field(made, "ScheduledProcedureStepID", request, 20)
        return [made]
    return [_imaging_step(step(item[9] if item[9].whole else ordered_station), item) for item in message.all("IPC")]


def _imaging_step(made: Json, item: Segment) -> Json:
    put_if(made, "Modality", item[5].text)
    put_if(made, "ScheduledProcedureStepID", item[4].text)
    _put_protocol(made, item[6], 1)
    put_if(made, "ScheduledStationName", "\\".join(filter(None, (node.text for node in (item[7], *item[7].repeats)))))
    put_if(made, "ScheduledProcedureStepLocation", item[8].text)
    return made


def _put_protocol(made: Json, code: Node, offset: int) -> None:
    put_if(made, "ScheduledProcedureStepDescription", described(code, offset))
    put_code(made, "ScheduledProtocolCodeSequence", code, offset)


def _identify(connection: psycopg.Connection[Row], received: Received, request: Json) -> None:
    """Make study UID and requested procedure id of each other, or of what the policy says, where one is missing. Raises Hl7Error."""
    segment, procedure = ("IPC^1^3^1^1", "IPC^1^1^1^1") if received.message_type == "OMI^O23" else ("ZDS^1^1^1^1", "OBR^1^18^1^1")
    procedure_id, accession = first(request, "RequestedProcedureID"), first(request, "AccessionNumber")
    if first(request, "StudyInstanceUID"):
        put(request, "RequestedProcedureID", procedure_id or name_based_uid(first(request, "StudyInstanceUID")))
    elif procedure_id:
        put(request, "StudyInstanceUID", name_based_uid(procedure_id))
    elif received.application.missing_study_uid == "REJECT":
        raise Hl7Error(REQUIRED_FIELD_MISSING, "Missing study instance uid", segment)
    elif received.application.missing_study_uid == "ACCESSION_BASED":
        if not accession:
            raise Hl7Error(REQUIRED_FIELD_MISSING, "Missing accession number", procedure)
        put(request, "StudyInstanceUID", name_based_uid(accession))
        put(request, "RequestedProcedureID", accession)
    else:
        put(request, "StudyInstanceUID", str(generate_uid(prefix=None)))
        put(request, "RequestedProcedureID", worklist.next_id(connection, "RP"))


def _complete(connection: psycopg.Connection[Row], received: Received, request: Json, step: Json) -> None:
    """Check start and status, add id and station. Raises Hl7Error."""
    date = first(step, "ScheduledProcedureStepStartDate")
    if date and not re.match(r"\d{5}", date):
        location = "ORC^1^7^1^4" if received.message_type == "ORM^O01" else "TQ1^1^7^1^1"
        raise Hl7Error(DATA_TYPE_ERROR, "Invalid scheduled procedure step start date and/or time", location)
    control = first(step, "ScheduledProcedureStepStatus")
    status = received.application.statuses.get(control)
    if status is None:
        reason = "Invalid order control in field 1 and/or invalid order status in field 5"
        raise Hl7Error(REQUIRED_FIELD_MISSING, reason, "ORC^1^1^1^1")
    put(step, "ScheduledProcedureStepStatus", status)
    if not first(step, "ScheduledProcedureStepID"):
        put(step, "ScheduledProcedureStepID", first(request, "RequestedProcedureID"))
    if not first(step, "ScheduledStationAETitle"):
        titles, names = _stations(received)
        put_if(step, "ScheduledStationAETitle", "\\".join(titles))
        put_if(step, "ScheduledStationName", "\\".join(names))


def _stations(received: Received) -> tuple[list[str], list[str]]:
    """Return AE titles and names of the rules that match; those of the highest priority accumulate (§4.2)."""
    matching = [
        rule
        for rule in received.application.stations
        if all(_matches(received.message, name, *condition) for name, condition in rule.conditions.items())
    ]
    highest = max((rule.priority for rule in matching), default=0)
    chosen = [rule for rule in matching if rule.priority == highest]
    return [title for rule in chosen for title in rule.titles], [name for rule in chosen for name in rule.names]


def _matches(message: Message, place: str, pattern: re.Pattern[str], negated: bool) -> bool:
    """Return whether a field such as OBR-24 or PV1-3.1 meets a rule's condition; an empty one never does."""
    segment, _, numbers = place.partition("-")
    field, *deeper = (int(number) for number in numbers.split("."))
    node = message.first(segment)[field]
    value = node.component(deeper[0]).subcomponent(*deeper[1:] or [1]).text if deeper else node.whole
    matched = bool(value) and pattern.fullmatch(value) is not None
    return not matched if negated else matched
