"""Orders as an engine sends them, and how a modality sees them."""

from __future__ import annotations

from typing import Any

import requests
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.sop_class import ModalityPerformedProcedureStep, ModalityWorklistInformationFind  # type: ignore[attr-defined]

from .hl7 import message, new_pid, pid_segment
from .support import PENDING, SUCCESS, Trio, numbers


class Order:
    """An order of one step with ids of its own (workflow.md §2.4)."""

    def __init__(self, modality: str = "CT", station: str = "", **patient: str) -> None:
        number = next(numbers)
        self.pid = new_pid()
        self.accession, self.procedure, self.step = f"ACC{number}", f"RP{number}", f"SPS{number}"
        self.placer, self.filler = str(number), f"F{number}"
        self.uid = str(generate_uid(prefix=None))
        self.modality, self.station, self.patient = modality, station, patient
        self.start = "20260115110000"

    def segments(self, control: str = "NW", status: str = "SC", code: str = "CTHEAD^CT head^99LAB^PROT^Protocol^99P") -> list[str]:
        """Return PID, PV1, ORC, OBR."""
        doctor, ids = "1234567893^Okonjo^Ruth^^^Dr", f"{self.placer}^EMR|{self.filler}^ENGINE"
        request = (
            f"OBR|1|{ids}|{code}|||||||||No known allergies|||{doctor}||{self.accession}|{self.procedure}|{self.step}||||{self.modality}"
            "|||||||^Persistent cough|||&Tanaka&Ivo||||||||||CTHEAD^CT head^99LAB"
        )
        order = (
            f"ORC|{control}|{ids}||{status}||1^^^{self.start}^^R||20260115093000|||{doctor}"
            f"|RAD^^^^^^^^Radiology||||RAD^Radiology^99LAB|{self.station}"
        )
        return [
            pid_segment(self.pid, **self.patient),
            f"PV1|1|O|RAD^^^LABHOSP|||||{doctor}|||||||||||9001^^^EMR",
            order,
            request,
        ]

    def orm(self, control: str = "NW", status: str = "SC", **header: Any) -> str:
        """Return ORM^O01 with a ZDS."""
        return message("ORM^O01", *self.segments(control, status), f"ZDS|{self.uid}^ENGINE^Application^DICOM", **header)

    def ipc(self, step: str, station: str = "CTSIM") -> str:
        """Return an IPC."""
        return f"IPC|{self.accession}^EMR|{self.procedure}|{self.uid}|{step}|CT|CTHEAD^CT head^99LAB|CT ROOM 1|RADIOLOGY|{station}"

    def omi(self, *steps: str) -> str:
        """Return OMI^O23 with an IPC for each step."""
        ipcs = [self.ipc(step) for step in steps or (self.step,)]
        return message("OMI^O23", *self.segments(), f"TQ1|1||||||{self.start}||S", *ipcs)


def worklist(trio: Trio, called: str = "WORKLIST", step: dict[str, Any] | None = None, **keys: Any) -> list[Dataset]:
    """C-FIND the worklist, all of the step asked for; return the rows."""
    query = Dataset()
    for name in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "RequestedProcedureID", "SpecificCharacterSet"):
        setattr(query, name, None)
    for name, value in keys.items():
        setattr(query, name, value)
    item = Dataset()
    for name in ("ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality"):
        setattr(item, name, None)
    item.ScheduledProcedureStepID, item.ScheduledProcedureStepStatus = None, None
    item.ScheduledProcedureStepDescription, item.ScheduledProtocolCodeSequence = None, []
    for name, value in (step or {}).items():
        setattr(item, name, value)
    query.ScheduledProcedureStepSequence = [item]
    return find(trio, query, called)


def find(trio: Trio, query: Dataset, called: str = "WORKLIST", **options: Any) -> list[Dataset]:
    """C-FIND with just this identifier."""
    association = trio.associate(build_context(ModalityWorklistInformationFind), called=called, **options)
    assert association.is_established, "no association"
    answers = list(association.send_c_find(query, ModalityWorklistInformationFind))
    association.release()
    assert answers[-1][0].Status == SUCCESS, answers[-1][0]
    return [match for status, match in answers if status.Status in PENDING and match is not None]


def mwlitems(trio: Trio, query: str = "", aet: str = "WORKLIST") -> requests.Response:
    """Ask the worklist by REST."""
    return requests.get(trio.url(f"/aets/{aet}/rs/mwlitems?{query}"), timeout=30)


def state(trio: Trio, order: Order) -> str:
    """Return an item's status, hidden ones too; empty when there is none."""
    names = "SCHEDULED,ARRIVED,READY,STARTED,DEPARTED,CANCELED,DISCONTINUED,COMPLETED"
    status = f"ScheduledProcedureStepSequence.ScheduledProcedureStepStatus={names}"
    answer = mwlitems(trio, f"StudyInstanceUID={order.uid}&{status}")
    assert answer.status_code in (200, 204), answer.text
    return str(answer.json()[0]["00400100"]["Value"][0]["00400020"]["Value"][0]) if answer.status_code == 200 else ""


def mpps(trio: Trio, order: Order, called: str = "WORKLIST", pid: str = "", step: str | None = None, **more: Any) -> tuple[str, int]:
    """N-CREATE a step in progress for an order; return its UID and the status."""
    uid = str(generate_uid())
    scheduled = Dataset()
    scheduled.StudyInstanceUID, scheduled.AccessionNumber = order.uid, order.accession
    scheduled.ScheduledProcedureStepID = order.step if step is None else step
    scheduled.RequestedProcedureID = order.procedure
    attributes = Dataset()
    attributes.ScheduledStepAttributesSequence = [scheduled]
    attributes.PatientID, attributes.PatientName = pid or order.pid, "Quillfeather^Marisol^T"
    attributes.PatientBirthDate, attributes.PatientSex = "19840229", "F"
    attributes.PerformedProcedureStepID, attributes.PerformedStationAETitle = f"PPS{next(numbers)}", "CT01"
    attributes.PerformedProcedureStepStartDate, attributes.PerformedProcedureStepStartTime = "20260115", "111500"
    attributes.PerformedProcedureStepStatus, attributes.Modality = "IN PROGRESS", "CT"
    attributes.PerformedSeriesSequence = []
    for name, value in more.items():
        setattr(attributes, name, value)
    association = trio.associate(build_context(ModalityPerformedProcedureStep), called=called)
    assert association.is_established
    status, _ = association.send_n_create(attributes, ModalityPerformedProcedureStep, uid)
    association.release()
    return uid, int(status.Status)


def end_mpps(trio: Trio, uid: str, status: str, called: str = "WORKLIST") -> int:
    """N-SET a step; return the status."""
    changes = Dataset()
    changes.PerformedProcedureStepStatus = status
    changes.PerformedProcedureStepEndDate, changes.PerformedProcedureStepEndTime = "20260115", "114500"
    association = trio.associate(build_context(ModalityPerformedProcedureStep), called=called)
    answer, _ = association.send_n_set(changes, ModalityPerformedProcedureStep, uid)
    association.release()
    return int(answer.Status)
