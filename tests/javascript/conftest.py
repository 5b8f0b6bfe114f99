"""One pytest test for each ``test('…', …)`` of the ``*.test.js`` files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rhino import Rhino, ScriptError

TEST = re.compile(r"^test\('((?:[^'\\]|\\.)+)',", re.MULTILINE)
PROCESS = pytest.StashKey[Rhino]()


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Take the JavaScript tests."""
    return JavaScriptFile.from_parent(parent, path=file_path) if file_path.name.endswith(".test.js") else None


class JavaScriptFile(pytest.File):
    """A ``*.test.js``."""

    def collect(self) -> Iterator[pytest.Item]:
        """Find the tests by their lines; Rhino is started for the first that runs."""
        for name in TEST.findall(self.path.read_text(encoding="utf-8")):
            yield JavaScriptTest.from_parent(self, name=re.sub(r"\\(.)", r"\1", name))


class JavaScriptTest(pytest.Item):
    """One of its tests."""

    def runtest(self) -> None:
        """Run it."""
        process(self.config).ask(file=str(self.path), test=self.name)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """Show what the script says."""
        return str(excinfo.value) if isinstance(excinfo.value, ScriptError) else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name it."""
        return self.path, None, self.name


def process(config: pytest.Config) -> Rhino:
    """Return the one Rhino of the run."""
    if PROCESS not in config.stash:
        config.stash[PROCESS] = Rhino()
    return config.stash[PROCESS]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End it."""
    if PROCESS in config.stash:
        config.stash[PROCESS].__exit__()


@pytest.fixture(scope="session")
def rhino(request: pytest.FixtureRequest) -> Rhino:
    """Return the one Rhino of the run."""
    return process(request.config)
