"""WADO-RS (dcm4chee.md §3, §8.6): files with the registered patient; metadata, frames and renderings by Orthanc."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientResponse, web

from standin.archive import Archive
from standin.errors import OrthancError
from standin.http import (
    ARCHIVE,
    JSON_TYPES,
    ORTHANC,
    RS,
    MediaRange,
    NoSuchThing,
    accepted,
    base_url,
    dicom_json,
    matches,
    problem,
    require_service,
    wants,
)
from standin.objects import Json, with_patient
from standin.orthanc import ATTEMPTS, DATABASE_UNAVAILABLE, HOST, PORT, error_of
from standin.query import Stored, locate

STUDY = "/studies/{StudyInstanceUID}"
SERIES = STUDY + "/series/{SeriesInstanceUID}"
INSTANCE = SERIES + "/instances/{SOPInstanceUID}"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
THUMBNAIL = "128,128"
OCTET_STREAM = "application/octet-stream"
# Media types of compressed frames by transfer syntax, DICOM PS3.18 table 8.7.3-5.
STORED_AS = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
# Orthanc's codes for an object without pixels, and for pixels that it cannot decode; others mean a broken file or a fault.
NOT_IMPLEMENTED, INTERNAL_ERROR, OUT_OF_RANGE = 2, -1, 3


def add_routes(app: web.Application) -> None:
    """Add the resources for retrieval."""
    for level in (STUDY, SERIES, INSTANCE):
        app.router.add_get(RS + level, _objects)
        app.router.add_get(RS + level + "/metadata", _metadata)
        app.router.add_get(RS + level + "/rendered", _rendered)
        app.router.add_get(RS + level + "/thumbnail", _rendered)
    app.router.add_get(RS + INSTANCE + "/frames/{frames}", _frames)
    app.router.add_get(RS + INSTANCE + "/frames/{frame}/rendered", _rendered)
    app.router.add_get(RS + INSTANCE + "/frames/{frame}/thumbnail", _rendered)
    app.router.add_get(RS + INSTANCE + "/bulk/{path:.+}", _bulk)


async def _wanted(request: web.Request) -> tuple[Archive, list[Stored]]:
    """Return the archive and the instances of the path. Raises HTTP 404 when there are none."""
    archive = require_service(request, "WADO_RS")
    uids = {name: uid for name, uid in request.match_info.items() if name.endswith("UID")}
    found = await asyncio.to_thread(locate, archive.registry, uids)
    if not found:
        raise NoSuchThing("No such object: " + "/".join(uids.values()))
    return archive, found


async def _objects(request: web.Request) -> web.StreamResponse:
    """Send Part 10 files one after the other; only one is in memory."""
    archive, found = await _wanted(request)
    ranges = [media for media in accepted(request) if matches(media.part, "application/dicom")]
    if not ranges:
        return problem(406, 'multipart/related; type="application/dicom" only')
    if ranges[0].media_type == "application/dicom" and len(found) > 1:
        return problem(406, "several objects need multipart/related")
    first = await asyncio.to_thread(_file, archive, found[0], ranges[0])
    if ranges[0].media_type == "application/dicom":
        return web.Response(body=first, content_type="application/dicom")
    boundary = uuid.uuid4().hex
    response = web.StreamResponse()
    response.headers["Content-Type"] = f'multipart/related; type="application/dicom"; boundary={boundary}'
    await response.prepare(request)
    for stored in found:
        content = first if stored is found[0] else await asyncio.to_thread(_file, archive, stored, ranges[0])
        await response.write(f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode())
        await response.write(content)
        await response.write(b"\r\n")
    await response.write(f"--{boundary}--\r\n".encode())
    await response.write_eof()
    return response


def _file(archive: Archive, stored: Stored, media: MediaRange) -> bytes:
    """Return the file with the registered patient, recoded when the client asks for another transfer syntax. Raises HTTP 406."""
    wanted = media.parameters.get("transfer-syntax", "*")
    try:
        content = archive.orthanc.file(stored.orthanc_id, None if wanted in ("*", stored.transfer_syntax) else wanted)
    except OrthancError as error:
        if wanted != "*" and error.status in (400, 404):
            raise web.HTTPNotAcceptable(reason=f"cannot recode {stored.transfer_syntax} to {wanted}") from error
        raise
    return with_patient(content, stored.patient)


async def _metadata(request: web.Request) -> web.StreamResponse:
    """Send Orthanc's metadata with the registered patient put in."""
    _, found = await _wanted(request)
    if not wants(request, *JSON_TYPES):
        return problem(406, " or ".join(JSON_TYPES))
    async with _asked(request, _path(request), {"Accept": JSON_TYPES[0]}) as answer:
        content = await answer.read()
    return dicom_json(request, await asyncio.to_thread(_patient_into, content, found[0].patient))


