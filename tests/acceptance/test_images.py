"""Images in, found, and out again as they were sent: C-STORE, QIDO-RS, C-FIND, WADO-RS, C-MOVE, C-GET, STOW-RS."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from .compare import as_json, differences, frames_of, read, unpadded
from .conftest import Stored
from .dimse import SUCCESS, Archive, Receiver
from .lab import Lab
from .phantoms import KINDS, Identity, Study
from .web import DicomWeb, value

pytestmark = pytest.mark.adds
NATIVE = {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def assert_equal(sent: Dataset, received: Dataset, way: str) -> None:
    """Fail with what differs between an object as sent and as it came back by `way`: pixels, then attributes."""
    before, after = sent.file_meta.TransferSyntaxUID, received.file_meta.TransferSyntaxUID
    # Uncompressed, implicit and explicit VR are a matter of negotiation (PS3.5 10.1) and hold the same values.
    assert before == after or {before, after} <= NATIVE, f"{way} gave {sent.SOPInstanceUID} in {after.name} instead of {before.name}"
    assert frames_of(sent) == frames_of(received), f"{way} gave other pixels than were sent for {sent.SOPInstanceUID}"
    changed = differences(sent, as_json(received))
    assert not changed, f"{way} changed {sent.SOPInstanceUID}: {'; '.join(changed)}"


def by_uid(objects: list[Dataset], study: Study, way: str) -> dict[str, Dataset]:
    """Return objects by SOP Instance UID. Raises AssertionError unless they are exactly the study's."""
    found = {str(obj.SOPInstanceUID): obj for obj in objects}
    wanted = {str(obj.SOPInstanceUID) for obj in study.objects}
    assert set(found) == wanted, f"{way} gave {len(found)} objects of the {study}, {len(wanted & set(found))} of its {len(wanted)}"
    return found


# --- in --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("arc")
@EVERY_KIND
def test_stores(stored: Stored, kind: str) -> None:
    outcome = stored.outcomes[kind]
    if isinstance(outcome, AssertionError):
        raise outcome
    refused = [str(one) for one in outcome if one.status != SUCCESS]
    assert not refused, (
        f"C-STORE of the {stored.studies[kind]}: {len(refused)} of {len(outcome)} objects not stored with 0000: {refused[0]}"
    )


@pytest.mark.proves("arc")
def test_stow_stores(lab: Lab, dicomweb_inside: DicomWeb) -> None:
    study = KINDS["mr"](Identity(f"pacs-emr/{lab.name}/stow", lab.patient.id, lab.patient.name, "VERSTOW-"))
    files = []
    for obj in study.objects:
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, obj, enforce_file_format=True)
        files.append(stream.getvalue())
    answer = dicomweb_inside.store(files)
    assert answer.status == 200, f"STOW-RS answered {answer.status} {answer.headers.get('warning', '')}: {answer.text}"
    rows = dicomweb_inside.search(f"/studies/{study.uid}/series")
    assert len(rows) == 1, f"the {study} came in by STOW-RS with 200, but QIDO-RS finds {len(rows)} series of it"
    for obj in study.objects:
        assert_equal(obj, read(dicomweb_inside.file(study.uid, study.series_uid, obj.SOPInstanceUID)), "STOW-RS, then WADO-RS,")


# --- found -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("arc", "edge")
@pytest.mark.parametrize("key", ["PatientID", "AccessionNumber", "StudyDate", "StudyInstanceUID"])
@EVERY_KIND
def test_qido_finds(stored: Stored, dicomweb: DicomWeb, kind: str, key: str) -> None:
    study = stored.need(kind)
    wanted = str(study.objects[0][key].value)
    rows = dicomweb.search("/studies", **{key: wanted, "includefield": "00081030,00081190"})
    found = [row for row in rows if value(row, "0020000D") == study.uid]
    assert len(found) == 1, f"{dicomweb} finds the {study} {len(found)} times among {len(rows)} for {key}={wanted}"
    assert value(found[0], "00080050") == study.accession, f"QIDO-RS names another accession number than {study.accession}: {found[0]}"


@pytest.mark.proves("arc", "edge")
def test_qido_finds_nothing_for_unknown(dicomweb: DicomWeb) -> None:
    rows = dicomweb.search("/studies", PatientID="NO-SUCH-PATIENT-PACSEMR")
    assert rows == [], f"{dicomweb} answers {len(rows)} studies for a patient who does not exist: it ignores the key"


