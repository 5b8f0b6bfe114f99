"""The archive's DICOMweb: QIDO-RS, WADO-RS, STOW-RS."""

from __future__ import annotations

import copy

import pydicom.data
import pytest
import requests
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGBaseline8Bit, generate_uid

from .support import DICOM_PARTS, OHIF_FRAMES, SUCCESS, Trio, another, first, image, instance_path, numbers, only_standin, parts_of, stow


def test_any_origin_is_allowed(trio: Trio) -> None:
    """§3: CORS `*` with credentials allowed on whatever is answered; what stands before the archive has to strip it."""
    sent = image()
    trio.store(sent)
    study, instance = f"studies/{sent.StudyInstanceUID}", instance_path(sent)
    calls = [
        (f"{study}/series", {}, 200),
        (f"{study}/metadata", {}, 200),
        (study, DICOM_PARTS, 200),
        (f"{instance}/frames/1", OHIF_FRAMES, 200),
        (f"{instance}/rendered", {}, 200),
        ("studies/1.2.3", {}, 404),
        ("studies?NoSuchThing=1", {}, 400),
    ]
    for path, accept, status in calls:
        answer = trio.rs(path, headers={"Origin": "http://elsewhere.example"} | accept)
        assert answer.status_code == status, path
        assert answer.headers.get("Access-Control-Allow-Origin") == "*", path
        assert answer.headers.get("Access-Control-Allow-Credentials") == "true", path


def test_counts_of_an_instance_are_those_of_its_study_and_series(trio: Trio) -> None:
    """§3: a match holds the attributes of the entities above it; each count is that entity's, also where two studies match."""
    one, two = image(), image()
    other = another(two, SeriesInstanceUID=generate_uid(), Modality="MR")
    two.PatientID = other.PatientID = one.PatientID
    assert [answer.Status for answer in trio.store(one, another(one), two, other)] == [SUCCESS] * 4
    found = trio.found(f"instances?PatientID={one.PatientID}")
    # Series and instances of its study, instances of its series.
    counts = [tuple(first(match, tag) for tag in ("00201206", "00201208", "00201209")) for match in found]
    assert sorted(counts) == [(1, 2, 2), (1, 2, 2), (2, 2, 1), (2, 2, 1)]


@only_standin
def test_lacking_paths_say_so(trio: Trio) -> None:
    """What the stand-in lacks is 501 with a sentence, never an empty success."""
    for path in ("/aets/WORKLIST/rs/workitems", "/ui2", "/monitor/associations", "/aets/AS_RECEIVED/rs/studies"):
        answer = requests.get(trio.url(path), timeout=10)
        assert answer.status_code == 501, path
        assert "stand-in" in answer.json()["errorMessage"]


@only_standin
def test_order_by_a_deeper_level_is_passed_over(trio: Trio) -> None:
    """A study has no instance number: it cannot order studies, and is no fault either."""
    assert trio.store(image())[0].Status == SUCCESS
    assert trio.rs("studies?orderby=InstanceNumber").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("studies?StudyInstanceUID=1.2.3", 204),
        ("studies/1.2.3/series", 204),
        ("studies?NoSuchThing=1", 400),
        ("studies?limit=0", 400),
        ("studies?limit=many", 400),
        ("studies?limit=100000", 400),
        ("studies/1.2.3", 404),
        ("studies/1.2.3/metadata", 404),
    ],
)
def test_answers_without_a_result(trio: Trio, path: str, status: int) -> None:
    """§3, status codes."""
    assert trio.rs(path).status_code == status


def test_unknown_ae_in_the_path(trio: Trio) -> None:
    """§3: unknown AE title 404."""
    assert requests.get(trio.url("/aets/NOBODY/rs/studies"), timeout=10).status_code == 404


def test_accept_that_cannot_be_satisfied(trio: Trio) -> None:
    """§3: an Accept the object cannot satisfy 406."""
    sent = image()
    trio.store(sent)
    assert trio.rs(instance_path(sent), headers={"Accept": "video/mp4"}).status_code == 406


def test_count_limit_and_offset(trio: Trio) -> None:
    """§3: /count; limit and offset cut the same list."""
    sent = image()
    trio.store(sent, another(sent), another(sent))
    path = f"studies/{sent.StudyInstanceUID}/instances"
    assert trio.rs(path + "/count").json() == {"count": 3}
    pages = [trio.found(f"{path}?limit=2"), trio.found(f"{path}?limit=2&offset=2")]
    uids = [first(match, "00080018") for page in pages for match in page]
    assert (len(pages[0]), len(set(uids))) == (2, 3)


