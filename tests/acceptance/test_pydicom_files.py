"""Every DICOM file that the installed pydicom wheel ships: odd ones, broken ones, every transfer syntax.

Each is stored and read back equal, or refused with the archive's own reason. The listing is kept as pydicom-files.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from pydicom.misc import is_dicom
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage
from pynetdicom.dsutils import encode

from .compare import PIXELS, as_json, differences, read
from .dimse import Archive, RefusedError
from .lab import Lab
from .phantoms import Identity
from .web import DicomWeb

pytestmark = [pytest.mark.breaks, pytest.mark.proves("arc")]
SHIPPED = Path(pydicom.__file__).parent / "data"
FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and (path.suffix == ".dcm" or is_dicom(path)))


@dataclass
class Fate:
    """What became of one file."""

    file: str
    way: str = ""
    result: str = ""
    reason: str = ""


@pytest.fixture(scope="module")
def listing(lab: Lab, notes: list[str]) -> Iterator[list[Fate]]:
    """Collects what became of each file; written when all are through."""
    fates: list[Fate] = []
    yield fates
    (lab.artifacts / "pydicom-files.json").write_text(json.dumps([asdict(fate) for fate in fates], indent=1) + "\n", encoding="utf-8")
    refused = [fate for fate in fates if fate.result == "refused"]
    notes.append(f"of {len(fates)} files of pydicom {len(refused)} were refused (pydicom-files.json):")
    notes.extend(f"  {fate.file}: {fate.way}: {fate.reason}" for fate in refused)


def sendable(path: Path) -> Dataset | None:
    """Return the object as a new one of a new patient, so that no file hides another; None when it is none that C-STORE could name."""
    obj = pydicom.dcmread(path, force=True)
    if obj.get("SOPClassUID") in (None, "", MediaStorageDirectoryStorage):
        return None
    if not obj.file_meta.get("TransferSyntaxUID"):
        implicit, little = obj.original_encoding
        obj.file_meta.TransferSyntaxUID = (
            (ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian) if little else ExplicitVRBigEndian
        )
    who = Identity.fresh()
    obj.StudyInstanceUID, obj.SeriesInstanceUID, obj.SOPInstanceUID = who.uid("study"), who.uid("series"), who.uid("instance")
    obj.file_meta.MediaStorageSOPClassUID, obj.file_meta.MediaStorageSOPInstanceUID = obj.SOPClassUID, obj.SOPInstanceUID
    if obj.get("PatientID"):
        obj.PatientID = who.patient_id
    syntax = obj.file_meta.TransferSyntaxUID
    # What pydicom cannot write again goes as it is, too.
    return obj if encode(obj, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated) else None


def unequal(sent: Dataset, back: Dataset) -> str:
    """Return in words what differs: the pixels of an image, the attributes of anything else; nothing when it is equal."""
    pixels = [tag for tag in PIXELS if int(tag, 16) in sent]
    if not pixels:
        return "; ".join(differences(sent, as_json(back)))
    before, after = sent.file_meta.TransferSyntaxUID, back.file_meta.TransferSyntaxUID
    if before != after:
        return (
            ""
            if np.array_equal(sent.pixel_array, back.pixel_array)
            else f"other pixels, after conversion from {before.name} to {after.name}"
        )
    tag = int(pixels[0], 16)
    if tag not in back:
        return "no pixels"
    return "" if _bytes(sent, tag) == _bytes(back, tag) else "other pixels"


def _bytes(obj: Dataset, tag: int) -> bytes:
    """Return pixel data without what an archive may make anew: the offset table, padding to even length."""
    data: bytes = obj[tag].value
    if obj.file_meta.TransferSyntaxUID.is_compressed:
        data = b"".join(list(generate_fragments(data))[1:])
    return data.rstrip(b"\0")


def by_store(obj: Dataset, archive: Archive, fate: Fate) -> None:
    """C-STORE it and note the outcome."""
    fate.way = "C-STORE"
    try:
        outcome = archive.store([obj])[0]
    except RefusedError as refusal:
        fate.result, fate.reason = "refused", str(refusal)
        return
    fate.result, fate.reason = ("stored", "") if outcome.stored else ("refused", str(outcome) if outcome.reason else "")


def by_stow(path: Path, dicomweb: DicomWeb, fate: Fate) -> None:
    """STOW-RS the file's bytes as they are and note the outcome.

    The archive's reason is its Warning header, or the list of failures in its answer (PS3.18 10.5.3).
    """
    fate.way = "STOW-RS"
    answer = dicomweb.store([path.read_bytes()])
    if answer.status in (200, 202) and b"00081198" not in answer.body:
        fate.result = "stored"
        return
    reason = answer.headers.get("warning") or answer.text
    fate.result, fate.reason = "refused", f"{answer.status} {reason}" if reason else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SHIPPED).as_posix())
def test_file_is_stored_or_refused_with_a_reason(path: Path, archive: Archive, dicomweb_inside: DicomWeb, listing: list[Fate]) -> None:
    fate = Fate(path.relative_to(SHIPPED).as_posix())
    listing.append(fate)
    obj = sendable(path)
    if obj is None:
        by_stow(path, dicomweb_inside, fate)
    else:
        by_store(obj, archive, fate)
    if fate.result == "refused":
        assert fate.reason, f"{fate.file} is refused by {fate.way} without a reason"
        return
    sent = obj or pydicom.dcmread(path, force=True)
    back = read(dicomweb_inside.file(sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID))
    fate.reason = unequal(sent, back)
    fate.result = "changed" if fate.reason else "stored"
    assert not fate.reason, f"{fate.file} was taken by {fate.way} and came back with {fate.reason}"
