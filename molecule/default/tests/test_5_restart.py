"""Docker Engine restarts, and a service that the archive needs is held back for a minute: it recovers by itself, nothing is lost."""

from __future__ import annotations

import time

import pytest
from acceptance import phantoms
from conftest import Lab

#: Seconds that a service is held back.
HELD = 60


@pytest.mark.parametrize("held", ["ldap", "pacs-db"])
def test_archive_recovers_though_a_service_comes_late(lab: Lab, held: str) -> None:
    study = phantoms.ct_disc(phantoms.Identity.fresh())
    assert all(outcome.stored for outcome in lab.archive.store(study.objects))
    containers = lab.containers()

    # A container stopped by hand stays so when Docker Engine restarts.
    lab.docker("stop", f"pacs-emr-{held}-1")
    lab.server.check_output("sv -w 120 restart dockerd")
    lab.server.check_output("timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done'")
    time.sleep(HELD)
    assert lab.containers()[held].health != "healthy"
    lab.docker("start", f"pacs-emr-{held}-1")
    lab.wait_until_healthy()

    after = lab.containers()
    assert {name: container.id for name, container in after.items()} == {name: container.id for name, container in containers.items()}
    found = lab.archive.find("STUDY", StudyInstanceUID=study.uid, NumberOfStudyRelatedInstances="")
    assert [int(row.NumberOfStudyRelatedInstances) for row in found] == [len(study.objects)]
    lab.deploy_again()
