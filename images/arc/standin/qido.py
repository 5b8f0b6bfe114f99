"""QIDO-RS (dcm4chee.md §3)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from standin.http import JSON_TYPES, RS, dicom_json, problem, require_service, retrieve_url, wants
from standin.objects import Json, first, hex_tag
from standin.query import Query, count, find, keyword_of

MAX_RESULTS = 1000  # upstream's dcmQidoMaxNumberOfResults
LEVEL_OF = {"patients": "PATIENT", "studies": "STUDY", "series": "SERIES", "instances": "IMAGE"}
PATHS = (
    "/{level:patients}",
    "/{level:studies}",
    "/{level:series}",
    "/{level:instances}",
    "/studies/{StudyInstanceUID}/{level:series}",
    "/studies/{StudyInstanceUID}/{level:instances}",
    "/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/{level:instances}",
)


def add_routes(app: web.Application) -> None:
    """Add the query resources and their counts."""
    for path in PATHS:
        app.router.add_get(RS + path, _search)
        app.router.add_get(RS + path + "/count", _count)


async def _search(request: web.Request) -> web.Response:
    archive = require_service(request, "QIDO_RS")
    if not wants(request, *JSON_TYPES):
        return problem(406, " or ".join(JSON_TYPES))
    try:
        query = query_of(request)
    except ValueError as error:
        return problem(400, str(error))
    unlimited = query.limit is None
    if unlimited:
        query.limit = MAX_RESULTS + 1
    matches = await asyncio.to_thread(find, archive.registry, query)
    if not matches:
        return web.Response(status=204)
    headers = {}
    if unlimited and len(matches) > MAX_RESULTS:
        matches = matches[:MAX_RESULTS]
        headers["Warning"] = '299 dcm4chee-arc "There are additional results that can be requested"'
    for match in matches:
        _complete(match, request, query.level)
    return dicom_json(request, matches, headers=headers)


async def _count(request: web.Request) -> web.Response:
    archive = require_service(request, "QIDO_RS")
    try:
        query = query_of(request)
    except ValueError as error:
        return problem(400, str(error))
    return web.json_response({"count": await asyncio.to_thread(count, archive.registry, query)})


def query_of(request: web.Request) -> Query:
    """Return the query of the URL. Raises ValueError for an unknown parameter and for a limit or offset out of range."""
    query = Query(LEVEL_OF[request.match_info["level"]], {})
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        if name in request.match_info:
            query.keys[name] = request.match_info[name]
    for name, value in request.query.items():
        if name == "limit":
            query.limit = number_in(name, value, 1, 99999)
        elif name == "offset":
            query.offset = number_in(name, value, 0, 2**31)
        elif name == "fuzzymatching":
            query.fuzzy = value == "true"
        elif name == "orderby":
            query.order += [(_keyword(part.lstrip("-")), part.startswith("-")) for part in value.split(",")]
        elif name == "includefield":
            # Everything indexed is returned anyway; here only the names are checked.
            for part in value.split(","):
                if part != "all":
                    _keyword(part)
        elif name != "accept":
            keyword = _keyword(name)
            is_uid = keyword.endswith("UID") or keyword == "SOPClassesInStudy"
            query.keys.setdefault(keyword, value.replace(",", "\\") if is_uid else value)
    return query


def _keyword(name: str) -> str:
    """Return the attribute, or the first one of a path into a sequence. Raises ValueError for anything that is no attribute."""
    keyword = keyword_of(name.split(".")[0])
    if keyword is None:
        raise ValueError(f"Unknown query parameter or attribute: {name}")
    return keyword


def number_in(name: str, value: str, low: int, high: int) -> int:
    """Return the number of a query parameter. Raises ValueError when it is none or out of range."""
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise ValueError(f"{name}={value}: must be {low} to {high}")
    return int(value)


def _complete(match: Json, request: web.Request, level: str) -> None:
    """Add what each answer says about retrieval."""
    match[hex_tag("SpecificCharacterSet")] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    if level == "PATIENT":
        return
    uids = [first(match, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    match[hex_tag("RetrieveAETitle")] = {"vr": "AE", "Value": [request.match_info["aet"]]}
    match[hex_tag("InstanceAvailability")] = {"vr": "CS", "Value": ["ONLINE"]}
    match[hex_tag("RetrieveURL")] = {"vr": "UR", "Value": [retrieve_url(request, *(uid for uid in uids if uid))]}
