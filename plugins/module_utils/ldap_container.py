"""The lab's LDAP, asked by its own clients inside its container."""

from __future__ import annotations

from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, ldif

SERVER = ["-x", "-H", "ldap://127.0.0.1"]


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
