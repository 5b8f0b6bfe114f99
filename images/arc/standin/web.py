"""The HTTP port: control and listings. DICOMweb stands in qido, wado and stow, the worklist in mwlitems."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import ClientSession, web

from standin import mwlitems, qido, stow, wado
from standin.archive import Archive, State
from standin.errors import ConfigurationError, DatabaseError, LdapError, OrthancError, StorageError
from standin.http import ARCHIVE, CONTEXT, ORTHANC, problem, wants

log = logging.getLogger("standin.web")
# Upstream's category, so that its log configuration holds here too (dcm4chee.md §9.3).
control_log = logging.getLogger("org.dcm4chee.arc.ctrl")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(archive: Archive) -> web.AppRunner:
    """Listen on the HTTP port and return what stops it. The archive may still be booting."""
    app = web.Application(client_max_size=archive.settings.http_max_body, middlewares=[_guard])
    app[ARCHIVE] = archive
    app[ORTHANC] = ClientSession(auto_decompress=False)
    app.on_response_prepare.append(_allow_any_origin)
    app.on_cleanup.append(_close_session)
    app.router.add_get(f"{CONTEXT}/ctrl/status", _status)
    app.router.add_post(f"{CONTEXT}/ctrl/{{action:reload|start|stop}}", _control)
    app.router.add_get(f"{CONTEXT}/aets", _aets)
    app.router.add_get(f"{CONTEXT}/devices", _devices)
    app.router.add_get(f"{CONTEXT}/aes", _aes)
    app.router.add_get(f"{CONTEXT}/devicename", _device_name)
    app.router.add_get(f"{CONTEXT}/monitor/serverTime", _server_time)
    for module in (mwlitems, qido, stow, wado):
        module.add_routes(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", archive.settings.http_port).start()
    return runner


async def _close_session(app: web.Application) -> None:
    await app[ORTHANC].close()


@web.middleware  # type: ignore[untyped-decorator]  # aiohttp is not in the development environment
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer for a failed or unfinished boot, turn faults into upstream's status codes."""
    archive = request.app[ARCHIVE]
    try:
        if archive.state is State.NO_DEVICE and request.path.startswith(CONTEXT):
            response: web.StreamResponse = web.Response(
                status=500, text="<html>device not built, see the log</html>", content_type="text/html"
            )
        elif archive.state in (State.NO_DATABASE, State.BOOTING):
            response = web.Response(status=404, text="<html>not deployed</html>", content_type="text/html")
        elif request.method == "OPTIONS":
            response = web.Response()
        else:
            response = await handler(request)
    except web.HTTPNotFound:
        response = problem(501 if request.path.startswith(CONTEXT) else 404, f"this stand-in for dcm4chee-arc lacks {request.path}")
    except web.HTTPMethodNotAllowed:
        response = problem(501, f"this stand-in for dcm4chee-arc lacks {request.method} {request.path}")
    except web.HTTPException as error:
        response = problem(error.status, error.reason)
    except (DatabaseError, OrthancError, StorageError) as error:
        log.warning("%s %s: %s", request.method, request.path, error)
        response = problem(500, str(error))
    return response


async def _allow_any_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Add upstream's CORS headers to every answer before its first byte (dcm4chee.md §3): any origin, with credentials."""
    settings = request.app[ARCHIVE].settings
    response.headers.update(
        {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS, HEAD",
            "Access-Control-Allow-Headers": settings.allow_headers,
            "Access-Control-Expose-Headers": settings.expose_headers,
        }
    )


async def _status(request: web.Request) -> web.Response:
    if not wants(request, "application/json"):
        return problem(406, "application/json only")
    control_log.info("Process GET %s from %s", request.path, request.remote)
    return web.json_response({"status": request.app[ARCHIVE].state.value})


async def _control(request: web.Request) -> web.Response:
    archive = request.app[ARCHIVE]
    action = request.match_info["action"]
    control_log.info("Process POST %s from %s", request.path, request.remote)
    try:
        await asyncio.to_thread({"reload": archive.reload, "start": archive.start, "stop": archive.stop}[action])
    except ConfigurationError as error:
        log.error("%s: %s", action, error)
        return problem(409, str(error))
    except (LdapError, OSError) as error:
        log.error("%s: %s", action, error)
        return problem(500, str(error))
    return web.Response(status=204)


async def _aets(request: web.Request) -> web.Response:
    aes = sorted(request.app[ARCHIVE].device.aes.values(), key=lambda ae: ae.title)
    return web.json_response([{"dicomAETitle": ae.title, "dicomDescription": ae.description} for ae in aes])


async def _devices(request: web.Request) -> web.Response:
    return await _listing("dicomDeviceName", request.app[ARCHIVE].directory.device_names)


async def _aes(request: web.Request) -> web.Response:
    return await _listing("dicomAETitle", request.app[ARCHIVE].directory.ae_titles)


async def _listing(key: str, names: Callable[[], list[str]]) -> web.Response:
    """Return names from LDAP; 409 when it is away (dcm4chee.md §8.2)."""
    try:
        return web.json_response([{key: name} for name in await asyncio.to_thread(names)])
    except LdapError as error:
        return problem(409, str(error))


async def _device_name(request: web.Request) -> web.Response:
    return web.json_response({"dicomDeviceName": request.app[ARCHIVE].device.name})


async def _server_time(request: web.Request) -> web.Response:
    now = datetime.now().astimezone()
    return web.Response(
        text=json.dumps({"serverTimeWithTimezone": now.isoformat(timespec="milliseconds")}), content_type="application/json"
    )
