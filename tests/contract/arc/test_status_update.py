"""Procedure Status Updates out: when they come, what they say, and what becomes of them (dcm4chee.md §4.3)."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydicom.dataset import Dataset

from ..conftest import docker
from .hl7 import ARCHIVE, ISSUER, NAMED, accepted
from .orders import Order, state
from .reports import oru, study, text
from .support import DEVICES, SUCCESS, Trio, another, image, is_standin, numbers, wait_until_started

# Delay and poll, and what upstream takes longer: its first poll comes 40 to 85 s after a reload.
WAIT = 15 if is_standin else 120
QUIET = 4


class Receiver:
    """An HL7 listener on this host; `answer` is MSA-1, None for none."""

    def __init__(self) -> None:
        self.got: queue.Queue[str] = queue.Queue()
        self.answer: str | None = "AA"
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._one(connection)

    def _one(self, connection: socket.socket) -> None:
        content = b""
        while b"\x1c\r" not in content:
            received = connection.recv(4096)
            if not received:
                return
            content += received
        sent = content.removeprefix(b"\x0b").partition(b"\x1c")[0].decode()
        self.got.put(sent)
        if self.answer:
            control = sent.split("|")[9]
            connection.sendall(f"\x0bMSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|{self.answer}|{control}\r\x1c\r".encode())

    def next(self, seconds: float = WAIT) -> dict[str, list[str]]:
        """Return the next message by segment. Raises queue.Empty."""
        found = self.got.get(timeout=seconds)
        return {part[:3]: ["", *part.split("|")[1:]] if part.startswith("MSH") else part.split("|") for part in found.split("\r") if part}

    def quiet(self, seconds: float = QUIET) -> bool:
        """Return whether nothing comes for a while."""
        try:
            self.got.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture
def receiver(trio: Trio, hl7: None) -> Iterator[Receiver]:
    """A receiver that is registered, and status updates for it."""
    made = Receiver()
    name = f"ENGINE{next(numbers)}|HOSP"
    register(trio, name, made.port)
    with updates(trio, name):
        yield made
    made.close()


def register(trio: Trio, name: str, port: int) -> None:
    """Register an HL7 application on this host (§2.2)."""
    device = f"dicomDeviceName={name.partition('|')[0].lower()},{DEVICES}"
    trio.modify(
        f"dn: {device}\nchangetype: add\nobjectClass: dicomDevice\nobjectClass: dcmDevice\n"
        f"dicomDeviceName: {name.partition('|')[0].lower()}\ndicomInstalled: TRUE\n\n"
        f"dn: cn=hl7,{device}\nchangetype: add\nobjectClass: dicomNetworkConnection\nobjectClass: dcmNetworkConnection\n"
        f"cn: hl7\ndicomHostname: {trio.gateway}\ndicomPort: {port}\ndcmProtocol: HL7\n\n"
        f"dn: hl7ApplicationName={name},{device}\nchangetype: add\nobjectClass: hl7Application\n"
        f"hl7ApplicationName: {name}\ndicomNetworkConnectionReference: cn=hl7,{device}\n"
    )


def updates(trio: Trio, receiver: str, **settings: str | None) -> AbstractContextManager[None]:
    """Set the device's status updates for a while; a setting of None is left out."""
    values = {
        "hl7PSUAction": "SEND_NOTIFICATION",
        "hl7PSUTrigger": "STUDY_RECEIVED",
        "hl7PSUMessageType": "ORU_R01",
        "hl7PSUDelay": "PT1S",
        "hl7PSUTaskPollingInterval": "PT1S",
        "hl7PSUSendingApplication": NAMED,
        "hl7PSUReceivingApplication": receiver,
        **settings,
    }
    return trio.settings(ARCHIVE, values, dict.fromkeys(values))


def images_of(order: Order, **attributes: Any) -> Dataset:
    return image(PatientID=order.pid, IssuerOfPatientID=ISSUER, StudyInstanceUID=order.uid, **attributes)


