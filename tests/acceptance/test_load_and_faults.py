"""Two thousand orders, and two hundred studies with a report each, while every container restarts or dies once and the exchange folder's
disk is full once: each order is one row, each report is on its order, nothing comes twice.

The orders are the EMR's own: they are in its tables, so what comes back about them arrives in the charts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from waiting import wait_for

from .chart import Chart
from .emr import Order, Procedure
from .inside import Inside
from .lab import Address, Lab
from .loop import Department
from .many import push, taken
from .openemr import OpenEmrCharts
from .orders import Clinic
from .web import DicomWeb, value

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "openemr", "arc", "mirth-db", "openemr-db", "pacs-db", "ldap")]
ORDERS, STUDIES, PATIENTS = 2000, 200, 400
# Every so manieth report has a PDF.
WITH_PDF = 20
# A disk that is larger is not filled; so long a small one stays full.
SMALL_DISK, FULL_SECONDS = 2**30, 15
# Until everything is where it belongs, counted from the last fault.
DRAIN_SECONDS = 900
# Until nothing of what was before is under way.
QUIET_SECONDS = 120
UNDER_WAY = ("orders", "inbox", "status", "results")
REFUSED = ("orders-error", "results-error")


@dataclass(frozen=True)
class Trouble:
    """What somebody would have to look at."""

    files: set[str]
    sink: set[int]
    notices: set[tuple[str, str]]
    errors: set[tuple[str, str]]

    @classmethod
    def of(cls, clinic: Clinic, orders: list[Order]) -> Trouble:
        """Ask the engine and look into the folders; other tests' orders may be noticed at any time, since they are not in the EMR."""
        engine, ours = clinic.engine, {str(order.number) for order in orders}
        return cls(
            clinic.emr.files(*UNDER_WAY, *REFUSED),
            {row["id"] for row in engine.sink()},
            {(row["kind"], row["ref"]) for row in engine.notices() if row["kind"] != "not as in the EMR" or row["ref"] in ours},
            set(engine.errors()),
        )

    def since(self, before: Trouble) -> dict[str, list[object]]:
        """Return what is new."""
        kinds = ("files", "sink", "notices", "errors")
        new = {kind: sorted(getattr(self, kind) - getattr(before, kind)) for kind in kinds}
        return {kind: rows for kind, rows in new.items() if rows}


@dataclass
class Day:
    """What has been done of the orders, and what befell the lab meanwhile."""

    orders: list[Order]
    department: Department
    began: float = field(default_factory=time.monotonic)
    pushed: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def first(self) -> int:
        """Number of the first order."""
        return self.orders[0].number

    @property
    def last(self) -> int:
        """Number of the last one."""
        return self.orders[-1].number

    def wait_for(self, what: str, look: Callable[[], int], wanted: int) -> None:
        """Wait until so many of something are there. Raises AssertionError."""
        wait_for(lambda: "" if (there := look()) >= wanted else f"{there} {what}, not {wanted}", DRAIN_SECONDS)

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


# --- faults ----------------------------------------------------------------------------------------------------------------------


def restarted(inside: Inside, service: str) -> None:
    """docker restart."""
    inside.docker(inside.host(service), "restart", inside.container(service))
    inside.wait_healthy(service)


def killed(inside: Inside, service: str) -> None:
    """docker kill, and started again."""
    for verb in ("kill", "start"):
        inside.docker(inside.host(service), verb, inside.container(service))
    inside.wait_healthy(service)


def disk_full(clinic: Clinic, orders: list[Order]) -> None:
    """The EMR cannot write these orders, nor the engine its results; then it can."""
    until = time.monotonic() + FULL_SECONDS
    clinic.emr.fill_disk()
    try:
        with pytest.raises(AssertionError, match="No space left"):
            push(clinic, orders)
        while time.monotonic() < until:
            time.sleep(0.5)
            clinic.emr.fill_disk()
    finally:
        clinic.emr.free_disk()
    # What OpenEMR could not write is transmitted again: files of no length are in their place meanwhile.
    push(clinic, orders)


