"""Storage commitment: N-ACTION in, the result on an association of our own (dcm4chee.md §8.3)."""

from __future__ import annotations

import logging
import threading

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from standin.device import Directory, Peer
from standin.errors import DatabaseError, LdapError
from standin.query import locate
from standin.registry import Registry
from standin.status import CLASS_CONFLICT, NO_SUCH_OBJECT, PROCESSING_FAILURE, SUCCESS, failure

log = logging.getLogger("standin.commitment")

# Seconds before each attempt: at once, after the N-ACTION's answer, then as upstream's queue StgCmtSCP.
ATTEMPTS = (0.2, 30, 60, 120, 240, 480, 600, 600, 600, 600, 600)


class Commitment:
    """Answers requests, and reports each result in a thread of its own."""

    def __init__(self, ae: AE, directory: Directory, registry: Registry) -> None:
        self._ae = ae
        self._directory = directory
        self._registry = registry
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Give up results not reported yet."""
        self._stopped.set()

    def on_action(self, event: evt.Event) -> tuple[Dataset | int, None]:
        """Accept a request of a known AE; it is looked up in LDAP, for its result needs an address."""
        title = str(event.assoc.requestor.ae_title)
        try:
            peer = self._directory.peer(title)
            if peer is None:
                return failure(PROCESSING_FAILURE, f"Unknown Calling AET: {title}"), None
            report = self._report(event.action_information)
        except (LdapError, DatabaseError) as error:
            return failure(PROCESSING_FAILURE, str(error)), None
        self._stopped.clear()
        threading.Thread(target=self._deliver, args=(peer, report), name=f"commitment-{title}", daemon=True).start()
        return SUCCESS, None

    def _report(self, request: Dataset) -> Dataset:
        """Return the event information: what is stored, and what is not with the reason. Raises DatabaseError."""
        wanted = list(request.get("ReferencedSOPSequence", []))
        uids = "\\".join(str(item.ReferencedSOPInstanceUID) for item in wanted)
        stored = {found.sop_uid: found.sop_class for found in locate(self._registry, {"SOPInstanceUID": uids})} if uids else {}
        committed, failed = [], []
        for item in wanted:
            sop_class = stored.get(str(item.ReferencedSOPInstanceUID))
            if sop_class == item.ReferencedSOPClassUID:
                committed.append(item)
            else:
                item.FailureReason = NO_SUCH_OBJECT if sop_class is None else CLASS_CONFLICT
                failed.append(item)
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        report.RetrieveAETitle = self._ae.ae_title
        if committed:
            report.ReferencedSOPSequence = committed
        if failed:
            report.FailedSOPSequence = failed
        return report

    def _deliver(self, peer: Peer, report: Dataset) -> None:
        for delay in ATTEMPTS:
            if self._stopped.wait(delay):
                return
            association = self._ae.associate(
                peer.host,
                peer.port,
                contexts=[build_context(StorageCommitmentPushModel)],
                ae_title=peer.title,
                ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
            )
            if not association.is_established:
                log.warning("commitment result for %s: %s:%d does not accept the association", peer.title, peer.host, peer.port)
                continue
            event_type = 2 if "FailedSOPSequence" in report else 1
            instance = "1.2.840.10008.1.20.1.1"
            status, _ = association.send_n_event_report(report, event_type, StorageCommitmentPushModel, instance)
            association.release()
            if status and status.Status == 0:
                log.info("commitment result delivered to %s", peer.title)
                return
            log.warning("commitment result for %s answered %s", peer.title, f"{status.Status:04X}" if status else "not at all")
        log.error("commitment result for %s given up", peer.title)
