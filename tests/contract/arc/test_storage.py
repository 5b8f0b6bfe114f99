"""What the archive makes of objects that it is sent: as they came, of which patient, refused, kept."""

from __future__ import annotations

import copy
import re
import time
import warnings
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid
from pynetdicom import build_context

from ..conftest import Engine, docker
from .support import SUCCESS, Trio, another, first, image, is_started, start, stow, wait_until_started


def test_stored_object_is_served_as_it_came(trio: Trio) -> None:
    """Pixels bit for bit, attributes equal but for the issuer, which upstream supplements (§4.4)."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    got = trio.file(sent)
    assert got.PixelData == sent.PixelData
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert [element for element in sent if got.get(element.tag) != element and element.tag.element] == []
    assert {element.keyword for element in got} - {element.keyword for element in sent} <= {"IssuerOfPatientID"}


def test_same_object_again(trio: Trio) -> None:
    """§8.3: same SOP instance again, or under another study: 0000."""
    sent = image()
    elsewhere = copy.deepcopy(sent)
    elsewhere.StudyInstanceUID = generate_uid()
    assert [answer.Status for answer in trio.store(sent, sent, elsewhere)] == [SUCCESS] * 3
    assert len(trio.found(f"studies/{sent.StudyInstanceUID}/instances")) == 1


def test_default_issuer_is_a_hash(trio: Trio) -> None:
    """§4.4: the default coercion adds DCM4CHEE.{name hash}.{birth date hash}, so another spelling is another patient."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    issuer = str(trio.file(sent).IssuerOfPatientID)
    assert re.fullmatch(r"DCM4CHEE\.[0-9A-Fa-f]+\.[0-9A-Fa-f]+", issuer)
    other = image(PatientID=sent.PatientID, PatientName="Contract^Tset")
    assert trio.store(other)[0].Status == SUCCESS
    assert trio.file(other).IssuerOfPatientID != issuer


def test_constant_issuer_and_registered_name(trio: Trio) -> None:
    """§4.4: with a constant issuer another spelling is the same patient, whose registered name stays, in queries and files."""
    sent = image(PatientName="Registered^First")
    later = image(PatientID=sent.PatientID, PatientName="Spelled^Otherwise")
    named = image(PatientID=sent.PatientID, IssuerOfPatientID="ELSEWHERE", PatientName="Other^Patient")
    with trio.issuer("LABHOSP"):
        assert [answer.Status for answer in trio.store(sent, later, named)] == [SUCCESS] * 3
    match = trio.found(f"studies?StudyInstanceUID={later.StudyInstanceUID}")[0]
    assert first(match, "00100010") == {"Alphabetic": "Registered^First"}
    assert first(match, "00100021") == "LABHOSP"
    got = trio.file(later)
    assert (str(got.PatientName), got.IssuerOfPatientID, got.PixelData) == ("Registered^First", "LABHOSP", later.PixelData)
    metadata = trio.found(f"studies/{later.StudyInstanceUID}/metadata")[0]
    assert first(metadata, "00100010") == {"Alphabetic": "Registered^First"}
    # An explicit other issuer counts as another patient.
    assert str(trio.file(named).PatientName) == "Other^Patient"
    assert len(trio.found(f"studies?PatientID={sent.PatientID}")) == 3
    assert len(trio.found(f"studies?PatientID={sent.PatientID}&IssuerOfPatientID=LABHOSP")) == 2


def test_first_object_decides_the_patient(trio: Trio) -> None:
    """§4.4: an object for another patient in an existing study → A778 "Patient ID … differs"."""
    sent = image(IssuerOfPatientID="LABHOSP")
    foreign = another(sent, PatientID=sent.PatientID + "-X")
    accepted, refused = trio.store(sent, foreign)
    assert accepted.Status == SUCCESS
    assert refused.Status == 0xA778
    assert "Patient ID" in refused.ErrorComment
    assert "differs" in refused.ErrorComment
    assert len(trio.found(f"studies/{sent.StudyInstanceUID}/instances")) == 1


def test_refusal_is_in_the_log(trio: Trio) -> None:
    """The answer as dcm4che-net logs each: who sent, and the status in hexadecimal without leading zeros."""
    sent = image(IssuerOfPatientID="LABHOSP")
    _, refused = trio.store(sent, another(sent, IssuerOfPatientID="CTROOM2"))
    assert refused.Status == 0xA778
    assert re.search(
        r"INFO .*net\.Dimse\].* DCM4CHEE<-\w+\(\d+\) << \d+:C-STORE-RSP\[pcid=\d+, status=a778H, errorComment=Pat", trio.arc.logs()
    )


def test_blanks_around_the_patient_id_do_not_count(trio: Trio) -> None:
    """DICOM PS3.5 §6.2: leading and trailing blanks of LO are not significant."""
    sent = image()
    padded = another(sent, PatientID=f" {sent.PatientID} ")
    assert [answer.Status for answer in trio.store(sent, padded)] == [SUCCESS] * 2
    assert len(trio.found(f"studies?PatientID={sent.PatientID}")) == 1


