"""MLLP: how HL7 messages are framed on a connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator

START, END = b"\x0b", b"\x1c\r"


def frames(connection: socket.socket) -> Iterator[bytes]:
    """Yield the content of each MLLP frame. Raises ValueError for bytes outside a frame, OSError for a broken connection."""
    buffer = bytearray()
    searched = 0
    while True:
        end = buffer.find(b"\x1c", searched)
        if 0 <= end < len(buffer) - 1:
            if buffer[end + 1 : end + 2] != END[1:]:
                raise ValueError("1C not followed by 0D")
            yield bytes(buffer[1:end])
            del buffer[: end + 2]
            searched = 0
        else:
            searched = max(len(buffer) - 1, 0) if end < 0 else end
            received = connection.recv(1 << 16)
            if not received:
                return
            buffer += received
        if buffer and not buffer.startswith(START):
            raise ValueError("Missing Start Block character")
