"""What a host has, judged against what the lab needs there: each finding names what is wrong and what cures it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight_host, services

from .support import SERVICES, texts

CT = {"ae_title": "CT01", "host": "172.18.5.20", "port": 104}


def facts(**changed: Any) -> dict[str, Any]:
    """What lab_host says of a host on which all is well and nothing runs yet."""
    good: dict[str, Any] = {
        "clock": 1000.0,
        "uid": 0,
        "distribution": {"id": "debian", "version": "13"},
        "systemd": True,
        "memory_mb": 8000,
        "listeners": [["0.0.0.0", 22], ["127.0.0.1", 25]],
        "routes": [{"network": "10.20.30.0/24", "device": "eth0"}],
        "first_boot": {},
        "storage": None,
        "engine_installed": True,
        "docker_cli": True,
        "engine": "26.1.5",
        "engine_error": "",
        "compose": "2.26.1",
        "docker_root": "/var/lib/docker",
        "proxied": False,
        "containers": [],
        "volumes": [],
        "networks": [{"name": "bridge", "subnets": ["172.17.0.0/16"], "device": "docker0", "ours": False}],
        "images_missing": [],
        "images_loaded": [],
        "disk_free_gb": {"/opt/pacs-emr": 50.0, "/var/lib/docker": 50.0},
    }
    return good | changed


VARIABLES = {
    "ldap_memory_mb": 256,
    "pacs_db_memory_mb": 1024,
    "mirth_db_memory_mb": 512,
    "openemr_db_memory_mb": 1024,
    "openemr_memory_mb": 1536,
    "arc_memory_mb": 2048,
    "mirth_memory_mb": 1024,
    "ohif_memory_mb": 256,
    "edge_memory_mb": 256,
    "arc_heap_mb": 1024,
    "mirth_heap_mb": 512,
    "lab_min_memory_mb": 3500,
    "lab_min_disk_gb": 10,
    "lab_max_clock_skew": 30,
    "ldap_bind": "127.0.0.1",
    "ldap_port": 389,
    "pacs_db_bind": "127.0.0.1",
    "pacs_db_port": 5432,
    "openemr_bind": "",
    "openemr_db_bind": "",
    **{f"{name}_bind": "" for name in ("mirth_db", "mirth_api", "mirth_http", "mirth_hl7", "mirth_psu", "arc_hl7")},
    "mirth_db_port": 5433,
    "openemr_port": 8300,
    "openemr_db_port": 3307,
    "mirth_api_port": 8443,
    "mirth_http_port": 8081,
    "mirth_hl7_port": 11113,
    "mirth_psu_port": 6662,
    "arc_hl7_port": 2575,
    "ohif_bind": "",
    "ohif_port": 3080,
    "arc_dicom_bind": "0.0.0.0",
    "arc_dicom_port": 11112,
    "arc_http_bind": "",
    "arc_http_port": 8080,
    "edge_https_bind": "127.0.0.1",
    "edge_https_port": 443,
    "edge_http_bind": "127.0.0.1",
    "edge_http_port": 80,
    "edge_viewer_bind": "127.0.0.1",
    "edge_viewer_port": 3000,
    "edge_archive_bind": "127.0.0.1",
    "edge_archive_port": 8080,
    "arc_storage_path": "",
}


# --- networks ---------------------------------------------------------------------------------------------------------

DOCKER_18 = {"name": "other_default", "subnets": ["172.18.0.0/16"], "device": "br-0123456789ab", "ours": False}
ROUTE_18 = {"network": "172.18.0.0/16", "device": "br-0123456789ab"}


def networks(subnet: str, table: list[dict[str, Any]], **changed: Any) -> list[str]:
    return texts(preflight_host.networks(subnet, table, facts(**changed), "lab1"))


def test_a_free_subnet_and_peers_outside_are_silent() -> None:
    assert networks("10.213.0.0/24", [CT, CT | {"host": "ct.example.org"}]) == []


def test_a_modality_inside_a_docker_network_cannot_be_reached() -> None:
    """F-NET-1: the CT lies where an engine's default pool put another network of this host."""
    found = networks("10.213.0.0/24", [CT], networks=[*facts()["networks"], DOCKER_18], routes=[ROUTE_18])
    (text,) = found
    assert "lab_ae_table, CT01: 172.18.5.20 lies in 172.18.0.0/16, a container network of lab1 (other_default)" in text
    assert "default-address-pools" in text


