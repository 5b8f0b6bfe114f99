"""The archive stand-in's handling of DICOM objects and HL7 messages, the part that needs neither LDAP nor database nor Orthanc."""

from __future__ import annotations

import contextlib
import io
import random
import socket
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
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package under test; it sets pydicom's tolerance, which is put back."""
    monkeypatch.syspath_prepend(str(STANDIN))
    reading = pydicom.config.settings.reading_validation_mode
    writing = pydicom.config.settings.writing_validation_mode
    convert = pydicom.config.convert_wrong_length_to_UN
    import standin.hl7config
    import standin.hl7text
    import standin.mapping
    import standin.mllp

    yield standin
    pydicom.config.settings.reading_validation_mode = reading
    pydicom.config.settings.writing_validation_mode = writing
    pydicom.config.convert_wrong_length_to_UN = convert
    for name in [name for name in sys.modules if name.split(".")[0] == "standin"]:
        del sys.modules[name]


@pytest.fixture
def objects(standin: Any) -> Any:
    return standin.objects


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


HEADER = "MSH|^~\\&|ENGINE|HOSP|PACS|HOSP|20260115||ADT^A04|C1|T|2.5.1||||||{charset}"
NAMED = {
    "objectClass": ["hl7Application"],
    "hl7ApplicationName": ["PACS|HOSP"],
    "hl7AcceptedMessageType": ["ADT^A04"],
    "dicomNetworkConnectionReference": ["cn=hl7,DEVICE"],
}

SCHEDULED = {"objectClass": ["hl7OrderSPSStatus"], "dcmSPSStatus": ["SCHEDULED"], "hl7OrderControlStatus": ["NW_"]}


def message(*segments: str, charset: str = "UNICODE UTF-8") -> bytes:
    return "\r".join((HEADER.format(charset=charset), *segments)).encode()


def test_fields_components_and_repetitions(standin: Any) -> None:
    parsed = standin.hl7text.parse(message("PID|1||42^^^NS&1.2.3&ISO^MR~43||Doe^Jane"), "ASCII")
    pid = parsed.first("PID")
    assert [pid[3].text, pid[3].component(4).text, pid[3].component(4).subcomponent(2).text] == ["42", "NS", "1.2.3"]
    assert ([node.text for node in pid[3].repeats], pid[3].whole) == (["43"], "42NS1.2.3ISOMR43")
    assert (pid.get(4).tokens, pid.get(5).component(2).text, pid.get(6), pid[6].text) == ([], "Jane", None, "")
    assert (parsed.first("MSH")[4].text, parsed.first("MSH")[9].component(2).text, parsed.header.message_type) == ("HOSP", "A04", "ADT^A04")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_ends_a_segment(standin: Any, end: str) -> None:
    parsed = standin.hl7text.parse(message("PID|1", "PV1|1").replace(b"\r", end.encode()), "ASCII")
    assert [segment.name for segment in parsed.segments] == ["MSH", "PID", "PV1"]


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("\\F\\\\S\\\\T\\\\R\\\\E\\.", "|^&~\\\\."),
        ("a\\.br\\b", "a\r\nb"),
        ("\\X41\\\\X4243\\", "ABC"),
        ("\\XC3A9\\", "é"),
        ("\\X5C\\\\X26\\\\H\\", ""),
        ("open \\ end", "open \\ end"),
        ("\\Xzz\\x", "x"),
    ],
)
def test_escapes(standin: Any, text: str, decoded: str) -> None:
    assert standin.hl7text.parse(message(f"OBX|{text}|1"), "ASCII").first("OBX")[1].decoded == decoded


def test_any_text_survives_when_it_is_escaped(standin: Any) -> None:
    """Whatever stands in a field, escaped as HL7 wants it, is read back, but for a backslash, which is doubled."""
    chance = random.Random(5342)
    escapes = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
    for _ in range(300):
        text = "".join(chance.choice("ab 1é山|^&~\\#-") for _ in range(chance.randrange(1, 40))).strip() or "x"
        sent = "".join(escapes.get(character, character) for character in text)
        parsed = standin.hl7text.parse(message(f"OBX|1|TX|{sent}|last"), "ASCII").first("OBX")
        assert (parsed[3].decoded, parsed[4].text) == (text.replace("\\", "\\\\"), "last")


def test_no_bytes_break_the_parser(standin: Any) -> None:
    """Anything behind a header is read or refused, never more than that."""
    chance = random.Random(1)
    for _ in range(500):
        content = message() + b"\r" + bytes(chance.choice(b"PIDOBX|^~&\\\r\n\x00\xff #") for _ in range(chance.randrange(60)))
        with contextlib.suppress(standin.hl7text.Hl7Error):
            assert standin.hl7text.parse(content, "ASCII").segments[0].name == "MSH"


@pytest.mark.parametrize(
    ("charset", "content", "seen"),
    [("UNICODE UTF-8", "Jörg", "Jörg"), ("UTF-8", "Jörg", "J??rg"), ("", "Jörg", "JÃ¶rg"), ("8859/1", "Jörg", "JÃ¶rg")],
)
def test_character_sets(standin: Any, charset: str, content: str, seen: str) -> None:
    assert standin.hl7text.parse(message(f"PID|{content}", charset=charset), "8859/1").first("PID")[1].text == seen


