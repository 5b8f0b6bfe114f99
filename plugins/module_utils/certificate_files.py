"""Where a service's certificate lies on its host, and how it is told apart whether the service has taken it up."""

from __future__ import annotations

import os
from typing import Any

#: Folder below the lab's root: an empty file for each service that still serves the certificate before.
PENDING = "certificates-pending"


def files(certificate: dict[str, Any]) -> dict[str, str]:
    """Return path below the service's folder → content.

    The folder ``tls`` is mounted as a whole: a file that is mounted alone would keep its old content in the container. HAProxy finds
    the key beside the certificate by these names (``ssl-load-extra-del-ext``).
    """
    return {"tls/trust.pem": certificate["trust"], "tls/service.crt": certificate["chain"], "tls/service.key": certificate["key"]}


def marker(root: str, service: str) -> str:
    """Return the path of a service's marker. It is as old as the newest of the files: a container that started later has read them."""
    return os.path.join(root, PENDING, service)
