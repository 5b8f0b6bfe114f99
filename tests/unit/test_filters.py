"""The filters: which image, how a container reaches a service, where people reach it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.pacs_emr.lab.plugins.filter import lab

from .support import SERVICES, template

ROW = {"upstream": "docker.io/x/arc", "built": "pacs-emr/arc", "tag": "5.34.2", "digests": {"5.34.2": "sha256:abc"}}
PORTS = {
    "ldap_port": 389,
    "pacs_db_port": 5432,
    "arc_dicom_port": 11112,
    "arc_http_port": 8080,
    "ohif_port": 3080,
    "edge_https_port": 443,
    "edge_http_port": 80,
    "edge_viewer_port": 3000,
}
BINDS = {
    "ldap_bind": "{{ 'ldap' | pacs_emr.lab.client_bind(['arc']) }}",
    "arc_dicom_bind": "",
    "arc_http_bind": "",
    "edge_https_bind": "127.0.0.1",
    "edge_http_bind": "127.0.0.1",
    "edge_viewer_bind": "127.0.0.1",
}
SINGLE = {"lab": ["one"], **{service: ["one"] for service in SERVICES}}
MULTI = {
    "lab": ["data", "images", "web"],
    **{service: ["data"] for service in ("ldap", "pacs_db", "mirth_db", "openemr_db")},
    **{service: ["images"] for service in ("arc", "mirth", "openemr")},
    **{service: ["web"] for service in ("ohif", "edge")},
}
ADDRESSES = {"data": "10.0.0.1", "images": "10.0.0.2", "web": "10.0.0.3", "one": "10.0.0.9"}


def on(host: str, groups: dict[str, list[str]], hostvars: dict[str, dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Variables as a task on ``host`` sees them; ``hostvars`` is what the inventory sets for a host besides its address."""
    seen = {name: {"ansible_host": ADDRESSES[name]} | (hostvars or {}).get(name, {}) for name in groups["lab"]}
    return {
        **PORTS,
        **BINDS,
        "inventory_hostname": host,
        "groups": groups,
        "hostvars": seen,
        "lab_services": SERVICES,
        **seen[host],
        **more,
    }


LAB: dict[str, Any] = {
    "lab_domain": "rad.example.org",
    "edge_domain": "rad.example.org",
    "ca_folder": "/lab/certificates",
    "ca_own_files": {"edge": {"chain": "/own.pem", "key": "/own.key"}},
}


@pytest.mark.parametrize(
    ("service", "groups", "more", "names"),
    [
        ("pacs_db", MULTI, {"pacs_db_bind": ""}, ["pacs-db.rad.example.org", "pacs-db", "10.0.0.1"]),
        ("pacs_db", MULTI, {"pacs_db_bind": "10.1.1.1"}, ["pacs-db.rad.example.org", "pacs-db", "10.0.0.1", "10.1.1.1"]),
        ("openemr", SINGLE, {"openemr_bind": "0.0.0.0"}, ["openemr.rad.example.org", "openemr", "10.0.0.9"]),
        ("openemr", SINGLE, {"openemr_bind": "127.0.0.1"}, ["openemr.rad.example.org", "openemr", "10.0.0.9", "localhost", "127.0.0.1"]),
    ],
)
def test_a_certificate_bears_every_name_by_which_its_service_is_reached(
    service: str, groups: dict[str, list[str]], more: dict[str, Any], names: list[str]
) -> None:
    variables = on(groups["edge"][0], groups, **LAB, openemr_port=8300, **more)
    assert template(f"'{service}' | pacs_emr.lab.certificate_names", variables) == names


def test_the_edge_bears_what_its_users_call_it() -> None:
    names = template("'edge' | pacs_emr.lab.certificate_names", on("one", SINGLE, **LAB, edge_archive_bind=""))
    assert {"rad.example.org", "emr.rad.example.org", "viewer.rad.example.org", "pacs.rad.example.org", "localhost", "::1"} <= set(names)


@pytest.mark.parametrize(
    ("name", "more", "url"),
    [
        ("viewer", {}, "https://viewer.rad.example.org"),
        ("", {}, "https://rad.example.org"),
        ("emr", {"edge_https_port": 9443}, "https://emr.rad.example.org:9443"),
        ("", {"edge_https_bind": ""}, None),
    ],
)
def test_where_the_labs_users_come_in(name: str, more: dict[str, Any], url: str | None) -> None:
    variables = on("one", SINGLE, **LAB | more)
    assert template(f"'{name}' | pacs_emr.lab.front", variables) == url


