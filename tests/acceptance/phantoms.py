"""Synthetic studies whose every pixel is known.

UIDs follow from a seed and from what the objects hold (uuid5 → 2.25.…, DICOM PS3.5 B.2): the same lab gets the same objects again and
again, so a repeated run stores nothing new, while a changed phantom is a new study beside the old one, which an archive keeps as it is.
A fresh seed makes other ones. Stored values are computed, not drawn, so what comes back can be compared bit by bit.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
)

# The same names give the same UIDs everywhere.
NAMESPACE = uuid.UUID("0d1c5c29-6a3f-5b0e-9a56-1f2f5b1d7c11")
ROWS = COLUMNS = 256
AIR, BODY = -1000, -600
# Window of the CT phantoms in HU: grey 0 is -1000, grey 255 is 1000.
WINDOW_CENTRE, WINDOW_WIDTH = 0, 2000
RESCALE_INTERCEPT = -1024
JAPANESE_NAME = "Kensho^Gosei=検証^合成=けんしょう^ごうせい"
JAPANESE_TEXT = "胸部単純撮影 検証"


@dataclass(frozen=True)
class Identity:
    """Whose objects are made: `seed` tells labs apart, `accession` begins each accession number (≤ 8 characters)."""

    seed: str
    patient_id: str
    patient_name: str
    accession: str

    @classmethod
    def fresh(cls) -> Identity:
        """Return a patient nobody has seen before."""
        token = uuid.uuid4().hex[:8].upper()
        return cls(token, f"BREAK-{token}", f"Break^{token}", f"B{token[:6]}-")

    def uid(self, *parts: str | int) -> str:
        """Return the UID of what `parts` name."""
        name = "/".join([self.seed, *map(str, parts)])
        return f"2.25.{uuid.uuid5(NAMESPACE, name).int}"


@dataclass(frozen=True)
class Probe:
    """A place of a phantom's picture and the grey, 0 to 255, that a screen shows there over at least nine by nine pixels."""

    what: str
    row: int
    column: int
    grey: float


@dataclass(frozen=True)
class Study:
    """One study of one series."""

    kind: str
    objects: tuple[Dataset, ...]
    probes: tuple[Probe, ...] = ()

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return str(self.objects[0].StudyInstanceUID)

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return str(self.objects[0].SeriesInstanceUID)

    @property
    def accession(self) -> str:
        """Accession number."""
        return str(self.objects[0].AccessionNumber)

    @property
    def date(self) -> str:
        """Study date, YYYYMMDD."""
        return str(self.objects[0].StudyDate)

    @property
    def description(self) -> str:
        """Study description."""
        return str(self.objects[0].StudyDescription)

    def __str__(self) -> str:
        return f"study {self.kind} ({self.uid})"


# --- pictures --------------------------------------------------------------------------------------------------------------------


def _probe(what: str, row: int, column: int, value: int) -> Probe:
    """Return what a screen shows of a value in HU at the phantoms' window (DICOM PS3.3 C.11.2.1.2, linear)."""
    low = WINDOW_CENTRE - WINDOW_WIDTH / 2
    return Probe(f"{what} of {value} HU", row, column, float(np.clip((value - low) / WINDOW_WIDTH, 0, 1)) * 255)


