"""The suite as a modality or workstation: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET and a receiver of its own (DICOM PS3.4, PS3.7)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes these names at import
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from waiting import wait_for

from .lab import DicomPort

# Known in no lab's tables; C-STORE and C-FIND need no entry (dcm4chee.md §2.2).
CALLING = "VERIFY"
SUCCESS = 0x0000
# PS3.4 J.3.5.
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
PENDING = (0xFF00, 0xFF01)
CONNECT_SECONDS, ANSWER_SECONDS = 10, 60


class RefusedError(AssertionError):
    """The peer rejected the association, or a request on it; the text says who, what and why."""


class NoAnswerError(AssertionError):
    """Nothing that speaks DICOM answers at the address."""


@dataclass(frozen=True)
class Outcome:
    """What became of one C-STORE: `status` None when no presentation context was accepted for it."""

    status: int | None
    reason: str

    @property
    def stored(self) -> bool:
        """Success, or stored with a warning (Bxxx, PS3.4 B.2.3)."""
        return self.status is not None and (self.status == SUCCESS or self.status >> 12 == 0xB)

    def __str__(self) -> str:
        return f"{'no association context' if self.status is None else f'status {self.status:04X}'} {self.reason}".strip()


class Archive:
    """The archive's DICOM port as a caller sees it."""

    def __init__(self, where: DicomPort) -> None:
        self.where = where

    @contextmanager
    def associate(
        self,
        contexts: Sequence[PresentationContext],
        called: str | None = None,
        port: int | None = None,
        stored_here: Sequence[str] = (),
        calling: str = CALLING,
    ) -> Iterator[Association]:
        """Yield an established association; `stored_here` are SOP classes that the archive may send back on it (C-GET).

        Raises RefusedError with the peer's reason, or NoAnswerError.
        """
        called, port = called or self.where.ae_title, port or self.where.port
        ae = AE(calling)
        ae.connection_timeout, ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = CONNECT_SECONDS, 30, ANSWER_SECONDS, ANSWER_SECONDS
        association = ae.associate(
            self.where.host, port, list(contexts), called, ext_neg=[build_role(sop_class, scp_role=True) for sop_class in stored_here]
        )
        who = f"the archive at {self.where.host}:{port}"
        if association.is_rejected:
            answer = association.acceptor.primitive
            raise RefusedError(f"{who} refused the association for AE title {called}: {answer.reason_str if answer else 'no reason'}")
        if not association.is_established:
            # Without a context in common pynetdicom ends the association itself.
            if association.rejected_contexts and not association.accepted_contexts:
                raise RefusedError(f"{who} accepts none of what was proposed to AE title {called}: {_reasons(association)}")
            raise NoAnswerError(f"{who} did not answer the association for AE title {called}: {_tcp(self.where.host, port)}")
        try:
            yield association
        finally:
            association.release()

    def echo(self, called: str | None = None, port: int | None = None) -> int:
        """Return the status of a C-ECHO. Raises RefusedError or NoAnswerError."""
        with self.associate([build_context(Verification)], called, port) as association:
            return status_of(association.send_c_echo(), "C-ECHO", self.where)

    def store(self, objects: Sequence[Dataset]) -> list[Outcome]:
        """C-STORE each in its own transfer syntax, one association. Raises RefusedError or NoAnswerError when there is no association."""
        wanted = sorted({(obj.SOPClassUID, obj.file_meta.TransferSyntaxUID) for obj in objects})
        outcomes = []
        with self.associate([build_context(sop_class, syntax) for sop_class, syntax in wanted]) as association:
            for obj in objects:
                here = (obj.SOPClassUID, obj.file_meta.TransferSyntaxUID)
                if not any((context.abstract_syntax, context.transfer_syntax[0]) == here for context in association.accepted_contexts):
                    outcomes.append(Outcome(None, _reasons(association)))
                    continue
                answer = association.send_c_store(obj)
                outcomes.append(Outcome(status_of(answer, "C-STORE", self.where), str(answer.get("ErrorComment", ""))))
        return outcomes

    def find(self, level: str, **keys: str) -> list[Dataset]:
        """C-FIND in the Study Root model; `keys` are keywords, an empty value asks for the attribute.

        Raises RefusedError or NoAnswerError.
        """
        with self.associate([build_context(StudyRootQueryRetrieveInformationModelFind)]) as association:
            answers = association.send_c_find(_query(level, keys), StudyRootQueryRetrieveInformationModelFind)
            found = []
            for status, row in answers:
                if status_of(status, "C-FIND", self.where) in PENDING:
                    assert row is not None, f"C-FIND at {self.where}: a match without attributes"
                    found.append(row)
                elif status.Status != SUCCESS:
                    raise RefusedError(f"C-FIND on level {level} at {self.where} ended with {_said(status)}")
            return found

    def move(self, destination: str, level: str, **keys: str) -> Dataset:
        """C-MOVE to an AE title; return the final answer (Status, NumberOfCompletedSuboperations, …).

        Raises RefusedError or NoAnswerError.
        """
        with self.associate([build_context(StudyRootQueryRetrieveInformationModelMove)]) as association:
            last = Dataset()
            query = _query(level, keys)
            for status, _ in association.send_c_move(query, destination, StudyRootQueryRetrieveInformationModelMove):
                status_of(status, f"C-MOVE to {destination}", self.where)
                last = status
            return last

    def get(self, sop_class: str, syntax: str, level: str, **keys: str) -> list[Dataset]:
        """C-GET objects of one SOP class in one transfer syntax. Raises RefusedError or NoAnswerError."""
        received: list[Dataset] = []
        contexts = [build_context(StudyRootQueryRetrieveInformationModelGet), build_context(sop_class, syntax)]
        with self.associate(contexts, stored_here=[sop_class]) as association:
            association.bind(evt.EVT_C_STORE, _keep(received))
            for status, _ in association.send_c_get(_query(level, keys), StudyRootQueryRetrieveInformationModelGet):
                if status_of(status, "C-GET", self.where) not in (SUCCESS, *PENDING):
                    raise RefusedError(f"C-GET at {self.where} ended with {_said(status)}")
        return received

    def commit(self, objects: Sequence[Dataset], calling: str) -> None:
        """Ask, as an AE of the lab's table, for storage commitment of objects (PS3.4 annex J); the result comes to that AE's port.

        Raises AssertionError when the request is not taken.
        """
        request = Dataset()
        request.TransactionUID = generate_uid(prefix=None)
        request.ReferencedSOPSequence = Items()
        for one in objects:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
            request.ReferencedSOPSequence.append(item)
        with self.associate([build_context(StorageCommitmentPushModel)], calling=calling) as association:
            status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
        code = status_of(status, "N-ACTION for storage commitment", self.where)
        assert code == SUCCESS, f"the archive answers a request for storage commitment with {code:04X}"


