"""The viewer as a clinician sees it: the list, the pictures, and nothing else on the wire than what the edge lets through."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from .conftest import Stored
from .lab import Lab
from .viewer import Viewer, misfits

pytestmark = [pytest.mark.adds, pytest.mark.proves("ohif", "edge", "arc")]
# Phantoms that a mix-up of studies would confuse.
PHANTOMS = ["ctdisc", "ctring"]
# Browsers isolate pages of a secure origin only; localhost counts as one.
SECURE = {"localhost", "127.0.0.1"}


def test_study_list_shows_the_study(stored: Stored, viewer: Viewer, lab: Lab) -> None:
    if not lab.study_list:
        pytest.skip("the lab's viewer opens studies by link only (ohif_show_study_list)")
    study = stored.need("ctdisc")
    viewer.open(f"/?mrn={lab.patient.id}")
    shown = viewer.shows_text(study.accession)
    viewer.screenshot("study-list")
    assert shown, f"OHIF's study list at {lab.viewer} does not show accession {study.accession} (study-list.png): {viewer.trouble()}"


def test_list_of_one_patient_asks_for_exactly_that_id(stored: Stored, viewer: Viewer, lab: Lab) -> None:
    if not lab.study_list:
        pytest.skip("the lab's viewer opens studies by link only (ohif_show_study_list)")
    study = stored.need("ctdisc")
    viewer.open_patient(lab.patient.id)
    shown = study.uid in viewer.listed(study)
    viewer.screenshot("patient-list")
    assert shown, f"OHIF's list of patient {lab.patient.id} does not show the {study} (patient-list.png): {viewer.trouble()}"
    asked = viewer.patient_ids_asked_for()
    assert asked == {lab.patient.id}, f"OHIF's list of patient {lab.patient.id} asks for the patient ids {asked}: others are listed too"


@pytest.mark.parametrize("kind", PHANTOMS)
def test_opened_by_link_the_study_is_rendered(stored: Stored, viewer: Viewer, kind: str) -> None:
    study = stored.need(kind)
    viewer.open(f"/viewer?StudyInstanceUIDs={study.uid}")
    picture = viewer.wait_for_phantom(study, f"viewer-{kind}")
    other = stored.studies[next(name for name in PHANTOMS if name != kind)]
    assert len(misfits(picture, other)) > len(other.probes) / 2, f"the {study} looks like the {other}: this test sees no difference"


def test_compressed_study_is_rendered(stored: Stored, viewer: Viewer) -> None:
    study = stored.need("jpeg")
    viewer.open(f"/viewer?StudyInstanceUIDs={study.uid}")
    viewer.wait_for_phantom(study, "viewer-jpeg")


def test_viewer_calls_only_its_own_origin_and_nothing_fails(stored: Stored, viewer: Viewer, lab: Lab) -> None:
    study = stored.need("ctdisc")
    viewer.open(f"/viewer?StudyInstanceUIDs={study.uid}")
    viewer.wait_for_phantom(study, "viewer-calls")
    here = urlsplit(lab.viewer).netloc
    elsewhere = [f"{method} {url}" for method, url, _ in viewer.calls if urlsplit(url).netloc != here and urlsplit(url).scheme != "blob"]
    assert not elsewhere, f"the viewer talks to others than {here}: {'; '.join(elsewhere[:3])}"
    assert not viewer.trouble(), f"the viewer shows the study, but calls fail: {viewer.trouble()}"


def test_later_pages_of_a_tab_start_from_the_cache(viewer: Viewer) -> None:
    for number in range(1, 7):
        viewer.open("/")
        assert viewer.starts(), f"the viewer's page stays blank when a tab opens it for time number {number}: {viewer.trouble()}"


def test_viewer_is_isolated_for_volume_views(viewer: Viewer, lab: Lab) -> None:
    url = urlsplit(lab.viewer)
    if url.scheme == "http" and url.hostname not in SECURE:
        pytest.skip(f"{lab.viewer} is no secure origin: volume views wait for TLS")
    viewer.open("/")
    assert viewer.isolated(), f"{lab.viewer} is not cross-origin isolated, so the viewer has no volume views"
