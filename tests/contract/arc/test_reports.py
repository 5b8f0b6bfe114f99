"""Reports in: what becomes an SR or a PDF, of which study and patient, and what is refused (dcm4chee.md §4.3)."""

from __future__ import annotations

import base64
import os

import pytest
from pydicom.uid import generate_uid

from .hl7 import APPLICATION, ISSUER, NAMED, accepted, adt, line, message, new_pid, patient, send
from .orders import Order, state
from .reports import PDF, SR, objects, oru, pdf, study, text, texts
from .support import SUCCESS, Trio, first, image

pytestmark = pytest.mark.usefixtures("hl7")


def one(trio: Trio, uid: str) -> dict[str, object]:
    (found,) = objects(trio, uid)
    return found


def test_without_an_action_nothing_is_done(trio: Trio) -> None:
    """§4.1: ORU^R01 in is acked and ignored unless hl7ORUAction says so; not even the patient is made."""
    order = Order()
    accepted(trio, oru(order, study(order.uid), text("Lungs clear."), receiver="ANY|ANY"))
    assert (objects(trio, order.uid), patient(trio, order.pid)) == ([], [])


def test_text_report(trio: Trio) -> None:
    """workflow.md §2.4, §2.5: a Basic Text SR in the study, under the order's accession and procedure, signed by OBR-32."""
    order = Order()
    accepted(trio, order.orm(), oru(order, study(order.uid), text("Lungs clear."), text("Synthetic.", "121076^Conclusions^DCM")))
    report = one(trio, order.uid)
    assert (first(report, "00080016"), first(report, "00080060"), first(report, "00080050")) == (SR, "SR", order.accession)
    assert (first(report, "0040A491"), first(report, "0040A493")) == ("COMPLETE", "VERIFIED")
    assert list(texts(report)) == ["Lungs clear.", "Synthetic."]
    assert first(first(report, "0040A073"), "0040A075") == {"Alphabetic": "Haverkamp^Lena"}
    request = first(report, "0040A370")
    ids = [first(request, tag) for tag in ("00402016", "00402017", "00401001")]
    assert ids == [order.placer, order.filler, order.procedure]
    assert first(report, "00100020") == order.pid
    assert (first(report, "00080023"), first(report, "00080033")) == ("20260115", "111500")
    assert len(trio.found(f"studies?StudyInstanceUID={order.uid}&ModalitiesInStudy=SR")) == 1


def test_older_naming(trio: Trio) -> None:
    """workflow.md §2.4: both OBX namings; `^SR Instance UID` is kept."""
    order, sop = Order(), str(generate_uid(prefix=None))
    observations = (
        f"HD|^SR Instance UID||{sop}||||||F",
        f"HD|^Study Instance UID||{order.uid}||||||F",
        "TX|^SR Text||Findings: Lungs clear.||||||F",
    )
    accepted(trio, oru(order, *observations))
    report = one(trio, order.uid)
    assert (first(report, "00080018"), list(texts(report))) == (sop, [" Lungs clear."])


def test_instance_uid_makes_a_repeat_the_same_object(trio: Trio) -> None:
    """mirth-patterns.md §11.4: an OBX `^SR Instance UID` is honoured beside `113014^DICOM Study^DCM`."""
    order, sop = Order(), str(generate_uid(prefix=None))
    report = oru(order, study(order.uid), f"ST|^SR Instance UID||{sop}||||||F", text("Lungs clear."))
    accepted(trio, report, report)
    assert first(one(trio, order.uid), "00080018") == sop


def test_every_repeat_is_one_more(trio: Trio) -> None:
    """§4.3: every repeat or correction adds another SR, nothing is replaced."""
    order = Order()
    report = oru(order, study(order.uid), text("Lungs clear."))
    accepted(trio, report, report, oru(order, study(order.uid), text("Lungs not clear."), status="C"))
    found = sorted(next(texts(report)) for report in objects(trio, order.uid))
    assert found == ["Lungs clear.", "Lungs clear.", "Lungs not clear."]


