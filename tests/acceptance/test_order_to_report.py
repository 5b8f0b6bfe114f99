"""An order's way: file of the EMR → worklist row → MPPS → images → status; report → SR, PDF and result file.

Steps 3 to 5, 8, 9, 13 and 14 of workflow.md §2.6, as one journey of the lab's synthetic patient, in the order of the file. Each run makes
an order of its own, and ends with rows that no worklist shows any more.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from waiting import wait_for

from . import hl7v2
from .compare import read
from .dimse import Archive
from .emr import Emr, Order, Person, Procedure
from .engine import EngineInside
from .lab import Engine, Lab
from .modality import Modality, Row
from .phantoms import Identity, all_studies
from .web import DicomWeb, value

pytestmark = [pytest.mark.adds, pytest.mark.proves("mirth", "arc")]
# From the acknowledgement to the effect, and to a status: the archive waits a minute by default, then polls (dcm4chee.md §4.3).
EFFECT_SECONDS, STATUS_SECONDS = 30, 300
QUESTION, REASON = "CLINHX", "Persistent cough, \\T\\ fever"
TEXT = "Lungs clear.\\.br\\No pleural effusion."
# Long enough to travel as an attachment.
PDF = b"%PDF-1.4 synthetic " + bytes(range(256)) * 20


@dataclass(frozen=True)
class Placed:
    """The order of this run, and its file."""

    order: Order
    file: tuple[str, str]


@pytest.fixture(scope="module")
def placed(lab: Lab, lab_engine: Engine) -> Placed:
    """An order of two procedures for the synthetic patient; its number is the time, which no EMR has reached."""
    first, second = lab_engine.procedures[:2]
    procedures = (
        Procedure(first.code, first.name, ("R05^Cough",), {QUESTION: REASON}),
        Procedure(second.code, second.name),
    )
    order = Order(int(time.time()), Person(lab.patient.id, lab.patient.name), procedures, encounter="9001")
    return Placed(order, order.encounter_form())


@pytest.fixture(scope="module")
def transmitted(placed: Placed, emr: Emr) -> str:
    """The folder to which the order file was moved."""
    return emr.transmit(*placed.file)


@pytest.fixture(scope="module")
def rows(transmitted: str, placed: Placed, modality: Modality, engine: EngineInside, lab_engine: Engine) -> dict[str, Row]:
    """The worklist's rows of the order, by procedure code."""
    if transmitted != "orders-done":
        pytest.skip("cannot tell: the order was refused, see test_order_file_is_taken")
    state = {row["code"]: row for row in engine.state(placed.order.number)}
    found: dict[str, Row] = {}

    def complaint() -> str:
        found.clear()
        for code, row in state.items():
            for item in modality.worklist(AccessionNumber=row["accession"]):
                found[code] = item
        missing = [procedure.code for procedure in placed.order.procedures if procedure.code not in found]
        return f"no worklist row for {', '.join(missing)} of order {placed.order.number}" if missing else ""

    wait_for(complaint, EFFECT_SECONDS)
    return found


def test_order_file_is_taken(transmitted: str, engine: EngineInside) -> None:
    reasons = [row["reason"] for row in engine.sink()[-1:]] if transmitted != "orders-done" else []
    assert transmitted == "orders-done", f"the order was refused: {reasons}"


def test_each_procedure_is_one_worklist_row_with_its_keys(
    rows: dict[str, Row], placed: Placed, modality: Modality, lab: Lab, lab_engine: Engine
) -> None:
    table = {procedure.code: procedure for procedure in lab_engine.procedures}
    for code, row in rows.items():
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
        assert len(modality.worklist(AccessionNumber=item.AccessionNumber)) == 1
    assert len({row.item.StudyInstanceUID for row in rows.values()}) == len(rows), "two procedures share a study"
    assert "Persistent cough, & fever" in rows[placed.order.procedures[0].code].item.ReasonForTheRequestedProcedure


def test_same_file_again_changes_nothing(rows: dict[str, Row], placed: Placed, emr: Emr, modality: Modality, engine: EngineInside) -> None:
    before = [{name: row[name] for name in ("accession", "study_uid", "rp_id", "sps_id")} for row in engine.state(placed.order.number)]
    assert emr.transmit(*placed.file) == "orders-done"
    after = [{name: row[name] for name in ("accession", "study_uid", "rp_id", "sps_id")} for row in engine.state(placed.order.number)]
    assert after == before, "the same order again got other identifiers"
    for row in rows.values():
        assert len(modality.worklist(AccessionNumber=row.item.AccessionNumber)) == 1


@pytest.fixture(scope="module")
def examined(rows: dict[str, Row], modality: Modality, archive: Archive, lab: Lab) -> dict[str, Row]:
    """Both procedures done: step started, an image stored under the ordered UID, step completed."""
    picture = all_studies(Identity.fresh())["ct"].objects[0]
    for row in rows.values():
        step = modality.start(row)
        assert not modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a started step is still on the worklist: {row}"
        image = Dataset()
        image.update(picture)
        image.file_meta = picture.file_meta
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber"):
            setattr(image, keyword, getattr(row.item, keyword))
        image.SeriesInstanceUID, image.SOPInstanceUID = generate_uid(prefix=None), generate_uid(prefix=None)
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        (outcome,) = archive.store([image])
        assert outcome.stored, f"C-STORE under the ordered study UID: {outcome}"
        modality.finish(step)
        assert not modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a completed step is still on the worklist: {row}"
    return rows


