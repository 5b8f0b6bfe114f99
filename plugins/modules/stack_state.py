"""State of a Compose project's containers on the host, and of the background job that starts them. Reads only."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli

#: Seconds between two looks on the host.
PAUSE = 0.2


def main() -> None:
    """Return ``services`` (name → id, state, health, restarts, output of the last health check) and ``job``.

    Answers when the job has ended, when a service looks otherwise than in ``known`` (name → text of `docker_cli.look`), or after
    ``patience`` seconds, whatever comes first: one round trip is dear, a look on the host is not.
    """
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "job": {"type": "str", "default": ""},
            "logs_of": {"type": "list", "elements": "str", "default": []},
            "log_lines": {"type": "int", "default": 25},
            "known": {"type": "dict", "default": {}},
            "patience": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    deadline = time.monotonic() + module.params["patience"]
    ended: dict[str, Any] = {}
    try:
        while True:
            ended = ended or job(module.params["job"])
            found = {c["Config"]["Labels"][docker_cli.SERVICE_LABEL]: c for c in docker_cli.containers(module.params["project"])}
            services = {name: summary(container) for name, container in found.items()}
            if ended or time.monotonic() >= deadline or news(services, module.params["known"]):
                break
            time.sleep(PAUSE)
        logs = {name: docker_logs(found[name]["Id"], module.params["log_lines"]) for name in module.params["logs_of"] if name in found}
    except docker_cli.DockerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, services=services, logs=logs, job=ended)


def news(services: dict[str, Any], known: dict[str, str]) -> bool:
    """Whether a known service looks otherwise."""
    now = {name: docker_cli.look(service) for name, service in services.items()}
    return any(now.get(name, "missing") != before for name, before in known.items())


def summary(container: dict[str, Any]) -> dict[str, Any]:
    """What decides whether a container is up; ``health`` is empty where it has no health check."""
    state = container["State"]
    health = state.get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    return {
        "id": container["Id"],
        "state": state["Status"],
        "exit_code": state["ExitCode"],
        "health": health.get("Status", ""),
        "said": str(last.get("Output", "")).strip(),
        "restarts": container["RestartCount"],
        "started": state["StartedAt"],
    }


def docker_logs(container: str, lines: int) -> str:
    """Return the last lines of a container's log, stdout and stderr in order."""
    command = ["docker", "logs", "--tail", str(lines), container]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def job(identifier: str) -> dict[str, Any]:
    """Return the result of Ansible's background job when it has ended, ``{}`` while it runs; an ended one leaves the disk.

    While a job runs, its file holds nothing but ``started``, ``finished`` and ``ansible_job_id``; then the module's own result.
    """
    path = os.path.join(os.path.expanduser(os.environ.get("ANSIBLE_ASYNC_DIR", "~/.ansible_async")), identifier)
    if not identifier or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as handle:
        result: dict[str, Any] = json.load(handle)
    if not set(result) - {"started", "finished", "ansible_job_id"}:
        return {}
    os.unlink(path)
    return result


if __name__ == "__main__":
    main()
