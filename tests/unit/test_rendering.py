"""What would be deployed, rendered from the real templates for the inventories that the project ships."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets, services

from .support import SERVICES, defaults, playbook, template

HOSTS = {
    "single": {"pacs.example.org": SERVICES},
    "multi": {
        "data.example.org": ["ldap", "pacs_db", "mirth_db", "openemr_db"],
        "imaging.example.org": ["arc", "mirth", "openemr"],
        "web.example.org": ["ohif", "edge"],
    },
    "demo": {"lab1": SERVICES},
    "variant": {"pacs.example.org": SERVICES},
}
#: The inventory `single` with settings away from their defaults.
VARIANT = {
    "arc_storage_path": "/srv/images",
    "arc_ae_title": "PACS.1",
    "arc_memory_mb": 4096,
    "arc_heap_mb": "2048",
    "edge_viewer_bind": "fd00::5",
    "edge_viewer_port": 8443,
    "ohif_show_study_list": "false",
    "ohif_config_extra": {"maxNumberOfWebWorkers": 7, "hotkeys": []},
    "lab_subnet": "10.214.0.0/20",
    "lab_project": "other",
    "pacs_db_user": 'it\'s "q"',
}
KEYS = sorted({secrets.DIGEST_KEY, *(key for service in services.load_all(SERVICES).values() for key in service.secrets)})
VALUES = {key: f"Secret-of.{key}" for key in KEYS}
EVERYWHERE = [(lab, host, service) for lab, hosts in HOSTS.items() for host, placed in hosts.items() for service in placed]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Render all four at once; lab_root is where they are rendered, so that Compose can read them there."""
    home = tmp_path_factory.mktemp("rendered")
    file = home / "secrets.yml"
    file.write_text(secrets.lines(VALUES))

    def render(lab: str) -> Path:
        given = {
            "render_to": str(home / lab),
            "lab_root": "{{ render_to }}/{{ inventory_hostname }}",
            "lab_secrets_file": str(file),
            **(VARIANT if lab == "variant" else {}),
        }
        inventory = "inventory/single" if lab == "variant" else f"inventory/{lab}"
        run = playbook(home / f"of-{lab}", "-i", inventory, "playbooks/render.yml", variables=given)
        assert run.returncode == 0, run.output
        return home / lab

    with ThreadPoolExecutor(2) as pool:
        runs = {lab: pool.submit(render, lab) for lab in HOSTS}
        yield lambda lab: runs[lab].result()


Rendered = Callable[[str], Path]


def compose(folder: Path, service: str) -> dict[str, Any]:
    """Return the one service of a service's Compose file."""
    project: dict[str, Any] = yaml.safe_load((folder / service / "compose.yaml").read_text(encoding="utf-8"))
    (described,) = project["services"].values()
    assert list(project["services"]) == [service.replace("_", "-")]
    return dict(described)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("lab", HOSTS)
def test_each_host_gets_the_files_of_its_services_and_no_others(rendered: Rendered, lab: str) -> None:
    folder = rendered(lab)
    assert sorted(path.name for path in folder.iterdir()) == sorted(HOSTS[lab])
    for host, placed in HOSTS[lab].items():
        assert {name.partition("/")[0] for name in files(folder / host)} == {*placed, "compose.yaml"}


@pytest.mark.parametrize("lab", HOSTS)
def test_no_secret_and_no_default_password_is_in_any_file(rendered: Rendered, lab: str) -> None:
    for name, text in files(rendered(lab)).items():
        assert not [key for key, value in VALUES.items() if value in text], name
        assert not re.search(r"changeit|secret123|password123|verysecret", text), name
        assert "no_log" not in text, name
        # A variable that holds a password itself, and not the file it is read from.
        assert not re.search(r"^\s+\w*(PASSWORD|PASS|SECRET)\w*(?<!_FILE): ", text, re.MULTILINE), name


