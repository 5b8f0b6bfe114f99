"""Rules that every role and playbook keeps, so that adding one needs no list of things to remember."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .support import ROLES, ROOT, SERVICES, defaults, load, playbook

NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
# Roles of services that no lab has yet: whoever places one strikes it off here, and meets the rules of the others.
UNPLACED = {"login"}
DESCRIBED = sorted({path.parent.name for path in ROLES.glob("*/service.yml")} - UNPLACED)
PLAYBOOKS = [ROOT / "site.yml", *sorted((ROOT / "playbooks").glob("*.yml"))]
TASK_FILES = sorted(ROLES.glob("*/tasks/*.yml")) + sorted(ROLES.glob("*/handlers/*.yml"))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def default_names(role: str) -> set[str]:
    """Return what a role itself gives a default, links to other roles' left out."""
    files = [ROLES / role / "defaults/main.yml", *(ROLES / role / "defaults/main").glob("*.yml")]
    return {name for file in files if file.is_file() and not file.is_symlink() for name in load(file)}


def options(role: str) -> dict[str, Any]:
    found: dict[str, Any] = load(ROLES / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return found


def tasks_of(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Walk through tasks and the blocks among them."""
    for task in found:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))


def beginning(play: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tasks of a play up to the first that brings a role."""
    found: list[dict[str, Any]] = play.get("pre_tasks") or play["tasks"]
    return found[: next(number for number, task in enumerate(found, 1) if "ansible.builtin.import_role" in task)]


def all_tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in TASK_FILES:
        yield from ((short(file), task) for task in tasks_of(load(file)))
    for file in PLAYBOOKS:
        for play in load(file):
            for part in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                yield from ((short(file), task) for task in tasks_of(play.get(part, [])))


# --- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", NAMES)
def test_the_defaults_of_a_role_are_its_argument_specs(role: str) -> None:
    assert set(options(role)) == default_names(role)


@pytest.mark.parametrize("role", NAMES)
def test_a_role_says_what_it_is_and_what_each_option_means(role: str) -> None:
    assert load(ROLES / role / "meta/argument_specs.yml")["argument_specs"]["main"]["short_description"]
    for name, option in options(role).items():
        assert option["description"], name
        assert option["type"], name


@pytest.mark.parametrize("role", NAMES)
def test_the_variables_of_a_role_begin_with_its_name(role: str) -> None:
    assert all(name.startswith(f"{role}_") for name in default_names(role))
    files = [*(ROLES / role / "vars").glob("*.yml")]
    assert all(name.lstrip("_").startswith(f"{role}_") for file in files for name in load(file))


@pytest.mark.parametrize("role", [*DESCRIBED, *UNPLACED, "ca"])
def test_the_tables_have_the_defaults_of_every_service(role: str) -> None:
    """A link, so that there is one place for them, and preflight sees them before the service's role runs."""
    link = ROLES / "lab/defaults/main" / f"{role}.yml"
    assert link.is_symlink()
    assert not Path(link.readlink()).is_absolute()
    assert link.resolve() == (ROLES / role / "defaults/main.yml").resolve()


def test_the_services_of_the_lab_are_the_roles_that_describe_one() -> None:
    assert sorted(load(ROLES / "lab/defaults/main/lab.yml")["lab_services"]) == DESCRIBED == sorted(SERVICES)


@pytest.mark.parametrize("file", sorted([*ROOT.glob("inventory/*/hosts.yml"), *ROOT.glob("molecule/*/inventory/hosts.yml")]), ids=short)
def test_each_inventory_places_every_service(file: Path) -> None:
    assert sorted(load(file)["all"]["children"]["lab"]["children"]) == DESCRIBED


def test_every_service_has_its_row_in_the_image_table() -> None:
    images = load(ROLES / "lab/defaults/main/images.yml")["lab_images"]
    for service in [*SERVICES, *UNPLACED]:
        assert images[service]["upstream"].startswith("docker.io/")
        assert images[service]["built"].startswith("pacs-emr/")
        assert images[service]["tag"] == "{{ " + service + "_tag }}"
    for row in images.values():
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in row.get("digests", {}).values())


@pytest.mark.parametrize("service", [*SERVICES, *UNPLACED])
def test_images_come_from_the_table_alone(service: str) -> None:
    compose = (ROLES / service / "templates/compose.yaml.j2").read_text(encoding="utf-8")
    assert re.findall(r"^\s*image:\s*(.*)$", compose, re.MULTILINE) == ["{{ " + service + "_image }}"]
    default = load(ROLES / service / "defaults/main.yml")[f"{service}_image"]
    assert default == "{{ lab_images." + service + " | pacs_emr.lab.image_reference(lab_image_source) }}"


@pytest.mark.parametrize("service", [*SERVICES, *UNPLACED])
def test_what_a_service_names_exists(service: str) -> None:
    described = load(ROLES / service / "service.yml")
    known = defaults()
    named = [described["image"], described["memory"], *(f"{name}_{part}" for name in described["publishes"] for part in ("bind", "port"))]
    assert [name for name in named if name not in known] == []
    assert set(described["after"]) <= set(SERVICES)
    assert [name for name in described["first_boot"] if name not in known and name not in described["secrets"]] == []


def test_the_order_of_services_starts_what_others_wait_for_first() -> None:
    for service in SERVICES:
        assert all(SERVICES.index(before) < SERVICES.index(service) for before in load(ROLES / service / "service.yml")["after"])


def test_every_configured_service_can_be_configured() -> None:
    given = load(ROLES / "lab/vars/main.yml")
    assert set(given["lab_configured"]) == {path.parents[1].name for path in ROLES.glob("*/tasks/configure.yml")}


# --- playbooks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", PLAYBOOKS, ids=short)
def test_every_verb_begins_with_the_role_that_has_the_tables(verb: Path) -> None:
    """Design rule 9: group_vars are looked up beside each playbook, so no table may lie there; the role is one for all."""
    plays = load(verb)
    assert plays
    for play in plays:
        assert play["hosts"] == "lab"
        assert play["gather_facts"] is False
        *refusals, first = beginning(play)
        assert all("ansible.builtin.assert" in task for task in refusals), "what the inventory alone decides may come before"
        role = first["ansible.builtin.import_role"]
        assert role["name"] == "lab"
        assert role["public"] is True
        assert not {"vars_files", "vars_prompt", "roles"} & set(play)
    for folder in ("group_vars", "host_vars", "vars"):
        assert not (verb.parent / folder).exists()


def test_every_verb_sees_the_same_tables(tmp_path: Path) -> None:
    """Runs each play's own beginning, with all that lies beside its playbook, and compares what its tables say then."""
    names = sorted(name for role in {*DESCRIBED, "lab", "ca", "docker"} for name in default_names(role))
    tables = "{{ query('ansible.builtin.vars', *" + str(names) + ") | to_json | b64encode }}"
    seen: dict[str, bytes] = {}
    for folder in {file.parent for file in PLAYBOOKS}:
        beside = tmp_path / folder.name
        beside.mkdir()
        for sibling in folder.iterdir():
            (beside / sibling.name).symlink_to(sibling)
        plays = []
        for file in (file for file in PLAYBOOKS if file.parent == folder):
            for play in load(file):
                first = beginning(play)[-1]
                first["ansible.builtin.import_role"]["tasks_from"] = "render"
                shown = {"name": "Show", "ansible.builtin.debug": {"msg": f"{file.stem}={tables}"}}
                plays.append(play | {"tasks": [first, shown]})
        (beside / "all-verbs.yml").write_text(yaml.safe_dump(plays))
        given = {"lab_secrets_file": str(tmp_path / "secrets.yml"), "render_to": str(tmp_path / "rendered")}
        run = playbook(tmp_path, "-i", "inventory/multi", str(beside / "all-verbs.yml"), "--limit", "imaging.example.org", variables=given)
        assert run.returncode == 0, run.output
        seen |= {verb: base64.b64decode(text) for verb, text in re.findall(r"msg: (\w+)=([\w+/]+=*)$", run.output, re.MULTILINE)}
    assert set(seen) == {file.stem for file in PLAYBOOKS}
    first_seen, *others = (dict(zip(names, json.loads(text), strict=True)) for text in seen.values())
    assert first_seen["ldap_bind"] == "10.20.30.11"
    assert all(other == first_seen for other in others)


@pytest.mark.parametrize(
    "verb", ["site", "playbooks/certs", "playbooks/docker", "playbooks/refused", "playbooks/render", "playbooks/verify"]
)
def test_a_verb_judges_the_inventory_before_it_asks_a_host(verb: str, tmp_path: Path) -> None:
    given = {"lab_naem": "x", "render_to": str(tmp_path), "lab_secrets_file": str(tmp_path / "secrets.yml")}
    run = playbook(tmp_path, "-i", "inventory/multi", f"{verb}.yml", variables=given)
    assert run.returncode != 0
    assert "did you mean lab_name?" in run.output
    assert "UNREACHABLE" not in run.output


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "add -e confirm=lab"),
        ({"confirm": "demo"}, "add -e confirm=lab"),
        ({"confirm": "lab", "remove_data": True, "lab_root": "/opt/"}, "all below it would go"),
    ],
)
def test_a_removal_is_refused_before_it_asks_a_host(given: dict[str, Any], reason: str, tmp_path: Path) -> None:
    run = playbook(tmp_path, "-i", "inventory/multi", "playbooks/remove.yml", variables={"lab_name": "lab", **given})
    assert run.returncode != 0
    assert reason in run.output
    assert "UNREACHABLE" not in run.output


