"""Certificates are renewed while the lab runs: each service serves the new one, and no container is another one."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from conftest import RUN, Lab, moved
from waiting import wait_for

TAKEN_UP = "Let services take up their new certificates"
PORTS = {"edge": 443, "openemr": 8300}


def served(lab: Lab, service: str) -> str:
    return ssl.get_server_certificate((lab.variables["ansible_host"], PORTS[service])).strip()


def made(service: str) -> str:
    """The certificate that the controller has for a service."""
    end = "-----END CERTIFICATE-----"
    text = Path(RUN / f"certificates/services/{service}.pem").read_text(encoding="ascii")
    return text[: text.index(end) + len(end)].strip()


def wait_until_new(lab: Lab, service: str) -> None:
    wait_for(lambda: "" if served(lab, service) == made(service) else f"{service} serves another certificate", 20)


def test_renewed_ones_are_served_and_no_container_moves(lab: Lab) -> None:
    containers, before = lab.containers(), {service: served(lab, service) for service in PORTS}
    run = lab.play(ca_renew=",".join(PORTS))
    assert run.code == 0, run.output
    for service in PORTS:
        assert made(service) != before[service]
        wait_until_new(lab, service)
    assert moved(containers, lab.containers()) == set()
    lab.deploy_again()


def test_run_that_died_before_the_service_knew_is_made_good(lab: Lab) -> None:
    before = served(lab, "openemr")
    lab.change(ca_renew="openemr")
    try:
        lab.killed_at(TAKEN_UP)
    finally:
        del lab.changed["ca_renew"]
    assert made("openemr") != before
    assert served(lab, "openemr") == before, "nobody told it yet"
    assert lab.deploy().changed == 1
    wait_until_new(lab, "openemr")
    lab.deploy_again()


@pytest.mark.parametrize("service", PORTS)
def test_key_is_on_the_host_of_its_service_for_that_alone(lab: Lab, service: str) -> None:
    """No other folder of the lab, and no inspect of a container, has it."""
    key = (RUN / f"certificates/services/{service}.key").read_text(encoding="ascii").splitlines()[1]
    found = lab.server.check_output("grep -rlF -e %s /opt/pacs-emr", key).split()
    assert found == [f"/opt/pacs-emr/{service}/tls/service.key"]
    assert lab.server.check_output("stat -c %%a %s", found[0]) == "400"
    assert key not in lab.docker("inspect", *(container.id for container in lab.containers().values()))
