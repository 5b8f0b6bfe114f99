"""Orders become worklist items: what makes one, what changes it, what is refused (dcm4chee.md §4.2, workflow.md §2.3-2.5)."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..conftest import docker
from .hl7 import APPLICATION, ARCHIVE, NAMED, accepted, adt, line, message, new_pid, patient, pid_segment, send
from .orders import Order, state, worklist
from .support import DEVICES, Trio, first, wait_until_started


def test_row_of_an_order(trio: Trio) -> None:
    """workflow.md §2.5: AA and one row with the keys of the order; station SCHEDULEDSTATION."""
    order = Order()
    accepted(trio, order.orm())
    (row,) = worklist(
        trio,
        AccessionNumber=order.accession,
        InstitutionName=None,
        ReferringPhysicianName=None,
        RequestingPhysician=None,
        PlacerOrderNumberImagingServiceRequest=None,
        FillerOrderNumberImagingServiceRequest=None,
        ReasonForTheRequestedProcedure=None,
        RequestedProcedureDescription=None,
        RequestedProcedurePriority=None,
        MedicalAlerts=None,
        InstitutionalDepartmentName=None,
        AdmissionID=None,
        IssuerOfPatientID=None,
    )
    step = row.ScheduledProcedureStepSequence[0]
    assert (row.PatientID, str(row.PatientName), row.StudyInstanceUID) == (order.pid, "Quillfeather^Marisol^T", order.uid)
    assert (row.RequestedProcedureID, step.ScheduledProcedureStepID, step.Modality) == (order.procedure, order.step, "CT")
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == ("20260115", "110000")
    assert (step.ScheduledStationAETitle, step.ScheduledProcedureStepStatus) == ("SCHEDULEDSTATION", "SCHEDULED")
    assert (row.InstitutionName, row.InstitutionalDepartmentName) == ("Radiology", "Radiology")
    assert (row.PlacerOrderNumberImagingServiceRequest, row.FillerOrderNumberImagingServiceRequest) == (order.placer, order.filler)
    assert str(row.ReferringPhysicianName) == str(row.RequestingPhysician) == "Okonjo^Ruth^^Dr"
    assert (row.ReasonForTheRequestedProcedure, row.RequestedProcedureDescription) == ("Persistent cough", "CT head")
    assert (row.RequestedProcedurePriority, row.MedicalAlerts, row.AdmissionID) == ("ROUTINE", "No known allergies", "9001")


def test_order_registers_and_updates_the_patient(trio: Trio) -> None:
    """§4.2: an order also creates or updates the patient."""
    order = Order(name="Before^Wedding")
    accepted(trio, order.orm())
    order.patient["name"] = "After^Wedding"
    accepted(trio, order.orm())
    assert patient(trio, order.pid)[0]["00100010"]["Value"] == [{"Alphabetic": "After^Wedding"}]


def test_same_order_again_is_one_row(trio: Trio) -> None:
    """§4.2: the same message again: still one row; with a new study UID a second row."""
    order = Order()
    accepted(trio, order.orm(), order.orm())
    assert len(worklist(trio, PatientID=order.pid)) == 1
    order.uid += "1"
    accepted(trio, order.orm())
    assert len(worklist(trio, PatientID=order.pid)) == 2


def test_order_without_zds_makes_no_row(trio: Trio) -> None:
    """§4.2: neither ZDS nor IPC: AA, no item, existing items stay; the status is not looked at. The patient is registered."""
    order = Order()
    accepted(trio, order.orm(), message("ORM^O01", *order.segments()), message("ORM^O01", *order.segments("NW", "")))
    assert len(worklist(trio, PatientID=order.pid)) == 1
    other = Order()
    accepted(trio, message("ORM^O01", *other.segments()))
    assert (len(patient(trio, other.pid)), state(trio, other)) == (1, "")


def test_bare_zds(trio: Trio) -> None:
    """§4.2: a bare `ZDS|` works: the UID is derived from OBR-19, so it is the same each time."""
    order = Order()
    content = message("ORM^O01", *order.segments(), "ZDS|")
    accepted(trio, content, content)
    (row,) = worklist(trio, PatientID=order.pid)
    assert row.StudyInstanceUID.startswith("2.25.")
    order.procedure = ""
    accepted(trio, message("ORM^O01", *order.segments(), "ZDS|"))
    assert len({row.StudyInstanceUID for row in worklist(trio, PatientID=order.pid)}) == 2


@pytest.mark.parametrize(
    ("control", "status", "expected"),
    [
        ("NW", "SC", "SCHEDULED"),
        ("NW", "IP", "SCHEDULED"),
        ("XO", "SC", "SCHEDULED"),
        ("CA", "CA", "CANCELED"),
        ("DC", "CA", "DISCONTINUED"),
        ("XO", "CM", "COMPLETED"),
        ("SC", "CM", "COMPLETED"),
        ("SC", "A", "COMPLETED"),
    ],
)
def test_status_by_order_control(trio: Trio, control: str, status: str, expected: str) -> None:
    """§4.2: status = ORC-1_ORC-5, for an unknown order too."""
    order = Order()
    accepted(trio, order.orm(control, status))
    assert state(trio, order) == expected
    assert len(worklist(trio, PatientID=order.pid)) == (expected == "SCHEDULED")


@pytest.mark.parametrize(("control", "status"), [("NW", ""), ("CA", ""), ("CA", "SC"), ("RE", "CM")])
def test_other_order_control_is_refused(trio: Trio, control: str, status: str) -> None:
    """§4.2: anything else AE 101 at ORC^1^1^1^1, no row."""
    order = Order()
    with line(trio) as connection:
        answer = connection.send(order.orm(control, status))
    assert (answer.short, answer.location, state(trio, order)) == ("AE 101", "ORC^1^1^1^1", "")


def test_more_order_control_by_ldap(trio: Trio) -> None:
    """§4.2: values such as `NW_` in LDAP accept an empty ORC-5."""
    dn = f"dn: dcmSPSStatus=SCHEDULED,{ARCHIVE}\nchangetype: modify\n"
    trio.modify(f"{dn}add: hl7OrderControlStatus\nhl7OrderControlStatus: NW_\n")
    assert trio.reload() == 204
    try:
        order = Order()
        accepted(trio, order.orm("NW", ""))
        assert state(trio, order) == "SCHEDULED"
    finally:
        trio.modify(f"{dn}delete: hl7OrderControlStatus\nhl7OrderControlStatus: NW_\n")
        assert trio.reload() == 204


def test_change_moves_the_row(trio: Trio) -> None:
    """workflow.md §2.5: XO with another time: AA, row moved."""
    order = Order()
    accepted(trio, order.orm())
    order.start = "20260116143000"
    accepted(trio, order.orm("XO", "SC"))
    (row,) = worklist(trio, PatientID=order.pid)
    step = row.ScheduledProcedureStepSequence[0]
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == ("20260116", "143000")


def test_nothing_guards_a_transition(trio: Trio) -> None:
    """§4.2: NW or XO after CANCELED or COMPLETED sets it back to SCHEDULED, CA after COMPLETED makes it CANCELED."""
    order = Order()
    seen = []
    for control, status in (("CA", "CA"), ("NW", "SC"), ("SC", "CM"), ("XO", "SC"), ("SC", "CM"), ("CA", "CA")):
        accepted(trio, order.orm(control, status))
        seen.append(state(trio, order))
    assert seen == ["CANCELED", "SCHEDULED", "COMPLETED", "SCHEDULED", "COMPLETED", "CANCELED"]


def test_second_order_in_a_message_is_lost(trio: Trio) -> None:
    """§4.2: of two ORM groups only the first makes an item, always AA."""
    one, two = Order(), Order()
    two.pid = one.pid
    groups = [*one.segments(), f"ZDS|{one.uid}", *two.segments()[2:], f"ZDS|{one.uid}"]
    accepted(trio, message("ORM^O01", *groups))
    assert [row.AccessionNumber for row in worklist(trio, PatientID=one.pid)] == [one.accession]


def test_imaging_order(trio: Trio) -> None:
    """§4.2: OMI with IPC: as ORM, station of IPC-9; several IPC are a row each; one less in the next message deletes its row."""
    order = Order()
    accepted(trio, order.omi("A1", "A2"))
    rows = worklist(trio, PatientID=order.pid)
    steps = [row.ScheduledProcedureStepSequence[0] for row in rows]
    assert sorted(step.ScheduledProcedureStepID for step in steps) == ["A1", "A2"]
    assert {row.AccessionNumber for row in rows} == {order.accession}
    assert {step.ScheduledStationAETitle for step in steps} == {"CTSIM"}
    assert (steps[0].ScheduledProcedureStepStartTime, steps[0].ScheduledProtocolCodeSequence[0].CodeValue) == ("110000", "CTHEAD")
    accepted(trio, order.omi("A2"))
    assert [row.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID for row in worklist(trio, PatientID=order.pid)] == ["A2"]


def test_two_imaging_orders_in_a_message(trio: Trio) -> None:
    """§4.2: with two OMI groups both steps land under the accession number and study UID of the last group."""
    one, two = Order(), Order()
    two.pid = one.pid
    groups = [*one.segments(), one.ipc("B1"), *two.segments()[2:], two.ipc("B2")]
    accepted(trio, message("OMI^O23", *groups))
    rows = worklist(trio, PatientID=one.pid)
    assert {(row.AccessionNumber, row.StudyInstanceUID) for row in rows} == {(two.accession, two.uid)}
    assert len(rows) == 2


def test_other_order_message(trio: Trio) -> None:
    """§4.1: OMG^O19 is an order too; its start is TQ1-7."""
    order = Order()
    segments = [part.replace("1^^^20260115110000^^R", "") for part in order.segments()]
    accepted(trio, message("OMG^O19", *segments, "TQ1|1||||||20260117083000||A", f"ZDS|{order.uid}"))
    (row,) = worklist(trio, PatientID=order.pid, RequestedProcedurePriority=None)
    assert row.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate == "20260117"
    assert row.RequestedProcedurePriority == "HIGH"


def test_new_step_id_replaces_the_row(trio: Trio) -> None:
    """§4.2: items of the study that the message does not contain are removed."""
    order = Order()
    accepted(trio, order.orm())
    order.step += "N"
    accepted(trio, order.orm())
    assert [row.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID for row in worklist(trio, PatientID=order.pid)] == [order.step]


def test_same_item_for_another_patient(trio: Trio) -> None:
    """§4.2: AR 207 PatientMismatchException; with another step id the row is replaced by one of the other patient, AA."""
    order = Order()
    accepted(trio, order.orm())
    first_pid, order.pid = order.pid, new_pid()
    with line(trio) as connection:
        answer = connection.send(order.orm())
    assert (answer.short, "PatientMismatchException" in answer.reason, "PatientMismatch" in answer.text) == ("AR 207", True, True)
    assert len(worklist(trio, PatientID=first_pid)) == 1
    order.step += "N"
    accepted(trio, order.orm())
    assert (len(worklist(trio, PatientID=first_pid)), len(worklist(trio, PatientID=order.pid))) == (0, 1)


def test_start_time(trio: Trio) -> None:
    """§4.2: the UTC offset is ignored; only an unreadable start is refused (AE 102); none means now."""
    order = Order()
    order.start = "20260115110000+0900"
    accepted(trio, order.orm())
    assert worklist(trio, PatientID=order.pid)[0].ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime == "110000"
    order.start = "tomorrow"
    assert send(trio, order.orm()) == ["AE 102"]
    unscheduled = Order()
    unscheduled.start = ""
    accepted(trio, unscheduled.orm())
    assert worklist(trio, PatientID=unscheduled.pid)[0].ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate > "20260101"


def test_hardly_anything_is_checked(trio: Trio) -> None:
    """§4.2: 18-character accession numbers, an invalid UID, a missing modality, an impossible birth date are served as they came."""
    order = Order(modality="", born="20261399")
    order.accession = "ACC456789012345678"
    order.uid = f"not.a.uid.{order.placer}"
    accepted(trio, order.orm())
    (row,) = worklist(trio, PatientID=order.pid, PatientBirthDate=None)
    assert (row.AccessionNumber, row.StudyInstanceUID, row.PatientBirthDate) == (order.accession, order.uid, "20261399")


def test_comments(trio: Trio) -> None:
    """workflow.md §2.3: an NTE behind PID ends in Patient Comments and in the comments of the procedure; body size comes from OBX."""
    order = Order()
    pid, *rest = order.segments()
    body = ["OBX|1|NM|^BODY WEIGHT||71.5|kg", "OBX|2|NM|^Body Height||1.68|m"]
    accepted(trio, message("ORM^O01", pid, "NTE|1|L|Medications:NONE", *rest, *body, f"ZDS|{order.uid}"))
    (row,) = worklist(
        trio, PatientID=order.pid, PatientComments=None, RequestedProcedureComments=None, PatientWeight=None, PatientSize=None
    )
    assert row.PatientComments == row.RequestedProcedureComments == "Medications:NONE"
    assert (float(row.PatientWeight), float(row.PatientSize)) == (71.5, 1.68)


def test_backslash_is_the_value_separator(trio: Trio) -> None:
    r"""§4.1: \E\ yields a backslash, which is the DICOM value separator; an unescaped separator cuts the text."""
    order = Order()
    segments = order.segments(code=r"CTHEAD^Head \E\ neck^99LAB^PROT^One \T\ two^99P")
    segments = [part.replace("^Persistent cough", r"^Cough \E\ fever").replace("No known allergies", "Milk&Nuts") for part in segments]
    accepted(trio, message("ORM^O01", *segments, f"ZDS|{order.uid}"))
    (row,) = worklist(trio, PatientID=order.pid, ReasonForTheRequestedProcedure=None, MedicalAlerts=None)
    assert row["ReasonForTheRequestedProcedure"].VM > 1
    assert row.MedicalAlerts == "Milk"
    assert row.ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription == "One & two"


@pytest.mark.parametrize(("value", "code", "scheme"), [(None, "PROT", "99P"), ("OBR_4_1", "CTHEAD", "99LAB")])
def test_protocol_code(trio: Trio, value: str | None, code: str, scheme: str) -> None:
    """§4.2: protocol code from OBR-4.4 to 4.6 by default, with hl7ScheduledProtocolCodeInOrder=OBR_4_1 from 4.1 to 4.3."""
    dn = f"dn: {ARCHIVE}\nchangetype: modify\nreplace: hl7ScheduledProtocolCodeInOrder\n"
    trio.modify(dn + (f"hl7ScheduledProtocolCodeInOrder: {value}\n" if value else ""))
    assert trio.reload() == 204
    try:
        order = Order()
        accepted(trio, order.orm())
        (item,) = worklist(trio, PatientID=order.pid)[0].ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence
        assert (item.CodeValue, item.CodingSchemeDesignator) == (code, scheme)
    finally:
        trio.modify(dn)
        assert trio.reload() == 204


def test_station_in_the_order(trio: Trio, hl7: None) -> None:
    """§4.2: ORC-18 with hl7ScheduledStationAETInOrder=ORC_18; an empty ORC-18 leaves it to the rules. Set on the application here."""
    dn = f"dn: {APPLICATION}\nchangetype: modify\nreplace: hl7ScheduledStationAETInOrder\n"
    trio.modify(f"{dn}hl7ScheduledStationAETInOrder: ORC_18\n")
    assert trio.reload() == 204
    try:
        named, unnamed, elsewhere = Order(station="CT07"), Order(), Order(station="CT07")
        accepted(trio, named.orm(receiver=NAMED), unnamed.orm(receiver=NAMED), elsewhere.orm())
        stations = [worklist(trio, PatientID=order.pid)[0].ScheduledProcedureStepSequence[0] for order in (named, unnamed, elsewhere)]
        assert [step.ScheduledStationAETitle for step in stations] == ["CT07", "SCHEDULEDSTATION", "SCHEDULEDSTATION"]
    finally:
        trio.modify(dn)
        assert trio.reload() == 204


def test_station_rules(trio: Trio) -> None:
    """§4.2: the rule of the highest priority whose properties match; rules of equal priority accumulate."""
    titles = [f"RULED{number}" for number in (1, 2)]
    rules = [f"cn={title},{ARCHIVE}" for title in titles]
    for title, rule in zip(titles, rules, strict=True):
        trio.register(title, 104)
        trio.modify(
            f"dn: {rule}\nchangetype: add\nobjectClass: hl7OrderScheduledStation\ncn: {title}\ndcmRulePriority: 1\n"
            f"dcmProperty: OBR-24=NM\nhl7OrderScheduledStationDeviceReference: dicomDeviceName={title.lower()},{DEVICES}\n"
        )
    assert trio.reload() == 204
    try:
        nuclear, other = Order(modality="NM"), Order(modality="CT")
        accepted(trio, nuclear.orm(), other.orm())
        seen = [worklist(trio, PatientID=order.pid)[0].ScheduledProcedureStepSequence[0] for order in (nuclear, other)]
        assert sorted(seen[0].ScheduledStationAETitle) == titles
        assert seen[1].ScheduledStationAETitle == "SCHEDULEDSTATION"
        assert len(worklist(trio, PatientID=nuclear.pid, step={"ScheduledStationAETitle": titles[1]})) == 1
    finally:
        for rule in rules:
            trio.modify(f"dn: {rule}\nchangetype: delete\n")
        assert trio.reload() == 204


def test_arrival(trio: Trio) -> None:
    """§4.1: A10 moves every scheduled item of the patient, whatever PV1-19 says; ARRIVED stays visible, others stay as they are."""
    one, two, ended = Order(), Order(), Order()
    two.pid = ended.pid = one.pid
    accepted(trio, one.orm(), two.orm(), ended.orm("SC", "CM"), adt("A10", one.pid, "PV1|1|O|||||||||||||||||nothing"))
    assert [state(trio, order) for order in (one, two, ended)] == ["ARRIVED", "ARRIVED", "COMPLETED"]
    assert len(worklist(trio, PatientID=one.pid)) == 2


def test_rows_follow_a_merge(trio: Trio) -> None:
    """§4.1: all that the prior patient has ends under the survivor, worklist items too."""
    order = Order()
    survivor = new_pid()
    accepted(trio, order.orm(), adt("A40", survivor, f"MRG|{order.pid}^^^HOSP"))
    assert [row.AccessionNumber for row in worklist(trio, PatientID=survivor)] == [order.accession]
    assert not worklist(trio, PatientID=order.pid)


def test_message_of_the_emr_as_it_comes(trio: Trio) -> None:
    """workflow.md §2.3, §2.5: OpenEMR's own message: AA, no row, and an extra patient without issuer where none is known."""
    pid = new_pid()
    content = message(
        "ORM^O01",
        f"PID|1|{pid}|{pid}||Quillfeather^Marisol^T||19840229|F|||12 Harbour Row^^Testford^TS^00000||(000)000-0000|||||9001",
        "NTE|1|L|Medications:NONE",
        "PV1|1||||||1234567893^Okonjo^Ruth||||||||||||9001",
        "ORC|NW|0017|||||||20260115093000|||1234567893^Okonjo^Ruth||||||||2",
        "OBR|1|0017||71260^CT chest with contrast|R||20260115093000|||||||||1234567893^Okonjo^Ruth||P|||||||||0",
    )
    accepted(trio, content)
    assert [match.get("00100021") for match in patient(trio, pid)] == [None]
    assert not worklist(trio, PatientID=pid)


