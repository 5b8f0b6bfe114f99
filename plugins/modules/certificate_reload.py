"""Let services take up their certificates while they run, without a restart: what is under way goes on.

A service is asked once, by the command in its role's ``service.yml``; the marker that the module service_files set is removed then. One
whose container started after the files were placed has read them already.
"""

from __future__ import annotations

import os
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import certificate_files, docker_cli


def main() -> None:
    """Reload; returns ``reloaded``. Fails with what the command of a service said; the next run asks that one again."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "reloads": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        running = {found["Config"]["Labels"].get(docker_cli.SERVICE_LABEL) for found in docker_cli.containers(module.params["project"])}
        foretold = [service for service in sorted(module.params["reloads"]) if service.replace("_", "-") in running]
        module.exit_json(changed=bool(foretold), reloaded=foretold)
    reloaded = []
    for service, command in sorted(module.params["reloads"].items()):
        marker = certificate_files.marker(module.params["root"], service)
        try:
            container = docker_cli.container_id(module.params["project"], service.replace("_", "-"))
            if started(container) < os.path.getmtime(marker):
                docker_cli.run(["exec", container, *command])
                reloaded.append(service)
        except docker_cli.DockerError as error:
            module.fail_json(msg=f"{service} has not taken up its new certificate: {error}. The next run asks it again.", reloaded=reloaded)
        os.unlink(marker)
    module.exit_json(changed=bool(reloaded), reloaded=reloaded)


def started(container: str) -> float:
    """Return when a container started, in seconds since the epoch."""
    (found,) = docker_cli.inspect("container", [container])
    # Nanoseconds, of which Python reads six digits.
    whole, _, rest = found["State"]["StartedAt"].rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00").timestamp()


if __name__ == "__main__":
    main()
