"""One setting of the viewer changes: its container alone is another one, and check mode said so before (F-DOC-1)."""

from __future__ import annotations

from conftest import Lab, moved


def test_check_mode_predicts_exactly_what_the_run_does(lab: Lab) -> None:
    containers, files = lab.containers(), lab.files()
    lab.change(ohif_archive_name="Renamed archive")
    check = lab.deploy("--check", "--diff")
    assert moved(containers, lab.containers()) == set()
    assert lab.files() == files
    assert check.predicted == {"ohif"}, check.output
    assert '+        "friendlyName": "Renamed archive"' in check.output

    run = lab.deploy()
    assert moved(containers, lab.containers()) == {"ohif"}
    assert run.changed == check.changed, f"{check.output}\n{run.output}"
    assert "Renamed archive" in lab.inside("ohif", "cat", "/usr/share/nginx/html/app-config.js")
    lab.deploy_again()
