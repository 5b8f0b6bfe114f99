"""Return the lab's secrets, after making those that are missing (preflight has refused what must not be made anew)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets, services


class ActionModule(ActionBase):
    """Read, complete and write the secrets file on the controller. Use with ``no_log``."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``values`` (key → secret) and ``made`` (keys). In check mode made ones are not kept.

        :raises AnsibleActionFail: the file cannot be read or written
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            {
                "file": {"type": "path", "required": True},
                "services": {"type": "list", "elements": "str", "required": True},
                "accounts": {"type": "list", "elements": "str", "default": []},
                "length": {"type": "int", "required": True},
            }
        )
        values = read(self._loader, args["file"])
        needed = services.secret_keepers(services.load_all(args["services"]), args["accounts"])
        made = {key: secrets.generate(args["length"]) for key in sorted(set(needed) - set(values))}
        if made and not self._task.check_mode:
            write(self._loader, Path(args["file"]), made)
        tightened = self._tighten(Path(args["file"]))
        return result | {"values": values | made, "made": sorted(made), "changed": bool(made) or tightened}

    def _tighten(self, file: Path) -> bool:
        """Take a file of secrets away from everybody else (a copy or a checkout may have opened it); returns whether that was needed."""
        open_to_others = file.exists() and bool(file.stat().st_mode & 0o077)
        if open_to_others and not self._task.check_mode:
            file.chmod(0o600)
        return open_to_others


def read(loader: DataLoader, file: str) -> dict[str, Any]:
    """Return key → value of the secrets file, decrypted; empty where there is none yet.

    :raises AnsibleActionFail: it is not a YAML mapping, or the vault password is missing or wrong
    """
    if not os.path.exists(file):
        return {}
    try:
        values = loader.load_from_file(file, cache="none", unsafe=True)
        if isinstance(values, dict):
            # A single `!vault` value is decrypted when it becomes a text.
            values = {
                str(key): str(value) if isinstance(value, str) or hasattr(value, "_ciphertext") else value for key, value in values.items()
            }
    except AnsibleError as error:
        raise AnsibleActionFail(
            f"{file} cannot be read ({type(error).__name__}): check that it is YAML, and that the vault password is given "
            "(--ask-vault-pass or --vault-password-file)"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise AnsibleActionFail(f"{file} must be a mapping of keys to secrets; restore it from your backup")
    return values


def write(loader: DataLoader, file: Path, made: dict[str, str]) -> None:
    """Add secrets to the file, mode 0600. What stands there stays as it is, comments included.

    With a vault password configured, a new file is encrypted as a whole, an encrypted one stays so under its own password, and in a
    plain one the added values are encrypted one by one.
    """
    vault: VaultLib | None = loader._vault if loader._vault and loader._vault.secrets else None
    before = file.read_bytes() if file.exists() else b""
    whole = before.startswith(b"$ANSIBLE_VAULT") or (not before and vault is not None)
    head = "---\n# The lab's secrets, made on its first run. Keep a copy: data cannot be opened without them.\n"
    if whole:
        assert vault is not None
        identity, password = vault.secrets[0]
        plain = head
        if before:
            content, identity, password = vault.decrypt_and_get_vault_id(before)
            plain = content.decode()
        after = vault.encrypt(plain.rstrip("\n") + "\n" + secrets.lines(made), secret=password, vault_id=identity)
    else:
        encrypted = (
            {key: vault.encrypt(value, secret=vault.secrets[0][1], vault_id=vault.secrets[0][0]).decode() for key, value in made.items()}
            if vault
            else None
        )
        after = ((before.decode().rstrip("\n") + "\n" if before else head) + secrets.lines(made, encrypted)).encode()
    fresh = file.with_name(f".{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(after)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(fresh, file)
