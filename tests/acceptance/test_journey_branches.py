"""Where a patient's journey goes another way: each branch at the EMR's own forms and pages, on new patients.

Steps 7, 10, 15 to 17 of workflow.md §2.6; the chart's side of F-HL7-1 to 4, F-EMR-1, F-EMR-2 and F-DCM-3 (cases.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from pydicom.uid import generate_uid
from waiting import wait_for

from . import hl7v2
from .emr import Order, Person, Procedure
from .inside import Inside
from .lab import Address, Engine, Lab
from .openemr import OpenEmr, Registered, Report
from .orders import EFFECT_SECONDS, POLLS_SECONDS, STATUS_SECONDS, Clinic, Examination
from .reports import attached, group, oru, send, text
from .web import DicomWeb, value

pytestmark = [pytest.mark.breaks, pytest.mark.proves("openemr", "mirth", "arc")]
BORN, SEX = "1960-01-01", "Male"
# From the engine's acknowledgement of a report to the chart.
CHART_SECONDS = 60

Admit = Callable[[str], Registered]
Examine = Callable[..., Examination]


@pytest.fixture
def admit(openemr: OpenEmr) -> Admit:
    """Register a patient; the name is family^given^middle."""
    return lambda name: openemr.register(name, BORN, SEX)


@pytest.fixture
def examine(openemr: OpenEmr, clinic: Clinic, lab_engine: Engine) -> Examine:
    """Order the lab's first procedures for a patient, by the form, and wait for the worklist."""

    def place(patient: Registered, name: str, count: int = 1) -> Examination:
        encounter = openemr.visit(patient, time.strftime("%Y-%m-%d"))
        procedures = tuple(Procedure(row.code, row.name) for row in lab_engine.procedures[:count])
        number = openemr.order(patient, encounter, [one.code for one in procedures], "ICD10:R51.9", "", "")
        order = Order(number, Person(str(patient.pid), name, BORN.replace("-", ""), SEX[0]), procedures, encounter=str(encounter))
        return clinic.examination(order)

    return place


def charted(openemr: OpenEmr, number: int, count: int) -> list[Report]:
    """Return the reports of an order when there are `count`. Raises AssertionError when there are not."""

    def complaint() -> str:
        there = len(openemr.reports(number))
        return "" if there == count else f"order {number} has {there} reports in the chart, not {count}"

    wait_for(complaint, CHART_SECONDS)
    return openemr.reports(number)


def wait_for_images(openemr: OpenEmr, number: int) -> None:
    """Wait until the chart says that images of an order are available. Raises AssertionError."""
    wait_for(lambda: "" if openemr.images_of(number) else f"no images of order {number} in the chart", STATUS_SECONDS, pause=2)


def of(dicomweb: DicomWeb, patient: Registered) -> set[str]:
    """Studies that a patient's number answers with."""
    return {value(row, "0020000D") for row in dicomweb.search("/studies", PatientID=str(patient.pid))}


def test_merged_in_the_emr_both_orders_and_studies_are_one_patients(
    admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic, dicomweb_inside: DicomWeb
) -> None:
    survivor, old = admit("Castellano^Bruno"), admit("Castellano^B")
    studies, numbers = set(), []
    for patient, name in ((survivor, "Castellano^Bruno"), (old, "Castellano^B")):
        examination = examine(patient, name)
        _, row = examination.first
        clinic.store(row)
        studies.add(row.item.StudyInstanceUID)
        numbers.append(examination.order.number)
        wait_for_images(openemr, examination.order.number)
    openemr.merge(old, survivor)

    def complaint() -> str:
        found = of(dicomweb_inside, survivor), of(dicomweb_inside, old)
        return (
            "" if found == (studies, set()) else f"after the merge the survivor has {len(found[0])} studies, the old number {len(found[1])}"
        )

    wait_for(complaint, POLLS_SECONDS)
    page = openemr.text_of(openemr.imaging_orders(survivor))
    assert all(f" {number} " in page for number in numbers)
    assert page.count("images available") == 2


def test_nobody_sees_another_patients_orders(admit: Admit, examine: Examine, openemr: OpenEmr) -> None:
    one, other = admit("Four^Patient"), admit("Fortytwo^Patient")
    examination = examine(other, "Fortytwo^Patient")
    assert f" {examination.order.number} " in openemr.text_of(openemr.imaging_orders(other))
    page = openemr.text_of(openemr.imaging_orders(one))
    assert "No imaging was ordered" in page
    assert "Fortytwo" not in page


