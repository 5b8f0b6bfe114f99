"""The acceptance suite in part, after an abort, backwards, and twice at the same time finds the same (F-TEST-2)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from suite import Suite

#: All but what takes a browser or tries passwords, one kind of study.
QUICK = ("-k", "echo or edge or mr or still_there")


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