def faults(clinic: Clinic, inside: Inside, lab: Lab) -> Iterator[tuple[str, Callable[[list[Order]], None]]]:
    """Each container in turn, and the disk in the middle."""
    services = [service for host in lab.hosts for service in host.services]
    for number, service in enumerate(services):
        if number == len(services) // 2 and clinic.emr.disk_bytes() < SMALL_DISK:
            yield "exchange folder's disk full", lambda late: disk_full(clinic, late)
        how = killed if number % 2 else restarted

        def fall(late: list[Order], service: str = service, how: Callable[[Inside, str], None] = how) -> None:
            push(clinic, late)
            how(inside, service)

        yield f"{service} {how.__name__}", fall


def befall(day: Day, clinic: Clinic, inside: Inside, lab: Lab) -> None:
    """Transmit the orders, a share for each fault, half before it and half at its begin.

    The faults wait for images and reports, which are slower: those of two shares may be to come.
    """
    found = list(faults(clinic, inside, lab))
    for number, (name, fault) in enumerate(found, 1):
        upto = ORDERS * number // len(found)
        share = day.orders[day.pushed : upto]
        half = len(share) // 2
        push(clinic, share[:half])
        day.pushed += half
        day.wait_for("order files are taken", lambda: len(taken(clinic, day.orders)), len(taken(clinic, day.orders)) + 1)
        day.wait_for("reports are acknowledged", lambda: day.department.acknowledged, STUDIES * (number - 2) // len(found))
        at, told = day.seconds(), f"{day.pushed} orders, {len(day.department.done)} studies, {day.department.acknowledged} reports"
        fault(share[half:])
        day.pushed = upto
        day.faults.append(f"{name}: from {at:.0f} to {day.seconds():.0f} s, after {told}")


# --- the day ---------------------------------------------------------------------------------------------------------------------


def under_way(day: Day, clinic: Clinic, charts: OpenEmrCharts, before: Trouble) -> str:
    """Return what has not arrived yet."""
    if waiting := clinic.emr.files(*UNDER_WAY) - before.files:
        return f"{len(waiting)} files are under way: {sorted(waiting)[:3]}"
    if queued := [f"{channel.name} {channel.queued}" for channel in clinic.engine.channels() if channel.queued]:
        return f"messages wait in {', '.join(queued)}"
    for what, there, wanted in (
        ("orders are known to the engine", len(clinic.engine.told(day.first, day.last)), ORDERS),
        ("orders have images in the chart", len(charts.images_of_many(day.first, day.last)), STUDIES),
        ("orders have a report in the chart", len(charts.reports_of_many(day.first, day.last)), STUDIES),
    ):
        if there < wanted:
            return f"{there} of {wanted} {what}"
    known = {rows[0]["accession"] for rows in clinic.engine.told(day.first, day.last).values()}
    listed = known & set(clinic.modality.accession_numbers())
    return "" if len(listed) == ORDERS - STUDIES else f"{len(listed)} of {ORDERS - STUDIES} orders are on the worklist"


def wrong_with_orders(day: Day, clinic: Clinic) -> list[str]:
    """Each order is one row of the engine's, and one of the worklist unless it was done."""
    told = clinic.engine.told(day.first, day.last)
    listed = Counter(clinic.modality.accession_numbers())
    done = {one.number: one for one in day.department.done}
    found = []
    for order in day.orders:
        rows = told.get(order.number, [])
        if len(rows) != 1:
            found.append(f"order {order.number} has {len(rows)} rows in the engine")
            continue
        times = listed[rows[0]["accession"]]
        if times != (order.number not in done):
            found.append(f"order {order.number} is on the worklist {times} times")
        if rows[0]["images"] != (order.number in done):
            found.append(f"order {order.number}: the engine says that it has images: {rows[0]['images']}")
    return found


def wrong_with_studies(day: Day, dicomweb: DicomWeb) -> list[str]:
    """Each study is there once under its order, with one image, one report and the PDF where there was one."""
    found = []
    for done in day.department.done:
        item = done.row.item
        studies = dicomweb.search("/studies", StudyInstanceUID=item.StudyInstanceUID, includefield="00080050")
        whose = [(value(study, "00100020"), value(study, "00080050")) for study in studies]
        if whose != [(item.PatientID, item.AccessionNumber)]:
            found.append(f"the study of order {done.number} is there as {whose}")
        series = dicomweb.search(f"/studies/{item.StudyInstanceUID}/series")
        held = Counter({str(value(one, "00080060")): int(value(one, "00201209")) for one in series})
        if held != Counter({"CT": 1, "SR": 1} | ({"DOC": 1} if done.pdf else {})) or len(series) != len(held):
            found.append(f"the study of order {done.number} holds {dict(held)} in {len(series)} series")
    return found


def wrong_with_charts(day: Day, charts: OpenEmrCharts) -> list[str]:
    """Images and reports are told exactly of what was done, once, with the words that were sent for that order."""
    images = charts.images_of_many(day.first, day.last)
    wanted_images = {one.number: {one.row.item.AccessionNumber: one.row.item.StudyInstanceUID} for one in day.department.done}
    reports = {
        number: [(one.status, one.text, [(document.bytes, document.patient) for document in one.documents]) for one in filed]
        for number, filed in charts.reports_of_many(day.first, day.last).items()
    }
    wanted_reports = {
        one.number: [("final", one.words, [(len(one.pdf), one.examination.order.person.number)] if one.pdf else [])]
        for one in day.department.done
    }
    found = []
    for what, there, wanted in (("images", images, wanted_images), ("reports", reports, wanted_reports)):
        for number in sorted(there.keys() | wanted.keys()):
            if there.get(number) != wanted.get(number):
                found.append(f"order {number} has the {what} {there.get(number)} in the chart, not {wanted.get(number)}")
    return found


def test_everything_arrives_once_while_every_container_falls(
    clinic: Clinic,
    inside: Inside,
    chart: Chart,
    charts: OpenEmrCharts,
    lab: Lab,
    reports: Address,
    procedure: Procedure,
    dicomweb: DicomWeb,
    notes: list[str],
) -> None:
    wait_for(lambda: ", ".join(sorted(clinic.emr.files("inbox", "status"))[:3]), QUIET_SECONDS)
    department = Department(clinic, lab, reports)
    day = Day(chart.order_many(chart.register_many(PATIENTS), procedure, ORDERS), department)
    before = Trouble.of(clinic, day.orders)
    try:
        department.work(day.orders[:: ORDERS // STUDIES], lambda: befall(day, clinic, inside, lab), WITH_PDF)
        worked = day.seconds()
        inside.wait_healthy(*(service for host in lab.hosts for service in host.services))
        wait_for(lambda: under_way(day, clinic, charts, before), DRAIN_SECONDS, pause=3)
        drained = day.seconds()
        wrong = [*wrong_with_orders(day, clinic), *wrong_with_studies(day, dicomweb), *wrong_with_charts(day, charts)]
        notes.append(f"load: {worked:.0f} s until the last report was acknowledged, {drained:.0f} s until all had arrived")
    finally:
        told = clinic.engine.told(day.first, day.last)
        filed = charts.reports_of_many(day.first, day.last)
        notes.append(
            f"load: {day.pushed} orders, {sum(map(len, told.values()))} rows, {len(department.done)} studies, "
            f"{department.acknowledged} reports acknowledged, {sum(map(len, filed.values()))} in the charts; "
            f"tried again: {dict(department.failed) or 'nothing'}"
        )
        notes += [f"load: {fault}" for fault in day.faults]
    if clinic.emr.disk_bytes() >= SMALL_DISK:
        notes.append(f"load: the exchange folder's disk was not filled: it has more than {SMALL_DISK >> 20} MiB")
    assert not wrong, f"{len(wrong)} things are wrong: {'; '.join(wrong[:5])}"
    wait_for(lambda: str(Trouble.of(clinic, day.orders).since(before) or ""), QUIET_SECONDS)
    assert {channel.state for channel in clinic.engine.channels()} == {"STARTED"}
