"""Let the archive read its configuration again, and prove that it did: 204, and a connection to every listener.

After a change to a connection about one reload in four answers 500 and loses that listener, while the status stays STARTED; a second
reload heals it (dcm4chee.md §2.4). Goes through ``docker exec``, so it works with nothing published.
"""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli

RELOAD = "http://127.0.0.1:8080/dcm4chee-arc/ctrl/reload"
#: Seconds between two attempts.
PAUSE = 2.0


def main() -> None:
    """Reload until it is proved; returns ``attempts``. Fails with what the archive said last."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "listeners": {"type": "list", "elements": "int", "required": True},
            "attempts": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, attempts=0)
    said = ""
    try:
        container = docker_cli.container_id(module.params["project"], "arc")
        for attempt in range(1, module.params["attempts"] + 1):
            said = reload(container)
            if said == "204":
                closed = [port for port in module.params["listeners"] if not answers(container, port)]
                if not closed:
                    module.exit_json(changed=True, attempts=attempt)
                said = f"204, but nothing listens on {', '.join(map(str, closed))}"
            elif said == "409":
                module.fail_json(
                    msg="the archive refuses its configuration in LDAP (409) and keeps the old one; docker compose logs arc says why"
                )
            time.sleep(PAUSE)
    except docker_cli.DockerError as error:
        module.fail_json(msg=str(error))
    module.fail_json(
        msg=f"the archive was not reloaded in {module.params['attempts']} attempts; it said last: {said}. The next run tries again."
    )


def reload(container: str) -> str:
    """Ask for a reload; returns the HTTP status, ``000`` where there was no answer."""
    curl = ["curl", "--noproxy", "*", "-s", "-o", "/dev/null", "-m", "60", "-w", "%{http_code}", "-X", "POST", RELOAD]
    try:
        return docker_cli.run(["exec", container, *curl]).strip()
    except docker_cli.DockerError:
        return "000"


def answers(container: str, port: int) -> bool:
    """Whether a listener takes a connection."""
    try:
        docker_cli.run(["exec", container, "nc", "-z", "-w", "2", "127.0.0.1", str(port)])
    except docker_cli.DockerError:
        return False
    return True


if __name__ == "__main__":
    main()
