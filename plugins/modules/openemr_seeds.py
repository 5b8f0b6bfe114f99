"""Bring OpenEMR's rows, our own tables beside them, and the engine's account to what the lab says, through the database's container."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, openemr_tables
from ansible_collections.pacs_emr.lab.plugins.module_utils.openemr_tables import NotInstalledError, Plan, SeedError, Settings, State

SERVICE = "openemr-db"
#: The password is read inside the container and reaches its client by a pipe: it is in no command line and no environment.
#: The path of its file is $0.
CLIENT = """exec mariadb --defaults-extra-file=/dev/fd/3 --user=root --protocol=socket --default-character-set=utf8mb4 \
--batch --raw --skip-column-names 3<<END
[client]
password="$(cat "$0")"
END
"""
#: Nothing is cut to fit, whatever the server's own mode is.
BEGINNING = "SET SESSION sql_mode = 'STRICT_ALL_TABLES';\n"

TEXT = {"type": "str", "required": True}


def main() -> None:
    """Read, plan, write, read back. Returns ``changed``, ``changes`` (their names) and a diff without secrets."""
    lab = ["name", "npi", "send_app_id", "send_fac_id", "recv_app_id", "recv_fac_id", "DorP", "direction", "protocol"]
    module = AnsibleModule(
        argument_spec={
            "project": TEXT,
            "password_file": {"type": "str", "default": "/run/secrets/openemr_db_root", "no_log": False},
            "database": TEXT,
            # OpenEMR's own account, which must be there, and the engine's.
            "user": TEXT,
            "reader": TEXT,
            "reader_password": {**TEXT, "no_log": True},
            # Columns of procedure_providers.
            "lab": {"type": "dict", "required": True, "options": dict.fromkeys([*lab, "orders_path", "results_path"], TEXT)},
            # Rows of lab_procedures; code and name are read.
            "procedures": {"type": "list", "elements": "dict", "required": True},
            "question": {"type": "dict", "required": True, "options": dict.fromkeys(["code", "text"], TEXT)},
            "globals": {"type": "dict", "required": True},
            "category": TEXT,
            # Columns of background_services.
            "service": {"type": "dict", "required": True, "options": dict.fromkeys(["name", "title", "function", "require_once"], TEXT)},
            "patient_menu": TEXT,
        },
        supports_check_mode=True,
    )
    given = {name: value for name, value in module.params.items() if name not in ("project", "password_file")}
    given["globals"] = {name: setting(value) for name, value in given["globals"].items()}
    try:
        settings = Settings(**given)
        container = docker_cli.container_id(module.params["project"], SERVICE)
    except SeedError as error:
        module.fail_json(msg=str(error))
    except docker_cli.DockerError as error:
        if module.check_mode:
            module.exit_json(changed=True, changes=[], msg="The EMR's database does not run yet: its rows would be set")
        module.fail_json(msg=str(error))
    database = Database(container, module.params["password_file"], settings)
    try:
        plan = Plan(settings, database.read())
        if plan.changes and not module.check_mode:
            database.write(plan)
            left = Plan(settings, database.read())
            if left.changes:
                names = ", ".join(change.what for change in left.changes)
                module.fail_json(msg=f"the EMR's database took the changes, but reads back otherwise: {names}", diff=diff(left))
    except NotInstalledError as error:
        if module.check_mode:
            module.exit_json(changed=True, changes=[], msg=f"{error}: its rows would be set")
        module.fail_json(msg=str(error))
    except (docker_cli.DockerError, SeedError) as error:
        module.fail_json(msg=str(error))
    for warning in plan.warnings:
        module.warn(warning)
    module.exit_json(changed=bool(plan.changes), changes=[change.what for change in plan.changes], diff=diff(plan))


def setting(value: object) -> str:
    """Return a value of a global as OpenEMR keeps it: yes and no are 1 and 0."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def diff(plan: Plan) -> list[dict[str, str]]:
    """Return what changes, as Ansible shows it."""
    return [
        {"before": change.before, "after": change.after, "before_header": change.what, "after_header": change.what}
        for change in plan.changes
    ]


class Database:
    """MariaDB's own client inside the container: works with nothing published, and no password leaves it."""

    def __init__(self, container: str, password_file: str, settings: Settings) -> None:
        self.command = ["exec", "-i", container, "sh", "-c", CLIENT, password_file]
        self.settings = settings

    def sql(self, statements: str) -> str:
        """Run statements until one is refused; return the lines that they answer."""
        return docker_cli.run(self.command, stdin=BEGINNING + statements)

    def read(self) -> State:
        """Return all that the plan looks at."""
        state = openemr_tables.parse(State(), self.sql(openemr_tables.probe(self.settings)))
        return openemr_tables.parse(state, self.sql(openemr_tables.reading(self.settings, state)))

    def write(self, plan: Plan) -> None:
        """Do what is planned."""
        self.sql(f"USE {openemr_tables.identifier(self.settings.database)};\n{plan.script}")


if __name__ == "__main__":
    main()
