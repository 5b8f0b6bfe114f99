"""Values of variables as a host sees them, for action plugins."""

from __future__ import annotations

from typing import Any

from ansible.template import trust_as_template
from ansible_collections.pacs_emr.lab.plugins.module_utils.services import Service


def value_of(templar: Any, name: str) -> Any:
    """Return the value of a variable; ``templar`` is that of the action."""
    return templar.template(trust_as_template("{{ " + name + " }}"))


def first_boot_values(templar: Any, service: Service) -> dict[str, Any]:
    """Return the variables, without secrets, that a service reads at its first boot only."""
    return {name: value_of(templar, name) for name in service.first_boot if name not in service.secrets}
