"""Outgoing HL7: a queue in the database, sent in order of age, retried where nobody answers (dcm4chee.md §4.3)."""

from __future__ import annotations

import logging
import socket
import threading

import psycopg

from standin.device import Device, Directory
from standin.errors import DatabaseError, LdapError
from standin.mllp import END, START, frames
from standin.registry import Registry, Row

log = logging.getLogger("standin.sending")

CONNECT_SECONDS = 5  # dcmTCPConnectTimeout of upstream's connection
RESPONSE_SECONDS = 5  # dcmResponseTimeout
LOOK_SECONDS = 30.0


def schedule(connection: psycopg.Connection[Row], receiver: str, content: bytes) -> None:
    """Put a message for an application `App|Facility` into the queue."""
    connection.execute("INSERT INTO standin.hl7_task (receiver, message) VALUES (%s, %s)", (receiver, content))


class Sender:
    """Sends what the queue holds: AA ends a task, any other answer makes it a warning that is not repeated, silence a retry."""

    def __init__(self, registry: Registry, directory: Directory) -> None:
        self._registry = registry
        self._directory = directory
        self._device: Device | None = None
        self._awake = threading.Event()
        self._stopped = threading.Event()

    def open(self, device: Device) -> None:
        """Begin, or take a new device."""
        begun, self._device = self._device is not None, device
        self.wake()
        if not begun:
            threading.Thread(target=self._run, name="sending", daemon=True).start()

    def wake(self) -> None:
        """Look at the queue now."""
        self._awake.set()

    def close(self) -> None:
        """End for good; what is in the queue stays there."""
        self._stopped.set()
        self.wake()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.is_set():
            self._awake.wait(pause)
            self._awake.clear()
            try:
                pause = self._look()
            except DatabaseError as error:
                log.warning("nothing sent: %s", error)
                pause = LOOK_SECONDS

    def _look(self) -> float:
        """Send what is due; return the seconds until something is again. Raises DatabaseError."""
        due = self._registry.rows(
            "SELECT pk, receiver, message, attempts FROM standin.hl7_task WHERE status = 'SCHEDULED' AND due <= now() ORDER BY pk", []
        )
        for task in due:
            if self._stopped.is_set():
                break
            self._send(*task)
        waiting = self._registry.rows(
            "SELECT extract(epoch FROM min(due) - now())::float FROM standin.hl7_task WHERE status = 'SCHEDULED'", []
        )
        seconds = waiting[0][0]
        return LOOK_SECONDS if seconds is None else min(max(seconds, 0.05), LOOK_SECONDS)

    def _send(self, key: int, receiver: str, content: bytes, attempts: int) -> None:
        assert self._device is not None
        retry = self._device.hl7.retry
        try:
            answer = self._exchange(receiver, content)
        except (OSError, ValueError, LdapError) as error:
            status = "SCHEDULED" if attempts < retry.attempts else "FAILED"
            seconds = min(retry.delay * retry.factor**attempts, retry.longest)
            log.warning("message to %s %s: %s", receiver, "SCHEDULED FOR RETRY" if status == "SCHEDULED" else status, error)
            self._note(key, status, str(error), seconds)
            return
        if answer == "AA":
            log.info("message to %s accepted", receiver)
            with self._registry.transaction() as connection:
                connection.execute("DELETE FROM standin.hl7_task WHERE pk = %s", (key,))
        else:
            log.warning("message to %s answered %s, not repeated", receiver, answer)
            self._note(key, "WARNING", answer, 0)

    def _note(self, key: int, status: str, outcome: str, seconds: float) -> None:
        with self._registry.transaction() as connection:
            connection.execute(
                "UPDATE standin.hl7_task SET status = %s, outcome = %s, attempts = attempts + 1, due = now() + make_interval(secs => %s)"
                " WHERE pk = %s",
                (status, outcome, seconds, key),
            )

    def _exchange(self, receiver: str, content: bytes) -> str:
        """Send a message on a connection of its own; return MSA-1. Raises OSError, ValueError, LdapError."""
        peer = self._directory.hl7_receiver(receiver)
        if peer is None:
            raise OSError(f"no HL7 application {receiver} in LDAP")
        with socket.create_connection((peer.host, peer.port), timeout=CONNECT_SECONDS) as connection:
            connection.settimeout(RESPONSE_SECONDS)
            connection.sendall(START + content + END)
            answer = next(frames(connection), b"")
        for line in answer.decode("utf-8", "replace").replace("\n", "\r").split("\r"):
            if line.startswith("MSA"):
                return [*line.split(line[3:4] or "|"), ""][1]
        raise OSError("TCP connection dropped while waiting for response" if not answer else "no acknowledgement")
