"""The secrets file: what a value may be, how a missing one is made, and that everything else in the file stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible_collections.pacs_emr.lab.plugins.action import lab_secrets
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight_data, secrets, services

from .support import SERVICES

RIGHT = VaultSecret(b"the vault password")
WRONG = VaultSecret(b"another one")
MADE = {"ldap_root_password": "Made.by_the-lab1", "pacs_db_password": "12345678"}


def loader(secret: VaultSecret | None = None, identity: str = "default") -> DataLoader:
    """Return a loader that knows one vault password, or none, as Ansible sets it up for a run."""
    return knowing(*([(identity, secret)] if secret else []))


def knowing(*passwords: tuple[str, VaultSecret]) -> DataLoader:
    """Return a loader that knows several vault passwords by their ids."""
    fresh = DataLoader()
    fresh.set_vault_secrets(list(passwords))
    VaultSecretsContext._current = VaultSecretsContext(list(passwords))
    return fresh


@pytest.fixture(autouse=True)
def _no_password_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VaultSecretsContext, "_current", None)


def vault() -> VaultLib:
    return VaultLib([("default", RIGHT)])


def single(key: str, value: str) -> str:
    """Return the lines of one value that ansible-vault encrypt_string made."""
    return f"{key}: !vault |\n" + "".join(f"  {line}\n" for line in vault().encrypt(value).decode().splitlines())


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "P@ss$word123",
        "$HOME",
        "trail # note",
        "back\\slash",
        "it's\"q",
        "a b",
        "ünïcode",
        "x" * 200,
        "",
        "-begins-so",
        "short",
        "newline1\n",
    ],
)
def test_a_value_that_some_entrypoint_would_cut_or_expand_is_refused_by_the_name_of_its_key(value: str) -> None:
    """F-ANS-3."""
    (finding,) = preflight_data.secrets(
        {"pacs_db_password": value}, "secrets.yml", {"pacs_db_password": ["pacs_db"]}, lambda _: False, True
    )
    text = str(finding)
    assert "secrets.yml, pacs_db_password" in text
    assert "A-Z a-z 0-9 . _ -" in text
    assert not value.strip() or f"'{value}'" not in text


@pytest.mark.parametrize("value", ["abcdefgh", "x" * 128, ".dot_dash-1", "00000000", "A.b_c-D9"])
def test_a_value_of_the_alphabet_is_taken(value: str) -> None:
    assert secrets.problem(value) is None


@pytest.mark.parametrize(
    ("value", "say"),
    [(None, "is empty"), (12345678, "is a int, not a text: put it into quotes"), (True, "is a bool"), (["a"], "is a list")],
)
def test_a_value_that_is_no_text(value: object, say: str) -> None:
    assert say in str(secrets.problem(value))


@pytest.mark.parametrize("length", [secrets.SHORTEST, 32, secrets.LONGEST])
def test_made_secrets_are_of_the_length_asked_and_taken_by_the_next_run(length: int) -> None:
    made = {secrets.generate(length) for _ in range(200)}
    assert len(made) == 200
    assert {len(value) for value in made} == {length}
    assert all(secrets.problem(value) is None and value[0].isalnum() for value in made)


@pytest.mark.parametrize("value", ["12345678", "1e100000", "0x123456", "2026-03-10", "00000000", "1_000_000", "........", "x" * 128])
def test_written_lines_read_back_as_texts(value: str) -> None:
    """YAML would take some of these for numbers and dates."""
    assert yaml.safe_load(secrets.lines({"a": value, "b": value})) == {"a": value, "b": value}


# --- reading ---------------------------------------------------------------------------------------------------------


def test_there_is_no_file_yet(tmp_path: Path) -> None:
    assert lab_secrets.read(loader(), str(tmp_path / "secrets.yml")) == {}


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n"])
def test_an_empty_file_has_no_secrets(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.yml").write_text(text)
    assert lab_secrets.read(loader(), str(tmp_path / "secrets.yml")) == {}


def test_all_kinds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text("a: plain-value\nn: 12345678\ne:\nj: '{{ 1 + 1 }}'\n" + single("v", "from-the-vault"))
    values = lab_secrets.read(loader(RIGHT), str(file))
    assert values == {"a": "plain-value", "n": 12345678, "e": None, "j": "{{ 1 + 1 }}", "v": "from-the-vault"}
    assert isinstance(values["v"], str)

    file.write_bytes(vault().encrypt("a: plain-value\n"))
    assert lab_secrets.read(loader(RIGHT), str(file)) == {"a": "plain-value"}


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "42\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.yml").write_text(text)
    with pytest.raises(AnsibleActionFail, match=r"secrets\.yml must be a mapping of keys to secrets; restore it from your backup"):
        lab_secrets.read(loader(), str(tmp_path / "secrets.yml"))


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"a: [unclosed\n", None),
        (b"a: 'hush-hush\n", None),
        (b"\xff\xfe\x00", None),
        (vault().encrypt("a: hush-hush\n"), WRONG),
        (vault().encrypt("a: hush-hush\n"), None),
        (single("a", "hush-hush").encode(), WRONG),
        (single("a", "hush-hush").encode(), None),
        (vault().encrypt("a: hush-hush\n")[:-20], RIGHT),
        (b"$ANSIBLE_VAULT;1.1;AES256\nnonsense\n", RIGHT),
    ],
    ids=["yaml", "quote", "bytes", "wrong", "none", "single-wrong", "single-none", "cut", "nonsense"],
)
def test_a_file_that_cannot_be_read_is_one_clear_error_without_its_content(
    tmp_path: Path, content: bytes, secret: VaultSecret | None
) -> None:
    (tmp_path / "secrets.yml").write_bytes(content)
    with pytest.raises(AnsibleActionFail, match=r"secrets\.yml cannot be read .*YAML.*vault password is given") as caught:
        lab_secrets.read(loader(secret), str(tmp_path / "secrets.yml"))
    assert "hush" not in str(caught.value)


# --- writing ---------------------------------------------------------------------------------------------------------

PLAIN = "# Ours, keep.\nldap_config_password:   'kept-as-it-is'   # note\n\nmore: {}\n"


def plain() -> bytes:
    return PLAIN.encode()


def whole() -> bytes:
    return bytes(vault().encrypt(PLAIN))


def singles() -> bytes:
    return (PLAIN + single("ldap_user_root_password", "from-the-vault")).encode()


@pytest.mark.parametrize("before", [plain, singles, lambda: plain().rstrip(b"\n")])
@pytest.mark.parametrize("secret", [None, RIGHT])
def test_keys_are_added_to_a_plain_file_and_the_rest_stays_as_it_is(
    tmp_path: Path, before: Callable[[], bytes], secret: VaultSecret | None
) -> None:
    """With a vault password the added values are encrypted one by one."""
    file = tmp_path / "secrets.yml"
    content = before()
    file.write_bytes(content)
    file.chmod(0o644)
    lab_secrets.write(loader(secret), file, MADE)
    after = file.read_bytes()
    assert after.startswith(content.rstrip(b"\n") + b"\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (MADE["ldap_root_password"].encode() in after) is (secret is None)
    values = lab_secrets.read(loader(RIGHT), str(file))
    assert {key: values[key] for key in MADE} == MADE
    assert values["ldap_config_password"] == "kept-as-it-is"
    assert os.listdir(tmp_path) == ["secrets.yml"]


def test_an_encrypted_file_stays_encrypted_and_keeps_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_bytes(whole())
    lab_secrets.write(loader(RIGHT), file, MADE)
    after = file.read_bytes()
    assert after.startswith(b"$ANSIBLE_VAULT;")
    assert vault().decrypt(after).decode() == PLAIN + secrets.lines(MADE)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("secret", [None, RIGHT])
@pytest.mark.parametrize("empty", [False, True])
def test_a_new_file_is_encrypted_exactly_where_a_vault_password_is_given(tmp_path: Path, secret: VaultSecret | None, empty: bool) -> None:
    file = tmp_path / "secrets.yml"
    if empty:
        file.touch()
    lab_secrets.write(loader(secret), file, MADE)
    assert file.read_bytes().startswith(b"$ANSIBLE_VAULT") is (secret is not None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert lab_secrets.read(loader(secret), str(file)) == MADE
    text = vault().decrypt(file.read_bytes()).decode() if secret else file.read_text()
    assert re.match(r"---\n# The lab's secrets.*Keep a copy", text)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_mode_is_0600_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        lab_secrets.write(loader(), tmp_path / "secrets.yml", MADE)
    finally:
        os.umask(before)
    assert (tmp_path / "secrets.yml").stat().st_mode & 0o777 == 0o600


def test_a_vault_id_is_kept(tmp_path: Path) -> None:
    """With --vault-id site@file the file names the id, so that the right password is tried first."""
    fresh = loader(RIGHT, "site")
    lab_secrets.write(fresh, tmp_path / "secrets.yml", MADE)
    assert (tmp_path / "secrets.yml").read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;site\n")
    assert lab_secrets.read(fresh, str(tmp_path / "secrets.yml")) == MADE


def test_of_several_vault_passwords_that_of_the_file_is_used_again(tmp_path: Path) -> None:
    both = knowing(("other", WRONG), ("site", RIGHT))
    file = tmp_path / "secrets.yml"
    file.write_bytes(VaultLib([("site", RIGHT)]).encrypt("more: kept-as-it-is\n", secret=RIGHT, vault_id="site"))
    lab_secrets.write(both, file, MADE)
    assert file.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;site\n")
    assert lab_secrets.read(loader(RIGHT, "site"), str(file)) == MADE | {"more": "kept-as-it-is"}


def test_every_secret_of_every_service_and_the_digest_key_have_a_name_of_their_own() -> None:
    described = services.load_all(SERVICES)
    keys = {key for service in described.values() for key in service.secrets}
    assert secrets.DIGEST_KEY not in keys
    for service in described.values():
        mounts = [mount for mount, _, _ in service.mounts(over=lambda _: False)]
        assert len(mounts) == len(set(mounts))
        assert all(key in service.secrets for key in service.first_boot if key.endswith("_password"))
