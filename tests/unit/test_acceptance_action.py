"""The table at the end of a proof."""

from __future__ import annotations

import ast
import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible_collections.pacs_emr.lab.plugins.action import acceptance

LAB: dict[str, Any] = {
    "portal": {"url": "https://lab.example.org"},
    "viewer": {"url": "http://localhost:3000"},
    "archive": {"url": None},
    "dicom": {"host": "localhost", "port": 11112, "ae_title": "DCM4CHEE"},
    "ldap": {"host": "10.0.0.1", "port": 389},
    "pacs_db": None,
    "hl7": {"host": "localhost", "port": 11113},
    "mirth_db": {"host": "10.0.0.1", "port": 5433},
    "emr": {"url": "https://localhost:8300"},
    "openemr_db": {"host": "10.0.0.1", "port": 3307},
}


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ("ohif", "http://localhost:3000"),
        ("edge", "https://lab.example.org"),
        ("arc", "dicom://localhost:11112 (DCM4CHEE)"),
        ("ldap", "ldap://10.0.0.1:389"),
        ("pacs-db", "not published"),
        ("mirth", "mllp://localhost:11113"),
        ("mirth-db", "postgresql://10.0.0.1:5433"),
        ("openemr", "https://localhost:8300"),
        ("openemr-db", "mariadb://10.0.0.1:3307"),
    ],
)
def test_where_people_reach_a_service(service: str, where: str) -> None:
    assert acceptance.address(LAB, service) == where


def test_an_emr_and_a_database_that_are_not_published() -> None:
    lab = LAB | {"emr": {"url": None, "user": "admin"}, "openemr_db": None}
    assert acceptance.address(lab, "openemr") == acceptance.address(lab, "openemr-db") == "not published"


def test_the_table_has_a_row_for_each_service_and_counts_what_passed() -> None:
    images = {"arc": "docker.io/x/arc:5.34.2@sha256:abc", "ldap": "x/ldap:2.6"}
    summary = {"arc": [{"check": "echo", "ok": True}, {"check": "store", "ok": True}, {"check": "find", "ok": False}]}
    blank, head, arc, ldap = acceptance.table(LAB, images, summary)
    assert blank == ""
    assert head.split() == ["service", "image", "address", "proved"]
    assert "docker.io/x/arc:5.34.2 " in arc
    assert arc.endswith("2 checks")
    assert "ldap://10.0.0.1:389" in ldap
    assert ldap.endswith("through the archive")


def acting(args: dict[str, Any]) -> acceptance.ActionModule:
    task = MagicMock(async_val=0, check_mode=False, args=args)
    return acceptance.ActionModule(task, MagicMock(), MagicMock(), DataLoader(), MagicMock(), MagicMock())


@pytest.mark.parametrize(
    ("secrets", "given", "password"),
    [
        ("openemr_admin_password: made.by-the-lab\n", None, "made.by-the-lab"),
        ("openemr_admin_password: made.by-the-lab\n", "changed.since-then", "changed.since-then"),
        ("openemr_admin_password: made.by-the-lab\n", "", "made.by-the-lab"),
        (None, None, ""),
    ],
)
def test_the_suite_gets_the_emrs_password_in_its_environment_and_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: str | None, given: str | None, password: str
) -> None:
    """What the lab made at the first boot, unless somebody says that it is another one by now."""
    seen: dict[str, Any] = {}

    class Suite:
        stdout, returncode = StringIO(), 0

        def __init__(self, command: list[str], env: dict[str, str], **more: Any) -> None:
            seen.update(command=command, env=env)

        def __enter__(self) -> Suite:
            return self

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(acceptance.subprocess, "Popen", Suite)
    # The newer Ansible of the tests has none of the suite's packages.
    monkeypatch.setattr(acceptance.importlib.util, "find_spec", lambda name: name)
    monkeypatch.delenv("LAB_EMR_PASSWORD", raising=False)
    if given is not None:
        monkeypatch.setenv("LAB_EMR_PASSWORD", given)
    if secrets:
        (tmp_path / "secrets.yml").write_text(secrets)
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    (artifacts / "summary.json").write_text("{}")
    lab = LAB | {"artifacts": str(artifacts)}
    acting({"lab": lab, "steps": "reads", "images": {}, "secrets_file": str(tmp_path / "secrets.yml")}).run(None, {})
    assert seen["env"]["LAB_EMR_PASSWORD"] == password
    assert seen["env"]["LAB_ENDPOINTS"] == str(artifacts / "lab.json")
    assert json.loads((artifacts / "lab.json").read_text()) == lab
    assert not password or password not in " ".join(seen["command"])


def test_packages_that_an_own_ansible_lacks_are_named_before_anything_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = {"lab": {"artifacts": str(tmp_path / "made")}, "steps": "reads", "images": {}, "secrets_file": "x"}
    action = acting(args)
    monkeypatch.setattr(acceptance.importlib.util, "find_spec", lambda name: None if name in ("PIL", "playwright") else name)
    with pytest.raises(AnsibleActionFail, match=r"pip install pillow playwright$"):
        action.run(None, {})
    assert not (tmp_path / "made").exists()


def test_every_package_that_the_suite_imports_is_asked_for() -> None:
    tests = acceptance.PROJECT / "tests"
    suite = (tests / "acceptance").glob("*.py")
    imported: set[str] = set()
    for statement in (node for path in suite for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(statement, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            imported.add(str(statement.module).partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - {path.stem for path in tests.glob("*.py")} == set(acceptance.PACKAGES.values())