def _disc(picture: NDArray[np.int16], row: int, column: int, radius: int, value: int) -> Probe:
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    picture[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = value
    return _probe("disc", row, column, value)


def _square(picture: NDArray[np.int16], row: int, column: int, half: int, value: int) -> Probe:
    picture[row - half : row + half, column - half : column + half] = value
    return _probe("square", row, column, value)


def _steps(picture: NDArray[np.int16], row: int) -> Iterator[Probe]:
    """A wedge of eleven steps from air to 1000 HU over twenty rows; yields the middle of each step."""
    for step, value in enumerate(range(-1000, 1001, 200)):
        column = 18 + step * 20
        picture[row : row + 20, column : column + 20] = value
        yield _probe("step", row + 10, column + 10, value)


def _ct_disc() -> tuple[NDArray[np.int16], tuple[Probe, ...]]:
    """A bright disc above on the left, a dark square on the right, the wedge below."""
    picture = np.full((ROWS, COLUMNS), BODY, np.int16)
    probes = (
        _probe("body", 128, 128, BODY),
        _disc(picture, 84, 84, 36, 800),
        _square(picture, 100, 196, 28, -900),
        *_steps(picture, 200),
    )
    return picture, probes


def _ct_ring() -> tuple[NDArray[np.int16], tuple[Probe, ...]]:
    """The other one: a ring below on the right, a bright square on the left, the wedge above."""
    picture = np.full((ROWS, COLUMNS), AIR, np.int16)
    _disc(picture, 170, 170, 48, 400)
    hole = _disc(picture, 170, 170, 24, -200)
    probes = (_probe("air", 128, 84, AIR), _probe("ring", 170, 134, 400), hole, _square(picture, 176, 60, 30, 600), *_steps(picture, 30))
    return picture, probes


# --- objects ---------------------------------------------------------------------------------------------------------------------


def _object(who: Identity, kind: str, sop_class: str, modality: str, number: int, date: str) -> Dataset:
    """Return the attributes that all have; no issuer of the patient id, as most modalities send none."""
    obj = Dataset()
    obj.SpecificCharacterSet = "ISO_IR 100"
    obj.SOPClassUID = sop_class
    obj.StudyDate = obj.SeriesDate = obj.AcquisitionDate = obj.ContentDate = date
    obj.StudyTime = obj.SeriesTime = obj.AcquisitionTime = obj.ContentTime = "093000"
    obj.AccessionNumber = f"{who.accession}{kind.upper()}"
    obj.Modality = modality
    obj.Manufacturer = "pacs-emr"
    obj.InstitutionName = "Synthetic test data"
    obj.StationName = "VERIFY"
    obj.ReferringPhysicianName = "Nobody^Verification"
    obj.StudyDescription = f"Verification {kind}"
    obj.SeriesDescription = f"Phantom {kind}"
    obj.PatientName = who.patient_name
    obj.PatientID = who.patient_id
    obj.PatientBirthDate = "19700101"
    obj.PatientSex = "O"
    obj.StudyID = "VERIFY"
    obj.SeriesNumber = 1
    obj.InstanceNumber = number
    obj.file_meta = FileMetaDataset()
    obj.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    obj.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return obj


def _study(who: Identity, kind: str, objects: list[Dataset], probes: tuple[Probe, ...] = ()) -> Study:
    """Give the finished objects their UIDs."""
    content = hashlib.sha256()
    for obj in objects:
        content.update(obj.to_json(bulk_data_threshold=2**31).encode())
    edition = content.hexdigest()
    for obj in objects:
        obj.StudyInstanceUID = who.uid(kind, edition, "study")
        obj.SeriesInstanceUID = who.uid(kind, edition, "series")
        obj.FrameOfReferenceUID = who.uid(kind, edition, "frame of reference")
        obj.SOPInstanceUID = UID(who.uid(kind, edition, "instance", obj.InstanceNumber))
        obj.file_meta.MediaStorageSOPInstanceUID = obj.SOPInstanceUID
    return Study(kind, tuple(objects), probes)


def _pixels(obj: Dataset, values: NDArray[np.int16] | NDArray[np.uint16] | NDArray[np.uint8], photometric: str = "MONOCHROME2") -> None:
    """Put native pixels: shape (rows, columns), (frames, rows, columns) or (frames, rows, columns, 3)."""
    colour = photometric == "RGB"
    frames = 1 if values.ndim == 2 else values.shape[0]
    rows, columns = values.shape[-3:-1] if colour else values.shape[-2:]
    obj.SamplesPerPixel = 3 if colour else 1
    obj.PhotometricInterpretation = photometric
    if colour:
        obj.PlanarConfiguration = 0
    if frames > 1:
        obj.NumberOfFrames = frames
    obj.Rows, obj.Columns = rows, columns
    obj.BitsAllocated = obj.BitsStored = values.itemsize * 8
    obj.HighBit = obj.BitsStored - 1
    obj.PixelRepresentation = int(values.dtype.kind == "i")
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    obj.add_new("PixelData", "OW" if values.itemsize == 2 else "OB", data + b"\0" * (len(data) % 2))


def _ct(who: Identity, kind: str, date: str, picture: NDArray[np.int16], probes: tuple[Probe, ...]) -> Study:
    """Three slices, 16 bit signed with rescale. The number of dots in the corner tells them apart."""
    objects = []
    for number in (1, 2, 3):
        obj = _object(who, kind, CTImageStorage, "CT", number, date)
        obj.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        obj.KVP = "120"
        obj.PatientPosition = "HFS"
        obj.SliceThickness = "2"
        obj.ImagePositionPatient = [-128, -128, 2 * number]
        obj.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        obj.PixelSpacing = [1, 1]
        obj.RescaleSlope = "1"
        obj.RescaleIntercept = str(RESCALE_INTERCEPT)
        obj.RescaleType = "HU"
        obj.WindowCenter, obj.WindowWidth = str(WINDOW_CENTRE), str(WINDOW_WIDTH)
        dotted = picture.copy()
        for dot in range(number):
            dotted[8:12, 8 + 8 * dot : 12 + 8 * dot] = 1000
        _pixels(obj, (dotted - RESCALE_INTERCEPT).astype(np.int16))
        objects.append(obj)
    return _study(who, kind, objects, probes)


def ct_disc(who: Identity) -> Study:
    """CT, phantom with the disc."""
    return _ct(who, "ctdisc", "20240229", *_ct_disc())


def ct_ring(who: Identity) -> Study:
    """CT, phantom with the ring."""
    return _ct(who, "ctring", "20240301", *_ct_ring())


def mr(who: Identity) -> Study:
    """MR, two slices of 12 bits, unsigned."""
    objects = []
    for number in (1, 2):
        obj = _object(who, "mr", MRImageStorage, "MR", number, "20240302")
        obj.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        obj.ScanningSequence, obj.SequenceVariant, obj.ScanOptions, obj.MRAcquisitionType = "SE", "NONE", "", "2D"
        obj.EchoTime, obj.RepetitionTime, obj.EchoTrainLength = "20", "500", "1"
        obj.ImagePositionPatient = [-64, -64, 5 * number]
        obj.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        obj.PixelSpacing = [1, 1]
        obj.SliceThickness = "5"
        rows, columns = np.mgrid[:128, :128]
        _pixels(obj, ((rows * 16 + columns * 16 * number) % 4096).astype(np.uint16))
        obj.BitsStored, obj.HighBit = 12, 11
        objects.append(obj)
    return _study(who, "mr", objects)


def ultrasound(who: Identity) -> Study:
    """Ultrasound, five RGB frames of odd size, a square that walks over a colour wedge."""
    obj = _object(who, "us", UltrasoundMultiFrameImageStorage, "US", 1, "20240303")
    obj.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    obj.FrameTime = "40"
    obj.FrameIncrementPointer = 0x00181063
    rows, columns = np.mgrid[:95, :127]
    wedge = np.stack([columns * 2, rows * 2, (rows + columns) % 256], axis=-1).astype(np.uint8)
    frames = np.repeat(wedge[np.newaxis], 5, axis=0)
    for frame in range(5):
        frames[frame, 40:60, 10 + 20 * frame : 30 + 20 * frame] = (255, 255 - 50 * frame, 0)
    _pixels(obj, frames, "RGB")
    return _study(who, "us", [obj])


def jpeg(who: Identity) -> Study:
    """Secondary capture, JPEG baseline (lossy, 8 bit): four fields that lie on the codec's eight by eight blocks, from black to white."""
    obj = _object(who, "jpeg", SecondaryCaptureImageStorage, "XC", 1, "20240304")
    obj.ConversionType = "WSD"
    values = np.zeros((120, 160), np.uint8)
    values[:64, 80:], values[64:, :80], values[64:, 80:] = 85, 170, 255
    _pixels(obj, values)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "JPEG", quality=90)
    obj.LossyImageCompression = "01"
    obj.LossyImageCompressionRatio = str(round(values.size / stream.tell(), 2))
    obj.LossyImageCompressionMethod = "ISO_10918_1"
    obj.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    obj.PixelData = encapsulate([stream.getvalue()])
    obj["PixelData"].VR = "OB"
    obj["PixelData"].is_undefined_length = True
    fields = ((32, 40, 0), (32, 120, 85), (92, 40, 170), (92, 120, 255))
    return _study(who, "jpeg", [obj], tuple(Probe(f"field of {grey}", row, column, grey) for row, column, grey in fields))


