"""What the plans of changes in LDAP have in common. Pure: no LDAP is asked here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.pacs_emr.lab.plugins.module_utils import ldif
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldif import Attributes

#: Begins the description of entries that are the lab's; what has it and is no longer asked for is removed.
OWNED = "pacs-emr:"


@dataclass
class Plan:
    """Changes in the order in which they must be made; ``before`` and ``after`` show them without secrets."""

    records: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""

    def add(self, dn: str, attributes: Attributes, password: str = "") -> None:
        """Add an entry, with a password where it has one."""
        secret = {"userPassword": [hashed(password)]} if password else {}
        self.records.append(ldif.add(dn, attributes | secret))
        self.after += shown(dn, attributes)

    def replace(self, dn: str, found: Attributes, differing: Attributes) -> None:
        """Replace those attributes of an entry that differ, if any."""
        if differing:
            self.records.append(ldif.replace(dn, differing))
            self.before += shown(dn, {name: sorted(values_of(found, name)) for name in differing})
            self.after += shown(dn, differing)

    def delete(self, dn: str) -> None:
        """Remove an entry."""
        self.records.append(ldif.delete(dn))
        self.before += f"{dn}\n"

    def password(self, dn: str, found: Attributes, password: str) -> None:
        """Bring an entry's password to that of the lab's secrets."""
        if not any(matches(stored, password) for stored in values_of(found, "userPassword")):
            self.passwords.append(ldif.replace(dn, {"userPassword": [hashed(password)]}))
            self.before += f"{dn}\n  userPassword: (another one)\n"
            self.after += f"{dn}\n  userPassword: (that of the lab's secrets)\n"


def values_of(attributes: Mapping[str, list[str]], name: str) -> set[str]:
    """Return the values of an attribute; LDAP does not care for the case of its name."""
    return {value for other, values in attributes.items() if other.lower() == name.lower() for value in values}


def shown(dn: str, attributes: Mapping[str, list[str]]) -> str:
    """Text of an entry for a diff."""
    return f"{dn}\n" + "".join(f"  {name}: {value}\n" for name, values in attributes.items() for value in values)


def hashed(password: str) -> str:
    """Salted hash as OpenLDAP stores it: ``{SSHA}`` and base64 of SHA-1 digest and salt."""
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def matches(stored: str, password: str) -> bool:
    """Whether a stored password, hashed with {SSHA} or in clear, is ``password``."""
    if stored.startswith("{SSHA}"):
        try:
            raw = base64.b64decode(stored[6:])
        except binascii.Error:
            return False
        return hashlib.sha1(password.encode() + raw[20:]).digest() == raw[:20]
    return stored == password
