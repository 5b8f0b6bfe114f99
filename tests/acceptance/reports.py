"""Reports as a reporting system sends them, and what became of them in the archive."""

from __future__ import annotations

import base64
import time

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from waiting import wait_for

from . import hl7v2
from .compare import read
from .lab import Address, Lab
from .orders import EFFECT_SECONDS, Examination
from .web import DicomWeb, value


def group(examination: Examination, code: str, *observations: str, status: str = "F", uid: str | None = None, line: int = 1) -> list[str]:
    """Return ORC, OBR and OBX of one procedure; `uid` another study UID than the ordered one, empty for none."""
    now, number, row = time.strftime("%Y%m%d%H%M%S"), examination.order.number, examination.rows[code]
    accession = row.item.AccessionNumber
    study = row.item.StudyInstanceUID if uid is None else uid
    return [
        f"ORC|RE|{number}|{accession}||CM",
        f"OBR|{line}|{number}|{accession}|{code}^Procedure^99LAB|||{now}|||||||||||{accession}||||{now}||CT|{status}|||||||555&Haverkamp&Lena",
        *([f"OBX|1|ST|113014^DICOM Study^DCM||{study}||||||{status}"] if study else []),
        *observations,
    ]


def text(words: str, number: int = 2, status: str = "F") -> str:
    """Return an OBX with findings; `words` are escaped already."""
    return f"OBX|{number}|TX|18782-3^Findings^LN||{words}||||||{status}"


def attached(pdf: bytes, number: int = 2) -> str:
    """Return an OBX with a PDF."""
    return f"OBX|{number}|ED|11528-7^Radiology report^LN||^Application^PDF^Base64^{base64.b64encode(pdf).decode()}||||||F"


def send(reports: Address, message: str, encoding: str = "utf-8") -> hl7v2.Acknowledgement:
    """Send a report. Raises AssertionError when it is not acknowledged."""
    answer = hl7v2.send(reports, message, encoding)
    assert answer.code == "AA", f"the engine answers a report with {answer.code}: {answer.text}"
    return answer


def oru(
    lab: Lab, examination: Examination, *segments: str, control: str | None = None, header: str = "^~\\&", charset: str = "UNICODE UTF-8"
) -> str:
    """Return an ORU^R01 about an order's patient."""
    person, control = examination.order.person, control or generate_uid(prefix=None)[5:25]
    oid = lab.engine.authority_oid if lab.engine else ""
    return hl7v2.message(
        f"MSH|{header}|REPSYS|RADLAB|MIRTH|LAB|{time.strftime('%Y%m%d%H%M%S')}||ORU^R01^ORU_R01|{control}|T|2.5.1|||AL|NE||{charset}",
        f"PID|1||{person.number}^^^{lab.assigning_authority}&{oid}&ISO^MR||{person.name}||{person.born}|{person.sex}",
        f"PV1|1|O|RAD||||||||||||||||{examination.order.encounter}",
        *segments,
    )


class Filed:
    """What the archive has of an examination's reports."""

    def __init__(self, dicomweb: DicomWeb, whole: DicomWeb) -> None:
        self._dicomweb, self._whole = dicomweb, whole

    def documents(self, study: str, kind: str) -> list[Dataset]:
        """Return the objects of a study's series of a modality (SR, DOC), oldest first."""
        found = []
        for series in self._dicomweb.search(f"/studies/{study}/series", Modality=kind):
            uid = value(series, "0020000E")
            found += [read(self._whole.file(study, uid, value(row, "00080018"))) for row in self._whole.metadata(study, uid)]
        return sorted(found, key=lambda document: (str(document.get("ContentDate", "")), str(document.get("ContentTime", ""))))

    def wait_for(self, study: str, kind: str, count: int = 1) -> list[Dataset]:
        """Return a study's documents when there are `count`. Raises AssertionError when there are not."""

        def complaint() -> str:
            there = len(self.documents(study, kind))
            return "" if there == count else f"study {study} has {there} {kind} documents, not {count}"

        wait_for(complaint, EFFECT_SECONDS)
        return self.documents(study, kind)

    def texts(self, study: str, count: int = 1) -> list[str]:
        """Return for each SR of a study all its texts, joined by line breaks, when there are `count`."""
        return [
            "\n".join(str(item.TextValue) for item in walk(document) if item.get("TextValue"))
            for document in self.wait_for(study, "SR", count)
        ]


def walk(item: Dataset) -> list[Dataset]:
    """Return the items of a structured report's content tree (DICOM PS3.3 C.17.3), depth first."""
    return [item, *(inner for child in item.get("ContentSequence", []) for inner in walk(child))]