@pytest.mark.parametrize("name", ["Žižková-Ångström^Jürgen^Ł", "Οικονόμου^Ελένη", "山田^太郎"])
def test_names_and_texts_in_any_script_go_both_ways(
    name: str, admit: Admit, examine: Examine, openemr: OpenEmr, lab: Lab, reports: Address
) -> None:
    patient = admit(name)
    examination = examine(patient, name)
    code, row = examination.first
    assert name in str(row.item.PatientName)
    send(reports, oru(lab, examination, *group(examination, code, text("Größe 4 µm, 山田, Ελένη."))))
    (report,) = charted(openemr, examination.order.number, 1)
    assert report.text == "Größe 4 µm, 山田, Ελένη."
    assert "Größe 4 µm, 山田, Ελένη." in openemr.text_of(openemr.imaging_orders(patient))


def test_name_longer_than_dicom_allows_stays_whole_in_the_chart(admit: Admit, examine: Examine, openemr: OpenEmr) -> None:
    """F-EMR-1."""
    name = f"Wolfeschlegelsteinhausenbergerdorffwelchevora^{'Anneliése ' * 4}".strip()
    patient = admit(name)
    _, row = examine(patient, name).first
    assert len(str(row.item.PatientName)) <= 64
    (kept,) = openemr.database.rows({"family": "lname", "given": "fname"}, f"FROM patient_data WHERE pid = {patient.pid}")
    assert f"{kept['family']}^{kept['given']}" == name


def test_cancelled_in_the_emr_the_row_goes(admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic) -> None:
    patient = admit("Cancelled^Later")
    examination = examine(patient, "Cancelled^Later")
    _, row = examination.first
    openemr.cancel(examination.order.number)
    wait_for(lambda: "the row is still there" if clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber) else "", POLLS_SECONDS)
    assert "canceled" in openemr.text_of(openemr.imaging_orders(patient))


def test_lines_of_a_report_are_lines_of_the_chart(admit: Admit, examine: Examine, openemr: OpenEmr, lab: Lab, reports: Address) -> None:
    """F-HL7-1."""
    examination = examine(admit("Okereke^Ifeoma"), "Okereke^Ifeoma")
    code, _ = examination.first
    sent = "Line one\\X0D\\\\X0A\\Line two\\X000d\\Line three\\.br\\"
    sent += "Line four, share \\E\\\\E\\nas\\E\\scans, 5 \\T\\ 6 \\F\\ 7 \\S\\ 8 \\R\\ 9"
    send(reports, oru(lab, examination, *group(examination, code, text(sent))))
    (report,) = charted(openemr, examination.order.number, 1)
    assert report.text.splitlines() == ["Line one", "Line two", "Line three", "Line four, share \\\\nas\\scans, 5 & 6 | 7 ^ 8 ~ 9"]


def test_header_with_five_characters(admit: Admit, examine: Examine, openemr: OpenEmr, lab: Lab, reports: Address) -> None:
    """F-HL7-2."""
    examination = examine(admit("Lindqvist^Maja"), "Lindqvist^Maja")
    code, _ = examination.first
    send(reports, oru(lab, examination, *group(examination, code, text("Five characters. Room #12.")), header="^~\\&#"))
    assert [report.text for report in charted(openemr, examination.order.number, 1)] == ["Five characters. Room #12."]


def test_two_groups_are_two_lines_of_the_order(admit: Admit, examine: Examine, openemr: OpenEmr, lab: Lab, reports: Address) -> None:
    """F-HL7-3."""
    examination = examine(admit("Marchetti^Livia"), "Marchetti^Livia", 2)
    first, second = examination.rows
    groups = [*group(examination, first, text("TEXT-FOR-FIRST")), *group(examination, second, text("TEXT-FOR-SECOND"), line=2)]
    send(reports, oru(lab, examination, *groups))
    found = charted(openemr, examination.order.number, 2)
    assert {report.line: report.text for report in found} == {1: "TEXT-FOR-FIRST", 2: "TEXT-FOR-SECOND"}


def test_same_report_again_is_in_the_chart_once(admit: Admit, examine: Examine, openemr: OpenEmr, lab: Lab, reports: Address) -> None:
    """F-HL7-4."""
    examination = examine(admit("Twice^Sent"), "Twice^Sent")
    code, _ = examination.first
    message = oru(lab, examination, *group(examination, code, text("Once only.")))
    for _ in range(3):
        send(reports, message)
    charted(openemr, examination.order.number, 1)
    # A later report has passed the same queues and folders: what the repeats were to bring would be there.
    send(reports, oru(lab, examination, *group(examination, code, text("Later."))))
    assert [report.text for report in charted(openemr, examination.order.number, 2)] == ["Once only.", "Later."]