def test_a_modality_inside_dockers_default_network() -> None:
    (text,) = networks("10.213.0.0/24", [CT | {"host": "172.17.0.9"}], routes=[{"network": "172.17.0.0/16", "device": "docker0"}])
    assert "172.17.0.9 lies in 172.17.0.0/16" in text
    assert "Docker's default network" in text


def test_a_modality_inside_the_labs_own_subnet() -> None:
    (text,) = networks("172.18.0.0/16", [CT])
    assert "lab_ae_table, CT01: 172.18.5.20 lies in the lab's own network 172.18.0.0/16" in text
    assert "set lab_subnet" in text


def test_the_first_address_of_the_subnet_is_the_host_itself() -> None:
    assert networks("10.213.0.0/24", [CT | {"host": "10.213.0.1"}]) == []
    assert len(networks("10.213.0.0/24", [CT | {"host": "10.213.0.2"}])) == 1


@pytest.mark.parametrize("subnet", ["10.20.30.0/24", "10.20.0.0/16", "10.20.30.128/25"])
def test_a_subnet_that_the_host_reaches_otherwise(subnet: str) -> None:
    (text,) = networks(subnet, [])
    assert f"lab_subnet on lab1: {subnet} overlaps 10.20.30.0/24, which this host reaches through eth0" in text
    assert "docs/network.md" in text


def test_the_route_of_our_own_network_is_no_overlap() -> None:
    ours = {"name": "pacs-emr_default", "subnets": ["10.213.0.0/24"], "device": "br-ours", "ours": True}
    assert networks("10.213.0.0/24", [], networks=[ours], routes=[{"network": "10.213.0.0/24", "device": "br-ours"}]) == []


@pytest.mark.parametrize(
    ("subnet", "word"),
    [
        ("10.213.0.1/24", "host bits"),
        ("10.213.0/24", "10.213.0/24"),
        ("", "lab_subnet"),
        ("10.213.0.0/28", "too small"),
        ("fd00::/64", "fd00::/64"),
    ],
)
def test_a_subnet_that_is_none(subnet: str, word: str) -> None:
    (text,) = networks(subnet, [])
    assert text.startswith("lab_subnet")
    assert word in text


# --- Docker Engine, resources -----------------------------------------------------------------------------------------


def engine(install: bool = True, **changed: Any) -> list[str]:
    return texts(preflight_host.engine(facts(**changed), "lab1", install))


def test_a_new_enough_engine_is_silent() -> None:
    assert engine() == []
    assert engine(engine="25.0", compose="2.20.0") == []
    assert engine(engine="28.5.1+dfsg1", compose="2.40.3-0ubuntu1") == []


@pytest.mark.parametrize(
    ("install", "changed"),
    [
        (False, {"engine_error": "missing"}),
        (True, {"engine_error": "missing", "uid": 1000}),
        (True, {"engine_error": "missing", "distribution": {"id": "rhel", "version": "9"}}),
    ],
)
def test_a_missing_engine_that_we_may_not_or_cannot_install(install: bool, changed: dict[str, Any]) -> None:
    (text,) = engine(install, engine="", compose="", **changed)
    assert "Docker Engine on lab1: is missing" in text
    assert "lab_install_docker" in text


def test_a_missing_engine_that_we_can_install_is_no_finding() -> None:
    assert engine(engine="", compose="", engine_error="missing") == []


def test_an_engine_that_does_not_answer_says_why() -> None:
    (text,) = engine(False, engine="", engine_error="permission denied")
    assert "does not answer: permission denied" in text


@pytest.mark.parametrize(
    ("install", "changed", "words"),
    [
        (True, {"engine": "24.0.9"}, ["Docker Engine on lab1", "is 24.0.9", "25 or newer", "upgrade"]),
        (True, {"engine": "20.10.24+dfsg1"}, ["is 20.10.24+dfsg1"]),
        (True, {"compose": "2.19.1"}, ["Docker Compose on lab1", "is 2.19.1", "2.20", "upgrade"]),
        (True, {"compose": "2.3.3"}, ["is 2.3.3"]),
        (False, {"compose": ""}, ["Docker Compose on lab1", "is missing", "2.20"]),
    ],
)
def test_an_engine_or_compose_that_is_too_old(install: bool, changed: dict[str, Any], words: list[str]) -> None:
    (text,) = engine(install, **changed)
    assert all(word in text for word in words)


def resources(here: list[str] | None = None, variables: dict[str, Any] | None = None, **changed: Any) -> list[str]:
    described = services.load_all(SERVICES if here is None else here)
    return texts(preflight_host.resources(facts(**changed), VARIABLES | (variables or {}), "lab1", described, now=1000.0))


