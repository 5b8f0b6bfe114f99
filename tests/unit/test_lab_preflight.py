"""The judgement as a whole: which findings come together, and what it reads of inventory, facts and secrets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.pacs_emr.lab.plugins.action import lab_preflight
from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets, services

from .support import SERVICES, defaults, load, playbook
from .test_preflight_host import facts as facts_of_then

HOST = "lab1"


def facts(**changed: Any) -> dict[str, Any]:
    """What lab_host says of a good host now: its clock is compared with ours."""
    return facts_of_then(**({"clock": time.time()} | changed))


PLACED = {"lab": [HOST], **{service: [HOST] for service in SERVICES}}
BASICS = {"lab_name": "test", "edge_viewer_bind": "127.0.0.1", "lab_image_source": "upstream"}
KEYS = {secrets.DIGEST_KEY, *(key for service in services.load_all(SERVICES).values() for key in service.secrets)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A secrets file in which nothing is missing."""
    path = tmp_path / "secrets.yml"
    path.write_text(secrets.lines({key: f"Value-of.{key}" for key in sorted(KEYS)}))
    return path


def judge(
    file: Path,
    told: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
    groups: dict[str, list[str]] | None = None,
    played: list[str] | None = None,
    answer: dict[str, Any] | None = None,
    **inventory: Any,
) -> list[str]:
    """Return the findings for one host whose inventory says this; ``told`` are the facts, else ``answer`` is what the module says."""
    placed = groups or PLACED
    said = {**BASICS, "lab_secrets_file": str(file), **inventory}
    seen = {
        **defaults(),
        **said,
        "inventory_hostname": HOST,
        "inventory_dir": str(file.parent),
        "groups": placed,
        "group_names": [name for name, hosts in placed.items() if HOST in hosts],
        "hostvars": dict.fromkeys(placed["lab"], said),
        "ansible_play_hosts_all": played or placed["lab"],
    }
    task = MagicMock(async_val=0, args={"look": bool(told or answer), **(arguments or {})})
    loader = DataLoader()
    action = lab_preflight.ActionModule(task, MagicMock(), MagicMock(), loader, Templar(loader, seen), MagicMock())
    action._execute_module = MagicMock(return_value=answer or {"changed": False, "host": told})
    result = action.run(None, seen)
    assert result["changed"] is False
    assert result.get("host") == (told if action._execute_module.called else None)
    assert {name: result.get(name) for name in answer or {}} == (answer or {})
    found: list[str] = result.get("findings", [])
    return found


def about(findings: list[str]) -> list[str]:
    """Return where each finding stands."""
    return [finding.partition(":")[0] for finding in findings]


def test_all_is_well(file: Path) -> None:
    assert judge(file) == []
    assert judge(file, facts()) == []


def test_names_and_groups_and_tags_come_together_and_first(file: Path) -> None:
    """F-ANS-2: with a name that nobody reads, types and values cannot be judged yet."""
    found = judge(
        file,
        arguments={"tags": ["deploy", "konfigure"], "skip_tags": ["deploi"]},
        groups=PLACED | {"edge": []},
        AE_TITLE="X",
        ARC_TAG="5.34.1",
        arc_tag="5.34.2",
        POSTGRES_PASSWORD="x",
        lab_tiemzone="Etc/UTC",
        arc_heap_mb="x",
    )
    assert about(found) == [
        "AE_TITLE",
        "ARC_TAG",
        "POSTGRES_PASSWORD",
        "lab_tiemzone",
        "inventory group edge",
        "--tags konfigure",
        "--skip-tags deploi",
    ]


def test_a_service_that_the_lab_leaves_out_needs_no_group(file: Path) -> None:
    placed = {name: hosts for name, hosts in PLACED.items() if name != "mirth"}
    assert about(judge(file, groups=placed)) == ["inventory group mirth"]
    assert "inventory group mirth" not in about(judge(file, groups=placed, lab_services=[name for name in SERVICES if name != "mirth"]))
    assert about(judge(file, lab_services=[*SERVICES, "login"])) == ["inventory group login"]


def test_a_list_of_services_that_cannot_be_evaluated_is_found(file: Path) -> None:
    assert about(judge(file, lab_services=trust_as_template("{{ nowhere }}"))) == ["lab_services"]


def test_types_and_what_cannot_be_evaluated_come_together(file: Path) -> None:
    found = judge(
        file, arc_heap_mb="x", edge_viewer_port="y", ohif_bind="lan", lab_timezone=trust_as_template("{{ nowhere }}"), ldap_tag=None
    )
    text = "\n".join(found)
    for word in (
        "arc_heap_mb",
        "edge_viewer_port",
        "'lan' is no address",
        "lab_timezone: cannot be evaluated",
        "nowhere",
        "ldap_tag: has no value",
    ):
        assert word in text


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("lab_image_source", "docker", ["variable of role lab"]),
        ("lab_services", ["ldap", "ris"], ["lab_services"]),
        ("lab_root", "pacs-emr", ["lab_root"]),
        ("lab_project", "My Lab", ["lab_project"]),
        ("arc_storage_path", "images", ["arc_storage_path"]),
        ("arc_image", trust_as_template("{{ nowhere }}"), ["arc_image"]),
        ("lab_images", {"arc": {"tag": "1"}}, [f"{service}_image" for service in SERVICES]),
    ],
)
def test_what_the_look_at_the_host_needs_is_judged_before_it(file: Path, name: str, value: Any, where: list[str]) -> None:
    """The host is not asked, and what is made of a wrong value is not blamed as well."""
    assert sorted(about(judge(file, facts(memory_mb=1), **{name: value}))) == sorted(where)


