"""Watch a host's containers until they are healthy, and say so: a module that waits is silent, and a first boot takes minutes."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli

#: Seconds that one look may take to see something new, and between lines that tell what is still awaited.
LOOK, TELL = 5.0, 15.0
#: A container that was unhealthy before this run may still recover by its own means (the archive's health script ends it): seconds.
RECOVERY = 240.0
#: Restarts since the first look after which a container counts as one that cannot start; Docker Engine doubles the pause before each,
#: so one that had that many already gets fewer.
RESTARTS, MORE_RESTARTS = 5, 2
MISSING = {"id": "", "state": "missing", "health": "", "restarts": 0, "said": ""}


class ActionModule(ActionBase):
    """Look with the module ``stack_state`` until everything is healthy, something is beyond waiting, or time is up."""

    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``changed`` and ``actions`` of the background job that started the containers, and ``services``.

        ``job`` is empty where Compose has ended already.
        ``before`` are the host's containers before the start, as lab_host lists them: what was healthy then is not told.

        :raises AnsibleActionFail: the job failed, a container is unhealthy or exited (with its last log lines), or time is up
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        assert task_vars is not None
        _, args = self.validate_argument_spec(
            {
                "project": {"type": "str", "required": True},
                "services": {"type": "list", "elements": "str", "required": True},
                "job": {"type": "str", "required": True},
                "before": {"type": "list", "elements": "dict", "default": []},
                "timeout": {"type": "int", "required": True},
            }
        )
        self._args, self._task_vars = args, task_vars
        self._host = task_vars["inventory_hostname"]
        began = told = time.monotonic()
        before = {container["service"]: container for container in args["before"]}
        services = {name: before.get(name, MISSING) for name in args["services"]}
        told_healthy = {(name, service["id"]) for name, service in services.items() if up(service)}
        # The first look at each container, by service; one that Compose re-creates is a new one.
        first: dict[str, Any] = {}
        job: dict[str, Any] = {} if args["job"] else {"changed": False}
        while True:
            state = self._look(job, services)
            services = {name: state["services"].get(name, MISSING) for name in args["services"]}
            first |= {name: service for name, service in services.items() if name not in first or first[name]["id"] != service["id"]}
            job = job or state["job"]
            waited = time.monotonic() - began
            healthy = {(name, service["id"]) for name, service in services.items() if up(service)}
            for name, _ in sorted(healthy - told_healthy):
                self._display.display(f"  {self._host}: {name} is healthy after {waited:.0f} s")
            told_healthy |= healthy
            awaited = [name for name, service in services.items() if not up(service)]
            if job.get("failed"):
                self._stop(job.get("msg", "Compose failed"), services, awaited)
            if job and not awaited:
                return result | {"changed": bool(job.get("changed")), "actions": job.get("actions", []), "services": services}
            for name in awaited:
                # Compose may be about to replace a container of before: what that one looks like while it is stopped says nothing.
                leaving = not job and services[name]["id"] == before.get(name, MISSING)["id"]
                if not leaving and (say := hopeless(services[name], first[name], bool(job), waited)):
                    self._stop(f"{name} {say}", services, [name])
            if waited > args["timeout"]:
                self._stop(
                    f"{', '.join(awaited) or 'Compose'} did not get ready within {args['timeout']} s (lab_start_timeout)", services, awaited
                )
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                waiting = ", ".join(f"{name} ({services[name]['health'] or services[name]['state']})" for name in awaited)
                self._display.display(f"  {self._host}: still waiting after {waited:.0f} s for {waiting or 'Compose to end'}")

    def _look(self, job: dict[str, Any], known: dict[str, Any], logs_of: list[str] | None = None) -> dict[str, Any]:
        state: dict[str, Any] = self._execute_module(
            module_name="pacs_emr.lab.stack_state",
            module_args={
                "project": self._args["project"],
                "job": "" if job else self._args["job"],
                "logs_of": logs_of or [],
                "known": {name: docker_cli.look(service) for name, service in known.items()},
                "patience": 0 if logs_of else LOOK,
            },
            task_vars=self._task_vars,
        )
        if state.get("failed"):
            raise AnsibleActionFail(f"cannot look at the containers of {self._host}: {state.get('msg')}")
        return state

    def _stop(self, say: str, services: dict[str, Any], guilty: list[str]) -> None:
        """Fail with the last log lines of the guilty."""
        down = [name for name in guilty if services[name]["state"] != "missing"]
        logs = self._look({"ended": True}, {}, down)["logs"] if down else {}
        parts = [
            f"--- {name}: last health check said: {services[name]['said'] or '(nothing)'}\n--- {name}: last log lines\n{logs.get(name, '')}"
            for name in down
        ]
        raise AnsibleActionFail(f"{self._host}: {say}\n" + "\n".join(parts))


def up(service: dict[str, Any]) -> bool:
    """Whether a container is as it should be: running and not known to be unhealthy, or ended well where it is meant to end."""
    if service["state"] == "exited":
        return bool(service["exit_code"] == 0)
    return service["state"] == "running" and service["health"] in ("healthy", "")


def hopeless(service: dict[str, Any], first: dict[str, Any], started: bool, waited: float) -> str | None:
    """Say why waiting for a container makes no sense, ``None`` if it does."""
    enough = RESTARTS if first["restarts"] < RESTARTS else MORE_RESTARTS
    if service["restarts"] - first["restarts"] >= enough:
        return f"cannot start: it was restarted {service['restarts'] - first['restarts']} times"
    if (
        service["state"] == "running"
        and service["health"] == "unhealthy"
        and (first["health"] != "unhealthy" or (started and waited > RECOVERY))
    ):
        return "is unhealthy"
    if started and service["state"] in ("exited", "dead"):
        return f"ended with code {service['exit_code']}"
    return "does not exist: Compose did not create it" if started and service["state"] == "missing" else None
