"""What must come back as it was sent, and the short list of what an archive may change."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

Json = dict[str, Any]

# The listed set: attributes that may differ between what was sent and what comes back, each with its reason.
CHANGED_BY_THE_ARCHIVE: dict[str, str] = {
    "00080005": "SpecificCharacterSet: patient, study and object are brought to one character set; the texts themselves must be equal",
    "00100010": "PatientName: that of the registered patient (dcm4chee.md §4.4: the stored name stays)",
    "00100030": "PatientBirthDate: that of the registered patient",
    "00100040": "PatientSex: that of the registered patient",
    "00100021": "IssuerOfPatientID: the assigning authority, where the object named none (dcm4chee.md §4.4)",
    "00100022": "TypeOfPatientID: that of the registered patient, which HL7 gives (PID-3.5)",
    "00100024": "IssuerOfPatientIDQualifiersSequence: with the issuer",
    "04000561": "OriginalAttributesSequence: the record of such a change",
}
# A Patient ID is generated where none was sent (dcm4chee.md §4.4).
PATIENT_ID = "00100020"
# What only an answer carries, never a stored object: where and how the object can be had (PS3.18 10.6.3), and dcm4chee's own block.
ONLY_IN_ANSWERS = {"00080054", "00080056", "00081190"}
OWN_BLOCK = "7777"
# Group lengths are retired: who re-encodes leaves them out (PS3.5 7.2).
GROUP_LENGTH = "0000"
PIXELS = {"7FE00008", "7FE00009", "7FE00010"}
PADDING = "FFFCFFFC"


def as_json(obj: Dataset) -> Json:
    """Return an object in the DICOM JSON model without its pixels (PS3.18 annex F)."""
    shown: Json = obj.to_json_dict(bulk_data_threshold=2**31)
    return {tag: element for tag, element in shown.items() if tag not in PIXELS}


def differences(sent: Dataset, received: Mapping[str, Any]) -> list[str]:
    """Return in words each attribute that differs and is not on the list; `received` in the DICOM JSON model."""
    before = as_json(sent)
    may_differ = set(CHANGED_BY_THE_ARCHIVE) | ONLY_IN_ANSWERS | {PADDING}
    if not sent.get("PatientID"):
        may_differ.add(PATIENT_ID)
    found = []
    for tag in sorted({*before, *received}):
        if tag in may_differ or tag in PIXELS or tag.startswith(OWN_BLOCK) or tag.endswith(GROUP_LENGTH):
            continue
        was, is_now = _plain(before.get(tag)), _plain(received.get(tag))
        # An empty attribute and none are the same to an archive that keeps type 2 attributes only.
        if was != is_now:
            found.append(f"{pydicom.datadict.keyword_for_tag(tag) or 'private'} ({tag}) was {was!r}, came back as {is_now!r}")
    return found


def _plain(element: Any) -> Any:
    """Return an attribute's values, comparable: sequences by item, DS and IS as numbers, empty ones and absent ones alike."""
    if element is None:
        return []
    if "InlineBinary" in element:
        return element["InlineBinary"]
    values = element.get("Value", [])
    if element.get("vr") == "SQ":
        return [{tag: _plain(inner) for tag, inner in sorted(item.items()) if _plain(inner)} for item in values]
    # PS3.18 F.2.3.1: a number or a string, as the sender likes; an empty value among others is null.
    if element.get("vr") in ("DS", "IS"):
        values = [float(part) if part not in (None, "") else None for part in values]
    values = [part or None if isinstance(part, (str, dict)) else part for part in values]
    return [] if all(part is None for part in values) else values


def frames_of(obj: Dataset) -> list[bytes]:
    """Return each frame's bytes as they are stored: native ones cut evenly, encapsulated ones without their padding to even length."""
    count = int(obj.get("NumberOfFrames") or 1)
    if obj.file_meta.TransferSyntaxUID.is_compressed:
        return [unpadded(frame) for frame in generate_frames(obj.PixelData, number_of_frames=count)]
    size = obj.Rows * obj.Columns * obj.SamplesPerPixel * obj.BitsAllocated // 8
    return [obj.PixelData[number * size : (number + 1) * size] for number in range(count)]


def unpadded(frame: bytes) -> bytes:
    """Return a JPEG without the bytes that pad it to even length (PS3.5 A.4)."""
    end = frame.rfind(b"\xff\xd9")
    return frame if end < 0 or frame[end + 2 :].strip(b"\0\xff") else frame[: end + 2]


def read(file: bytes) -> Dataset:
    """Return the object in a DICOM file."""
    return pydicom.dcmread(io.BytesIO(file), force=True)
