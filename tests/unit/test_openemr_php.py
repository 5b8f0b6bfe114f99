"""The PHP of the role `openemr`: form, and syntax where PHP is installed. The contract tests run it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATES = sorted((Path(__file__).resolve().parents[2] / "roles" / "openemr" / "templates").glob("*.php.j2"))
VALUES = {
    "openemr_provider_name": "Imaging",
    "openemr_pdf_max_mb": 15,
    "openemr_log_days": 30,
    "openemr_viewer_url": "https://ohif.example.org",
    "openemr_viewer_source": "dcm4chee",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_form(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0] == "<?php"
    assert lines[-1] == ""
    assert lines[-2] not in ("", "?>")
    for number, line in enumerate(lines, 1):
        assert len(line) <= 140, f"line {number}"
        assert line == line.rstrip(), f"line {number}"
        assert "\t" not in line, f"line {number}"


@pytest.mark.skipif(shutil.which("php") is None, reason="no PHP here: the contract tests check the syntax in the EMR's container")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_syntax(path: Path, tmp_path: Path) -> None:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    target = tmp_path / "rendered.php"
    target.write_text(environment.from_string(path.read_text(encoding="utf-8")).render(VALUES), encoding="utf-8")
    done = subprocess.run(["php", "-l", target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