def test_empty_patient_id_gets_a_generated_one(trio: Trio) -> None:
    """§4.4: an empty Patient ID gets a generated one (P-00000001)."""
    sent = image(PatientID="")
    assert trio.store(sent)[0].Status == SUCCESS
    generated = first(trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")[0], "00100020")
    assert re.fullmatch(r"P-\d{8}", generated)
    assert trio.file(sent).PatientID == generated


@pytest.mark.parametrize("character_set", [["", "ISO 2022 IR 87"], "ISO_IR 192"])
def test_japanese_name(trio: Trio, character_set: Any) -> None:
    """§4.2: a Japanese name comes as ISO_IR 192 also to a query in ISO_IR 100; QIDO has its three groups; the file keeps it."""
    sent = image(SpecificCharacterSet=character_set, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert trio.store(sent)[0].Status == SUCCESS
    match = trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")[0]
    assert first(match, "00100010") == {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert len(trio.found(f"studies?PatientName=山田*&PatientID={sent.PatientID}")) == 1
    keys = {"SpecificCharacterSet": "ISO_IR 100", "StudyInstanceUID": sent.StudyInstanceUID, "PatientName": ""}
    answer = trio.find(QueryRetrieveLevel="STUDY", **keys)[0]
    assert str(answer.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert str(trio.file(sent).PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_unwritable_storage(trio: Trio) -> None:
    """§9.2: not writable for 1023: STARTED, QIDO 200, each C-STORE 0110; after a chown well at once."""
    assert trio.store(image())[0].Status == SUCCESS
    trio.arc.exec("chown", "-R", "root:root", "/storage/fs1")
    try:
        assert trio.store(image())[0].Status == 0x0110
        assert is_started(trio.arc)
        assert trio.rs("studies?limit=1").status_code == 200
    finally:
        trio.arc.exec("chown", "-R", "1023:1023", "/storage/fs1")
    assert trio.store(image())[0].Status == SUCCESS


def test_full_storage(trio: Trio) -> None:
    """§8.2: storage full: C-STORE A700, STOW 409 with Warning, no half files, status STARTED."""
    files = "find /storage/fs1 -type f | wc -l"
    before = trio.arc.exec("sh", "-c", files)
    trio.arc.exec("sh", "-c", "cat /dev/zero >/storage/filler 2>/dev/null; true")
    try:
        assert trio.store(image())[0].Status == 0xA700
        answer = stow(trio, image())
        assert answer.status_code == 409
        assert "Warning" in answer.headers
        assert is_started(trio.arc)
    finally:
        trio.arc.exec("rm", "/storage/filler")
    assert trio.arc.exec("sh", "-c", files) == before
    assert trio.store(image())[0].Status == SUCCESS


def shipped_files() -> list[Path]:
    return sorted(path for path in Path(pydicom.data.__file__).parent.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def test_every_object_of_the_pydicom_wheel(trio: Trio) -> None:
    """Field material is stored and served with its pixels, or refused with a reason."""
    warnings.simplefilter("ignore")
    seen: set[str] = set()
    served = refused = 0
    for path in shipped_files():
        try:
            ds = dcmread(path)
            syntax, sop_class, sop_uid = ds.file_meta.TransferSyntaxUID, ds.SOPClassUID, ds.SOPInstanceUID
        except (InvalidDicomError, AttributeError):
            continue
        association = trio.associate(build_context(sop_class, syntax))
        if not association.is_established:
            refused += 1
            continue
        try:
            answer = association.send_c_store(ds)
        except ValueError:
            # What pynetdicom cannot send is no matter of the archive.
            continue
        finally:
            association.release()
        if answer.Status != SUCCESS:
            assert answer.get("ErrorComment"), f"{path.name}: {answer.Status:04X} without a reason"
            refused += 1
        elif sop_uid not in seen:
            seen.add(sop_uid)
            got = trio.file(ds)
            assert got.get("PixelData") == ds.get("PixelData"), path.name
            served += 1
    assert (served > 80, refused > 0) == (True, True), (served, refused)


def test_stored_objects_survive(trio_engine: Engine, trio: Trio) -> None:
    """§8.2, §9.2: what was acknowledged is there after kill -9, a stop (exit 0) and a new container on the same volumes."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    docker("kill", trio.arc.name)
    docker("start", trio.arc.name)
    wait_until_started(trio.arc)
    assert trio.file(sent).PixelData == sent.PixelData
    began = time.monotonic()
    assert trio.arc.stop(grace=60) == 0
    assert time.monotonic() - began < 5
    trio.arc.remove()
    trio.arc = start(trio_engine, trio.options[0], trio.options[1:])
    assert trio.file(sent).PixelData == sent.PixelData