def test_a_host_that_cannot_be_asked_says_so_itself(file: Path) -> None:
    assert judge(file, answer={"failed": True, "msg": "no python"}) == []


def test_values_come_together_with_the_hosts_state(file: Path) -> None:
    found = judge(
        file,
        facts(memory_mb=100, engine="20.10.0"),
        ldap_tag="2.6.8-34.1",
        arc_ae_title="X Y",
        lab_ae_table=[{"ae_title": "CT01", "host": "10.213.0.7", "port": 104}, {"ae_title": "X" * 17, "host": "a", "port": 1}],
        lab_secret_length=4,
        arc_heap_mb="4096",
    )
    assert about(found) == [
        *("ldap_tag", "arc_ae_title", f"lab_ae_table, {'X' * 17}", "lab_secret_length"),
        *("Docker Engine on lab1", "lab_ae_table, CT01", "memory of lab1", "arc_heap_mb"),
    ]


def test_without_facts_only_what_the_inventory_says_is_judged(file: Path) -> None:
    assert judge(file, arc_heap_mb=9999) == []
    assert about(judge(file, pacs_db_tag="17.4-33")) == ["pacs_db_tag"]


def test_texts_of_the_command_line_are_taken_for_what_they_mean(file: Path) -> None:
    missing = facts(engine="", compose="", engine_error="missing")
    assert judge(file, missing) == []
    assert about(judge(file, missing, lab_install_docker="false")) == ["Docker Engine on lab1"]


def test_a_service_of_another_host_needs_nothing_here(file: Path) -> None:
    groups = {"lab": [HOST, "two"], **{service: [HOST if service in ("ldap", "pacs_db") else "two"] for service in SERVICES}}
    assert judge(file, facts(memory_mb=1280), groups=groups, arc_heap_mb=9999, ldap_bind="10.0.0.1", pacs_db_bind="10.0.0.1") == []


def test_storage_is_judged_where_the_archive_is(file: Path) -> None:
    gone = {"exists": False, "marker": False, "writable": False, "mount": "", "propagates": False}
    assert about(judge(file, facts(storage=gone), arc_storage_path="/srv/images")) == ["arc_storage_path on lab1"]


# --- secrets and data ------------------------------------------------------------------------------------------------


def records(file: Path, **changed: Any) -> dict[str, Any]:
    """Return what the first boot recorded, with these values changed since."""
    values = load(file)
    seen = {**defaults(), **BASICS}
    return {
        name: services.first_boot_record(service, {key: seen.get(key) for key in service.first_boot if key not in KEYS}, values) | changed
        for name, service in services.load_all(SERVICES).items()
        if service.first_boot
    }


DATA = ["ldap-data", "ldap-config", "pacs-db", "arc-wildfly", "pacs-storage"]


def test_data_that_fits_is_silent(file: Path) -> None:
    assert judge(file, facts(volumes=DATA, first_boot=records(file))) == []


def test_a_value_read_at_the_first_boot_only_has_changed(file: Path) -> None:
    told = facts(volumes=DATA, first_boot=records(file))
    found = judge(file, told, arc_ae_title="PACS", pacs_db_user="other", lab_timezone="Europe/Berlin")
    assert sorted(about(found)) == ["arc_ae_title on lab1", "lab_timezone on lab1", "lab_timezone on lab1", "pacs_db_user on lab1"]
    assert any("is 'PACS', deployed is 'DCM4CHEE'; ldap reads it" in text for text in found)


def test_before_there_is_data_everything_may_change(file: Path) -> None:
    assert judge(file, facts(first_boot=records(file)), arc_ae_title="PACS") == []


def test_a_secret_read_at_the_first_boot_only_has_changed(file: Path) -> None:
    told = facts(volumes=DATA, first_boot=records(file))
    file.write_text(secrets.lines(load(file) | {"pacs_db_password": "another.Value"}))
    (text,) = judge(file, told)
    assert text.startswith("pacs_db_password on lab1: differs")
    assert "another.Value" not in text


def test_a_missing_secret_that_every_run_sets_is_made_whatever_there_is(file: Path) -> None:
    file.write_text(secrets.lines({key: value for key, value in load(file).items() if not key.startswith("ldap_user_")}))
    assert judge(file, facts(volumes=DATA, first_boot=records(file))) == []


