"""The first run dies while Compose is at work: `converge`, which comes next, makes it good."""

from __future__ import annotations

from conftest import RUN, Lab


def test_first_run_killed_while_containers_start(lab: Lab) -> None:
    lab.killed_at("stack : Wait until they are healthy")
    assert (RUN / "secrets.yml").stat().st_mode & 0o777 == 0o600
