"""Reports as they come from the field: into the chart's result file and the study's SR as they were written, or refused with a reason.

Cases F-HL7-1 to 4 and F-EMR-2 (cases.md); steps 13 to 15 and 17 of workflow.md §2.6.
"""

from __future__ import annotations

import hl7
import pytest
from waiting import wait_for

from . import hl7v2
from .emr import Order, Procedure
from .lab import Address, Engine, Lab
from .orders import EFFECT_SECONDS, NUMBERS, Clinic, Examination, fresh_person
from .reports import Filed, group, oru, send, text

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "arc")]


@pytest.fixture(scope="module")
def open_orders(request: pytest.FixtureRequest, clinic: Clinic, lab_engine: Engine) -> list[Examination]:
    """New patients' open orders of two procedures, one for each test of this file that runs, placed at the same time."""
    two = [Procedure(row.code, row.name) for row in lab_engine.procedures[:2]]
    count = sum("ordered" in getattr(item, "fixturenames", ()) for item in request.session.items if item.path == request.path)
    return clinic.place_together(*(Order(next(NUMBERS), fresh_person("Okereke^Ifeoma"), tuple(two)) for _ in range(count)))


@pytest.fixture
def ordered(open_orders: list[Examination]) -> Examination:
    """A new patient's open order of two procedures, which no other test has."""
    return open_orders.pop()


def lines(result: hl7.Message) -> list[str]:
    """The lines of text that the chart shows."""
    return [hl7v2.field(segment, 5) for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "TX"]


def refused(clinic: Clinic, message: str, number: int) -> str:
    """Return the sink's reason for a message. Raises AssertionError when it is not refused, or a result file comes all the same."""
    control = hl7v2.field(hl7v2.parse(message).segment("MSH"), 10)
    found: list[str] = []

    def complaint() -> str:
        found[:] = [row["reason"] for row in clinic.engine.sink() if control in str(row["content"])]
        return "" if found else f"the message {control} is not in the sink"

    wait_for(complaint, EFFECT_SECONDS)
    assert not clinic.emr.results(number), "a refused report has a result file all the same"
    return found[-1]


def nothing_but(later: str, clinic: Clinic, filed: Filed, lab: Lab, reports: Address, ordered: Examination, code: str) -> None:
    """Send a good report of a procedure: it has passed the queues of an earlier one, and is all that chart and study hold.

    Raises AssertionError where the earlier one was filed.
    """
    send(reports, oru(lab, ordered, *group(ordered, code, text(later))))
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == [later]
    (words,) = filed.texts(ordered.rows[code].item.StudyInstanceUID)
    assert later in words


def test_line_breaks_and_escapes_arrive_as_they_were_meant(
    ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address
) -> None:
    """F-HL7-1."""
    code, row = ordered.first
    breaks = "Line one\\X0D\\\\X0A\\Line two\\X000d\\Line three\\.br\\"
    sent = breaks + "Line four, share \\E\\\\E\\nas\\E\\scans, 5 \\T\\ 6 \\F\\ 7 \\S\\ 8 \\R\\ 9"
    meant = ["Line one", "Line two", "Line three", "Line four, share \\\\nas\\scans, 5 & 6 | 7 ^ 8 ~ 9"]
    send(reports, oru(lab, ordered, *group(ordered, code, text(sent))))
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == meant
    (words,) = filed.texts(row.item.StudyInstanceUID)
    assert words.replace("\r\n", "\n").splitlines()[1:] == meant