def _japanese(who: Identity, kind: str, date: str, character_set: str | list[str], name: str) -> Study:
    obj = _object(who, kind, SecondaryCaptureImageStorage, "CR", 1, date)
    obj.SpecificCharacterSet = character_set
    obj.PatientName = name
    obj.StudyDescription = obj.SeriesDescription = JAPANESE_TEXT
    obj.ConversionType = "WSD"
    _pixels(obj, (np.mgrid[:32, :32].sum(axis=0) * 4).astype(np.uint8))
    return _study(who, kind, [obj])


def japanese_iso2022(who: Identity, name: str = JAPANESE_NAME) -> Study:
    """Name in three component groups with ISO 2022 escape sequences, as Japanese modalities send it (DICOM PS3.5 annex H)."""
    return _japanese(who, "ir87", "20240305", ["", "ISO 2022 IR 87"], name)


def japanese_utf8(who: Identity, name: str = JAPANESE_NAME) -> Study:
    """The same in UTF-8."""
    return _japanese(who, "utf8", "20240306", "ISO_IR 192", name)


KINDS: dict[str, Callable[[Identity], Study]] = {
    "ctdisc": ct_disc,
    "ctring": ct_ring,
    "mr": mr,
    "us": ultrasound,
    "jpeg": jpeg,
    "ir87": japanese_iso2022,
    "utf8": japanese_utf8,
}


def all_studies(who: Identity) -> dict[str, Study]:
    """Return one study of each kind."""
    return {kind: make(who) for kind, make in KINDS.items()}
