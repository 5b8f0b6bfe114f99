"""Place all files of a service on its host in one round trip.

The role's ``templates/`` folder is rendered on the controller and mirrored, without ``.j2``, below ``<lab_root>/<service>/``; a file
that begins with ``#!`` is executable. The secrets that the role's ``service.yml`` mounts become ``secrets/<mount>``, mode 0400, owned
by the uid that opens them. ``compose.yaml.j2`` is rendered last and sees ``files_digest``, a keyed digest of all other files and
secrets, to be put into a label, so that Compose re-creates exactly the containers whose files changed, also after a run that died.
What the product reads at its first boot only is recorded in ``<lab_root>/first-boot/<service>.json`` for preflight.
With ``lab_render_to`` set, the files are written to that folder of the controller, without secrets, and the host is not touched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.pacs_emr.lab.plugins.module_utils import services

COMPOSE = "compose.yaml.j2"


class ActionModule(ActionBase):
    """Render on the controller, hand everything to the module of the same name."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result: ``changed``, ``placed`` and ``removed`` paths, and a diff without secrets.

        :raises AnsibleActionFail: the task stands outside a role, or the secrets were not read before
        """
        super().run(tmp, task_vars)
        assert task_vars is not None
        self.validate_argument_spec({})
        role = self._task._role
        if role is None:
            raise AnsibleActionFail("service_files places the templates of the role that it stands in: use it inside a service role")
        service = services.load(role.get_name(), Path(role._role_path).parent)
        root = str(self._templar.template(trust_as_template("{{ lab_root }}")))
        secrets = self._templar.template(trust_as_template("{{ lab_secrets }}"))
        key = secrets["lab_digest_key"]

        mounted = [{"path": f"secrets/{mount}", "content": secrets[name], "uid": uid} for mount, name, uid in service.mounts]
        templates = Path(role._role_path) / "templates"
        files: list[dict[str, str]] = []
        for template in sorted(templates.rglob("*.j2"), key=lambda path: (path.name == COMPOSE, path)):
            digest = services.keyed_digest(key, json.dumps([mounted, files]))
            content = self._render(template, task_vars | {"files_digest": digest})
            files.append({"path": str(template.relative_to(templates).with_suffix("")), "content": content})
        if task_vars.get("lab_render_to"):
            for file in files:
                path = Path(self._templar.template(trust_as_template("{{ lab_render_to }}")), service.name, file["path"])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file["content"], encoding="utf-8")
            return {"changed": False, "rendered": [file["path"] for file in files]}
        variables = {
            name: self._templar.template(trust_as_template("{{ " + name + " }}"))
            for name in service.first_boot
            if name not in service.secrets
        }
        record = services.first_boot_record(service, variables, secrets)
        return dict(
            self._execute_module(
                module_name="pacs_emr.lab.service_files",
                module_args={
                    "root": root,
                    "service": service.name,
                    "files": files,
                    "secrets": mounted,
                    "record": json.dumps(record, indent=2, sort_keys=True) + "\n" if record else "",
                },
                task_vars=task_vars,
            )
        )

    def _render(self, template: Path, variables: dict[str, Any]) -> str:
        templar = self._templar.copy_with_new_env(searchpath=[str(template.parent)], available_variables=variables)
        text = trust_as_template(self._loader.get_text_file_contents(str(template)))
        return str(templar.template(text, escape_backslashes=False))
