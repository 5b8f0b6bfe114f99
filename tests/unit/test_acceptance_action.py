"""The table at the end of a proof."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.pacs_emr.lab.plugins.action import acceptance

LAB: dict[str, Any] = {
    "viewer": {"url": "http://localhost:3000"},
    "archive": {"url": None},
    "dicom": {"host": "localhost", "port": 11112, "ae_title": "DCM4CHEE"},
    "ldap": {"host": "10.0.0.1", "port": 389},
    "pacs_db": None,
    "hl7": {"host": "localhost", "port": 11113},
    "mirth_db": {"host": "10.0.0.1", "port": 5433},
}


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ("ohif", "http://localhost:3000"),
        ("edge", "not published"),
        ("arc", "dicom://localhost:11112 (DCM4CHEE)"),
        ("ldap", "ldap://10.0.0.1:389"),
        ("pacs-db", "not published"),
        ("mirth", "mllp://localhost:11113"),
        ("mirth-db", "postgresql://10.0.0.1:5433"),
    ],
)
def test_where_people_reach_a_service(service: str, where: str) -> None:
    assert acceptance.address(LAB, service) == where


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


def test_packages_that_an_own_ansible_lacks_are_named_before_anything_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = {"lab": {"artifacts": str(tmp_path / "made")}, "steps": "reads", "images": {}, "secrets_file": "x"}
    task = MagicMock(async_val=0, check_mode=False, args=args)
    action = acceptance.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    monkeypatch.setattr(acceptance.importlib.util, "find_spec", lambda name: None if name in ("PIL", "playwright") else name)
    with pytest.raises(AnsibleActionFail, match=r"pip install pillow playwright$"):
        action.run(None, {})
    assert not (tmp_path / "made").exists()


def test_every_package_that_the_suite_imports_is_asked_for() -> None:
    suite = (acceptance.PROJECT / "tests" / "acceptance").glob("*.py")
    imported: set[str] = set()
    for statement in (node for path in suite for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(statement, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            imported.add(str(statement.module).partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - {"waiting"} == set(acceptance.PACKAGES.values())
