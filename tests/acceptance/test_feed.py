"""What happens to patients and orders in the EMR after they were first told: names, merges, deletions, changes, cancellations.

Steps 3, 13 and 14 of workflow.md §2.6; traces in the EMR: openemr.md §7.8.
"""

from __future__ import annotations

import re

import pytest
from waiting import wait_for

from .chart import Chart
from .emr import Order, Person, Procedure
from .inside import Inside, InsideHttp
from .lab import Engine
from .modality import Row
from .orders import EFFECT_SECONDS, NUMBERS, POLLS_SECONDS, Clinic, fresh_person
from .web import DicomWeb, value

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "arc")]
STATES = "SCHEDULED,ARRIVED,READY,STARTED,DEPARTED,CANCELED,DISCONTINUED,COMPLETED"


class Told:
    """What the archive and the engine have been told."""

    def __init__(self, clinic: Clinic, inside: Inside, dicomweb: DicomWeb) -> None:
        self.clinic = clinic
        self._inside = inside
        self._dicomweb = dicomweb
        where = clinic.archive.where
        root = dicomweb.root.replace(f"/{where.ae_title}/", f"/{where.worklist_ae_title}/")
        self._worklist = DicomWeb(InsideHttp(inside, "arc", "http://127.0.0.1:8080"), root)
        self._sunk = {row["id"] for row in clinic.engine.sink()}

    def names(self, person: Person) -> list[str]:
        """Names of the archive's patients with this number."""
        found = [value(row, "00100010") or {} for row in self._dicomweb.search("/patients", PatientID=person.number)]
        return [name.get("Alphabetic", "") or name.get("Ideographic", "") for name in found]

    def wait_for_name(self, person: Person, name: str) -> None:
        """Wait until the archive knows a patient by a name. Raises AssertionError."""

        def complaint() -> str:
            names = self.names(person)
            return "" if names == [name] else f"the archive has patient {person.number} as {names}, not as {name}"

        wait_for(complaint, EFFECT_SECONDS)

    def studies(self, person: Person) -> set[str]:
        """Studies that a patient's number answers with."""
        return {value(row, "0020000D") for row in self._dicomweb.search("/studies", PatientID=person.number)}

    def step(self, row: Row) -> dict[str, object]:
        """State, start and priority of an order's worklist row, hidden or not."""
        uid, key = row.item.StudyInstanceUID, "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus"
        (found,) = self._worklist.search("/mwlitems", StudyInstanceUID=uid, **{key: STATES})
        step = value(found, "00400100")
        return {
            "state": value(step, "00400020"),
            "start": f"{value(step, '00400002')}{value(step, '00400003')}"[:14],
            "priority": value(found, "00401003"),
        }

    def wait_for_state(self, row: Row, state: str) -> None:
        """Wait until a worklist row is in a state. Raises AssertionError."""

        def complaint() -> str:
            found = self.step(row)["state"]
            return "" if found == state else f"the {row} is {found}, not {state}"

        wait_for(complaint, POLLS_SECONDS)

    def messages(self, person: Person) -> int:
        """How often the archive's log names a registration or change of a patient."""
        log = self._inside.docker(self._inside.host("arc"), "logs", self._inside.container("arc"))
        return len(re.findall(rf"\bA0[48]{person.number}-", (log.stdout + log.stderr).decode("utf-8", "replace")))

    def refused(self) -> list[str]:
        """Reasons that came to the sink in this test."""
        return [row["reason"] for row in self.clinic.engine.sink() if row["id"] not in self._sunk]

    def wait_for_refusal(self, *words: str) -> None:
        """Wait until something has been refused in these words. Raises AssertionError."""

        def complaint() -> str:
            reasons = self.refused()
            return (
                "" if any(all(word in reason for word in words) for reason in reasons) else f"refused was {reasons}, nothing with {words}"
            )

        wait_for(complaint, EFFECT_SECONDS)

    def notices(self, kind: str) -> dict[str, str]:
        """What the engine notices of a kind, by what it is about."""
        return {row["ref"]: row["what"] for row in self.clinic.engine.notices() if row["kind"] == kind}

    def wait_for_notice(self, kind: str, ref: str, there: bool = True) -> None:
        """Wait until the engine has a notice, or has it no more. Raises AssertionError."""

        def complaint() -> str:
            found = self.notices(kind)
            return "" if (ref in found) == there else f"the engine's notices '{kind}' are {found}"

        wait_for(complaint, POLLS_SECONDS)


@pytest.fixture
def told(clinic: Clinic, inside: Inside, dicomweb_inside: DicomWeb, chart: Chart) -> Told:
    """What archive and engine are told, on a lab that reads a test EMR."""
    return Told(clinic, inside, dicomweb_inside)


