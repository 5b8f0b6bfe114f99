"""Run the acceptance suite on the controller against a lab, show its lines as they come, and end with the lab's table."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.action import lab_secrets

PROJECT = Path(__file__).resolve().parents[2]
#: What the suite imports, by the name of its package.
PACKAGES = {
    "hl7": "hl7",
    "numpy": "numpy",
    "pillow": "PIL",
    "playwright": "playwright",
    "pydicom": "pydicom",
    "pynetdicom": "pynetdicom",
    "pytest": "pytest",
}


class ActionModule(ActionBase):
    """A command module would be silent until the end."""

    _supports_check_mode = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``checks``: how many passed.

        :raises AnsibleActionFail: the suite failed, proved nothing, or lacks packages
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            {
                "lab": {"type": "dict", "required": True},
                "steps": {"type": "str", "required": True},
                "images": {"type": "dict", "required": True},
                "secrets_file": {"type": "path", "required": True},
            }
        )
        lacking = [package for package, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
        if lacking:
            install = f"{sys.executable} -m pip install {' '.join(lacking)}"
            raise AnsibleActionFail(f"the proof needs packages that this Ansible's Python lacks: {install}")
        lab = args["lab"]
        artifacts = Path(lab["artifacts"])
        artifacts.mkdir(parents=True, exist_ok=True)
        told = artifacts / "lab.json"
        told.write_text(json.dumps(lab, indent=2), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "tests/acceptance", "-m", args["steps"], "-q", "--tb=short", "-p", "no:cacheprovider"]
        # In no file. Who has changed the password since the first boot gives the present one.
        made = lab_secrets.read(self._loader, args["secrets_file"]).get("openemr_admin_password", "")
        password = os.environ.get("LAB_EMR_PASSWORD") or made
        environment = os.environ | {"LAB_ENDPOINTS": str(told), "LAB_EMR_PASSWORD": password, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as suite:
            assert suite.stdout is not None
            for line in suite.stdout:
                self._display.display("  " + line.rstrip())
        if suite.returncode != 0:
            raise AnsibleActionFail(f"the lab did not prove itself (pytest ended with {suite.returncode}); what failed stands above")
        summary = json.loads((artifacts / "summary.json").read_text(encoding="utf-8"))
        for line in table(lab, args["images"], summary):
            self._display.display(line)
        self._display.display(f"\nCredentials: {args['secrets_file']}\nScreenshots and listings: {artifacts}")
        return result | {"changed": False, "checks": sum(len(checks) for checks in summary.values())}


def table(lab: dict[str, Any], images: dict[str, str], summary: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return the lines of the final table: service, image, address, what was checked."""
    rows = [("service", "image", "address", "proved")]
    for service, image in images.items():
        checks = [check["check"] for check in summary.get(service, []) if check["ok"]]
        rows.append((service, image.partition("@")[0], address(lab, service), f"{len(checks)} checks" if checks else "through the archive"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["", *("  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]) for row in rows)]


def address(lab: dict[str, Any], service: str) -> str:
    """Return where people reach a service."""
    places = {
        "ohif": "viewer",
        "edge": "portal",
        "arc": "dicom",
        "mirth": "hl7",
        "ldap": "ldap",
        "pacs-db": "pacs_db",
        "mirth-db": "mirth_db",
        "openemr": "emr",
        "openemr-db": "openemr_db",
    }
    where = lab[places[service]]
    if not where or where.get("url", "") is None:
        return "not published"
    if "url" in where:
        return str(where["url"])
    scheme = {"arc": "dicom", "ldap": "ldap", "mirth": "mllp", "openemr-db": "mariadb"}.get(service, "postgresql")
    title = f" ({where['ae_title']})" if "ae_title" in where else ""
    return f"{scheme}://{where['host']}:{where['port']}{title}"
