"""The archive's DICOM port: echo, C-FIND, C-MOVE, C-GET, storage commitment."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)
from waiting import wait_for

from .support import SUCCESS, Trio, another, image, numbers


@pytest.mark.parametrize("called", ["DCM4CHEE", "WORKLIST"])
def test_echo(trio: Trio, called: str) -> None:
    """§8.3: echo 0000 on every AE."""
    association = trio.associate(Verification, called=called)
    assert association.send_c_echo().Status == SUCCESS
    association.release()


@pytest.mark.parametrize("called", ["NOBODY", "dcm4chee"])
def test_unknown_called_ae_is_rejected(trio: Trio, called: str) -> None:
    """§8.3: rejected, reason 7; AE titles are case sensitive."""
    association = trio.associate(Verification, called=called)
    assert association.is_rejected
    assert association.acceptor.primitive.diagnostic == 7


@pytest.mark.parametrize(("called", "sop_class"), [("WORKLIST", CTImageStorage), ("DCM4CHEE", "1.2.3.4.5.6.7")])
def test_storage_that_is_not_accepted(trio: Trio, called: str, sop_class: str) -> None:
    """§8.3: storage to WORKLIST, or of a private SOP class: no presentation context accepted."""
    association = trio.associate(sop_class, Verification, called=called)
    assert sop_class not in [context.abstract_syntax for context in association.accepted_contexts]
    association.release()


def test_find_at_all_levels(trio: Trio) -> None:
    """Study Root and Patient Root answer at their levels with the keys asked for."""
    sent = image(AccessionNumber=f"ACC{next(numbers)}", StudyDescription="Find me", SeriesDescription="A series", InstanceNumber="7")
    assert trio.store(sent, another(sent, InstanceNumber="8"))[0].Status == SUCCESS
    study = trio.find(
        QueryRetrieveLevel="STUDY",
        StudyInstanceUID="",
        AccessionNumber=sent.AccessionNumber,
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
    )
    assert [(match.StudyInstanceUID, match.ModalitiesInStudy, match.NumberOfStudyRelatedInstances) for match in study] == [
        (sent.StudyInstanceUID, "CT", 2)
    ]
    series = trio.find(QueryRetrieveLevel="SERIES", StudyInstanceUID=sent.StudyInstanceUID, SeriesInstanceUID="", SeriesDescription="")
    assert [match.SeriesDescription for match in series] == ["A series"]
    keys = {"StudyInstanceUID": sent.StudyInstanceUID, "SeriesInstanceUID": sent.SeriesInstanceUID}
    images = trio.find(QueryRetrieveLevel="IMAGE", SOPInstanceUID="", InstanceNumber="", **keys)
    assert sorted(match.InstanceNumber for match in images) == [7, 8]
    patients = trio.find(
        PatientRootQueryRetrieveInformationModelFind, QueryRetrieveLevel="PATIENT", PatientID=sent.PatientID, PatientName=""
    )
    assert [str(match.PatientName) for match in patients] == ["Contract^Test"]


def test_matching_by_wildcard_range_and_list(trio: Trio) -> None:
    """Names match without regard to case and with wildcards, dates by range, UIDs by list."""
    family = f"Wild{next(numbers)}"
    old = image(PatientName=f"{family}^Anna", StudyDate="20010203")
    new = image(PatientName=f"{family}^Bea", StudyDate="20110203")
    trio.store(old, new)

    def names(**keys: str) -> list[str]:
        wanted = {"PatientName": f"{family.lower()}*", "StudyDate": "", "StudyInstanceUID": ""} | keys
        return sorted(str(match.PatientName).split("^")[1] for match in trio.find(QueryRetrieveLevel="STUDY", **wanted))

    assert names() == ["Anna", "Bea"]
    assert names(PatientName=f"{family}^?ea") == ["Bea"]
    assert names(StudyDate="20010101-20011231") == ["Anna"]
    assert names(StudyDate="-20050101") == ["Anna"]
    assert names(StudyDate="20050101-") == ["Bea"]
    assert names(StudyDate="20110203") == ["Bea"]
    assert names(StudyInstanceUID=f"{old.StudyInstanceUID}\\{new.StudyInstanceUID}", PatientName="") == ["Anna", "Bea"]
    for query, expected in (
        (f"PatientName={family}*", 2),
        (f"PatientName={family}*&StudyDate=20010101-20051231", 1),
        (f"PatientName={family}&fuzzymatching=true", 2),
        (f"StudyInstanceUID={old.StudyInstanceUID},{new.StudyInstanceUID}", 2),
        (f"00100020={old.PatientID}", 1),
    ):
        assert len(trio.found(f"studies?{query}")) == expected, query


def test_move(trio: Trio, peer: tuple[str, list[Dataset], Any]) -> None:
    """§8.3: C-MOVE to a registered AE 0000, the object arrives."""
    title, objects, _ = peer
    sent = image()
    trio.store(sent, another(sent))
    status = trio.move(title, StudyInstanceUID=sent.StudyInstanceUID)
    assert (status.Status, status.NumberOfCompletedSuboperations) == (SUCCESS, 2)
    assert [ds.PixelData for ds in objects] == [sent.PixelData] * 2


def test_move_sends_the_registered_patient(trio: Trio, peer: tuple[str, list[Dataset], Any]) -> None:
    """§4.1, §4.4: what is retrieved bears the registered name, in a character set that holds it, and is else as it was stored."""
    title, objects, _ = peer
    registered = image(IssuerOfPatientID="LABHOSP", PatientName="Yamada^Tarou=山田^太郎")
    sent = image(
        PatientID=registered.PatientID, IssuerOfPatientID="LABHOSP", SpecificCharacterSet="ISO_IR 100", InstitutionName="Universität"
    )
    assert [answer.Status for answer in trio.store(registered, sent)] == [SUCCESS] * 2
    assert trio.move(title, StudyInstanceUID=sent.StudyInstanceUID).Status == SUCCESS
    got = objects[0]
    assert (str(got.PatientName), got.InstitutionName) == ("Yamada^Tarou=山田^太郎", "Universität")
    assert got.PixelData == sent.PixelData


def test_move_to_nobody(trio: Trio) -> None:
    """§8.3: unknown AE A801, target down A702."""
    sent = image()
    trio.store(sent)
    trio.register("DOWN", 1)
    assert trio.move("NOBODY", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    assert trio.move("DOWN", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA702


def test_get(trio: Trio) -> None:
    """§8.3: C-GET works."""
    sent = image()
    trio.store(sent)
    got: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        got.append(event.dataset)
        return SUCCESS

    model = StudyRootQueryRetrieveInformationModelGet
    association = trio.associate(
        model, CTImageStorage, ext_neg=[build_role(CTImageStorage, scp_role=True)], evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", sent.StudyInstanceUID
    statuses = [status.Status for status, _ in association.send_c_get(query, model)]
    association.release()
    assert statuses[-1] == SUCCESS
    assert [ds.PixelData for ds in got] == [sent.PixelData]


def commit(trio: Trio, calling: str, *uids: str) -> Dataset:
    association = trio.associate(StorageCommitmentPushModel, calling=calling)
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
        request.ReferencedSOPSequence.append(item)
    status: Dataset = association.send_n_action(request, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")[0]
    association.release()
    return status


def test_storage_commitment(trio: Trio, peer: tuple[str, Any, list[tuple[int, Dataset]]]) -> None:
    """§8.3: result on a new association; unknown instance → failed list."""
    title, _, reports = peer
    sent = image()
    trio.store(sent)
    assert commit(trio, title, sent.SOPInstanceUID, "1.2.3").Status == SUCCESS
    wait_for(lambda: "" if reports else "no result", 30)
    event_type, report = reports[0]
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [sent.SOPInstanceUID]
    assert [item.ReferencedSOPInstanceUID for item in report.FailedSOPSequence] == ["1.2.3"]


def test_storage_commitment_for_a_stranger(trio: Trio) -> None:
    """§2.2: an unregistered caller gets 0110 "Unknown Calling AET"."""
    status = commit(trio, "STRANGER", "1.2.3")
    assert status.Status == 0x0110
    assert "Unknown Calling AET" in status.ErrorComment
