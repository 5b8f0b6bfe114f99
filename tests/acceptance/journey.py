"""What a journey left behind, written down, so that later runs can read it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

from .compare import frames_of, read
from .lab import Lab
from .modality import Row
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


def picture_of_worklist(browser: BrowserContext, rows: Iterable[Row], path: Path) -> None:
    """Keep a picture of worklist rows, as C-FIND gave them."""
    heads = ("Patient", "ID", "Born", "Accession number", "Procedure", "Modality", "Station", "Start")
    cells = [
        (
            *(row.item.PatientName, row.item.PatientID, row.item.PatientBirthDate, row.item.AccessionNumber),
            *(row.item.RequestedProcedureDescription, row.step.Modality, row.step.ScheduledStationAETitle),
            f"{row.step.ScheduledProcedureStepStartDate} {row.step.ScheduledProcedureStepStartTime[:6]}",
        )
        for row in rows
    ]
    table = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in line)}</tr>" for line in [heads, *cells])
    style = "body { font: 16px sans-serif } table { border-collapse: collapse } td { border: 1px solid #bbb; padding: 6px 10px }"
    page = browser.new_page()
    page.set_content(f"<style>{style} tr:first-child {{ font-weight: bold; background: #eee }}</style><table>{table}</table>")
    page.locator("table").screenshot(path=path)
    page.close()


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
