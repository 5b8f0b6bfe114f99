"""The login as the role runs it, in front of an echo and beside the lab's LDAP; and a browser that is none."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from unit.support import ROOT, playbook

from ..conftest import Container, Engine, entry, image_under_test

IMAGE = image_under_test("login")
DOMAIN = "lab.internal"
EMR, VIEWER, PACS = f"emr.{DOMAIN}", f"viewer.{DOMAIN}", f"pacs.{DOMAIN}"
BASE = "dc=dcm4che,dc=org"
LAB = f"ou=lab,{BASE}"
ROOT_PASSWORD = "Root.1-x_"
READER_PASSWORD = "Reader.canary-1"
PASSPHRASE = "Passphrase.canary-1_0123456789"
# With what a form encodes, and letters beyond ASCII.
CLINICIAN, CLINICIAN_PASSWORD = "anna", "Canary & süß=1+1%41"
ADMIN, ADMIN_PASSWORD = "root.admin", "Admin.canary-2"
NOBODY, NOBODY_PASSWORD = "guest", "Guest.canary-3"
HEALTH = "/usr/local/apache2/health.sh"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def person(name: str, password: str) -> str:
    """Return the LDIF of an account."""
    return f"dn: uid={name},{LAB}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\nuserPassword: {password}\n\n"


def group(name: str, *members: str) -> str:
    """Return the LDIF of a group."""
    return f"dn: cn={name},{LAB}\nobjectClass: groupOfNames\ncn: {name}\n" + "".join(f"member: {dn}\n" for dn in members) + "\n"


ACCOUNTS = (
    f"dn: {LAB}\nobjectClass: organizationalUnit\nou: lab\n\n"
    f"dn: cn=reader,{LAB}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
    f"userPassword: {READER_PASSWORD}\n\n"
    + person(CLINICIAN, CLINICIAN_PASSWORD)
    + person(ADMIN, ADMIN_PASSWORD)
    + person(NOBODY, NOBODY_PASSWORD)
    + group("clinicians", f"cn=reader,{LAB}", f"uid={CLINICIAN},{LAB}")
    + group("admins", f"cn=reader,{LAB}", f"uid={ADMIN},{LAB}")
)


def render(home: Path, **variables: object) -> Path:
    """Return the folder of the role's files as the demo would get them, were the login placed in it."""
    home.mkdir(exist_ok=True)
    placed = home / "placed.yml"
    placed.write_text(yaml.safe_dump({"all": {"children": {"lab": {"children": {"login": {"hosts": {"lab1": {}}}}}}}}))
    services = yaml.safe_load((ROOT / "roles/lab/defaults/main/lab.yml").read_text())["lab_services"]
    given = {"render_to": str(home / "rendered"), "lab_services": sorted({*services, "login"}), "edge_domain": DOMAIN}
    given["lab_secrets_file"] = str(home / "secrets.yml")
    demo = str(ROOT / "inventory/demo")
    run = playbook(home, "-i", demo, "-i", str(placed), "playbooks/render.yml", variables=given | variables)
    assert run.returncode == 0, run.output
    folder = home / "rendered" / "lab1" / "login"
    place_secrets(folder)
    return folder


def place_secrets(folder: Path, session: str = PASSPHRASE, reader: str = READER_PASSWORD) -> None:
    """Add what the lab makes of the role's service.yml to its rendered files."""
    (folder / "secrets").mkdir(mode=0o700)
    for name, secret in (("login_session", session), ("login_reader", reader)):
        path = folder / "secrets" / name
        path.write_text(secret)
        path.chmod(0o400)
        os.chown(path, 33, 33)
    (folder / "health.sh").chmod(0o755)


def copy_of(folder: Path, home: Path, **secrets: str) -> Path:
    """Return a copy of the role's files with other secrets."""
    copy = home / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("secrets"))
    place_secrets(copy, **secrets)
    return copy


