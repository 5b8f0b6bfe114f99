"""The lab is in use, and its tables and limits change: what is open follows the documentation (F-DCM-4, docs/engine.md)."""

from __future__ import annotations

from typing import Any

import pytest
from acceptance.chart import Chart
from acceptance.emr import Order, Procedure
from acceptance.lab import Engine, load
from acceptance.orders import EFFECT_SECONDS, POLLS_SECONDS, Clinic, fresh_person
from conftest import TOLD, Lab
from waiting import wait_for


@pytest.fixture
def engine() -> Engine:
    """What the lab says of its engine."""
    engine = load(TOLD).engine
    assert engine is not None
    return engine


@pytest.fixture
def chart(clinic: Clinic) -> Chart:
    """The charts."""
    return Chart(clinic.emr.database)


@pytest.fixture
def procedures(lab: Lab) -> list[dict[str, Any]]:
    """The lab's table of procedures."""
    return list(lab.variables["lab_procedures"])


def accessions(clinic: Clinic, person: str, **keys: str) -> list[str]:
    """Return the accession numbers of a patient's worklist rows that a query finds."""
    return [str(row.item.AccessionNumber) for row in clinic.modality.worklist(PatientID=person, **keys)]


def test_code_moves_to_another_scanner(lab: Lab, clinic: Clinic, procedures: list[dict[str, Any]]) -> None:
    """F-DCM-4: the open order stays where it is until it is transmitted again, new ones go to the other scanner; one station each."""
    first, second = procedures[:2]
    here, there, procedure = first["station"], second["station"], Procedure(first["code"], first["name"])
    person = fresh_person("Two^Scanners")
    before = clinic.place(person, procedure)
    old = str(before.first[1].item.AccessionNumber)
    try:
        moved = lab.play(lab_procedures=[first | {"station": there}, *procedures[1:]])
        assert moved.code == 0, moved.output
        new = str(clinic.place(person, procedure).first[1].item.AccessionNumber)
        assert accessions(clinic, person.number, station=here) == [old]
        assert accessions(clinic, person.number, station=there) == [new]
        assert sorted(accessions(clinic, person.number, modality=first["modality"])) == [old, new]

        clinic.again(before.order, before.order.electronic_reports())
        wait_for(lambda: "still at its old station" if accessions(clinic, person.number, station=here) else "", EFFECT_SECONDS)
        assert sorted(accessions(clinic, person.number, station=there)) == [old, new]
    finally:
        lab.deploy()


def test_raised_limit_lets_the_cancellations_through(
    lab: Lab, clinic: Clinic, chart: Chart, engine: Engine, procedures: list[dict[str, Any]]
) -> None:
    """What the engine stopped goes on as soon as an operator has said that it is meant, and the notice goes by itself."""
    limit = engine.cancel_limit
    person, procedure = chart.register("Closed^Department"), Procedure(procedures[0]["code"], procedures[0]["name"])
    orders: list[Order] = [chart.order(person, procedure) for _ in range(limit + 1)]
    for order in orders:
        name, content = order.encounter_form()
        clinic.emr.write(name, content.encode())
    for order in orders:
        clinic.rows(order)

    def stopped() -> bool:
        return any(row["kind"] == "cancellations stopped" for row in clinic.engine.notices())

    def left() -> int:
        return len(accessions(clinic, person.number))

    chart.set_status("canceled", *orders)
    try:
        wait_for(lambda: "" if stopped() else "the engine stopped no cancellation", POLLS_SECONDS)
        assert left() == limit + 1
        raised = lab.play(mirth_cancel_limit=limit + 1)
        assert raised.code == 0, raised.output
        wait_for(lambda: f"{left()} orders are on the worklist that are cancelled" if left() else "", POLLS_SECONDS)
        wait_for(lambda: "the notice stays" if stopped() else "", POLLS_SECONDS)
    finally:
        chart.set_status("pending", *orders)
        lab.deploy()
