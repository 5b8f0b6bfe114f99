"""The Docker command line on the host, as the operator would use it (contexts and DOCKER_HOST included)."""

from __future__ import annotations

import json
import subprocess
from typing import Any

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
#: How often things are listed anew when one vanishes before it is looked at.
RELISTED = 5


class DockerError(Exception):
    """A docker call failed; the text is what it said on stderr."""


def run(args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
    """Run ``docker <args>`` and return its stdout.

    :param timeout: seconds
    :raises DockerError: it is missing, answers with another code than 0, or not in time
    """
    try:
        done = subprocess.run(["docker", *args], input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise DockerError("there is no `docker` command on this host") from error
    except subprocess.TimeoutExpired as error:
        raise DockerError(f"`docker {args[0]}` did not answer within {timeout:.0f} s") from error
    if done.returncode != 0:
        raise DockerError((done.stderr or done.stdout).strip() or f"`docker {args[0]}` ended with {done.returncode}")
    return done.stdout


def inspect(kind: str, names: list[str]) -> list[dict[str, Any]]:
    """Return ``docker <kind> inspect`` of some objects (container, image, network, volume)."""
    if not names:
        return []
    found: list[dict[str, Any]] = json.loads(run([kind, "inspect", *names]))
    return found


def inspect_listed(kind: str, listing: list[str]) -> list[dict[str, Any]]:
    """Return ``docker <kind> inspect`` of what ``docker <listing>`` lists by id.

    Others create and remove meanwhile: what is gone between the list and the look makes both be repeated.
    """
    for _ in range(RELISTED):
        try:
            return inspect(kind, run(listing).split())
        except DockerError as error:
            if "No such" not in str(error) and "not found" not in str(error):
                raise
    return inspect(kind, run(listing).split())


def containers(project: str) -> list[dict[str, Any]]:
    """Return ``docker container inspect`` of every container of a Compose project, running or not."""
    return inspect_listed("container", ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={project}"])


def look(service: dict[str, Any]) -> str:
    """Text of which container it is, and its state and health: a change of any is news."""
    return f"{service['id']} {service['state']} {service['health']}".strip()


def container_id(project: str, service: str) -> str:
    """Return the id of the running container of a service.

    :raises DockerError: none runs
    """
    filters = [f"label={PROJECT_LABEL}={project}", f"label={SERVICE_LABEL}={service}"]
    ids = run(["ps", "--quiet", "--no-trunc", *(word for text in filters for word in ("--filter", text))]).split()
    if not ids:
        raise DockerError(f"no container of service '{service}' runs in the Compose project '{project}'; run site.yml without --tags first")
    return ids[0]
