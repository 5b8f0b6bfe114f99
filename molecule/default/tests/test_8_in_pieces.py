"""The tests in part, after an abort, backwards, and twice at the same time find the same (F-TEST-2)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from conftest import PROJECT, Lab
from suite import Suite

#: All but what takes a browser or tries passwords, one kind of study, an order of each run's own.
QUICK = ("-k", "echo or edge or mr or still_there or told_once")


def test_one_part_alone(suite: Suite, tmp_path: Path) -> None:
    proof = suite.run(tmp_path / "alone", "-k", "cget and mr")
    assert proof.checks == {"cget gives equal objects": True}, proof.output


def test_killed_then_two_at_once_and_one_of_them_backwards(suite: Suite, tmp_path: Path) -> None:
    with suite.start(tmp_path / "killed", *QUICK) as killed:
        assert killed.stdout is not None
        # The line ends after the test that it names, so the next one, C-MOVE with the suite listening, is under way.
        before = next((line for line in killed.stdout if "test_wado_gives_equal_files" in line), None)
        os.killpg(killed.pid, signal.SIGKILL)
    assert before, "the suite ended before it could be killed"

    runs = {name: suite.start(tmp_path / name, *QUICK, *more) for name, more in {"forward": (), "backward": ("-p", "backwards")}.items()}
    proofs = {name: suite.end(run, tmp_path / name) for name, run in runs.items()}
    assert set(proofs["forward"].checks.values()) == {True}, proofs["forward"].output
    assert proofs["backward"].checks == proofs["forward"].checks, proofs["backward"].output


def test_creating_again_keeps_the_server(lab: Lab) -> None:
    which = "hostname; stat -c %z /proc/1"
    before = lab.server.check_output(which)
    run = lab.play(playbook="molecule/default/create.yml")
    assert run.code == 0, run.output
    assert lab.server.check_output(which) == before


@pytest.mark.parametrize("step", ["default/create", "default/prepare", "default/converge", "default/side_effect", "shared/destroy"])
def test_another_checkout_is_refused(lab: Lab, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLECULE_PROJECT_DIRECTORY", "/another/checkout")
    run = lab.play(playbook=f"molecule/{step}.yml")
    assert run.code != 0, run.output
    assert f"belongs to a test run of {PROJECT}." in " ".join(run.output.split())
