"""Files of a host's services: placed in one round trip, secrets closed and never shown, dropped ones removed, digests that fit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.pacs_emr.lab.plugins.action import service_files as action_module
from ansible_collections.pacs_emr.lab.plugins.module_utils import services
from ansible_collections.pacs_emr.lab.plugins.modules import service_files

from .support import ROLES, SERVICES, load, playbook, run_module

SECRET = "Secret.of-the-toy-1"
DIGEST_KEY = "digest.key-of-the-lab"
KEY = "-----BEGIN PRIVATE KEY-----\nkey.of-the-toy-1\n"


# --- the module on the host ------------------------------------------------------------------------------------------


def folder(
    files: dict[str, str],
    secrets: dict[str, str] | None = None,
    name: str = "toy",
    record: str = "",
    prune: bool = True,
    certificate: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "folder": name,
        "files": [{"path": path, "content": content} for path, content in files.items()],
        "secrets": [{"path": path, "content": content, "uid": os.geteuid()} for path, content in (secrets or {}).items()],
        "certificate": certificate,
        "record": record,
        "prune": prune,
    }


def certificate(key: str = KEY) -> dict[str, Any]:
    return {"trust": "root\n", "chain": "leaf\n", "key": key, "uid": os.geteuid()}


def bring(home: Path, *folders: dict[str, Any], check: bool = False) -> dict[str, Any]:
    return run_module(service_files, home, check, root=str(home / "root"), check_folder=str(home / "staging"), folders=list(folders))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def tree(path: Path) -> dict[str, str]:
    return {str(file.relative_to(path)): file.read_text() for file in sorted(path.rglob("*")) if file.is_file()}


def test_files_secrets_and_the_record_are_placed(tmp_path: Path) -> None:
    files = {"compose.yaml": "services: {}\n", "run.sh": "#!/bin/sh\n", "deep/er/log.yml": "ümlaut: 日本\n"}
    result = bring(tmp_path, folder(files, {"secrets/toy": SECRET}, record="{}\n"), folder({"compose.yaml": "x\n"}, name=".", prune=False))
    root = tmp_path / "root"
    assert result["changed"] is True
    assert sorted(result["placed"]) == [
        *("compose.yaml", "first-boot/toy.json", "toy/compose.yaml", "toy/deep/er/log.yml", "toy/run.sh", "toy/secrets/toy"),
    ]
    assert tree(root)["toy/deep/er/log.yml"] == "ümlaut: 日本\n"
    assert (root / "toy/secrets/toy").read_text() == SECRET
    assert mode(root / "toy/secrets/toy") == 0o400
    assert mode(root / "toy/secrets") == 0o700
    assert mode(root / "toy/compose.yaml") == 0o644
    assert mode(root / "toy/run.sh") == 0o755
    assert SECRET not in json.dumps(result)
    assert not (tmp_path / "staging").exists()


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    wanted = folder({"a": "1\n", "run.sh": "#!/bin/sh\n"}, {"secrets/toy": SECRET}, record="{}\n")
    bring(tmp_path, wanted)
    before = {path: path.stat().st_ino for path in (tmp_path / "root").rglob("*")}
    result = bring(tmp_path, wanted)
    assert (result["changed"], result["placed"], result["removed"], result["diff"]) == (False, [], [], [])
    assert {path: path.stat().st_ino for path in (tmp_path / "root").rglob("*")} == before


@pytest.mark.parametrize("newline", ["a\r\nb\r\n", "no newline at the end", "", "tabs\tand \\ backslashes\n"])
def test_content_is_kept_byte_by_byte(tmp_path: Path, newline: str) -> None:
    bring(tmp_path, folder({"a": newline}))
    assert (tmp_path / "root/toy/a").read_bytes() == newline.encode()
    assert bring(tmp_path, folder({"a": newline}))["changed"] is False


def test_the_diff_shows_files_and_no_secret(tmp_path: Path) -> None:
    bring(tmp_path, folder({"a": "old\n"}, {"secrets/toy": SECRET}))
    result = bring(tmp_path, folder({"a": "new\n"}, {"secrets/toy": SECRET + "2"}))
    assert result["diff"] == [{"before": "old\n", "after": "new\n", "before_header": "toy/a", "after_header": "toy/a"}]
    assert sorted(result["placed"]) == ["toy/a", "toy/secrets/toy"]


def test_modes_that_somebody_changed_are_brought_back(tmp_path: Path) -> None:
    wanted = folder({"a": "1\n"}, {"secrets/toy": SECRET})
    bring(tmp_path, wanted)
    (tmp_path / "root/toy/secrets/toy").chmod(0o644)
    (tmp_path / "root/toy/a").chmod(0o600)
    checked = bring(tmp_path, wanted, check=True)
    assert sorted(checked["placed"]) == ["toy/a", "toy/secrets/toy"]
    assert mode(tmp_path / "root/toy/secrets/toy") == 0o644
    assert sorted(bring(tmp_path, wanted)["placed"]) == ["toy/a", "toy/secrets/toy"]
    assert mode(tmp_path / "root/toy/secrets/toy") == 0o400
    assert mode(tmp_path / "root/toy/a") == 0o644


def test_what_is_no_longer_listed_is_removed_in_its_own_folder_only(tmp_path: Path) -> None:
    bring(tmp_path, folder({"a": "1\n", "deep/b": "2\n"}, {"secrets/old": SECRET}), folder({"x": "1\n"}, name="other"))
    (tmp_path / "root/kept-by-hand").write_text("x")
    result = bring(tmp_path, folder({"a": "1\n"}), folder({"compose.yaml": "x\n"}, name=".", prune=False))
    assert result["removed"] == ["toy/deep/b", "toy/secrets/old"]
    assert result["changed"] is True
    assert set(tree(tmp_path / "root")) == {"toy/a", "other/x", "kept-by-hand", "compose.yaml"}


def test_check_mode_writes_nothing_but_the_compose_files_of_the_check(tmp_path: Path) -> None:
    bring(tmp_path, folder({"compose.yaml": "old\n", "a": "1\n", "b": "2\n"}, {"secrets/toy": SECRET}))
    before = tree(tmp_path / "root")
    changed = folder({"compose.yaml": "new\n", "a": "changed\n"}, {"secrets/toy": SECRET + "2"}, record="{}\n")
    result = bring(tmp_path, changed, folder({"compose.yaml": "project\n"}, name=".", prune=False), check=True)
    assert tree(tmp_path / "root") == before
    assert sorted(result["placed"]) == ["compose.yaml", "first-boot/toy.json", "toy/a", "toy/compose.yaml", "toy/secrets/toy"]
    assert result["removed"] == ["toy/b"]
    assert tree(tmp_path / "staging") == {"toy/compose.yaml": "new\n", "compose.yaml": "project\n"}
    assert mode(tmp_path / "staging/toy") == 0o700
    assert not list(tmp_path.rglob("fresh"))


def test_check_mode_on_a_virgin_host_makes_no_folder(tmp_path: Path) -> None:
    result = bring(tmp_path, folder({"a": "1\n"}, {"secrets/toy": SECRET}, record="{}\n"), check=True)
    assert result["changed"] is True
    assert not (tmp_path / "root").exists()


def test_a_certificate_lies_in_a_folder_of_its_own_with_its_key_closed(tmp_path: Path) -> None:
    result = bring(tmp_path, folder({"a": "1\n"}, certificate=certificate()))
    tls = tmp_path / "root/toy/tls"
    assert tree(tls) == {"service.crt": "leaf\n", "service.key": KEY, "trust.pem": "root\n"}
    assert (mode(tls), mode(tls / "service.key"), mode(tls / "service.crt")) == (0o755, 0o400, 0o644)
    assert "key.of-the-toy" not in json.dumps(result)
    assert result["pending"] == ["toy"]


def test_a_certificate_is_pending_until_somebody_has_taken_it_up(tmp_path: Path) -> None:
    wanted = folder({"a": "1\n"}, certificate=certificate())
    bring(tmp_path, wanted)
    again = bring(tmp_path, wanted)
    assert (again["changed"], again["pending"]) == (False, ["toy"]), "a run that died before the reload is made good"
    (tmp_path / "root/certificates-pending/toy").unlink()
    assert bring(tmp_path, wanted)["pending"] == []

    checked = bring(tmp_path, folder({"a": "1\n"}, certificate=certificate("new\n")), check=True)
    assert (checked["placed"], checked["pending"]) == (["toy/tls/service.key"], ["toy"])
    assert not (tmp_path / "root/certificates-pending/toy").exists()
    assert bring(tmp_path, folder({"a": "1\n"}, certificate=certificate("new\n")))["pending"] == ["toy"]
    assert (tmp_path / "root/toy/tls/service.key").read_text() == "new\n"


def test_the_marker_is_there_before_the_files_and_as_old_as_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = service_files.Host.put

    def later(self: service_files.Host, name: str, *arguments: Any) -> None:
        assert (tmp_path / "root/certificates-pending/toy").exists()
        os.utime(tmp_path / "root/certificates-pending/toy", (1, 1))
        put(self, name, *arguments)

    monkeypatch.setattr(service_files.Host, "put", later)
    wanted = folder({}, certificate=certificate())
    bring(tmp_path, wanted)
    newest = max(file.stat().st_mtime for file in (tmp_path / "root/toy/tls").iterdir())
    assert (tmp_path / "root/certificates-pending/toy").stat().st_mtime >= newest


def test_a_service_without_a_certificate_any_more_keeps_no_key(tmp_path: Path) -> None:
    bring(tmp_path, folder({"a": "1\n"}, certificate=certificate()))
    assert bring(tmp_path, folder({"a": "1\n"}))["removed"] == ["toy/tls/service.crt", "toy/tls/service.key", "toy/tls/trust.pem"]


# --- the action on the controller ------------------------------------------------------------------------------------

COMPOSE = """\
services:
  toy:
    image: {{ toy_image }}
    labels: {files: "{{ files_digest }}"}
