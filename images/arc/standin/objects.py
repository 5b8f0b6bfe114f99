"""DICOM objects: what is kept of them in the index, and how the registered patient is put into what is served."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom.config
from pydicom import dcmread, dcmwrite
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag

from standin.errors import RefusedError
from standin.status import CANNOT_UNDERSTAND

log = logging.getLogger("standin.objects")

# Field material breaks many rules of the standard; the archive keeps what came (dcm4chee.md §8.3).
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
pydicom.config.convert_wrong_length_to_UN = True

Json = dict[str, Any]

# Attributes of each entity, as upstream's attribute filters, cut to what the lab's clients ask for.
PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "TimezoneOffsetFromUTC", "StudyDescription",
    "ProcedureCodeSequence", "PatientAge", "PatientSize", "PatientWeight", "StudyInstanceUID", "StudyID", "AdmissionID",
)  # fmt: skip
SERIES = (
    "SeriesDate", "SeriesTime", "Modality", "Manufacturer", "InstitutionName", "StationName", "SeriesDescription",
    "InstitutionalDepartmentName", "PerformingPhysicianName", "ManufacturerModelName", "BodyPartExamined", "ProtocolName",
    "SeriesInstanceUID", "SeriesNumber", "Laterality", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "PerformedProcedureStepID", "PerformedProcedureStepDescription", "RequestAttributesSequence",
)  # fmt: skip
INSTANCE = (
    "ImageType", "InstanceCreationDate", "InstanceCreationTime", "SOPClassUID", "SOPInstanceUID", "ContentDate", "ContentTime",
    "AcquisitionDateTime", "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "ConceptNameCodeSequence",
    "CompletionFlag", "VerificationFlag", "DocumentTitle", "MIMETypeOfEncapsulatedDocument", "ContentLabel", "ContentDescription",
)  # fmt: skip


def hex_tag(keyword: str) -> str:
    """Return the key of an attribute in DICOM JSON, such as 00100020 for PatientID. Raises ValueError for an unknown keyword."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"unknown attribute {keyword}")
    return f"{tag:08X}"


@dataclass(frozen=True)
class Header:
    """What the index keeps of an object."""

    patient: Json
    study: Json
    series: Json
    instance: Json
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str

    @property
    def patient_id(self) -> str:
        """Patient ID without the blanks around it, which are not significant."""
        return first(self.patient, "PatientID").strip()

    @property
    def issuer(self) -> str:
        """Issuer of Patient ID, empty when the object names none."""
        return first(self.patient, "IssuerOfPatientID").strip()


def first(attributes: Json, keyword: str) -> str:
    """Return the first value of an attribute in DICOM JSON as text, a name by its groups joined with "=", else an empty text."""
    values = attributes.get(hex_tag(keyword), {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if value is None else str(value)


def read_header(content: bytes) -> Header:
    """Read what is indexed of a Part 10 file. Raises RefusedError (C000) when it is none or lacks an identifying UID."""
    try:
        dataset = dcmread(BytesIO(content), stop_before_pixels=True)
        patient, study, series, instance = (_json(dataset, keywords) for keywords in (PATIENT, STUDY, SERIES, INSTANCE))
        transfer_syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        uids = [str(dataset.get(name, "")) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")]
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError, NotImplementedError) as error:
        raise RefusedError(CANNOT_UNDERSTAND, f"Cannot read object: {error}") from error
    for name, uid in zip(("Study Instance", "Series Instance", "SOP Instance", "SOP Class"), uids, strict=True):
        if not uid:
            raise RefusedError(CANNOT_UNDERSTAND, f"Missing {name} UID")
    if not transfer_syntax:
        raise RefusedError(CANNOT_UNDERSTAND, "Missing Transfer Syntax UID")
    study_uid, series_uid, sop_uid, sop_class = uids
    return Header(patient, study, series, instance, study_uid, series_uid, sop_uid, sop_class, transfer_syntax)


def json_of(dataset: Dataset) -> Json:
    """Return all attributes of the standard as DICOM JSON, those without a value too; no bulk data is expected."""
    return {f"{element.tag:08X}": element.to_json_dict(None, 0) for element in dataset if element.keyword}


def _json(dataset: Dataset, keywords: tuple[str, ...]) -> Json:
    """Return the attributes that have a value, as DICOM JSON; one whose value cannot be read is left out and logged."""
    found: Json = {}
    for keyword in keywords:
        try:
            if dataset.get(keyword) in (None, "", []):
                continue
            found[hex_tag(keyword)] = dataset[keyword].to_json_dict(None, 0)
        except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
            log.warning("not indexed: %s of %s: %s", keyword, dataset.get("SOPInstanceUID"), type(error).__name__)
    return found


def with_patient(content: bytes, registered: Json) -> bytes:
    """Return a Part 10 file whose patient is the registered one; the very same bytes when it is already."""
    dataset = dcmread(BytesIO(content))
    if not apply_patient(dataset, registered):
        return content
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def apply_patient(dataset: Dataset, registered: Json) -> bool:
    """Set the registered patient's attributes; return whether anything changed.

    A text that the object's own character set may lack makes the whole object UTF-8 (ISO_IR 192).
    """
    changes = {key: value for key, value in registered.items() if _differs(dataset, key, value)}
    if not changes:
        return False
    patient = Dataset.from_json(changes)
    texts = [str(element.value) for element in patient]
    if any(not text.isascii() for text in texts) and dataset.get("SpecificCharacterSet") != "ISO_IR 192":
        dataset.decode()
        for item in _all_items(dataset):
            if item is dataset or "SpecificCharacterSet" in item:
                item.SpecificCharacterSet = "ISO_IR 192"
    for element in patient:
        dataset.add_new(element.tag, element.VR, element.value)
    return True


def _differs(dataset: Dataset, key: str, value: Json) -> bool:
    keyword = keyword_for_tag(Tag(key))
    own = str(dataset.get(keyword, "") or "")
    wanted = first({key: value}, keyword)
    if keyword in ("PatientID", "IssuerOfPatientID"):
        own = own.strip()
    return own != wanted


def _all_items(dataset: Dataset) -> list[Dataset]:
    """Return the dataset and every item nested in it."""
    nested = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return [dataset, *(deeper for item in nested for deeper in _all_items(item))]