@pytest.fixture
def aged(clinic: Clinic, inside: Inside, dicomweb_inside: DicomWeb, lab_engine: Engine) -> Told:
    """What archive and engine are told, on a lab whose orders leave the worklist after some days, whether it reads an EMR or not."""
    if not lab_engine.worklist_days:
        pytest.skip("orders stay on the worklist for ever (mirth_worklist_days)")
    return Told(clinic, inside, dicomweb_inside)


def place(clinic: Clinic, *orders: Order) -> list[Row]:
    """Transmit orders of one procedure at the same time; return their worklist rows. Raises AssertionError when one does not come."""
    return [row for one in clinic.place_together(*orders) for row in one.rows.values()]


def listed(clinic: Clinic, row: Row) -> list[Row]:
    """Return what a modality sees of a row."""
    return clinic.modality.worklist(AccessionNumber=row.item.AccessionNumber)


# --- patients --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "later"),
    [
        ("Müller^Jörg^Łukasz", "Müller-Şahin^Jörg"),
        ("山田^太郎", "佐藤^太郎"),
        ("O'Neil^D'Arcy & Sons", "Иванова^Мария^Петровна"),
    ],
    ids=["latin", "japanese", "cyrillic"],
)
def test_registration_and_new_name_reach_the_archive(told: Told, chart: Chart, name: str, later: str) -> None:
    """A04, then A08, in any script."""
    person = chart.register(name)
    told.wait_for_name(person, name)
    chart.rename(person, later)
    told.wait_for_name(person, later)
    assert not told.refused()


