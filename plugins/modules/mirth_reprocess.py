"""Let the engine process messages again, each in its own channel and under its own number (mirth-patterns.md §9).

Without messages it proves that the engine answers and takes the lab's password.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_api import (
    ONE_OF,
    SERVER,
    USER,
    Api,
    MirthError,
    UnauthorisedError,
    address,
)


def main() -> None:
    """Ask for each; the answer comes before the message is processed.

    Returns ``errors``: id → what to say of one that was not taken. Fails where the engine does not answer at all, or not to this password.
    """
    module = AnsibleModule(
        argument_spec={
            **SERVER,
            "messages": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"id": {"type": "str"}, "channel_id": {"type": "str"}, "message": {"type": "str"}},
            },
        },
        mutually_exclusive=[ONE_OF],
        required_one_of=[ONE_OF],
        supports_check_mode=True,
    )
    messages = module.params["messages"]
    try:
        api = Api(module.params["url"] or address(module.params["project"]))
        api.login(module.params["password"])
    except UnauthorisedError:
        module.fail_json(msg=f"the engine refuses the lab's password for {USER}: mirth_admin_password in the secrets file is not its own")
    except (docker_cli.DockerError, MirthError) as error:
        module.fail_json(msg=str(error))
    errors: dict[str, str] = {}
    changed = False
    for one in messages:
        try:
            changed |= again(api, f"/channels/{one['channel_id']}/messages", one["message"], module.check_mode)
        except MirthError as error:
            errors[one["id"]] = f"{one['id']}: not taken, {error}"
    api.logout()
    module.exit_json(changed=changed, errors=errors)


def again(api: Api, path: str, number: str, check: bool) -> bool:
    """Ask for one message, and return whether; one that waits in its queue is processed anyway, and would be twice. Raises MirthError."""
    if api.tree(f"{path}/count?status=QUEUED&minMessageId={number}&maxMessageId={number}").text != "0":
        return False
    if not check:
        api.call("POST", f"{path}/{number}/_reprocess?replace=true")
    return True


if __name__ == "__main__":
    main()
