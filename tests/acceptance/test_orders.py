"""Orders as they come from the field: every worklist row is one that a picky console accepts, or the order is refused with its reason.

Cases F-EMR-1, F-DCM-1 to 4 (cases.md); steps 3 to 5, 8, 10 and 17 of workflow.md §2.6.
"""

from __future__ import annotations

import unicodedata

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]  # pynetdicom makes these names at import
from waiting import wait_for

from .dimse import PENDING, SUCCESS
from .emr import Order, Procedure
from .lab import Engine
from .orders import EFFECT_SECONDS, NUMBERS, STATUS_SECONDS, Clinic, fresh_person
from .web import DicomWeb, value

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "arc")]


def refusal(clinic: Clinic, name: str, content: str) -> str:
    """Transmit a file that must be refused; return the reason. Raises AssertionError when it is taken."""
    before = {row["id"] for row in clinic.engine.sink()}
    assert clinic.emr.transmit(name, content) == "orders-error", f"the engine took {name}, which it must refuse"
    found: list[str] = []

    def complaint() -> str:
        found[:] = [row["reason"] for row in clinic.engine.sink() if row["id"] not in before]
        return "" if found else f"the sink has nothing about {name}"

    wait_for(complaint, EFFECT_SECONDS)
    return found[-1]


@pytest.mark.parametrize(
    "name",
    ["Müller^Jörg^Łukasz", "山田^太郎", "Иванова^Мария", "O'Neil^D\\T\\Arcy", "Quillfeather^Marisol^T^Jr^Dr"],
    ids=["latin", "japanese", "cyrillic", "separators", "five-components"],
)
def test_names_in_any_script_are_on_the_worklist_as_written(clinic: Clinic, procedure: Procedure, name: str) -> None:
    _, row = clinic.place(fresh_person(name), procedure).first
    wanted = name.replace("\\T\\", "&").split("^")
    # HL7: family^given^middle^suffix^prefix; DICOM: family^given^middle^prefix^suffix (PS3.5 §6.2).
    parts = [*wanted, "", "", "", ""][:5]
    dicom = "^".join([parts[0], parts[1], parts[2], parts[4], parts[3]]).rstrip("^")
    assert str(row.item.PatientName) == dicom


def test_classic_generator_and_both_numberings_are_one_order(clinic: Clinic, procedure: Procedure) -> None:
    order = Order(next(NUMBERS), fresh_person("Numbering^Two"), (procedure,))
    assert clinic.emr.transmit(*order.encounter_form()) == "orders-done"
    first = clinic.rows(order)
    clinic.again(order, order.electronic_reports())
    assert clinic.rows(order)[procedure.code].item.AccessionNumber == first[procedure.code].item.AccessionNumber
    assert len(clinic.engine.state(order.number)) == 1


def test_texts_longer_than_dicom_allows_are_cut_at_a_character(clinic: Clinic, lab_engine: Engine) -> None:
    """F-EMR-1."""
    code = lab_engine.procedures[0].code
    long = Procedure(code, "Röntgen " * 11 + "ä", answers={"CLINHX": "Übelkeit seit gestern, " * 17})
    person = fresh_person(f"Wolfeschlegelsteinhausenbergerdorffwelchevora^{'Anneliése ' * 4}".strip())
    _, row = clinic.place(person, long).first
    item = row.item
    assert all(len(group) <= 64 for group in str(item.PatientName).split("="))
    assert len(str(item.RequestedProcedureDescription)) <= 64
    for sequence in (item.RequestedProcedureCodeSequence, row.step.ScheduledProtocolCodeSequence):
        assert len(sequence[0].CodeMeaning) <= 64
        assert len(sequence[0].CodeValue) <= 16
    assert len(str(item.get("ReasonForTheRequestedProcedure", ""))) <= 64
    for words in (str(item.PatientName), str(item.RequestedProcedureDescription)):
        assert "\ufffd" not in words
        assert not unicodedata.combining(words[-1])