@pytest.mark.parametrize(("lab", "host", "service"), EVERYWHERE)
def test_every_service_is_held_as_the_lab_holds_services(rendered: Rendered, lab: str, host: str, service: str) -> None:
    described = compose(rendered(lab) / host, service)
    source = "built" if lab == "demo" else "upstream"
    assert described["image"] == template(f"{service}_image", defaults() | {"lab_image_source": source})
    assert described["restart"] == "unless-stopped"
    assert re.fullmatch("[0-9a-f]{64}", described["labels"]["pacs-emr.files"])
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+m", described["mem_limit"])
    assert described["pids_limit"] > 0
    assert described["healthcheck"]["test"][0] == "CMD"
    assert described["logging"]["options"]["max-size"]
    assert not {"privileged", "network_mode", "pid", "ipc", "userns_mode", "devices", "env_file", "build", "container_name"} & set(
        described
    )
    sources = [volume["source"] if isinstance(volume, dict) else volume.partition(":")[0] for volume in described.get("volumes", [])]
    assert not any("docker.sock" in source for source in sources)
    # What it mounts of the host is in its own folder, and rendered or a secret.
    described_here = services.load(service)
    for source in (source for source in sources if source.startswith(".")):
        if source == "./tls":
            assert "uid" in described_here.certificate, "certificates are no rendered files"
            continue
        is_secret = source in {f"./secrets/{mount}" for mount, _, _ in described_here.mounts(over=lambda _: False)}
        assert is_secret or (rendered(lab) / host / service / source).is_file(), source


@pytest.mark.parametrize(("lab", "host", "service"), EVERYWHERE)
def test_data_is_in_the_volumes_that_preflight_knows(rendered: Rendered, lab: str, host: str, service: str) -> None:
    project = yaml.safe_load((rendered(lab) / host / service / "compose.yaml").read_text(encoding="utf-8"))
    described = services.load(service)
    known = {*described.data, *described.shares}
    assert set(project.get("volumes") or {}) == known - ({"pacs-storage"} if lab == "variant" else set())


@pytest.mark.parametrize(
    ("service", "image"),
    [
        ("ldap", "docker.io/dcm4che/slapd-dcm4chee:2.6.10-34.2@sha256:5c04ced61e943af2175c69ec7955c28bbaf676c50b5876c02e1437261cfaeefc"),
        ("pacs_db", "docker.io/dcm4che/postgres-dcm4chee:17.4-34@sha256:728c3055b894127c661a1645ffd0ccc2ad6461b86e957e245a9cc9bbc9c499e2"),
        ("arc", "docker.io/dcm4che/dcm4chee-arc-psql:5.34.2@sha256:316eba283d3c8538e4c3b954edcdd59572f76aa7271ca6336ddf771703082f8c"),
        (
            "mirth",
            "docker.io/nextgenhealthcare/connect:4.5.2@sha256:4afa295cfe7c5ffd596efee69594157fea87202e33d66bb4a98a52db4598f836",
        ),
        ("mirth_db", "docker.io/library/postgres:15"),
        ("ohif", "docker.io/ohif/app:v3.8.0"),
        ("edge", "docker.io/library/haproxy:3.0"),
    ],
)
def test_upstreams_images_with_the_digests_that_are_known(rendered: Rendered, service: str, image: str) -> None:
    assert compose(rendered("single") / "pacs.example.org", service)["image"] == image


# --- addresses -------------------------------------------------------------------------------------------------------

