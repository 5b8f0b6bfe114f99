"""A deployed lab: run again, in whole and in parts, nothing changes and nothing restarts."""

from __future__ import annotations

import pytest
from conftest import Lab, moved

SERVICES = {"ldap", "pacs-db", "mirth-db", "openemr-db", "arc", "mirth", "openemr", "ohif", "edge"}


def test_everything_is_healthy(lab: Lab) -> None:
    containers = lab.containers()
    assert containers.keys() == SERVICES
    assert {container.health for container in containers.values()} == {"healthy"}


def test_second_run_changes_nothing_and_moves_no_container(lab: Lab) -> None:
    containers, files = lab.containers(), lab.files()
    lab.deploy_again()
    assert moved(containers, lab.containers()) == set()
    assert lab.files() == files


@pytest.mark.parametrize("mode", [[], ["--check", "--diff"]], ids=["run", "check"])
@pytest.mark.parametrize("tag", ["deploy", "configure"])
def test_one_tag_alone_changes_nothing(lab: Lab, tag: str, mode: list[str]) -> None:
    """F-ANS-1."""
    run = lab.deploy("--tags", tag, *mode)
    assert run.changed == 0, run.output
    assert "()" not in run.output
    assert "''" not in run.output


def test_unknown_tag_is_refused(lab: Lab) -> None:
    """F-ANS-1."""
    run = lab.play("--tags", "deploi")
    assert run.code != 0
    assert "--tags deploi: no task has this tag" in run.output


def test_secrets_are_files_for_those_who_open_them_only(lab: Lab) -> None:
    secrets = lab.server.check_output("find /opt/pacs-emr -path '*/secrets/*' -printf '%m %p\\n'").splitlines()
    assert secrets
    assert [line for line in secrets if not line.startswith("400 ")] == []
