"""The worklist by REST, /mwlitems (dcm4chee.md §3)."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from standin import patients, worklist
from standin.http import JSON_TYPES, RS, NoSuchThing, dicom_json, problem, require_service, wants
from standin.mapping import items_of, name_based_uid, put
from standin.objects import Json, first, hex_tag
from standin.qido import number_in
from standin.query import keyword_of
from standin.registry import Registry
from standin.worklist import STEP

STATES = ("SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED", "CANCELED", "DISCONTINUED", "COMPLETED")


def add_routes(app: web.Application) -> None:
    """Add the worklist's resources."""
    app.router.add_get(RS + "/mwlitems", _search)
    app.router.add_get(RS + "/mwlitems/count", _count)
    app.router.add_post(RS + "/mwlitems", _schedule)
    app.router.add_delete(RS + "/mwlitems/{study}/{step}", _remove)
    app.router.add_post(RS + "/mwlitems/{study}/{step}/status/{status}", _set_status)


async def _search(request: web.Request) -> web.Response:
    archive = require_service(request, "MWL_RS", views=True)
    if not wants(request, *JSON_TYPES):
        return problem(406, " or ".join(JSON_TYPES))
    try:
        keys, limit, offset = _query_of(request)
    except ValueError as error:
        return problem(400, str(error))
    found = await asyncio.to_thread(worklist.find, archive.registry, keys, archive.device.hl7.hidden_rest, limit, offset)
    for item in found:
        item[hex_tag("SpecificCharacterSet")] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return dicom_json(request, found) if found else web.Response(status=204)


async def _count(request: web.Request) -> web.Response:
    archive = require_service(request, "MWL_RS", views=True)
    try:
        keys, _, _ = _query_of(request)
    except ValueError as error:
        return problem(400, str(error))
    found = await asyncio.to_thread(worklist.find, archive.registry, keys, archive.device.hl7.hidden_rest)
    return web.json_response({"count": len(found)})


def _query_of(request: web.Request) -> tuple[dict[str, str], int | None, int]:
    """Return keys, limit and offset; a list is joined by commas, or comes as a repeated parameter. Raises ValueError."""
    keys: dict[str, str] = {}
    limit, offset = None, 0
    for name, value in request.query.items():
        if name == "limit":
            limit = number_in(name, value, 1, 99999)
        elif name == "offset":
            offset = number_in(name, value, 0, 2**31)
        elif name not in ("accept", "includefield", "fuzzymatching", "orderby"):
            path = [keyword_of(part) for part in name.split(".")]
            if None in path:
                raise ValueError(f"Unknown query parameter or attribute: {name}")
            keyword = ".".join(filter(None, path))
            if keyword == worklist.STATUS or keyword.endswith("UID"):
                value = "\\".join(filter(None, (keys.get(keyword), value.replace(",", "\\"))))
            keys[keyword] = value
    return keys, limit, offset


async def _schedule(request: web.Request) -> web.Response:
    """Make or change an item of DICOM JSON. The patient must exist."""
    archive = require_service(request, "DCM4CHEE_ARC_AET", views=True)
    try:
        body: Any = await request.json()
        item: Json = body[0] if isinstance(body, list) else body
        steps = items_of(item, STEP)
    except (ValueError, LookupError, AttributeError) as error:
        return problem(400, f"no DICOM JSON: {error}")
    if len(steps) != 1:
        return problem(400, f"Missing or invalid (0040,0100) {STEP}")
    try:
        return dicom_json(request, await asyncio.to_thread(_save, archive.registry, item, steps[0]))
    except (worklist.MismatchError, patients.NonUniqueError, patients.MergedError) as error:
        return problem(409, str(error))


def _save(registry: Registry, item: Json, step: Json) -> Json:
    """Store an item, its missing ids made; return it. Raises HTTP 404 without such a patient, and what saving raises."""
    identity = patients.identity_of(item)
    with registry.transaction() as connection:
        patient = patients.find_living(connection, identity)
        if patient is None:
            raise NoSuchThing(f"Patient[id={identity}] does not exist")
        for keyword, prefix in (("RequestedProcedureID", "RP"), ("AccessionNumber", "A")):
            if not first(item, keyword):
                put(item, keyword, worklist.next_id(connection, prefix))
        if not first(item, "StudyInstanceUID"):
            put(item, "StudyInstanceUID", name_based_uid(first(item, "RequestedProcedureID")))
        if not first(step, "ScheduledProcedureStepID"):
            put(step, "ScheduledProcedureStepID", worklist.next_id(connection, "SPS"))
        if not first(step, "ScheduledProcedureStepStatus"):
            put(step, "ScheduledProcedureStepStatus", "SCHEDULED")
        own = {key: element for key, element in item.items() if key not in patient.attributes}
        worklist.save(connection, patient.key, own, step)
    return item


async def _remove(request: web.Request) -> web.Response:
    archive = require_service(request, "DCM4CHEE_ARC_AET", views=True)
    return await _change(archive.registry, request, "DELETE FROM standin.mwl_item")


async def _set_status(request: web.Request) -> web.Response:
    archive = require_service(request, "DCM4CHEE_ARC_AET", views=True)
    if request.match_info["status"] not in STATES:
        return problem(400, f"unknown status {request.match_info['status']}")
    return await _change(archive.registry, request, None)


async def _change(registry: Registry, request: web.Request, deletion: str | None) -> web.Response:
    """Delete an item, or set its status. 404 without it."""
    where, identity = "study_uid = %s AND sps_id = %s", [request.match_info["study"], request.match_info["step"]]

    def change() -> int:
        with registry.transaction() as connection:
            if deletion is None:
                return worklist.set_status(connection, request.match_info["status"], where, identity)
            return int(connection.execute(f"{deletion} WHERE {where}", identity).rowcount)

    if not await asyncio.to_thread(change):
        raise NoSuchThing(f"No such MWL item: {' '.join(identity)}")
    return web.Response(status=204)