PORTS = {
    ("single", "ldap"): [],
    ("single", "pacs_db"): [],
    ("single", "arc"): ["0.0.0.0:11112:11112"],
    ("single", "mirth"): ["127.0.0.1:8443:8443", "0.0.0.0:11113:11113"],
    ("single", "mirth_db"): [],
    ("single", "ohif"): [],
    ("single", "edge"): ["0.0.0.0:443:8443", "0.0.0.0:80:8081"],
    ("single", "openemr"): [],
    # On three hosts each service is published for its clients on other hosts, on its own host's address.
    ("multi", "ldap"): ["10.20.30.11:389:389"],
    ("multi", "pacs_db"): ["10.20.30.11:5432:5432"],
    ("multi", "arc"): ["0.0.0.0:11112:11112", "10.20.30.12:8080:8080"],
    ("multi", "mirth"): ["127.0.0.1:8443:8443", "0.0.0.0:11113:11113"],
    ("multi", "mirth_db"): ["10.20.30.11:5433:5432"],
    ("multi", "ohif"): [],
    ("multi", "edge"): ["0.0.0.0:443:8443", "0.0.0.0:80:8081"],
    ("multi", "openemr"): ["10.20.30.12:8300:443"],
    ("demo", "ldap"): ["127.0.0.1:389:389"],
    ("demo", "pacs_db"): ["127.0.0.1:5432:5432"],
    ("demo", "arc"): ["127.0.0.1:11112:11112", "127.0.0.1:2575:2575"],
    ("demo", "mirth"): ["127.0.0.1:8443:8443", "127.0.0.1:8081:8080", "127.0.0.1:11113:11113"],
    ("demo", "ohif"): [],
    ("demo", "edge"): [f"127.0.0.1:{ports}" for ports in ("9443:8443", "9080:8081", "3000:3000", "8080:8080")],
    ("variant", "edge"): ["0.0.0.0:443:8443", "0.0.0.0:80:8081", "[fd00::5]:8443:3000"],
}


@pytest.mark.parametrize(("lab", "service"), PORTS)
def test_what_is_published_is_what_the_inventory_says(rendered: Rendered, lab: str, service: str) -> None:
    (host,) = [host for host, placed in HOSTS[lab].items() if service in placed]
    assert compose(rendered(lab) / host, service)["ports"] == PORTS[lab, service]


def test_on_one_host_the_archive_waits_for_healthy_neighbours_by_name(rendered: Rendered) -> None:
    arc = compose(rendered("single") / "pacs.example.org", "arc")
    assert arc["depends_on"] == {"ldap": {"condition": "service_healthy"}, "pacs-db": {"condition": "service_healthy"}}
    assert arc["environment"]["LDAP_URL"] == "ldap://ldap:389"
    assert arc["environment"]["POSTGRES_HOST"] == "pacs-db"
    assert arc["environment"]["WILDFLY_WAIT_FOR"] == arc["environment"]["LAB_WAIT_FOR"] == "ldap:389 pacs-db:5432"


def test_on_several_hosts_the_archive_reaches_its_neighbours_by_address(rendered: Rendered) -> None:
    arc = compose(rendered("multi") / "imaging.example.org", "arc")
    assert "depends_on" not in arc
    assert arc["environment"]["LDAP_URL"] == "ldap://10.20.30.11:389"
    assert (arc["environment"]["POSTGRES_HOST"], arc["environment"]["POSTGRES_PORT"]) == ("10.20.30.11", "5432")
    assert arc["environment"]["WILDFLY_WAIT_FOR"] == "10.20.30.11:389 10.20.30.11:5432"
    config = (rendered("multi") / "web.example.org/edge/haproxy.cfg").read_text(encoding="utf-8")
    assert "server archive 10.20.30.12:8080\n" in config
    assert "server viewer ohif:80\n" in config


@pytest.mark.parametrize(("lab", "host"), [(lab, host) for lab, hosts in HOSTS.items() for host in hosts])
def test_the_hosts_project_includes_its_services_and_has_the_labs_subnet(rendered: Rendered, lab: str, host: str) -> None:
    folder = rendered(lab) / host
    project = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in project["include"]] == [f"{service}/compose.yaml" for service in HOSTS[lab][host]]
    assert {entry["project_directory"] for entry in project["include"]} == {f"{folder}/{service}" for service in HOSTS[lab][host]}
    assert project["name"] == ("other" if lab == "variant" else "pacs-emr")
    assert project["networks"]["default"]["ipam"]["config"] == [{"subnet": "10.214.0.0/20" if lab == "variant" else "10.213.0.0/24"}]


# --- single services -------------------------------------------------------------------------------------------------


def test_the_archive_with_images_in_a_volume(rendered: Rendered) -> None:
    arc = compose(rendered("single") / "pacs.example.org", "arc")
    assert "pacs-storage:/storage" in arc["volumes"]
    assert arc["environment"]["WILDFLY_CHOWN"] == "/storage"
    assert "entrypoint" not in arc
    assert "-Xmx1024m" in arc["environment"]["JBOSS_JAVA_SIZING"]
    assert not any("9990" in port for port in arc["ports"])


