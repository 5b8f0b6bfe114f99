"""See which certificates are due, and why. One look at all files, on the controller; community.crypto makes what is due afterwards.

What needs no CA is put right here: the modes of the folder and its keys, and ``trust.pem``.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.module_utils import certificates, services


class ActionModule(ActionBase):
    """Hand variables and files to the pure checks in module_utils/certificates.py."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``due`` (lists in the order of making) and ``table`` (lines). In check mode what is due counts as changed.

        :raises AnsibleActionFail: something is wrong that no renewal cures; nothing was changed
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        number = {"type": "int", "required": True}
        _, args = self.validate_argument_spec(
            {
                "folder": {"type": "path", "required": True},
                "domain": {"type": "str", "required": True},
                "entrance": {"type": "str", "required": True},
                "organization": {"type": "str", "required": True},
                "names": {"type": "dict", "required": True},
                "clients": {"type": "list", "elements": "dict", "required": True},
                "own_files": {"type": "dict", "required": True},
                "own_trust": {"type": "str", "required": True},
                "days": {"type": "dict", "required": True, "options": dict.fromkeys(("root", "issuing", "leaf", "renew"), number)},
                "renew": {"type": "str", "default": ""},
                "made": {"type": "bool", "default": False},
            }
        )
        site = self._site(args)
        try:
            site.judge()
            if site.findings:
                found = "\n\n".join(map(str, site.findings))
                raise AnsibleActionFail(f"No certificate was changed. Put right {len(site.findings)} thing(s) first:\n\n{found}")
            put_right = housekeeping(site, self._task.check_mode)
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename}: {error.strerror}. Run as the user who made {site.folder}") from None
        steps = (certificates.ROOT_FILE, certificates.ISSUING)
        batches = [[due for due in site.due if due["file"] == file] for file in steps]
        batches.append([due for due in site.due if due["file"] not in steps])
        for due in site.due:
            self._display.display(f"  certificate {due['name']}: {due['why']}")
        foretold = self._task.check_mode and bool(site.due)
        if foretold:
            result["diff"] = [diff(site.folder, due) for due in site.due]
        return result | {
            "changed": put_right or foretold,
            "due": [batch for batch in batches if batch],
            "warnings": site.warnings,
            "table": certificates.table(site.rows),
        }

    def _site(self, args: dict[str, Any]) -> certificates.Site:
        """Return what the lab wants, out of the task's arguments."""
        domain = args["domain"]
        described = services.load_all(list(args["names"]))
        how = {name: service.certificate for name, service in described.items()}
        own = [
            certificates.Own(
                name,
                Path(files["chain"]),
                Path(files["key"]),
                described[name].front_names(args["entrance"]) or args["names"][name][:1],
                how[name].get("key") == "rsa",
            )
            for name, files in args["own_files"].items()
        ]
        made = {name: names for name, names in args["names"].items() if name not in args["own_files"]}
        days = certificates.Days(**args["days"])
        return certificates.Site(
            folder=Path(args["folder"]),
            domain=domain,
            organization=args["organization"],
            days=days,
            leaves=certificates.wanted(domain, made, how, args["clients"]),
            own=own,
            own_trust=Path(args["own_trust"]) if args["own_trust"] else None,
            # What was asked for once is not asked for again when the result is looked at.
            renew=set() if args["made"] else {name.strip() for name in args["renew"].split(",")} - {""},
            now=datetime.now(UTC).replace(microsecond=0),
        )


def housekeeping(site: certificates.Site, check_mode: bool) -> bool:
    """Take folder and keys away from everybody else, and keep trust.pem in step; returns whether that was needed."""
    folders = [site.folder, site.folder / "services", site.folder / "clients"]
    if not check_mode:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = [
        (path, mode)
        for folder in folders
        if folder.is_dir()
        for path, mode in [(folder, 0o700), *((key, 0o600) for key in folder.glob("*.key*"))]
        if path.stat().st_mode & 0o077
    ]
    trust, file = site.trust(), site.folder / "trust.pem"
    stale = trust is not None and (not file.exists() or file.read_bytes() != trust)
    if not check_mode:
        for path, mode in opened:
            path.chmod(mode)
        if stale and trust is not None:
            write(file, trust)
    return bool(opened) or stale


def write(file: Path, content: bytes) -> None:
    """Write a file that holds no secret, whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.chmod(0o644)
    os.replace(fresh, file)


def diff(folder: Path, due: dict[str, Any]) -> dict[str, str]:
    """Return subject, names and dates before and after; no key."""
    header = str(folder / f"{due['file']}.pem")
    return {"before": due["before"], "after": due["after"], "before_header": header, "after_header": header}