def test_only_the_edge_has_names_for_people() -> None:
    variables = on("one", SINGLE, **LAB)
    names = [f"{name}rad.example.org" for name in ("", "emr.", "viewer.", "pacs.")]
    assert template("'edge' | pacs_emr.lab.front_names", variables) == names
    assert template("'arc' | pacs_emr.lab.front_names", variables) == []


def test_where_the_files_of_a_service_are() -> None:
    seen = on("one", SINGLE, **LAB)
    made = {"key": "/lab/certificates/services/pacs_db.key", "chain": "/lab/certificates/services/pacs_db.pem"}
    trust = {"trust": "/lab/certificates/trust.pem"}
    assert template("'pacs_db' | pacs_emr.lab.certificate", seen) == made | trust
    assert template("'edge' | pacs_emr.lab.certificate", seen) == {"chain": "/own.pem", "key": "/own.key"} | trust
    assert template("'pacs_db' | pacs_emr.lab.tls_name", seen) == "pacs-db.rad.example.org"


def test_compose_name_is_a_host_name() -> None:
    assert lab.compose_name("pacs_db") == "pacs-db"


@pytest.mark.parametrize(
    ("value", "text"), [("pacs", '"pacs"'), ("a$b${c}", '"a$$b$${c}"'), ('it\'s "q"', '"it\'s \\"q\\""'), (17, '"17"'), ("", '""')]
)
def test_a_text_in_a_compose_file_is_not_expanded(value: object, text: str) -> None:
    assert lab.compose_text(value) == text


@pytest.mark.parametrize(
    ("row", "source", "reference"),
    [
        (ROW, "upstream", "docker.io/x/arc:5.34.2@sha256:abc"),
        (ROW | {"tag": "5.34.1"}, "upstream", "docker.io/x/arc:5.34.1"),
        ({"upstream": "x", "tag": 3.0}, "upstream", "x:3.0"),
        (ROW, "built", "pacs-emr/arc:5.34.2"),
    ],
)
def test_image_reference_has_the_digest_of_exactly_this_upstream_tag(row: dict[str, Any], source: str, reference: str) -> None:
    assert lab.image_reference(row, source) == reference


@pytest.mark.parametrize("source", ["built", "docker"])
def test_image_reference_refuses_a_source_without_repository(source: str) -> None:
    with pytest.raises(AnsibleError, match=f"'{source}'.*lab_image_source"):
        lab.image_reference({"upstream": "x", "tag": "1"}, source)


@pytest.mark.parametrize(
    ("bind", "published"),
    [
        ("", []),
        ("127.0.0.1", ["127.0.0.1:8080:80"]),
        ("0.0.0.0", ["0.0.0.0:8080:80"]),
        ("::1", ["[::1]:8080:80"]),
        ("fd00::5", ["[fd00::5]:8080:80"]),
    ],
)
def test_publish(bind: str, published: list[str]) -> None:
    assert lab.publish(bind, 8080, 80) == published


@pytest.mark.parametrize(("hosts", "said"), [([], "0: none"), (["data", "web"], "2: data, web")])
def test_a_service_on_no_or_several_hosts_is_refused_by_the_name_of_its_group(hosts: list[str], said: str) -> None:
    with pytest.raises(AnsibleError, match=f"group 'ldap' must have exactly one host, it has {said}"):
        lab.placed_on({"ldap": hosts}, "ldap")
    with pytest.raises(AnsibleError, match="group 'ldap'"):
        template("'ldap' | pacs_emr.lab.reach(389, 'ldap')", on("web", MULTI | {"ldap": hosts}))


def test_reach_on_one_host_is_the_container_network() -> None:
    assert template("'pacs_db' | pacs_emr.lab.reach(5432, 'pacs_db')", on("one", SINGLE)) == {"host": "pacs-db", "port": 5432}


