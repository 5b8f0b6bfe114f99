"""Another subnet: the lab's network is another one, the data stay (F-NET-1)."""

from __future__ import annotations

import json

from acceptance import phantoms
from conftest import Lab

OTHER = "10.214.0.0/24"


def test_network_moves_and_data_stay(lab: Lab) -> None:
    study = phantoms.ct_disc(phantoms.Identity.fresh())
    assert all(outcome.stored for outcome in lab.archive.store(study.objects))
    volumes = lab.docker("volume", "ls", "--quiet")

    lab.change(lab_subnet=OTHER)
    lab.deploy()
    network = json.loads(lab.docker("network", "inspect", "pacs-emr_default"))[0]
    assert [pool["Subnet"] for pool in network["IPAM"]["Config"]] == [OTHER]
    assert len(network["Containers"]) == len(lab.containers())
    assert lab.docker("volume", "ls", "--quiet") == volumes
    assert len(lab.archive.find("STUDY", StudyInstanceUID=study.uid)) == 1
    lab.deploy_again()
