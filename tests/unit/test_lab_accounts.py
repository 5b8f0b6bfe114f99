"""The lab's accounts in its own LDAP: made once, kept in step with the table, passwords of their owners left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, lab_accounts, ldap_plan, ldif, services
from ansible_collections.pacs_emr.lab.plugins.modules import lab_accounts as module

from .support import run_module, template
from .test_archive_config import BASE, Directory, upstream
from .test_archive_modules import Container

LAB = f"ou=lab,{BASE}"
READER = f"cn=reader,{LAB}"
ANNA = {"name": "anna", "display_name": "Anna Example", "groups": ["clinicians"]}
ADMIN = {"name": "root.admin", "display_name": None, "groups": ["clinicians", "admins"]}
PASSWORDS = {"anna": "Anna.first-1", "root.admin": "Admin.first-1"}


def settings(*accounts: dict[str, Any], reader: str = "Reader.secret-1") -> lab_accounts.Settings:
    return lab_accounts.Settings(LAB, list(accounts), reader, PASSWORDS)


def bring(directory: Directory, wanted: lab_accounts.Settings) -> ldap_plan.Plan:
    """Apply a plan; a second one has nothing to do."""
    changes = lab_accounts.plan(wanted, directory.search())
    directory.apply(changes.records + changes.passwords)
    assert lab_accounts.plan(wanted, directory.search()) == ldap_plan.Plan()
    return changes


def values(directory: Directory, dn: str, name: str) -> list[str]:
    found: list[str] = directory.entries[ldif.key(dn)][1][name]
    return found


def has(directory: Directory, dn: str, password: str) -> bool:
    return any(ldap_plan.matches(stored, password) for stored in values(directory, dn, "userPassword"))


@pytest.fixture
def directory() -> Directory:
    """A lab with both accounts."""
    made = Directory(upstream())
    bring(made, settings(ANNA, ADMIN))
    return made


def test_accounts_groups_and_reader_are_made(directory: Directory) -> None:
    anna, admin = f"uid=anna,{LAB}", f"uid=root.admin,{LAB}"
    assert values(directory, anna, "cn") == ["Anna Example"]
    assert values(directory, anna, "sn") == ["Example"]
    assert values(directory, admin, "cn") == ["root.admin"]
    assert values(directory, f"cn=clinicians,{LAB}", "member") == [READER, anna, admin]
    assert values(directory, f"cn=admins,{LAB}", "member") == [READER, admin]
    for dn, password in {anna: "Anna.first-1", admin: "Admin.first-1", READER: "Reader.secret-1"}.items():
        assert has(directory, dn, password)
        assert values(directory, dn, "userPassword")[0].startswith("{SSHA}")
    assert not values(directory, READER, "objectClass").count("inetOrgPerson"), "nobody logs in as the reader"


def test_plan_shows_no_password() -> None:
    changes = lab_accounts.plan(settings(ANNA, ADMIN), upstream())
    assert f"uid=anna,{LAB}" in changes.after
    for secret in (*PASSWORDS.values(), "Reader.secret-1", "SSHA"):
        assert secret not in changes.after + changes.before


def test_password_that_its_owner_changed_stays(directory: Directory) -> None:
    values(directory, f"uid=anna,{LAB}", "userPassword")[:] = [ldap_plan.hashed("her own")]
    bring(directory, settings({**ANNA, "display_name": "Anna Maria Sample"}, ADMIN))
    assert has(directory, f"uid=anna,{LAB}", "her own")
    assert values(directory, f"uid=anna,{LAB}", "sn") == ["Sample"]


def test_readers_password_is_always_the_labs(directory: Directory) -> None:
    changes = bring(directory, settings(ANNA, ADMIN, reader="Reader.secret-2"))
    assert has(directory, READER, "Reader.secret-2")
    assert not changes.records
    assert "Reader.secret" not in changes.before + changes.after


def test_who_leaves_the_table_loses_account_and_groups_and_others_stay(directory: Directory) -> None:
    byhand = f"uid=byhand,{LAB}"
    directory.entries[ldif.key(byhand)] = (byhand, {"objectClass": ["inetOrgPerson"], "uid": ["byhand"], "cn": ["x"], "sn": ["x"]})
    values(directory, f"cn=admins,{LAB}", "member").append(byhand)
    bring(directory, settings(ANNA))
    assert ldif.key(f"uid=root.admin,{LAB}") not in directory.entries
    assert ldif.key(byhand) in directory.entries
    assert values(directory, f"cn=admins,{LAB}", "member") == [READER, byhand]
    assert values(directory, f"cn=clinicians,{LAB}", "member") == [READER, f"uid=anna,{LAB}"]


def test_group_that_is_taken_away_is_gone(directory: Directory) -> None:
    bring(directory, settings(ANNA, {**ADMIN, "groups": ["clinicians"]}))
    assert values(directory, f"cn=admins,{LAB}", "member") == [READER]


def test_account_that_somebody_else_made_is_not_taken_over(directory: Directory) -> None:
    del directory.entries[ldif.key(f"uid=anna,{LAB}")][1]["description"]
    with pytest.raises(ValueError, match=r"has an account uid=anna,.* not made from login_accounts.*row 'anna'"):
        lab_accounts.plan(settings(ANNA), directory.search())


def test_users_of_the_archive_are_none_of_the_labs_accounts(directory: Directory) -> None:
    before = {dn: entry for dn, entry in directory.search().items() if "ou=users" in dn}
    bring(directory, settings())
    assert {dn: entry for dn, entry in directory.search().items() if "ou=users" in dn} == before


# --- the module ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ldap(monkeypatch: pytest.MonkeyPatch) -> Container:
    container = Container(Directory(upstream()))
    monkeypatch.setattr(docker_cli, "run", container.run)
    return container


def configure(home: Path, check: bool = False) -> dict[str, Any]:
    given = {"project": "p", "base_dn": BASE, "accounts_base": LAB, "accounts": [ANNA], "reader_password": "Reader.secret-1"}
    return run_module(module, home, check, **given, passwords=PASSWORDS)


def test_module_writes_once_and_tells_no_password(tmp_path: Path, ldap: Container) -> None:
    checked = configure(tmp_path, check=True)
    assert (checked["changed"], ldap.modified) == (True, 0)
    first = configure(tmp_path)
    assert (first["changed"], ldap.modified) == (True, 1)
    assert (configure(tmp_path)["changed"], ldap.modified) == (False, 1)
    said = f"{checked}{first}{ldap.command_lines}"
    for secret in (*PASSWORDS.values(), "Reader.secret-1", "SSHA"):
        assert secret not in said


def test_module_says_what_ldap_refused_or_forgot(tmp_path: Path, ldap: Container) -> None:
    ldap.refuse = True
    assert "Insufficient access" in configure(tmp_path)["msg"]
    ldap.refuse, ldap.ignore = False, True
    assert "reads back otherwise" in configure(tmp_path)["msg"]


def test_without_ldap_check_mode_foretells_and_a_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_cli, "run", lambda args, **more: "")
    assert configure(tmp_path, check=True)["changed"] is True
    assert "no container of service 'ldap' runs" in configure(tmp_path)["msg"]


# --- their first passwords -------------------------------------------------------------------------------------------


def test_first_passwords_are_secrets_where_the_login_is_placed() -> None:
    described = services.load_all(["ldap", "login"])
    assert services.secret_keepers(described, ["anna", "root.admin"])["login_account_root.admin"] == []
    assert "login_account_anna" not in services.secret_keepers(services.load_all(["ldap"]), ["anna"])
    assert template("'anna' | pacs_emr.lab.account_secret", {}) == "login_account_anna"