def test_retrieve_url_follows_the_proxy(trio: Trio) -> None:
    """§3: with HTTP_PROXY_ADDRESS_FORWARDING the Host and X-Forwarded-Proto of the proxy make the outer address."""
    sent = image()
    trio.store(sent)
    headers = {"Host": "viewer.example", "X-Forwarded-Proto": "https"}
    match = trio.rs(f"studies?StudyInstanceUID={sent.StudyInstanceUID}", headers=headers).json()[0]
    assert first(match, "00081190") == f"https://viewer.example/dcm4chee-arc/aets/DCM4CHEE/rs/studies/{sent.StudyInstanceUID}"


def test_calls_of_the_viewer(trio: Trio) -> None:
    """§8.6: OHIF's exact calls; frames are the very pixels."""
    sent = image(StudyDescription="Viewed")
    trio.store(sent)
    fields = "fuzzymatching=true&includefield=00081030,00080060"
    match = trio.found(f"studies?limit=101&offset=0&{fields}&StudyInstanceUID={sent.StudyInstanceUID}")[0]
    assert (first(match, "00081030"), first(match, "00080061"), first(match, "00201208")) == ("Viewed", "CT", 1)
    assert len(trio.found(f"studies?limit=101&offset=0&{fields}&00100020={sent.PatientID}")) == 1
    series = trio.found(f"studies/{sent.StudyInstanceUID}/series?includefield=00080021,00080031,0008103E,00200011")
    assert [first(match, "0020000E") for match in series] == [sent.SeriesInstanceUID]
    metadata = trio.found(f"studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/metadata")[0]
    assert (first(metadata, "00280010"), first(metadata, "00080018")) == (sent.Rows, sent.SOPInstanceUID)
    frames = trio.rs(instance_path(sent) + "/frames/1", headers=OHIF_FRAMES)
    assert parts_of(frames) == [sent.PixelData]
    assert trio.rs(instance_path(sent) + "/frames/2", headers=OHIF_FRAMES).status_code == 404
    picture = trio.rs(instance_path(sent) + "/rendered")
    assert (picture.status_code, picture.headers["Content-Type"], picture.content[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_compressed_frame_is_served_as_it_is(trio: Trio) -> None:
    """§8.6: JPEG baseline goes to the viewer as it was stored."""
    source = dcmread(str(pydicom.data.get_testdata_file("SC_rgb_jpeg_dcmtk.dcm")))
    jpeg = next(generate_frames(source.PixelData, number_of_frames=1))
    sent = copy.deepcopy(source)
    sent.PatientID, sent.PixelData = f"JPEG-{next(numbers)}", encapsulate([jpeg])
    sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    sent.file_meta.MediaStorageSOPInstanceUID = sent.SOPInstanceUID
    assert sent.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert trio.store(sent)[0].Status == SUCCESS
    frames = trio.rs(instance_path(sent) + "/frames/1", headers=OHIF_FRAMES)
    assert [part.rstrip(b"\0") for part in parts_of(frames)] == [jpeg.rstrip(b"\0")]
    assert b"image/jpeg" in frames.content.split(b"\r\n\r\n")[0]
    assert trio.file(sent).PixelData == sent.PixelData


def test_encapsulated_pdf_is_rendered_as_itself(trio: Trio) -> None:
    """§8.6: the PDF of an encapsulated document comes by /rendered."""
    document = b"%PDF-1.4 synthetic"
    sent = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC", MIMETypeOfEncapsulatedDocument="application/pdf")
    del sent.PixelData
    sent.EncapsulatedDocument = document
    sent.file_meta.MediaStorageSOPClassUID = sent.SOPClassUID
    assert trio.store(sent)[0].Status == SUCCESS
    answer = trio.rs(instance_path(sent) + "/rendered")
    assert answer.headers["Content-Type"].startswith("application/pdf")
    assert answer.content.rstrip(b"\0") == document


def test_stow(trio: Trio) -> None:
    """§3: STOW 200, also for objects already there."""
    sent = image()
    assert stow(trio, sent, another(sent)).status_code == 200
    assert stow(trio, sent).status_code == 200
    assert trio.rs(f"studies/{sent.StudyInstanceUID}/instances/count").json() == {"count": 2}
    assert trio.file(sent).PixelData == sent.PixelData


def test_stow_of_nothing_that_can_be_stored(trio: Trio) -> None:
    """§3: 409 with a Warning header when none could be stored (wrong study, no DICOM)."""
    for answer in (stow(trio, image(), study="1.2.3"), stow(trio, b"this is no DICOM object")):
        assert answer.status_code == 409
        assert "Warning" in answer.headers
