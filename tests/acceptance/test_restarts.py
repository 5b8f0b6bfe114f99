"""What a lab must survive: restarts, containers destroyed and made again, a backend that comes back under another address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_for

from .conftest import Stored
from .dimse import SUCCESS, Archive
from .inside import Inside
from .lab import Lab
from .phantoms import Identity, Study, all_studies
from .still_there import assert_everything_still_there
from .web import DicomWeb, Direct

pytestmark = pytest.mark.breaks
# Within this time the edge must have found a backend that is healthy again (cases.md F-NET-2).
HEAL_SECONDS = 60


@pytest.fixture(scope="module")
def everything(studies: dict[str, Study], stored: Stored, archive: Archive) -> list[Study]:
    """The synthetic patient's studies, and those of a new one stored just now."""
    for kind in studies:
        stored.need(kind)
    fresh = list(all_studies(Identity.fresh()).values())
    for study in fresh:
        outcomes = archive.store(study.objects)
        assert all(one.stored for one in outcomes), f"C-STORE of the {study}: {outcomes[0]}"
    return [*studies.values(), *fresh]


def all_answer_again(inside: Inside, lab: Lab, archive: Archive, dicomweb: DicomWeb) -> None:
    """Wait until every service of every host is healthy; then DICOM and both ways through the edge must answer."""
    inside.wait_healthy(*(service for host in lab.hosts for service in host.services))
    assert archive.echo() == SUCCESS
    wait_for(lambda: page_answers(lab), HEAL_SECONDS)
    wait_for(lambda: images_answer(dicomweb), HEAL_SECONDS)


@pytest.mark.proves("arc", "pacs-db", "ldap", "edge", "ohif")
def test_nothing_is_lost_by_compose_restart(
    everything: list[Study], inside: Inside, lab: Lab, archive: Archive, dicomweb: DicomWeb, dicomweb_inside: DicomWeb
) -> None:
    for host in lab.hosts:
        inside.compose(host, "restart")
    all_answer_again(inside, lab, archive, dicomweb)
    assert_everything_still_there(everything, dicomweb_inside)


@pytest.mark.proves("arc", "pacs-db", "ldap", "edge", "ohif")
def test_nothing_is_lost_when_containers_are_made_again(
    everything: list[Study], inside: Inside, lab: Lab, archive: Archive, dicomweb: DicomWeb, dicomweb_inside: DicomWeb
) -> None:
    for host in reversed(lab.hosts):
        inside.compose(host, "down")
    for host in lab.hosts:
        inside.compose(host, "up", "--detach")
    all_answer_again(inside, lab, archive, dicomweb)
    assert_everything_still_there(everything, dicomweb_inside)


# --- the edge and its backends (cases.md F-NET-2, plain) ---------------------------------------------------------------------------


def images_answer(dicomweb: DicomWeb) -> str:
    """Return what is wrong with DICOMweb through the edge, nothing when it answers."""
    answer = dicomweb.get("/studies?limit=1")
    return "" if answer.status in (200, 204) else f"{dicomweb} answers {answer.status}"


def page_answers(lab: Lab) -> str:
    """Return what is wrong with the viewer's page through the edge, nothing when it answers."""
    answer = Direct(lab.viewer).request("GET", "/app-config.js")
    return "" if answer.status == 200 and b"window.config" in answer.body else f"the viewer's page at {lab.viewer} answers {answer.status}"


def edge_says_not(inside: Inside, pattern: str) -> str:
    """Return what the edge's last health check said, nothing when that is what `pattern` finds."""
    log = inside.inspect("edge")["State"]["Health"]["Log"]
    said = str(log[-1]["Output"]).strip() if log else ""
    return "" if re.search(pattern, said) else f"the edge's health says {said!r}"


def address_of(inside: Inside, service: str) -> tuple[str, str]:
    """Return network and address of a service's container."""
    networks: dict[str, dict[str, str]] = inside.inspect(service)["NetworkSettings"]["Networks"]
    network, settings = next(iter(networks.items()))
    return network, settings["IPAddress"]


@contextmanager
def address_taken(inside: Inside, service: str) -> Iterator[str]:
    """Remove a service's container and keep its address taken by another one; yield that address."""
    host, (network, address) = inside.host(service), address_of(inside, service)
    image = inside.inspect("edge")["Image"] if inside.host("edge") == host else inside.inspect(service)["Image"]
    inside.compose(host, "rm", "--stop", "--force", service)
    dummy = ("--name", "pacs-emr-address-taken", "--network", network, "--ip", address, "--entrypoint", "sleep", image, "infinity")
    inside.docker(host, "run", "--detach", "--rm", *dummy)
    try:
        yield address
    finally:
        inside.docker(host, "rm", "--force", "pacs-emr-address-taken")
        inside.compose(host, "up", "--detach", service)
        inside.wait_healthy(service)


@pytest.mark.proves("edge")
@pytest.mark.parametrize("service", ["arc", "ohif"])
def test_edge_finds_a_backend_under_its_new_address(service: str, inside: Inside, lab: Lab, dicomweb: DicomWeb) -> None:
    started = inside.inspect("edge")["State"]["StartedAt"]
    with address_taken(inside, service) as old:
        inside.compose(inside.host(service), "up", "--detach", service)
        inside.wait_healthy(service)
        new = address_of(inside, service)[1]
        assert new != old, f"{service} came back under its old address {old}, so this test has shown nothing"
        wait_for(lambda: page_answers(lab), HEAL_SECONDS)
        wait_for(lambda: images_answer(dicomweb), HEAL_SECONDS)
    assert inside.inspect("edge")["State"]["StartedAt"] == started, "the edge was restarted meanwhile"


@pytest.mark.proves("edge")
def test_edge_starts_without_the_archive_and_finds_it_later(inside: Inside, lab: Lab, dicomweb: DicomWeb) -> None:
    inside.compose(inside.host("arc"), "stop", "arc")
    try:
        inside.compose(inside.host("edge"), "restart", "--no-deps", "edge")
        inside.wait_healthy("edge", seconds=HEAL_SECONDS)
        wait_for(lambda: edge_says_not(inside, r"archive\W+DOWN"), HEAL_SECONDS)
        assert page_answers(lab) == "", "without the archive the viewer's page is gone too"
        started = inside.inspect("edge")["State"]["StartedAt"]
    finally:
        inside.compose(inside.host("arc"), "start", "arc")
    inside.wait_healthy("arc")
    wait_for(lambda: images_answer(dicomweb), HEAL_SECONDS)
    wait_for(lambda: edge_says_not(inside, r"archive\W+up"), HEAL_SECONDS)
    assert inside.inspect("edge")["State"]["StartedAt"] == started, "the edge was restarted meanwhile"
