"""Reports in: ORU^R01 becomes a Basic Text SR or an Encapsulated PDF (dcm4chee.md §4.3, workflow.md §2.3-2.5)."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterator
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

from standin import worklist
from standin.adt import update_patient
from standin.errors import RefusedError
from standin.hl7text import (
    APPLICATION_INTERNAL_ERROR,
    APPLICATION_RECORD_LOCKED,
    DICOM_CHARACTER_SETS,
    REQUIRED_FIELD_MISSING,
    Hl7Error,
    Message,
    Segment,
)
from standin.mapping import (
    described,
    name_based_uid,
    patient_of,
    put,
    put_code,
    put_doctor,
    put_field,
    put_if,
    put_items,
    put_moment,
    put_staff,
    put_visit,
)
from standin.objects import Json, first
from standin.received import Received

log = logging.getLogger("standin.reports")

TITLE = ("11528-7", "LN", "Radiology Report")
# What an OBX of the older form begins with → container and text concepts (code, meaning).
HEADINGS = {
    "History": (("121060", "History"), ("121060", "History")),
    "Findings": (("121070", "Findings"), ("121071", "Finding")),
    "Conclusions": (("121076", "Conclusions"), ("121077", "Conclusion")),
}


def receive(received: Received) -> None:
    """Store the report in its study, and clear the worklist, as hl7ORUAction says; without one nothing is done.

    Each message makes one more object, unless it names its UID. A study that is unknown is made. Raises Hl7Error, DatabaseError.
    """
    actions = received.application.report_actions
    if not actions:
        log.info("no action configured on receipt of ORU messages")
        return
    patient = update_patient(received)
    document, pdf = _document(received.message)
    for study_uid in _studies(received, document):
        put(document, "StudyInstanceUID", study_uid)
        if "IMPORT_REPORT" in actions:
            try:
                received.store.add(received.device, _file(document, pdf), patient=patient)
            except RefusedError as refused:
                raise Hl7Error(APPLICATION_RECORD_LOCKED, str(refused)) from refused
        if "MWL_COMPLETED" in actions:
            with received.registry.transaction() as connection:
                worklist.set_status(connection, "COMPLETED", "study_uid = %s", [study_uid])


def _studies(received: Received, document: Json) -> list[str]:
    """Return the study named, else those of the accession number, else one that is derived or new."""
    if named := first(document, "StudyInstanceUID"):
        return [named]
    accession = first(document, "AccessionNumber")
    with received.registry.transaction() as connection:
        path = "attrs #>> '{00080050,Value,0}'"
        known = connection.execute(f"SELECT uid FROM standin.study WHERE {path} = %s ORDER BY pk", (accession,)).fetchall()
    procedure = received.message.first("OBR")[19].whole
    return [row[0] for row in known] or [name_based_uid(procedure) if procedure else str(generate_uid(prefix=None))]


def _file(document: Json, pdf: bytes | None) -> bytes:
    """Return the Part 10 file, with UIDs of its own where the message names none."""
    dataset = Dataset.from_json(document)
    if not dataset.get("SOPInstanceUID"):
        dataset.SOPInstanceUID = generate_uid(prefix=None)
    if not dataset.get("SeriesInstanceUID"):
        dataset.SeriesInstanceUID = name_based_uid(dataset.SOPInstanceUID)
    if pdf is not None:
        dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
        dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _document(message: Message) -> tuple[Json, bytes | None]:
    """Return the object's attributes, and the PDF if it is one. Raises Hl7Error."""
    observations = list(message.all("OBX"))
    document = patient_of(message)
    put(document, "SpecificCharacterSet", DICOM_CHARACTER_SETS.get(message.header[18], "ISO_IR 192"))
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "Manufacturer", "ReferringPhysicianName", "StudyID"):
        put(document, keyword, "")
    put(document, "SeriesNumber", "1")
    put(document, "InstanceNumber", "1")
    put(document, "ValueType", "CONTAINER")
    put(document, "ContinuityOfContent", "SEPARATE")
    put_items(document, "ConceptNameCodeSequence", [_code(*TITLE)])
    put_items(document, "ContentTemplateSequence", [])
    put_visit(document, message)
    performing = next((observation[23].text for observation in observations if observation[23].text), "")
    put_if(document, "InstitutionName", performing or message.header[4])
    older = any(observation[2].whole == "HD" for observation in observations)
    put_if(document, "SOPInstanceUID", _value(observations, "SR Instance UID"))
    put_if(document, "SeriesInstanceUID", _value(observations, "Series Instance UID").strip())
    study_uid = _value(observations, "Study Instance UID" if older else "DICOM Study").strip()
    put_if(document, "StudyInstanceUID", study_uid)
    for request in message.all("OBR"):
        _put_request(document, request, study_uid)
    encapsulated = next((observation for observation in observations if observation[2].text == "ED"), None)
    if encapsulated is not None:
        return document, _put_pdf(document, observations, encapsulated)
    put(document, "SOPClassUID", BasicTextSRStorage)
    put(document, "Modality", "SR")
    put_items(document, "ReferencedPerformedProcedureStepSequence", [])
    texts = _older_texts(observations) if older else (_text(observation) for observation in observations)
    put_items(document, "ContentSequence", [*_context(message), *texts])
    return document, None


