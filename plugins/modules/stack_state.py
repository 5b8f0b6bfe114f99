"""State of a Compose project's containers on the host, and of the background job that starts them. Reads only."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli


def main() -> None:
    """Return ``services`` (name → state, health, restarts, output of the last health check) and ``job``."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "job": {"type": "str", "default": ""},
            "logs_of": {"type": "list", "elements": "str", "default": []},
            "log_lines": {"type": "int", "default": 25},
        },
        supports_check_mode=True,
    )
    try:
        found = docker_cli.containers(module.params["project"])
        services = {container["Config"]["Labels"][docker_cli.SERVICE_LABEL]: summary(container) for container in found}
        ids = {container["Config"]["Labels"][docker_cli.SERVICE_LABEL]: container["Id"] for container in found}
        logs = {name: docker_logs(ids[name], module.params["log_lines"]) for name in module.params["logs_of"] if name in ids}
    except docker_cli.DockerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, services=services, logs=logs, job=job(module.params["job"]))


def summary(container: dict[str, Any]) -> dict[str, Any]:
    """What decides whether a container is up; ``health`` is empty where it has no health check."""
    state = container["State"]
    health = state.get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    return {
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
