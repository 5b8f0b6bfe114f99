"""The lab's secrets file: which keys it must have, what a value may look like, how a missing one is made."""

from __future__ import annotations

import re
import secrets as random
import string

import yaml

#: Keyed digests in labels and records; never mounted anywhere.
DIGEST_KEY = "lab_digest_key"
#: Three upstream entrypoints break on anything else (design rule 6); a leading hyphen reads as an option.
ALPHABET = string.ascii_letters + string.digits + "._-"
SHORTEST, LONGEST = 8, 128
ALLOWED = f"{SHORTEST} to {LONGEST} characters out of A-Z a-z 0-9 . _ - that do not begin with a hyphen"
PATTERN = re.compile(rf"[A-Za-z0-9._][A-Za-z0-9._-]{{{SHORTEST - 1},{LONGEST - 1}}}\Z")


def generate(length: int) -> str:
    """Make a secret of ``length`` characters that begins with a letter or digit."""
    first = random.choice(string.ascii_letters + string.digits)
    return first + "".join(random.choice(ALPHABET) for _ in range(length - 1))


def problem(value: object) -> str | None:
    """Say what is wrong with a value, without showing it; ``None`` if nothing is."""
    if value is None or value == "":
        return "is empty"
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not a text: put it into quotes"
    if not PATTERN.match(value):
        return f"must have {ALLOWED}"
    return None


def lines(values: dict[str, str], encrypted: dict[str, str] | None = None) -> str:
    """Return YAML lines to append to the secrets file; ``encrypted`` gives the vault text of a value where it has one."""
    text = ""
    for key, value in values.items():
        vault = (encrypted or {}).get(key)
        text += (
            f"{key}: !vault |\n" + "".join(f"  {line}\n" for line in vault.splitlines())
            if vault
            else f"{key}: {yaml.safe_dump(value).splitlines()[0]}\n"
        )
    return text
