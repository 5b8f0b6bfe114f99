"""A patient's journey through the whole lab, as one story in the order of this file: registered, renamed, ordered, on the worklist,
transmitted again, imaged, seen from the chart, reported.

Steps 1 to 5, 8, 9, 12 to 14 of workflow.md §2.6, for the lab's synthetic patient, who is kept for ever in the EMR under the external
number that the lab gives him. Each run makes an order of its own, and ends with rows that no worklist shows any more.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext
from waiting import wait_for

from . import journey
from .dimse import Receiver
from .emr import Order, Person, Procedure
from .lab import Address, Engine, Lab
from .openemr import OpenEmr, Registered
from .orders import EFFECT_SECONDS, STATUS_SECONDS, Clinic, Examination
from .phantoms import Study
from .reports import Filed, attached, group, oru, send, text
from .viewer import Viewer
from .web import DicomWeb, value

pytestmark = [pytest.mark.adds, pytest.mark.journey, pytest.mark.proves("openemr", "mirth", "arc")]
# From the engine's acknowledgement of a report to the chart.
CHART_SECONDS = 60
BORN, SEX = "1984-02-29", "Female"
REASON, DIAGNOSIS = "Persistent cough & fever", "ICD10:R05"
# Long enough to travel as an attachment.
PDF = b"%PDF-1.4 synthetic " + bytes(range(256)) * 20


@pytest.fixture(scope="module")
def patient(openemr: OpenEmr, lab: Lab) -> Registered:
    """The synthetic patient, registered by the first run."""
    return openemr.find(lab.patient.id) or openemr.register(lab.patient.name, BORN, SEX, pubpid=lab.patient.id)


def names(dicomweb: DicomWeb, patient: Registered) -> list[str]:
    """Names of the archive's patients with this number."""
    return [(value(row, "00100010") or {}).get("Alphabetic", "") for row in dicomweb.search("/patients", PatientID=str(patient.pid))]


def wait_for_name(dicomweb: DicomWeb, patient: Registered, name: str) -> None:
    """Wait until the archive knows the patient by a name. Raises AssertionError."""
    wait_for(
        lambda: "" if names(dicomweb, patient) == [name] else f"the archive has patient {patient.pid} as {names(dicomweb, patient)}",
        EFFECT_SECONDS,
    )


def test_registered_the_archive_knows_the_patient(patient: Registered, dicomweb_inside: DicomWeb, lab: Lab) -> None:
    wait_for_name(dicomweb_inside, patient, lab.patient.name)
    (row,) = dicomweb_inside.search("/patients", PatientID=str(patient.pid))
    assert value(row, "00100021") == lab.assigning_authority
    assert value(row, "00100030") == BORN.replace("-", "")


def test_renamed_in_the_chart_the_archive_follows(patient: Registered, openemr: OpenEmr, dicomweb_inside: DicomWeb, lab: Lab) -> None:
    family, _, given = lab.patient.name.partition("^")
    openemr.rename(patient, f"{family}-Renamed^{given}")
    wait_for_name(dicomweb_inside, patient, f"{family}-Renamed^{given}")
    openemr.rename(patient, lab.patient.name)
    wait_for_name(dicomweb_inside, patient, lab.patient.name)


@pytest.fixture(scope="module")
def order(patient: Registered, openemr: OpenEmr, lab: Lab, lab_engine: Engine) -> Order:
    """An order of two procedures, made and transmitted by the EMR's order form."""
    encounter = openemr.visit(patient, time.strftime("%Y-%m-%d"))
    two = tuple(Procedure(row.code, row.name) for row in lab_engine.procedures[:2])
    number = openemr.order(patient, encounter, [one.code for one in two], DIAGNOSIS, REASON, "CLINHX")
    person = Person(str(patient.pid), lab.patient.name, BORN.replace("-", ""), SEX[0])
    return Order(number, person, two, encounter=str(encounter))


@pytest.fixture(scope="module")
def examination(order: Order, clinic: Clinic) -> Examination:
    """The order on the worklist."""
    return clinic.examination(order)


def test_each_procedure_is_one_worklist_row_with_its_keys(
    examination: Examination, clinic: Clinic, lab: Lab, lab_engine: Engine, browser: BrowserContext
) -> None:
    journey.picture_of_worklist(browser, examination.rows.values(), lab.artifacts / "worklist.png")
    table = {procedure.code: procedure for procedure in lab_engine.procedures}
    for code, row in examination.rows.items():
        item, step, wanted = row.item, row.step, table[code]
        assert item.PatientID == examination.order.person.number
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
    assert REASON in first.item.ReasonForTheRequestedProcedure


