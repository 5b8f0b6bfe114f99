"""Let the engine process messages again, each in its own channel and under its own number (mirth-patterns.md §9).

Without messages it proves that the engine answers and takes the lab's password.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_api import USER, Api, MirthError, UnauthorisedError, address


def main() -> None:
    """Ask for each; the answer comes before the message is processed. Fails with all that were not taken."""
    module = AnsibleModule(
        argument_spec={
            # Where the server is: the container of a Compose project, or a URL.
            "project": {"type": "str"},
            "url": {"type": "str"},
            "password": {"type": "str", "required": True, "no_log": True},
            "messages": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"id": {"type": "str"}, "channel_id": {"type": "str"}, "message": {"type": "str"}},
            },
        },
        mutually_exclusive=[("project", "url")],
        required_one_of=[("project", "url")],
        supports_check_mode=True,
    )
    messages = module.params["messages"]
    errors = []
    try:
        api = Api(module.params["url"] or address(module.params["project"]))
        api.login(module.params["password"])
        for one in [] if module.check_mode else messages:
            try:
                api.call("POST", f"/channels/{one['channel_id']}/messages/{one['message']}/_reprocess?replace=true")
            except MirthError as error:
                errors.append(f"{one['id']}: {error}")
        api.logout()
    except UnauthorisedError:
        errors.append(f"the engine refuses the lab's password for {USER}: mirth_admin_password in the secrets file is not its own")
    except (docker_cli.DockerError, MirthError) as error:
        errors.append(str(error))
    if errors:
        module.fail_json(msg="; ".join(errors))
    module.exit_json(changed=bool(messages))


if __name__ == "__main__":
    main()
