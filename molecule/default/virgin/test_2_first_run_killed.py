"""The first run dies while Compose is at work: `converge`, which comes next, makes it good."""

from __future__ import annotations

from conftest import RUN, Lab


def test_first_run_killed_while_containers_start(lab: Lab) -> None:
    # Compose makes all volumes that are not there.
    lab.deploy(playbook="molecule/default/small_disk.yml")
    lab.killed_at("stack : Wait until they are healthy")
    assert (RUN / "secrets.yml").stat().st_mode & 0o777 == 0o600