class Receiver:
    """A storage SCP of the suite's own, the target of C-MOVE and of storage commitment's results."""

    def __init__(self, ae_title: str, bind: str, port: int) -> None:
        self._ae = AE(ae_title)
        # Every transfer syntax: the archive may send as it has stored.
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(context.abstract_syntax or "", ALL_TRANSFER_SYNTAXES)
        self._ae.add_supported_context(Verification)
        self._ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        self._where = (bind, port)
        self.received: list[Dataset] = []
        # Event information of each result.
        self.committed: list[Dataset] = []

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        """Listen meanwhile; while another run of the suite does, wait. Raises AssertionError when the port stays taken."""

        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, _keep(self.received)),
            (evt.EVT_N_EVENT_REPORT, _note(self.committed)),
        ]

        def complaint() -> str:
            try:
                self._ae.start_server(self._where, block=False, evt_handlers=handlers)
            except OSError as error:
                bind, port = self._where
                return f"the suite cannot listen at {bind}:{port} as {self._ae.ae_title}: {error.strerror}"
            return ""

        wait_for(complaint, ANSWER_SECONDS, pause=0.1)
        try:
            yield self
        finally:
            self._ae.shutdown()


def _keep(received: list[Dataset]) -> Callable[[evt.Event], int]:
    lock = threading.Lock()

    def handle(event: evt.Event) -> int:
        obj = event.dataset
        obj.file_meta = event.file_meta
        with lock:
            received.append(obj)
        return SUCCESS

    return handle


def _note(results: list[Dataset]) -> Callable[[evt.Event], tuple[int, None]]:
    def handle(event: evt.Event) -> tuple[int, None]:
        results.append(event.event_information)
        return SUCCESS, None

    return handle


def _query(level: str, keys: dict[str, str]) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    # What comes back may be in any script.
    query.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def status_of(answer: Dataset, request: str, where: DicomPort) -> int:
    """Return the status of a DIMSE answer. Raises AssertionError when there was none."""
    assert "Status" in answer, f"{request}: {where} did not answer within {ANSWER_SECONDS} s, or cut the connection"
    return int(answer.Status)


def _said(status: Dataset) -> str:
    return f"{status.Status:04X} {status.get('ErrorComment', '')}".strip()


def _reasons(association: Association) -> str:
    # PS3.8 table 9-18.
    reasons = {1: "user rejection", 2: "no reason given", 3: "abstract syntax not supported", 4: "transfer syntaxes not supported"}
    rejected = association.rejected_contexts
    return "; ".join(f"{UID(context.abstract_syntax or '').name}: {reasons.get(context.result or 2)}" for context in rejected)


def _tcp(host: str, port: int) -> str:
    """Return in plain words what TCP says about an address."""
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return "the port is open, but what listens there does not speak DICOM, or cut the connection"
    except OSError as error:
        return f"{error.strerror or error}"
