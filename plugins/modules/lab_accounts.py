"""Bring the lab's accounts, groups and the login's reader in LDAP to what login_accounts says, through the LDAP container."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, lab_accounts, ldap_container

FILTER = "(|(objectClass=organizationalUnit)(objectClass=inetOrgPerson)(objectClass=groupOfNames)(objectClass=simpleSecurityObject))"
ATTRIBUTES = ["objectClass", "cn", "sn", "uid", "description", "member", "userPassword"]


def main() -> None:
    """Read, plan, write, read back. Returns ``changed`` and a diff without passwords."""
    module = AnsibleModule(
        argument_spec={
            **ldap_container.OPTIONS,
            "accounts_base": {"type": "str", "required": True},
            "accounts": {"type": "list", "elements": "dict", "required": True},
            "reader_password": {"type": "str", "required": True, "no_log": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    ldap = ldap_container.connect(module, {"msg": "LDAP does not run yet: the accounts would be made"})
    settings = lab_accounts.Settings(given["accounts_base"], given["accounts"], given["reader_password"], given["passwords"])
    try:
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
