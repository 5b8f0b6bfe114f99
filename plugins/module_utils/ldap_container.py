"""The lab's LDAP, asked by its own clients inside its container."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, ldif

SERVER = ["-x", "-H", "ldap://127.0.0.1"]
#: By which a module finds the lab's LDAP.
OPTIONS: dict[str, dict[str, Any]] = {
    "project": {"type": "str", "required": True},
    "base_dn": {"type": "str", "required": True},
    "password_file": {"type": "str", "default": "/run/secrets/ldap_root", "no_log": False},
}


class Ldap:
    """OpenLDAP's own clients inside the container: works with nothing published, and no password leaves it."""

    def __init__(self, container: str, base: str, password_file: str) -> None:
        self.container, self.base = container, base
        self.login = [*SERVER, "-D", f"cn=admin,{base}", "-y", password_file]

    def search(self, filter: str, attributes: list[str]) -> dict[str, ldif.Attributes]:
        """Return dn → attributes of what a filter finds below the base."""
        command = ["ldapsearch", *self.login, "-LLL", "-o", "ldif-wrap=no", "-b", self.base, filter, *attributes]
        return ldif.parse(docker_cli.run(["exec", self.container, *command]))

    def modify(self, changes: str) -> None:
        """Apply LDIF change records; the first that is refused ends it."""
        docker_cli.run(["exec", "-i", self.container, "ldapmodify", *self.login], stdin=changes)


def connect(module: AnsibleModule, absent: dict[str, Any]) -> Ldap:
    """Return the clients of a module's LDAP. Where that does not run, check mode ends with ``absent`` as foretold, and a run fails."""
    given = module.params
    try:
        container = docker_cli.container_id(given["project"], "ldap")
    except docker_cli.DockerError as error:
        if module.check_mode:
            module.exit_json(changed=True, **absent)
        module.fail_json(msg=str(error))
    return Ldap(container, given["base_dn"], given["password_file"])
