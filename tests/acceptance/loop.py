"""What follows many orders: each is imaged under its own study UID and reported, by people who try again until it succeeds."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from pydicom.uid import generate_uid
from waiting import wait_for

from .emr import Order
from .lab import Address, Lab
from .modality import Row
from .orders import Clinic, Examination
from .reports import attached, group, oru, send, text

T = TypeVar("T")

# What a modality or a reporting system sees of a lab that is not there: pynetdicom raises RuntimeError on an association that was cut.
AWAY = (AssertionError, OSError, RuntimeError)
PAUSE_SECONDS = 0.5
# So long a department tries the same thing again before it gives up.
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Done:
    """A procedure that was done, and what its report says; `pdf` is empty where there is none."""

    examination: Examination
    words: str
    pdf: bytes
    message: str

    @property
    def number(self) -> int:
        """The order's number."""
        return self.examination.order.number

    @property
    def row(self) -> Row:
        """The worklist row that it was done for."""
        return self.examination.first[1]


@dataclass
class Department:
    """Modality and reporting system: what they did, and in `failed` how often each had to try again."""

    clinic: Clinic
    lab: Lab
    reports: Address
    done: list[Done] = field(default_factory=list)
    acknowledged: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    #: Once this is set nothing is tried again.
    closed: threading.Event = field(default_factory=threading.Event)

    def _again(self, who: str, until: float, error: Exception) -> None:
        self.failed[who] += 1
        if time.monotonic() > until or self.closed.wait(PAUSE_SECONDS):
            raise AssertionError(f"the {who} has given up: {error}") from error

    def _on_worklist(self, order: Order) -> Row:
        """Wait for an order's worklist row."""
        found: list[Row] = []

        def complaint() -> str:
            assert not self.closed.is_set(), f"closed before order {order.number} was on the worklist"
            rows = self.clinic.modality.worklist(PatientID=order.person.number)
            found[:] = [row for row in rows if row.item.PlacerOrderNumberImagingServiceRequest == str(order.number)]
            return "" if found else f"order {order.number} is not on the worklist"

        wait_for(complaint, PATIENCE_SECONDS)
        return found[0]

    def image(self, orders: Sequence[Order], with_pdf: int = 0) -> Iterator[Done]:
        """Do the orders in turn, each when it is on the worklist: step started, an image stored, step completed. Yield each.

        Every `with_pdf`th report has a PDF.
        """
        for turn, order in enumerate(orders):
            until = time.monotonic() + PATIENCE_SECONDS
            step, series, image = (str(generate_uid(prefix=None)) for _ in range(3))
            row = None
            while True:
                try:
                    row = row or self._on_worklist(order)
                    self.clinic.modality.start(row, again=step)
                    self.clinic.store(row, SeriesInstanceUID=series, SOPInstanceUID=image)
                    self.clinic.modality.finish(step, again=True)
                    break
                except AWAY as error:
                    self._again("modality", until, error)
            yield self._dictate(order, row, with_pdf > 0 and turn % with_pdf == 0, turn)

    def _dictate(self, order: Order, row: Row, with_pdf: bool, turn: int) -> Done:
        code = order.procedures[0].code
        examination = Examination(order, {code: row})
        words = f"Finding of order {order.number}: nothing but what was ordered."
        # Each of its own size, and long enough to travel as an attachment.
        pdf = b"%PDF-1.4 synthetic " + b"x" * (6000 + turn) if with_pdf else b""
        observations = [text(words), *([attached(pdf, 3)] if pdf else [])]
        message = oru(self.lab, examination, *group(examination, code, *observations))
        return Done(examination, words, pdf, message)

    def report(self, done: Done) -> None:
        """Send a report until it is acknowledged, the same bytes each time."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                send(self.reports, done.message)
                return
            except AWAY as error:
                self._again("reporting system", until, error)

    def work(self, orders: Sequence[Order], meanwhile: Callable[[], T], with_pdf: int = 0) -> T:
        """Image the orders and report each, two people at once, beside something else, whose result is returned when all are reported.

        :raises AssertionError: one of the two has given up
        """
        desk: queue.Queue[Done | None] = queue.Queue()

        def image() -> None:
            try:
                for done in self.image(orders, with_pdf):
                    self.done.append(done)
                    desk.put(done)
            finally:
                desk.put(None)

        def report() -> None:
            while done := desk.get():
                self.report(done)
                self.acknowledged += 1

        with ThreadPoolExecutor(2) as staff:
            both = [staff.submit(image), staff.submit(report)]
            try:
                result = meanwhile()
                for one in both:
                    one.result()
            finally:
                self.closed.set()
        return result