"""


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """Two throw-away roles: a service `toy`, and `project` in which the task stands."""
    described = {
        "image": "toy_image",
        "memory": "toy_memory_mb",
        "publishes": [],
        "after": [],
        "data": ["toy-data"],
        "secrets": {"toy_password": {"mount": "toy", "uid": os.geteuid()}, "toy_other": {}},
        "first_boot": ["toy_password", "toy_name"],
    }
    for path, text in {
        "toy/service.yml": yaml.safe_dump(described),
        "toy/templates/compose.yaml.j2": COMPOSE,
        "toy/templates/a.conf.j2": "name = {{ toy_name }}\n",
        "toy/templates/deep/run.sh.j2": "#!/bin/sh\necho {{ toy_words | join(' ') }} '\\n'\n",
        "project/templates/compose.yaml.j2": "name: {{ toy_name }}\n",
        "project/tasks/main.yml": "- pacs_emr.lab.service_files: {services: [toy], check_folder: '{{ lab_root }}-check'}\n",
    }.items():
        file = tmp_path / "roles" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "roles"


def variables(roles: Path, **changed: Any) -> dict[str, Any]:
    given = {
        "lab_root": str(roles.parent / "root"),
        "lab_secrets": {"lab_digest_key": DIGEST_KEY, "toy_password": SECRET, "toy_other": "other.Secret-1"},
        "toy_image": "toy:1",
        "toy_name": "Toy",
        "toy_words": ["a", "b"],
        "inventory_hostname": "lab1",
    }
    return given | changed


def act(roles: Path, check: bool = False, **changed: Any) -> dict[str, Any]:
    """Run action and module in this process."""
    seen = variables(roles, **changed)
    task = MagicMock(
        async_val=0,
        check_mode=check,
        args={"services": ["toy"], "check_folder": "/nowhere"},
        _role=MagicMock(_role_path=str(roles / "project")),
    )
    loader = DataLoader()
    action = action_module.ActionModule(task, MagicMock(), MagicMock(), loader, Templar(loader, seen), MagicMock())
    action._execute_module = lambda module_name, module_args, task_vars: run_module(service_files, roles.parent, check, **module_args)
    result: dict[str, Any] = action.run(None, seen)
    return result


@pytest.fixture
def certified(roles: Path) -> dict[str, Any]:
    """The service `toy` gets a certificate, whose files lie on the controller; return the variables that say so."""
    described = load(roles / "toy/service.yml")
    (roles / "toy/service.yml").write_text(yaml.safe_dump(described | {"certificate": {"uid": os.geteuid(), "reload": ["take", "it"]}}))
    made = roles.parent / "certificates"
    for path, text in {"services/toy.key": KEY, "services/toy.pem": "leaf\n", "trust.pem": "root\n"}.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    return {"ca_folder": str(made), "ca_own_files": {}}


def test_a_certificate_goes_to_its_service_and_is_no_part_of_the_digest(roles: Path, certified: dict[str, Any]) -> None:
    assert act(roles, **certified)["reloads"] == {"toy": ["take", "it"]}
    assert tree(roles.parent / "root/toy/tls") == {"service.crt": "leaf\n", "service.key": KEY, "trust.pem": "root\n"}
    first = digest(roles)
    (Path(certified["ca_folder"]) / "services/toy.pem").write_text("renewed\n")
    result = act(roles, **certified)
    assert (result["placed"], result["reloads"]) == (["toy/tls/service.crt"], {"toy": ["take", "it"]})
    assert digest(roles) == first, "a renewal would make the container anew"
    (roles.parent / "root/certificates-pending/toy").unlink()
    assert (act(roles, **certified)["changed"], act(roles, **certified)["reloads"]) == (False, {})


def test_the_sites_own_files_take_the_place_of_made_ones(roles: Path, certified: dict[str, Any], tmp_path: Path) -> None:
    own = {"key": str(tmp_path / "own.key"), "chain": str(tmp_path / "own.pem")}
    for path in own.values():
        Path(path).write_text(path)
    act(roles, **certified | {"ca_own_files": {"toy": own}})
    assert (roles.parent / "root/toy/tls/service.key").read_text() == own["key"]


def test_a_certificate_that_is_not_made_yet(roles: Path, certified: dict[str, Any]) -> None:
    (Path(certified["ca_folder"]) / "services/toy.key").unlink()
    with pytest.raises(AnsibleActionFail, match=r"services/toy.key: No such file.*certs\.yml"):
        act(roles, **certified)
    assert not (roles.parent / "root").exists()
    assert "toy/tls/service.key" in act(roles, check=True, **certified)["placed"]
    assert not (roles.parent / "root").exists()


def test_rendering_takes_no_certificate(roles: Path, certified: dict[str, Any]) -> None:
    act(roles, lab_render_to=str(roles.parent / "rendered"), **certified | {"ca_folder": "/nowhere"})
    assert not (roles.parent / "rendered/toy/tls").exists()


def digest(roles: Path) -> str:
    """Return the label in the Compose file that was placed."""
    label: str = load(roles.parent / "root/toy/compose.yaml")["services"]["toy"]["labels"]["files"]
    return label


def test_templates_are_mirrored_without_their_extension(roles: Path) -> None:
    act(roles)
    placed = tree(roles.parent / "root")
    assert set(placed) == {"compose.yaml", "first-boot/toy.json", "toy/a.conf", "toy/compose.yaml", "toy/deep/run.sh", "toy/secrets/toy"}
    assert placed["toy/a.conf"] == "name = Toy\n"
    assert placed["toy/deep/run.sh"] == "#!/bin/sh\necho a b '\\n'\n"
    assert placed["compose.yaml"] == "name: Toy\n"
    assert placed["toy/secrets/toy"] == SECRET
    assert act(roles)["changed"] is False


def test_the_digest_changes_exactly_with_a_mounted_file_or_secret(roles: Path) -> None:
    act(roles)
    first = digest(roles)
    assert len(first) == 64

    act(roles, toy_image="toy:2")
    assert digest(roles) == first, "the image stands in the Compose file, where Compose sees it"
    act(roles, lab_secrets=variables(roles)["lab_secrets"] | {"toy_other": "changed.Secret"})
    assert digest(roles) == first, "this secret is not mounted"

    seen = {first}
    for changed in (
        {"toy_name": "Other"},
        {"toy_words": ["c"]},
        {"lab_secrets": variables(roles)["lab_secrets"] | {"toy_password": "changed.Secret"}},
        {"lab_secrets": variables(roles)["lab_secrets"] | {"lab_digest_key": "another.key"}},
    ):
        act(roles, **changed)
        assert digest(roles) not in seen
        seen.add(digest(roles))

    act(roles)
    assert digest(roles) == first
    (roles / "toy/templates/a.conf.j2").rename(roles / "toy/templates/b.conf.j2")
    act(roles)
    assert digest(roles) not in seen, "a file under another name is another file"


def test_a_secret_that_is_needed_no_more_leaves_the_host_and_the_digest(roles: Path) -> None:
    described = load(roles / "toy/service.yml")
    described["secrets"]["toy_other"] = {"mount": "other", "uid": os.geteuid(), "until": "toy_installed"}
    (roles / "toy/service.yml").write_text(yaml.safe_dump(described))
    act(roles, toy_installed=False)
    first = digest(roles)
    assert (roles.parent / "root/toy/secrets/other").read_text() == "other.Secret-1"

    assert act(roles, toy_installed=True)["removed"] == ["toy/secrets/other"]
    assert digest(roles) != first, "the container must be made again without it"
    assert (roles.parent / "root/toy/secrets/toy").exists(), "this one has no end"
    assert act(roles, toy_installed=True)["changed"] is False


def test_a_template_that_is_dropped_disappears_from_the_host(roles: Path) -> None:
    act(roles)
    (roles / "toy/templates/a.conf.j2").unlink()
    assert act(roles)["removed"] == ["toy/a.conf"]
    assert not (roles.parent / "root/toy/a.conf").exists()


def test_the_first_boot_record_has_values_of_variables_and_digests_of_secrets(roles: Path) -> None:
    act(roles)
    record = json.loads((roles.parent / "root/first-boot/toy.json").read_text())
    assert record["toy_name"] == "Toy"
    assert record["toy_password"] == f"digest {services.keyed_digest(DIGEST_KEY, 'toy_password' + SECRET)}"
    assert SECRET not in json.dumps(record)


def test_a_digest_cannot_be_guessed_without_the_key() -> None:
    assert services.keyed_digest("one", "x") != services.keyed_digest("other", "x")
    assert services.keyed_digest("one", "x") != services.keyed_digest("one", "y")


def test_rendering_leaves_host_and_secrets_alone(roles: Path) -> None:
    target = roles.parent / "rendered"
    result = act(roles, lab_render_to=str(target))
    assert result["changed"] is False
    assert set(tree(target)) == {"compose.yaml", "toy/a.conf", "toy/compose.yaml", "toy/deep/run.sh"}
    assert not (roles.parent / "root").exists()


def test_outside_a_role_it_says_where_it_belongs() -> None:
    task = MagicMock(async_val=0, args={"services": ["toy"], "check_folder": "/nowhere"}, _role=None)
    action = action_module.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    with pytest.raises(AnsibleActionFail, match="use it inside a role"):
        action.run(None, {})


# --- as Ansible runs it ----------------------------------------------------------------------------------------------


@pytest.fixture
def play(roles: Path) -> list[str]:
    """Arguments that run the role `project` on this machine."""
    home = roles.parent
    (home / "play.yml").write_text(yaml.safe_dump([{"name": "Toy", "hosts": "lab1", "gather_facts": False, "roles": ["project"]}]))
    inventory = {"all": {"hosts": {"lab1": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}}}
    (home / "hosts.yml").write_text(yaml.safe_dump(inventory))
    return ["-i", str(home / "hosts.yml"), str(home / "play.yml"), "-vvv", "--diff"]


def test_end_to_end_it_shows_no_secret_and_settles(roles: Path, play: list[str]) -> None:
    home = roles.parent
    given = variables(roles)
    del given["inventory_hostname"]

    checked = playbook(home, *play, "--check", variables=given)
    assert checked.returncode == 0, checked.output
    assert checked.counts("lab1")["changed"] == 1
    assert not (home / "root").exists()
    assert set(tree(home / "root-check")) == {"toy/compose.yaml", "compose.yaml"}

    first = playbook(home, *play, variables=given)
    assert first.returncode == 0, first.output
    assert first.counts("lab1")["changed"] == 1
    assert mode(home / "root/toy/secrets/toy") == 0o400
    assert "+name = Toy" in first.output

    second = playbook(home, *play, variables=given)
    assert second.counts("lab1")["changed"] == 0

    for run in (checked, first, second):
        assert SECRET not in run.output
        assert DIGEST_KEY not in run.output


def test_every_service_says_where_its_secrets_go() -> None:
    for service in services.load_all(SERVICES).values():
        compose = (ROLES / service.name / "templates/compose.yaml.j2").read_text(encoding="utf-8")
        mounts = service.mounts(over=lambda _: False)
        for mount, _, _ in mounts:
            assert f"./secrets/{mount}:/run/secrets/{mount}:ro" in compose
        assert compose.count("./secrets/") == len(mounts)


def test_a_secret_that_is_needed_until_then_is_no_file_any_more() -> None:
    emr = services.load("openemr")
    until = {mount: emr.secrets[key].get("until") for mount, key, _ in emr.mounts(over=lambda _: False)}
    assert set(until.values()) == {"lab_emr_installed"}
    assert emr.mounts(over=lambda name: name == "lab_emr_installed") == []


def test_every_certificate_has_its_folder_mounted_and_a_way_to_be_taken_up() -> None:
    for service in services.load_all(SERVICES).values():
        mounted = "- ./tls:" in (ROLES / service.name / "templates/compose.yaml.j2").read_text(encoding="utf-8")
        assert mounted == ("uid" in service.certificate) == ("reload" in service.certificate), service.name