@pytest.mark.parametrize(
    ("here", "variables", "changed", "words"),
    [
        (None, {}, {"uid": 1000}, ["user on lab1", "is not root", "ansible_become"]),
        (None, {}, {"memory_mb": 3000}, ["memory of lab1", "3000 MiB", "7936", "3500"]),
        (["ldap", "pacs_db"], {}, {"memory_mb": 1000}, ["memory of lab1", "1280"]),
        (
            None,
            {},
            {"disk_free_gb": {"/opt": 50.0, "/var/lib/docker": 3.5}},
            ["disk of lab1", "3.5 GiB", "/var/lib/docker", "lab_min_disk_gb"],
        ),
        (None, {}, {"clock": 1031.0}, ["clock of lab1", "31 s", "NTP"]),
        (None, {}, {"clock": 969.0}, ["31 s"]),
        (None, {"arc_heap_mb": 1537}, {}, ["arc_heap_mb", "1537", "512", "2048", "raise arc_memory_mb"]),
        (None, {"mirth_heap_mb": 700}, {}, ["mirth_heap_mb", "700", "400", "1024", "raise mirth_memory_mb"]),
    ],
)
def test_a_host_that_lacks_something(here: list[str] | None, variables: dict[str, Any], changed: dict[str, Any], words: list[str]) -> None:
    (text,) = resources(here, variables, **changed)
    assert all(word in text for word in words)


def test_a_host_that_has_enough_is_silent() -> None:
    assert resources() == []
    assert resources(memory_mb=3500, clock=1030.0, disk_free_gb={"/": 10.0}) == []
    assert resources(variables={"arc_heap_mb": "1536"}) == []
    assert resources(["ldap"], {"arc_heap_mb": 9999}, memory_mb=256) == []


def test_findings_of_a_host_come_together() -> None:
    assert len(resources(uid=1, memory_mb=1, clock=0.0, disk_free_gb={"/": 0.0, "/x": 0.0})) == 5


# --- ports ------------------------------------------------------------------------------------------------------------


def ports(variables: dict[str, Any] | None = None, here: list[str] | None = None, **changed: Any) -> list[str]:
    return texts(preflight_host.ports(facts(**changed), VARIABLES | (variables or {}), "lab1", services.load_all(here or SERVICES)))


def test_free_ports_are_silent() -> None:
    assert ports() == []


@pytest.mark.parametrize(
    ("address", "port"), [("0.0.0.0", 389), ("::", 389), ("127.0.0.1", 389), ("10.20.30.5", 11112), ("0.0.0.0", 11112), ("::", 11112)]
)
def test_a_port_that_somebody_else_holds(address: str, port: int) -> None:
    (text,) = ports(listeners=[[address, port]])
    assert f"something else listens on {address}, port {port}" in text
    assert ("ldap_port on lab1" if port == 389 else "arc_dicom_port on lab1") in text
    assert f"ss -tlnp 'sport = :{port}'" in text


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.53", 389), ("10.20.30.5", 389), ("::1", 389), ("::1", 11112), ("fe80::1", 11112), ("0.0.0.0", 3080)]
)
def test_a_listener_on_another_address_or_of_the_other_family_is_in_nobodys_way(address: str, port: int) -> None:
    assert ports(listeners=[[address, port]]) == []


OURS = [{"service": "ldap", "state": "running", "ports": [["127.0.0.1", 389]]}]


def test_a_port_that_our_own_container_holds_is_free() -> None:
    assert ports(listeners=[["127.0.0.1", 389]], containers=OURS) == []
    assert ports({"ldap_bind": "0.0.0.0"}, listeners=[["127.0.0.1", 389]], containers=OURS) == []


def test_our_own_container_on_one_address_does_not_cover_who_is_on_another() -> None:
    listeners = [["127.0.0.1", 389], ["127.0.0.2", 389], ["10.20.30.5", 389]]
    assert ports(listeners=listeners, containers=OURS) == []
    (text,) = ports({"ldap_bind": "0.0.0.0"}, listeners=listeners, containers=OURS)
    assert "something else listens on 127.0.0.2 and 10.20.30.5, port 389" in text


def test_two_services_that_want_the_same_port() -> None:
    (text,) = ports({"arc_http_bind": "0.0.0.0"})
    assert "port 8080 on lab1: is wanted by arc_http_port and edge_archive_port" in text
    assert "its own port or address" in text
    assert ports({"arc_http_bind": "10.20.30.5"}) == []
    assert ports({"arc_http_bind": "0.0.0.0"}, ["arc"]) == []


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "::", True),
        ("::", "127.0.0.1", True),
        ("0.0.0.0", "::1", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
    ],
)
def test_collides(one: str, other: str, do: bool) -> None:
    assert preflight_host.collides(one, other) is do