@pytest.mark.parametrize("host", ["data", "images", "web"])
def test_how_another_service_reaches_one_is_the_same_wherever_it_is_asked(host: str) -> None:
    beside = template("'mirth' | pacs_emr.lab.reach(6662, 'mirth_psu', 'arc')", on(host, MULTI, mirth_psu_port=6663))
    assert beside == {"host": "mirth", "port": 6662}
    apart = on(host, MULTI | {"mirth": ["web"]}, mirth_psu_port=6663)
    assert template("'mirth' | pacs_emr.lab.reach(6662, 'mirth_psu', 'arc')", apart) == {"host": "10.0.0.3", "port": 6663}


@pytest.mark.parametrize(
    ("hostvars", "where"),
    [
        ({}, {"host": "10.0.0.1", "port": 389}),
        ({"data": {"ldap_port": 1389}}, {"host": "10.0.0.1", "port": 1389}),
        ({"data": {"lab_address": "192.0.2.7", "ldap_port": "1389"}}, {"host": "192.0.2.7", "port": 1389}),
    ],
)
def test_reach_of_another_host_is_its_address_and_its_published_port(hostvars: dict[str, Any], where: dict[str, Any]) -> None:
    assert template("'ldap' | pacs_emr.lab.reach(389, 'ldap')", on("images", MULTI, hostvars)) == where


def test_reach_of_a_host_without_any_address_is_its_name() -> None:
    variables = on("images", MULTI)
    del variables["hostvars"]["data"]["ansible_host"]
    assert template("'ldap' | pacs_emr.lab.reach(389, 'ldap')", variables) == {"host": "data", "port": 389}


@pytest.mark.parametrize(
    ("groups", "expression", "bind"),
    [
        (SINGLE, "'ldap' | pacs_emr.lab.client_bind(['arc'])", ""),
        (MULTI, "'ldap' | pacs_emr.lab.client_bind(['arc'])", "10.0.0.1"),
        (MULTI, "'ohif' | pacs_emr.lab.client_bind(['edge'])", ""),
        (MULTI, "'arc' | pacs_emr.lab.client_bind(['edge'])", "10.0.0.2"),
        (MULTI, "'ohif' | pacs_emr.lab.client_bind(['edge', 'arc'])", "10.0.0.3"),
        (MULTI, "'ohif' | pacs_emr.lab.client_bind([])", ""),
    ],
)
def test_a_service_is_published_for_clients_on_other_hosts_only(groups: dict[str, list[str]], expression: str, bind: str) -> None:
    host = groups["arc"][0]
    assert template(expression, on(host, groups)) == bind


@pytest.mark.parametrize(
    ("bind", "where"),
    [
        ("", None),
        ("127.0.0.1", {"host": "localhost", "port": 3000}),
        ("::1", {"host": "localhost", "port": 3000}),
        ("0.0.0.0", {"host": "10.0.0.3", "port": 3000}),
        ("10.9.9.9", {"host": "10.9.9.9", "port": 3000}),
    ],
)
def test_endpoint_as_people_reach_it(bind: str, where: dict[str, Any] | None) -> None:
    variables = on("data", MULTI, {"web": {"edge_viewer_bind": bind}})
    assert template("'edge' | pacs_emr.lab.endpoint('edge_viewer')", variables) == where


def test_endpoint_of_a_default_is_that_of_the_host_of_the_service() -> None:
    """The default of ldap_bind is an expression; seen from another host it is still the LDAP host's address."""
    variables = on("web", MULTI) | {"ldap_bind": trust_as_template(BINDS["ldap_bind"])}
    assert template("'ldap' | pacs_emr.lab.endpoint('ldap')", variables) == {"host": "10.0.0.1", "port": 389}


@pytest.mark.parametrize("expression", ["endpoint('edge_viewer')", "url('edge_viewer')"])
def test_endpoint_names_the_variable_that_is_no_address(expression: str) -> None:
    variables = on("data", MULTI, {"web": {"edge_viewer_bind": "lan"}})
    with pytest.raises(AnsibleError, match="edge_viewer_bind of web is 'lan', which is no address"):
        template(f"'edge' | pacs_emr.lab.{expression}", variables)


