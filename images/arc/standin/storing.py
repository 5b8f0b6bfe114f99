"""Storing one object, whichever way it came: checks, patient, file, index."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from standin import psu
from standin.device import Device, issuer_for
from standin.errors import DatabaseError, OrthancError, RefusedError, StorageError
from standin.filing import series_of
from standin.objects import Header, first, read_header
from standin.orthanc import Orthanc
from standin.patients import Identity
from standin.registry import Registry, find_key, obtain_key
from standin.status import CANNOT_UNDERSTAND, IDENTIFIER_DOES_NOT_MATCH, OUT_OF_RESOURCES, PROCESSING_FAILURE

# What a file takes beside its size: folders, and the file system's own blocks.
SLACK_BYTES = 64 * 1024


class Store:
    """Puts objects into Orthanc, then into the registry. What only Orthanc holds is not served, and is taken over when it comes again."""

    def __init__(self, registry: Registry, orthanc: Orthanc) -> None:
        self._registry = registry
        self._orthanc = orthanc
        self._promised = 0
        self._lock = threading.Lock()

    def add(self, device: Device, content: bytes, study_uid: str | None = None, patient: int | None = None) -> Header:
        """Store a Part 10 file, as it is; again is as good (dcm4chee.md §8.3). `study_uid`: refuse objects of another study.
        `patient`: the key of the patient that it is known to be of.

        Raises RefusedError with the DIMSE status upstream gives.
        """
        header = read_header(content)
        if study_uid and header.study_uid != study_uid:
            raise RefusedError(IDENTIFIER_DOES_NOT_MATCH, f"Study Instance UID {header.study_uid} is not {study_uid}")
        issuer = header.issuer
        if not issuer and device.main.issuer_format:
            issuer = issuer_for(
                device.main.issuer_format, {name: first(header.patient, name) for name in ("PatientName", "PatientBirthDate")}
            )
        try:
            with self._registry.transaction() as connection:
                series = series_of(connection, header, Identity(header.patient_id, issuer), patient)
                if find_key(connection, "instance", series=series, uid=header.sop_uid) is None:
                    kept = {
                        "sop_class": header.sop_class,
                        "transfer_syntax": header.transfer_syntax,
                        "orthanc_id": self._keep(device, content),
                    }
                    obtain_key(connection, "instance", header.instance, kept, series=series, uid=header.sop_uid)
                    psu.note(connection, device.hl7.psu, header)
        except DatabaseError as error:
            raise RefusedError(PROCESSING_FAILURE, f"Database: {error}") from error
        return header

    def _keep(self, device: Device, content: bytes) -> str:
        """Give the file to Orthanc; return its id. Raises RefusedError."""
        try:
            self._orthanc.ensure()  # makes the folder whose room is asked for
            with self._room_for(device, len(content)):
                return self._orthanc.add(content)
        except StorageError as error:
            raise RefusedError(PROCESSING_FAILURE, str(error)) from error
        except OrthancError as error:
            if error.status in (400, 404):
                raise RefusedError(CANNOT_UNDERSTAND, f"Cannot read object: {error}") from error
            if not os.access(device.storage, os.W_OK | os.X_OK):
                raise RefusedError(PROCESSING_FAILURE, f"AccessDenied: {device.storage}") from error
            raise RefusedError(PROCESSING_FAILURE, str(error)) from error

    @contextmanager
    def _room_for(self, device: Device, size: int) -> Iterator[None]:
        """Promise room on the storage for one file, so that no half file is begun. Raises RefusedError (A700) when there is none."""
        needed = size + SLACK_BYTES
        with self._lock:
            try:
                usage = os.statvfs(device.storage)
            except OSError as error:
                raise RefusedError(PROCESSING_FAILURE, f"{type(error).__name__}: {device.storage}") from error
            if usage.f_bavail * usage.f_frsize - self._promised < needed:
                raise RefusedError(OUT_OF_RESOURCES, f"No space left on {device.storage}")
            self._promised += needed
        try:
            yield
        finally:
            with self._lock:
                self._promised -= needed