def options(folder: Path) -> list[str]:
    """Return the options of `docker run` that the rendered Compose file stands for."""
    service: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["login"]
    known = {"image", "restart", "labels", "environment", "ports", "stop_grace_period", "healthcheck", "logging"}
    flags = {"user": "user", "mem_limit": "memory", "pids_limit": "pids-limit"}
    lists = {"cap_drop": "cap-drop", "security_opt": "security-opt", "tmpfs": "tmpfs"}
    assert set(service) == known | {*flags, *lists, "read_only", "volumes"}
    return [
        "--read-only",
        *(f"--{flag}={service[key]}" for key, flag in flags.items()),
        *(f"--{flag}={value}" for key, flag in lists.items() for value in service[key]),
        *(f"--volume={folder / mount.removeprefix('./')}" for mount in service["volumes"]),
    ]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> str:
        """Return the values of a header, empty where it is not there."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def echo(self) -> dict[str, Any]:
        """What the backend saw."""
        assert self.status == 200, (self.status, self.body)
        said: dict[str, Any] = json.loads(self.body)
        return said

    def seen(self, name: str) -> list[str]:
        """Return the values of a header as the backend saw it."""
        return [value for key, value in self.echo["headers"] if key == name]


@dataclass
class Browser:
    """Keeps the login's cookie, as a browser does for the whole domain."""

    address: str
    cookie: str = ""
    answers: list[Answer] = field(default_factory=list)

    def ask(
        self,
        host: str,
        target: str = "/",
        method: str = "GET",
        body: str | Iterator[bytes] | None = None,
        headers: Mapping[str, str] = PAGE,
    ) -> Answer:
        """Send one request; keep the cookie that it brings."""
        connection = http.client.HTTPConnection(self.address, 8080, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": host, **({"Cookie": self.cookie} if self.cookie else {}), **headers}
        if isinstance(body, str):
            sent["Content-Length"] = str(len(body.encode()))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        if isinstance(body, str):
            connection.send(body.encode())
        elif body is not None:
            for piece in body:
                connection.send(piece)
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read().decode("utf-8", "replace"))
        connection.close()
        self.answers.append(answer)
        for found in re.findall(r"labsession=([^;,]*)", answer.header("Set-Cookie")):
            self.cookie = f"labsession={found}" if found else ""
        return answer

    def log_in(self, user: str, password: str, host: str = EMR, target: str = "/login", **more: str) -> Answer:
        """Send the form."""
        form = urlencode({"user": user, "password": password, **more})
        return self.ask(host, target, "POST", form, PAGE | {"Content-Type": "application/x-www-form-urlencoded"})


class Login:
    """The login with what stands beside it."""

    def __init__(self, made: Engine, folder: Path) -> None:
        self.made, self.folder = made, folder
        self.network = made.network()
        self.edge = self.start_edge()
        self.ldap = self.start_ldap("ldap")
        self.container = self.start()

    def start_ldap(self, alias: str, *options: str, **environment: str) -> Container:
        """Run the lab's LDAP with the accounts."""
        ldap = self.made.run(
            image_under_test("ldap"),
            options=[f"--network={self.network}", f"--network-alias={alias}", "--ulimit=nofile=1024", *options],
            env={"LDAP_ROOTPASS": ROOT_PASSWORD, "LDAP_CONFIGPASS": ROOT_PASSWORD, **environment},
        )
        ldap.wait_until(*entry(f"cn=view-applications,ou=account,{BASE}"), seconds=60)
        ldap.exec("ldapadd", "-x", "-H", "ldap://127.0.0.1", "-D", f"cn=admin,{BASE}", "-w", ROOT_PASSWORD, stdin=ACCOUNTS)
        return ldap

    def start(self, folder: Path | None = None, wait: bool = True) -> Container:
        """Run one more login, with other files where they are given."""
        found = folder or self.folder
        container = self.made.run(IMAGE, options=[f"--network={self.network}", *options(found)])
        if wait:
            container.wait_until(HEALTH)
        return container

    def start_edge(self) -> Container:
        """Run the echo under the edge's name."""
        script = Path(__file__).with_name("echo.py")
        mount = f"--volume={script}:/echo.py:ro"
        network = (f"--network={self.network}", "--network-alias=edge")
        edge = self.made.run(image_under_test("arc"), "/echo.py", "8181", options=[*network, mount, "--entrypoint=python3"])
        edge.wait_until("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8181))")
        return edge

    def browser(self, container: Container | None = None) -> Browser:
        """Return a browser without a cookie."""
        return Browser((container or self.container).address())

    def logged_in(self, user: str = CLINICIAN, password: str = CLINICIAN_PASSWORD, host: str = EMR) -> Browser:
        """Return a browser that is logged in."""
        browser = self.browser()
        assert browser.log_in(user, password, host).header("Location") == "/"
        return browser
