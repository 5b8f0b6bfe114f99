"""A server that answers as the engine's REST API does, as far as the module asks it (mirth.md §2 and §8): state in memory, over HTTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import Element, put, serialised, tree

REFUSED = "<com.mirth.connect.model.LoginStatus><message>Incorrect</message></com.mirth.connect.model.LoginStatus>"
STUB = "This channel is invalid. Verify all required extensions are loaded correctly."


class Mirth:
    """What the server holds, and the calls that would change it."""

    def __init__(self) -> None:
        self.password = "admin"
        self.preferences: dict[str, str] = {}
        self.stats = "true"
        self.pruner = {"enabled": "false", "pruneEvents": "false", "maxEventAge": "", "pruningBlockSize": "1000"}
        self.map = "<map/>"
        self.libraries: list[Element] = []
        self.groups: list[Element] = []
        self.channels: dict[str, Element] = {}
        self.dependencies = "<set/>"
        # id → what was deployed: revision, and the library's revision; state.
        self.deployed: dict[str, tuple[str, str]] = {}
        self.states: dict[str, str] = {}
        self.writes: list[str] = []
        # Cookies of sessions that were not ended.
        self.sessions: set[str] = set()
        # Scripted refusals.
        self.bad_template = ""
        self.port_in_use: set[str] = set()
        self.unreadable: set[str] = set()
        self.policy = ""
        self.deploy_error = ""
        # Numbers of messages that are not there any more, and of those that wait in a queue.
        self.lost: set[str] = set()
        self.queued: set[str] = set()

    def revision(self, channel_id: str) -> str:
        return self.channels[channel_id].findtext("revision") or ""

    def library_revision(self) -> str:
        return "/".join(one.findtext("revision") or "" for one in self.libraries)

    def answer(self, method: str, path: str, body: str, accept: str) -> tuple[int, str]:
        """Return status and body; ``body`` is the query where there is none."""
        if method == "GET" and path.endswith("/messages/count"):
            asked = parse_qs(body)
            assert (asked["status"], asked["minMessageId"]) == (["QUEUED"], asked["maxMessageId"])
            return 200, f"<long>{len(self.queued & set(asked['minMessageId']))}</long>"
        if method == "GET":
            return self.get(path)
        self.writes.append(f"{method} {path}")
        if path == "/users/1/password":
            if self.policy:
                return 200, f"<list><string>{self.policy}</string></list>"
            self.password = body
        elif found := re.fullmatch(r"/users/1/preferences/(\w+)", path):
            self.preferences[found[1]] = body
        elif path == "/server/updateSettings":
            self.stats = tree(body).findtext("statsEnabled") or ""
        elif path.startswith("/extensions/"):
            self.pruner |= {str(one.get("name")): one.text or "" for one in tree(body)}
        elif path == "/server/configurationMap":
            self.map = body
        elif path == "/server/channelDependencies":
            self.dependencies = body
        elif path == "/codeTemplateLibraries/_bulkUpdate":
            return 200, self.update_libraries(body)
        elif path == "/channelgroups/_bulkUpdate":
            if "json" not in accept:
                return 406, ""
            self.groups = list(tree(part_of(body, "channelGroups")))
            return 200, '{"boolean":true}'
        else:
            return self.channel(method, path, body, accept)
        return 204, ""

    def get(self, path: str) -> tuple[int, str]:
        properties = {"/users/1/preferences": self.preferences, "/extensions/Data Pruner/properties": self.pruner}
        if path in properties:
            items = "".join(f'<property name="{key}">{value}</property>' for key, value in properties[path].items())
            return 200, f"<properties>{items}</properties>"
        return 200, {
            "/users": "<list><user><id>1</id><username>admin</username></user></list>",
            "/server/updateSettings": f"<updateSettings><statsEnabled>{self.stats}</statsEnabled></updateSettings>",
            "/server/configurationMap": self.map,
            "/server/channelDependencies": self.dependencies,
            "/codeTemplateLibraries": listed(self.libraries),
            "/channelgroups": listed(self.groups),
            "/channels": listed(self.channels.values()),
            "/channels/statuses": "<list>" + "".join(self.status(channel_id) for channel_id in self.deployed) + "</list>",
        }[path]

    def status(self, channel_id: str) -> str:
        revision, templates = self.deployed[channel_id]
        delta = int(self.revision(channel_id)) - int(revision)
        stale = "<codeTemplatesChanged>true</codeTemplatesChanged>" if templates != self.library_revision() else ""
        return (
            f"<dashboardStatus><channelId>{channel_id}</channelId><state>{self.states[channel_id]}</state>"
            f"<deployedRevisionDelta>{delta}</deployedRevisionDelta>{stale}</dashboardStatus>"
        )

    def update_libraries(self, body: str) -> str:
        """Replace all libraries; a template that is refused is told of inside the answer."""
        old = {one.findtext("id"): one for one in self.libraries}
        results = ""
        for template in tree(part_of(body, "updatedCodeTemplates")):
            wrong = self.bad_template and template.findtext("name") == self.bad_template
            cause = "<cause class='x'><detailMessage>missing ( before function parameters.</detailMessage></cause>" if wrong else ""
            results += (
                f"<entry><string>{template.findtext('id')}</string>"
                f"<result><success>{str(not wrong).lower()}</success>{cause}</result></entry>"
            )
        self.libraries = list(tree(part_of(body, "libraries")))
        for one in self.libraries:
            before = old.get(one.findtext("id"))
            same = before is not None and serialised(before) == serialised(one)
            put(one, "revision", (before.findtext("revision") or "1") if same and before is not None else str(len(self.writes) + 10))
        return f"<r><librariesSuccess>true</librariesSuccess><codeTemplateResults>{results}</codeTemplateResults></r>"

    def channel(self, method: str, path: str, body: str, accept: str) -> tuple[int, str]:
        if again := re.fullmatch(r"/channels/[0-9a-f-]{36}/messages/(\d+)/_reprocess", path):
            return (500, "") if again[1] in self.lost else (204, "")
        found = re.fullmatch(r"/channels/([0-9a-f-]{36})(?:/(_\w+))?", path)
        assert found, (method, path)
        channel_id, verb = found.groups()
        if method == "DELETE":
            for held in (self.channels, self.deployed):
                held.pop(channel_id, None)
            return 204, ""
        if method == "PUT":
            if "json" not in accept:
                return 406, ""
            sent = tree(body)
            old = self.channels.get(channel_id)
            if channel_id in self.unreadable:
                put(sent, "description", STUB)
            revision = "1" if old is None else old.findtext("revision") or ""
            put(sent, "revision", revision)
            if old is not None and serialised(sent) != serialised(old):
                put(sent, "revision", str(int(revision) + 1))
            self.channels[channel_id] = sent
            return 200, '{"boolean":true}'
        if verb == "_deploy" and self.deploy_error:
            return 500, self.deploy_error
        if verb == "_deploy":
            self.deployed[channel_id] = (self.revision(channel_id), self.library_revision())
        self.states[channel_id] = "STOPPED" if channel_id in self.port_in_use else "STARTED"
        return (500, "") if channel_id in self.port_in_use else (204, "")


def listed(elements: Any) -> str:
    return "<list>" + "".join(serialised(one) for one in elements) + "</list>"


def part_of(body: str, name: str) -> str:
    """Return one part of a multipart body, which must have its content type."""
    found = re.search(rf'name="{name}"\r\nContent-Type: application/xml\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
    assert found, name
    ElementTree.fromstring(found[1])
    return found[1]


@contextmanager
def served(mirth: Mirth) -> Iterator[str]:
    """Serve on a free port of loopback; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            path, _, query = unquote(self.path.removeprefix("/api")).partition("?")
            cookie = ""
            if not self.headers.get("X-Requested-With"):
                status, text = 400, ""
            elif path == "/server/status":
                status, text = 200, '{"int":0}'
            elif path == "/users/_login":
                cookie = f"node{len(mirth.sessions)}" if parse_qs(body).get("password") == [mirth.password] else ""
                mirth.sessions |= {cookie} - {""}
                status, text = (
                    (200, "<s/>")
                    if cookie
                    else (401, "<com.mirth.connect.model.LoginStatus><message>Incorrect</message></com.mirth.connect.model.LoginStatus>")
                )
            elif not (found := re.search(r"JSESSIONID=(\w+)", self.headers.get("Cookie") or "")) or found[1] not in mirth.sessions:
                status, text = 401, ""
            elif path == "/users/_logout":
                mirth.sessions.remove(found[1])
                status, text = 204, ""
            else:
                status, text = mirth.answer(self.command, path, body or query, self.headers.get("Accept") or "")
            self.send_response(status)
            if cookie:
                self.send_header("Set-Cookie", f"JSESSIONID={cookie}; Path=/api; Secure")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (names of the base class)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
