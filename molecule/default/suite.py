"""The acceptance suite as a process of its own: in part, in another order, told of another lab; and what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return what the suite wrote of each check into its folder of artifacts: check, ok, why."""
    return [row for checks in json.loads((folder / "summary.json").read_text(encoding="utf-8")).values() for row in checks]


def red(folder: Path) -> dict[str, str]:
    """Return the checks that failed, each with its sentence."""
    return {row["check"]: row["why"] for row in rows(folder) if row["ok"] is False}


@dataclass(frozen=True)
class Proof:
    """What a run of the suite found: each check's outcome (None: could not tell), and the sentences of those that failed."""

    output: str
    checks: dict[str, bool | None]
    why: dict[str, str]

    @property
    def red(self) -> set[str]:
        """The checks that failed."""
        return set(self.why)


class Suite:
    """The suite with what verify.yml told it of the lab."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def start(self, folder: Path, *arguments: str, **other: Any) -> subprocess.Popen[str]:
        """Begin a run of steps that read or add; artifacts go to a new `folder`, `other` replaces keys of what it is told."""
        folder.mkdir()
        told = folder / "lab.json"
        told.write_text(json.dumps(self.told | {"artifacts": str(folder)} | other), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "tests/acceptance", "-m", "reads or adds", "-v", "--tb=short", "-p", "no:cacheprovider"]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=PROJECT,
            env=os.environ | {"LAB_ENDPOINTS": str(told), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HERE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self, run: subprocess.Popen[str], folder: Path) -> Proof:
        """Await the end of a run; one that ran no test at all fails."""
        output, _ = run.communicate()
        assert run.returncode in (0, 1), output
        outcomes: dict[str, list[bool | None]] = {}
        for row in rows(folder):
            outcomes.setdefault(row["check"].partition("[")[0], []).append(row["ok"])
        return Proof(
            output,
            {name: False if False in ok else None if None in ok else True for name, ok in outcomes.items()},
            {check.partition("[")[0]: why for check, why in reversed(red(folder).items())},
        )

    def run(self, folder: Path, *arguments: str, **other: Any) -> Proof:
        """Run to the end."""
        return self.end(self.start(folder, *arguments, **other), folder)
