"""STOW-RS (dcm4chee.md §3)."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import BodyPartReader, web

from standin.errors import RefusedError
from standin.http import JSON_TYPES, RS, dicom_json, problem, require_service, retrieve_url, wants
from standin.objects import Header, Json, hex_tag
from standin.status import CONFLICTING_PATIENT

log = logging.getLogger("standin.stow")


def add_routes(app: web.Application) -> None:
    """Add the resources for storing."""
    app.router.add_post(RS + "/studies", _store)
    app.router.add_post(RS + "/studies/{StudyInstanceUID}", _store)


async def _store(request: web.Request) -> web.Response:
    """Store each part as it arrives. 200: all stored, also again; 202: some; 409 with Warning: none."""
    archive = require_service(request, "STOW_RS")
    if not wants(request, *JSON_TYPES):
        return problem(406, " or ".join(JSON_TYPES))
    if request.content_type != "multipart/related" or "boundary" not in request.headers["Content-Type"]:
        return problem(415, 'multipart/related; type="application/dicom"; boundary=… is needed')
    stored: list[Header] = []
    refusals: list[RefusedError] = []
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.headers.get("Content-Type", "").split(";")[0] != "application/dicom":
            return problem(415, "this stand-in takes application/dicom parts only")
        content = bytes(await part.read(decode=False))
        try:
            header = await asyncio.to_thread(archive.store.add, archive.device, content, request.match_info.get("StudyInstanceUID"))
        except RefusedError as refused:
            text = "Patient ID differs" if refused.status == CONFLICTING_PATIENT else str(refused)
            log.warning("STOW-RS %04X: %s", refused.status, text)
            refusals.append(refused)
        else:
            log.info("STOW-RS stored %s", header.sop_uid)
            stored.append(header)
    if not stored and not refusals:
        return problem(400, "no parts")
    status = 200 if not refusals else 202 if stored else 409
    headers = {"Warning": f'299 dcm4chee-arc "{_printable(refusals[0])}"'} if refusals else {}
    return dicom_json(request, _answer(request, stored, refusals), status, headers)


def _printable(refused: RefusedError) -> str:
    return "".join(character for character in str(refused) if character.isascii() and character.isprintable() and character != '"')


def _answer(request: web.Request, stored: list[Header], refusals: list[RefusedError]) -> Json:
    """Return the Store Instances Response of DICOM PS3.18 annex I; what was refused may not even have a UID."""
    answer: Json = {}
    if stored:
        answer[hex_tag("RetrieveURL")] = {"vr": "UR", "Value": [retrieve_url(request, stored[0].study_uid)]}
        answer[hex_tag("ReferencedSOPSequence")] = {"vr": "SQ", "Value": [_reference(request, header) for header in stored]}
    if refusals:
        failed = [
            {
                hex_tag("FailureReason"): {"vr": "US", "Value": [refused.status]},
                hex_tag("ErrorComment"): {"vr": "LO", "Value": [str(refused)[:64]]},
            }
            for refused in refusals
        ]
        answer[hex_tag("FailedSOPSequence")] = {"vr": "SQ", "Value": failed}
    return answer


def _reference(request: web.Request, header: Header) -> Json:
    return {
        hex_tag("ReferencedSOPClassUID"): {"vr": "UI", "Value": [header.sop_class]},
        hex_tag("ReferencedSOPInstanceUID"): {"vr": "UI", "Value": [header.sop_uid]},
        hex_tag("RetrieveURL"): {"vr": "UR", "Value": [retrieve_url(request, header.study_uid, header.series_uid, header.sop_uid)]},
    }
