"""What the engine's tests share: the server that they talk to, its channels, and the peers that they play.

Sources are sections of mirth.md (M) and mirth-patterns.md (P), the upstream facts. CONTRACT_MIRTH_URL (`https://127.0.0.1:18443`) names
a running Mirth Connect on this machine instead of the image: the same statements are then checked against it. Only things that the tests
made are changed there.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
import urllib3
import yaml
from ansible_collections.pacs_emr.lab.plugins.module_utils import mirth_tree as mirth_tree
from ansible_collections.pacs_emr.lab.plugins.module_utils import mirth_xml
from waiting import wait_for

from ..conftest import REPOSITORY, Container, Engine, docker, hardened, image_under_test

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
Element = ElementTree.Element

EXTERNAL = os.environ.get("CONTRACT_MIRTH_URL", "")
IMAGE = image_under_test("mirth")
is_standin = not EXTERNAL and "standin" in IMAGE
only_standin = pytest.mark.skipif(not is_standin, reason="upstream has what the stand-in lacks")
only_image = pytest.mark.skipif(bool(EXTERNAL), reason="about the container, and this server runs without")
BOOT_SECONDS = 60 if is_standin else 300
PASSWORD = "db.Secret_1"
XML, JSON, TEXT = "application/xml", "application/json", "text/plain"
ROUTED = {"sourceConnectorProperties.responseVariable": "Auto-generate (After source transformer)"}
READER = {"type": "channel", "data": "RAW", "set": ROUTED}
WRITER = {"name": "out", "type": "js", "data": "RAW", "script": "out.js"}
QUEUED = {"destinationConnectorProperties.queueEnabled": True, "destinationConnectorProperties.retryIntervalMillis": 500}
numbers = itertools.count(1)


def database_options(network: str, name: str = "db") -> list[str]:
    """Options of the database's container."""
    return [f"--network={network}", f"--network-alias={name}"]


def run_database(engine: Engine, network: str) -> Container:
    """Start a PostgreSQL for the engine and wait until it answers by TCP."""
    env = {"POSTGRES_USER": "mirth", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "mirth"}
    database = engine.run(image_under_test("mirth-db"), options=database_options(network), env=env)
    database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "mirth")
    return database


def run_engine(engine: Engine, network: str, *options: str, **env: str) -> Container:
    """Start the engine's container; `env` is added to what it needs."""
    needed = {
        "DATABASE": "postgres",
        "DATABASE_URL": "jdbc:postgresql://db:5432/mirth",
        "DATABASE_USERNAME": "mirth",
        "DATABASE_PASSWORD": PASSWORD,
        "KEYSTORE_STOREPASS": "store.Secret_2",
        "KEYSTORE_KEYPASS": "key.Secret_3",
        "VMOPTIONS": "-Xmx512m",
    }
    merged = {key: value for key, value in {**needed, **env}.items() if value}
    return engine.run(IMAGE, options=[f"--network={network}", "--memory=1g", *hardened("mirth"), *options], env=merged)