def test_the_archive_with_images_in_a_folder_of_the_host(rendered: Rendered) -> None:
    """An archive that starts before the file system is mounted would store into the empty mount point."""
    folder = rendered("variant") / "pacs.example.org"
    arc = compose(folder, "arc")
    (mount,) = [volume for volume in arc["volumes"] if isinstance(volume, dict)]
    assert (mount["type"], mount["source"], mount["target"]) == ("bind", "/srv/images", "/storage")
    assert mount["bind"] == {"create_host_path": False, "propagation": "rslave"}
    assert not any(str(volume).startswith("pacs-storage") for volume in arc["volumes"])
    assert arc["entrypoint"] == ["/etc/arc/wait-for-storage.sh"]
    assert "WILDFLY_CHOWN" not in arc["environment"]
    for script in ("wait-for-storage.sh", "health.sh"):
        # An NFS server may show root nothing.
        text = (folder / "arc" / script).read_text(encoding="utf-8")
        assert "chroot --userspec=1023:1023 / test -e /storage/.pacs-emr-storage" in text
    assert (arc["mem_limit"], "-Xmx2048m" in arc["environment"]["JBOSS_JAVA_SIZING"]) == ("4096m", True)


def test_a_value_with_a_dollar_is_not_expanded_by_compose(rendered: Rendered) -> None:
    """In a Compose file `$$` is a dollar."""
    folder = rendered("variant") / "pacs.example.org"
    user = str(VARIANT["pacs_db_user"]).replace("$", "$$")
    assert compose(folder, "arc")["environment"]["POSTGRES_USER"] == user
    assert compose(folder, "pacs_db")["environment"]["POSTGRES_USER"] == user
    assert user in compose(folder, "pacs_db")["healthcheck"]["test"]


