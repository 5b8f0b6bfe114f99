"""The DICOM port: associations, echo, store. Queries, retrieval, worklist, MPPS and commitment stand in modules of their own."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pynetdicom._config
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt, register_uid
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    StorageCommitmentPushModel,
    Verification,
)

from standin import mpps, mwl
from standin.commitment import Commitment
from standin.device import Device, Directory
from standin.errors import RefusedError
from standin.orthanc import Orthanc
from standin.registry import Registry
from standin.retrieve import FIND_MODELS, GET_MODELS, MOVE_MODELS, Retrieval
from standin.status import CONFLICTING_PATIENT, SUCCESS, failure
from standin.storing import Store

log = logging.getLogger("standin.dimse")
# Upstream's category of what goes over the wire.
wire_log = logging.getLogger("org.dcm4che3.net.Dimse")

# Neither pynetdicom's own lines nor its identifiers, which name patients, belong into our log.
pynetdicom._config.LOG_HANDLER_LEVEL = "none"
pynetdicom._config.LOG_REQUEST_IDENTIFIERS = False
pynetdicom._config.LOG_RESPONSE_IDENTIFIERS = False

IDLE_SECONDS = 300  # dcmIdleTimeout of upstream's connection
NEGOTIATION_SECONDS = 5  # dcmAARQTimeout
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


def _storage_classes() -> list[str]:
    """Return the storage SOP classes of pynetdicom and, for older material, the retired ones of the DICOM dictionary."""
    classes = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    for uid, (name, kind, _, retired, keyword) in UID_dictionary.items():
        is_storage = kind == "SOP Class" and retired and "Storage" in name and uid.startswith("1.2.840.10008.5.1.")
        if is_storage and uid not in classes:
            register_uid(uid, keyword, StorageServiceClass)
            classes.add(uid)
    return sorted(classes)


def _storage_contexts() -> list[PresentationContext]:
    contexts = []
    for uid in _storage_classes():
        context = build_context(uid, list(ALL_TRANSFER_SYNTAXES))
        # Either role: the peer sends (C-STORE), or receives on its own association (C-GET).
        context.scu_role = context.scp_role = True
        contexts.append(context)
    return contexts


ECHO_CONTEXTS = [build_context(Verification, SYNTAXES)]
MPPS_CONTEXT = build_context(ModalityPerformedProcedureStep, SYNTAXES)
WORKLIST_CONTEXT = build_context(ModalityWorklistInformationFind, SYNTAXES)
ARCHIVE_CONTEXTS = [
    *ECHO_CONTEXTS,
    *_storage_contexts(),
    *(build_context(model, SYNTAXES) for model in (*FIND_MODELS, *MOVE_MODELS, *GET_MODELS)),
    build_context(StorageCommitmentPushModel, SYNTAXES),
    MPPS_CONTEXT,
]


class ArchiveAE(AE):
    """An AE for whose C-MOVE the association is opened by our own handler, which tells apart what went wrong."""

    def associate(self, addr: Any, port: int, *args: Any, opened: Any = None, **options: Any) -> Any:
        """Return the association that the C-MOVE handler opened, else open one."""
        return opened if opened is not None else super().associate(addr, port, *args, **options)


class DicomPort:
    """Listens for all AE titles of the device; takes a new device at the next association."""

    def __init__(self, directory: Directory, registry: Registry, orthanc: Orthanc, store: Store) -> None:
        self._store = store
        self._registry = registry
        self._directory = directory
        self._ae = ArchiveAE()
        self._ae.require_called_aet = True
        self._ae.maximum_associations = 100
        self._ae.maximum_pdu_size = 0
        self._ae.acse_timeout = NEGOTIATION_SECONDS
        self._ae.connection_timeout = NEGOTIATION_SECONDS
        self._ae.network_timeout = IDLE_SECONDS
        self._ae.dimse_timeout = IDLE_SECONDS
        self._ae.supported_contexts = ECHO_CONTEXTS
        self._retrieval = Retrieval(self._ae, directory, registry, orthanc)
        self._commitment = Commitment(self._ae, directory, registry)
        self._device: Device | None = None
        self._server: Any = None
        self._lock = threading.Lock()

    def open(self, device: Device) -> None:
        """Listen as `device` says; on the same port as before open associations stay. Raises OSError when the port is taken."""
        with self._lock:
            moved = self._device is not None and self._device.dicom_port != device.dicom_port
            self._device = device
            self._ae.ae_title = device.main.title
            if self._server is not None and moved:
                self._server.shutdown()
                self._server = None
            if self._server is None:
                handlers: list[Any] = [
                    (evt.EVT_REQUESTED, self._on_requested),
                    (evt.EVT_C_ECHO, self._on_echo),
                    (evt.EVT_C_STORE, self._on_store),
                    (evt.EVT_C_FIND, self._on_find),
                    (evt.EVT_C_MOVE, self._retrieval.on_move),
                    (evt.EVT_C_GET, self._retrieval.on_get),
                    (evt.EVT_N_ACTION, self._commitment.on_action),
                    (evt.EVT_N_CREATE, self._on_create),
                    (evt.EVT_N_SET, self._on_set),
                ]
                self._server = self._ae.start_server(("0.0.0.0", device.dicom_port), block=False, evt_handlers=handlers)
                log.info("Start TCP Listener on 0.0.0.0:%d for %s", device.dicom_port, ", ".join(sorted(device.aes)))

    def close(self) -> None:
        """Stop listening and abort open associations."""
        with self._lock:
            self._commitment.stop()
            if self._server is not None:
                self._server = None
                self._ae.shutdown()

    def _on_requested(self, event: evt.Event) -> None:
        """Give the association the contexts of the AE it calls; an unknown one is rejected with reason 7 (dcm4chee.md §8.3)."""
        device = self._device
        assert device is not None
        called = event.assoc.requestor.primitive.called_ae_title  # type: ignore[union-attr]
        calling = event.assoc.requestor.primitive.calling_ae_title  # type: ignore[union-attr]
        ae = device.aes.get(called)
        log.info("%s->%s: association %s", calling, called, "requested" if ae else "rejected, called AE title not recognized")
        if ae is None:
            event.assoc.acceptor.ae_title = ""
            return
        event.assoc.acceptor.ae_title = called
        contexts = [*(ARCHIVE_CONTEXTS if ae.storage_id else ECHO_CONTEXTS)]
        if ae.worklist:
            contexts += [WORKLIST_CONTEXT, *([] if ae.storage_id else [MPPS_CONTEXT])]
        event.assoc.acceptor.supported_contexts = contexts

    def _on_echo(self, event: evt.Event) -> int:
        return SUCCESS

    def _on_find(self, event: evt.Event) -> Any:
        assert self._device is not None
        if event.request.AffectedSOPClassUID == ModalityWorklistInformationFind:
            return mwl.on_find(self._registry, self._device, event)
        return self._retrieval.on_find(event)

    def _on_create(self, event: evt.Event) -> Any:
        assert self._device is not None
        return mpps.on_create(self._registry, self._device, event)

    def _on_set(self, event: evt.Event) -> Any:
        return mpps.on_set(self._registry, event)

    def _on_store(self, event: evt.Event) -> Dataset | int:
        assert self._device is not None
        peer, uid = event.assoc.requestor.ae_title, event.request.AffectedSOPInstanceUID  # type: ignore[union-attr]  # the event is a C-STORE
        try:
            self._store.add(self._device, event.encoded_dataset(include_meta=True))
        except RefusedError as refused:
            log.warning("%s: C-STORE %04X of %s: %s", peer, refused.status, uid, _without_patient(refused))
            _log_refusal(event, refused)
            return failure(refused.status, str(refused))
        log.info("%s: C-STORE 0000 of %s", peer, uid)
        return SUCCESS


def _log_refusal(event: evt.Event, refused: RefusedError) -> None:
    """Log the answer in upstream's form (dcm4che-net, Dimse.toString); its comment names patient ids, ours does not."""
    wire_log.info(
        "%s<-%s(%d) << %d:C-STORE-RSP[pcid=%d, status=%xH, errorComment=%s\n  tsuid=%s]",
        event.assoc.acceptor.ae_title,
        event.assoc.requestor.ae_title,
        event.assoc.native_id or 0,
        event.request.MessageID,
        event.context.context_id,
        refused.status,
        _without_patient(refused),
        event.context.transfer_syntax,
    )


def _without_patient(refused: RefusedError) -> str:
    """Return the reason; that of A778 names patient ids, which are no matter for the log."""
    return "Patient ID differs" if refused.status == CONFLICTING_PATIENT else str(refused)
