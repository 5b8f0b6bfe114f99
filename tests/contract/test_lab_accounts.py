"""The module lab_accounts against the lab's LDAP image: who may log in afterwards, and who may read what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import lab_accounts
from unit.support import run_module

from .conftest import Container, Engine, entry, image_under_test

BASE = "dc=dcm4che,dc=org"
LAB = f"ou=lab,{BASE}"
ROOT = "Root.1-x_"
ANNA = {"name": "anna", "display_name": "Anna Müller", "groups": ["clinicians"]}
PASSWORDS = {"anna": "Anna.first-1"}


@pytest.fixture(scope="module")
def ldap(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    secret = tmp_path_factory.mktemp("ldap") / "ldap_root"
    secret.write_text(ROOT, encoding="utf-8")
    labels = [f"--label={docker_cli.PROJECT_LABEL}=contract-accounts", f"--label={docker_cli.SERVICE_LABEL}=ldap"]
    mount = f"--volume={secret}:/run/secrets/ldap_root:ro"
    container = shared_engine.run(image_under_test("ldap"), options=[*labels, mount], env={"LDAP_ROOTPASS": ROOT, "LDAP_CONFIGPASS": ROOT})
    container.wait_until(*entry(f"cn=view-applications,ou=account,{BASE}"), seconds=60)
    return container


def bring(home: Path, *accounts: dict[str, Any], reader: str = "Reader.secret-1") -> dict[str, Any]:
    given: dict[str, Any] = {"project": "contract-accounts", "base_dn": BASE, "accounts_base": LAB, "accounts": list(accounts)}
    return run_module(lab_accounts, home, **given, reader_password=reader, passwords=PASSWORDS)


def logs_in(ldap: Container, dn: str, password: str) -> bool:
    return ldap.try_exec("ldapwhoami", "-x", "-H", "ldap://127.0.0.1", "-D", dn, "-w", password).returncode == 0


def as_reader(ldap: Container, *words: str) -> str:
    login = ["-x", "-LLL", "-o", "ldif-wrap=no", "-H", "ldap://127.0.0.1", "-D", f"cn=reader,{LAB}", "-w", "Reader.secret-1"]
    return ldap.try_exec("ldapsearch", *login, "-b", LAB, *words).stdout


def test_accounts_come_and_go(ldap: Container, tmp_path: Path) -> None:
    first = bring(tmp_path, ANNA)
    assert first["changed"] is True, first
    assert bring(tmp_path, ANNA)["changed"] is False
    anna = f"uid=anna,{LAB}"
    assert logs_in(ldap, anna, "Anna.first-1")
    assert not logs_in(ldap, anna, "anna")
    assert logs_in(ldap, f"cn=reader,{LAB}", "Reader.secret-1")

    found = as_reader(ldap, "(uid=anna)")
    assert "cn:: QW5uYSBNw7xsbGVy" in found
    assert "userPassword" not in found, "the reader reads hashes"
    assert f"member: {anna}" in as_reader(ldap, "(cn=clinicians)")

    own = ["ldappasswd", "-x", "-H", "ldap://127.0.0.1", "-D", anna, "-w", "Anna.first-1", "-s", "Her.own-2"]
    ldap.exec(*own)
    assert bring(tmp_path, {**ANNA, "groups": ["clinicians", "admins"]}, reader="Reader.secret-2")["changed"] is True
    assert logs_in(ldap, anna, "Her.own-2"), "a password that its owner changed stays"
    assert logs_in(ldap, f"cn=reader,{LAB}", "Reader.secret-2")

    assert bring(tmp_path)["changed"] is True
    assert not logs_in(ldap, anna, "Her.own-2")
    assert bring(tmp_path)["changed"] is False
