"""What check mode foretells: a network that moves, and a host that has no Docker Engine yet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from .support import ROOT, playbook

CONTAINER = {"service": "ldap", "state": "running", "ports": []}


def foretell(home: Path, *, subnet: str, compose: str) -> str:
    """Return what the role stack says of a lab whose network has this subnet; Compose finds no file to read."""
    host = {"compose": compose, "containers": [CONTAINER], "networks": [{"ours": True, "subnets": [subnet]}]}
    task = {"name": "Check", "ansible.builtin.include_role": {"name": "stack", "tasks_from": "check", "rolespec_validate": False}}
    given: dict[str, Any] = {"_lab_host": {"host": host}, "lab_project": "unit-test-nowhere", "lab_subnet": "10.213.0.0/24"}
    given |= {"stack_services": ["ldap"], "lab_services": ["ldap"], "stack_check_folder": str(home / "check")}
    play = {"name": "Check", "hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [task]}
    (home / "play.yml").write_text(yaml.safe_dump([play]))
    run = playbook(home, str(home / "play.yml"), "--check", environment={"ANSIBLE_ROLES_PATH": str(ROOT / "roles")})
    assert run.returncode == 0, run.output
    return words(run.output)


def words(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


def test_a_network_that_moves_is_foretold(tmp_path: Path) -> None:
    said = foretell(tmp_path, subnet="10.99.0.0/24", compose="2.26.1")
    assert "lab_subnet is now 10.213.0.0/24" in said
    assert "network and all its containers would be re-created" in said
    assert "changed=1" in said


def test_a_network_that_stays_is_no_news(tmp_path: Path) -> None:
    said = foretell(tmp_path, subnet="10.213.0.0/24", compose="")
    assert "lab_subnet is now" not in said
    assert "changed=0" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install Docker Engine")
def test_a_host_without_docker_engine_is_told_what_would_come(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The host is this machine, with a search path on which there is no docker."""
    tools = tmp_path_factory.mktemp("bin")
    for tool in Path("/usr/bin").iterdir():
        if not tool.name.startswith("docker"):
            (tools / tool.name).symlink_to(tool)
    given: dict[str, Any] = {
        "lab_root": str(tmp_path / "root"),
        "lab_secrets_file": str(tmp_path / "secrets.yml"),
        "lab_project": "unit-test-nowhere",
        "ca_folder": str(tmp_path / "certificates"),
    }
    given |= {"lab_min_memory_mb": "1", "lab_min_disk_gb": "0", "lab_subnet": "10.213.99.0/24", "lab_ae_table": [], "lab_procedures": []}
    given |= {"openemr_bind": ""} | {
        f"{name}_bind": ""
        for name in (
            *("ldap", "pacs_db", "arc_dicom", "arc_hl7", "mirth_api", "mirth_http", "mirth_hl7"),
            *("edge_https", "edge_http", "edge_viewer", "edge_archive"),
        )
    }
    run = playbook(tmp_path, "-i", "inventory/demo", "site.yml", "--check", "--diff", variables=given, environment={"PATH": str(tools)})
    assert run.returncode == 0, run.output
    assert "would be installed" in words(run.output)
    assert "ldap, pacs_db, mirth_db, openemr_db, arc, mirth, openemr, ohif, edge would be created and started" in words(run.output)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ansible"]
    assert not Path("/run/unit-test-nowhere-check").exists()