class Server:
    """A running engine. `host` is where its listeners are, `peer` the address at which it reaches this test."""

    def __init__(self, url: str, host: str, peer: str, folder: Path, container: Container | None = None) -> None:
        self.url, self.host, self.peer, self.folder, self.container = f"{url}/api", host, peer, folder, container
        self.session = self.new_session()

    @staticmethod
    def new_session() -> requests.Session:
        """A session that has not logged in, with the header that every call needs."""
        session = requests.Session()
        session.verify, session.trust_env = False, False
        session.headers["X-Requested-With"] = "contract"
        return session

    def login(self, name: str = "admin", password: str = "admin", session: requests.Session | None = None) -> requests.Response:
        """Log in."""
        return (session or self.session).post(f"{self.url}/users/_login", data={"username": name, "password": password}, timeout=60)

    def call(
        self, method: str, path: str, body: str | bytes | None = None, kind: str = XML, accept: str = XML, **more: Any
    ) -> requests.Response:
        """Call the API; more are arguments of requests."""
        headers = {"Accept": accept, **({"Content-Type": kind} if body is not None else {})}
        content = body.encode() if isinstance(body, str) else body
        return self.session.request(method, self.url + path, data=content, headers=headers, timeout=120, **more)

    def get(self, path: str) -> Element:
        """GET a document."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return ElementTree.fromstring(answer.content)

    def status(self) -> str:
        """What /server/status says, "" where it does not answer."""
        try:
            answer = self.new_session().get(f"{self.url}/server/status", headers={"Accept": JSON}, timeout=10)
        except requests.RequestException:
            return ""
        return f"{answer.json().get('int', '')}" if answer.ok else ""

    def wait_until_up(self) -> None:
        """Wait for status 0, and log in."""
        wait_for(lambda: "" if self.status() == "0" else f"status {self.status()}", BOOT_SECONDS)
        assert self.login().status_code == 200

    def kill_and_start(self) -> None:
        """Kill the container as kill -9 does, start it again, and wait for status 0."""
        assert self.container
        docker("kill", self.container.name)
        docker("start", self.container.name)
        self.host = self.container.address()
        self.url = f"https://{self.host}:8443/api"
        wait_for(lambda: "" if self.status() == "0" else f"status {self.status()}", BOOT_SECONDS)

    # --- channels ---

    def put(self, channel: mirth_xml.Channel | Element, accept: str = JSON) -> requests.Response:
        """Save a channel."""
        xml = channel if isinstance(channel, ElementTree.Element) else channel.xml
        return self.call("PUT", f"/channels/{xml.findtext('id')}?override=true", mirth_tree.serialised(xml), accept=accept)

    def deploy(self, *ids: str) -> requests.Response:
        """Deploy channels, errors shown."""
        strings = "".join(f"<string>{channel_id}</string>" for channel_id in ids)
        return self.call("POST", "/channels/_deploy?returnErrors=true", f"<set>{strings}</set>")

    def state(self, channel_id: str) -> str:
        """State of a deployed channel, "" where it is not."""
        answer = self.call("GET", f"/channels/{channel_id}/status")
        return "" if answer.status_code == 404 else ElementTree.fromstring(answer.content).findtext("state") or ""

    def revision(self, channel_id: str) -> int:
        """Revision of a stored channel."""
        return int(self.get(f"/channels/{channel_id}").findtext("revision") or 0)

    def inject(self, channel_id: str, text: str, *destinations: int) -> int:
        """Hand a message in; return its number."""
        query = "&".join(f"destinationMetaDataId={number}" for number in destinations)
        answer = self.call("POST", f"/channels/{channel_id}/messages?{query}", text, kind=TEXT)
        assert answer.status_code == 201, answer.text
        return int(ElementTree.fromstring(answer.content).text or 0)

    def count(self, channel_id: str, status: str) -> int:
        """Messages in a state now."""
        return int(self.get(f"/channels/{channel_id}/messages/count?status={status}").text or 0)

    def messages(self, channel_id: str) -> list[dict[int, Element]]:
        """The messages, oldest first: number of the connector → its part."""
        found = self.get(f"/channels/{channel_id}/messages?includeContent=true&limit=1000")
        return [
            {int(entry.findtext("int") or 0): entry.findall("*")[1] for entry in message.findall("connectorMessages/entry")}
            for message in reversed(found.findall("message"))
        ]

    def statuses(self, channel_id: str, connector: int = 1) -> list[str]:
        """State of each message in one connector, oldest first."""
        return [message[connector].findtext("status") or "" for message in self.messages(channel_id) if connector in message]

    def wait_for_statuses(self, channel_id: str, wanted: list[str], connector: int = 1, seconds: float = 20) -> None:
        """Wait until the messages are in these states."""

        def complaint() -> str:
            found = self.statuses(channel_id, connector)
            return "" if found == wanted else f"states are {found}"

        wait_for(complaint, seconds, pause=0.2)


def answer_of(message: Element) -> str:
    """The answer that a destination got, from its stored response."""
    return ElementTree.fromstring(message.findtext("response/content") or "<response/>").findtext("message") or ""


def status_message(message: Element) -> str:
    """What a destination says in the end: after its response transformer that is in the response map alone (seen on 4.5.2)."""
    for entry in message.findall("responseMapContent/content/entry"):
        if entry.findtext("string") == f"d{message.findtext('metaDataId')}":
            return entry.findtext("response/statusMessage") or ""
    return ""


class Pushed:
    """Channels of one test. They are removed at its end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ids: list[str] = []
        self.libraries: list[str] = []
        self.templates: set[str] = set()

    def make(self, spec: Mapping[str, Any], files: Mapping[str, str], settings: Mapping[str, str] | None = None) -> mirth_xml.Channel:
        """Return the XML of one channel: `spec` is a channel.yml without id and name, `files` are its scripts."""
        name = f"contract-{next(numbers)}-{uuid.uuid4().hex[:8]}"
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "defaults").symlink_to(REPOSITORY / "files/mirth/defaults")
            source = folder / "channels" / name
            source.mkdir(parents=True)
            (source / "channel.yml").write_text(yaml.safe_dump({"id": str(uuid.uuid4()), "name": name, **spec}), encoding="utf-8")
            for file, text in files.items():
                (source / file).write_text(text, encoding="utf-8")
            (channel,) = mirth_xml.read(folder, settings or {}).channels
        self.ids.append(channel.id)
        return channel

    def push(self, spec: Mapping[str, Any], files: Mapping[str, str] | None = None) -> str:
        """Make, save and deploy a channel; return its id."""
        channel = self.make(spec, files or {})
        answer = self.server.put(channel)
        assert answer.json() == {"boolean": True}, answer.text
        deployed = self.server.deploy(channel.id)
        assert deployed.status_code == 204, deployed.text
        assert self.server.state(channel.id) == "STARTED"
        return str(channel.id)

    def writer(self, script: str, *, queued: bool = False, **more: Any) -> str:
        """Push a Channel Reader with one JavaScript Writer."""
        destination = {"name": "out", "type": "js", "data": "RAW", "script": "out.js", **({"set": QUEUED} if queued else {})}
        source = {"type": "channel", "data": "RAW", "set": ROUTED}
        return self.push({"source": source, "destinations": [destination], **more}, {"out.js": script})

    def library(self, channel_id: str, *codes: str, library_id: str = "") -> tuple[str, list[str], Element]:
        """Push a library of code templates for one channel; return its id, the templates' ids, and what the server answered."""
        everywhere = "".join(f"<contextType>{name}</contextType>" for name in mirth_xml.CONTEXTS)
        library_id = library_id or str(uuid.uuid4())
        self.libraries.append(library_id)
        templates = {str(uuid.uuid5(uuid.UUID(library_id), str(number))): code for number, code in enumerate(codes)}
        head = '<codeTemplate version="4.5.2"><id>{}</id>'
        self.templates |= set(templates)
        full = "".join(
            f"{head.format(key)}<name>{key[:8]}</name><revision>1</revision><contextSet><delegate>{everywhere}</delegate></contextSet>"
            f'<properties class="com.mirth.connect.model.codetemplates.BasicCodeTemplateProperties">'
            f"<type>FUNCTION</type><code>{code}</code></properties></codeTemplate>"
            for key, code in templates.items()
        )
        members = "".join(f"{head.format(key)}</codeTemplate>" for key in templates)
        own = (
            f'<codeTemplateLibrary version="4.5.2"><id>{library_id}</id><name>contract {library_id[:8]}</name>'
            "<revision>1</revision><description/>"
            f"<includeNewChannels>false</includeNewChannels><enabledChannelIds><string>{channel_id}</string></enabledChannelIds><disabledChannelIds/>"
            f"<codeTemplates>{members}</codeTemplates></codeTemplateLibrary>"
        )
        return library_id, list(templates), self.save_libraries([own], full)

    def save_libraries(self, own: list[str], templates: str = "", removed: list[str] | None = None) -> Element:
        """Save the libraries that are there, without those of this test, and `own`."""
        others = [
            mirth_tree.serialised(library)
            for library in self.server.get("/codeTemplateLibraries?includeCodeTemplates=true")
            if library.findtext("id") not in self.libraries
        ]
        strings = "".join(f"<string>{each}</string>" for each in removed or [])
        parts = {
            "libraries": f"<list>{''.join([*others, *own])}</list>",
            "removedLibraryIds": f"<set>{strings}</set>",
            "updatedCodeTemplates": f"<list>{templates}</list>",
            "removedCodeTemplateIds": "<set/>",
        }
        answer = self.server.session.post(
            f"{self.server.url}/codeTemplateLibraries/_bulkUpdate?override=true",
            files={name: (None, text, XML) for name, text in parts.items()},
            headers={"Accept": XML},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return ElementTree.fromstring(answer.content)

    def clean(self) -> None:
        """Remove all of it."""
        for channel_id in self.ids:
            try:
                self.server.call("DELETE", f"/channels/{channel_id}")
            except requests.Timeout:
                # P §9: now and then the product's answer does not come though the channel is gone.
                assert self.server.call("GET", f"/channels/{channel_id}").status_code == 204
        if self.libraries:
            self.save_libraries([], removed=self.libraries)
        for template in self.templates:
            self.server.call("DELETE", f"/codeTemplates/{template}")


# --- peers ---


def frame(text: str | bytes, charset: str = "utf-8") -> bytes:
    """An MLLP frame."""
    return b"\x0b" + (text.encode(charset) if isinstance(text, str) else text) + b"\x1c\r"


def read_frame(connection: socket.socket) -> bytes:
    """The next MLLP message, b"" at the end of the stream. Raises TimeoutError."""
    content = bytearray()
    while not content.endswith(b"\x1c\r"):
        if not (piece := connection.recv(1 << 20)):
            return b""
        content += piece
    return bytes(content[1:-2])


class Sender:
    """A client of a TCP Listener."""

    def __init__(self, host: str, port: int, timeout: float = 20) -> None:
        self.connection = socket.create_connection((host, port), timeout)

    def ask(self, text: str | bytes, charset: str = "utf-8") -> str:
        """Send one message, return the answer, "" where the connection ends. Raises TimeoutError."""
        self.connection.sendall(frame(text, charset))
        return read_frame(self.connection).decode(charset)


class Receiver:
    """A peer of a TCP Sender: keeps what it gets, and answers as `reply` says (None: not at all, b"": closes)."""

    def __init__(self, reply: Callable[[int, str], str | bytes | None] | None = None, port: int = 0) -> None:
        self.got: list[str] = []
        self.reply = reply or (lambda number, text: acknowledgement(text))
        self.server = socket.create_server(("0.0.0.0", port))
        self.port = int(self.server.getsockname()[1])
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while content := read_frame(connection):
                self.got.append(content.decode())
                answer = self.reply(len(self.got), self.got[-1])
                if answer == b"":
                    connection.close()
                    return
                if answer is not None:
                    connection.sendall(frame(answer))
        except OSError:
            return

    def close(self) -> None:
        """Stop listening and drop the connections."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for connection in self.open:
            connection.close()


@contextmanager
def receiver(reply: Callable[[int, str], str | bytes | None] | None = None) -> Iterator[Receiver]:
    """A peer for the time of a block."""
    peer = Receiver(reply)
    try:
        yield peer
    finally:
        peer.close()


def adt(control: str = "1", version: str = "2.5.1") -> str:
    """A small HL7 message."""
    return f"MSH|^~\\&|SENDER|SITE|MIRTH|LAB|20260110||ADT^A04^ADT_A01|{control}|P|{version}\rPID|1||1\r"


def acknowledgement(text: str, code: str = "AA", control: str | None = None) -> str:
    """An answer to a message."""
    own = re.split(r"\|", text)[9]
    return f"MSH|^~\\&|PEER|X|MIRTH|LAB|20260110||ACK|7|P|2.5.1\rMSA|{code}|{own if control is None else control}\r"


def free_port() -> int:
    """A port that nobody uses on this machine."""
    with socket.create_server(("0.0.0.0", 0)) as probe:
        return int(probe.getsockname()[1])


def sender(server: Server, port: int, **settings: object) -> dict[str, object]:
    """A TCP Sender to a peer of the test, with a queue."""
    common = {"remoteAddress": server.peer, "remotePort": str(port), "keepConnectionOpen": True, "sendTimeout": 0, "responseTimeout": 5000}
    fixed = {"charsetEncoding": "UTF-8", "destinationConnectorProperties.validateResponse": False}
    return {"name": "out", "type": "tcp", "data": "RAW", "responseData": "RAW", "set": {**QUEUED, **common, **fixed, **settings}}
