"""A report with a PDF of 40 MB passes the engine with its memory as deployed, and arrives on both sides as it was."""

from __future__ import annotations

import base64
import random

import pytest

from . import hl7v2
from .emr import Procedure
from .inside import Inside
from .lab import Address, Lab
from .orders import Clinic, fresh_person
from .reports import Filed, attached, group, oru, send

pytestmark = [pytest.mark.breaks, pytest.mark.proves("mirth", "arc")]
PDF_BYTES = 40 * 1000 * 1000
# Until the chart has it.
RESULT_SECONDS = 300


def test_pdf_of_40_mb_arrives_byte_for_byte(
    clinic: Clinic, inside: Inside, filed: Filed, lab: Lab, procedure: Procedure, reports: Address
) -> None:
    examination = clinic.place(fresh_person("Large^Report"), procedure)
    code, row = examination.first
    began = inside.inspect("mirth")["State"]["StartedAt"]
    pdf = b"%PDF-1.4 synthetic " + random.Random(0).randbytes(PDF_BYTES)
    send(reports, oru(lab, examination, *group(examination, code, attached(pdf))))

    result = clinic.emr.wait_for_result(examination.order.number, RESULT_SECONDS)
    (held,) = [segment for segment in result.segments("OBX") if hl7v2.field(segment, 2) == "ED"]
    # Base64 has nothing to unescape, which would take a minute.
    assert base64.b64decode(str(held.extract_field(1, 5, 1, 5))) == pdf
    (document,) = filed.wait_for(row.item.StudyInstanceUID, "DOC")
    # Padded to an even length (DICOM PS3.5 §8.1.1).
    assert document.EncapsulatedDocument[: len(pdf)] == pdf
    assert inside.inspect("mirth")["State"]["StartedAt"] == began, "the engine did not survive it"