def _value(observations: list[Segment], name: str) -> str:
    """Return OBX-5 of the first OBX that has a component of this name in OBX-3 behind the code, empty when there is none."""
    named = (segment for segment in observations if any(node.whole == name for node in segment[3].components))
    return next((segment[5].whole for segment in named), "")


def _put_request(document: Json, request: Segment, study_uid: str) -> None:
    """Set what an OBR says: of several the last one counts."""
    put_moment(document, "ContentDate", "ContentTime", request[7].whole)
    put_field(document, "AccessionNumber", request, 18)
    item: Json = {}
    put(item, "StudyInstanceUID", study_uid)
    put_doctor(item, "RequestingPhysician", request[16])
    put(item, "AccessionNumber", request[18].whole)
    put_items(item, "ReferencedStudySequence", [])
    put_if(item, "RequestedProcedureDescription", described(request[4]))
    put_code(item, "RequestedProcedureCodeSequence", request[4])
    put(item, "RequestedProcedureID", request[19].whole)
    put(item, "PlacerOrderNumberImagingServiceRequest", request[2].whole)
    put(item, "FillerOrderNumberImagingServiceRequest", request[3].whole)
    put_items(document, "RequestAttributesSequence", [item])
    put_items(document, "ReferencedRequestSequence", [item])
    observer: Json = {}
    put(observer, "VerifyingOrganization", "Verifying Organization")
    put_if(observer, "VerificationDateTime", request[7].whole.strip())
    if request[32].subcomponents:
        put_staff(observer, "VerifyingObserverName", request[32])
    else:
        put(observer, "VerifyingObserverName", "UNKNOWN")
    put_items(observer, "VerifyingObserverIdentificationCodeSequence", [])
    put_items(document, "VerifyingObserverSequence", [observer])
    if request[34].subcomponents:
        put_staff(document, "OperatorsName", request[34])
    status = request[25].whole.strip()
    put(document, "CompletionFlag", "PARTIAL" if status == "P" else "COMPLETE")
    put(document, "VerificationFlag", "VERIFIED" if status in ("P", "F") else "UNVERIFIED")