@pytest.mark.parametrize(
    ("status", "flags"),
    [("P", ("PARTIAL", "VERIFIED")), ("F", ("COMPLETE", "VERIFIED")), ("C", ("COMPLETE", "UNVERIFIED")), ("X", ("COMPLETE", "UNVERIFIED"))],
)
def test_result_status(trio: Trio, status: str, flags: tuple[str, str]) -> None:
    """§4.3, mirth-patterns.md §11.4: OBR-25 P is PARTIAL; only P and F are VERIFIED."""
    order = Order()
    accepted(trio, oru(order, study(order.uid), text("Lungs clear."), status=status))
    report = one(trio, order.uid)
    assert (first(report, "0040A491"), first(report, "0040A493")) == flags


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (r"One\.br\Two", "One\r\nTwo"),
        (r"5 \T\ 6 \F\ 7 \S\ 8 \R\ 9", "5 & 6 | 7 ^ 8 ~ 9"),
        (r"share \E\nas\E\scans", "share \\\\nas\\\\scans"),
        (r"back\X5C\slash", "backslash"),
        ("cut& here", "cut"),
        ("cut^ here", "cut"),
        ("cut~ here", "cut"),
        (r"\H\bold\N\ \Z9\plain", "bold plain"),
        (r"ends\X0D\here", "ends"),
    ],
)
def test_escapes_in_the_text(trio: Trio, sent: str, seen: str) -> None:
    r"""§4.1: \.br\ breaks lines, \E\ is doubled, \X5C\ dropped, an unescaped separator cuts, \X0D\ ends the segment."""
    order = Order()
    accepted(trio, oru(order, study(order.uid), text(sent)))
    assert list(texts(one(trio, order.uid))) == [seen]


def test_bell_as_escape_character(trio: Trio) -> None:
    """§4.1, mirth-patterns.md §11.4: with BEL in MSH-2 a backslash is plain text, and BEL-escapes work."""
    order = Order()
    sent = text("share \\nas\\scans\x07.br\x075 \x07T\x07 6")
    accepted(trio, oru(order, study(order.uid), sent, escape="\x07"))
    assert list(texts(one(trio, order.uid))) == ["share \\nas\\scans\r\n5 & 6"]


def test_five_encoding_characters(trio: Trio) -> None:
    """F-HL7-2: MSH-2 with a truncation character shifts nothing."""
    order = Order()
    content = oru(order, study(order.uid), text("Five characters. Room #12.")).replace("|^~\\&|", "|^~\\&#|", 1)
    accepted(trio, content)
    assert list(texts(one(trio, order.uid))) == ["Five characters. Room #12."]


def test_script_of_the_text(trio: Trio) -> None:
    """§4.1: Japanese with UNICODE UTF-8 works."""
    order = Order(name="Yamada^Tarou")
    accepted(trio, oru(order, study(order.uid), text("両肺野に異常なし。")))
    assert list(texts(one(trio, order.uid))) == ["両肺野に異常なし。"]


def test_pdf_report(trio: Trio) -> None:
    """workflow.md §2.4: a PDF becomes an Encapsulated PDF, byte for byte."""
    order, content = Order(), b"%PDF-1.4 synthetic\n" + os.urandom(300_000)
    accepted(trio, oru(order, study(order.uid), pdf(base64.b64encode(content).decode())))
    report = one(trio, order.uid)
    assert (first(report, "00080016"), first(report, "00080060"), first(report, "00420012")) == (PDF, "DOC", "application/pdf")
    path = f"studies/{order.uid}/series/{first(report, '0020000E')}/instances/{first(report, '00080018')}/rendered"
    assert trio.rs(path).content.removesuffix(b"\0") == content


@pytest.mark.parametrize("marker", ["^application^pdf^base64", "^Application^PDF^", "PDF^Application^PDF^Base64X", "^AP^PDF^Base64"])
def test_other_document_markers(trio: Trio, marker: str) -> None:
    """§4.3: PDF marker not exactly `^Application^PDF^Base64^`: AE 101, nothing stored."""
    order = Order()
    with line(trio) as connection:
        answer = connection.send(oru(order, study(order.uid), pdf("JVBERi0=", marker)))
    assert (answer.short, answer.location, objects(trio, order.uid)) == ("AE 101", "OBX^1^5^1^2", [])


def test_document_without_data(trio: Trio) -> None:
    """§4.3: no data behind the marker: AE 101."""
    order = Order()
    assert send(trio, oru(order, study(order.uid), pdf(""))) == ["AE 101"]


