"""Nothing is lost and nothing comes twice while archive, engine and databases go away and come back (workflow.md §2.6, 18; F-ENG-1)."""

from __future__ import annotations

import pytest
from waiting import wait_for

from .emr import Procedure
from .inside import Inside
from .lab import Address, Lab
from .many import assert_all_there_once, assert_none_refused, assert_sent_in_order, in_flight, orders_of_many, push, taken
from .orders import Clinic, Examination, fresh_person
from .reports import Filed, group, oru, send, text

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "mirth-db", "arc")]
MANY = 500


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
    send(reports, message)
    clinic.emr.wait_for_result(examination.order.number)
    inside.compose(inside.host("mirth"), "restart", "mirth")
    inside.wait_healthy("mirth")
    send(reports, message)
    later = oru(lab, examination, *group(examination, code, text("Later, another message.")))
    send(reports, later)
    clinic.emr.wait_for_result(examination.order.number)
    filed.wait_for(row.item.StudyInstanceUID, "SR", 2)


def test_five_hundred_orders_while_everything_restarts(clinic: Clinic, inside: Inside, procedure: Procedure) -> None:
    """Archive, engine, each database and LDAP once, with orders on their way: 500 rows, none twice, none lost, order kept."""
    orders = orders_of_many(procedure, MANY)
    services = ("arc", "mirth", "pacs-db", "mirth-db", "ldap")
    share = MANY // len(services)
    for number, service in enumerate(services):
        push(clinic, orders[number * share : (number + 1) * share])
        assert in_flight(clinic), f"nothing is on its way any more, so the restart of {service} shows nothing"
        inside.docker(inside.host(service), "kill" if service == "mirth" else "restart", inside.container(service))
        if service == "mirth":
            inside.docker(inside.host(service), "start", inside.container(service))
        inside.wait_healthy(service)
    inside.wait_healthy("arc", "mirth")
    assert_all_there_once(clinic, orders)
    assert_none_refused(clinic, orders)
    assert_sent_in_order(inside, clinic, orders)


def test_every_channel_is_started_again(clinic: Clinic) -> None:
    wait_for(
        lambda: ", ".join(f"{channel.name} is {channel.state}" for channel in clinic.engine.channels() if channel.state != "STARTED"), 60
    )
