"""Judge what the inventory says and what the host has, before anything changes; returns ``findings``, and ``host`` with its facts.

Runs for each host. What the inventory says is judged first: the host is asked (module ``lab_host``) only where the variables that this
needs can be evaluated. All findings of all hosts are shown in one message by the task after it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.action import lab_secrets
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight_data, preflight_host, preflight_inventory, services
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding
from ansible_collections.pacs_emr.lab.plugins.plugin_utils.values import first_boot_values, value_of


class ActionModule(ActionBase):
    """Collect variables and facts, hand them to the pure checks in module_utils/preflight_*.py."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``findings``: a list of texts, empty when all is well. Without ``look`` only what needs no host is judged."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        assert task_vars is not None
        tags = {"type": "list", "elements": "str", "default": []}
        _, args = self.validate_argument_spec({"look": {"type": "bool", "default": True}, "tags": tags, "skip_tags": tags})
        result["changed"] = False
        variables, findings = self._judge_inventory(task_vars, args)
        if variables:
            here = services.load_all([name for name in variables["lab_services"] if name in task_vars["group_names"]])
            facts = None
            if args["look"]:
                told = self._look(variables, here, task_vars)
                if "host" not in told:
                    return result | told
                facts = result["host"] = told["host"]
                findings += self._judge_host(task_vars["inventory_hostname"], facts, variables, here)
            findings += self._judge_data(facts, variables, here, task_vars)
        return result | {"findings": [str(finding) for finding in findings]}

    def _judge_inventory(self, task_vars: dict[str, Any], args: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
        """Return the variables in their types, and what is wrong with them; no variables where the rest cannot be judged yet."""
        inventory = {name for name in task_vars["hostvars"][task_vars["inventory_hostname"]] if not name.startswith("_")}
        specs = {
            path.parents[1].name: yaml.safe_load(path.read_text(encoding="utf-8"))
            for path in sorted(services.ROLES.glob("*/meta/argument_specs.yml"))
        }
        options = {role: spec["argument_specs"]["main"].get("options", {}) for role, spec in specs.items()}
        known_services = sorted(path.parent.name for path in services.ROLES.glob("*/service.yml"))
        described = self._placed(known_services)
        renamed = yaml.safe_load((services.ROLES / "lab" / "vars" / "renamed.yml").read_text(encoding="utf-8"))["lab_renamed"]
        # lab_secrets is set by this role for the tasks after it, hence in sight when a second play follows in the same run.
        known = {name for role in options.values() for name in role} | {"lab_secrets"}
        findings = preflight_inventory.unknown_variables(inventory, known, renamed, options)
        findings += preflight_inventory.groups(task_vars["groups"], described)
        findings += preflight_inventory.tags("--tags", args["tags"], self._value("lab_tags"))
        findings += preflight_inventory.tags("--skip-tags", args["skip_tags"], self._value("lab_tags"))
        if findings:
            # A misplaced service or a misspelt name leaves variables that cannot be evaluated: say this first.
            return {}, findings

        variables: dict[str, Any] = {}
        derived: list[Finding] = []
        for role in ["lab", "ca", *described]:
            given: dict[str, Any] = {}
            for name in options[role]:
                if name in task_vars:
                    try:
                        given[name] = self._value(name)
                    except AnsibleError as error:
                        (findings if name in inventory else derived).append(
                            Finding(name, f"cannot be evaluated: {error}", "correct it, or what it is made of")
                        )
            values, wrong = preflight_inventory.typed(options[role], given, role)
            variables |= values
            findings += wrong
        findings += preflight_inventory.basics(variables, known_services)
        here = {name: service for name, service in services.load_all(described).items() if name in task_vars["group_names"]}
        findings += preflight_inventory.binds(variables, here, task_vars["inventory_hostname"])
        if findings or derived:
            # A default that cannot be evaluated is news only where nothing that it is made of was found wrong.
            return {}, findings or derived
        findings += preflight_inventory.matching_versions(variables["arc_tag"], variables["ldap_tag"], variables["pacs_db_tag"])
        own = [variables["arc_ae_title"], variables["arc_worklist_ae_title"]]
        findings += preflight_inventory.own_ae_titles(*own)
        findings += preflight_inventory.ae_table(variables["lab_ae_table"], own)
        stations = [row["ae_title"] for row in variables["lab_ae_table"]]
        findings += preflight_inventory.procedures(variables["lab_procedures"], stations, variables["openemr_provider_name"])
        findings += preflight_inventory.hl7_names(variables)
        findings += preflight_inventory.emr(variables)
        if "login" in described:
            findings += preflight_inventory.login(variables)
        findings += preflight_inventory.certificates(variables)
        findings += preflight_inventory.neighbours(task_vars["groups"])
        findings += preflight_inventory.secret_length(variables["lab_secret_length"])
        return variables, findings

    def _placed(self, names: list[str]) -> list[str]:
        """Return those of the services that lab_services names: the others need no group. None where it cannot be evaluated, which is
        found with the other variables."""
        try:
            return [name for name in names if name in self._value("lab_services")]
        except AnsibleError:
            return []

    def _look(self, variables: dict[str, Any], here: dict[str, services.Service], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the module lab_host answers: ``host``, or why it cannot be asked."""
        arguments = {
            "root": variables["lab_root"],
            "project": variables["lab_project"],
            "images": [variables[service.image] for service in here.values()],
            "storage_path": variables["arc_storage_path"] if "arc" in here else "",
            "storage_marker": self._value("lab_storage_marker"),
        }
        return dict(self._execute_module(module_name="pacs_emr.lab.lab_host", module_args=arguments, task_vars=task_vars))

    def _judge_host(self, host: str, facts: dict[str, Any], variables: dict[str, Any], here: dict[str, services.Service]) -> list[Finding]:
        findings = preflight_host.engine(facts, host, variables["lab_install_docker"])
        findings += preflight_host.networks(variables["lab_subnet"], variables["lab_ae_table"], facts, host)
        findings += preflight_host.resources(facts, variables, host, here, time.time())
        findings += preflight_host.ports(facts, variables, host, here)
        if "arc" in here:
            findings += preflight_host.storage(facts, variables, host, self._value("lab_storage_marker"))
        findings += preflight_host.images(facts, variables, host, here)
        return findings

    def _judge_data(
        self, facts: dict[str, Any] | None, variables: dict[str, Any], here: dict[str, services.Service], task_vars: dict[str, Any]
    ) -> list[Finding]:
        """Judge the secrets file; where a running Docker Engine tells which data is there, also whether the data still fits."""
        file = variables["lab_secrets_file"]
        try:
            values = lab_secrets.read(self._loader, file)
        except AnsibleActionFail as error:
            return [Finding("lab_secrets_file", str(error), "docs/secrets.md")]
        accounts = [row["name"] for row in variables.get("login_accounts") or []]
        needed = services.secret_keepers(services.load_all(variables["lab_services"]), accounts)

        def has_data(name: str) -> bool:
            return facts is not None and name in here and any(volume in facts["volumes"] for volume in here[name].data)

        all_hosts = facts is None or set(task_vars["groups"]["lab"]) <= set(task_vars["ansible_play_hosts_all"])
        findings = preflight_data.secrets(values, Path(file).name, needed, has_data, all_hosts)
        if findings:
            return findings
        host = task_vars["inventory_hostname"]
        for service in here.values():
            if facts is not None and has_data(service.name):
                wanted = services.first_boot_record(service, first_boot_values(self._templar, service), values)
                record = facts["first_boot"].get(service.name)
                findings += preflight_data.first_boot(service, wanted, record, host, variables["lab_root"], variables["lab_adopt_data"])
        return findings

    def _value(self, name: str) -> Any:
        return value_of(self._templar, name)