# --- storage ----------------------------------------------------------------------------------------------------------

STATE = {"exists": True, "marker": True, "writable": True, "mount": "nfs4 at /srv/images", "propagates": True}


def storage(state: dict[str, Any] | None, path: str = "/srv/images") -> list[str]:
    return texts(preflight_host.storage(facts(storage=state), VARIABLES | {"arc_storage_path": path}, "lab1", ".pacs-emr-storage"))


def test_a_mounted_marked_writable_folder_is_silent() -> None:
    assert storage(STATE) == []
    assert storage(None, "") == []


def test_storage_that_is_not_as_it_must_be() -> None:
    (text,) = storage({"exists": False, "marker": False, "writable": False, "mount": "", "propagates": False})
    assert "arc_storage_path on lab1: /srv/images is no folder" in text
    assert "mount it" in text
    (text,) = storage(STATE | {"marker": False, "mount": "ext4 at /"})
    assert "/srv/images (ext4 at /) has no file .pacs-emr-storage" in text
    assert "touch /srv/images/.pacs-emr-storage" in text
    (text,) = storage(STATE | {"writable": False})
    assert "(nfs4 at /srv/images) is not writable for the archive's uid 1023" in text
    assert "chown 1023:1023 /srv/images" in text
    assert len(storage(STATE | {"writable": False, "marker": False, "propagates": False})) == 3


def test_a_private_mount_is_found_before_docker_engine_refuses_it() -> None:
    (text,) = storage(STATE | {"propagates": False, "mount": "ext4 at /"})
    assert "arc_storage_path on lab1: /srv/images (ext4 at /) is on a private mount" in text
    assert "mount --make-rshared /" in text


# --- images ----------------------------------------------------------------------------------------------------------

DIGEST = "@sha256:" + "0" * 64
ARC = "docker.io/dcm4che/dcm4chee-arc-psql:5.34.2"
PROXY = {"lab_http_proxy": "http://proxy.example.org:3128"}


def images(variables: dict[str, Any] | None = None, **changed: Any) -> list[str]:
    given = {"lab_image_source": "upstream", "lab_http_proxy": "", "lab_no_proxy": "localhost", "arc_image": ARC + DIGEST}
    return texts(preflight_host.images(facts(**changed), given | (variables or {}), "lab1", services.load_all(["arc"])))


def test_self_built_images_must_be_there_and_upstreams_are_pulled() -> None:
    (text,) = images({"lab_image_source": "built"}, images_missing=["pacs-emr/ldap:1"])
    assert "image pacs-emr/ldap:1 on lab1" in text
    assert "make images" in text
    assert images(images_missing=[ARC + DIGEST]) == []
    assert images({"lab_image_source": "built"}, images_missing=["x"], engine="") == []


def test_an_image_that_was_loaded_has_lost_its_digest() -> None:
    (text,) = images(images_missing=[ARC + DIGEST], images_loaded=[ARC])
    assert text.startswith(f"arc_image on lab1: Docker Engine has {ARC}, but without its digest")
    assert f"set arc_image: {ARC}" in text
    assert f"docker image rm {ARC}" in text
    assert images(PROXY, images_missing=[ARC + DIGEST], images_loaded=[ARC]) == [text]


def test_a_pull_through_a_proxy_needs_one_of_docker_engines_own() -> None:
    (text,) = images(PROXY, images_missing=[ARC + DIGEST])
    assert f"Docker Engine on lab1: has no proxy, though lab_http_proxy is set, and has to pull {ARC}" in text
    assert "daemon.json" in text
    assert images(PROXY) == []
    assert images(PROXY, images_missing=[ARC + DIGEST], proxied=True) == []
    assert images(PROXY, images_missing=[ARC + DIGEST], engine="") == []


@pytest.mark.parametrize(
    ("direct", "without"),
    [
        ("localhost,registry.example.org", True),
        ("localhost, .example.org", True),
        ("*.example.org", True),
        ("istry.example.org", False),
        ("localhost,", False),
        ("", False),
    ],
)
def test_a_registry_that_is_reached_without_the_proxy(direct: str, without: bool) -> None:
    assert preflight_host.without_proxy("registry.example.org:5000/dcm4che/arc:5.34.2", direct) is without