def test_health_checks_over_http_do_not_go_through_a_proxy(rendered: Rendered) -> None:
    """The Docker client puts the proxies of its configuration into every container, also by Compose (dcm4chee.md §1.1)."""
    folder = rendered("single") / "pacs.example.org"
    for service in ("arc", "mirth", "openemr"):
        assert "curl --noproxy '*' " in (folder / service / "health.sh").read_text(encoding="utf-8")
    check = compose(folder, "ohif")["healthcheck"]["test"]
    assert check[check.index("-Y") + 1] == "off"
    tools = {"ldap": "ldapsearch", "pacs_db": "pg_isready", "mirth_db": "pg_isready", "openemr_db": "/usr/local/bin/healthcheck.sh"}
    for service, tool in tools.items():
        assert compose(folder, service)["healthcheck"]["test"][1] == tool
    assert "/dev/tcp/127.0.0.1/" in (folder / "edge/health.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize(("lab", "host", "service"), EVERYWHERE)
def test_scripts_are_scripts(rendered: Rendered, lab: str, host: str, service: str) -> None:
    for script in (rendered(lab) / host / service).rglob("*.sh"):
        # The EMR's image has no bash.
        shell = "sh" if service == "openemr" else "bash"
        assert script.read_text(encoding="utf-8").startswith(f"#!/bin/{shell}\n")
        done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_engine_gets_its_passwords_from_files_and_its_folders_before_it_starts(rendered: Rendered) -> None:
    folder = rendered("single") / "pacs.example.org"
    engine = compose(folder, "mirth")
    assert engine["entrypoint"] == ["/etc/mirth/start.sh"]
    assert engine["command"] == ["./mcserver"]
    assert engine["user"] == "0:0"
    assert engine["depends_on"] == {"mirth-db": {"condition": "service_healthy"}}
    assert {"emr-exchange:/hl7", "mirth-appdata:/opt/connect/appdata", "./vmoptions:/run/secrets/mcserver_vmoptions:ro"} <= set(
        engine["volumes"]
    )
    start = (folder / "mirth/start.sh").read_text(encoding="utf-8")
    assert "database.url = jdbc:postgresql://mirth-db:5432/mirth\n" in start
    assert (folder / "mirth/vmoptions").read_text(encoding="utf-8") == "-Xmx512m\n"
    far = (rendered("multi") / "imaging.example.org/mirth/start.sh").read_text(encoding="utf-8")
    assert "database.url = jdbc:postgresql://10.20.30.11:5433/mirth\n" in far


def test_open_integration_engine_is_a_drop_in(tmp_path: Path) -> None:
    """mirth.md §6: home, user id, start program and the name of one secret differ."""
    given: dict[str, Any] = {"render_to": str(tmp_path), "lab_secrets_file": str(tmp_path / "secrets.yml")}
    given |= {"mirth_home": "/opt/engine", "mirth_launcher": "oieserver", "mirth_uid": 14285, "mirth_image": "oie:1"}
    run = playbook(tmp_path, "-i", "inventory/single", "playbooks/render.yml", variables=given)
    assert run.returncode == 0, run.output
    engine = compose(tmp_path / "pacs.example.org", "mirth")
    assert engine["command"] == ["./oieserver"]
    assert {"mirth-appdata:/opt/engine/appdata", "./vmoptions:/run/secrets/oieserver_vmoptions:ro"} <= set(engine["volumes"])
    assert "user=14285\n" in (tmp_path / "pacs.example.org/mirth/start.sh").read_text(encoding="utf-8")


def viewer(folder: Path) -> dict[str, Any]:
    """Return what the viewer's page would set as window.config."""
    text = (folder / "ohif/app-config.js").read_text(encoding="utf-8")
    before, _, code = text.strip().partition("window.config = ")
    assert [line for line in before.splitlines() if not line.startswith("//")] == ["window.__filename = document.currentScript.src;"]
    assert code.endswith(";")
    config: dict[str, Any] = json.loads(code.removesuffix(";"))
    return config


def test_the_viewer_asks_its_own_origin_only(rendered: Rendered) -> None:
    config = viewer(rendered("single") / "pacs.example.org")
    assert config["dataSources"][0]["sourceName"] == config["defaultDataSourceName"]
    root = "/dcm4chee-arc/aets/DCM4CHEE/rs"
    for source in config["dataSources"]:
        assert (source["configuration"]["qidoRoot"], source["configuration"]["wadoRoot"]) == (root, root)
        assert source["configuration"]["friendlyName"] == "radiology-lab"
    assert "://" not in json.dumps(config)
    assert config["showStudyList"] is True


@pytest.mark.parametrize("lab", HOSTS)
def test_the_list_of_one_patient_takes_no_wildcards_and_the_ordinary_one_does(rendered: Rendered, lab: str) -> None:
    """OHIF puts `*` around each text that it searches for where the data source supports wildcards (qido.js, mapParams)."""
    (host,) = [host for host, placed in HOSTS[lab].items() if "ohif" in placed]
    sources = {source["sourceName"]: source for source in viewer(rendered(lab) / host)["dataSources"]}
    assert set(sources) == {"archive", "patient"}
    assert sources["archive"]["configuration"]["supportsWildcard"] is True
    assert sources["patient"]["configuration"]["supportsWildcard"] is False
    differ = {key for key, value in sources["archive"]["configuration"].items() if sources["patient"]["configuration"][key] != value}
    assert differ == {"name", "supportsWildcard"}
    assert sources["patient"]["namespace"] == sources["archive"]["namespace"]


def test_settings_beyond_ours_are_merged_over_them(rendered: Rendered) -> None:
    config = viewer(rendered("variant") / "pacs.example.org")
    assert config["maxNumberOfWebWorkers"] == 7
    assert config["hotkeys"] == []
    assert config["dataSources"][0]["configuration"]["wadoRoot"] == "/dcm4chee-arc/aets/PACS.1/rs"
    assert config["showStudyList"] is False, "a text of the command line means what it says"


# --- the edge --------------------------------------------------------------------------------------------------------

STUDY = "1.2.840.10008.1"
UID64 = "1." * 31 + "12"
ALLOWED = [
    "studies",
    f"studies/{STUDY}/series",
    f"studies/{STUDY}/series/1.2/metadata",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/1",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/1,2,30",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/rendered",
    f"studies/{UID64}/series",
]
REFUSED = [
    *("", "studies/", "patients", "mwlitems", "instances", "series", "studies.json", "studiesx"),
    f"studies/{STUDY}",
    f"studies/{STUDY}/",
    f"studies/{STUDY}/metadata",
    f"studies/{STUDY}/instances",
    f"studies/{STUDY}/rendered",
    f"studies/{STUDY}/series/",
    f"studies/{STUDY}/series/1.2",
    f"studies/{STUDY}/series/1.2/instances",
    f"studies/{STUDY}/series/1.2/instances/1.2.3",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/metadata",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/bulkdata/x",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/1,",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/1/rendered",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/frames/1000000000",
    f"studies/{STUDY}/series/1.2/instances/1.2.3/rendered/x",
    f"studies/{STUDY}/reject/113039%5EDCM",
    f"studies/{STUDY}%2Fseries",
    f"studies/{UID64}3/series",
    "studies/../patients",
    "studies/1.2/../../patients",
    "studies//series",
    "studies\n",
]


def whitelist(rendered: Rendered, lab: str) -> re.Pattern[str]:
    """Return the expression of the acl; Python's and PCRE's agree on all that it uses."""
    (host,) = [host for host, placed in HOSTS[lab].items() if "edge" in placed]
    config = (rendered(lab) / host / "edge/haproxy.cfg").read_text(encoding="utf-8")
    found = set(re.findall(r"acl whitelisted path_reg (\S+)$", config, re.MULTILINE))
    (expression,) = found
    # HAProxy's own quoting would change these; `\.` and `\-` it passes on.
    assert not re.search(r"[\"'#]|\\[\\ ntrx]", expression)
    assert expression.endswith("$")
    return re.compile(expression.removesuffix("$") + r"\Z")


@pytest.mark.parametrize("path", ALLOWED)
def test_the_calls_of_the_viewer_pass(rendered: Rendered, path: str) -> None:
    """dcm4chee.md §8.6."""
    assert whitelist(rendered, "single").search(f"/dcm4chee-arc/aets/DCM4CHEE/rs/{path}")


@pytest.mark.parametrize("path", REFUSED)
def test_nothing_else_passes(rendered: Rendered, path: str) -> None:
    assert not whitelist(rendered, "single").search(f"/dcm4chee-arc/aets/DCM4CHEE/rs/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "/dcm4chee-arc/aets/WORKLIST/rs/studies",
        "/dcm4chee-arc/aets/dcm4chee/rs/studies",
        "/dcm4chee-arc/aets/DCM4CHEE/wado",
        "/dcm4chee-arc/ctrl/status",
        "/dcm4chee-arc/ctrl/stop",
        "/dcm4chee-arc/devices",
        "/dcm4chee-arc/monitor/associations",
        "/x/dcm4chee-arc/aets/DCM4CHEE/rs/studies",
        "/DCM4CHEE-ARC/aets/DCM4CHEE/rs/studies",
    ],
)
def test_no_other_part_of_the_archive_passes(rendered: Rendered, path: str) -> None:
    assert not whitelist(rendered, "single").search(path)


