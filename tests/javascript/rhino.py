"""Rhino 1.7.13, which Mirth 4.5.2 brings, as one long-lived process: a JVM takes half a second to start."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Maven Central, by the coordinates and SHA-256 that the engine's image locks.
LOCK = ROOT / "images/mirth/maven.lock"
REPOSITORY = "https://repo1.maven.org/maven2"
CACHE = ROOT / ".cache/maven"
#: Version 200 is ECMAScript 6, as in Mirth's rhino.languageversion=es6.
LANGUAGE = "200"


class RhinoError(Exception):
    """Rhino cannot be run here; the text says what to do."""


class ScriptError(Exception):
    """The script threw; ``refused`` is true for a string, which is how the library gives a reason."""

    def __init__(self, text: str, refused: bool) -> None:
        super().__init__(text)
        self.refused = refused


def jar() -> Path:
    """Return Rhino's jar, fetched once. Raises RhinoError where it is not what was locked."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["org.mozilla:rhino"]
    version, wanted = locked["version"], locked["sha256"]
    file = CACHE / f"rhino-{version}.jar"
    if not file.is_file():
        with urllib.request.urlopen(f"{REPOSITORY}/org/mozilla/rhino/{version}/rhino-{version}.jar", timeout=60) as answer:
            content = answer.read()
        CACHE.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_bytes(content)
        part.replace(file)
    if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
        raise RhinoError(f"{file} is not what {LOCK.relative_to(ROOT)} names: remove it and run again")
    return file


class Rhino:
    """The process. Use as a context manager."""

    def __init__(self) -> None:
        java = shutil.which("java")
        if java is None:
            raise RhinoError("The engine's JavaScript is tested in Rhino, which needs Java: apt-get install default-jre-headless")
        command = [java, "-Xshare:auto", "-jar", str(jar()), "-version", LANGUAGE, str(ROOT / "tests/javascript/rhino.js"), str(ROOT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def __enter__(self) -> Rhino:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def ask(self, **request: Any) -> Any:
        """Send one request, return its value. Raises ScriptError for an exception of the script, RhinoError where the process is gone."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RhinoError(f"Rhino ended with {self.process.wait()}; its words are above")
        answer = json.loads(line)
        if "thrown" in answer:
            raise ScriptError(answer["thrown"], answer["refused"])
        return answer.get("value")

    def call(self, function: str, *args: Any) -> Any:
        """Call a function of the library. Raises as ``ask`` does."""
        return self.ask(call=function, args=args)