def test_modalities_do_not_see_what_is_none_of_their_business(clinic: Clinic, procedure: Procedure) -> None:
    """Prescriptions (NTE), social security number, guarantor and insurance stay with the EMR."""
    order = Order(next(NUMBERS), fresh_person("Private^Person"), (procedure,))
    name, content = order.encounter_form()
    content = content.replace("medications NONE", "HIV MEDICATION")
    assert clinic.emr.transmit(name, content) == "orders-done"
    shown = str(clinic.rows(order)[procedure.code].item)
    assert "HIV" not in shown
    assert "123-45-6789" not in shown


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(clinic: Clinic, procedure: Procedure, ending: str) -> None:
    order = Order(next(NUMBERS), fresh_person("Line^Ends"), (procedure,))
    name, content = order.electronic_reports()
    assert clinic.emr.transmit(name, "\ufeff" + content.replace("\r", ending)) == "orders-done"
    assert clinic.rows(order)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text, code: text.replace(f"||{code}^", "||NOSUCHCODE^"), "NOSUCHCODE"),
        (lambda text, code: text.split("OBR|")[0], "OBR"),
        (lambda text, code: "this is no HL7\r", "HL7"),
        (lambda text, code: text[: text.index("OBR|") + 6], "not complete"),
    ],
    ids=["unknown-code", "no-procedure", "no-hl7", "cut-off"],
)
def test_what_cannot_be_an_order_is_moved_aside_with_its_reason(clinic: Clinic, procedure: Procedure, change: object, reason: str) -> None:
    assert callable(change)
    order = Order(next(NUMBERS), fresh_person("Refused^Order"), (procedure,))
    name, content = order.electronic_reports()
    assert reason in refusal(clinic, name, change(content, procedure.code))


def test_order_number_of_another_patient_is_refused(clinic: Clinic, procedure: Procedure) -> None:
    order = clinic.place(fresh_person("First^Owner"), procedure).order
    stolen = Order(order.number, fresh_person("Second^Owner"), (procedure,))
    before = {row["id"] for row in clinic.engine.sink()}
    clinic.transmit(stolen)
    wait_for(lambda: "" if {row["id"] for row in clinic.engine.sink()} - before else "nothing new in the sink", EFFECT_SECONDS)
    (row,) = clinic.engine.state(order.number)
    assert row["pid"] == order.person.number


def test_late_order_again_does_not_reopen_a_completed_step(clinic: Clinic, procedure: Procedure) -> None:
    examination = clinic.place(fresh_person("Done^Already"), procedure)
    _, row = examination.first
    clinic.modality.finish(clinic.modality.start(row))
    assert clinic.transmit(examination.order) == "orders-done"
    # An order that came later has passed the same queue.
    clinic.place(fresh_person("Next^Patient"), procedure)
    assert not clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), "a completed step is on the worklist again"


# --- consoles (cases.md F-DCM-2, 4) ----------------------------------------------------------------------------------------------


def spartan_query(clinic: Clinic, *steps: Dataset) -> dict[str, Dataset]:
    """Ask as a spartan ultrasound does: Implicit VR only, a small PDU, three keys and the step sequence; return accession number → row."""
    where = clinic.archive.where
    console = AE("SONO3")
    console.maximum_pdu_size = 16000
    console.add_requested_context(ModalityWorklistInformationFind, ImplicitVRLittleEndian)
    query = Dataset()
    query.PatientName = query.PatientID = query.AccessionNumber = ""
    query.ScheduledProcedureStepSequence = Sequence(steps)
    association = console.associate(where.host, where.port, ae_title=where.worklist_ae_title, max_pdu=16000)
    assert association.is_established
    answers = list(association.send_c_find(query, ModalityWorklistInformationFind))
    association.release()
    assert answers[-1][0].Status == SUCCESS, f"C-FIND of the worklist ended with {answers[-1][0].Status:04X}"
    return {item.AccessionNumber: item for status, item in answers if status.Status in PENDING and item is not None}


def test_spartan_console_gets_its_rows(clinic: Clinic, procedure: Procedure) -> None:
    """F-DCM-2: an empty sequence as the only key."""
    wanted = {clinic.place(fresh_person(f"Sono^{n}"), procedure).first[1].item.AccessionNumber for n in ("One", "Two")}
    rows = spartan_query(clinic)
    assert wanted <= rows.keys()
    assert all(rows[number].ScheduledProcedureStepSequence for number in wanted)