def test_segments_that_the_importer_does_not_know(
    admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic, lab: Lab, reports: Address
) -> None:
    """F-EMR-2: text and both notes are in the chart, and no file stays behind."""
    examination = examine(admit("Segments^Strange"), "Segments^Strange")
    code, _ = examination.first
    segments = oru(lab, examination, *group(examination, code, text("Read over the telephone."))).split("\r")
    inserted = {
        "MSH": "SFT|REPSYS Inc|9.1|Reporter|77",
        "PID": "NTE|1||called by phone",
        "PV1": "PV2|||^Chest pain",
        "OBR": "ZPR|1|internal",
        "OBX|2": "NTE|1|L|dictated, not read",
    }
    lines: list[str] = []
    for segment in segments:
        lines += [segment, *(line for start, line in inserted.items() if segment.startswith(start))]
    send(reports, "\r".join([*(line for line in lines if line), "FT1|1|||20260310", ""]))
    (report,) = charted(openemr, examination.order.number, 1)
    whole = f"{report.text}\n{report.notes}"
    for words in ("Read over the telephone.", "called by phone", "dictated, not read"):
        assert words in whole, f"{words!r} is not in the chart: {whole!r}"
    assert not clinic.emr.results(examination.order.number), "a result file stays behind"


def test_report_about_another_patient_or_no_order_stays_out_of_the_chart(
    admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic, lab: Lab, reports: Address
) -> None:
    examination = examine(admit("Right^Patient"), "Right^Patient")
    code, _ = examination.first
    stranger = admit("Wrong^Patient")
    wrong = Examination(
        Order(examination.order.number, Person(str(stranger.pid), "Wrong^Patient"), examination.order.procedures), examination.rows
    )
    before = len(clinic.engine.sink())
    hl7v2.send(reports, oru(lab, wrong, *group(wrong, code, text("Not his."))))
    wait_for(lambda: "" if len(clinic.engine.sink()) > before else "the engine did not refuse it", EFFECT_SECONDS)
    send(reports, oru(lab, examination, *group(examination, code, text("His."))))
    assert [report.text for report in charted(openemr, examination.order.number, 1)] == ["His."]


def test_pdf_larger_than_the_chart_takes_is_refused_with_that_reason(
    admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic, lab: Lab, reports: Address
) -> None:
    examination = examine(admit("Large^Document"), "Large^Document")
    code, _ = examination.first
    most = openemr.pdf_max_mb
    pdf = b"%PDF-1.4 " + bytes(most * 1_000_000)
    send(reports, oru(lab, examination, *group(examination, code, attached(pdf))))

    def complaint() -> str:
        reasons = clinic.emr.refused_results(examination.order.number)
        return "" if any(f"takes {most} MB" in reason for reason in reasons) else f"refused was {reasons}"

    wait_for(complaint, STATUS_SECONDS, pause=2)
    assert openemr.reports(examination.order.number) == []


def test_study_with_another_uid_is_not_the_orders(admit: Admit, examine: Examine, openemr: OpenEmr, clinic: Clinic) -> None:
    """F-DCM-3: the order claims no images, the chart has no link to an empty study, and the engine says what is wrong."""
    patient = admit("Own^Uid")
    examination = examine(patient, "Own^Uid")
    _, row = examination.first
    uid = generate_uid(prefix=None)
    for _ in range(3):
        clinic.store(row, StudyInstanceUID=uid)

    def complaint() -> str:
        found = [notice for notice in clinic.engine.notices() if notice["kind"] == "not as ordered" and uid in str(notice)]
        return "" if found else "the engine does not notice the study"

    wait_for(complaint, STATUS_SECONDS, pause=2)
    assert not openemr.images_of(examination.order.number)
    page = openemr.text_of(openemr.imaging_orders(patient))
    assert "no study known yet" in page
    assert "images available" not in page


@pytest.mark.proves("openemr")
def test_files_of_an_engine_with_another_uid_are_read(inside: Inside) -> None:
    """As Open Integration Engine has: what it makes is of group 1000, and closed to all others. Refused with that reason it was read."""
    name = "pacs-emr-verify-uid.hl7"
    as_another = ("setpriv", "--reuid=14285", "--regid=14285", "--groups=1000", "sh", "-euc")
    script = 'umask 007; cd /hl7/inbox; echo no report >".$1"; mv ".$1" "$1"'
    inside.output("mirth", *as_another, script, "sh", name)
    read = 'cd /hl7/results-error; [ ! -e "$1.reason" ] || cat "$1.reason"'
    try:
        wait_for(lambda: "" if inside.exchange(read, name, again=True) else f"{name} stays in the inbox", CHART_SECONDS)
        assert "does not begin with MSH" in inside.exchange(read, name, again=True)
    finally:
        inside.exchange('cd /hl7; rm -f "results-error/$1" "results-error/$1.reason" "inbox/$1"', name)
