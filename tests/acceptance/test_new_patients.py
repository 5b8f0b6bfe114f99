"""What the one synthetic patient cannot show: names of its own, in other scripts, found by name."""

from __future__ import annotations

import pytest

from .compare import read
from .dimse import Archive
from .phantoms import JAPANESE_NAME, JAPANESE_TEXT, Identity, Study, japanese_iso2022, japanese_utf8
from .web import DicomWeb, value

pytestmark = [pytest.mark.breaks, pytest.mark.proves("arc")]
GROUPS = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), JAPANESE_NAME.split("="), strict=True))
MAKERS = {"ISO 2022 IR 87": japanese_iso2022, "ISO_IR 192": japanese_utf8}


@pytest.fixture(scope="module", params=MAKERS)
def patient(request: pytest.FixtureRequest, archive: Archive) -> Study:
    """A new patient with a Japanese name, stored in one of the character sets."""
    study = MAKERS[request.param](Identity.fresh())
    outcomes = archive.store(study.objects)
    assert outcomes[0].stored, f"C-STORE of a Japanese name in {request.param}: {outcomes[0]}"
    return study


def test_japanese_name_comes_back_in_three_groups(patient: Study, dicomweb: DicomWeb) -> None:
    rows = dicomweb.search("/studies", StudyInstanceUID=patient.uid, includefield="00081030")
    assert [value(row, "00100010") for row in rows] == [GROUPS], (
        f"QIDO-RS shows the name {GROUPS} as {[value(row, '00100010') for row in rows]}"
    )
    assert value(rows[0], "00081030") == JAPANESE_TEXT, (
        f"QIDO-RS shows the study's description {JAPANESE_TEXT} as {value(rows[0], '00081030')}"
    )


def test_japanese_name_comes_back_in_the_file(patient: Study, dicomweb_inside: DicomWeb) -> None:
    back = read(dicomweb_inside.file(patient.uid, patient.series_uid, patient.objects[0].SOPInstanceUID))
    assert str(back.PatientName) == JAPANESE_NAME, f"WADO-RS gave the name {JAPANESE_NAME} back as {back.PatientName}"


@pytest.mark.parametrize("group", ["Alphabetic", "Ideographic"])
def test_japanese_patient_is_found_by_name(patient: Study, dicomweb: DicomWeb, archive: Archive, group: str) -> None:
    name, patient_id = GROUPS[group], patient.objects[0].PatientID
    rows = dicomweb.search("/studies", PatientName=name, PatientID=patient_id)
    assert [value(row, "0020000D") for row in rows] == [patient.uid], (
        f"QIDO-RS finds {len(rows)} studies of {patient_id} by the name {name}"
    )
    found = archive.find("STUDY", PatientName=name if group == "Alphabetic" else f"={name}", PatientID=patient_id, StudyInstanceUID="")
    assert [row.StudyInstanceUID for row in found] == [patient.uid], f"C-FIND finds {len(found)} studies of {patient_id} by the name {name}"


def test_other_name_is_not_found(patient: Study, dicomweb: DicomWeb) -> None:
    rows = dicomweb.search("/studies", PatientName="Nobody^AtAll", PatientID=patient.objects[0].PatientID)
    assert rows == [], "QIDO-RS answers a query for another name with the patient all the same: it ignores the name"
