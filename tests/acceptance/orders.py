"""Orders placed, and done, by the suite: what several tests need as their beginning."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from waiting import wait_for

from .dimse import Archive
from .emr import Emr, Order, Person, Procedure
from .engine import EngineInside
from .modality import Modality, Row
from .phantoms import Identity, Study, ct_disc

# From the last image to the EMR: the archive waits a minute by default, and then polls (dcm4chee.md §4.3).
STATUS_SECONDS = 300
# From the engine's acceptance to the archive's worklist.
EFFECT_SECONDS = 30
# Two polls of the channel reconciliation, and the way to the worklist.
POLLS_SECONDS = 25 + EFFECT_SECONDS


def numbers() -> Iterator[int]:
    """Yield numbers that no EMR has reached, and that no run gave out before: twenty for each second since 2026 (ten digits at most).

    Of two runs that begin in the same second on this machine the later one waits for the next.
    """
    with (Path(tempfile.gettempdir()) / f"pacs-emr-numbers-{os.getuid()}").open("w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        begun = time.time()
        time.sleep(1 - begun % 1)
    yield from itertools.count(1_000_000_000 + 20 * (int(begun) - 1_767_225_600))


NUMBERS = numbers()


def fresh_person(name: str, born: str = "19600101", sex: str = "F") -> Person:
    """Return a patient whom nobody has seen before; the EMR numbers its patients."""
    return Person(str(next(NUMBERS)), name, born, sex)


@dataclass(frozen=True)
class Examination:
    """An order with its worklist rows by procedure code."""

    order: Order
    rows: dict[str, Row]

    @property
    def first(self) -> tuple[str, Row]:
        """The first procedure's code and row."""
        code = self.order.procedures[0].code
        return code, self.rows[code]


@dataclass(frozen=True)
class Clinic:
    """EMR, modality and archive, as the people of a lab use them together."""

    emr: Emr
    modality: Modality
    archive: Archive
    engine: EngineInside

    def transmit(self, order: Order) -> str:
        """Transmit by the encounter form; return the folder that the file was moved to."""
        return self.emr.transmit(*order.encounter_form())

    def rows(self, order: Order) -> dict[str, Row]:
        """Return the worklist rows of an accepted order when all are there. Raises AssertionError when one does not come."""
        found: dict[str, Row] = {}

        def complaint() -> str:
            found.clear()
            for row in self.engine.state(order.number):
                for item in self.modality.worklist(AccessionNumber=row["accession"]):
                    found[row["code"]] = item
            missing = [procedure.code for procedure in order.procedures if procedure.code not in found]
            return f"no worklist row for {', '.join(missing)} of order {order.number}" if missing else ""

        wait_for(complaint, EFFECT_SECONDS)
        return found

    def examination(self, order: Order) -> Examination:
        """Return an order that the EMR itself has transmitted, on the worklist. Raises AssertionError when it does not come there."""
        unknown = f"the engine does not know order {order.number}"
        # Transmitting, until the file counts as complete, takes longer than a message.
        wait_for(lambda: "" if self.engine.state(order.number) else unknown, 2 * EFFECT_SECONDS)
        return Examination(order, self.rows(order))

    def again(self, order: Order, transmission: tuple[str, str]) -> None:
        """Transmit an order a second time, and wait until it was processed. Raises AssertionError when it is not."""
        before = {row["accession"]: row["seen"] for row in self.engine.state(order.number)}
        folder = self.emr.transmit(*transmission)
        assert folder == "orders-done", f"order {order.number} was refused the second time"

        def complaint() -> str:
            seen = [row["seen"] - before.get(row["accession"], 0) for row in self.engine.state(order.number)]
            return "" if seen and all(seen) else f"the engine has not looked at order {order.number} again"

        wait_for(complaint, EFFECT_SECONDS)

    def place(self, person: Person, *procedures: Procedure) -> Examination:
        """Order procedures for a patient; return them with their worklist rows. Raises AssertionError when the order is refused."""
        order = Order(next(NUMBERS), person, procedures)
        folder = self.transmit(order)
        assert folder == "orders-done", f"order {order.number} was refused: {[row['reason'] for row in self.engine.sink()[-1:]]}"
        return Examination(order, self.rows(order))

    def place_together(self, *orders: Order) -> list[Examination]:
        """Transmit orders at the same time; return them with their worklist rows. Raises AssertionError when one does not come."""
        for order in orders:
            name, content = order.encounter_form()
            self.emr.write(name, content.encode())
        return [Examination(order, self.rows(order)) for order in orders]

    def store_phantom(self, row: Row) -> Study:
        """Store a study whose pictures are known, as the row says. Raises AssertionError when an object is refused."""
        study = ct_disc(Identity.fresh())
        for image in study.objects:
            for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber"):
                setattr(image, keyword, getattr(row.item, keyword))
        for outcome in self.archive.store(study.objects):
            assert outcome.stored, f"C-STORE for the {row}: {outcome}"
        return study

    def store(self, row: Row, **other: str) -> Dataset:
        """Store one image as the row says, but for what `other` says; return it. Raises AssertionError when it is refused."""
        image = Dataset()
        picture = ct_disc(Identity.fresh()).objects[0]
        image.update(picture)
        image.file_meta = picture.file_meta
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber"):
            setattr(image, keyword, getattr(row.item, keyword))
        image.SeriesInstanceUID, image.SOPInstanceUID = generate_uid(prefix=None), generate_uid(prefix=None)
        for keyword, text in other.items():
            setattr(image, keyword, text)
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        (outcome,) = self.archive.store([image])
        assert outcome.stored, f"C-STORE for the {row}: {outcome}"
        return image
