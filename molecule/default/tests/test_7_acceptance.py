"""The proof: the acceptance suite, all of it, from this machine against the lab server."""

from __future__ import annotations

import pytest
from conftest import VERIFIED, Lab
from suite import red


def test_acceptance_suite(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    run = lab.verify("reads or adds or breaks")
    with capfd.disabled():
        print(f"\n{run.output}")
    assert run.code == 0, "\n".join(f"{check}: {why}" for check, why in red(VERIFIED).items())