def test_transmitted_again_nothing_changes(examination: Examination, clinic: Clinic, openemr: OpenEmr, patient: Registered) -> None:
    number = examination.order.number
    before = clinic.engine.state(number)
    openemr.transmit_again(patient, int(examination.order.encounter), number)

    def complaint() -> str:
        seen = {row["accession"]: row["seen"] for row in clinic.engine.state(number)}
        unseen = [row["accession"] for row in before if seen.get(row["accession"], 0) <= row["seen"]]
        return f"the engine has not looked at order {number} again" if unseen else ""

    wait_for(complaint, 2 * EFFECT_SECONDS)
    assert [row | {"seen": 0} for row in clinic.engine.state(number)] == [row | {"seen": 0} for row in before], "other identifiers"
    for row in examination.rows.values():
        assert len(clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber)) == 1


@pytest.fixture(scope="module")
def done(examination: Examination, clinic: Clinic) -> dict[str, Study]:
    """Both procedures done: step started, a phantom stored under the ordered UID, step completed. By procedure code."""
    studies = {}
    for code, row in examination.rows.items():
        step = clinic.modality.start(row)
        assert not clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a started step is still on the worklist: {row}"
        studies[code] = clinic.store_phantom(row)
        clinic.modality.finish(step)
        assert not clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), f"a completed step is still on the worklist: {row}"
    return studies


def test_images_are_in_the_ordered_study_of_the_patient(done: dict[str, Study], examination: Examination, dicomweb: DicomWeb) -> None:
    for code, row in examination.rows.items():
        assert done[code].uid == row.item.StudyInstanceUID
        (study,) = dicomweb.search("/studies", StudyInstanceUID=row.item.StudyInstanceUID, includefield="00080050")
        assert value(study, "00100020") == examination.order.person.number
        assert value(study, "00080050") == row.item.AccessionNumber


@pytest.mark.proves("arc")
def test_the_archive_commits_itself_to_the_images(done: dict[str, Study], clinic: Clinic, lab: Lab) -> None:
    """Step 11: what a scanner waits for before it deletes its own."""
    target = lab.move_destination
    if target is None:
        pytest.skip("lab_ae_table has no entry as which the suite may listen (lab_verify_ae_title)")
    objects = [one for study in done.values() for one in study.objects]
    with Receiver(target.ae_title, target.bind, target.port).listening() as receiver:
        clinic.archive.commit(objects, target.ae_title)
        wait_for(lambda: "" if receiver.committed else "no result of storage commitment", 2 * EFFECT_SECONDS)
    (result,) = receiver.committed
    assert "FailedSOPSequence" not in result
    assert {one.ReferencedSOPInstanceUID for one in result.ReferencedSOPSequence} == {one.SOPInstanceUID for one in objects}


def test_the_chart_says_that_images_are_available(
    done: dict[str, Study], examination: Examination, openemr: OpenEmr, patient: Registered
) -> None:
    number = examination.order.number
    wanted = {row.item.AccessionNumber: row.item.StudyInstanceUID for row in examination.rows.values()}

    def complaint() -> str:
        found = openemr.images_of(number)
        return "" if found == wanted else f"the chart has images of order {number} in {found}, not {wanted}"

    wait_for(complaint, STATUS_SECONDS, pause=2)
    assert "images available" in openemr.text_of(openemr.imaging_orders(patient))


@pytest.mark.proves("openemr", "ohif", "edge")
def test_from_the_chart_the_viewer_lists_this_patient(
    done: dict[str, Study], openemr: OpenEmr, patient: Registered, browser: BrowserContext, lab: Lab
) -> None:
    """The menu's entry opens another tab, and leaves the chart where it is."""
    with openemr.page(openemr.chart(patient)) as chart:
        entry = chart.get_by_role("link", name="Imaging (OHIF)", exact=True)
        chart.screenshot(path=lab.artifacts / "emr-menu.png")
        with chart.context.expect_page() as opened:
            entry.click()
        tab = opened.value
        assert parse_qs(urlsplit(tab.url).query)["mrn"] == [str(patient.pid)]
        assert urlsplit(chart.url).path == urlsplit(openemr.chart(patient)).path
        path = tab.url.removeprefix(lab.viewer)
        tab.close()
    viewer = Viewer(browser, lab.viewer, lab.artifacts)
    try:
        viewer.open(path)
        for study in done.values():
            assert study.uid in viewer.listed(study), f"OHIF does not list the {study}: {viewer.trouble()}"
        viewer.screenshot("viewer-list-from-chart")
        assert viewer.patient_ids_asked_for() == {str(patient.pid)}
    finally:
        viewer.close()