def test_header_of_version_2_7_with_five_characters(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    """F-HL7-2."""
    code, row = ordered.first
    message = oru(lab, ordered, *group(ordered, code, text("Five characters. Room #12.")), control="ENC0006", header="^~\\&#")
    answer = hl7v2.send(reports, message)
    assert (answer.code, answer.control_id) == ("AA", "ENC0006")
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == ["Five characters. Room #12."]
    (words,) = filed.texts(row.item.StudyInstanceUID)
    assert "Five characters. Room #12." in words


def test_two_groups_are_two_reports(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    """F-HL7-3."""
    (first, second) = ordered.rows
    message = oru(lab, ordered, *group(ordered, first, text("TEXT-FOR-FIRST")), *group(ordered, second, text("TEXT-FOR-SECOND"), line=2))
    send(reports, message)
    result = clinic.emr.wait_for_result(ordered.order.number)
    assert [hl7v2.field(segment, 4) for segment in result.segments("OBR")] == [first, second]
    for code, mine, other in ((first, "TEXT-FOR-FIRST", "TEXT-FOR-SECOND"), (second, "TEXT-FOR-SECOND", "TEXT-FOR-FIRST")):
        (words,) = filed.texts(ordered.rows[code].item.StudyInstanceUID)
        assert mine in words
        assert other not in words


def test_one_bad_group_refuses_the_whole_message(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    """F-HL7-3, second half."""
    (first, second) = ordered.rows
    bad = group(ordered, second, text("TEXT-FOR-SECOND"), line=2, uid="2.25.1")
    message = oru(lab, ordered, *group(ordered, first, text("TEXT-FOR-FIRST")), *bad)
    hl7v2.send(reports, message)
    assert "2.25.1" in refused(clinic, message, ordered.order.number)
    nothing_but("Mended.", clinic, filed, lab, reports, ordered, first)


def test_the_same_message_again_is_filed_once(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    """F-HL7-4: the first answer is lost; the repeat after a restart of the engine is in test_engine_outages."""
    code, row = ordered.first
    groups = group(ordered, code, text("Once only."))
    message = oru(lab, ordered, *groups)
    hl7v2.send_and_hang_up(reports, message)
    wait_for(lambda: "" if clinic.emr.results(ordered.order.number) else "nobody read the answer, and the report is lost", EFFECT_SECONDS)
    for _ in range(2):
        send(reports, message)
    clinic.emr.wait_for_result(ordered.order.number)
    other = ordered.rows[list(ordered.rows)[1]]
    # A later report of the other procedure has passed the same queues: what the repeats were to bring would be there.
    send(reports, oru(lab, ordered, *group(ordered, list(ordered.rows)[1], text("Later."))))
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == ["Later."]
    filed.wait_for(other.item.StudyInstanceUID, "SR")
    assert len(filed.documents(row.item.StudyInstanceUID, "SR")) == 1

    # Under a new control id it is a second report (docs/engine.md).
    send(reports, oru(lab, ordered, *groups))
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == ["Once only."]
    filed.wait_for(row.item.StudyInstanceUID, "SR", 2)


def test_every_version_is_one_more_sr_that_says_so(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    code, row = ordered.first
    seen = []
    for status, word in (("P", "PRELIMINARY"), ("F", "FINAL"), ("C", "CORRECTED"), ("X", "WITHDRAWN")):
        message = oru(lab, ordered, *group(ordered, code, text(f"Version {word}.", status=status), status=status))
        send(reports, message)
        assert hl7v2.field(clinic.emr.wait_for_result(ordered.order.number).segment("OBR"), 25) == status
        seen.append(word)
        found = filed.texts(row.item.StudyInstanceUID, len(seen))
        assert sorted(words.split()[0] for words in found) == sorted(seen)


def test_segments_that_the_importer_does_not_know(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    """F-EMR-2: the notes behind PID and behind the text are both in the result."""
    code, row = ordered.first
    head, pid, pv1, *rest = oru(lab, ordered, *group(ordered, code, text("Unusual company."))).rstrip("\r").split("\r")
    orc, obr, uid, line = rest
    message = hl7v2.message(
        head, "SFT|REPSYS Inc|9.1|Reporter|77", pid, "NTE|1||called by phone", pv1, "PV2|||^Chest pain", orc, obr, "ZPR|1|internal",
        uid, line, "NTE|1|L|dictated, not read", "FT1|1|||20260310",
    )  # fmt: skip
    send(reports, message)
    result = clinic.emr.wait_for_result(ordered.order.number)
    assert lines(result) == ["Unusual company."]
    notes = [hl7v2.field(segment, 3) for segment in result.segments("NTE")]
    assert {"called by phone", "dictated, not read"} <= set(notes)
    (words,) = filed.texts(row.item.StudyInstanceUID)
    assert "Unusual company." in words


@pytest.mark.parametrize(
    ("charset", "encoding", "words"),
    [
        ("UNICODE UTF-8", "utf-8", "Größe 山田 Ångström"),
        ("", "utf-8", "Größe 山田 undeclared"),
        ("8859/1", "latin-1", "Größe in Latin-1"),
        ("", "latin-1", "Größe, Latin-1 undeclared"),
        ("8859/5", "iso8859-5", "Грудная клетка"),
    ],
)
def test_texts_in_any_script_arrive_as_they_were_written(
    ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address, charset: str, encoding: str, words: str
) -> None:
    code, row = ordered.first
    message = oru(lab, ordered, *group(ordered, code, text(words)), charset=charset)
    send(reports, message, encoding)
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == [words]
    (said,) = filed.texts(row.item.StudyInstanceUID)
    assert words in said


def test_bytes_that_contradict_the_declared_character_set_are_refused(
    ordered: Examination, clinic: Clinic, lab: Lab, reports: Address
) -> None:
    code, _ = ordered.first
    message = oru(lab, ordered, *group(ordered, code, text("Größe")))
    assert hl7v2.send(reports, message, "latin-1").code == "AE"
    assert "UTF-8" in refused(clinic, message, ordered.order.number)


def test_report_for_an_unknown_order_is_refused(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    code, row = ordered.first
    message = oru(lab, ordered, *group(ordered, code, text("Nobody's."))).replace(
        f"|{ordered.order.number}|{row.item.AccessionNumber}", "|7|F7"
    )
    hl7v2.send(reports, message)
    assert "order" in refused(clinic, message, ordered.order.number)
    nothing_but("Known.", clinic, filed, lab, reports, ordered, code)


def test_report_about_another_patient_is_refused(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    code, _ = ordered.first
    message = oru(lab, ordered, *group(ordered, code, text("Somebody else's."))).replace(f"|{ordered.order.person.number}^", "|4711^")
    hl7v2.send(reports, message)
    assert "patient" in refused(clinic, message, ordered.order.number)
    nothing_but("His own.", clinic, filed, lab, reports, ordered, code)


def test_report_without_study_uid_is_completed(ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address) -> None:
    code, row = ordered.first
    send(reports, oru(lab, ordered, *group(ordered, code, text("No UID."), uid="")))
    assert lines(clinic.emr.wait_for_result(ordered.order.number)) == ["No UID."]
    (words,) = filed.texts(row.item.StudyInstanceUID)
    assert "No UID." in words


def test_report_before_the_images_neither_tells_nor_clears(
    ordered: Examination, clinic: Clinic, filed: Filed, lab: Lab, reports: Address
) -> None:
    code, row = ordered.first
    send(reports, oru(lab, ordered, *group(ordered, code, text("Too early."))))
    clinic.emr.wait_for_result(ordered.order.number)
    filed.wait_for(row.item.StudyInstanceUID, "SR")
    assert clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber), "the report took the step off the worklist"
    assert not clinic.emr.statuses(row.item.AccessionNumber), "the EMR was told of images that are not there"
