"""The archive stand-in's handling of DICOM objects, the part of it that needs neither LDAP nor database nor Orthanc."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom.config
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

STANDIN = Path(__file__).resolve().parents[2] / "images" / "arc"
REGISTERED = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]},
    "00100020": {"vr": "LO", "Value": ["4711"]},
    "00100021": {"vr": "LO", "Value": ["LABHOSP"]},
}


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module under test; it sets pydicom's tolerance, which is put back."""
    monkeypatch.syspath_prepend(str(STANDIN))
    reading = pydicom.config.settings.reading_validation_mode
    writing = pydicom.config.settings.writing_validation_mode
    convert = pydicom.config.convert_wrong_length_to_UN
    import standin.objects

    yield standin.objects
    pydicom.config.settings.reading_validation_mode = reading
    pydicom.config.settings.writing_validation_mode = writing
    pydicom.config.convert_wrong_length_to_UN = convert
    for name in [name for name in sys.modules if name.split(".")[0] == "standin"]:
        del sys.modules[name]


def part10(**attributes: Any) -> bytes:
    """Return a CT image of patient 4711 as a file."""
    ds = dcmread(str(get_testdata_file("CT_small.dcm")))
    ds.PatientID, ds.PatientName = "4711", "Yamada^Tarou"
    for name, value in attributes.items():
        setattr(ds, name, value)
    buffer = io.BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue()


def read(content: bytes) -> Dataset:
    return dcmread(io.BytesIO(content))


def test_a_file_that_needs_no_change_is_served_byte_for_byte(objects: Any) -> None:
    content = part10(
        SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎", PatientID=" 4711 ", IssuerOfPatientID="LABHOSP"
    )
    assert objects.with_patient(content, REGISTERED) is content


def test_the_registered_patient_wins_and_nothing_else_changes(objects: Any) -> None:
    content = part10(SpecificCharacterSet="ISO_IR 192", PatientName="Yamda^Taro")
    before, after = read(content), read(objects.with_patient(content, REGISTERED))
    assert (str(after.PatientName), after.IssuerOfPatientID) == ("Yamada^Tarou=山田^太郎", "LABHOSP")
    assert {element.keyword for element in after if before.get(element.tag) != element} == {"PatientName", "IssuerOfPatientID"}


def test_a_name_that_the_character_set_lacks_makes_the_whole_object_utf8(objects: Any) -> None:
    item = Dataset()
    item.SpecificCharacterSet, item.CodeMeaning = "ISO_IR 100", "Schädel"
    content = part10(SpecificCharacterSet="ISO_IR 100", InstitutionName="Universitätsklinik", ProcedureCodeSequence=[item])
    after = read(objects.with_patient(content, REGISTERED))
    assert after.SpecificCharacterSet == "ISO_IR 192"
    assert (str(after.PatientName), after.InstitutionName) == ("Yamada^Tarou=山田^太郎", "Universitätsklinik")
    assert after.ProcedureCodeSequence[0].CodeMeaning == "Schädel"
    assert after.PixelData == read(content).PixelData


def test_the_index_takes_blanks_off_the_patient_id(objects: Any) -> None:
    header = objects.read_header(part10(PatientID=" 4711 ", IssuerOfPatientID=" X "))
    assert (header.patient_id, header.issuer) == ("4711", "X")


@pytest.mark.parametrize(("content", "reason"), [(b"no DICOM", "Cannot read object"), (part10(StudyInstanceUID=""), "Study Instance UID")])
def test_what_cannot_be_identified_is_refused_with_the_reason(objects: Any, content: bytes, reason: str) -> None:
    with pytest.raises(objects.RefusedError, match=reason) as refused:
        objects.read_header(content)
    assert refused.value.status == 0xC000