def test_acknowledgement_is_cut_where_upstream_cuts(standin: Any) -> None:
    refused = standin.hl7text.Hl7Error("204^Unknown key identifier^HL70357", "x" * 100, "PID^1^3")
    header, acknowledged, error, end = standin.hl7text.Header(message()).acknowledge(refused).decode().split("\r")
    assert header.split("|")[2:6] == ["PACS", "HOSP", "ENGINE", "HOSP"]
    assert acknowledged == f"MSA|AR|C1|{'x' * 80}"
    assert (error, end) == (f"ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||{'x' * 100}", "")


def test_frames_are_found_however_they_come(standin: Any) -> None:
    near, far = socket.socketpair()
    sent = [b"one", b"", b"MSH" * 5000]
    stream = b"".join(b"\x0b" + content + b"\x1c\r" for content in sent)
    for place in range(0, len(stream), 1000):
        far.sendall(stream[place : place + 1000])
    far.close()
    assert list(standin.mllp.frames(near)) == sent


@pytest.mark.parametrize("stream", [b"MSH|", b"\x0bMSH\x1cX", b"\x0bMSH\x1c\r?"])
def test_what_is_no_frame_is_refused(standin: Any, stream: bytes) -> None:
    near, far = socket.socketpair()
    far.sendall(stream)
    with pytest.raises(ValueError, match=r"Start Block|0D"):
        list(standin.mllp.frames(near))


@pytest.mark.parametrize(("text", "seconds"), [("PT5S", 5), ("PT1M30S", 90), ("P1DT1H", 90000), (None, None)])
def test_durations(standin: Any, text: str | None, seconds: float | None) -> None:
    assert standin.hl7config.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "5S", "PT", "PT-1S", "P1Y"])
def test_what_is_no_duration_is_refused(standin: Any, text: str) -> None:
    with pytest.raises(standin.errors.ConfigurationError):
        standin.hl7config.duration(text)


def configuration(standin: Any, device: dict[str, list[str]], **named: list[str]) -> Any:
    """Read a device with one HL7 connection and one application."""
    entries = [
        ("DEVICE", {"objectClass": ["dcmArchiveDevice"], **device}),
        ("cn=hl7,DEVICE", {"objectClass": ["dicomNetworkConnection"], "dicomPort": ["2575"], "dcmProtocol": ["HL7"]}),
        ("hl7ApplicationName=PACS|HOSP,DEVICE", NAMED | named),
        ("dcmSPSStatus=SCHEDULED,DEVICE", SCHEDULED),
    ]
    return standin.hl7config.read(entries, lambda _: ([], []))


def test_an_application_takes_what_it_lacks_from_the_device(standin: Any) -> None:
    read = configuration(standin, {"hl7ORUAction": ["IMPORT_REPORT"], "hl7ScheduledStationAETInOrder": ["ORC_18"]})
    application = read.application("PACS|HOSP")
    assert (read.port, application.report_actions, application.station_in_orc_18) == (2575, ["IMPORT_REPORT"], True)
    assert (application.statuses, read.application("OTHER|HOSP")) == ({"NW_": "SCHEDULED"}, None)
    assert configuration(standin, {"hl7ORUAction": ["IMPORT_REPORT"]}, hl7ORUAction=["MWL_COMPLETED"]).application(
        "PACS|HOSP"
    ).report_actions == ["MWL_COMPLETED"]


@pytest.mark.parametrize(
    "device",
    [
        {"hl7PSUAction": ["SEND_NOTIFICATION"], "hl7PSUTrigger": ["MPPS_RECEIVED"]},
        {"hl7PSUAction": ["SEND_NOTIFICATION"], "hl7PSUTrigger": ["STUDY_RECEIVED"], "hl7PSUMessageType": ["OMI_O23"]},
        {"hl7PSUTaskPollingInterval": ["5"]},
        {"hl7ScheduledStationAETInOrder": ["OBR_20"]},
        {"dcmTrustedIssuerOfPatientID": ["HOSP"]},
    ],
)
def test_a_setting_without_effect_here_is_refused(standin: Any, device: dict[str, list[str]]) -> None:
    with pytest.raises(standin.errors.ConfigurationError):
        configuration(standin, device)


def test_what_a_message_names_empty_erases(standin: Any) -> None:
    parsed = standin.hl7text.parse(message("PID|1||42^^^NS||||19700101|U"), "ASCII")
    stored = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}, "00100040": {"vr": "CS", "Value": ["F"]}}
    merged = standin.mapping.overwrite(stored, standin.mapping.patient_of(parsed))
    assert sorted(merged) == ["00100020", "00100021", "00100030"]
    untouched = standin.mapping.overwrite(stored, standin.mapping.patient_of(standin.hl7text.parse(message("PID|1||42|"), "ASCII")))
    assert {"00100010", "00100040"} <= set(untouched)


def test_derived_uids_are_those_of_upstream(standin: Any) -> None:
    """java.util.UUID.nameUUIDFromBytes, as a decimal below 2.25."""
    assert standin.mapping.name_based_uid("hello") == "2.25.123957004363873526652136262481661642130"
