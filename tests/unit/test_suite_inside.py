"""The acceptance suite's way into containers: a fault of Docker Engine's is told apart from one of the command."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from acceptance import inside
from acceptance.inside import Inside
from acceptance.lab import Host, Lab

NOT_STARTED = 'echo "OCI runtime exec failed: exec failed: unable to start container process: resource unavailable: unknown"; exit 126'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between two tries, not their number."""
    monkeypatch.setattr(inside, "START_PAUSES", (0,) * len(inside.START_PAUSES))


def lab_whose_docker(tmp_path: Path, *runs: str) -> Inside:
    """A lab of one host whose `docker exec` does one of `runs` (shell) at each call, and the last one ever after."""
    docker = tmp_path / "docker"
    cases = "".join(f"{number}) {run} ;;\n" for number, run in enumerate(runs[:-1], 1))
    count = f'[ "$1" = exec ] || {{ echo container; exit; }}\necho >>{tmp_path}/calls; n=$(wc -l <{tmp_path}/calls)\n'
    docker.write_text(f"#!/bin/sh\n{count}case $n in\n{cases}*) {runs[-1]} ;;\nesac\n")
    docker.chmod(0o700)
    host = Host("here", "local", "127.0.0.1", ("mirth",), "/opt/lab", (str(docker), "exec"))
    values: dict[str, Any] = {field.name: MagicMock() for field in fields(Lab)}
    return Inside(Lab(**{**values, "hosts": (host,)}), str(tmp_path))


def calls(tmp_path: Path) -> int:
    """Count the calls of `docker exec`."""
    return len((tmp_path / "calls").read_text())


def test_command_that_docker_engine_did_not_start_is_started_again(tmp_path: Path) -> None:
    """Even one that changes something: it did not run."""
    lab = lab_whose_docker(tmp_path, NOT_STARTED, NOT_STARTED, "cat")
    with pytest.warns(UserWarning, match=r"exit 126: OCI runtime exec failed.*resource unavailable.*run again: add something"):
        assert lab.output("mirth", "add", "something", stdin=b"text") == "text"
    assert calls(tmp_path) == 3


def test_docker_engine_that_starts_nothing_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    lab = lab_whose_docker(tmp_path, NOT_STARTED)
    with (
        pytest.warns(UserWarning, match="run again"),
        pytest.raises(AssertionError, match=r"in mirth: exit 126: OCI runtime.*resource unavailable"),
    ):
        lab.output("mirth", "add", "something")
    assert calls(tmp_path) == 1 + len(inside.START_PAUSES)


@pytest.mark.parametrize("failure", ["echo no; exit 126", "echo no >&2; exit 126", "echo OCI runtime exec failed; exit 1", "exit 1"])
def test_command_that_fails_by_itself_is_not_run_twice(tmp_path: Path, failure: str) -> None:
    assert lab_whose_docker(tmp_path, failure, "echo yes").run("mirth", "add").returncode
    assert calls(tmp_path) == 1


def test_read_that_ends_without_a_word_is_run_again(tmp_path: Path) -> None:
    lab = lab_whose_docker(tmp_path, "exit 255", "echo yes")
    with pytest.warns(UserWarning, match="exit 255: no word, run again: look"):
        assert lab.output("mirth", "look", again=True) == "yes\n"


def test_complaint_shows_what_was_printed_on_stdout_too(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="in mirth: exit 3: only here: look"):
        lab_whose_docker(tmp_path, "echo only here; exit 3").output("mirth", "look")
