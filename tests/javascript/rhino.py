"""Rhino 1.7.13, which Mirth 4.5.2 brings, as one long-lived process: a JVM takes half a second to start."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Version 200 is ECMAScript 6, as in Mirth's rhino.languageversion=es6.
LANGUAGE = "200"


class RhinoError(Exception):
    """The process is gone."""


class ScriptError(Exception):
    """The script threw; ``refused`` is true for a string, which is how the library gives a reason."""

    def __init__(self, text: str, refused: bool) -> None:
        super().__init__(text)
        self.refused = refused


def jars() -> Path:
    """Return the folder of the engine's jars, Rhino's among them, as its image has them. Raises images/build.py's BuildError.

    What that needs, Maven and with it Java, is installed where it is missing.
    """
    spec = importlib.util.spec_from_file_location("images_build", ROOT / "images/build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    build.need("java", "default-jre-headless")
    with build.one_at_a_time():
        (folder,) = build.fetched("mirth", build.Log(build.CACHE / "javascript.log", verbose=False))
    return Path(folder)


class Rhino:
    """The process. Use as a context manager."""

    def __init__(self) -> None:
        shell = ["-cp", f"{jars()}/*", "org.mozilla.javascript.tools.shell.Main", "-version", LANGUAGE]
        self._folder = TemporaryDirectory()
        command = [
            "java",
            "-Xshare:auto",
            f"-Djava.io.tmpdir={self._folder.name}",
            *shell,
            str(ROOT / "tests/javascript/rhino.js"),
            str(ROOT),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def __enter__(self) -> Rhino:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self._folder.cleanup()

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