def test_spartan_console_gets_its_own_stations_rows_from_a_day_on(clinic: Clinic, lab_engine: Engine) -> None:
    """F-DCM-2, second query: an open range, and a station with a trailing blank."""
    mine, other = (Procedure(row.code, row.name) for row in lab_engine.procedures[:2])
    station = lab_engine.procedures[0].station
    assert station != lab_engine.procedures[1].station, "two stations in the table's first rows, else this test proves less"

    def at(day: str, procedure: Procedure) -> str:
        order = Order(next(NUMBERS), fresh_person("Sono^Three"), (procedure,), start=f"{day}090000")
        assert clinic.transmit(order) == "orders-done"
        return str(clinic.rows(order)[procedure.code].item.AccessionNumber)

    before, first, later, elsewhere = at("20391231", mine), at("20400101", mine), at("20400301", mine), at("20400301", other)
    step = Dataset()
    step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = f"{station} ", "20400101-"
    found = spartan_query(clinic, step)
    assert {first, later} <= found.keys()
    assert not {before, elsewhere} & found.keys()
    steps = [item.ScheduledProcedureStepSequence[0] for item in found.values()]
    assert all(one.ScheduledStationAETitle == station and one.ScheduledProcedureStepStartDate >= "20400101" for one in steps)


def test_each_row_is_found_by_its_station_alone(clinic: Clinic, lab_engine: Engine) -> None:
    """F-DCM-4; a trailing blank in the query does not matter (F-DCM-2)."""
    person = fresh_person("Station^Two")
    first, second = lab_engine.procedures[:2]
    examination = clinic.place(person, Procedure(first.code, first.name), Procedure(second.code, second.name))
    for wanted in (first, second):
        found = clinic.modality.worklist(station=f"{wanted.station} ", PatientID=person.number)
        assert [row.item.AccessionNumber for row in found] == [examination.rows[wanted.code].item.AccessionNumber]


# --- images that are not as ordered (cases.md F-DCM-1, 3) -------------------------------------------------------------------------


def noticed(clinic: Clinic, *words: str) -> None:
    """Wait until the engine has noticed images that are not as ordered, naming all of `words`. Raises AssertionError."""

    def complaint() -> str:
        found = [row["what"] for row in clinic.engine.notices() if row["kind"] == "not as ordered"]
        return "" if any(all(word in what for word in words) for what in found) else f"nobody noticed {', '.join(words)}"

    wait_for(complaint, STATUS_SECONDS, pause=2)


def test_study_uid_of_the_modalitys_own_is_listed_with_both(clinic: Clinic, procedure: Procedure) -> None:
    """F-DCM-3."""
    _, row = clinic.place(fresh_person("Own^Uid"), procedure).first
    own = generate_uid(prefix=None)
    for _ in range(3):
        clinic.store(row, StudyInstanceUID=own)
    noticed(clinic, own, row.item.StudyInstanceUID)
    assert not clinic.emr.statuses(row.item.AccessionNumber), "the order says that images are available, and its study is empty"


def test_foreign_patients_images_under_the_ordered_uid_are_listed(clinic: Clinic, procedure: Procedure) -> None:
    """workflow.md §2.6, 10: the archive takes a foreign patient's first object."""
    _, row = clinic.place(fresh_person("Right^Patient"), procedure).first
    clinic.store(row, PatientID="FOREIGN-1", PatientName="Wrong^Patient")
    noticed(clinic, row.item.StudyInstanceUID, "FOREIGN-1")
    assert not clinic.emr.statuses(row.item.AccessionNumber)


def test_series_without_issuer_and_with_padded_number_belong_to_the_patient(
    clinic: Clinic, procedure: Procedure, dicomweb: DicomWeb
) -> None:
    """F-DCM-1, what is stored: no issuer, and a number with blanks around it."""
    _, row = clinic.place(fresh_person("One^Patient"), procedure).first
    clinic.store(row)
    clinic.store(row, PatientID=f" {row.item.PatientID}   ")
    study = row.item.StudyInstanceUID
    assert len(dicomweb.search(f"/studies/{study}/series")) == 2
    assert [value(found, "0020000D") for found in dicomweb.search("/studies", PatientID=row.item.PatientID)] == [study]