def _patient_into(content: bytes, patient: Json) -> bytes:
    instances: list[Json] = json.loads(content)
    for instance in instances:
        _join_texts(instance)
    return json.dumps([instance | patient for instance in instances]).encode()


def _join_texts(attributes: Json) -> None:
    """Put together what Orthanc takes for several values: in these texts a backslash is no separator (PS3.5)."""
    for element in attributes.values():
        values = element.get("Value", [])
        if element["vr"] == "SQ":
            for item in values:
                _join_texts(item)
        elif element["vr"] in ("LT", "ST", "UT") and len(values) > 1:
            element["Value"] = ["\\".join(value or "" for value in values)]


async def _frames(request: web.Request) -> web.StreamResponse:
    """Send frames as they are stored, or decoded; this stand-in encodes none."""
    _, found = await _wanted(request)
    own = STORED_AS.get(found[0].transfer_syntax, OCTET_STREAM)
    parts = [media for media in accepted(request) if media.media_type in ("multipart/related", "*/*")]
    wanted = next((media for media in parts if matches(media.part, OCTET_STREAM) or matches(media.part, own)), None)
    if wanted is None:
        return problem(406, f"multipart/related of {OCTET_STREAM} or {own} only")
    decoded = matches(wanted.part, OCTET_STREAM) and wanted.parameters.get("transfer-syntax") == EXPLICIT_LITTLE_ENDIAN
    accept = f'multipart/related; type="{OCTET_STREAM}"; transfer-syntax={EXPLICIT_LITTLE_ENDIAN if decoded else "*"}'
    return await _pass_on(request, _path(request), {"Accept": accept}, out_of_range=404)


async def _rendered(request: web.Request) -> web.StreamResponse:
    """Send a picture of the first object, or the document that is encapsulated in it."""
    _, found = await _wanted(request)
    stored = found[0]
    if stored.sop_class == ENCAPSULATED_PDF:
        if not wants(request, "application/pdf"):
            return problem(406, "application/pdf only")
        return await _pass_on(request, f"instances/{stored.orthanc_id}/content/0042-0011", {}, root="", media_type="application/pdf")
    kind = next((offer for offer in ("image/jpeg", "image/png") if wants(request, offer)), None)
    if kind is None:
        return problem(406, "image/jpeg or image/png only")
    path = f"studies/{stored.study_uid}/series/{stored.series_uid}/instances/{stored.sop_uid}"
    if frame := request.match_info.get("frame"):
        path += f"/frames/{frame}"
    options = {name: request.query[name] for name in ("viewport", "window", "quality") if name in request.query}
    if request.path.endswith("/thumbnail"):
        options.setdefault("viewport", THUMBNAIL)
    return await _pass_on(request, path + "/rendered", {"Accept": kind}, options)


async def _bulk(request: web.Request) -> web.StreamResponse:
    await _wanted(request)
    return await _pass_on(request, _path(request), {"Accept": request.headers.get("Accept", "*/*")})


def _path(request: web.Request) -> str:
    """Return the path below rs/, which is Orthanc's below its own root."""
    path: str = request.path.split("/rs/", 1)[1]
    return path


@asynccontextmanager
async def _asked(
    request: web.Request, path: str, headers: dict[str, str], options: dict[str, str] | None = None, root: str = "dicom-web/"
) -> AsyncIterator[ClientResponse]:
    """Yield Orthanc's answer, whose addresses are those that the client sees. Raises OrthancError when it is no success, StorageError."""
    await asyncio.to_thread(request.app[ARCHIVE].orthanc.ensure)
    scheme, host = base_url(request)
    seen = {"Forwarded": f"host={host};proto={scheme}"}
    url, error = f"http://{HOST}:{PORT}/{root}{path}", OrthancError(503, 0, "Orthanc is away")
    for _ in range(ATTEMPTS):
        async with request.app[ORTHANC].get(url, headers=seen | headers, params=options or {}) as answer:
            if answer.status == 200:
                yield answer
                return
            error = error_of(answer.status, await answer.read())
        if error.code != DATABASE_UNAVAILABLE:
            break
    raise error


async def _pass_on(
    request: web.Request,
    path: str,
    headers: dict[str, str],
    options: dict[str, str] | None = None,
    root: str = "dicom-web/",
    media_type: str | None = None,
    out_of_range: int = 406,
) -> web.StreamResponse:
    """Stream what Orthanc answers; what it cannot decode is 406."""
    try:
        async with _asked(request, path, headers, options, root) as answer:
            response = web.StreamResponse()
            response.headers["Content-Type"] = media_type or answer.headers["Content-Type"]
            if "Content-Length" in answer.headers:
                response.content_length = int(answer.headers["Content-Length"])
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(1 << 18):
                await response.write(chunk)
            await response.write_eof()
            return response
    except OrthancError as error:
        status = {NOT_IMPLEMENTED: 406, INTERNAL_ERROR: 406, OUT_OF_RANGE: out_of_range}.get(error.code, 500)
        return problem(status, f"{path}: {error}")