def test_parallel_orders_for_a_new_patient(trio: Trio) -> None:
    """§4.2: duplicates from parallel messages were not reproduced with 3 x 8 parallel orders."""
    pid = new_pid()
    orders = [Order() for _ in range(8)]
    for order in orders:
        order.pid = pid
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda order: send(trio, order.orm()), orders))
    assert answers == [["AA"]] * 8
    assert (len(patient(trio, pid)), len(worklist(trio, PatientID=pid))) == (1, 8)


def test_order_for_a_patient_of_two_authorities(trio: Trio) -> None:
    """§4.1: ambiguous id AR 205 `Multiple Patients`."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, issuer="ONE"), adt("A04", pid, issuer="TWO"))
    order = Order(issuer="")
    order.pid = pid
    with line(trio) as connection:
        answer = connection.send(order.orm())
    assert (answer.short, "Multiple Patients" in answer.reason) == ("AR 205", True)
    assert {first(match, "00100021") for match in patient(trio, pid)} == {"ONE", "TWO"}


def test_patient_segment_without_a_number_in_an_order(trio: Trio) -> None:
    """§4.1: empty PID-3 AE 101, in orders too."""
    assert send(trio, message("ORM^O01", pid_segment(""), "ORC|NW|1|1||SC", "OBR|1", "ZDS|1.2.3")) == ["AE 101"]


def test_acknowledged_orders_survive_a_kill(trio: Trio) -> None:
    """§8.2: `kill -9` during orders: every acknowledged order is there after the restart, and the rest can be sent again."""
    pid = new_pid()
    sent: list[Order] = []
    acknowledged = set()
    killing = threading.Thread(target=docker, args=("kill", trio.arc.name))
    with line(trio) as connection, contextlib.suppress(OSError):
        while True:
            sent.append(Order())
            sent[-1].pid = pid
            if not connection.raw(sent[-1].orm().encode()):
                break
            acknowledged.add(sent[-1].accession)
            if len(acknowledged) == 50:
                killing.start()
    killing.join()
    docker("start", trio.arc.name)
    wait_until_started(trio.arc)
    assert acknowledged <= {row.AccessionNumber for row in worklist(trio, PatientID=pid)}
    accepted(trio, *(order.orm() for order in sent))
    assert sorted(row.AccessionNumber for row in worklist(trio, PatientID=pid)) == sorted(order.accession for order in sent)