def test_data_of_a_service_that_keeps_no_secret_needs_no_digest_key(tmp_path: Path) -> None:
    assert about(judge(tmp_path / "gone.yml", facts(volumes=["pacs-storage"]), lab_adopt_data=True)) == []


def test_a_missing_secret_stops_only_where_its_service_holds_data(file: Path) -> None:
    told = facts(volumes=["ldap-data"], first_boot=records(file))
    values = load(file)
    without_db = {key: value for key, value in values.items() if key != "pacs_db_password"}
    file.write_text(secrets.lines(without_db))
    assert judge(file, told) == []
    assert about(judge(file, told | {"volumes": DATA})) == ["secrets.yml, pacs_db_password"]
    assert about(judge(file, told, groups=PLACED | {"lab": [HOST, "two"]}, played=[HOST])) == ["secrets.yml, pacs_db_password"]
    del without_db[secrets.DIGEST_KEY]
    file.write_text(secrets.lines(without_db))
    assert about(judge(file, told)) == [f"secrets.yml, {secrets.DIGEST_KEY}"]


def test_a_lost_secrets_file_stops_and_a_first_run_makes_one(tmp_path: Path) -> None:
    gone = tmp_path / "secrets.yml"
    assert judge(gone, facts()) == []
    found = judge(gone, facts(volumes=[*DATA, "mirth-db", "mirth-appdata", "oemr-db", "oemr-sites"]))
    kept = services.secret_keepers(services.load_all(SERVICES))
    assert set(about(found)) == {f"secrets.yml, {key}" for key in KEYS if kept[key]}


def test_volumes_whose_record_is_gone_are_adopted_when_asked(file: Path) -> None:
    told = facts(volumes=DATA)
    assert sorted(about(judge(file, told))) == ["arc on lab1", "ldap on lab1", "pacs_db on lab1"]
    assert judge(file, told, lab_adopt_data="true") == []
    assert len(judge(file, told, lab_adopt_data="false")) == 3


@pytest.mark.parametrize("asked", [False, True])
def test_a_secrets_file_that_cannot_be_read_is_a_finding_among_others(file: Path, asked: bool) -> None:
    told = facts() if asked else None
    file.write_text("a: [unclosed")
    assert about(judge(file, told, ldap_tag="2.6.8-34.1")) == ["ldap_tag", "lab_secrets_file"]
    file.write_text("pacs_db_password: P@ss$word123\n")
    assert about(judge(file, told)) == ["secrets.yml, pacs_db_password"]


# --- as Ansible runs it ----------------------------------------------------------------------------------------------

NAMES = {"AE_TITLE": "X", "ARC_TAG": "5.34.1", "arc_tag": "5.34.2", "POSTGRES_PASSWORD": "x"}
VALUES = {"lab_image_source": "docker", "lab_root": "pacs-emr", "arc_heap_mb": "x", "ldap_port": "ldap", "lab_min_disk_gb": "much"}


@pytest.mark.parametrize(
    ("given", "arguments", "words"),
    [
        (
            NAMES,
            ["--tags", "deploi", "--skip-tags", "konfigure"],
            [
                "is now arc_ae_title",
                "is the old name of arc_tag",
                "POSTGRES_PASSWORD: was removed",
                "--tags deploi",
                "--skip-tags konfigure",
            ],
        ),
        (VALUES, [], ["lab_image_source", "'pacs-emr' cannot be taken", "arc_heap_mb", "ldap_port", "lab_min_disk_gb"]),
    ],
    ids=["names", "values"],
)
def test_a_run_with_several_faults_ends_before_any_change_in_one_message(
    tmp_path: Path, given: dict[str, Any], arguments: list[str], words: list[str]
) -> None:
    lost = {"lab_root": str(tmp_path / "root"), "lab_secrets_file": str(tmp_path / "secrets.yml"), "lab_project": "unit-test-nowhere"}
    run = playbook(tmp_path, "-i", "inventory/demo", "site.yml", "--check", *arguments, variables={**lost, **given})
    assert run.returncode != 0
    assert run.output.count("FAILED! =>") == 1
    message = run.output[run.output.index("FAILED! =>") :]
    assert "Nothing was changed. Put right" in message
    assert all(word in message for word in words), run.output
    assert run.counts(HOST)["changed"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ansible"]


def test_the_message_has_each_finding_of_all_hosts_once(tmp_path: Path) -> None:
    given = {"render_to": str(tmp_path / "rendered"), "ldap_tag": "2.6.8-34.1", "lab_secrets_file": str(tmp_path / "secrets.yml")}
    run = playbook(tmp_path, "-i", "inventory/multi", "playbooks/render.yml", variables=given)
    assert run.returncode != 0
    message = run.output[run.output.index("FAILED! =>") :]
    assert "Put right 1 thing(s) first" in message
    assert message.count("2.6.8-34.1 does not belong to the archive 5.34.2") == 1
    assert not (tmp_path / "rendered").exists()
