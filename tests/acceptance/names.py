"""Names of the lab that the name server of this machine does not know: the suite finds their addresses in LAB_ENDPOINTS."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

_resolve = socket.getaddrinfo


def unknown(names: Mapping[str, str]) -> dict[str, str]:
    """Return those of name → address whose name means nothing here."""
    found = {}
    for name, address in names.items():
        try:
            _resolve(name, None)
        except socket.gaierror:
            found[name] = address
    return found


def teach(names: Mapping[str, str]) -> None:
    """Let Python find name → address; Chromium is told by `rules`."""

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        return _resolve(names.get(host, host), *arguments, **more)

    socket.getaddrinfo = resolve


def rules(names: Mapping[str, str]) -> list[str]:
    """Return the option by which Chromium finds name → address."""
    return [f"--host-resolver-rules={', '.join(f'MAP {name} {address}' for name, address in names.items())}"] if names else []