@pytest.mark.proves("openemr", "ohif", "edge")
def test_from_the_order_the_viewer_shows_its_study(
    done: dict[str, Study], examination: Examination, openemr: OpenEmr, patient: Registered, browser: BrowserContext, lab: Lab
) -> None:
    code, row = examination.first
    with openemr.page(openemr.chart(patient)) as chart:
        address = chart.get_by_role("link", name="Imaging orders", exact=True).get_attribute("href") or ""
        chart.goto(str(chart.evaluate("address => new URL(address, location.href).href", address)))
        chart.screenshot(path=lab.artifacts / "imaging-orders.png", full_page=True)
        link = chart.locator(f"a[href$='StudyInstanceUIDs={row.item.StudyInstanceUID}']")
        target = link.get_attribute("href") or ""
        assert link.get_attribute("target") == "_blank"
    viewer = Viewer(browser, lab.viewer, lab.artifacts)
    try:
        viewer.open(target.removeprefix(lab.viewer))
        viewer.wait_for_phantom(done[code], "viewer-from-order")
    finally:
        viewer.close()


def wait_for_reports(openemr: OpenEmr, number: int, statuses: list[str], line: int) -> None:
    """Wait until a line of an order has reports with these statuses. Raises AssertionError."""

    def complaint() -> str:
        found = [report.status for report in openemr.reports(number) if report.line == line]
        return "" if found == statuses else f"line {line} of order {number} has the reports {found}, not {statuses}"

    wait_for(complaint, CHART_SECONDS)


@pytest.mark.parametrize(
    ("letter", "words", "statuses"),
    [
        ("P", "Lungs clear, preliminary.", ["prelim"]),
        ("F", "Lungs clear.\\.br\\No pleural effusion.", ["prelim", "final"]),
        ("C", "A small nodule, 4 mm.", ["prelim", "final", "correct"]),
    ],
    ids=["preliminary", "final", "corrected"],
)
def test_text_report_is_on_the_order_and_in_the_study(
    letter: str,
    words: str,
    statuses: list[str],
    done: dict[str, Study],
    examination: Examination,
    openemr: OpenEmr,
    patient: Registered,
    filed: Filed,
    lab: Lab,
    reports: Address,
) -> None:
    code, row = examination.first
    send(reports, oru(lab, examination, *group(examination, code, text(words, status=letter), status=letter)))
    wait_for_reports(openemr, examination.order.number, statuses, line=1)
    newest = [report for report in openemr.reports(examination.order.number) if report.line == 1][-1]
    meant = words.replace("\\.br\\", "\n")
    assert newest.text.splitlines() == meant.splitlines()
    assert meant in "\n".join(filed.texts(row.item.StudyInstanceUID, len(statuses))[-1].replace("\r\n", "\n").splitlines())
    shown = " ".join(openemr.text_of(openemr.imaging_orders(patient)).split())
    assert meant.splitlines()[0] in shown


def test_pdf_report_is_a_document_of_the_chart_and_of_the_study(
    done: dict[str, Study],
    examination: Examination,
    openemr: OpenEmr,
    patient: Registered,
    filed: Filed,
    lab: Lab,
    reports: Address,
) -> None:
    code, row = list(examination.rows.items())[1]
    send(reports, oru(lab, examination, *group(examination, code, attached(PDF))))
    wait_for_reports(openemr, examination.order.number, ["final"], line=2)
    (report,) = [report for report in openemr.reports(examination.order.number) if report.line == 2]
    (document,) = report.documents
    assert openemr.document(patient, document.id) == PDF
    (stored,) = filed.wait_for(row.item.StudyInstanceUID, "DOC")
    # Padded to an even length (DICOM PS3.5 §8.1.1).
    assert stored.EncapsulatedDocument[: len(PDF)] == PDF


def test_the_page_of_orders_tells_the_whole_story(
    done: dict[str, Study], examination: Examination, openemr: OpenEmr, patient: Registered, lab: Lab
) -> None:
    """After all reports: both procedures, their state, and the words of the newest report."""
    with openemr.page(openemr.imaging_orders(patient)) as page:
        page.screenshot(path=lab.artifacts / "report-in-the-chart.png", full_page=True)
        rows = [row for row in page.locator("tbody tr").all_inner_texts() if row.split()[0] == str(examination.order.number)]
    assert len(rows) == 2
    first, second = rows
    assert "images available, reported: corrected" in first
    assert "A small nodule, 4 mm." in first
    assert "Lungs clear" not in first
    assert "images available, reported: final" in second
    journey.write(lab, patient, examination.order.number, done, openemr, PDF)