def test_message_on_an_order(trio: Trio, receiver: Receiver) -> None:
    """§4.3: ORU content; OBR-19 is the Study UID, one OBX 113014, accession from the order when the image has none."""
    order = Order(name="Quillfeather^Marisol^T^Jr^Dr")
    accepted(trio, order.orm())
    assert trio.store(images_of(order, AccessionNumber=""))[0].Status == SUCCESS
    got = receiver.next()
    header = got["MSH"]
    assert (header[2:4], header[8], header[10:12], header[17]) == (NAMED.split("|"), "ORU^R01^ORU_R01", ["P", "2.5.1"], "UNICODE UTF-8")
    assert (got["PID"][3], got["PID"][5], got["PID"][7:9]) == (f"{order.pid}^^^{ISSUER}", "Quillfeather^Marisol^T^Jr^Dr", ["19840229", "F"])
    assert (got["ORC"][1:4], got["ORC"][5], got["PV1"][19].split("^")[0]) == (["SC", order.placer, order.filler], "CM", "9001")
    request = got["OBR"]
    assert (request[2], request[3], request[18], request[19]) == (order.placer, order.filler, order.accession, order.uid)
    assert (request[24], request[25], "TQ1" in got) == ("RAD", "R", True)
    assert (got["OBX"][3], got["OBX"][5], got["OBX"][11]) == ("113014^DICOM Study^DCM", order.uid, "O")
    assert receiver.quiet()


def test_message_on_a_study_without_order(trio: Trio, receiver: Receiver) -> None:
    """§4.3: the Study UID in OBR-2, OBR-3 and OBR-19, and in OBR-18 unless the image had an accession."""
    order = Order()
    sent = [images_of(order, AccessionNumber=""), images_of(Order(), AccessionNumber="OWN1")]
    for ds, accession in zip(sent, (sent[0].StudyInstanceUID, "OWN1"), strict=True):
        assert trio.store(ds)[0].Status == SUCCESS
        request = receiver.next()["OBR"]
        assert [request[number] for number in (2, 3, 19)] == [ds.StudyInstanceUID] * 3
        assert request[18] == accession


def test_other_type_of_message(trio: Trio, receiver: Receiver) -> None:
    """§4.3: OMG^O19, the default type, comes without PID and PV1 unless hl7PSUPIDPV1 is set."""
    name = f"TYPED{next(numbers)}|HOSP"
    register(trio, name, receiver.port)
    for setting, expected in ((None, False), ("TRUE", True)):
        with updates(trio, name, hl7PSUMessageType=None, hl7PSUPIDPV1=setting):
            assert trio.store(images_of(Order()))[0].Status == SUCCESS
            got = receiver.next()
            assert (got["MSH"][8], "PID" in got, "PV1" in got) == ("OMG^O19^OMG_O19", expected, expected)


def test_only_the_alphabetic_group(trio: Trio, receiver: Receiver) -> None:
    """§4.3: of a Japanese name only the alphabetic group is sent."""
    assert trio.store(images_of(Order(), PatientName="Yamada^Tarou=山田^太郎"))[0].Status == SUCCESS
    assert receiver.next()["PID"][5] == "Yamada^Tarou"


def test_last_image_counts(trio: Trio, receiver: Receiver) -> None:
    """§4.3: one message for a study, its delay counted from the last object."""
    name = f"DELAYED{next(numbers)}|HOSP"
    register(trio, name, receiver.port)
    with updates(trio, name, hl7PSUDelay="PT4S"):
        sent = images_of(Order())
        assert trio.store(sent)[0].Status == SUCCESS
        assert receiver.quiet(3)
        assert trio.store(another(sent))[0].Status == SUCCESS
        last = time.monotonic()
        receiver.next(WAIT + 4)
        assert time.monotonic() - last > 3.5
        assert receiver.quiet(6)


def test_imported_report_triggers_one_too(trio: Trio, receiver: Receiver) -> None:
    """§4.3: an imported report counts as STUDY_RECEIVED; the row stays SCHEDULED."""
    order = Order()
    accepted(trio, order.orm(), oru(order, study(order.uid), text("Lungs clear.")))
    assert receiver.next()["OBX"][5] == order.uid
    assert state(trio, order) == "SCHEDULED"


