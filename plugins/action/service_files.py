"""Place all files of a host's services in one round trip.

Each role's ``templates/`` folder is rendered on the controller and mirrored, without ``.j2``, below ``<lab_root>/<service>/``, and
what else is there is removed; a file that begins with ``#!`` is executable. The secrets that the role's ``service.yml`` mounts become
``secrets/<mount>``, mode 0400, owned by the uid that opens them; one with ``until`` goes when that variable is true.
``compose.yaml.j2`` is rendered last and sees ``files_digest``, a
keyed digest of the service's other files and secrets, to be put into a label, so that Compose re-creates exactly the containers whose
files changed, also after a run that died. What a product reads at its first boot only is recorded in
``<lab_root>/first-boot/<service>.json`` for preflight. A service whose ``service.yml`` says which ``uid`` opens its key gets ``tls/`` with
certificate, key and trust; they are no part of the digest, for a renewal re-creates no container. The templates of the role that the
task stands in go to ``<lab_root>`` itself.

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
from ansible_collections.pacs_emr.lab.plugins.module_utils.secrets import DIGEST_KEY
from ansible_collections.pacs_emr.lab.plugins.plugin_utils.values import first_boot_values, value_of

COMPOSE = "compose.yaml.j2"


class ActionModule(ActionBase):
    """Render on the controller, hand everything to the module of the same name."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result: ``changed``, ``placed`` and ``removed`` paths, and a diff without secrets.

        ``reloads``: the command that makes a service take up its certificate, of each one that has not yet.

        :raises AnsibleActionFail: the task stands outside a role
        """
        super().run(tmp, task_vars)
        assert task_vars is not None
        _, args = self.validate_argument_spec(
            {"services": {"type": "list", "elements": "str", "required": True}, "check_folder": {"type": "path", "required": True}}
        )
        role = self._task._role
        if role is None:
            raise AnsibleActionFail("service_files places the templates of its own role too: use it inside a role")
        own = Path(role._role_path)
        secrets = self._value("lab_secrets")
        described = services.load_all(args["services"], own.parent)
        folders = [self._folder(service, own.parent / name, secrets, task_vars) for name, service in described.items()]
        project = {"folder": ".", "files": self._files(own, task_vars), "secrets": [], "certificate": None, "record": "", "prune": False}
        if task_vars.get("lab_render_to"):
            return {"changed": False, "rendered": write(Path(self._value("lab_render_to")), [*folders, project])}
        result: dict[str, Any] = self._execute_module(
            module_name="pacs_emr.lab.service_files",
            module_args={"root": self._value("lab_root"), "check_folder": args["check_folder"], "folders": [*folders, project]},
            task_vars=task_vars,
        )
        return result | {"reloads": {name: described[name].certificate["reload"] for name in result.get("pending", [])}}

    def _folder(self, service: services.Service, role: Path, secrets: dict[str, str], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the folder of one service must hold."""
        mounts = service.mounts(over=lambda name: bool(self._value(name)))
        mounted = [{"path": f"secrets/{mount}", "content": secrets[name], "uid": uid} for mount, name, uid in mounts]
        record = services.first_boot_record(service, first_boot_values(self._templar, service), secrets)
        return {
            "folder": service.name,
            "files": self._files(role, task_vars, mounted, secrets[DIGEST_KEY]),
            "secrets": mounted,
            "certificate": self._certificate(service, task_vars),
            "record": json.dumps(record, indent=2, sort_keys=True) + "\n" if record else "",
            "prune": True,
        }

    def _certificate(self, service: services.Service, task_vars: dict[str, Any]) -> dict[str, Any] | None:
        """Return the contents of a service's certificate files, and the uid that opens the key; None where it gets none.

        In check mode a file that is to be made first is empty.
        """
        if "uid" not in service.certificate or task_vars.get("lab_render_to"):
            return None
        paths = self._templar.template(trust_as_template(f"{{{{ '{service.name}' | pacs_emr.lab.certificate }}}}"))
        found: dict[str, Any] = {"uid": int(service.certificate["uid"])}
        for kind, path in paths.items():
            if self._task.check_mode and not Path(path).exists():
                found[kind] = ""
                continue
            try:
                found[kind] = Path(path).read_text(encoding="ascii")
            except OSError as error:
                raise AnsibleActionFail(f"{path}: {error.strerror}. playbooks/certs.yml makes it (docs/certificates.md)") from None
        return found

    def _files(
        self, role: Path, task_vars: dict[str, Any], mounted: list[dict[str, Any]] | None = None, key: str = ""
    ) -> list[dict[str, str]]:
        """Render a role's templates, the Compose file last."""
        templates = role / "templates"
        files: list[dict[str, str]] = []
        for template in sorted(templates.rglob("*.j2"), key=lambda path: (path.name == COMPOSE, path)):
            digest = services.keyed_digest(key, json.dumps([mounted, files]))
            templar = self._templar.copy_with_new_env(
                searchpath=[str(template.parent)], available_variables=task_vars | {"files_digest": digest}
            )
            text = trust_as_template(self._loader.get_text_file_contents(str(template)))
            content = str(templar.template(text, escape_backslashes=False))
            files.append({"path": str(template.relative_to(templates).with_suffix("")), "content": content})
        return files

    def _value(self, name: str) -> Any:
        return value_of(self._templar, name)


def write(target: Path, folders: list[dict[str, Any]]) -> list[str]:
    """Write rendered files below a folder of the controller; returns their paths."""
    written = []
    for folder in folders:
        for file in folder["files"]:
            path = target / folder["folder"] / file["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file["content"], encoding="utf-8")
            written.append(str(path))
    return written
