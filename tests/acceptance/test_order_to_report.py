"""An order's way: file of the EMR → worklist row → MPPS → images → status; report → SR, PDF and result file.

Steps 3 to 5, 8, 9, 13 and 14 of workflow.md §2.6, as one journey of the lab's synthetic patient, in the order of the file. Each run makes
an order of its own, and ends with rows that no worklist shows any more.
"""

from __future__ import annotations

import base64

import pytest
from waiting import wait_for

from . import hl7v2
from .emr import Order, Person, Procedure
from .lab import Address, Engine, Lab
from .orders import NUMBERS, Clinic, Examination
from .reports import Filed, group, oru, text
from .web import DicomWeb, value

pytestmark = [pytest.mark.adds, pytest.mark.proves("mirth", "arc")]
# The archive waits a minute by default, and then polls (dcm4chee.md §4.3).
STATUS_SECONDS = 300
QUESTION, REASON = "CLINHX", "Persistent cough, \\T\\ fever"
# Long enough to travel as an attachment.
PDF = b"%PDF-1.4 synthetic " + bytes(range(256)) * 20
IDENTIFIERS = ("code", "accession", "study_uid", "rp_id", "sps_id")


@pytest.fixture(scope="module")
def order(lab: Lab, lab_engine: Engine) -> Order:
    """An order of two procedures for the synthetic patient."""
    first, second = lab_engine.procedures[:2]
    asked = Procedure(first.code, first.name, ("R05^Cough",), {QUESTION: REASON})
    return Order(next(NUMBERS), Person(lab.patient.id, lab.patient.name), (asked, Procedure(second.code, second.name)))


@pytest.fixture(scope="module")
def folder(order: Order, clinic: Clinic) -> str:
    """The folder to which the order file was moved."""
    return clinic.transmit(order)


@pytest.fixture(scope="module")
def examination(folder: str, order: Order, clinic: Clinic) -> Examination:
    """The order on the worklist."""
    if folder != "orders-done":
        pytest.skip("cannot tell: the order was refused, see test_order_file_is_taken")
    return Examination(order, clinic.rows(order))


def test_order_file_is_taken(folder: str, clinic: Clinic) -> None:
    reasons = [row["reason"] for row in clinic.engine.sink()[-1:]] if folder != "orders-done" else []
    assert folder == "orders-done", f"the order was refused: {reasons}"


def test_each_procedure_is_one_worklist_row_with_its_keys(examination: Examination, clinic: Clinic, lab: Lab, lab_engine: Engine) -> None:
    table = {procedure.code: procedure for procedure in lab_engine.procedures}
    for code, row in examination.rows.items():
        item, step, wanted = row.item, row.step, table[code]
        assert item.PatientID == lab.patient.id
        assert item.IssuerOfPatientID == lab.assigning_authority
        assert str(item.PatientName) == lab.patient.name
        assert 0 < len(item.AccessionNumber) <= 16
        assert item.StudyInstanceUID.startswith("2.25.")
        assert 0 < len(item.RequestedProcedureID) <= 16
        assert 0 < len(step.ScheduledProcedureStepID) <= 16
        assert (step.Modality, step.ScheduledStationAETitle) == (wanted.modality, wanted.station)
        assert step.ScheduledProcedureStepStartDate
        assert item.RequestedProcedureCodeSequence[0].CodeValue == code
        assert item.RequestedProcedureCodeSequence[0].CodingSchemeDesignator == wanted.scheme
        assert len(clinic.modality.worklist(AccessionNumber=item.AccessionNumber)) == 1
    assert len({row.item.StudyInstanceUID for row in examination.rows.values()}) == 2, "two procedures share a study"
    _, first = examination.first
    assert "Persistent cough, & fever" in first.item.ReasonForTheRequestedProcedure


def test_same_file_again_changes_nothing(examination: Examination, clinic: Clinic) -> None:
    def identifiers() -> list[list[str]]:
        return [[row[name] for name in IDENTIFIERS] for row in clinic.engine.state(examination.order.number)]

    before = identifiers()
    clinic.again(examination.order, examination.order.encounter_form())
    assert identifiers() == before, "the same order again got other identifiers"
    for row in examination.rows.values():
        assert len(clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber)) == 1


@pytest.fixture(scope="module")
def done(examination: Examination, clinic: Clinic) -> Examination:
    """Both procedures done: step started, an image stored under the ordered UID, step completed."""
    for row in examination.rows.values():
        step = clinic.modality.start(row)
        assert not clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a started step is still on the worklist: {row}"
        clinic.store(row)
        clinic.modality.finish(step)
        assert not clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a completed step is still on the worklist: {row}"
    return examination


def test_images_are_in_the_ordered_study_of_the_patient(done: Examination, dicomweb: DicomWeb, lab: Lab) -> None:
    for row in done.rows.values():
        (study,) = dicomweb.search("/studies", StudyInstanceUID=row.item.StudyInstanceUID, includefield="00080050")
        assert value(study, "00100020") == lab.patient.id
        assert value(study, "00080050") == row.item.AccessionNumber


def test_the_emr_is_told_once_that_images_are_available(done: Examination, clinic: Clinic) -> None:
    for code, row in done.rows.items():
        accession = row.item.AccessionNumber

        def complaint(accession: str = accession) -> str:
            return "" if clinic.emr.statuses(accession) else f"no status file for {accession}"

        wait_for(complaint, STATUS_SECONDS, pause=2)
        (status,) = clinic.emr.statuses(accession)
        assert (status["order"], status["procedure"], status["study"]) == (done.order.number, code, row.item.StudyInstanceUID)


def test_text_report_is_an_sr_in_the_study_and_a_result_on_the_order(
    done: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address
) -> None:
    code, row = done.first
    answer = hl7v2.send(reports, oru(lab, done, *group(done, code, text("Lungs clear.\\.br\\No pleural effusion."))))
    assert answer.code == "AA", f"the engine answers a report with {answer.code}: {answer.text}"
    result = clinic.emr.wait_for_result(done.order.number)
    assert hl7v2.field(result.segment("PV1"), 19) == done.order.encounter
    assert hl7v2.field(result.segment("OBR"), 4) == code
    assert hl7v2.field(result.segment("OBR"), 25) == "F"
    lines = [hl7v2.field(segment, 5) for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "TX"]
    assert lines == ["Lungs clear.", "No pleural effusion."]
    (words,) = filed.texts(row.item.StudyInstanceUID)
    assert words.splitlines()[0].startswith("FINAL"), f"the SR begins with {words.splitlines()[0]!r}"
    assert "Lungs clear.\nNo pleural effusion." in words.replace("\r\n", "\n")


def test_pdf_report_is_a_document_in_the_study_and_an_attachment_of_the_result(
    done: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address
) -> None:
    code, row = list(done.rows.items())[1]
    attachment = f"OBX|2|ED|11528-7^Radiology report^LN||^Application^PDF^Base64^{base64.b64encode(PDF).decode()}||||||F"
    answer = hl7v2.send(reports, oru(lab, done, *group(done, code, attachment)))
    assert answer.code == "AA", f"the engine answers a report with {answer.code}: {answer.text}"
    result = clinic.emr.wait_for_result(done.order.number)
    (held,) = [segment for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "ED"]
    assert base64.b64decode(hl7v2.field(held, 5, 5)) == PDF
    (document,) = filed.wait_for(row.item.StudyInstanceUID, "DOC")
    # Padded to an even length (DICOM PS3.5 §8.1.1).
    assert document.EncapsulatedDocument[: len(PDF)] == PDF
