"""The verbs for refused messages: listed, processed again, twice and from two shells at once, settled (F-ENG-2)."""

from __future__ import annotations

import re
import subprocess

import pytest
from acceptance.chart import Chart
from acceptance.emr import Order, Procedure
from acceptance.inside import Inside
from acceptance.lab import load
from acceptance.openemr import OpenEmrCharts
from acceptance.orders import EFFECT_SECONDS, Clinic, Examination
from acceptance.reports import oru, send, text
from conftest import TOLD, Lab, Playbook
from waiting import wait_for

VERBS = "playbooks/refused.yml"
DONE = "is done already, nothing was changed"


@pytest.fixture
def order(lab: Lab, clinic: Clinic) -> Order:
    """An order in a chart that nobody has transmitted yet."""
    row, chart = lab.variables["lab_procedures"][0], Chart(clinic.emr.database)
    (order,) = chart.order_many([chart.register("Too^Early")], Procedure(row["code"], row["name"]), 1)
    return order


@pytest.fixture
def entry(clinic: Clinic, order: Order) -> str:
    """The sink's number of a report that came before its order; the order is there by now."""
    told = load(TOLD)
    assert told.engine is not None
    assert told.engine.reports is not None
    code = order.procedures[0].code
    segments = (f"ORC|RE|{order.number}|||CM", f"OBR|1|{order.number}||{code}^Procedure^99LAB{'|' * 21}F", text("Before its order."))
    send(told.engine.reports, oru(told, Examination(order, {}), *segments))
    found: list[str] = []

    def complaint() -> str:
        found[:] = [str(row["id"]) for row in clinic.engine.sink() if f"unknown order: {order.number}" in row["reason"]]
        return "" if found else f"the report about order {order.number} is not in the sink"

    wait_for(complaint, EFFECT_SECONDS)
    assert clinic.transmit(order) == "orders-done"
    clinic.rows(order)
    return found[0]


def reprocess(lab: Lab, entry: str, *options: str) -> Playbook:
    return lab.play(*options, playbook=VERBS, refused_verb="reprocess", refused_id=entry)


def from_two_shells(lab: Lab, entry: str) -> list[Playbook]:
    command = lab.command(playbook=VERBS, refused_verb="reprocess", refused_id=entry)
    shells = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    outputs = [shell.communicate()[0] for shell in shells]
    return [Playbook(shell.returncode, output) for shell, output in zip(shells, outputs, strict=True)]


def assert_filed_once(clinic: Clinic, order: Order, entry: str) -> None:
    """One report in the chart, one SR, and the entry is done."""
    assert entry not in [str(row["id"]) for row in clinic.engine.sink()]
    ((_, row),) = clinic.rows(order).items()

    def complaint() -> str:
        series = clinic.archive.find("SERIES", StudyInstanceUID=row.item.StudyInstanceUID, Modality="SR", NumberOfSeriesRelatedInstances="")
        count = sum(int(one.NumberOfSeriesRelatedInstances) for one in series)
        files = sorted(clinic.emr.results(order.number))
        filed = [report.text for report in OpenEmrCharts(clinic.emr.database).reports(order.number)]
        there = (count, filed, files)
        return "" if there == (1, ["Before its order."], []) else f"SR, reports in the chart, and result files are {there}"

    wait_for(complaint, EFFECT_SECONDS)


def test_processed_once_however_often_it_is_asked_for(lab: Lab, clinic: Clinic, order: Order, entry: str) -> None:
    listed = lab.play(playbook=VERBS)
    assert re.search(rf"{entry}: results, .* ago: .*unknown order: {order.number}", listed.output), listed.output
    check = reprocess(lab, entry, "--check")
    assert f"{entry}: would be processed again" in check.output, check.output

    first = reprocess(lab, entry)
    assert (first.code, first.changed > 0) == (0, True), first.output
    assert f"{entry}: processed, it is done" in first.output
    assert_filed_once(clinic, order, entry)
    for again in (reprocess(lab, entry), *from_two_shells(lab, entry)):
        assert (again.code, again.changed) == (0, 0), again.output
        assert f"{entry}: {DONE}" in again.output
    assert_filed_once(clinic, order, entry)
    assert not re.search(rf"\b{entry}: results", lab.play(playbook=VERBS).output)


def test_two_shells_at_once_process_it_once(lab: Lab, clinic: Clinic, order: Order, entry: str) -> None:
    runs = from_two_shells(lab, entry)
    assert [run.code for run in runs] == [0, 0], [run.output for run in runs]
    assert sorted(run.changed > 0 for run in runs) == [False, True], [run.output for run in runs]
    assert sorted(DONE in run.output for run in runs) == [False, True], [run.output for run in runs]
    assert_filed_once(clinic, order, entry)


def test_what_is_refused_again_fails_with_its_reason(lab: Lab, inside: Inside, entry: str) -> None:
    forget = "DELETE FROM order_state WHERE placer = (SELECT substring(reason FROM '[0-9]+') FROM sink WHERE id = {})"
    sql(inside, forget.format(entry))
    run = reprocess(lab, entry)
    assert run.code != 0, run.output
    assert f"{entry}: refused again: report: unknown order" in run.output
    closed = lab.play(playbook=VERBS, refused_verb="close", refused_id=entry)
    assert (closed.code, closed.changed) == (0, 1), closed.output


def test_a_notice_is_settled_once(lab: Lab, inside: Inside) -> None:
    sql(inside, "INSERT INTO notice (kind, ref, what) VALUES ('not sent', 'molecule', 'order 7: CA not sent')")
    found = re.search(r"(n[0-9a-f]{8}): not sent, .* ago: order 7: CA not sent", lab.play(playbook=VERBS).output)
    assert found
    for changed in (1, 0):
        run = lab.play(playbook=VERBS, refused_verb="close", refused_id=found[1])
        assert (run.code, run.changed) == (0, changed), run.output
    assert found[1] not in lab.play(playbook=VERBS).output


def test_without_an_engine_nothing_is_taken(lab: Lab, inside: Inside, clinic: Clinic, entry: str) -> None:
    inside.docker(inside.host("mirth"), "stop", inside.container("mirth"))
    try:
        run = reprocess(lab, entry)
    finally:
        inside.docker(inside.host("mirth"), "start", inside.container("mirth"))
        inside.wait_healthy("mirth")
    assert run.code != 0
    assert "no container of service 'mirth' runs" in run.output, run.output
    assert "is no number of a refused message" in reprocess(lab, "seventeen").output
    done = reprocess(lab, entry)
    assert (done.code, done.changed > 0) == (0, True), done.output


def sql(inside: Inside, statement: str) -> None:
    done = inside.run("mirth-db", "psql", "-U", "filler", "-d", "filler", "-v", "ON_ERROR_STOP=1", "-c", statement)
    assert done.returncode == 0, done.stderr
