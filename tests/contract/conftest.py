"""What the contract tests share: running containers of the image under test with the Docker CLI.

The image is the self-built one of images/images.json; CONTRACT_IMAGE_<NAME> (LDAP, PACS_DB, OHIF, EDGE, LOGIN, ARC, MIRTH, OPENEMR_DB,
OPENEMR) names another, so the same statements are checked against the upstream image.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIX = "contract-"
# Hardening of a service's container, to which its capabilities are added.
HARDENED = ("--cap-drop=ALL", "--security-opt=no-new-privileges:true")


def image_under_test(name: str, service: str = "") -> str:
    """Return a self-built image (key of images/images.json) or what CONTRACT_IMAGE_<NAME> says instead.

    :param service: Compose service that runs it, where it has another name: then that is the name of the variable
    """
    table: dict[str, str] = json.loads((REPOSITORY / "images" / "images.json").read_text(encoding="utf-8"))
    return os.environ.get(f"CONTRACT_IMAGE_{(service or name).upper().replace('-', '_')}", table[name])


def hardened(role: str) -> list[str]:
    """Return the options of `docker run` that harden a container as a role does: no capabilities but those that its service needs."""
    template = (REPOSITORY / "roles" / role / "templates" / "compose.yaml.j2").read_text(encoding="utf-8")
    found = re.search(r"^ *cap_add: \[(.+)\]$", template, re.MULTILINE)
    return [*HARDENED, *(f"--cap-add={name}" for name in (found[1].split(", ") if found else []))]


def entry(dn: str) -> list[str]:
    """Return the command that looks for an LDAP entry, and ends with the LDAP result code: 0, or 32 where there is none."""
    return ["ldapsearch", "-x", "-LLL", "-H", "ldap://127.0.0.1", "-s", "base", "-b", dn, "dn"]


def docker(*arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the Docker CLI. Raises AssertionError with its output when `check` and it fails; `timeout` is in seconds."""
    command = ["docker", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    assert not check or done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for a name, and its key, under the names that the lab gives them; return both.

    Anybody may read the key: the uid in the container is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "service.crt", folder / "service.key"
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *made], check=True, capture_output=True)
    key.chmod(0o644)
    (folder / "trust.pem").write_bytes(certificate.read_bytes())
    return certificate, key


class UnderWay:
    """A POST over TLS of whose body half is sent; the certificate is not verified."""

    def __init__(self, address: str, port: int, path: str, body: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection(address, port, timeout=20, context=context)
        self._connection.putrequest("POST", path)
        self._connection.putheader("Content-Type", "application/x-www-form-urlencoded")
        self._connection.putheader("Content-Length", str(len(body)))
        self._rest = body[len(body) // 2 :]
        self._connection.endheaders(body[: len(body) // 2])

    def finish(self) -> int:
        """Send the rest; return the status of the answer."""
        self._connection.send(self._rest)
        answer = self._connection.getresponse()
        answer.read()
        self._connection.close()
        return answer.status


class Container:
    """A container by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec(self, *command: str, user: str | None = None, stdin: str | None = None, check: bool = True) -> str:
        """Run a command inside; return stdout. Raises AssertionError when `check` and it fails."""
        return self.try_exec(*command, user=user, stdin=stdin, check=check).stdout

    def try_exec(
        self, *command: str, user: str | None = None, stdin: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside; return exit code and output."""
        options = [*(["--user", user] if user else []), *(["--interactive"] if stdin is not None else [])]
        return docker("exec", *options, self.name, *command, stdin=stdin, check=check)

    def inspect(self) -> dict[str, Any]:
        """Return what `docker inspect` says."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", self.name).stdout)
        return found[0]

    def running(self) -> bool:
        """Return whether the main process runs."""
        return bool(self.inspect()["State"]["Running"])

    def logs(self) -> str:
        """Return stdout and stderr of the main process so far."""
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def address(self) -> str:
        """Return the address in the first of its networks."""
        networks: dict[str, dict[str, str]] = self.inspect()["NetworkSettings"]["Networks"]
        return next(iter(networks.values()))["IPAddress"]

    def wait_until(self, *probe: str, seconds: float = 30) -> str:
        """Run `probe` inside until it succeeds; return its stdout.

        Raises AssertionError with the container's log when it does not within `seconds`, or the container has ended.
        """
        said = ""

        def complaint() -> str:
            nonlocal said
            done = self.try_exec(*probe)
            said = done.stdout
            if done.returncode == 0:
                return ""
            assert self.running(), f"{self.name} ended with {self.inspect()['State']['ExitCode']}"
            return f"{probe}: exit {done.returncode} {done.stderr}"

        try:
            wait_for(complaint, seconds, pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error
        return said

    def get(self, path: str, port: int = 80) -> tuple[int, dict[str, str], str]:
        """GET over HTTP; return status, headers (lower-case names) and body."""
        connection = http.client.HTTPConnection(self.address(), port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        answer = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode("latin-1")
        connection.close()
        return answer

    def wait_for_end(self, seconds: float = 30) -> int:
        """Wait until the main process has ended; return its exit code. Raises subprocess.TimeoutExpired."""
        return int(docker("wait", self.name, timeout=seconds).stdout)

    def stop(self, grace: int = 10) -> int:
        """Stop as `docker stop` does, `grace` in seconds; return the exit code."""
        docker("stop", "--time", str(grace), self.name)
        return int(self.inspect()["State"]["ExitCode"])

    def remove(self) -> None:
        """Remove the container with its anonymous volumes."""
        docker("rm", "--force", "--volumes", self.name)


class Engine:
    """Makes containers, volumes and networks and removes all of them at the end."""

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()

    def _name(self) -> str:
        return f"{PREFIX}{uuid.uuid4().hex[:12]}"

    def run(self, image: str, *command: str, options: Sequence[str] = (), env: dict[str, str] | None = None) -> Container:
        """Start a container in the background; `options` are those of `docker run`."""
        name = self._name()
        variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
        container = Container(name)
        self._undo.callback(container.remove)
        docker("run", "--detach", "--name", name, "--pull=never", *variables, *options, image, *command)
        return container

    def volume(self, **options: str) -> str:
        """Return the name of a new named volume; `options` are those of Docker Engine's local driver."""
        name = self._name()
        docker("volume", "create", *(f"--opt={option}={value}" for option, value in options.items()), name)
        self._undo.callback(docker, "volume", "rm", "--force", name)
        return name

    def network(self) -> str:
        """Return the name of a new bridge network."""
        name = self._name()
        docker("network", "create", name)
        self._undo.callback(docker, "network", "rm", name)
        return name

    def clean(self) -> None:
        """Remove everything, the newest first."""
        self._undo.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Things of one test."""
    made = Engine()
    yield made
    made.clean()


@pytest.fixture(scope="module")
def shared_engine() -> Iterator[Engine]:
    """Things of one test module."""
    made = Engine()
    yield made
    made.clean()
