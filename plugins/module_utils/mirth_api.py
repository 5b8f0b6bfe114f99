"""The engine's REST API (mirth.md §2 and §8): one session, and errors in one sentence. Standard library only."""

from __future__ import annotations

import contextlib
import html
import http.client
import re
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from xml.etree import ElementTree

from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import Element, tree

#: What every fresh database of the engine begins with (mirth.md §5).
USER, FIRST_PASSWORD = "admin", "admin"
#: Of ``GET /server/status``: database and engine are up, each channel was deployed or has failed to be.
READY = 0
#: Seconds between two looks at something that the server does by itself.
PAUSE = 0.5
API_PORT = 8443
NO_REASON = "no reason was given"
JSON, TEXT, XML = "application/json", "text/plain", "application/xml"

#: How modules are told where the server is: the container of a Compose project, or a URL; and the lab's password.
SERVER = {"project": {"type": "str"}, "url": {"type": "str"}, "password": {"type": "str", "required": True, "no_log": True}}
ONE_OF = ("project", "url")


class MirthError(Exception):
    """Something that the server refused, or that it did not do; one sentence with the cause."""


class TimedOutError(MirthError):
    """The answer did not come in time; what was asked for may be done all the same."""


class UnauthorisedError(MirthError):
    """The server does not know this user and password."""


def address(project: str) -> str:
    """Return the URL of the engine's container on the container network, where nothing needs to be published."""
    (container,) = docker_cli.inspect("container", [docker_cli.container_id(project, "mirth")])
    networks = container["NetworkSettings"]["Networks"].values()
    found = [network["IPAddress"] for network in networks if network["IPAddress"]]
    if not found:
        raise docker_cli.DockerError("the engine's container has no address on a Docker network")
    return f"https://{found[0]}:{API_PORT}"


class Api:
    """A session. The server's own certificate names nobody (CN=mirth-connect, no SAN), so it is not checked: the way to it is the
    container network of this host (mirth.md §8.9).
    """

    def __init__(self, url: str, timeout: float = 60) -> None:
        where = urllib.parse.urlsplit(url)
        self.url, self.timeout = url, timeout
        self.secure, self.host, self.port = where.scheme == "https", where.hostname or "", where.port
        self.cookie = ""

    def call(self, method: str, path: str, body: str = "", kind: str = XML, accept: str = XML) -> str:
        """Ask for ``/api<path>`` and return the answer's text.

        :raises UnauthorisedError: 401
        :raises TimedOutError: no answer within the time-out
        :raises MirthError: no connection, or another code than 2xx; says what the server gave as its reason
        """
        # No proxy is looked up: http.client knows none.
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=ssl._create_unverified_context())
            if self.secure
            else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        )
        headers = {"X-Requested-With": "pacs-emr", "Accept": accept, "Cookie": self.cookie}
        if body:
            headers["Content-Type"] = f"{kind}; charset=UTF-8" if kind in (XML, TEXT) else kind
        try:
            connection.request(method, f"/api{path}", body.encode() if body else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except TimeoutError as error:
            raise TimedOutError(f"the engine did not answer {method} {path} within {self.timeout:.0f} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise MirthError(f"the engine does not answer at {self.url}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if found := re.match(r"JSESSIONID=[^;]+", answer.getheader("Set-Cookie") or ""):
            self.cookie = found[0]
        if answer.status < 300:
            return text
        error_type = UnauthorisedError if answer.status == 401 else MirthError
        raise error_type(f"{method} {path.partition('?')[0]} was answered {answer.status}: {reason(text) or NO_REASON}")

    def tree(self, path: str) -> Element:
        """Return what is at a path. Raises MirthError also where it is no XML."""
        text = self.call("GET", path)
        try:
            return tree(text)
        except ElementTree.ParseError as error:
            raise MirthError(f"GET {path} was not answered with XML, but with {text[:100]!r}: is {self.url} the engine?") from error

    def multipart(self, path: str, parts: Mapping[str, str]) -> str:
        """Post parts of XML; each needs its own content type (mirth.md §8.8)."""
        boundary = "pacs-emr-part"
        body = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {XML}\r\n\r\n{text}\r\n'
            for name, text in parts.items()
        )
        # One of the two bulk updates answers in JSON or text only (mirth.md §8.3).
        accept = JSON if path.startswith("/channelgroups") else XML
        return self.call("POST", path, f"{body}--{boundary}--\r\n", f"multipart/form-data; boundary={boundary}", accept)

    def wait_until_ready(self, patience: float) -> None:
        """Wait until the server has begun to deploy and is through with it; it answers so before any login (mirth.md §1.5).

        :param patience: seconds
        :raises MirthError: it is not ready by then
        """
        end = time.monotonic() + patience
        while True:
            try:
                status = self.call("GET", "/server/status", accept=JSON)
            except MirthError as error:
                said = str(error)
            else:
                if re.search(r"-?\d+", status) and int(re.findall(r"-?\d+", status)[0]) == READY:
                    return
                said = f"the engine at {self.url} is not ready; its status is {status}"
            if time.monotonic() > end:
                raise MirthError(said)
            time.sleep(PAUSE)

    def login(self, password: str) -> None:
        """Begin a session. Raises UnauthorisedError."""
        form = urllib.parse.urlencode({"username": USER, "password": password})
        self.call("POST", "/users/_login", form, "application/x-www-form-urlencoded")

    def logout(self) -> None:
        """End the session, which the server would keep for three days. One that cannot be ended is no news beside what was done in it."""
        with contextlib.suppress(MirthError):
            self.call("POST", "/users/_logout")

    def user_id(self) -> str:
        """Return the number by which the server knows the user; names do not do everywhere (mirth.md §8.6)."""
        for user in self.tree("/users"):
            if user.findtext("username") == USER:
                return str(user.findtext("id"))
        raise MirthError(f"the engine has no user {USER}")

    def set_password(self, password: str) -> None:
        """Set the user's password. A refusal is a list inside 200, and nothing is changed then (mirth.md §2.2).

        :raises MirthError: the password does not fit the server's policy
        """
        said = self.call("PUT", f"/users/{self.user_id()}/password", password, TEXT)
        if said.strip():
            raise MirthError(f"the engine refuses the new password: {'; '.join(text_in(said))}")


def reason(text: str) -> str:
    """Return the cause in an error's body: its innermost message, with the line of the script where it is one.

    The body quotes scripts and stack traces, and is not always XML that a parser takes.
    """
    found = [html.unescape(message).strip() for message in re.findall(r"<(?:detailM|m)essage>(.*?)</", text, re.DOTALL)]
    said = [message.splitlines()[0] for message in found if message]
    if not said:
        return " ".join(text.split())[:300]
    lines = [line for message in found for line in re.findall(r"LINE SOURCE:\s*(.+)", message)]
    return said[-1] + (f", in the line: {lines[-1].strip()}" if lines else "")


def text_in(xml: str) -> list[str]:
    """Return the texts of an answer's elements."""
    return [element.text.strip() for element in ElementTree.fromstring(xml).iter() if element.text and element.text.strip()]
