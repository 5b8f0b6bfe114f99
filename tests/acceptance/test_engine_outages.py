"""Nothing is lost and nothing comes twice while archive, engine and databases go away and come back (workflow.md §2.6, 18; F-ENG-1)."""

from __future__ import annotations

import io
import re
import tarfile
import threading

import pytest
from waiting import wait_for

from . import hl7v2
from .emr import Order, Procedure
from .inside import Inside
from .lab import Address, Engine, Lab
from .orders import NUMBERS, Clinic, Examination, fresh_person
from .reports import Filed, group, oru, text

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "mirth-db", "arc")]
MANY = 500
# Until all of them are on the worklist, restarts included.
DRAIN_SECONDS = 600


@pytest.fixture
def procedure(lab_engine: Engine) -> Procedure:
    """The first procedure of the lab's table."""
    first = lab_engine.procedures[0]
    return Procedure(first.code, first.name)


def orders_of_many(procedure: Procedure, count: int) -> list[Order]:
    """Orders of as many new patients."""
    return [Order(next(NUMBERS), fresh_person(f"Queue^Number {n}"), (procedure,)) for n in range(count)]


def push(clinic: Clinic, orders: list[Order]) -> None:
    """Drop all files at once, a second of age apart, so that their order is plain."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number, order in enumerate(orders):
            name, content = order.electronic_reports()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content.encode()), 1_700_000_000 + number, 0o644
            tar.addfile(entry, io.BytesIO(content.encode()))
    clinic.emr.unpack(archive.getvalue())


def taken(clinic: Clinic, orders: list[Order]) -> list[str]:
    """Accession numbers of the orders that the engine has taken, in the order of the files."""
    return clinic.engine.accessions(orders[0].number, orders[-1].number)


def assert_all_there_once(clinic: Clinic, orders: list[Order]) -> None:
    """Wait until each order is exactly one worklist row. Raises AssertionError with how many are missing, or come twice."""

    def complaint() -> str:
        accessions = taken(clinic, orders)
        if len(accessions) < len(orders):
            return f"the engine has taken {len(accessions)} of {len(orders)} orders"
        missing = set(accessions) - {row.item.AccessionNumber for row in clinic.modality.worklist()}
        return f"{len(missing)} of {len(orders)} orders are not on the worklist: {sorted(missing)[:5]}" if missing else ""

    wait_for(complaint, DRAIN_SECONDS, pause=2)
    listed = [row.item.AccessionNumber for row in clinic.modality.worklist()]
    twice = [accession for accession in taken(clinic, orders) if listed.count(accession) > 1]
    assert not twice, f"orders that are on the worklist twice: {twice}"


def assert_sent_in_order(inside: Inside, clinic: Clinic, orders: list[Order]) -> None:
    """The archive's log names each message that it took; their first mention is in the order of the files."""
    log = inside.docker(inside.host("arc"), "logs", inside.container("arc"))
    seen = dict.fromkeys(re.findall(r"\b(ACC\d+)NW\d+\b", (log.stdout + log.stderr).decode("utf-8", "replace")))
    wanted = taken(clinic, orders)
    assert [accession for accession in seen if accession in set(wanted)] == wanted, "the archive got the orders in another order"


def test_orders_wait_for_an_archive_that_is_down_and_drain_in_order(clinic: Clinic, inside: Inside, procedure: Procedure) -> None:
    orders = orders_of_many(procedure, 20)
    inside.docker(inside.host("arc"), "stop", inside.container("arc"))
    try:
        push(clinic, orders)
        wait_for(lambda: "" if len(taken(clinic, orders)) == 20 else "the engine takes no orders while the archive is down", 120)
    finally:
        inside.docker(inside.host("arc"), "start", inside.container("arc"))
    inside.wait_healthy("arc")
    assert_all_there_once(clinic, orders)
    assert_sent_in_order(inside, clinic, orders)


def test_repeat_after_a_restart_of_the_engine_is_filed_once(
    clinic: Clinic, inside: Inside, filed: Filed, lab: Lab, reports: Address, procedure: Procedure
) -> None:
    """F-HL7-4, second half."""
    examination: Examination = clinic.place(fresh_person("Lindqvist^Maja"), procedure)
    code, row = examination.first
    message = oru(lab, examination, *group(examination, code, text("Once only.")))
    assert hl7v2.send(reports, message).code == "AA"
    clinic.emr.wait_for_result(examination.order.number)
    inside.compose(inside.host("mirth"), "restart", "mirth")
    inside.wait_healthy("mirth")
    assert hl7v2.send(reports, message).code == "AA"
    later = oru(lab, examination, *group(examination, code, text("Later, another message.")))
    assert hl7v2.send(reports, later).code == "AA"
    clinic.emr.wait_for_result(examination.order.number)
    filed.wait_for(row.item.StudyInstanceUID, "SR", 2)


def test_five_hundred_orders_while_everything_restarts(clinic: Clinic, inside: Inside, procedure: Procedure) -> None:
    """Archive, engine and each database once, under load: 500 rows, none twice, none lost, order kept."""
    orders = orders_of_many(procedure, MANY)
    pusher = threading.Thread(target=push, args=(clinic, orders))
    pusher.start()
    for service in ("arc", "mirth", "pacs-db", "mirth-db", "ldap"):
        inside.docker(inside.host(service), "kill" if service == "mirth" else "restart", inside.container(service))
        if service == "mirth":
            inside.docker(inside.host(service), "start", inside.container(service))
        inside.wait_healthy(service)
    pusher.join()
    inside.wait_healthy("arc", "mirth")
    assert_all_there_once(clinic, orders)
    assert_sent_in_order(inside, clinic, orders)


def test_every_channel_is_started_again(clinic: Clinic) -> None:
    wait_for(
        lambda: ", ".join(f"{channel.name} is {channel.state}" for channel in clinic.engine.channels() if channel.state != "STARTED"), 60
    )
