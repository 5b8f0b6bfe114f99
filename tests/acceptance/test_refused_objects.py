"""Images that the archive refuses: the modality is told so, and a person can find it in the archive's log (F-DCM-1)."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from waiting import wait_for

from .emr import Procedure
from .inside import Inside
from .orders import Clinic, fresh_person
from .web import DicomWeb

# An answer as the archive logs it; the status is 0 for success, Bxxx for a warning (DICOM PS3.4 B.2.3).
ANSWER = re.compile(r"^(\d\S+ [\d:]+).*<-(.+)\(\d+\) << \d+:C-STORE-RSP\[pcid=\d+, status=(?!0H|b)([0-9a-f]+)H", re.MULTILINE)
MEANING = {"A778": "another patient, or another issuer, than its study's", "A700": "the storage is full"}


def refusals(inside: Inside, since: str) -> list[tuple[str, str, str]]:
    """Return time, calling AE title and status of each refused C-STORE in the archive's log; `since` as Docker has it."""
    done = inside.docker(inside.host("arc"), "logs", "--since", since, inside.container("arc"))
    return [(when, title, status.upper()) for when, title, status in ANSWER.findall(done.stdout.decode("utf-8", "replace"))]


@pytest.mark.reads
@pytest.mark.proves("arc")
def test_refused_objects_are_counted(inside: Inside, notes: list[str]) -> None:
    """They are no failure of the lab, but somebody has to look."""
    found = refusals(inside, "24h")
    notes.append(f"refused images: {len(found)} in the last 24 hours")
    last = {(title, status): when for when, title, status in found}
    for (title, status), count in Counter((title, status) for _, title, status in found).most_common(10):
        notes.append(f"  {title}: {count} with status {status} ({MEANING.get(status, 'see the log')}), last {last[title, status]}")


@pytest.mark.breaks
@pytest.mark.proves("arc")
def test_second_issuer_in_a_study_is_refused_and_listed(clinic: Clinic, inside: Inside, dicomweb: DicomWeb, procedure: Procedure) -> None:
    examination = clinic.place(fresh_person("Issuer^Second"), procedure)
    _, row = examination.first
    clinic.store(row)
    before = len(refusals(inside, "24h"))
    with pytest.raises(AssertionError, match="status A778"):
        clinic.store(row, IssuerOfPatientID="CTROOM2")
    wait_for(lambda: "" if len(refusals(inside, "24h")) == before + 1 else "the archive's log does not name the refusal", 10)
    assert refusals(inside, "24h")[-1][2] == "A778"
    assert len(dicomweb.search(f"/studies/{row.item.StudyInstanceUID}/series")) == 1
