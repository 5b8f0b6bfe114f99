"""The checks before anything changes: each finding names what is wrong and what cures it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight, services
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight import Finding

from .support import ROLES, SERVICES, load

RENAMED = load(ROLES / "lab" / "vars" / "renamed.yml")["lab_renamed"]
SPECS = {path.parents[1].name: load(path)["argument_specs"]["main"]["options"] for path in ROLES.glob("*/meta/argument_specs.yml")}
KNOWN = {name for options in SPECS.values() for name in options}
DESCRIBED = services.load_all(SERVICES)
CT = {"ae_title": "CT01", "host": "172.18.5.20", "port": 104}


def texts(findings: Iterable[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def the_one(findings: Iterable[Finding]) -> str:
    """Return the text of the only finding."""
    (text,) = texts(findings)
    return text


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
        "containers": [],
        "volumes": [],
        "networks": [{"name": "bridge", "subnets": ["172.17.0.0/16"], "device": "docker0", "ours": False}],
        "images_missing": [],
        "disk_free_gb": {"/opt/pacs-emr": 50.0, "/var/lib/docker": 50.0},
    }
    return good | changed


VARIABLES = {
    "ldap_memory_mb": 256,
    "pacs_db_memory_mb": 1024,
    "arc_memory_mb": 2048,
    "ohif_memory_mb": 256,
    "edge_memory_mb": 256,
    "arc_heap_mb": 1024,
    "lab_min_memory_mb": 3500,
    "lab_min_disk_gb": 10,
    "lab_max_clock_skew": 30,
    "ldap_bind": "127.0.0.1",
    "ldap_port": 389,
    "pacs_db_bind": "127.0.0.1",
    "pacs_db_port": 5432,
    "ohif_bind": "",
    "ohif_port": 3080,
    "arc_dicom_bind": "0.0.0.0",
    "arc_dicom_port": 11112,
    "arc_http_bind": "",
    "arc_http_port": 8080,
    "edge_viewer_bind": "127.0.0.1",
    "edge_viewer_port": 3000,
    "edge_archive_bind": "127.0.0.1",
    "edge_archive_port": 8080,
    "arc_storage_path": "",
}


# --- names of variables ----------------------------------------------------------------------------------------------


def unknown(*names: str) -> list[str]:
    return texts(preflight.unknown_variables(names, KNOWN, RENAMED, SPECS))


def test_known_and_foreign_variables_are_nobodys_business() -> None:
    assert unknown("arc_tag", "lab_name", "openemr_tag", "ansible_host", "site_contact", "http_port", "inventory_hostname") == []


def test_old_names_after_an_upgrade_are_all_told_at_once() -> None:
    """F-ANS-2: one under its old name, one under both names, one that was removed."""
    found = unknown("AE_TITLE", "ARC_TAG", "arc_tag", "POSTGRES_PASSWORD")
    assert len(found) == 3
    title, tag, password = found
    assert "AE_TITLE: is now arc_ae_title" in title
    assert "rename it to arc_ae_title" in title
    assert "ARC_TAG: is the old name of arc_tag, and both are set" in tag
    assert "keep arc_tag, remove ARC_TAG" in tag
    assert "POSTGRES_PASSWORD: was removed" in password
    assert "pacs_db_password" in password
    assert "secrets file" in password


def test_a_renamed_variable_whose_value_must_change_too_says_so() -> None:
    (found,) = unknown("LDAP_TAG")
    assert "2.6.10-34.2" in found
    assert "2.6.8-34.1" in found


@pytest.mark.parametrize(("old", "change"), RENAMED.items())
def test_every_new_name_exists_and_no_old_name_is_still_read(old: str, change: dict[str, str]) -> None:
    assert old not in KNOWN
    assert set(change) in ({"now"}, {"now", "fix"}, {"gone"})
    assert change.get("now") is None or change["now"] in KNOWN


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("arc_heap", "arc_heap_mb"), ("lab_timezon", "lab_timezone"), ("ldap_prot", "ldap_port"), ("edge_viewer_address", "edge_viewer")],
)
def test_a_name_with_our_prefix_is_ours_to_know(name: str, nearest: str) -> None:
    (found,) = unknown(name)
    assert found.startswith(f"{name}: no variable of the lab has this name")
    assert f"did you mean {nearest}" in found
    assert "docs/variables.md" in found


def test_a_name_with_our_prefix_and_nothing_near_is_refused_without_a_guess() -> None:
    (found,) = unknown("arc_zzzzzzzzzzzzzzzzzzzzzzzz")
    assert "did you mean" not in found


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("acr_tag", "arc_tag"), ("pasc_db_user", "pacs_db_user"), ("alb_timezone", "lab_timezone"), ("labname", "lab_name")],
)
def test_a_name_within_two_letters_of_one_of_ours(name: str, nearest: str) -> None:
    (found,) = unknown(name)
    assert (
        found
        == f"{name}: is nearly {nearest}, and nobody reads it\n    → write {nearest}, or choose another name for a variable of your own"
    )


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("lab_name", "lab_name", True),
        ("lab_name", "labname", True),
        ("lab_name", "lab_nams", True),
        ("lab_name", "lba_name", True),
        ("lab_name", "lab_names_", True),
        ("lab_name", "lab_names__", False),
        ("lab_name", "web_home", False),
        ("short", "shor", False),
    ],
)
def test_within_two(one: str, other: str, near: bool) -> None:
    assert preflight.within_two(one, other) is near
    assert preflight.within_two(other, one) is near


# --- types and values ------------------------------------------------------------------------------------------------


def wrong_types(options: dict[str, Any], variables: dict[str, Any], role: str) -> list[Finding]:
    found: list[Finding] = preflight.typed(options, variables, role)[1]
    return found


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"arc_heap_mb": "x"}, ["arc_heap_mb", "int"]),
        ({"arc_heap_mb": [1]}, ["arc_heap_mb", "int"]),
        ({"arc_memory_mb": "2g"}, ["arc_memory_mb", "2g"]),
    ],
)
def test_a_wrong_type_names_variable_role_and_file(variables: dict[str, Any], words: list[str]) -> None:
    text = the_one(wrong_types(SPECS["arc"], variables, "arc"))
    assert all(word in text for word in [*words, "role arc", "group_vars/all/lab.yml"])


def test_all_wrong_types_of_a_role_are_told() -> None:
    variables = {"lab_image_source": "docker", "lab_min_disk_gb": "much", "lab_ae_table": [{"ae_title": "CT01", "host": "10.0.0.1"}]}
    found = texts(wrong_types(SPECS["lab"], variables, "lab"))
    assert len(found) == 3
    assert any("lab_image_source" in text and "upstream, built" in text for text in found)
    assert any("lab_min_disk_gb" in text for text in found)
    assert any("port" in text and "lab_ae_table" in text for text in found)


def test_a_variable_without_value_is_told() -> None:
    assert "arc_ae_title: has no value" in the_one(wrong_types(SPECS["arc"], {"arc_ae_title": None}, "arc"))


def test_texts_of_the_command_line_become_what_the_specs_say() -> None:
    given = {"lab_install_docker": "false", "lab_adopt_data": "no", "lab_min_disk_gb": "5", "other": "x"}
    assert preflight.typed(SPECS["lab"], given, "lab") == (
        {"lab_install_docker": False, "lab_adopt_data": False, "lab_min_disk_gb": 5.0},
        [],
    )


def test_right_types_are_silent() -> None:
    assert texts(wrong_types(SPECS["arc"], {"arc_heap_mb": "1024", "arc_dicom_port": 11112, "other": "x"}, "arc")) == []
    assert texts(wrong_types(SPECS["lab"], {"lab_install_docker": "false", "lab_ae_table": [CT]}, "lab")) == []


# --- groups, versions, AE titles -------------------------------------------------------------------------------------

PLACED = {"lab": ["one"], **{service: ["one"] for service in SERVICES}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"arc": []}, ["group arc", "has no host", "exactly one host"]),
        ({"arc": ["one", "two"], "lab": ["one", "two"]}, ["group arc", "2 hosts (one, two)"]),
        ({"arc": ["two"]}, ["group arc", "two is not in the group lab", "child of lab"]),
    ],
)
def test_groups(changed: dict[str, list[str]], words: list[str]) -> None:
    assert texts(preflight.groups(PLACED, SERVICES)) == []
    text = the_one(preflight.groups(PLACED | changed, SERVICES))
    assert all(word in text for word in words)


def test_a_group_that_the_inventory_lacks_is_named() -> None:
    assert "group edge: has no host" in the_one(
        preflight.groups({name: hosts for name, hosts in PLACED.items() if name != "edge"}, SERVICES)
    )


@pytest.mark.parametrize("arc", ["5.34.2", "5.34.2-secure", "5.34.2-secure-ui"])
def test_the_matching_trio_is_taken(arc: str) -> None:
    assert texts(preflight.matching_versions(arc, "2.6.10-34.2", "17.4-34")) == []


@pytest.mark.parametrize(
    ("trio", "words"),
    [
        (("5.34.2", "2.6.8-34.1", "17.4-34"), ["ldap_tag", "2.6.8-34.1 does not belong to the archive 5.34.2", "ends in -34.2"]),
        (("5.34.2", "2.6.10-134.2", "17.4-34"), ["ldap_tag"]),
        (("5.34.2", "2.6.10-34.2", "17.4-33"), ["pacs_db_tag", "17.4-33", "ends in -34"]),
        (("5.34.2", "2.6.10-34.2", "17.4-134"), ["pacs_db_tag"]),
        (("latest", "2.6.10-34.2", "17.4-34"), ["arc_tag", "latest is no release", "5.34.2"]),
        (("5.34.2-rc", "2.6.10-34.2", "17.4-34"), ["arc_tag"]),
    ],
)
def test_a_trio_that_does_not_match(trio: tuple[str, str, str], words: list[str]) -> None:
    text = the_one(preflight.matching_versions(*trio))
    assert all(word in text for word in words)


def test_the_seeds_ldap_tag_belongs_to_the_archive_before() -> None:
    assert texts(preflight.matching_versions("5.34.1", "2.6.8-34.1", "17.4-34")) == []


OWN = ["DCM4CHEE", "WORKLIST"]


def test_a_good_ae_table_is_silent() -> None:
    table = [CT, {"ae_title": "A.B-C_1", "host": "ct.example.org", "port": 11112}, {"ae_title": "X" * 16, "host": "10.0.0.1", "port": 1}]
    assert texts(preflight.ae_table(table, OWN)) == []
    assert texts(preflight.ae_table([], OWN)) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"ae_title": "X" * 17}, ["is no AE title", "1 to 16"]),
        ({"ae_title": ""}, ["is no AE title"]),
        ({"ae_title": "CT 01"}, ["CT 01", "is no AE title", "without blanks"]),
        ({"ae_title": "CT\\01"}, ["is no AE title"]),
        ({"ae_title": "CT01\n"}, ["is no AE title"]),
        ({"ae_title": "DCM4CHEE"}, ["DCM4CHEE", "of the archive itself", "choose another"]),
        ({"ae_title": "WORKLIST"}, ["of the archive itself"]),
        ({"ae_title": "STORESCP"}, ["of the archive itself"]),
        ({"ae_title": "CT02"}, ["CT02", "stands twice"]),
        ({"port": 0}, ["lacks host or port"]),
        ({"port": 65536}, ["lacks host or port"]),
        ({"host": ""}, ["lacks host or port"]),
    ],
)
def test_a_bad_row_of_the_ae_table(row: dict[str, Any], words: list[str]) -> None:
    text = the_one(preflight.ae_table([{"ae_title": "CT02", "host": "10.0.0.2", "port": 104}, CT | row], OWN))
    assert all(word in text for word in ["lab_ae_table", *words])


@pytest.mark.parametrize(
    ("title", "say"), [("ct02", "stands twice"), ("dcm4chee", "of the archive itself"), ("storescp", "archive itself")]
)
def test_ae_titles_that_differ_in_case_only_are_one_entry_in_ldap(title: str, say: str) -> None:
    table = [{"ae_title": "CT02", "host": "10.0.0.2", "port": 104}, CT | {"ae_title": title}]
    assert say in the_one(preflight.ae_table(table, OWN))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (["PACS 1", "WORKLIST"], ["arc_ae_title", "PACS 1"]),
        (["PACS/1", "WORKLIST"], ["arc_ae_title", "PACS/1"]),
        (["", "WORKLIST"], ["arc_ae_title"]),
        (["DCM4CHEE", "W" * 17], ["arc_worklist_ae_title"]),
        (["SAME", "SAME"], ["arc_worklist_ae_title", "SAME"]),
        (["IOCM_QUALITY", "WORKLIST"], ["arc_ae_title", "IOCM_QUALITY"]),
    ],
)
def test_the_archives_own_titles_stand_in_urls_and_ldap(own: list[str], words: list[str]) -> None:
    text = the_one(preflight.own_ae_titles(*own))
    assert all(word in text for word in words)


def test_good_titles_of_the_archive_are_silent() -> None:
    assert texts(preflight.own_ae_titles("DCM4CHEE", "WORKLIST")) == []
    assert texts(preflight.own_ae_titles("PACS-1.a_b", "MWL")) == []


# --- networks --------------------------------------------------------------------------------------------------------

DOCKER_18 = {"name": "other_default", "subnets": ["172.18.0.0/16"], "device": "br-0123456789ab", "ours": False}
ROUTE_18 = {"network": "172.18.0.0/16", "device": "br-0123456789ab"}


def networks(subnet: str, table: list[dict[str, Any]], **changed: Any) -> list[str]:
    return texts(preflight.networks(subnet, table, facts(**changed), "lab1"))


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


# --- Docker Engine, resources ----------------------------------------------------------------------------------------


def engine(install: bool = True, **changed: Any) -> list[str]:
    return texts(preflight.engine(facts(**changed), "lab1", install))


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
    return texts(preflight.resources(facts(**changed), VARIABLES | (variables or {}), "lab1", described, now=1000.0))


@pytest.mark.parametrize(
    ("here", "variables", "changed", "words"),
    [
        (None, {}, {"uid": 1000}, ["user on lab1", "is not root", "ansible_become"]),
        (None, {}, {"memory_mb": 3000}, ["memory of lab1", "3000 MiB", "3840", "3500"]),
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


# --- ports -----------------------------------------------------------------------------------------------------------


def ports(variables: dict[str, Any] | None = None, here: list[str] | None = None, **changed: Any) -> list[str]:
    return texts(preflight.ports(facts(**changed), VARIABLES | (variables or {}), "lab1", services.load_all(here or SERVICES)))


def test_free_ports_are_silent() -> None:
    assert ports() == []


@pytest.mark.parametrize(
    ("address", "port"), [("0.0.0.0", 389), ("::", 389), ("127.0.0.1", 389), ("10.20.30.5", 11112), ("0.0.0.0", 11112), ("::", 11112)]
)
def test_a_port_that_somebody_else_holds(address: str, port: int) -> None:
    (text,) = ports(listeners=[[address, port]])
    assert f"something else listens on {address}:{port}" in text
    assert ("ldap_port on lab1" if port == 389 else "arc_dicom_port on lab1") in text
    assert f"ss -tlnp 'sport = :{port}'" in text


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.53", 389), ("10.20.30.5", 389), ("::1", 389), ("::1", 11112), ("fe80::1", 11112), ("0.0.0.0", 3080)]
)
def test_a_listener_on_another_address_or_of_the_other_family_is_in_nobodys_way(address: str, port: int) -> None:
    assert ports(listeners=[[address, port]]) == []


def test_a_port_that_our_own_container_holds_is_free() -> None:
    ours = [{"service": "ldap", "state": "running", "ports": [389]}]
    assert ports(listeners=[["127.0.0.1", 389]], containers=ours) == []


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
    assert preflight.collides(one, other) is do


def test_a_bind_that_is_no_address_is_named() -> None:
    found = texts(preflight.binds(VARIABLES | {"ldap_bind": "lan", "edge_viewer_bind": "localhost"}, DESCRIBED))
    assert [text.partition(":")[0] for text in found] == ["ldap_bind", "edge_viewer_bind"]
    assert "'lan' is no address" in found[0]
    assert "0.0.0.0 for all" in found[0]
    assert texts(preflight.binds(VARIABLES | {"ldap_bind": "fd00::5", "arc_dicom_bind": ""}, DESCRIBED)) == []


# --- storage ---------------------------------------------------------------------------------------------------------

STATE = {"exists": True, "marker": True, "writable": True, "mount": "nfs4 at /srv/images"}


def storage(state: dict[str, Any] | None, path: str = "/srv/images") -> list[str]:
    return texts(preflight.storage(facts(storage=state), VARIABLES | {"arc_storage_path": path}, "lab1", ".pacs-emr-storage"))


def test_a_mounted_marked_writable_folder_is_silent() -> None:
    assert storage(STATE) == []
    assert storage(None, "") == []


def test_storage_that_is_not_as_it_must_be() -> None:
    (text,) = storage({"exists": False, "marker": False, "writable": False, "mount": ""})
    assert "arc_storage_path on lab1: /srv/images is no folder" in text
    assert "mount it" in text
    (text,) = storage(STATE | {"marker": False, "mount": "ext4 at /"})
    assert "/srv/images (ext4 at /) has no file .pacs-emr-storage" in text
    assert "touch /srv/images/.pacs-emr-storage" in text
    (text,) = storage(STATE | {"writable": False})
    assert "(nfs4 at /srv/images) is not writable for the archive's uid 1023" in text
    assert "chown 1023:1023 /srv/images" in text
    assert len(storage(STATE | {"writable": False, "marker": False})) == 2


def test_self_built_images_must_be_there_and_upstreams_are_pulled() -> None:
    missing = facts(images_missing=["pacs-emr/ldap:1"])
    text = the_one(preflight.missing_images(missing, "built", "lab1"))
    assert "image pacs-emr/ldap:1 on lab1" in text
    assert "make images" in text
    assert texts(preflight.missing_images(missing, "upstream", "lab1")) == []
    assert texts(preflight.missing_images(facts(images_missing=["x"], engine=""), "built", "lab1")) == []


# --- secrets and first boot ------------------------------------------------------------------------------------------

NEEDED = {"lab_digest_key": SERVICES, "ldap_root_password": ["ldap", "arc"], "pacs_db_password": ["pacs_db", "arc"]}
GOOD = dict.fromkeys(NEEDED, "goodValue123")


def secrets(values: dict[str, Any], has_data: Callable[[str], bool] = lambda _: False, all_hosts: bool = True) -> list[str]:
    return texts(preflight.secrets(values, "secrets.yml", NEEDED, has_data, all_hosts))


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in keys}


def test_good_secrets_are_silent_and_so_is_a_missing_one_before_there_is_data() -> None:
    assert secrets(GOOD) == []
    assert secrets({}) == []
    assert secrets(without("ldap_root_password"), lambda service: service == "pacs_db") == []


@pytest.mark.parametrize("all_hosts", [True, False])
def test_a_missing_secret_whose_service_holds_data(all_hosts: bool) -> None:
    (text,) = secrets(without("ldap_root_password"), lambda service: service in ("ldap", "arc"), all_hosts)
    assert "secrets.yml, ldap_root_password: is missing, and ldap and arc already hold" in text
    assert "restore the file" in text
    assert "Rotate" in text


def test_a_missing_secret_with_limit_cannot_be_judged() -> None:
    (text,) = secrets(without("pacs_db_password"), all_hosts=False)
    assert "pacs_db_password: is missing, and --limit hides" in text
    assert "without --limit" in text


def test_a_secret_that_no_service_has() -> None:
    (text,) = secrets(GOOD | {"ldap_root_pasword": "x"})
    assert "ldap_root_pasword: no service has a secret of this name" in text
    assert "did you mean ldap_root_password?" in text
    assert "did you mean" not in secrets(GOOD | {"zzz": "x"})[0]


def test_malformed_secrets_are_named_but_not_shown() -> None:
    found = secrets(GOOD | {"ldap_root_password": "P@ss$word123", "pacs_db_password": None})
    assert len(found) == 2
    assert "ldap_root_password: must have 8 to 128 characters out of A-Z a-z 0-9 . _ -" in found[0]
    assert "pacs_db_password: is empty" in found[1]
    assert "P@ss" not in found[0]


def test_the_length_of_the_secrets_that_the_lab_makes_must_be_one_that_it_takes() -> None:
    assert texts(preflight.secret_length(8)) == texts(preflight.secret_length(128)) == []
    for length in (7, 129):
        text = the_one(preflight.secret_length(length))
        assert f"lab_secret_length: {length}" in text
        assert "8 to 128" in text


LDAP = DESCRIBED["ldap"]
RECORD = {"ldap_base_dn": "dc=x", "arc_ae_title": "DCM4CHEE", "ldap_root_password": "digest abc"}


def first_boot(wanted: dict[str, str], record: dict[str, str] | None, adopt: bool = False) -> list[str]:
    return texts(preflight.first_boot(LDAP, wanted, record, "lab1", "/opt/pacs-emr", adopt))


def test_what_was_first_booted_with_may_not_change() -> None:
    assert first_boot(RECORD, RECORD) == []
    title, secret = sorted(first_boot(RECORD | {"arc_ae_title": "PACS", "ldap_root_password": "digest xyz"}, RECORD))
    assert "arc_ae_title on lab1: is 'PACS', deployed is 'DCM4CHEE'; ldap reads it at its first boot only" in title
    assert "set it back to 'DCM4CHEE'" in title
    assert "docs/operations.md" in title
    assert "ldap_root_password on lab1: differs" in secret
    assert "docs/secrets.md" in secret
    assert "xyz" not in secret
    assert "abc" not in secret


@pytest.mark.parametrize("record", [None, {}])
def test_data_without_or_with_an_unreadable_record_is_not_adopted_by_itself(record: dict[str, str] | None) -> None:
    (text,) = first_boot(RECORD, record)
    assert "ldap on lab1: holds data, but /opt/pacs-emr/first-boot/ldap.json" in text
    assert "lab_adopt_data=true" in text
    assert first_boot(RECORD, record, adopt=True) == []
    assert first_boot({}, record) == []


def test_a_value_that_an_older_record_does_not_know_is_taken() -> None:
    assert first_boot(RECORD | {"arc_device_name": "x"}, RECORD) == []


def test_unknown_tags() -> None:
    assert texts(preflight.tags(["all"], ["deploy", "configure"])) == []
    assert texts(preflight.tags(["deploy", "tagged"], ["deploy", "configure"])) == []
    text = the_one(preflight.tags(["deploy", "deploi"], ["deploy", "configure"]))
    assert "--tags deploi: no task has this tag" in text
    assert "configure, deploy" in text
