"""Write docs/variables.md from the roles' argument specs and defaults: ``variables.py``; ``variables.py --check`` fails on drift."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "variables.md"
#: Roles in the order in which an operator meets them.
ROLES = ["lab", "ldap", "pacs_db", "arc", "mirth_db", "mirth", "openemr_db", "openemr", "ohif", "edge", "login", "ca", "docker"]
HEAD = """# Variables

<!-- Made by scripts/variables.py from the roles' argument specs and defaults: changes here are lost. -->

Set them in `inventory/<lab>/group_vars/all/lab.yml`; all that it does not say has the default shown. A name that is not here, a value
of the wrong type and a name of an earlier release stop the run before anything changes. Secrets have a file of their own
([secrets.md](secrets.md)).
"""


def defaults_of(role: str) -> dict[str, Any]:
    """Return the defaults of a role; linked files of other roles are left to those."""
    folder = PROJECT / "roles" / role / "defaults"
    files = [folder / "main.yml", *sorted((folder / "main").glob("*.yml"))]
    found: dict[str, Any] = {}
    for file in (file for file in files if file.exists() and not file.is_symlink()):
        found |= yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return found


def shown(value: Any) -> str:
    """Text of a default in a table cell."""
    if isinstance(value, dict) and len(value) > 3:
        return "(table)"
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{text}`".replace("|", "\\|") if text != "" else "(empty)"


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for role in ROLES:
        specs = PROJECT / "roles" / role / "meta" / "argument_specs.yml"
        spec = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"]
        defaults = defaults_of(role)
        rows = [f"\n## {role}\n\n{spec['short_description']}.\n\n| variable | type | default | |\n|---|---|---|---|\n"]
        for name, option in spec["options"].items():
            kind = f"list of {option['elements']}" if option.get("elements") else option["type"]
            choices = f" One of {', '.join(option['choices'])}." if option.get("choices") else ""
            fields = "".join(f" `{field}`: {detail['description']}" for field, detail in option.get("options", {}).items())
            default = shown(defaults[name]) if name in defaults else ""
            rows.append(f"| `{name}` | {kind} | {default} | {option['description']}{choices}{fields} |\n")
        parts.append("".join(rows))
    return "".join(parts)


def main() -> int:
    """Write or compare; returns the exit code."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE.relative_to(PROJECT)} is not what the argument specs say: run scripts/variables.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
