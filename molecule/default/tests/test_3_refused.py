"""What must not be changed on a lab with data, or is wrong, is refused before anything changes; the message names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import RUN, Lab


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"arc_ae_title": "OTHERPACS", "arc_storage_dir": "/storage/fs2", "pacs_db_user": "other"},
            ["arc_ae_title", "'OTHERPACS'", "'DCM4CHEE'", "arc_storage_dir", "'/storage/fs1'", "pacs_db_user", "'pacs'"],
        ),
        ({"arc_dicom_port": "http"}, ["arc_dicom_port"]),
        (
            {"ohif_archive_nam": "x", "AE_TITLE": "X"},
            ["ohif_archive_nam", "did you mean ohif_archive_name?", "AE_TITLE", "is now arc_ae_title"],
        ),
        ({"arc_tag": "5.34.1"}, ["ldap_tag", "does not belong to the archive 5.34.1"]),
    ],
    ids=["first-boot values", "type", "names", "versions"],
)
def test_refused_before_any_change(lab: Lab, settings: dict[str, Any], said: list[str]) -> None:
    refused(lab, said, settings)


def test_missing_secret_is_refused(lab: Lab, tmp_path: Path) -> None:
    lines = (RUN / "secrets.yml").read_text(encoding="utf-8").splitlines(keepends=True)
    left = [line for line in lines if not line.startswith("pacs_db_password:")]
    assert len(left) == len(lines) - 1
    file = tmp_path / "secrets.yml"
    file.write_text("".join(left), encoding="utf-8")
    refused(lab, ["pacs_db_password", "is missing", "docs/secrets.md"], {"lab_secrets_file": str(file)})
    assert file.read_text(encoding="utf-8") == "".join(left)


def test_changed_secret_is_refused_and_not_shown(lab: Lab, tmp_path: Path) -> None:
    text = (RUN / "secrets.yml").read_text(encoding="utf-8")
    file = tmp_path / "secrets.yml"
    old = next(line for line in text.splitlines() if line.startswith("pacs_db_password:"))
    file.write_text(text.replace(old, "pacs_db_password: another-password-of-the-site"), encoding="utf-8")
    output = refused(lab, ["pacs_db_password", "first booted with"], {"lab_secrets_file": str(file)})
    assert "another-password-of-the-site" not in output
    assert old.split()[1] not in output


def refused(lab: Lab, said: list[str], settings: dict[str, Any]) -> str:
    """Run with these settings: it must fail, say all of `said`, and touch nothing."""
    containers, files = lab.containers(), lab.files()
    run = lab.play(**settings)
    assert run.code != 0, run.output
    assert "Nothing was changed" in run.output
    for words in said:
        assert words in run.output
    assert lab.containers() == containers
    assert lab.files() == files
    return run.output