@pytest.mark.parametrize("missing", ["hl7PSUDelay", "hl7PSUAction", "hl7PSUTrigger", "hl7PSUSendingApplication"])
def test_what_is_unset_never_comes(trio: Trio, receiver: Receiver, missing: str) -> None:
    """§4.3: no action = feature off; nor does it run without trigger, delay or sender."""
    name = f"UNSET{next(numbers)}|HOSP"
    register(trio, name, receiver.port)
    with updates(trio, name, **{missing: None}):
        assert trio.store(images_of(Order()))[0].Status == SUCCESS
        assert receiver.quiet()


def test_polling_interval_unset_never_runs(trio: Trio, receiver: Receiver) -> None:
    """§4.3: hl7PSUTaskPollingInterval unset = never runs; what is pending goes out once there is one."""
    order = Order()
    name = f"UNPOLLED{next(numbers)}|HOSP"
    register(trio, name, receiver.port)
    with updates(trio, name, hl7PSUTaskPollingInterval=None):
        assert trio.store(images_of(order))[0].Status == SUCCESS
        assert receiver.quiet()
    with updates(trio, name):
        assert receiver.next()["OBX"][5] == order.uid


def test_receiver_that_ldap_does_not_know(trio: Trio, receiver: Receiver) -> None:
    """§4.3: the receiving application must exist in LDAP."""
    with updates(trio, "NOBODY|NOWHERE"):
        assert trio.store(images_of(Order()))[0].Status == SUCCESS
        assert receiver.quiet()


def test_status_of_the_worklist(trio: Trio, receiver: Receiver) -> None:
    """§4.3: UPDATE_MWL_STATUS clears the worklist row; SEND_NOTIFICATION alone does not."""
    order = Order()
    accepted(trio, order.orm())
    assert trio.store(images_of(order))[0].Status == SUCCESS
    receiver.next()
    assert state(trio, order) == "SCHEDULED"
    dn = f"dn: {ARCHIVE}\nchangetype: modify\n"
    trio.modify(f"{dn}add: hl7PSUAction\nhl7PSUAction: UPDATE_MWL_STATUS\n")
    assert trio.reload() == 204
    assert trio.store(images_of(order))[0].Status == SUCCESS
    receiver.next()
    assert state(trio, order) == "COMPLETED"


def test_refused_message_is_not_repeated(trio: Trio, receiver: Receiver) -> None:
    """§4.3: NACK: task WARNING, not repeated."""
    receiver.answer = "AE"
    with quick_retries(trio):
        assert trio.store(images_of(Order()))[0].Status == SUCCESS
        receiver.next()
        assert receiver.quiet(5)
    if is_standin:
        assert "answered AE, not repeated" in trio.arc.logs()


def quick_retries(trio: Trio) -> AbstractContextManager[None]:
    """Retry after a second (the queue HL7Send of the device)."""
    return trio.settings(f"dcmQueueName=HL7Send,{ARCHIVE}", {"dcmRetryDelay": "PT1S"}, {"dcmRetryDelay": "PT30S"})


def test_receiver_that_is_down(trio: Trio, receiver: Receiver) -> None:
    """§4.3: receiver down: scheduled for retry, delivered when it is back, the wait doubles."""
    receiver.answer = None
    with quick_retries(trio):
        order = Order()
        assert trio.store(images_of(order))[0].Status == SUCCESS
        times = []
        for _ in range(3):
            receiver.next(WAIT + 60)
            times.append(time.monotonic())
        receiver.answer = "AA"
        assert times[2] - times[1] > times[1] - times[0] + 0.5
        assert receiver.next(WAIT + 60)["OBX"][5] == order.uid
        assert receiver.quiet(3)
        assert "SCHEDULED FOR RETRY" in trio.arc.logs()


def test_pending_survives_a_kill(trio: Trio, receiver: Receiver) -> None:
    """§4.3: pending ones survive a restart and a `kill -9`."""
    name = f"KILLED{next(numbers)}|HOSP"
    register(trio, name, receiver.port)
    with updates(trio, name, hl7PSUDelay="PT3S"):
        order = Order()
        assert trio.store(images_of(order))[0].Status == SUCCESS
        docker("kill", trio.arc.name)
        docker("start", trio.arc.name)
        wait_until_started(trio.arc)
        assert receiver.next(WAIT + 60)["OBX"][5] == order.uid