def test_study_by_accession(trio: Trio) -> None:
    """§4.3: no study OBX: the study of that accession."""
    order = Order()
    accepted(trio, adt("A04", order.pid))
    sent = image(PatientID=order.pid, IssuerOfPatientID=ISSUER, AccessionNumber=order.accession)
    assert trio.store(sent)[0].Status == SUCCESS
    accepted(trio, oru(order, text("Lungs clear.")))
    assert len(objects(trio, sent.StudyInstanceUID)) == 2


def test_unknown_study_and_patient_are_made(trio: Trio) -> None:
    """§4.3: unknown accession or study: a new study is made, unknown patient: a new patient, AA."""
    order, unknown = Order(), Order()
    accepted(trio, oru(order, study(order.uid), text("Lungs clear.")), oru(unknown, text("Lungs clear.")))
    assert len(objects(trio, order.uid)) == 1
    assert (len(patient(trio, order.pid)), len(patient(trio, unknown.pid))) == (1, 1)
    (made,) = trio.found(f"studies?PatientID={unknown.pid}")
    assert (first(made, "00080050"), first(made, "0020000D").startswith("2.25.")) == (unknown.accession, True)


def test_report_on_the_study_of_another_patient(trio: Trio) -> None:
    """§4.1, §4.4: report on another patient's study AR 206, nothing is added."""
    order = Order()
    accepted(trio, oru(order, study(order.uid), text("Lungs clear.")))
    order.pid = new_pid()
    with line(trio) as connection:
        answer = connection.send(oru(order, study(order.uid), text("Not mine.")))
    assert (answer.short, "differs" in answer.reason, len(objects(trio, order.uid))) == ("AR 206", True, 1)


def test_patient_of_a_report_is_refused_as_elsewhere(trio: Trio) -> None:
    """§4.1: merged id AR 204, no PID-3 AE 101."""
    order, survivor = Order(), new_pid()
    accepted(trio, adt("A40", survivor, f"MRG|{order.pid}^^^{ISSUER}"))
    nobody = message("ORU^R01", "PID|1||||Nobody", "OBR|1", receiver=NAMED)
    assert send(trio, oru(order, study(order.uid), text("x")), nobody) == ["AR 204", "AE 101"]


def test_two_groups_in_a_message(trio: Trio) -> None:
    """F-HL7-3 on the archive: both texts are filed in the study that is named first."""
    one_order, two_order = Order(), Order()
    two_order.pid = one_order.pid
    second = oru(two_order, study(two_order.uid), text("Second.")).split("\r")[3:]
    accepted(trio, oru(one_order, study(one_order.uid), text("First.")) + "\r".join(second))
    assert list(texts(one(trio, one_order.uid))) == ["First.", "Second."]
    assert objects(trio, two_order.uid) == []


def test_report_leaves_the_worklist_alone(trio: Trio) -> None:
    """§4.3: IMPORT_REPORT alone leaves the row SCHEDULED; with MWL_COMPLETED a report clears it."""
    order = Order()
    accepted(trio, order.orm(), oru(order, study(order.uid), text("Lungs clear.")))
    assert state(trio, order) == "SCHEDULED"
    dn = f"dn: {APPLICATION}\nchangetype: modify\n"
    trio.modify(f"{dn}add: hl7ORUAction\nhl7ORUAction: MWL_COMPLETED\n")
    assert trio.reload() == 204
    try:
        accepted(trio, oru(order, study(order.uid), text("Lungs clear.")))
        assert (state(trio, order), len(objects(trio, order.uid))) == ("COMPLETED", 2)
    finally:
        trio.modify(f"{dn}delete: hl7ORUAction\nhl7ORUAction: MWL_COMPLETED\n")
        assert trio.reload() == 204


def test_large_document(trio: Trio) -> None:
    """§4.3: a PDF of tens of megabytes goes through."""
    order, content = Order(), b"%PDF-1.4 " + b"\0\1\2\3" * 5_000_000
    accepted(trio, oru(order, study(order.uid), pdf(base64.b64encode(content).decode())))
    assert len(objects(trio, order.uid)) == 1
    assert trio.arc.running()
