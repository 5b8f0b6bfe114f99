"""Just enough LDIF (RFC 2849) to read ldapsearch and to write ldapmodify; the host needs no LDAP library."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

Attributes = dict[str, list[str]]
#: One part of a DN; a comma that is escaped does not end it.
PART = re.compile(r"(?:\\.|[^\\,])+")


def parse(text: str) -> dict[str, Attributes]:
    """Return dn → attribute (as written) → values of ``ldapsearch -LLL -o ldif-wrap=no`` output; values are UTF-8 text."""
    entries: dict[str, Attributes] = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        pairs = [decode(line) for line in lines]
        if pairs and pairs[0][0] == "dn":
            attributes: Attributes = {}
            for name, value in pairs[1:]:
                attributes.setdefault(name, []).append(value)
            entries[pairs[0][1]] = attributes
    return entries


def decode(line: str) -> tuple[str, str]:
    """Split one line into name and value; ``name:: base64`` is decoded."""
    name, _, rest = line.partition(":")
    if rest.startswith(":"):
        return name, base64.b64decode(rest[1:].strip()).decode("utf-8", "replace")
    return name, rest.removeprefix(" ")


def line(name: str, value: str) -> str:
    """Write one line; what RFC 2849 does not allow as plain text goes as base64."""
    safe = value and all(32 <= ord(letter) < 127 for letter in value) and value[0] not in " :<" and value[-1] != " "
    return f"{name}: {value}\n" if safe else f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def add(dn: str, attributes: Mapping[str, list[str]]) -> str:
    """Record that adds an entry."""
    return (
        line("dn", dn) + "changetype: add\n" + "".join(line(name, value) for name, values in attributes.items() for value in values) + "\n"
    )


def replace(dn: str, attributes: Mapping[str, list[str]]) -> str:
    """Record that replaces whole attributes of an entry."""
    changes = [f"replace: {name}\n" + "".join(line(name, value) for value in values) for name, values in attributes.items()]
    return line("dn", dn) + "changetype: modify\n" + "-\n".join(changes) + "\n"


def delete(dn: str) -> str:
    """Record that removes an entry, which must have no children."""
    return line("dn", dn) + "changetype: delete\n\n"


def key(dn: str) -> str:
    """Form in which two DNs can be compared: lower case, no blanks beside the commas, one of the two escapes of RFC 4514 (2.4).

    A server gives back ``\\2C`` where ``\\,`` was written.
    """
    return ",".join(unescape(part.strip()).lower().replace("\\", "\\\\").replace(",", "\\,") for part in PART.findall(dn))


def parent(dn: str) -> str:
    """The key of the entry above."""
    return ",".join(PART.findall(key(dn))[1:])


def unescape(part: str) -> str:
    """Undo the escapes of a part of a DN: a backslash before a letter, or before the two hexadecimal digits of a byte."""
    raw = re.sub(
        rb"\\([0-9A-Fa-f]{2}|.)", lambda found: bytes.fromhex(found[1].decode()) if len(found[1]) == 2 else found[1], part.encode()
    )
    return raw.decode("utf-8", "replace")


def escape(value: str) -> str:
    """Escape a value for use in a DN (RFC 4514)."""
    escaped = "".join("\\" + letter if letter in ',+"\\<>;=' else letter for letter in value)
    return "\\" + escaped if escaped[:1] in "# " else escaped
