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
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        rows = [row for checks in summary.values() for row in checks]
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["check"].partition("[")[0], []).append(row)
        outcomes = {name: [row["ok"] for row in rows] for name, rows in found.items()}
        return Proof(
            output,
            {name: False if False in ok else None if None in ok else True for name, ok in outcomes.items()},
            {name: next(row["why"] for row in rows if row["ok"] is False) for name, rows in found.items() if False in outcomes[name]},
        )

    def run(self, folder: Path, *arguments: str, **other: Any) -> Proof:
        """Run to the end."""
        return self.end(self.start(folder, *arguments, **other), folder)