def _put_pdf(document: Json, observations: list[Segment], encapsulated: Segment) -> bytes:
    """Set what is special to a PDF and return it. Raises Hl7Error unless OBX-5 is exactly ^Application^PDF^Base64^…"""
    marked = [o[5] for o in observations if [o[5].component(number).whole for number in (2, 3, 4)] == ["Application", "PDF", "Base64"]]
    if any(o[5].component(3).whole == "text/xml" for o in observations):
        raise Hl7Error(APPLICATION_INTERNAL_ERROR, "this stand-in imports no CDA documents")
    if not marked:
        reason = "Invalid encoding of encapsulated document in components 2 and/or 3 and/or 4 of field 5"
        raise Hl7Error(REQUIRED_FIELD_MISSING, reason, "OBX^1^5^1^2")
    content = marked[0].component(5).whole
    if not content:
        raise Hl7Error(REQUIRED_FIELD_MISSING, "Encapsulated document data missing", "OBX^1^5^1^5")
    put(document, "SOPClassUID", EncapsulatedPDFStorage)
    put(document, "Modality", "DOC")
    put(document, "ConversionType", "SD")
    put(document, "MIMETypeOfEncapsulatedDocument", "application/pdf")
    put(document, "BurnedInAnnotation", "NO")
    put(document, "AcquisitionDateTime", "")
    put(document, "DocumentTitle", "")
    put_code(document, "ConceptNameCodeSequence", encapsulated[3])
    try:
        return base64.b64decode(re.sub(r"\s", "", content) + "=" * (-len(content) % 4))
    except binascii.Error as error:
        raise Hl7Error(APPLICATION_RECORD_LOCKED, str(error)) from error


def _context(message: Message) -> Iterator[Json]:
    """Yield language, observer and procedure."""
    language = _item("HAS CONCEPT MOD", "CODE", _code("121049", "DCM", "Language of Content Item and Descendants"))
    put_items(language, "ConceptCodeSequence", [_code("en", "RFC5646", "English")])
    yield language
    for request in message.all("OBR"):
        if request[32].subcomponents:
            observer = _item("HAS OBS CONTEXT", "PNAME", _code("121008", "DCM", "Person Observer Name"))
            put_staff(observer, "PersonName", request[32])
            yield observer
        procedure = _item("HAS OBS CONTEXT", "CODE", _code("121023", "DCM", "Procedure Code"))
        put_code(procedure, "ConceptCodeSequence", request[4])
        yield procedure


def _text(observation: Segment) -> Json:
    """Return a container for an OBX: with its text when it is TX, else with its code (RAD-128)."""
    container, content = _item("CONTAINS", "CONTAINER"), _item("CONTAINS", "TEXT" if observation[2].whole == "TX" else "CODE")
    for item in (container, content):
        put_code(item, "ConceptNameCodeSequence", observation[3])
    if observation[2].whole == "TX":
        put(content, "TextValue", observation[5].decoded)
    else:
        put_code(content, "ConceptCodeSequence", observation[5])
    put(container, "ContinuityOfContent", "SEPARATE")
    put_items(container, "ContentSequence", [content])
    return container


def _older_texts(observations: list[Segment]) -> Iterator[Json]:
    """Yield a container for each OBX named `SR Text` (RAD-28); its first word may be a heading."""
    for observation in observations:
        if any(node.whole == "SR Text" for node in observation[3].components):
            text = observation[5].decoded
            heading = next((name for name in HEADINGS if text.startswith(name)), None)
            outer, inner = HEADINGS[heading or "Findings"]
            container, content = (
                _item("CONTAINS", kind, _code(code, "DCM", meaning)) for kind, (code, meaning) in (("CONTAINER", outer), ("TEXT", inner))
            )
            put(content, "TextValue", text[len(heading) + 1 :] if heading else text)
            put(container, "ContinuityOfContent", "SEPARATE")
            put_items(container, "ContentSequence", [content])
            yield container


def _item(relationship: str, value_type: str, concept: Json | None = None) -> Json:
    item: Json = {}
    put(item, "RelationshipType", relationship)
    put(item, "ValueType", value_type)
    if concept:
        put_items(item, "ConceptNameCodeSequence", [concept])
    return item


def _code(value: str, scheme: str, meaning: str) -> Json:
    item: Json = {}
    put(item, "CodeValue", value)
    put(item, "CodingSchemeDesignator", scheme)
    put(item, "CodeMeaning", meaning)
    return item
