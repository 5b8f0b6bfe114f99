"""The lab's accounts as entries of its own LDAP; the plan of changes that leads there. Pure: no LDAP is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.pacs_emr.lab.plugins.module_utils import ldif
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldap_plan import OWNED, Plan, values_of
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldif import Attributes

#: What an account may be a member of.
GROUPS = ("clinicians", "admins")
DESCRIPTION = f"{OWNED} account"


@dataclass(frozen=True)
class Settings:
    """``base`` is the DN above accounts, groups and reader; ``accounts`` are rows of login_accounts.

    ``reader_password`` is brought to this value in each run, the ``passwords`` (name → first one) are those of new accounts alone: what a
    user changed later stays.
    """

    base: str
    accounts: list[dict[str, Any]]
    reader_password: str
    passwords: dict[str, str]

    @property
    def reader(self) -> str:
        """DN of the account that asks the directory. It has no uid, so nobody logs in with it."""
        return f"cn=reader,{self.base}"

    def account(self, name: str) -> str:
        """DN of an account."""
        return f"uid={ldif.escape(name)},{self.base}"


def person(row: Mapping[str, Any]) -> Attributes:
    """Return what an account's entry has but its password; LDAP asks for a family name (RFC 2798)."""
    shown_name = str(row.get("display_name") or row["name"])
    return {"cn": [shown_name], "sn": [shown_name.split()[-1]], "description": [DESCRIPTION]}


def plan(settings: Settings, present: Mapping[str, Attributes]) -> Plan:
    """Compare what is there with what must be and return the changes.

    :param present: dn → attributes of (at least) everything below ``base``, and that itself
    :raises ValueError: an account of the table is there already, and was not made from it
    """
    here = {ldif.key(dn): attributes for dn, attributes in present.items()}
    changes = Plan()

    if ldif.key(settings.base) not in here:
        unit = ldif.unescape(settings.base.partition("=")[2].partition(",")[0])
        changes.add(settings.base, {"objectClass": ["organizationalUnit"], "ou": [unit]})
    reader = here.get(ldif.key(settings.reader))
    if reader is None:
        classes = ["organizationalRole", "simpleSecurityObject"]
        changes.add(settings.reader, {"objectClass": classes, "cn": ["reader"]}, settings.reader_password)
    else:
        changes.password(settings.reader, reader, settings.reader_password)
    for row in settings.accounts:
        dn = settings.account(row["name"])
        found = here.get(ldif.key(dn))
        if found is None:
            changes.add(dn, {"objectClass": ["inetOrgPerson"], "uid": [row["name"]], **person(row)}, settings.passwords[row["name"]])
        elif DESCRIPTION not in values_of(found, "description"):
            raise ValueError(f"LDAP has an account {dn} that was not made from login_accounts: remove it there, or the row '{row['name']}'")
        else:
            changes.replace(dn, found, {name: values for name, values in person(row).items() if values_of(found, name) != set(values)})
    gone = stale(settings, present)
    for group in GROUPS:
        dn = f"cn={group},{settings.base}"
        found = here.get(ldif.key(dn))
        members = wanted_members(settings, group, found or {}, gone)
        if found is None:
            changes.add(dn, {"objectClass": ["groupOfNames"], "cn": [group], "member": members})
        elif {ldif.key(member) for member in values_of(found, "member")} != {ldif.key(member) for member in members}:
            changes.replace(dn, found, {"member": members})
    for dn in gone:
        changes.delete(dn)
    return changes


def stale(settings: Settings, present: Mapping[str, Attributes]) -> list[str]:
    """Return DNs of accounts that came from an earlier table."""
    keep = {ldif.key(settings.account(row["name"])) for row in settings.accounts}
    base = ldif.key(settings.base)
    return [
        dn
        for dn, attributes in present.items()
        if DESCRIPTION in values_of(attributes, "description") and ldif.parent(dn) == base and ldif.key(dn) not in keep
    ]


def wanted_members(settings: Settings, group: str, found: Attributes, gone: list[str]) -> list[str]:
    """Return the members of a group: the table's, those that somebody else put there, and the reader, since LDAP takes no empty group."""
    listed = {settings.account(row["name"]): group in row["groups"] for row in settings.accounts}
    ours = {ldif.key(dn) for dn in [settings.reader, *listed, *gone]}
    others = [member for member in values_of(found, "member") if ldif.key(member) not in ours]
    return [settings.reader, *(dn for dn, member in listed.items() if member), *sorted(others)]