def test_of_the_archive_only_get_passes(rendered: Rendered) -> None:
    """METH_GET is true for HEAD too (HAProxy's configuration manual, "Pre-defined ACLs")."""
    config = (rendered("single") / "pacs.example.org/edge/haproxy.cfg").read_text(encoding="utf-8")
    refusals = re.findall(r"http-request return status 403 .*\" if (.*)", config)
    assert "!whitelisted" in refusals
    assert "!{ method GET }" in refusals
    assert "!METH_GET" in refusals


def test_a_dot_in_the_ae_title_is_a_dot(rendered: Rendered) -> None:
    expression = whitelist(rendered, "variant")
    assert expression.search("/dcm4chee-arc/aets/PACS.1/rs/studies")
    assert not expression.search("/dcm4chee-arc/aets/PACSX1/rs/studies")


def front_ends(rendered: Rendered, lab: str, host: str) -> dict[str, str]:
    """Return the edge's front ends by name."""
    config = (rendered(lab) / host / "edge/haproxy.cfg").read_text(encoding="utf-8")
    return dict(re.findall(r"^frontend (\w+)\n(.*?)(?=^\w|\Z)", config, re.MULTILINE | re.DOTALL))


def test_plain_front_ends_are_the_demos(rendered: Rendered) -> None:
    """Without an address there is none; what protects the archive stands with it, whichever front end leads there."""
    assert set(front_ends(rendered, "demo", "lab1")) == {"health", "https", "http", "viewer", "archive"}
    assert set(front_ends(rendered, "single", "pacs.example.org")) == {"health", "https", "http"}


