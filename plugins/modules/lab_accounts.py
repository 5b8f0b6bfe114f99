"""Bring the lab's accounts, groups and the login's reader in LDAP to what login_accounts says, through the LDAP container."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, lab_accounts
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldap_container import Ldap

FILTER = "(|(objectClass=organizationalUnit)(objectClass=inetOrgPerson)(objectClass=groupOfNames)(objectClass=simpleSecurityObject))"
ATTRIBUTES = ["objectClass", "cn", "sn", "uid", "description", "member", "userPassword"]


def main() -> None:
    """Read, plan, write, read back. Returns ``changed`` and a diff without passwords."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "base_dn": {"type": "str", "required": True},
            "password_file": {"type": "str", "default": "/run/secrets/ldap_root", "no_log": False},
            "accounts_base": {"type": "str", "required": True},
            "accounts": {"type": "list", "elements": "dict", "required": True},
            "reader_password": {"type": "str", "required": True, "no_log": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        container = docker_cli.container_id(given["project"], "ldap")
    except docker_cli.DockerError as error:
        if module.check_mode:
            module.exit_json(changed=True, msg="LDAP does not run yet: the accounts would be made")
        module.fail_json(msg=str(error))
    settings = lab_accounts.Settings(given["accounts_base"], given["accounts"], given["reader_password"], given["passwords"])
    try:
        ldap = Ldap(container, given["base_dn"], given["password_file"])
        changes = lab_accounts.plan(settings, ldap.search(FILTER, ATTRIBUTES))
        changed = bool(changes.records or changes.passwords)
        if changed and not module.check_mode:
            ldap.modify("".join(changes.records + changes.passwords))
            left = lab_accounts.plan(settings, ldap.search(FILTER, ATTRIBUTES))
            if left.records or left.passwords:
                module.fail_json(msg="LDAP took the changes, but reads back otherwise", left=left.after or left.before)
    except (docker_cli.DockerError, ValueError) as error:
        module.fail_json(msg=str(error))
    diff = {"before": changes.before, "after": changes.after, "before_header": "LDAP", "after_header": "LDAP"}
    module.exit_json(changed=changed, diff=diff)


if __name__ == "__main__":
    main()
