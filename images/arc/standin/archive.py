"""The archive as a whole: boot, reload, stop, and what state that leaves it in (dcm4chee.md §8.2)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import Enum

from standin.device import Device, Directory
from standin.dimse import DicomPort
from standin.errors import ConfigurationError, DatabaseError, LdapError, OrthancError, StorageError
from standin.hl7 import Hl7Port
from standin.lacking import LackingPorts
from standin.orthanc import Orthanc
from standin.psu import Updates
from standin.registry import Registry
from standin.sending import Sender
from standin.settings import Settings
from standin.storing import Store

log = logging.getLogger("standin.archive")


class State(Enum):
    """What became of the boot, and what `/ctrl/start` and `/ctrl/stop` made of it."""

    BOOTING = "BOOTING"
    NO_DEVICE = "NO_DEVICE"
    NO_DATABASE = "NO_DATABASE"
    STARTED = "STARTED"
    STOPPED = "STOPPED"


class Archive:
    """Owns device, registry, Orthanc, the DICOM and the HL7 port. A failed boot is final: only a restart of the container heals it."""

    def __init__(self, settings: Settings, died: Callable[[], None]) -> None:
        self.settings = settings
        self.state = State.BOOTING
        self.directory = Directory(settings)
        self.registry = Registry(settings)
        self.orthanc = Orthanc(settings, died)
        self.store = Store(self.registry, self.orthanc)
        self._port = DicomPort(self.directory, self.registry, self.orthanc, self.store)
        self._hl7 = Hl7Port(self.registry, self.store)
        self._sender = Sender(self.registry, self.directory)
        self._updates = Updates(self.registry, self._sender)
        self._lacking = LackingPorts()
        self._device: Device | None = None
        self._lock = threading.Lock()

    @property
    def device(self) -> Device:
        """The device as of the last good (re)load. Only a booted archive has one."""
        assert self._device is not None
        return self._device

    def boot(self) -> None:
        """Read LDAP, open the database, start Orthanc, listen. A fault is logged and kept as state."""
        try:
            device = self.directory.read_device()
        except (LdapError, ConfigurationError) as error:
            log.error("cannot build the device, and will not try again: %s", error)
            self.state = State.NO_DEVICE
            return
        try:
            self.registry.open()
            self._use(device)
            self._start_orthanc()
        except (DatabaseError, OrthancError) as error:
            log.error("no database or no Orthanc, and will not try again: %s", error)
            self.state = State.NO_DATABASE
            return
        try:
            self._listen()
        except OSError as error:
            log.error("cannot listen: %s", error)
            self.state = State.NO_DEVICE
            return
        self.state = State.STARTED
        log.info("archive device %s is STARTED", device.name)

    def reload(self) -> None:
        """Read LDAP again and take what it says.

        Raises LdapError and ConfigurationError (the old device stays), OrthancError and OSError (the new one counts, but its storage or
        its port is not open; a second reload tries again).
        """
        with self._lock:
            if self._device is None:
                raise LdapError("the archive did not start")
            device = self.directory.read_device()
            self.directory.forget()
            self._use(device)
            self._start_orthanc()
            if self.state is State.STARTED:
                self._listen()
            log.info("reloaded")

    def start(self) -> None:
        """Listen again after `stop`. Raises OSError when the port is taken."""
        with self._lock:
            self._listen()
            self.state = State.STARTED

    def stop(self) -> None:
        """Close the DICOM and HL7 ports; queries by HTTP go on."""
        with self._lock:
            self._port.close()
            self._hl7.close()
            self._lacking.use(frozenset())
            self.state = State.STOPPED

    def end(self) -> None:
        """Release everything, within about a second: port and Orthanc side by side, each takes most of it."""
        closing = threading.Thread(target=self._port.close, name="closing")
        closing.start()
        for part in (self._hl7, self._updates, self._sender):
            part.close()
        self.orthanc.stop()
        closing.join()
        self.registry.close()

    def _listen(self) -> None:
        """Open the device's ports, and send what is to be sent. Raises OSError."""
        self._port.open(self.device)
        self._hl7.open(self.device)
        self._sender.open(self.device)
        self._updates.open(self.device)
        self._lacking.use(self.device.lacking)

    def _use(self, device: Device) -> None:
        self._device = device
        self.orthanc.use(device.storage, f"/dcm4chee-arc/aets/{device.main.title}/rs/")

    def _start_orthanc(self) -> None:
        try:
            self.orthanc.ensure()
        except StorageError as error:
            log.error("storage: %s; nothing can be stored until that is mended", error)
