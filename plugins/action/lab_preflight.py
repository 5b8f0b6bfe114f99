"""Judge what the inventory says and what the host has, before anything changes; returns ``findings``, fails never.

Runs on the controller for each host, after ``lab_host`` was registered. All findings of all hosts are shown in one message by the
task after it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.action import lab_secrets
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight, services
from ansible_collections.pacs_emr.lab.plugins.plugin_utils.values import first_boot_values, value_of


class ActionModule(ActionBase):
    """Collect variables and facts, hand them to the pure checks in module_utils/preflight.py."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``findings``: a list of texts, empty when all is well.

        ``facts`` is what lab_host returned for this host; without it only what needs no host is judged.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        assert task_vars is not None
        _, args = self.validate_argument_spec({"facts": {"type": "dict"}, "tags": {"type": "list", "elements": "str", "default": []}})
        host = task_vars["inventory_hostname"]
        names = self._value("lab_services")
        here = services.load_all([name for name in names if name in task_vars["group_names"]])
        specs = {
            path.parents[1].name: yaml.safe_load(path.read_text(encoding="utf-8"))
            for path in sorted(services.ROLES.glob("*/meta/argument_specs.yml"))
        }
        options = {role: spec["argument_specs"]["main"].get("options", {}) for role, spec in specs.items()}
        known = {name for role in options.values() for name in role}
        renamed = yaml.safe_load((services.ROLES / "lab" / "vars" / "renamed.yml").read_text(encoding="utf-8"))["lab_renamed"]

        # Set by this role for the tasks after it, hence in sight when a second play follows in the same run.
        known.add("lab_secrets")
        inventory = {name for name in task_vars["hostvars"][host] if not name.startswith("_")}
        findings = preflight.unknown_variables(inventory, known, renamed, options)
        findings += preflight.groups(task_vars["groups"], names)
        findings += preflight.tags(args["tags"], self._value("lab_tags"))
        if findings:
            # A misplaced service or a misspelt name leaves variables that cannot be evaluated: say this first.
            return result | {"findings": [str(finding) for finding in findings], "changed": False}

        variables: dict[str, Any] = {}
        for role in ["lab", *here]:
            given: dict[str, Any] = {}
            for name in options[role]:
                if name in task_vars:
                    try:
                        given[name] = self._value(name)
                    except AnsibleError as error:
                        findings.append(preflight.Finding(name, f"cannot be evaluated: {error}", "correct it, or what it is made of"))
            values, wrong = preflight.typed(options[role], given, role)
            variables |= values
            findings += wrong
        findings += preflight.binds(variables, here)
        if findings:
            return result | {"findings": [str(finding) for finding in findings], "changed": False}
        findings += preflight.matching_versions(*(str(self._value(name)) for name in ("arc_tag", "ldap_tag", "pacs_db_tag")))
        own = [str(self._value(name)) for name in ("arc_ae_title", "arc_worklist_ae_title")]
        findings += preflight.own_ae_titles(*own)
        findings += preflight.ae_table(variables["lab_ae_table"], own)
        findings += preflight.secret_length(variables["lab_secret_length"])
        facts = args["facts"]
        if facts:
            findings += self._judge_host(host, facts, variables, here)
        findings += self._judge_data(host, facts, variables, here, task_vars)
        return result | {"findings": [str(finding) for finding in findings], "changed": False}

    def _judge_host(
        self, host: str, facts: dict[str, Any], variables: dict[str, Any], here: dict[str, services.Service]
    ) -> list[preflight.Finding]:
        findings = preflight.engine(facts, host, variables["lab_install_docker"])
        findings += preflight.networks(variables["lab_subnet"], variables["lab_ae_table"], facts, host)
        findings += preflight.resources(facts, variables, host, here, time.time())
        findings += preflight.ports(facts, variables, host, here)
        if "arc" in here:
            findings += preflight.storage(facts, variables, host, self._value("lab_storage_marker"))
        findings += preflight.missing_images(facts, variables["lab_image_source"], host)
        return findings

    def _judge_data(
        self,
        host: str,
        facts: dict[str, Any] | None,
        variables: dict[str, Any],
        here: dict[str, services.Service],
        task_vars: dict[str, Any],
    ) -> list[preflight.Finding]:
        """Judge the secrets file; where a running Docker Engine tells which data is there, also whether the data still fits."""
        file = self._value("lab_secrets_file")
        try:
            values = lab_secrets.read(self._loader, file)
        except AnsibleActionFail as error:
            return [preflight.Finding("lab_secrets_file", str(error), "docs/secrets.md")]
        needed = services.secret_users(services.load_all(variables["lab_services"]))

        def has_data(name: str) -> bool:
            return facts is not None and name in here and any(volume in facts["volumes"] for volume in here[name].data)

        all_hosts = facts is None or set(task_vars["groups"]["lab"]) <= set(task_vars["ansible_play_hosts_all"])
        findings = preflight.secrets(values, Path(file).name, needed, has_data, all_hosts)
        if findings:
            return findings
        for service in here.values():
            if facts is not None and has_data(service.name):
                wanted = services.first_boot_record(service, first_boot_values(self._templar, service), values)
                record = facts["first_boot"].get(service.name)
                findings += preflight.first_boot(service, wanted, record, host, variables["lab_root"], variables["lab_adopt_data"])
        return findings

    def _value(self, name: str) -> Any:
        return value_of(self._templar, name)