def test_proving_brings_nothing_that_changes_a_host() -> None:
    (play,) = load(ROOT / "playbooks/verify.yml")
    brought = [task["ansible.builtin.import_role"] for task in play["tasks"] if "ansible.builtin.import_role" in task]
    assert {(role["name"], role["tasks_from"]) for role in brought} == {("lab", "inventory"), ("lab", "look")}


# --- what is written about them --------------------------------------------------------------------------------------

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("images/**/*.md"), *ROOT.glob("tests/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_what_a_page_tells_to_run_is_there(page: Path) -> None:
    """Targets of the Makefile, playbooks, scripts, and the pages and headings that it links to."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`|sudo |=\w+ )make ([a-z-]+)", code, re.MULTILINE)) - targets == set()
    assert [path for path in re.findall(r"\b(?:playbooks|scripts)/[\w-]+\.\w+|\bsite\.yml", code) if not (ROOT / path).exists()] == []
    for path, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        linked = page.parent / path if path else page
        assert linked.exists(), path
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings}
            assert heading in slugs, (path, heading)


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_every_task_has_a_name_that_is_a_sentence() -> None:
    for where, task in all_tasks():
        assert re.match(r"[A-Z].*[^.]\Z", task.get("name", "")), (where, task)


def test_every_play_has_a_name() -> None:
    assert all(play["name"] for file in PLAYBOOKS for play in load(file))


def test_nothing_is_ignored_and_nothing_goes_through_a_shell() -> None:
    for where, task in all_tasks():
        assert not {"ignore_errors", "ignore_unreachable"} & set(task), (where, task["name"])
        assert not {name for name in task if name.rpartition(".")[2] in ("shell", "raw", "script")}, (where, task["name"])


def test_commands_say_when_they_change_something() -> None:
    for where, task in all_tasks():
        if "ansible.builtin.command" in task:
            assert "changed_when" in task, (where, task["name"])


def test_the_only_task_that_sees_secrets_on_its_own_shows_nothing() -> None:
    """Their values are in lab_secrets; whatever registers or sets them must be silent."""
    for where, task in all_tasks():
        if "pacs_emr.lab.lab_secrets" in task or "lab_secrets" in str(task.get("ansible.builtin.set_fact", "")):
            assert task.get("no_log") is True, (where, task["name"])


def test_role_validation_is_left_to_preflight() -> None:
    """Ansible's own would stop at the first role, in words of its own."""
    for where, task in all_tasks():
        for module in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if module in task:
                assert task[module]["rolespec_validate"] is False, (where, task["name"])


# --- inventories -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inventory", ["demo", "single", "multi"])
def test_an_inventory_sets_known_variables_only_and_is_short(inventory: str) -> None:
    file = ROOT / "inventory" / inventory / "group_vars/all/lab.yml"
    assert set(load(file)) <= {name for role in NAMES for name in options(role)}
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 45


def test_no_secrets_file_is_under_version_control() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/inventory/*/secrets.yml", "/inventory/*/certificates/"} <= set(ignored)
