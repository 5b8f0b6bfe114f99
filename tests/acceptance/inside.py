"""Reaching into the lab's containers: what no published port offers (STOW-RS, health, restarts) goes through Docker on the host."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from waiting import wait_for

from .lab import Host, Lab, LabError
from .web import Answer

# Seconds that a whole start may take: a first boot of the archive on a slow disk takes minutes (dcm4chee.md §1.1).
START_SECONDS = 600

# A command that Docker Engine could not start: its exit code and how the reason begins, which `docker exec` prints on stdout.
NOT_STARTED = 126
NOT_STARTED_WORDS = b"OCI runtime exec failed"

# Seconds to wait before each further try to start a command.
START_PAUSES = (1, 3)


def complaint_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """Say how a command that failed ended: its exit code and the last it printed, on stderr or else on stdout."""
    said = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    return f"exit {done.returncode}: {said[-2000:] or 'no word'}"


class Inside:
    """Docker on the hosts of the lab; what goes by ssh takes one connection for each host, whose socket lies in the folder `sockets`.

    It stays until the end: a connection that ends by itself after a pause may take the next command with it.
    """

    def __init__(self, lab: Lab, sockets: str) -> None:
        self._lab = lab
        self._one_connection = ["-o", "ControlMaster=auto", "-o", "ControlPersist=yes", "-o", f"ControlPath={sockets}/%C"]
        self._containers: dict[str, str] = {}

    @classmethod
    @contextmanager
    def of(cls, lab: Lab) -> Iterator[Inside]:
        """Reach into a lab's containers; its connections end afterwards. Where there is none, ssh says so, and that is fine."""
        with TemporaryDirectory(prefix="ssh-") as sockets:
            inside = cls(lab, sockets)
            try:
                yield inside
            finally:
                for host in lab.hosts:
                    if host.connection == "ssh":
                        ssh, *where = host.exec[: host.exec.index("--")]
                        subprocess.run([ssh, *inside._one_connection, "-O", "exit", *where], capture_output=True, check=False)

    def host(self, service: str) -> Host:
        """Return the host of a Compose service. Raises LabError when the lab has none."""
        found = self._lab.host_of(service)
        if found is None:
            raise LabError(f"no host of the lab runs the service {service}")
        return found

    def docker(
        self, host: Host, *arguments: str, stdin: bytes = b"", check: bool = True, timeout: float = START_SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `docker <arguments>` on a host. Raises AssertionError with its output when `check` and it fails; `timeout` in seconds."""
        command = [*host.exec[:-1], *arguments]
        if host.connection == "ssh":
            command = [host.exec[0], *self._one_connection, *host.exec[1:-1], *map(shlex.quote, arguments)]
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=timeout)
        except FileNotFoundError as error:
            raise LabError(f"hosts.{host.name}.exec: there is no command {command[0]} here") from error
        assert not check or done.returncode == 0, f"on {host.name}: docker {' '.join(arguments[:6])}: {complaint_of(done)}"
        return done

    def compose(self, host: Host, *arguments: str) -> str:
        """Run `docker compose` on a host's project; return stdout. Raises AssertionError."""
        # It may make other containers.
        self._containers.clear()
        return self._compose(host, *arguments)

    def _compose(self, host: Host, *arguments: str) -> str:
        return self.docker(host, "compose", "--project-directory", host.project, *arguments).stdout.decode()

    def container(self, service: str) -> str:
        """Return the id of a service's container, running or not. Raises AssertionError when it has none."""
        if service not in self._containers:
            host = self.host(service)
            found = self._compose(host, "ps", "--all", "--quiet", service).split()
            assert found, f"{service} has no container on {host.name}"
            self._containers[service] = found[0]
        return self._containers[service]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return `docker inspect` of a service's container."""
        found: list[dict[str, Any]] = json.loads(self.docker(self.host(service), "inspect", self.container(service)).stdout)
        return found[0]

    def run(
        self, service: str, *command: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, again: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command in a service's container; the exit code is the caller's to judge.

        What Docker Engine could not start did not run, so it is started again, with a warning. `again`: it only reads, so where it ends
        without a word, as has been seen once in a while, it is run once more too.
        """
        host = self.host(service)
        variables = [word for name, content in (env or {}).items() for word in ("--env", f"{name}={content}")]
        words = ("exec", "--interactive", *variables, self.container(service), *command)
        for pause in START_PAUSES:
            done = self.docker(host, *words, stdin=stdin, check=False, timeout=120)
            silent = again and done.returncode != 0 and not done.stdout and not done.stderr
            if not (silent or (done.returncode == NOT_STARTED and done.stdout.startswith(NOT_STARTED_WORDS))):
                return done
            warnings.warn(f"in {service}: {complaint_of(done)}, run again: {' '.join(command)[:80]}", stacklevel=2)
            time.sleep(pause)
        return self.docker(host, *words, stdin=stdin, check=False, timeout=120)

    def output(self, service: str, *command: str, stdin: bytes = b"", again: bool = False) -> str:
        """Run a command in a service's container, which must succeed, and return what it prints; `again` as in `run`."""
        done = self.run(service, *command, stdin=stdin, again=again)
        assert done.returncode == 0, f"in {service}: {complaint_of(done)}: {' '.join(command)[:80]}"
        return done.stdout.decode("utf-8", "replace")

    def exchange(self, script: str, *arguments: str, stdin: bytes = b"", again: bool = False) -> str:
        """Run a shell's script on the folder that EMR and engine share, as its files' owner, in the engine's container."""
        as_owner = ("setpriv", "--reuid=1000", "--clear-groups", "sh", "-euc")
        return self.output("mirth", *as_owner, script, "sh", *arguments, stdin=stdin, again=again)

    def wait_healthy(self, *services: str, seconds: float = START_SECONDS) -> None:
        """Wait until services are healthy. Raises AssertionError with what the last health checks said."""

        def complaint() -> str:
            for service in services:
                state = self.inspect(service)["State"]
                if state["Status"] != "running" or state.get("Health", {}).get("Status") != "healthy":
                    last = (state.get("Health", {}).get("Log") or [{}])[-1].get("Output", "").strip()
                    return f"{service} is not healthy but {state['Status']}, its check says: {last or 'nothing'}"
            return ""

        wait_for(complaint, seconds)


class InsideHttp:
    """HTTP from within a service's container, by its own curl."""

    def __init__(self, inside: Inside, service: str, origin: str) -> None:
        self._inside = inside
        self._service = service
        self._origin = origin

    def name(self) -> str:
        return f"{self._origin} inside {self._service}"

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        # No Expect: it would put an interim answer in front. --noproxy: see dcm4chee.md §1.1.
        options = [word for name, content in {**(headers or {}), "Expect": ""}.items() for word in ("--header", f"{name}: {content}")]
        data = ["--data-binary", "@-"] if body else []
        command = ["curl", "-sS", "-i", "--noproxy", "*", "-m", "100", "--path-as-is", "-g", "-X", method]
        done = self._inside.run(self._service, *command, *options, *data, f"{self._origin}{target}", stdin=body)
        assert done.returncode == 0, f"{method} {target[:120]} inside {self._service}: {complaint_of(done)}"
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        return Answer(int(lines[0].split()[1]), {name.strip().lower(): text.strip() for name, _, text in pairs}, content)
