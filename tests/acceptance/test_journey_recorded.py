"""The journey that was walked last, read back: nothing is made."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from . import journey
from .lab import Lab
from .openemr import OpenEmr, OpenEmrCharts, Registered
from .web import DicomWeb, value

# After the steps that may have walked it.
pytestmark = [pytest.mark.adds, pytest.mark.proves("openemr", "mirth", "arc")]


@pytest.fixture(scope="module")
def record(lab: Lab) -> dict[str, Any]:
    """What was written down."""
    file = journey.file_of(lab)
    if not file.exists():
        pytest.skip("no journey was walked to its end yet")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def test_the_patient_is_the_one_who_was_registered(record: dict[str, Any], charts: OpenEmrCharts, lab: Lab) -> None:
    gone = f"is no longer that of {journey.file_of(lab)}: where the lab was made anew, delete that file, and the journey is walked again"
    assert charts.find(lab.patient.id) == Registered(record["pid"], record["uuid"]), f"the EMR's patient {lab.patient.id} {gone}"


def test_images_are_as_they_were_stored(record: dict[str, Any], dicomweb_inside: DicomWeb) -> None:
    lost = journey.lost(record, dicomweb_inside)
    assert not lost, f"lost: {'; '.join(lost[:5])}"


def test_images_are_those_of_the_order(record: dict[str, Any], charts: OpenEmrCharts, dicomweb: DicomWeb) -> None:
    studies = {one["study"] for one in record["studies"].values()}
    assert set(charts.images_of(record["order"]).values()) == studies
    for study in studies:
        (row,) = dicomweb.search("/studies", StudyInstanceUID=study)
        assert value(row, "00100020") == str(record["pid"])


def test_reports_are_on_the_order(record: dict[str, Any], charts: OpenEmrCharts) -> None:
    assert [[one.line, one.status, one.text] for one in charts.reports(record["order"])] == record["reports"]


def test_document_is_as_it_was_sent(record: dict[str, Any], openemr: OpenEmr) -> None:
    patient = Registered(record["pid"], record["uuid"])
    (document,) = (one for report in openemr.reports(record["order"]) for one in report.documents)
    assert hashlib.sha256(openemr.document(patient, document.id)).hexdigest() == record["pdf"]
