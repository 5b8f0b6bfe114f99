"""The list that the EMR's patient menu opens: one patient's studies, where the ids of others contain that patient's id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .dimse import Archive
from .lab import Lab
from .phantoms import Identity, Study, ct_disc
from .viewer import Viewer

pytestmark = [pytest.mark.breaks, pytest.mark.proves("ohif", "edge", "arc")]


@pytest.fixture(scope="module")
def patients(lab: Lab, archive: Archive) -> list[Study]:
    """A study each of three new patients without issuer, whose ids are to each other as 4, 42 and 14 are."""
    if not lab.study_list:
        pytest.skip("the lab's viewer opens studies by link only (ohif_show_study_list)")
    who = Identity.fresh()
    ids = [who.patient_id, f"{who.patient_id}2", f"1{who.patient_id}"]
    studies = [ct_disc(replace(who, seed=patient_id, patient_id=patient_id)) for patient_id in ids]
    for study in studies:
        outcome = archive.store(study.objects)[0]
        assert outcome.stored, f"C-STORE for patient {study.objects[0].PatientID}: {outcome}"
    return studies


def whose(patients: list[Study], uids: set[str]) -> list[str]:
    """Return the patient ids of listed studies."""
    known = {study.uid: str(study.objects[0].PatientID) for study in patients}
    return sorted(known.get(uid, f"of study {uid}") for uid in uids)


def test_list_of_one_patient_shows_no_other(patients: list[Study], viewer: Viewer) -> None:
    """One after the other in the same window, as the menus of two charts use it."""
    for study in patients:
        patient_id = str(study.objects[0].PatientID)
        viewer.open_patient(patient_id)
        found = whose(patients, viewer.listed(study))
        viewer.screenshot("one-patient")
        assert found == [patient_id], f"the list of patient {patient_id} shows {found} (one-patient.png): {viewer.trouble()}"


def test_ordinary_list_finds_a_part_of_the_id(patients: list[Study], viewer: Viewer) -> None:
    viewer.open(f"/?mrn={patients[0].objects[0].PatientID}")
    found = viewer.listed(patients[0])
    assert found == {study.uid for study in patients}, f"the ordinary list, which looks for parts, shows {whose(patients, found)}"


def test_study_opened_from_the_list_stays_with_the_patient(patients: list[Study], viewer: Viewer) -> None:
    study = patients[0]
    patient_id = str(study.objects[0].PatientID)
    viewer.open_patient(patient_id)
    viewer.listed(study)
    where = viewer.open_listed(study)
    assert where.startswith("/viewer/patient?"), f"a study of the patient's list opens as {where}, with the ordinary data source"
    viewer.wait_for_phantom(study, "viewer-from-list")
    asked = viewer.patient_ids_asked_for()
    assert asked == {patient_id}, f"a study of patient {patient_id} was opened, and the viewer asked for the patient ids {asked}"
