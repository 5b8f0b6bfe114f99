"""What the HTTP handlers share: who is asked, what is accepted, how a refusal looks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from aiohttp import ClientSession, web

from standin.archive import Archive

CONTEXT = "/dcm4chee-arc"
JSON_TYPES = ("application/dicom+json", "application/json")
RS = CONTEXT + "/aets/{aet}/rs"
ARCHIVE = web.AppKey("archive", Archive)
ORTHANC = web.AppKey("orthanc", ClientSession)
_RANGE = re.compile(r'(?:[^,"]|"[^"]*")+')
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("[^"]*"|[^;\s]+)')


@dataclass(frozen=True)
class MediaRange:
    """One element of an Accept header; both texts are lower case."""

    media_type: str
    parameters: dict[str, str]

    @property
    def part(self) -> str:
        """The media type itself, or that of the parts of a multipart/related."""
        return self.parameters.get("type", "*/*") if self.media_type == "multipart/related" else self.media_type


def media_ranges(accept: str) -> list[MediaRange]:
    """Parse an Accept header; an empty one accepts anything."""
    ranges = []
    for text in _RANGE.findall(accept) or ["*/*"]:
        parameters = {name.lower(): value.strip('"').lower() for name, value in _PARAMETER.findall(text)}
        ranges.append(MediaRange(text.split(";")[0].strip().lower(), parameters))
    return ranges


def matches(accepted: str, offered: str) -> bool:
    """Return whether a media range such as image/* covers a media type."""
    return accepted in ("*/*", "*", offered) or (accepted.endswith("/*") and offered.startswith(accepted[:-1]))


def accepted(request: web.Request) -> list[MediaRange]:
    """Return what the client accepts; as upstream, a query parameter `accept` goes before the header."""
    return media_ranges(request.query.get("accept") or ",".join(request.headers.getall("Accept", [])))


def wants(request: web.Request, *offered: str) -> bool:
    """Return whether one of the media types would do."""
    return any(matches(media.media_type, offer) for media in accepted(request) for offer in offered)


def require_service(request: web.Request, service: str, *, views: bool = False) -> Archive:
    """Return the archive. Raises HTTP 404 when the AE in the path does not exist or lacks the web service (dcm4chee.md §3).

    `views`: the resource is the same for each AE, so others than the main one may have it.
    """
    archive: Archive = request.app[ARCHIVE]
    title = request.match_info["aet"]
    if service not in archive.device.web_services.get(title, set()):
        raise NoSuchThing(f"No such Application Entity: {title}, or it has no {service}")
    if not views and title != archive.device.main.title:
        raise web.HTTPNotImplemented(reason=f"this stand-in for dcm4chee-arc has no views such as {title}'s")
    return archive


class NoSuchThing(web.HTTPException):
    """HTTP 404 for something that is not there, as opposed to a path this stand-in lacks."""

    status_code = 404

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


def problem(status: int, reason: str) -> web.Response:
    """Return a refusal with its reason, in upstream's form."""
    return web.json_response({"errorMessage": reason}, status=status)


def dicom_json(request: web.Request, content: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return DICOM JSON, under the media type that the client asked for, and without a charset parameter."""
    media_type = JSON_TYPES[0] if wants(request, JSON_TYPES[0]) else JSON_TYPES[1]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return web.Response(body=body, status=status, content_type=media_type, headers=headers)


def base_url(request: web.Request) -> tuple[str, str]:
    """Return scheme and host that the client used; what a proxy says counts only with HTTP_PROXY_ADDRESS_FORWARDING (§3)."""
    if request.app[ARCHIVE].settings.behind_proxy:
        scheme = request.headers.get("X-Forwarded-Proto", "http").split(",")[0].strip()
        host = request.headers.get("X-Forwarded-Host", request.host).split(",")[0].strip()
        return scheme, host
    return "http", request.host


def retrieve_url(request: web.Request, *path: str) -> str:
    """Return the DICOMweb address of studies/{path[0]}/series/{path[1]}/instances/{path[2]}, as far as given."""
    scheme, host = base_url(request)
    levels = "".join(f"/{name}/{uid}" for name, uid in zip(("studies", "series", "instances"), path, strict=False))
    return f"{scheme}://{host}{CONTEXT}/aets/{request.match_info['aet']}/rs{levels}"
