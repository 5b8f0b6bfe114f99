"""HL7 v2 as the suite speaks it: messages as text, sent by MLLP, answers read with the library `hl7`."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import hl7

from .lab import Address

# Frame of the Minimal Lower Layer Protocol (HL7 v2 transport specification).
START, END = b"\x0b", b"\x1c\r"
CONNECT_SECONDS, ANSWER_SECONDS = 10, 60


@dataclass(frozen=True)
class Acknowledgement:
    """MSA-1, MSA-2 and MSA-3 of an answer."""

    code: str
    control_id: str
    text: str


def message(*segments: str) -> str:
    """Return segments as one message: each ends in CR."""
    return "".join(f"{segment}\r" for segment in segments)


def parse(text: str) -> hl7.Message:
    """Return a message for reading. Raises AssertionError when it is none."""
    try:
        return hl7.parse(text.replace("\r\n", "\r").replace("\n", "\r"))
    except hl7.ParseException as error:
        raise AssertionError(f"no HL7 message: {text[:200]!r}: {error}") from error


def field(segment: hl7.Segment, number: int, component: int = 1) -> str:
    """Return a component of a field's first repetition as text, escapes decoded; empty when it is absent."""
    try:
        return str(segment.extract_field(1, number, 1, component))
    except (IndexError, LookupError):
        return ""


def send_and_hang_up(where: Address, text: str) -> None:
    """Send one message and close the connection without reading the answer. Raises AssertionError when there is no connection."""
    try:
        with socket.create_connection((where.host, where.port), CONNECT_SECONDS) as line:
            line.sendall(START + text.encode() + END)
    except OSError as error:
        raise AssertionError(f"MLLP at {where}: {error}") from error


def send(where: Address, text: str, encoding: str = "utf-8") -> Acknowledgement:
    """Send one message on a connection of its own and return the answer. Raises AssertionError when there is none."""
    try:
        with socket.create_connection((where.host, where.port), CONNECT_SECONDS) as line:
            line.settimeout(ANSWER_SECONDS)
            line.sendall(START + text.encode(encoding) + END)
            answer = b""
            while not answer.endswith(END):
                more = line.recv(65536)
                assert more, f"MLLP at {where}: the connection was cut after {len(answer)} bytes of the answer"
                answer += more
    except OSError as error:
        raise AssertionError(f"MLLP at {where}: {error}") from error
    parsed = parse(answer.removeprefix(START).removesuffix(END).decode("utf-8", "replace"))
    msa = parsed.segment("MSA")
    return Acknowledgement(field(msa, 1), field(msa, 2), field(msa, 3))
