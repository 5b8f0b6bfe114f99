"""HL7 over MLLP as an engine speaks it: messages, frames, acknowledgements, and the archive's own application for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .support import DEVICES, Trio, numbers

ARCHIVE = f"dicomDeviceName=dcm4chee-arc,{DEVICES}"
# The named application takes this sender only, and imports reports (dcm4chee.md §2.2).
SENDER, NAMED, FACILITY = "ENGINE", "PACS|HOSP", "HOSP"
ISSUER = "HOSP"
TYPES = ("ADT^A04", "ADT^A08", "ADT^A40", "ORM^O01", "ORU^R01")
APPLICATION = f"hl7ApplicationName={NAMED},{ARCHIVE}"
APPLICATION_LDIF = (
    f"dn: {APPLICATION}\nchangetype: add\nobjectClass: hl7Application\nobjectClass: dcmArchiveHL7Application\n"
    f"hl7ApplicationName: {NAMED}\ndicomAETitle: DCM4CHEE\nhl7AcceptedSendingApplication: {SENDER}|{FACILITY}\n"
    + "".join(f"hl7AcceptedMessageType: {kind}\n" for kind in TYPES)
    + "hl7DefaultCharacterSet: UNICODE UTF-8\nhl7SendingCharacterSet: UNICODE UTF-8\nhl7ORUAction: IMPORT_REPORT\n"
    f"dicomNetworkConnectionReference: cn=hl7,{ARCHIVE}\n"
)


@dataclass(frozen=True)
class Answer:
    """An acknowledgement."""

    code: str
    control: str
    text: str
    error: str
    location: str
    reason: str

    @property
    def short(self) -> str:
        """Code and error number, such as `AE 101`."""
        return f"{self.code} {self.error}".strip()


class Line:
    """An MLLP connection."""

    def __init__(self, trio: Trio) -> None:
        self._socket = socket.create_connection((trio.host, 2575), timeout=60)
        self._rest = b""

    def raw(self, content: bytes) -> bytes:
        """Send one frame, return the content of the next; empty when the archive closes instead."""
        self._socket.sendall(b"\x0b" + content + b"\x1c\r")
        while b"\x1c\r" not in self._rest:
            received = self._socket.recv(1 << 16)
            if not received:
                return b""
            self._rest += received
        frame, self._rest = self._rest.split(b"\x1c\r", 1)
        assert frame.startswith(b"\x0b")
        return frame[1:]

    def send(self, content: str | bytes) -> Answer:
        """Send a message. Raises AssertionError when nothing comes back."""
        answer = self.raw(content if isinstance(content, bytes) else content.encode())
        assert answer, "closed without an answer"
        segments = {line[:3]: line.split("|") for line in answer.decode().split("\r") if line}
        acknowledged, error = segments["MSA"] + [""] * 4, segments.get("ERR", []) + [""] * 9
        return Answer(acknowledged[1], acknowledged[2], acknowledged[3], error[3].split("^")[0], error[2], error[8])

    def close(self) -> None:
        """Close."""
        self._socket.close()


@contextmanager
def line(trio: Trio) -> Iterator[Line]:
    """Open a connection for a while."""
    made = Line(trio)
    try:
        yield made
    finally:
        made.close()


def send(trio: Trio, *messages: str | bytes) -> list[str]:
    """Send messages over one connection; return what came back in short."""
    with line(trio) as connection:
        return [connection.send(content).short for content in messages]


def accepted(trio: Trio, *messages: str | bytes) -> None:
    """Send messages that are all to be accepted."""
    assert send(trio, *messages) == ["AA"] * len(messages)


def msh(
    kind: str, receiver: str = "ANY|ANY", sender: str = f"{SENDER}|{FACILITY}", charset: str = "UNICODE UTF-8", escape: str = "\\"
) -> str:
    """Return a header with a control id of its own."""
    return f"MSH|^~{escape}&|{sender}|{receiver}|20260115093001||{kind}|C{next(numbers)}|T|2.5.1||||||{charset}"


def message(kind: str, *segments: str, **header: Any) -> str:
    """Return a message; `header` is that of `msh`."""
    return "\r".join((msh(kind, **header), *segments)) + "\r"


def new_pid() -> str:
    """Return a patient number that no test had."""
    return f"HL7-{next(numbers)}"


def pid_segment(pid: str, name: str = "Quillfeather^Marisol^T", issuer: str = ISSUER, born: str = "19840229", sex: str = "F") -> str:
    """Return a PID."""
    return f"PID|1||{pid}^^^{issuer}||{name}||{born}|{sex}"


def adt(event: str, pid: str, *more: str, receiver: str = "ANY|ANY", charset: str = "UNICODE UTF-8", **patient: str) -> str:
    """Return a patient message."""
    return message(f"ADT^{event}", pid_segment(pid, **patient), *more, receiver=receiver, charset=charset)


def mrg(pid: str, issuer: str = ISSUER) -> str:
    """Return an MRG."""
    return f"MRG|{pid}^^^{issuer}"


def patient(trio: Trio, pid: str, **keys: str) -> list[dict[str, Any]]:
    """Return the patients with a number."""
    more = "".join(f"&{name}={value}" for name, value in keys.items())
    return trio.found(f"patients?PatientID={pid}{more}")


def name_of(match: dict[str, Any]) -> str:
    """Return the alphabetic name, empty when there is none."""
    values = match.get("00100010", {}).get("Value") or [{}]
    return str(values[0].get("Alphabetic", ""))
