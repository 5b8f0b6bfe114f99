"""What opens and fits the data that is there: the secrets file, and what each service was first booted with. Pure checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets as secrets_file
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding
from ansible_collections.pacs_emr.lab.plugins.module_utils.services import Service


def secrets(
    values: Mapping[str, Any], file: str, needed: Mapping[str, list[str]], has_data: Callable[[str], bool], all_hosts: bool
) -> list[Finding]:
    """Check the secrets file: no empty, malformed or unknown value; none missing that opens data.

    :param needed: key → services whose data no other value of it opens
    :param has_data: whether a service is on this host and holds data
    :param all_hosts: whether every host of the lab takes part in this run
    """
    found = []
    for key, value in sorted(values.items()):
        if key not in needed:
            near = get_close_matches(key, needed, n=1)
            found.append(
                Finding(
                    f"{file}, {key}",
                    "no service has a secret of this name",
                    f"{'did you mean ' + near[0] + '? ' if near else ''}remove or correct it",
                )
            )
        elif say := secrets_file.problem(value):
            found.append(Finding(f"{file}, {key}", say, f"write a value of {secrets_file.ALLOWED}, or restore the file"))
    missing = sorted(set(needed) - set(values))
    for key in missing:
        holders = [service for service in needed[key] if has_data(service)]
        if holders:
            found.append(
                Finding(
                    f"{file}, {key}",
                    f"is missing, and {' and '.join(holders)} already hold(s) data that a new one does not open",
                    'restore the file from your backup; to set a new value follow docs/secrets.md, "Rotate"',
                )
            )
        elif needed[key] and not all_hosts:
            found.append(
                Finding(f"{file}, {key}", "is missing, and --limit hides whether its service holds data", "run once without --limit")
            )
    return found


def first_boot(
    service: Service, wanted: Mapping[str, str], record: Mapping[str, str] | None, host: str, root: str, adopt: bool
) -> list[Finding]:
    """Check what a service with data was first booted with against what the lab says now."""
    if not record:
        if adopt or not wanted:
            return []
        return [
            Finding(
                f"{service.name} on {host}",
                f"holds data, but {root}/first-boot/{service.name}.json, the record of what it was first booted with, is gone",
                "restore that file; or, when you are sure that the lab's values are the first ones, run once with -e lab_adopt_data=true",
            )
        ]
    found = []
    for name in service.first_boot:
        if name in record and name in wanted and record[name] != wanted[name]:
            secret = name in service.secrets
            say = (
                "differs from the one that the service was first booted with"
                if secret
                else f"is '{wanted[name]}', deployed is '{record[name]}'"
            )
            way = 'docs/secrets.md, "Rotate"' if secret else 'docs/operations.md, "First-boot values"'
            fix = "restore the secrets file" if secret else f"set it back to '{record[name]}'"
            found.append(
                Finding(
                    f"{name} on {host}",
                    f"{say}; {service.name} reads it at its first boot only",
                    f"{fix}, or change it by the procedure in {way}",
                )
            )
    return found
