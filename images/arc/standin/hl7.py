"""The HL7 port: MLLP frames, which application a message is for, and whether it may have it (dcm4chee.md §4.1)."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable

from standin import adt, orders, reports
from standin.device import Device
from standin.errors import DatabaseError
from standin.hl7config import Application
from standin.hl7text import (
    APPLICATION_INTERNAL_ERROR,
    REQUIRED_FIELD_MISSING,
    TABLE_VALUE_NOT_FOUND,
    UNSUPPORTED_EVENT_CODE,
    UNSUPPORTED_MESSAGE_TYPE,
    Header,
    Hl7Error,
    parse,
)
from standin.mllp import END, START, frames
from standin.received import Received
from standin.registry import Registry
from standin.storing import Store

log = logging.getLogger("standin.hl7")

IDLE_SECONDS = 300  # dcmIdleTimeout of upstream's connection
REQUIRED = {
    3: "Missing Sending Application", 4: "Missing Sending Facility", 5: "Missing Receiving Application", 6: "Missing Receiving Facility",
    7: "Missing Date/Time of Message", 9: "Missing Message Type", 10: "Missing Message Control ID", 11: "Missing Processing ID",
    12: "Missing Version ID",
}  # fmt: skip
PATIENT_EVENTS = "A01 A02 A03 A04 A05 A06 A07 A08 A10 A11 A12 A13 A28 A31 A38 A40 A47"
# What is accepted and not listed here is acknowledged, no more.
HANDLERS: dict[str, Callable[[Received], None]] = {
    **{f"ADT^{event}": adt.receive for event in PATIENT_EVENTS.split()},
    **dict.fromkeys(("ORM^O01", "OMG^O19", "OMI^O23"), orders.receive),
    "ORU^R01": reports.receive,
}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50


class Hl7Port:
    """Listens for all applications of the device; takes a new device at the next message."""

    def __init__(self, registry: Registry, store: Store) -> None:
        self._registry = registry
        self._store = store
        self._device: Device | None = None
        self._server: _Server | None = None
        self._port: int | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self, device: Device) -> None:
        """Listen as `device` says; on the same port as before connections stay. Raises OSError when the port is taken."""
        self._device = device
        if self._server is not None and self._port != device.hl7.port:
            self._end_server()
        if self._server is None and device.hl7.port is not None:
            self._server = _Server(("0.0.0.0", device.hl7.port), self._handler())
            self._port = device.hl7.port
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="hl7", daemon=True).start()
            log.info("Start TCP Listener on 0.0.0.0:%d for %s", device.hl7.port, ", ".join(sorted(device.hl7.applications)))

    def close(self) -> None:
        """Stop listening and cut open connections."""
        self._end_server()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError as error:
                    log.debug("already closed: %s", error)

    def _end_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        serve = self._serve

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(self.request, self.client_address[0])

        return Handler

    def _serve(self, connection: socket.socket, peer: str) -> None:
        """Answer message after message, until the peer closes, is idle, or sends what is no frame or an empty one."""
        connection.settimeout(IDLE_SECONDS)
        with self._lock:
            self._connections.add(connection)
        try:
            for content in frames(connection):
                header = Header(content)
                try:
                    self._receive(header, content)
                    answer, outcome = header.acknowledge(), "AA"
                except Hl7Error as refused:
                    answer, outcome = header.acknowledge(refused), f"refused, {refused.code.partition('^')[0]}"
                log.info("%s: %s %s of %s: %s", peer, header.message_type, header[10], header.sender, outcome)
                connection.sendall(START + answer + END)
        except (OSError, ValueError) as error:
            log.info("%s: HL7 connection closed: %s", peer, error)
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _receive(self, header: Header, content: bytes) -> None:
        """Do what a message says. Raises Hl7Error when it is refused."""
        assert self._device is not None
        application = admit(header, self._device)
        handler = HANDLERS.get(header.message_type)
        if handler is None:
            return
        try:
            handler(Received(parse(content, application.character_set), application, self._device, self._registry, self._store))
        except DatabaseError as error:
            reason = f"org.hibernate.exception.GenericJDBCException: Unable to acquire JDBC Connection [{error}]"
            raise Hl7Error(APPLICATION_INTERNAL_ERROR, reason) from error
        except ValueError as error:
            log.exception("%s %s", header.message_type, header[10])
            raise Hl7Error(APPLICATION_INTERNAL_ERROR, str(error)) from error


def admit(header: Header, device: Device) -> Application:
    """Return the application that the message is for. Raises Hl7Error when there is none, or it does not take such a message."""
    application = device.hl7.application(header.receiver)
    if application is None:
        raise Hl7Error(TABLE_VALUE_NOT_FOUND, "Receiving Application and/or Facility not recognized", "MSH^1^5^1^1")
    for number, reason in REQUIRED.items():
        if not header[number] and (number == 9 or number not in application.optional_fields):
            raise Hl7Error(REQUIRED_FIELD_MISSING, reason, f"MSH^1^{number}^1^1")
    if application.senders and header.sender not in application.senders:
        raise Hl7Error(TABLE_VALUE_NOT_FOUND, "Sending Application and/or Facility not recognized", "MSH^1^3^1^1")
    if not application.types & {"*", header.message_type}:
        if not any(accepted[:3] == header.message_type[:3] for accepted in application.types):
            raise Hl7Error(UNSUPPORTED_MESSAGE_TYPE, "Message Type - Message Code not supported", "MSH^1^9^1^1")
        raise Hl7Error(UNSUPPORTED_EVENT_CODE, "Message Type - Trigger Event not supported", "MSH^1^9^1^2")
    return application
