"""What several unit tests need: where things are, templates in Ansible's own engine, playbooks in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
ROLES = ROOT / "roles"
SERVICES = ["ldap", "pacs_db", "mirth_db", "openemr_db", "arc", "mirth", "openemr", "ohif", "edge"]


def load(path: Path) -> Any:
    """Read one YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def defaults() -> dict[str, Any]:
    """Return the tables and the defaults of all roles, as the role lab brings them into sight; expressions are trusted."""
    files = [*(ROLES / "lab/defaults/main").glob("*.yml"), *ROLES.glob("*/defaults/main.yml"), ROLES / "lab/vars/main.yml"]
    found: dict[str, Any] = {}
    for file in files:
        found |= DataLoader().load_from_file(str(file), trusted_as_template=True)
    return found


def template(expression: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate a Jinja expression as a task would, our filters included."""
    return Templar(DataLoader(), dict(variables)).template(trust_as_template("{{ " + expression + " }}"))


def run_module(module: ModuleType, home: Path, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module's main() in this process and return what it answers; its temporary files go below ``home``."""
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(home / "remote")}
    answer = StringIO()
    with patch_module_args(given), redirect_stdout(answer), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(answer.getvalue())
    return result


@dataclass
class Run:
    """What a playbook said, and how it ended."""

    returncode: int
    output: str

    def counts(self, host: str) -> dict[str, int]:
        """Return the recap of a host: ok, changed, failed …"""
        line = next(line for line in reversed(self.output.splitlines()) if line.startswith(f"{host} "))
        return {name: int(count) for name, count in (word.split("=") for word in line.split(":")[1].split())}


def playbook(home: Path, *arguments: str, variables: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Run:
    """Run ansible-playbook with the project's settings; everything Ansible keeps for itself goes below ``home``."""
    hermetic = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_REMOTE_TMP": str(home / ".ansible" / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "400",
        "IMAGES": "",
        "LAB_BECOME": "no",
    }
    extra = ["-e", json.dumps(variables)] if variables else []
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *arguments, *extra],
        cwd=ROOT,
        env={**os.environ, **hermetic, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def texts(findings: Iterable[object]) -> list[str]:
    """Return what an operator reads of preflight's findings."""
    return [str(finding) for finding in findings]


def the_one(findings: Iterable[object]) -> str:
    """Return the text of the only finding."""
    (text,) = texts(findings)
    return text
