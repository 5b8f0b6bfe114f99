"""Many orders at once, for what must not lose, double or overtake any."""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter

from waiting import wait_for

from .emr import Order, Procedure
from .inside import Inside
from .orders import NUMBERS, Clinic, fresh_person

# Until all of them are on the worklist, restarts included.
DRAIN_SECONDS = 600


def orders_of_many(procedure: Procedure, count: int) -> list[Order]:
    """Orders of as many new patients."""
    return [Order(next(NUMBERS), fresh_person(f"Queue^Number {n}"), (procedure,)) for n in range(count)]


def push(clinic: Clinic, orders: list[Order]) -> None:
    """Drop all files at once, each younger than those of lower numbers, also of those that are still there: the engine goes by age."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for order in orders:
            name, content = order.electronic_reports()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content.encode()), order.number % 10**9, 0o644
            tar.addfile(entry, io.BytesIO(content.encode()))
    clinic.emr.unpack(archive.getvalue())


def taken(clinic: Clinic, orders: list[Order]) -> list[str]:
    """Accession numbers of the orders that the engine has taken, in the order of the files."""
    return clinic.engine.accessions(orders[0].number, orders[-1].number)


def in_flight(clinic: Clinic) -> int:
    """How many messages are in files that nobody has taken, or in a queue."""
    return clinic.emr.waiting() + sum(channel.queued for channel in clinic.engine.channels())


def assert_none_refused(clinic: Clinic, orders: list[Order]) -> None:
    """No file of these orders was moved aside."""
    names = {order.electronic_reports()[0] for order in orders}
    aside = {path.rpartition("-")[2] for path in clinic.emr.taken("*.txt") if path.startswith("orders-error/")}
    assert not names & aside, f"orders that were refused: {sorted(names & aside)[:5]}"


def assert_all_there_once(clinic: Clinic, orders: list[Order]) -> None:
    """Wait until each order is exactly one worklist row. Raises AssertionError with how many are missing, or come twice."""

    def complaint() -> str:
        accessions = taken(clinic, orders)
        if len(accessions) < len(orders):
            return f"the engine has taken {len(accessions)} of {len(orders)} orders"
        missing = set(accessions) - set(clinic.modality.accession_numbers())
        return f"{len(missing)} of {len(orders)} orders are not on the worklist: {sorted(missing)[:5]}" if missing else ""

    wait_for(complaint, DRAIN_SECONDS, pause=2)
    listed = Counter(clinic.modality.accession_numbers())
    twice = [accession for accession in taken(clinic, orders) if listed[accession] > 1]
    assert not twice, f"orders that are on the worklist twice: {twice}"


def assert_sent_in_order(inside: Inside, clinic: Clinic, orders: list[Order]) -> None:
    """The archive's log names each message that it took; their first mention is in the order of the files."""
    log = inside.docker(inside.host("arc"), "logs", inside.container("arc"))
    seen = dict.fromkeys(re.findall(r"\b(ACC\d+)NW\d+\b", (log.stdout + log.stderr).decode("utf-8", "replace")))
    wanted = taken(clinic, orders)
    assert [accession for accession in seen if accession in set(wanted)] == wanted, "the archive got the orders in another order"