def test_hsts_is_sent_only_where_no_plain_port_has_the_same_name(rendered: Rendered) -> None:
    """F-VIEW-1's neighbour: a browser that has seen it opens no plain port of that name (openemr.md §1.1)."""
    sends = "set-header Strict-Transport-Security"
    assert sends not in front_ends(rendered, "demo", "lab1")["https"]
    assert sends in front_ends(rendered, "single", "pacs.example.org")["https"]


@pytest.mark.parametrize(
    ("lab", "host", "where"),
    [("single", "pacs.example.org", "openemr:443"), ("multi", "web.example.org", "10.20.30.12:8300")],
)
def test_the_edge_knows_the_emr_by_its_certificate(rendered: Rendered, lab: str, host: str, where: str) -> None:
    config = (rendered(lab) / host / "edge/haproxy.cfg").read_text(encoding="utf-8")
    (line,) = re.findall(r"server emr (.*)", config)
    assert line.startswith(f"{where} ")
    for words in ("ssl verify required", "verifyhost openemr.lab.internal", "sni str(openemr.lab.internal)"):
        assert words in line


@pytest.mark.parametrize("lab", HOSTS)
def test_backends_are_looked_up_while_the_edge_runs(rendered: Rendered, lab: str) -> None:
    """F-NET-2: one that is missing at the start, or comes back under a new address, heals."""
    (host,) = [host for host, placed in HOSTS[lab].items() if "edge" in placed]
    config = (rendered(lab) / host / "edge/haproxy.cfg").read_text(encoding="utf-8")
    (server_defaults,) = re.findall(r"default-server (.*)", config)
    assert "init-addr none" in server_defaults
    assert "resolvers docker" in server_defaults
    assert "check" in server_defaults.split()
    assert "nameserver engine 127.0.0.11:53" in config


# --- Compose ---------------------------------------------------------------------------------------------------------


def compose_plugin() -> bool:
    try:
        return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("lab", "host"), [(lab, host) for lab, hosts in HOSTS.items() for host in hosts])
def test_compose_takes_the_project(rendered: Rendered, lab: str, host: str) -> None:
    if not compose_plugin():
        assert not os.environ.get("LAB_TEST_REQUIRE_COMPOSE"), "docker compose is missing here, and LAB_TEST_REQUIRE_COMPOSE asks for it"
        pytest.skip("docker compose is not installed here (it needs no Docker Engine): the projects are not read by Compose itself")
    command = ["docker", "compose", "config", "--format", "json"]
    done = subprocess.run(command, cwd=rendered(lab) / host, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr
    project = json.loads(done.stdout)
    assert set(project["services"]) == {service.replace("_", "-") for service in HOSTS[lab][host]}
    for described in project["services"].values():
        for volume in described.get("volumes", []):
            if volume["type"] == "bind" and not volume["source"].startswith("/srv/"):
                assert volume["source"].startswith(f"{rendered(lab)}/{host}/")


def test_the_emrs_container_has_an_init_and_waits_for_its_database(rendered: Rendered) -> None:
    emr = compose(rendered("single") / "pacs.example.org", "openemr")
    assert emr["init"] is True
    assert emr["depends_on"] == {"openemr-db": {"condition": "service_healthy"}}
    assert "depends_on" not in compose(rendered("multi") / "imaging.example.org", "openemr")


def test_the_emrs_database_makes_the_tables_as_the_emr_does(rendered: Rendered) -> None:
    command = compose(rendered("single") / "pacs.example.org", "openemr_db")["command"]
    assert "--collation-server=utf8mb4_general_ci" in command
    assert "--character-set-collations=utf8mb4=utf8mb4_general_ci" in command
