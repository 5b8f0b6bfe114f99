"""MPPS: what a modality reports of its work, and what becomes of the worklist item (dcm4chee.md §4.2, §4.4)."""

from __future__ import annotations

import pytest

from .hl7 import ARCHIVE, ISSUER, accepted, adt, new_pid, patient
from .orders import Order, end_mpps, mpps, state, worklist
from .support import SUCCESS, Trio, first


@pytest.mark.parametrize("called", ["DCM4CHEE", "WORKLIST"])
@pytest.mark.parametrize("end", ["COMPLETED", "DISCONTINUED"])
def test_item_follows_the_step(trio: Trio, called: str, end: str) -> None:
    """§4.2: on either AE in progress makes STARTED, which is hidden, the end COMPLETED or DISCONTINUED."""
    order = Order()
    accepted(trio, order.orm())
    uid, status = mpps(trio, order, called)
    assert (status, state(trio, order), worklist(trio, PatientID=order.pid)) == (SUCCESS, "STARTED", [])
    assert end_mpps(trio, uid, "IN PROGRESS", called) == SUCCESS
    assert state(trio, order) == "STARTED"
    assert (end_mpps(trio, uid, end, called), state(trio, order)) == (SUCCESS, end)


def test_second_end_is_refused(trio: Trio) -> None:
    """§4.2: a second N-SET after the end 0110, without a change."""
    order = Order()
    accepted(trio, order.orm())
    uid, _ = mpps(trio, order)
    assert [end_mpps(trio, uid, status) for status in ("COMPLETED", "DISCONTINUED")] == [SUCCESS, 0x0110]
    assert state(trio, order) == "COMPLETED"


@pytest.mark.parametrize("step", ["", "ANOTHER"])
def test_other_step_id_changes_nothing(trio: Trio, step: str) -> None:
    """§4.2: the item must match by study UID and step id: else the N-CREATE is 0000 and the item stays."""
    order = Order()
    accepted(trio, order.orm())
    assert (mpps(trio, order, step=step)[1], state(trio, order)) == (SUCCESS, "SCHEDULED")


def test_patient_is_not_compared(trio: Trio) -> None:
    """§4.2: the patient is not compared."""
    order = Order()
    accepted(trio, order.orm())
    assert (mpps(trio, order, pid=new_pid())[1], state(trio, order)) == (SUCCESS, "STARTED")


def test_unknown_and_repeated_steps(trio: Trio) -> None:
    """PS3.7: an N-SET of an unknown step 0112; a step that does not begin in progress 0106."""
    order = Order()
    assert end_mpps(trio, "1.2.3.4", "COMPLETED") == 0x0112
    assert mpps(trio, order, PerformedProcedureStepStatus="COMPLETED")[1] == 0x0106


def test_default_issuer_makes_a_second_patient(trio: Trio) -> None:
    """§4.4: without the OnMPPS rules a step without issuer makes a second patient."""
    order = Order()
    accepted(trio, order.orm())
    assert mpps(trio, order)[1] == SUCCESS
    assert len(patient(trio, order.pid)) == 2


@pytest.mark.parametrize("called", ["DCM4CHEE", "WORKLIST"])
def test_constant_issuer(trio: Trio, called: str) -> None:
    """§4.4: with the OnMPPS rule of the called AE the step is the HL7 patient's, also with another spelling."""
    with trio.issuer(ISSUER, f"cn=SupplementIssuerOfPatientIDOnMPPS,dicomAETitle={called},{ARCHIVE}"):
        order = Order()
        accepted(trio, order.orm())
        assert mpps(trio, order, called, PatientName="Quilfeather^Marisol")[1] == SUCCESS
        assert [first(match, "00100010")["Alphabetic"] for match in patient(trio, order.pid)] == ["Quillfeather^Marisol^T"]


def test_merged_patient(trio: Trio) -> None:
    """§4.1: what comes with the merged-away id is the survivor's: no patient is made."""
    order = Order()
    survivor = new_pid()
    accepted(trio, order.orm(), adt("A40", survivor, f"MRG|{order.pid}^^^{ISSUER}"))
    assert mpps(trio, order, IssuerOfPatientID=ISSUER)[1] == SUCCESS
    assert state(trio, order) == "STARTED"
