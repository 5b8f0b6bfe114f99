"""What a journey left behind, written down, so that later runs can read it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .compare import frames_of, read
from .lab import Lab
from .openemr import OpenEmrCharts, Registered
from .phantoms import Study
from .web import DicomWeb


def file_of(lab: Lab) -> Path:
    """The record's file."""
    return lab.artifacts / "journey.json"


def digest(frames: Iterable[bytes]) -> str:
    """SHA-256 of all frames."""
    return hashlib.sha256(b"".join(frames)).hexdigest()


def studies_of(studies: dict[str, Study]) -> dict[str, dict[str, Any]]:
    """Return each procedure's study: its UID, its series, and its objects with the digest of their pixels."""
    return {
        code: {
            "study": study.uid,
            "series": study.series_uid,
            "objects": {str(one.SOPInstanceUID): digest(frames_of(one)) for one in study.objects},
        }
        for code, study in studies.items()
    }


def write(lab: Lab, patient: Registered, order: int, studies: dict[str, Study], charts: OpenEmrCharts, pdf: bytes) -> None:
    """Write down a journey that was walked to its end."""
    record = {
        "pid": patient.pid,
        "uuid": patient.uuid,
        "order": order,
        "studies": studies_of(studies),
        "reports": [[one.line, one.status, one.text] for one in charts.reports(order)],
        "pdf": hashlib.sha256(pdf).hexdigest(),
    }
    file_of(lab).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def lost(record: dict[str, Any], dicomweb: DicomWeb) -> list[str]:
    """Return in words which objects the archive no longer has as they were."""
    found = []
    for code, one in record["studies"].items():
        for sop, pixels in one["objects"].items():
            try:
                back = read(dicomweb.file(one["study"], one["series"], sop))
            except AssertionError as error:
                found.append(f"{code}: {error}")
                continue
            if digest(frames_of(back)) != pixels:
                found.append(f"{code}: {sop} has other pixels")
    return found
