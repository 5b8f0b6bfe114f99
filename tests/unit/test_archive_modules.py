"""The modules that bring the configuration into LDAP and let the archive read it, with a Docker command line that plays along."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, ldif
from ansible_collections.pacs_emr.lab.plugins.modules import archive_ldap, archive_reload

from .support import run_module
from .test_archive_config import BASE, CT, HL7, USERS, Directory, upstream

# --- archive_ldap ----------------------------------------------------------------------------------------------------


class Container:
    """Answers ldapsearch and ldapmodify of the LDAP container out of a directory in memory."""

    def __init__(self, directory: Directory) -> None:
        self.directory, self.modified = directory, 0
        self.refuse = self.ignore = False
        self.command_lines: list[str] = []

    def run(self, args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        self.command_lines.append(" ".join(args))
        if args[0] == "ps":
            return "abc\n"
        assert args[0] == "exec"
        if "ldapsearch" in args:
            return "".join(
                ldif.line("dn", dn) + "".join(ldif.line(name, value) for name, values in attributes.items() for value in values) + "\n"
                for dn, attributes in self.directory.search().items()
            )
        assert "ldapmodify" in args
        assert "-i" in args
        if self.refuse:
            raise docker_cli.DockerError("ldap_modify: Insufficient access (50)")
        self.modified += 1
        if not self.ignore:
            self.directory.apply([record for record in (stdin or "").split("\n\n") if record])
        return ""

    @property
    def marked(self) -> bool:
        return any("reload pending" in dn for dn in self.directory.search())


@pytest.fixture
def ldap(monkeypatch: pytest.MonkeyPatch) -> Container:
    container = Container(Directory(upstream()))
    monkeypatch.setattr(docker_cli, "run", container.run)
    return container


def configure(home: Path, check: bool = False, **changed: Any) -> dict[str, Any]:
    given = {
        "project": "p",
        "base_dn": BASE,
        "device": "dcm4chee-arc",
        "ae_title": "DCM4CHEE",
        "worklist_ae_title": "WORKLIST",
        "assigning_authority": "LABHOSP",
        "peers": [CT],
        "users": USERS,
        "hl7": asdict(HL7),
    }
    return run_module(archive_ldap, home, check, **(given | changed))


def test_a_change_leaves_the_marker_until_the_reload_is_proved(tmp_path: Path, ldap: Container) -> None:
    first = configure(tmp_path)
    assert first["changed"] is True
    assert first["pending"] is True
    assert first["listeners"] == [2575, 2762, 11112]
    assert ldap.marked

    # A run that died before the reload: nothing to change any more, but the reload is still due.
    again = configure(tmp_path)
    assert again["changed"] is False
    assert again["pending"] is True

    done = run_module(archive_ldap, tmp_path, project="p", base_dn=BASE, reloaded=True)
    assert done["changed"] is True
    assert done["pending"] is False
    assert not ldap.marked
    assert any("dicomAETitle=CT01" in dn for dn in ldap.directory.search()), "taking the marker away plans nothing"

    last = configure(tmp_path)
    assert last["changed"] is False
    assert last["pending"] is False
    assert last["diff"]["before"] == last["diff"]["after"] == ""


def test_the_marker_is_set_once_and_before_everything_else(tmp_path: Path, ldap: Container) -> None:
    configure(tmp_path)
    configure(tmp_path, peers=[CT | {"port": 105}])
    assert ldap.marked
    assert ldap.modified == 2


def test_passwords_alone_need_no_reload(tmp_path: Path, ldap: Container) -> None:
    configure(tmp_path)
    configure(tmp_path, reloaded=True)
    changed = configure(tmp_path, users=USERS | {"user": "another.Secret-1"})
    assert changed["changed"] is True
    assert changed["pending"] is False
    assert not ldap.marked


def test_check_mode_tells_and_changes_nothing(tmp_path: Path, ldap: Container) -> None:
    told = configure(tmp_path, check=True)
    assert told["changed"] is True
    assert told["pending"] is True
    assert "CT in room 1" in told["diff"]["after"]
    assert ldap.modified == 0


def test_no_password_is_in_command_lines_or_answers(tmp_path: Path, ldap: Container) -> None:
    answer = str(configure(tmp_path))
    for password in USERS.values():
        assert password not in answer
        assert not any(password in line for line in ldap.command_lines)
    assert all("-y /run/secrets/ldap_root" in line for line in ldap.command_lines if line.startswith("exec"))


def test_ldap_that_does_not_run_is_fine_in_check_mode_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_cli, "run", lambda args, **_: "")
    assert "no container of service 'ldap'" in configure(tmp_path)["msg"]
    told = configure(tmp_path, check=True)
    assert told["changed"] is True
    assert "failed" not in told


def test_what_ldap_refuses_or_forgets_fails(tmp_path: Path, ldap: Container) -> None:
    ldap.refuse = True
    assert "Insufficient access" in configure(tmp_path)["msg"]
    ldap.refuse, ldap.ignore = False, True
    failed = configure(tmp_path)
    assert "reads back otherwise" in failed["msg"]
    assert "CT01" in failed["left"]


def test_a_table_that_does_not_fit_what_is_there_is_a_message(tmp_path: Path, ldap: Container) -> None:
    failed = configure(tmp_path, peers=[CT | {"ae_title": "STORESCP"}])
    assert failed["failed"] is True
    assert "STORESCP" in failed["msg"]
    assert ldap.modified == 0


# --- archive_reload --------------------------------------------------------------------------------------------------


class Archive:
    """Answers reloads with these codes one after the other; ``closed`` are the ports that do not listen after each."""

    def __init__(self, *answers: str, closed: list[set[str]] | None = None) -> None:
        self.answers, self.closed = list(answers), closed or []
        self.reloads = 0
        self.slept: list[float] = []

    def run(self, args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        if args[0] == "ps":
            return "abc\n"
        if "curl" in args:
            self.reloads += 1
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == "gone":
                raise docker_cli.DockerError("container abc is not running")
            return answer
        assert args[2:4] == ["nc", "-z"]
        if self.closed and args[-1] in self.closed[min(self.reloads, len(self.closed)) - 1]:
            raise docker_cli.DockerError("exit 1")
        return ""


def reload(home: Path, monkeypatch: pytest.MonkeyPatch, archive: Archive, check: bool = False) -> dict[str, Any]:
    monkeypatch.setattr(docker_cli, "run", archive.run)
    monkeypatch.setattr(archive_reload.time, "sleep", archive.slept.append)
    return run_module(archive_reload, home, check, project="p", listeners=[2575, 11112], attempts=4)


@pytest.mark.parametrize(
    ("archive", "attempts"),
    [
        (Archive("204"), 1),
        (Archive("500", "204"), 2),
        (Archive("000", "gone", "204"), 3),
        (Archive("204", closed=[{"11112"}, {"11112"}, set()]), 3),
    ],
    ids=["first", "500", "unreachable", "listener"],
)
def test_a_reload_is_repeated_until_it_is_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Archive, attempts: int) -> None:
    """About one in four answers 500 and loses a listener (dcm4chee.md §2.4)."""
    result = reload(tmp_path, monkeypatch, archive)
    assert result["attempts"] == attempts
    assert result["changed"] is True
    assert len(archive.slept) == attempts - 1


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (Archive("500"), ["not reloaded in 4 attempts", "it said last: 500", "next run tries again"]),
        (Archive("204", closed=[{"2575", "11112"}]), ["204, but nothing listens on 2575, 11112"]),
        (Archive("409"), ["409", "keeps the old one"]),
    ],
    ids=["500", "listeners", "409"],
)
def test_a_reload_that_is_not_proved_fails_with_what_the_archive_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Archive, words: list[str]
) -> None:
    result = reload(tmp_path, monkeypatch, archive)
    assert result["failed"] is True
    assert all(word in result["msg"] for word in words)
    assert archive.reloads <= 4


def test_a_reload_in_check_mode_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive("204")
    assert reload(tmp_path, monkeypatch, archive, check=True)["changed"] is True
    assert archive.reloads == 0
