"""Services take up their certificates while they run: once, those that need it, and a failure is neither hidden nor forgotten."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import certificate_reload

from .support import run_module

PLACED = datetime(2026, 12, 1, 12, 0, 0, tzinfo=UTC).timestamp()
RELOADS = {"openemr": ["certificate.sh", "reload"], "mirth_db": ["reload"]}
Asked = list[list[str]]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What `docker exec` was asked for; both services have a marker of PLACED and started an hour before."""
    (tmp_path / "certificates-pending").mkdir()
    for name in RELOADS:
        (tmp_path / "certificates-pending" / name).touch()
        os.utime(tmp_path / "certificates-pending" / name, (PLACED, PLACED))
    calls: Asked = []
    monkeypatch.setattr(docker_cli, "container_id", lambda project, service: f"id of {service}")
    monkeypatch.setattr(docker_cli, "run", calls.append)
    started(monkeypatch, "2026-12-01T11:00:00.123456789Z")
    return calls


def started(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    monkeypatch.setattr(docker_cli, "inspect", lambda kind, names: [{"State": {"StartedAt": when}}])


def reload(root: Path, check: bool = False) -> dict[str, Any]:
    return run_module(certificate_reload, root, check, root=str(root), project="lab", reloads=RELOADS)


def markers(root: Path) -> list[str]:
    return sorted(os.listdir(root / "certificates-pending"))


def test_each_is_asked_once(tmp_path: Path, asked: Asked) -> None:
    result = reload(tmp_path)
    assert (result["changed"], result["reloaded"]) == (True, ["mirth_db", "openemr"])
    assert asked == [["exec", "id of mirth-db", "reload"], ["exec", "id of openemr", "certificate.sh", "reload"]]
    assert markers(tmp_path) == []


@pytest.mark.parametrize("when", ["2026-12-01T12:00:01.5Z", "2026-12-01T12:00:01Z"])
def test_container_that_started_afterwards_is_not_asked(tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    started(monkeypatch, when)
    result = reload(tmp_path)
    assert (result["changed"], result["reloaded"], asked, markers(tmp_path)) == (False, [], [], [])


def test_failure_is_told_and_the_next_run_asks_again(tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(args: list[str]) -> str:
        if "certificate.sh" in args:
            raise docker_cli.DockerError("AH00526: Syntax error")
        return ""

    monkeypatch.setattr(docker_cli, "run", refuses)
    result = reload(tmp_path)
    assert result["failed"] is True
    assert result["msg"].startswith("openemr has not taken up its new certificate: AH00526: Syntax error")
    assert markers(tmp_path) == ["openemr"]


@pytest.mark.parametrize(("running", "foretold"), [(("openemr", "ldap"), ["openemr"]), ((), [])])
def test_check_mode_foretells_those_that_run(
    tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch, running: tuple[str, ...], foretold: list[str]
) -> None:
    found = [{"Config": {"Labels": {docker_cli.SERVICE_LABEL: service}}} for service in running]
    monkeypatch.setattr(docker_cli, "containers", lambda project: found)
    result = reload(tmp_path, check=True)
    assert (result["changed"], result["reloaded"], asked) == (bool(foretold), foretold, [])
    assert markers(tmp_path) == sorted(RELOADS)