def test_new_name_is_on_the_open_worklist_row(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    person = chart.register("Maiden^Name")
    (row,) = place(clinic, chart.order(person, procedure))
    assert str(row.item.PatientName) == "Maiden^Name"
    chart.rename(person, "Married^Name")
    told.wait_for_name(person, "Married^Name")
    assert [str(found.item.PatientName) for found in listed(clinic, row)] == ["Married^Name"]


def test_empty_name_erases_none(told: Told, chart: Chart) -> None:
    person = chart.register("Stays^Here")
    told.wait_for_name(person, "Stays^Here")
    chart.rename(person, "")
    told.wait_for_refusal(f"patient {person.number} has no name")
    assert told.names(person) == ["Stays^Here"]
    chart.rename(person, "Comes^Back")
    told.wait_for_name(person, "Comes^Back")


def test_merge_brings_studies_and_orders_to_the_survivor(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    """A40; told twice it counts as done (the archive answers AR 204)."""
    # The survivor's number is the higher one, so that who comes later does not get the other's.
    old, survivor = chart.register("Survivor^Twice"), chart.register("Survivor^Stays")
    done_of_old, open_of_old, done_of_survivor = place(
        clinic, chart.order(old, procedure), chart.order(old, procedure), chart.order(survivor, procedure)
    )
    clinic.store(done_of_old)
    clinic.store(done_of_survivor)
    both = {row.item.StudyInstanceUID for row in (done_of_old, done_of_survivor)}

    chart.merge(old, survivor)
    wait_for(lambda: "" if told.studies(survivor) == both else "the survivor does not have both studies", EFFECT_SECONDS)
    assert told.studies(old) == set()
    assert told.names(old) == []
    (row,) = listed(clinic, open_of_old)
    assert (row.item.PatientID, str(row.item.PatientName)) == (survivor.number, "Survivor^Stays")

    chart.merge(old, survivor)
    # Who comes later has passed the same queue.
    told.wait_for_name(chart.register("Later^Patient"), "Later^Patient")
    assert not told.refused()
    assert told.studies(survivor) == both


def test_merge_of_a_merge_brings_the_studies_to_the_last_survivor(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    """One poll finds both merges."""
    # The last one's number is the highest, so that who comes later does not get another's.
    old, between, last = (chart.register(f"Chain^{name}") for name in ("First", "Between", "Last"))
    (row,) = place(clinic, chart.order(old, procedure))
    clinic.store(row)
    told.wait_for_name(last, "Chain^Last")
    chart.merge(old, between, last)
    study = row.item.StudyInstanceUID
    wait_for(lambda: "" if told.studies(last) == {study} else "the last survivor does not have the study", EFFECT_SECONDS)
    assert told.studies(old) == told.studies(between) == set()
    assert not told.refused()


@pytest.mark.parametrize("gone", ["merged", "deleted"])
def test_number_that_is_used_again_is_refused_and_the_reason_names_the_way_out(
    told: Told, clinic: Clinic, chart: Chart, procedure: Procedure, gone: str
) -> None:
    survivor, old = chart.register("Other^Chart"), chart.register("First^Owner")
    told.wait_for_name(old, "First^Owner")
    if gone == "merged":
        chart.merge(old, survivor)
        wait_for(lambda: "the merged number is still there" if told.names(old) else "", EFFECT_SECONDS)
    else:
        chart.delete(old)
    again = chart.register("Second^Owner")
    assert again.number == old.number, "the EMR gives the highest free number again: without that this test proves nothing"
    way_out = "register this person again while this chart stays, the next number is free"
    told.wait_for_refusal(f"patient number {old.number} was used before", way_out)
    assert told.names(old) == ([] if gone == "merged" else ["First^Owner"])
    order = chart.order(again, procedure)
    clinic.emr.write(order.encounter_form()[0], order.encounter_form()[1].encode())
    told.wait_for_refusal("order file", f"patient number {old.number} was used before", way_out)

    person = chart.register("Second^Owner")
    told.wait_for_name(person, "Second^Owner")
    place(clinic, chart.order(person, procedure))


# --- orders ----------------------------------------------------------------------------------------------------------------------


def test_orders_that_the_emr_cancels_or_deletes_leave_the_worklist(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    """CA needs a trace: what is gone without one stays, and is noticed."""
    person = chart.register("Cancelled^Orders")
    cancelled, from_encounter, deleted, vanished, kept = orders = [chart.order(person, procedure) for _ in range(5)]
    rows = place(clinic, *orders)
    chart.set_status("canceled", cancelled)
    chart.delete_from_encounter(from_encounter)
    chart.delete_order(deleted)
    chart.delete_order(vanished, trace=False)
    for row in rows[:3]:
        told.wait_for_state(row, "CANCELED")
        assert not listed(clinic, row), f"the {row} is on the worklist, and its order is cancelled"
    told.wait_for_notice("not as in the EMR", str(vanished.number))
    assert all(listed(clinic, row) for row in rows[3:]), "an order is gone from the worklist that nobody cancelled"
    assert str(kept.number) not in told.notices("not as in the EMR")


def test_one_procedure_of_an_order_is_cancelled(told: Told, clinic: Clinic, chart: Chart, lab_engine: Engine) -> None:
    first, second = (Procedure(row.code, row.name) for row in lab_engine.procedures[:2])
    order = chart.order(chart.register("Half^Cancelled"), first, second)
    place(clinic, order)
    rows = clinic.rows(order)
    chart.do_not_send(order, 1)
    told.wait_for_state(rows[first.code], "CANCELED")
    assert listed(clinic, rows[second.code])


def test_new_time_and_priority_are_on_the_worklist(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    """XO."""
    order = chart.order(chart.register("Other^Time"), procedure, start="20300102091500")
    (row,) = place(clinic, order)
    assert told.step(row)["start"] == "20300102091500"
    chart.change(order, "20300103140000", urgent=True)
    changed = {"state": "SCHEDULED", "start": "20300103140000", "priority": "STAT"}
    wait_for(lambda: "" if told.step(row) == changed else f"the {row} is {told.step(row)}, not {changed}", POLLS_SECONDS)


def test_nothing_undoes_what_is_started_completed_or_cancelled(told: Told, clinic: Clinic, chart: Chart, procedure: Procedure) -> None:
    person = chart.register("Too^Late")
    started, completed, cancelled, moved = orders = [chart.order(person, procedure) for _ in range(4)]
    rows = place(clinic, *orders)
    clinic.modality.start(rows[0])
    clinic.modality.finish(clinic.modality.start(rows[1]))
    clinic.modality.start(rows[3])
    chart.set_status("canceled", started, completed, cancelled)
    chart.change(moved, "20300103140000", urgent=True)
    told.wait_for_state(rows[2], "CANCELED")
    for row, control in ((rows[0], "CA"), (rows[1], "CA"), (rows[3], "XO")):
        told.wait_for_notice("not sent", f"{row.item.AccessionNumber} {control}")

    # In the EMR it is pending again, with another time, and transmitted again.
    chart.set_status("pending", cancelled)
    chart.change(cancelled, "20300103140000", urgent=True)
    assert clinic.transmit(cancelled) == "orders-done"
    told.wait_for_notice("not sent", f"{rows[2].item.AccessionNumber} NW")
    assert [told.step(row)["state"] for row in rows] == ["STARTED", "COMPLETED", "CANCELED", "STARTED"]
    assert all(told.step(row)["start"] != "20300103140000" for row in rows)
    assert not told.refused()


def test_more_cancellations_than_the_limit_wait_for_a_person(
    told: Told, clinic: Clinic, chart: Chart, procedure: Procedure, lab_engine: Engine
) -> None:
    person = chart.register("Clean^Up")
    orders = [chart.order(person, procedure) for _ in range(lab_engine.cancel_limit + 1)]
    rows = place(clinic, *orders)
    chart.set_status("canceled", *orders)
    try:
        told.wait_for_notice("cancellations stopped", "reconciliation")
        # A patient who comes later has passed the same queue.
        told.wait_for_name(chart.register("Later^Patient"), "Later^Patient")
        assert all(listed(clinic, row) for row in rows), "an order was cancelled although there were more than the limit"
        assert f"limit of {lab_engine.cancel_limit}" in told.notices("cancellations stopped")["reconciliation"]
        chart.set_status("pending", orders[0])
        for row in rows[1:]:
            told.wait_for_state(row, "CANCELED")
        told.wait_for_notice("cancellations stopped", "reconciliation", there=False)
        assert listed(clinic, rows[0])
    finally:
        # Else the cancellations of all tests that follow would wait too.
        chart.set_status("pending", *orders)


# --- patients who never come ------------------------------------------------------------------------------------------------------


def test_orders_whose_patient_never_came_leave_the_worklist(
    aged: Told, clinic: Clinic, inside: Inside, procedure: Procedure, lab_engine: Engine
) -> None:
    """However many; one that is transmitted again comes back, with the same identifiers."""
    person = fresh_person("Never^Came")
    # The last one is of today, and its start was long ago.
    starts = [""] * (lab_engine.cancel_limit + 2) + ["20200102090000"]
    orders = [Order(next(NUMBERS), person, (procedure,), start=start) for start in starts]
    rows = place(clinic, *orders)
    clinic.modality.start(rows[0])
    for order in orders[:-1]:
        clinic.engine.age(order.number, lab_engine.worklist_days + 2)
    for row in rows[1:-1]:
        aged.wait_for_state(row, "CANCELED")
    assert not any(listed(clinic, row) for row in rows[1:-1])
    (state,) = clinic.engine.state(orders[1].number)
    assert re.fullmatch(rf"planned for [-\d]{{10}}, and nobody came for {lab_engine.worklist_days} days", state["expired"])

    inside.compose(inside.host("mirth"), "restart", "mirth")
    inside.wait_healthy("mirth")
    clinic.again(orders[1], orders[1].encounter_form())
    assert clinic.rows(orders[1])[procedure.code].item.StudyInstanceUID == rows[1].item.StudyInstanceUID
    assert [aged.step(row)["state"] for row in rows] == ["STARTED", "SCHEDULED", *["CANCELED"] * (len(rows) - 3), "SCHEDULED"]
    assert [row["seen"] for order in orders[2:] for row in clinic.engine.state(order.number)] == [2] * (len(orders) - 3) + [1]
    assert not {row.item.AccessionNumber for row in rows} & {ref.split()[0] for ref in aged.notices("not sent")}
    assert not aged.refused()

    # It is as old as any other by now.
    clinic.engine.age(orders[1].number, lab_engine.worklist_days + 2)
    aged.wait_for_state(rows[1], "CANCELED")


# --- outages ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_while_the_emrs_database_is_away_nothing_is_lost_and_nothing_cancelled(
    told: Told, clinic: Clinic, chart: Chart, procedure: Procedure, how: str
) -> None:
    person = chart.register("Before^Outage")
    before, meanwhile = chart.order(person, procedure), chart.order(person, procedure)
    rows = place(clinic, before)
    chart.rename(person, "After^Outage")
    with chart.away(how):
        rows += place(clinic, meanwhile)
        told.wait_for_notice("EMR not read", "demographics")
    told.wait_for_name(person, "After^Outage")
    told.wait_for_notice("EMR not read", "demographics", there=False)
    chart.set_status("canceled", meanwhile)
    told.wait_for_state(rows[1], "CANCELED")
    assert [str(row.item.PatientName) for row in listed(clinic, rows[0])] == ["After^Outage"]
    assert not {str(before.number), str(meanwhile.number)} & told.notices("not as in the EMR").keys()
    assert not told.refused()


def test_restart_of_the_engine_repeats_nothing(told: Told, inside: Inside, chart: Chart) -> None:
    person = chart.register("Once^Only")
    told.wait_for_name(person, "Once^Only")
    before = told.messages(person)
    assert before > 0, "the archive's log does not name the messages: without that this test proves nothing"
    inside.compose(inside.host("mirth"), "restart", "mirth")
    inside.wait_healthy("mirth")
    told.wait_for_name(chart.register("Later^Patient"), "Later^Patient")
    assert told.messages(person) == before
