"""Orthanc as a child process: it keeps the files, and does all work on pixels. Reached on loopback only."""

from __future__ import annotations

import http.client
import json
import logging
import os
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from standin.errors import OrthancError, StorageError
from standin.settings import Settings

log = logging.getLogger("standin.orthanc")

HOST = "127.0.0.1"
PORT = 8042
PLUGINS = Path("/usr/share/orthanc/plugins")
START_SECONDS = 60.0
STOP_SECONDS = 1.2
REQUEST_SECONDS = 120.0
INDEX_CONNECTIONS = 3
# After a restart of PostgreSQL each of the index's connections fails once, with this code, before it is made anew.
DATABASE_UNAVAILABLE = 36
ATTEMPTS = INDEX_CONNECTIONS + 1


class Orthanc:
    """One Orthanc on one storage folder. `died` is called when it ends without being told to."""

    def __init__(self, settings: Settings, died: Callable[[], None]) -> None:
        self._settings = settings
        self._died = died
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._public_root = ""
        self._last_lines: deque[str] = deque(maxlen=15)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._adding = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the child process lives."""
        return self._process is not None and self._process.poll() is None

    def use(self, folder: Path, public_root: str) -> None:
        """Keep files in `folder` from now on; `public_root` is DICOMweb's path as clients see it. Restarts a running Orthanc."""
        with self._lock:
            changed = (folder, public_root) != (self._folder, self._public_root)
            self._folder, self._public_root = folder, public_root
            if changed and self.running:
                self._end()

    def ensure(self) -> None:
        """Start Orthanc unless it runs.

        Raises StorageError when its folder cannot be made: the archive runs on without (dcm4chee.md §9.2), and the next
        caller tries again. Raises OrthancError when it does not come up, and after `stop`.
        """
        with self._lock:
            if self.running:
                return
            if self._stopping.is_set():
                raise OrthancError(503, 0, "the archive is stopping")
            assert self._folder is not None
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"{type(error).__name__}: {self._folder}: {error.strerror}") from error
            self._start()

    def stop(self) -> None:
        """End the child process for good, also one that is still starting, which holds the lock."""
        self._stopping.set()
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # What it acknowledged is on disk and in the database.
            process.kill()
            process.wait()

    def _start(self) -> None:
        # Holds the database password, so it is for this process's user only and gone as soon as Orthanc has read it.
        handle, name = tempfile.mkstemp(suffix=".json")
        with os.fdopen(handle, "w") as file:
            json.dump(self._configuration(), file)
        process = subprocess.Popen(
            ["/usr/sbin/Orthanc", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._relay, args=(process,), name="orthanc-log", daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        try:
            while True:
                try:
                    self.call("GET", "/system", timeout=1)
                    break
                except OrthancError:
                    # Nothing else to await: Orthanc tells only by its port.
                    if self._stopping.wait(0.05) or process.poll() is not None or time.monotonic() > deadline:
                        process.kill()
                        process.wait()
                        raise OrthancError(503, 0, "Orthanc does not start: " + " | ".join(self._last_lines)) from None
        finally:
            Path(name).unlink()
        self._process = process
        threading.Thread(target=self._watch, args=(process,), name="orthanc-watch", daemon=True).start()
        log.info("Orthanc keeps files in %s", self._folder)

    def _configuration(self) -> dict[str, Any]:
        settings = self._settings
        user, password = quote(settings.database_user, safe=""), quote(settings.database_password, safe="")
        server = f"{settings.database_host}:{settings.database_port}/{quote(settings.database_name, safe='')}"
        return {
            "Name": "arc",
            "StorageDirectory": str(self._folder),
            "IndexDirectory": tempfile.gettempdir(),
            "Plugins": [str(PLUGINS / f"libOrthanc{name}.so") for name in ("DicomWeb", "PostgreSQLIndex")],
            "HttpPort": PORT,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "OverwriteInstances": False,
            "StorageCompression": False,
            "SaveJobs": False,
            "SyncStorageArea": False,
            "HttpCompressionEnabled": False,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "PublicRoot": self._public_root, "EnableWado": False},
            "PostgreSQL": {
                "EnableIndex": True,
                "EnableStorage": False,
                "Lock": False,
                "ConnectionUri": f"postgresql://{user}:{password}@{server}",
                "IndexConnectionsCount": INDEX_CONNECTIONS,
                "MaximumConnectionRetries": 10,
                "ConnectionRetryInterval": 1,
            },
        }

    def _relay(self, process: subprocess.Popen[str]) -> None:
        """Put Orthanc's errors into our log."""
        assert process.stdout is not None
        for line in process.stdout:
            self._last_lines.append(line.strip())
            if line.startswith("E"):
                log.error("%s", line.strip())

    def _watch(self, process: subprocess.Popen[str]) -> None:
        code = process.wait()
        if self._process is process:
            log.error("Orthanc ended with %s: %s", code, " | ".join(self._last_lines))
            self._died()

    def call(self, method: str, path: str, body: bytes | None = None, timeout: float = REQUEST_SECONDS) -> bytes:
        """Return the body of the answer. Raises OrthancError when it is no success, and when Orthanc is away (503)."""
        error = OrthancError(503, 0, "Orthanc is away")
        for _ in range(ATTEMPTS):
            connection = http.client.HTTPConnection(HOST, PORT, timeout=timeout)
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as away:
                raise OrthancError(503, 0, f"Orthanc is away: {away}") from away
            finally:
                connection.close()
            if answer.status == 200:
                return content
            error = error_of(answer.status, content)
            if error.code != DATABASE_UNAVAILABLE:
                break
        raise error

    def add(self, content: bytes) -> str:
        """Keep a Part 10 file as it is; return Orthanc's id of it, also when it was there. Raises OrthancError, StorageError."""
        self.ensure()
        # One at a time: the index plugin's transactions are serializable, parallel ones mostly fail.
        with self._adding:
            return str(json.loads(self.call("POST", "/instances", content))["ID"])

    def file(self, orthanc_id: str, transfer_syntax: str | None = None) -> bytes:
        """Return a Part 10 file as it was stored, or recoded. Raises OrthancError, also when Orthanc cannot decode it, StorageError."""
        self.ensure()
        return self.call("GET", f"/instances/{orthanc_id}/file{f'?transcode={transfer_syntax}' if transfer_syntax else ''}")


def error_of(status: int, content: bytes) -> OrthancError:
    """Return what an answer of Orthanc other than 200 means."""
    try:
        answer = json.loads(content)
        reason = answer.get("Details") or answer.get("Message") or answer.get("OrthancError") or f"HTTP {status}"
        return OrthancError(status, int(answer.get("OrthancStatus", 0)), str(reason))
    except (ValueError, AttributeError):
        return OrthancError(status, 0, f"HTTP {status}")
