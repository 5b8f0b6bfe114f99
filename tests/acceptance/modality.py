"""The suite as a modality: worklist query, MPPS, images under the ordered UID (IHE RAD-5 to RAD-8)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes these names at import
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
)

from .dimse import PENDING, SUCCESS, Archive, RefusedError, status_of

# Of what was sent before and not answered: the step is there, or has ended (DICOM PS3.4 F.7.2).
DUPLICATE, ENDED = 0x0111, 0x0110

STEP_KEYS = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepStatus",
    "ScheduledProtocolCodeSequence",
)
KEYS = (
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
    "ReasonForTheRequestedProcedure",
    "ReferringPhysicianName",
    "RequestingPhysician",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "AdmissionID",
)


@dataclass(frozen=True)
class Row:
    """One worklist row."""

    item: Dataset

    @property
    def step(self) -> Dataset:
        """The one scheduled procedure step."""
        steps = self.item.ScheduledProcedureStepSequence
        assert len(steps) == 1, f"the worklist row {self.item.AccessionNumber} has {len(steps)} scheduled steps"
        step: Dataset = steps[0]
        return step

    def __str__(self) -> str:
        return f"worklist row {self.item.AccessionNumber} of {self.item.PatientID} at {self.step.ScheduledStationAETitle}"


class Modality:
    """A modality of the lab's table."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def worklist(self, station: str = "", modality: str = "", **keys: str) -> list[Row]:
        """C-FIND at the worklist's AE title. Raises RefusedError or NoAnswerError."""
        query = Dataset()
        query.SpecificCharacterSet = "ISO_IR 192"
        for keyword in KEYS:
            setattr(query, keyword, Sequence() if keyword.endswith("Sequence") else keys.pop(keyword, ""))
        assert not keys, f"no worklist keys: {', '.join(keys)}"
        step = Dataset()
        for keyword in STEP_KEYS:
            setattr(step, keyword, Sequence() if keyword.endswith("Sequence") else "")
        step.ScheduledStationAETitle, step.Modality = station, modality
        query.ScheduledProcedureStepSequence = Sequence([step])
        return self._find(query)

    def accession_numbers(self) -> list[str]:
        """Accession number of every row that the worklist shows, asked for alone: two thousand whole rows take many seconds.

        Raises RefusedError or NoAnswerError.
        """
        query, step = Dataset(), Dataset()
        query.AccessionNumber = step.ScheduledProcedureStepID = ""
        query.ScheduledProcedureStepSequence = Sequence([step])
        return [str(row.item.AccessionNumber) for row in self._find(query)]

    def _find(self, query: Dataset) -> list[Row]:
        called = self._archive.where.worklist_ae_title
        with self._archive.associate([build_context(ModalityWorklistInformationFind)], called) as association:
            rows = []
            for status, item in association.send_c_find(query, ModalityWorklistInformationFind):
                code = status_of(status, f"C-FIND of the worklist at {called}", self._archive.where)
                if code in PENDING and item is not None:
                    rows.append(Row(item))
                elif code != SUCCESS:
                    raise RefusedError(f"C-FIND of the worklist at {called} ended with {code:04X}")
            return rows

    def start(self, row: Row, again: str = "") -> str:
        """MPPS N-CREATE, in progress; return its SOP Instance UID, which is `again` where it may have been sent before.

        Raises AssertionError when it is refused.
        """
        uid, item, step = again or generate_uid(prefix=None), row.item, Dataset()
        step.StudyInstanceUID = item.StudyInstanceUID
        step.AccessionNumber = item.AccessionNumber
        step.RequestedProcedureID = item.RequestedProcedureID
        step.RequestedProcedureDescription = item.get("RequestedProcedureDescription", "")
        step.ScheduledProcedureStepID = row.step.ScheduledProcedureStepID
        step.ScheduledProcedureStepDescription = row.step.get("ScheduledProcedureStepDescription", "")
        step.ScheduledProtocolCodeSequence = Sequence()
        step.ReferencedStudySequence = Sequence()
        mpps = Dataset()
        mpps.SpecificCharacterSet = "ISO_IR 192"
        mpps.ScheduledStepAttributesSequence = Sequence([step])
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
            setattr(mpps, keyword, item.get(keyword, ""))
        mpps.PerformedProcedureStepID = row.step.ScheduledProcedureStepID
        mpps.PerformedStationAETitle = row.step.ScheduledStationAETitle
        mpps.PerformedProcedureStepStartDate, mpps.PerformedProcedureStepStartTime = time.strftime("%Y%m%d"), time.strftime("%H%M%S")
        mpps.PerformedProcedureStepEndDate = mpps.PerformedProcedureStepEndTime = ""
        mpps.PerformedProcedureStepStatus = "IN PROGRESS"
        mpps.Modality = row.step.Modality
        mpps.StudyID = item.RequestedProcedureID
        mpps.PerformedSeriesSequence = Sequence()
        for keyword in ("StationName", "Location", "ProcedureStepDescription", "ProcedureTypeDescription"):
            setattr(mpps, f"Performed{keyword}", "")
        mpps.ProcedureCodeSequence = mpps.PerformedProtocolCodeSequence = Sequence()
        with self._archive.associate([build_context(ModalityPerformedProcedureStep)]) as association:
            status, _ = association.send_n_create(mpps, ModalityPerformedProcedureStep, uid)
        code = status_of(status, "MPPS N-CREATE", self._archive.where)
        assert code == SUCCESS or (again and code == DUPLICATE), f"MPPS N-CREATE for the {row} ended with {code:04X}"
        return str(uid)

    def finish(self, uid: str, state: str = "COMPLETED", again: bool = False) -> None:
        """MPPS N-SET to COMPLETED or DISCONTINUED; `again`: it may have been sent before. Raises AssertionError when it is refused."""
        changes = Dataset()
        changes.PerformedProcedureStepStatus = state
        changes.PerformedProcedureStepEndDate, changes.PerformedProcedureStepEndTime = time.strftime("%Y%m%d"), time.strftime("%H%M%S")
        changes.PerformedSeriesSequence = Sequence()
        with self._archive.associate([build_context(ModalityPerformedProcedureStep)]) as association:
            status, _ = association.send_n_set(changes, ModalityPerformedProcedureStep, uid)
        code = status_of(status, f"MPPS N-SET {state}", self._archive.where)
        assert code == SUCCESS or (again and code == ENDED), f"MPPS N-SET {state} ended with {code:04X}"