@pytest.mark.proves("arc")
def test_issuer_is_the_labs_assigning_authority(stored: Stored, dicomweb_inside: DicomWeb, lab: Lab) -> None:
    study = stored.need("ctdisc")
    obj = read(dicomweb_inside.file(study.uid, study.series_uid, study.objects[0].SOPInstanceUID))
    issuer = obj.get("IssuerOfPatientID")
    assert issuer == lab.assigning_authority, (
        f"an image without Issuer of Patient ID is filed under {issuer!r} not {lab.assigning_authority}: its patient is not the EMR's"
    )
    patients = dicomweb_inside.search("/patients", PatientID=lab.patient.id)
    issuers = [value(row, "00100021") for row in patients]
    assert issuers == [lab.assigning_authority], (
        f"the archive holds patient {lab.patient.id} {len(issuers)} times, with the issuers {issuers}"
    )


@pytest.mark.proves("arc")
@EVERY_KIND
def test_cfind_finds_study_series_and_images(stored: Stored, archive: Archive, kind: str) -> None:
    study = stored.need(kind)
    studies = archive.find("STUDY", StudyInstanceUID="", PatientID="", AccessionNumber=study.accession)
    found = [row.StudyInstanceUID for row in studies].count(study.uid)
    assert found == 1, f"C-FIND by accession {study.accession} gives the {study} {found} times among {len(studies)}"
    series = archive.find("SERIES", StudyInstanceUID=study.uid, SeriesInstanceUID="", Modality="")
    assert [row.SeriesInstanceUID for row in series] == [study.series_uid], f"C-FIND: {len(series)} series in the {study}"
    images = archive.find("IMAGE", StudyInstanceUID=study.uid, SeriesInstanceUID=study.series_uid, SOPInstanceUID="", InstanceNumber="")
    by_uid(images, study, "C-FIND on level IMAGE")


# --- out -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("arc", "edge")
@EVERY_KIND
def test_wado_gives_the_viewer_equal_frames_and_attributes(stored: Stored, dicomweb: DicomWeb, kind: str) -> None:
    study = stored.need(kind)
    described = {str(value(row, "00080018")): row for row in dicomweb.metadata(study.uid, study.series_uid)}
    assert set(described) == {str(obj.SOPInstanceUID) for obj in study.objects}, (
        f"WADO-RS metadata has {len(described)} objects of the {study}"
    )
    for obj in study.objects:
        changed = differences(obj, described[str(obj.SOPInstanceUID)])
        assert not changed, f"WADO-RS metadata changed {obj.SOPInstanceUID}: {'; '.join(changed)}"
        for number, frame in enumerate(frames_of(obj), 1):
            received = dicomweb.frame(study.uid, study.series_uid, obj.SOPInstanceUID, number)
            assert unpadded(received) == frame, (
                f"WADO-RS gave other pixels for frame {number} of {obj.SOPInstanceUID} ({len(received)} bytes)"
            )


@pytest.mark.proves("arc")
@EVERY_KIND
def test_wado_gives_equal_files(stored: Stored, dicomweb_inside: DicomWeb, kind: str) -> None:
    study = stored.need(kind)
    for obj in study.objects:
        assert_equal(obj, read(dicomweb_inside.file(study.uid, study.series_uid, obj.SOPInstanceUID)), "WADO-RS")


@pytest.mark.proves("arc")
@EVERY_KIND
def test_cmove_sends_to_the_suite(stored: Stored, archive: Archive, lab: Lab, kind: str) -> None:
    target = lab.move_destination
    if target is None:
        pytest.skip("the lab's AE table has no entry that the suite may listen as (lab_verify_ae_title)")
    study = stored.need(kind)
    with Receiver(target.ae_title, target.bind, target.port).listening() as receiver:
        answer = archive.move(target.ae_title, "STUDY", StudyInstanceUID=study.uid)
    status, done = answer.Status, answer.get("NumberOfCompletedSuboperations")
    assert status == SUCCESS, f"C-MOVE of the {study} to {target.ae_title} (port {target.port} here) ended with {status:04X}, {done} sent"
    received = by_uid(receiver.received, study, "C-MOVE")
    for obj in study.objects:
        assert_equal(obj, received[str(obj.SOPInstanceUID)], "C-MOVE")


@pytest.mark.proves("arc")
def test_cmove_to_an_unknown_ae_title_is_refused(stored: Stored, archive: Archive) -> None:
    study = stored.need("mr")
    answer = archive.move("NOSUCHAE", "STUDY", StudyInstanceUID=study.uid)
    # PS3.4 C.4.2.1.5; dcm4chee.md §8.3.
    assert answer.Status == 0xA801, f"C-MOVE to an AE title that is in no table ended with {answer.Status:04X} instead of A801"


@pytest.mark.proves("arc")
@EVERY_KIND
def test_cget_gives_equal_objects(stored: Stored, archive: Archive, kind: str) -> None:
    study = stored.need(kind)
    first = study.objects[0]
    objects = archive.get(first.SOPClassUID, first.file_meta.TransferSyntaxUID, "STUDY", StudyInstanceUID=study.uid)
    received = by_uid(objects, study, "C-GET")
    for obj in study.objects:
        assert_equal(obj, received[str(obj.SOPInstanceUID)], "C-GET")