@pytest.mark.parametrize(
    ("bind", "url"),
    [("", None), ("0.0.0.0", "http://10.0.0.9:3000/x"), ("127.0.0.1", "http://localhost:3000/x"), ("fd00::5", "http://[fd00::5]:3000/x")],
)
def test_url(bind: str, url: str | None) -> None:
    variables = on("one", SINGLE, edge_viewer_bind=bind)
    assert template("'edge' | pacs_emr.lab.url('edge_viewer', '/x')", variables) == url


@pytest.mark.parametrize(
    ("host", "groups", "awaited"),
    [
        ("one", SINGLE, []),
        ("data", MULTI, ["ldap", "pacs_db", "mirth_db", "openemr_db"]),
        ("web", MULTI, []),
        ("data", MULTI | {"arc": ["data"], "mirth": ["data"], "openemr": ["data"]}, []),
    ],
)
def test_what_another_host_waits_for_starts_first(host: str, groups: dict[str, list[str]], awaited: list[str]) -> None:
    names = [service for service in SERVICES if host in groups[service]]
    assert template(f"{names} | pacs_emr.lab.awaited_elsewhere", on(host, groups)) == awaited


TABLE = [{"ae_title": "CT01", "host": "192.0.2.40", "port": 104}, {"ae_title": "VERIFY", "host": "10.0.0.3", "port": "11120"}]


def test_acceptance_input_tells_how_to_get_into_the_containers_of_each_host() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "data": {"ansible_user": "ops", "ansible_become": True, "ansible_port": 2222},
        "images": {"ansible_ssh_private_key_file": "/k", "ansible_ssh_common_args": "-o ProxyJump='a b'"},
        "web": {"ansible_connection": "local"},
    }
    variables = on("data", MULTI, hostvars, lab_root="/opt/x", lab_verify_ae_title="VERIFY", lab_ae_table=TABLE)
    told = template("{'lab': 'x'} | pacs_emr.lab.acceptance_input", variables)
    assert told["lab"] == "x"
    assert told["move_destination"] == {"ae_title": "VERIFY", "bind": "0.0.0.0", "port": 11120}
    ssh = ["ssh", "-o", "BatchMode=yes"]
    assert told["hosts"] == {
        "data": {
            "connection": "ssh",
            "address": "10.0.0.1",
            "services": ["ldap", "pacs-db", "mirth-db", "openemr-db"],
            "project": "/opt/x",
            "exec": [*ssh, "-p", "2222", "ops@10.0.0.1", "--", "sudo", "-n", "docker", "exec"],
        },
        "images": {
            "connection": "ssh",
            "address": "10.0.0.2",
            "services": ["arc", "mirth", "openemr"],
            "project": "/opt/x",
            "exec": [*ssh, "-o", "ProxyJump=a b", "-i", "/k", "10.0.0.2", "--", "docker", "exec"],
        },
        "web": {
            "connection": "local",
            "address": "10.0.0.3",
            "services": ["ohif", "edge"],
            "project": "/opt/x",
            "exec": ["docker", "exec"],
        },
    }


def test_acceptance_input_has_no_move_destination_without_its_row() -> None:
    variables = on("one", SINGLE, lab_root="/opt/x", lab_verify_ae_title="VERIFY", lab_ae_table=TABLE[:1])
    assert template("{} | pacs_emr.lab.acceptance_input", variables)["move_destination"] is None


@pytest.mark.parametrize(
    ("become", "words"),
    [(True, ["sudo", "-n"]), ("yes", ["sudo", "-n"]), ("True", ["sudo", "-n"]), ("1", ["sudo", "-n"]), (False, []), ("no", []), ("", [])],
)
def test_shell_prefix_reads_ansible_become_as_ansible_does(become: Any, words: list[str]) -> None:
    assert lab.shell_prefix({"ansible_connection": "local", "ansible_become": become}, "one") == words
    assert lab.shell_prefix({"ansible_become": become}, "one") == ["ssh", "-o", "BatchMode=yes", "one", "--", *words]


def test_every_filter_is_registered_and_tested_by_name() -> None:
    assert set(lab.FilterModule().filters()) == {
        *(
            "acceptance_input",
            "account_secret",
            "awaited_elsewhere",
            "certificate",
            "certificate_names",
            "client_bind",
            "compose_name",
            "compose_text",
            "endpoint",
            "front",
            "front_names",
            "image_reference",
            "publish",
            "reach",
            "tls_name",
            "url",
        )
    }