def test_images_are_in_the_ordered_study_of_the_patient(examined: dict[str, Row], dicomweb: DicomWeb, lab: Lab) -> None:
    for row in examined.values():
        (study,) = dicomweb.search("/studies", StudyInstanceUID=row.item.StudyInstanceUID, includefield="00080050")
        assert value(study, "00100020") == lab.patient.id
        assert value(study, "00080050") == row.item.AccessionNumber


def test_the_emr_is_told_once_that_images_are_available(examined: dict[str, Row], placed: Placed, emr: Emr) -> None:
    for code, row in examined.items():
        accession = row.item.AccessionNumber

        def complaint(accession: str = accession) -> str:
            return "" if emr.statuses(accession) else f"no status file for {accession}"

        wait_for(complaint, STATUS_SECONDS, pause=2)
        (status,) = emr.statuses(accession)
        assert (status["order"], status["procedure"], status["study"]) == (str(placed.order.number), code, row.item.StudyInstanceUID)


def report(placed: Placed, row: Row, code: str, lab: Lab, *observations: str, status: str = "F") -> str:
    """A report as a reporting system sends it."""
    now, number, accession = time.strftime("%Y%m%d%H%M%S"), placed.order.number, row.item.AccessionNumber
    control = generate_uid(prefix=None)[5:25]
    return hl7v2.message(
        f"MSH|^~\\&|REPSYS|RADLAB|MIRTH|LAB|{now}||ORU^R01^ORU_R01|{control}|T|2.5.1|||AL|NE||UNICODE UTF-8",
        f"PID|1||{lab.patient.id}^^^{lab.assigning_authority}^MR||{lab.patient.name}||19840229|F",
        "PV1|1|O",
        f"ORC|RE|{number}|{accession}||CM",
        f"OBR|1|{number}|{accession}|{code}^Procedure^99LAB|||{now}|||||||||||{accession}||||{now}||CT|{status}|||||||5550001&Haverkamp&Lena",
        f"OBX|1|ST|113014^DICOM Study^DCM||{row.item.StudyInstanceUID}||||||{status}",
        *observations,
    )


def test_text_report_is_an_sr_in_the_study_and_a_result_on_the_order(
    examined: dict[str, Row], placed: Placed, emr: Emr, dicomweb: DicomWeb, dicomweb_inside: DicomWeb, lab: Lab, lab_engine: Engine
) -> None:
    assert lab_engine.reports, "the engine's HL7 port is not published (mirth_hl7_bind)"
    code, row = next(iter(examined.items()))
    answer = hl7v2.send(lab_engine.reports, report(placed, row, code, lab, f"OBX|2|TX|18782-3^Findings^LN||{TEXT}||||||F"))
    assert answer.code == "AA", f"the engine answers a report with {answer.code}: {answer.text}"
    result = emr.wait_for_result(placed.order.number)
    assert hl7v2.field(result.segment("PV1"), 19) == placed.order.encounter
    assert hl7v2.field(result.segment("OBR"), 4) == code
    assert hl7v2.field(result.segment("OBR"), 25) == "F"
    lines = [hl7v2.field(segment, 5) for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "TX"]
    assert lines == ["Lungs clear.", "No pleural effusion."]
    document = wait_for_series(dicomweb, row, "SR", dicomweb_inside)
    texts = [str(item.TextValue) for item in walk(document) if item.get("TextValue")]
    assert any("FINAL" in text.splitlines()[0] and "Lungs clear." in text for text in texts), f"the SR says {texts}"


def test_pdf_report_is_a_document_in_the_study_and_an_attachment_of_the_result(
    examined: dict[str, Row], placed: Placed, emr: Emr, dicomweb: DicomWeb, dicomweb_inside: DicomWeb, lab: Lab, lab_engine: Engine
) -> None:
    assert lab_engine.reports, "the engine's HL7 port is not published (mirth_hl7_bind)"
    code, row = list(examined.items())[1]
    attachment = f"OBX|2|ED|11528-7^Radiology report^LN||^Application^PDF^Base64^{base64.b64encode(PDF).decode()}||||||F"
    answer = hl7v2.send(lab_engine.reports, report(placed, row, code, lab, attachment))
    assert answer.code == "AA", f"the engine answers a report with {answer.code}: {answer.text}"
    result = emr.wait_for_result(placed.order.number)
    (held,) = [segment for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "ED"]
    assert base64.b64decode(hl7v2.field(held, 5, 5)) == PDF
    document = wait_for_series(dicomweb, row, "DOC", dicomweb_inside)
    # Padded to an even length (DICOM PS3.5 §8.1.1).
    assert document.EncapsulatedDocument[: len(PDF)] == PDF


def wait_for_series(dicomweb: DicomWeb, row: Row, kind: str, whole: DicomWeb) -> Dataset:
    """Return the one object of the study's series of a modality. Raises AssertionError when none comes."""
    study = row.item.StudyInstanceUID
    wait_for(
        lambda: "" if dicomweb.search(f"/studies/{study}/series", Modality=kind) else f"no {kind} in study {study}",
        EFFECT_SECONDS,
    )
    (series,) = dicomweb.search(f"/studies/{study}/series", Modality=kind)
    uid = value(series, "0020000E")
    (instance,) = whole.metadata(study, uid)
    return read(whole.file(study, uid, value(instance, "00080018")))


def walk(item: Dataset) -> list[Dataset]:
    """Return the items of a structured report's content tree (PS3.3 C.17.3), depth first."""
    return [item, *(inner for child in item.get("ContentSequence", []) for inner in walk(child))]
