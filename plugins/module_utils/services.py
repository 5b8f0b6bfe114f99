"""The lab's services as their roles describe them in ``roles/<service>/service.yml``."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.pacs_emr.lab.plugins.module_utils.secrets import DIGEST_KEY

ROLES = Path(__file__).resolve().parents[2] / "roles"


@dataclass(frozen=True)
class Service:
    """One service. Names of variables stand for their values; ``data`` and ``shares`` are volumes, ``secrets`` keys of the secrets file.

    ``certificate`` is what its certificate has that others have not: ``key``, ``client``, ``fronts``.
    """

    name: str
    image: str
    memory: str
    publishes: list[str]
    after: list[str]
    data: list[str]
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_boot: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)
    certificate: dict[str, Any] = field(default_factory=dict)

    def front_names(self, domain: str) -> list[str]:
        """Return the names by which the lab's users call it: a domain and the ``fronts`` below it; none where it has no fronts."""
        fronts = self.certificate.get("fronts")
        return [domain, *(f"{front}.{domain}" for front in fronts)] if fronts else []

    def mounts(self, over: Callable[[str], bool]) -> list[tuple[str, str, int]]:
        """``(file below /run/secrets, key, uid that opens it)`` of each secret that the container sees as a file.

        :param over: whether a variable is true: a secret with ``until`` is a file only until then
        """
        return [
            (how["mount"], key, int(how["uid"]))
            for key, how in sorted(self.secrets.items())
            if "mount" in how and not ("until" in how and over(how["until"]))
        ]


def load(name: str, roles: Path = ROLES) -> Service:
    """Read the description of one service.

    :raises FileNotFoundError: the role has no service.yml
    :raises TypeError: it has a key that is not known, or lacks one
    """
    described = yaml.safe_load((roles / name / "service.yml").read_text(encoding="utf-8"))
    return Service(name=name, **described)


def load_all(names: list[str], roles: Path = ROLES) -> dict[str, Service]:
    """Read the descriptions of several services, in the order given."""
    return {name: load(name, roles) for name in names}


def account_secret(name: str) -> str:
    """Key of the first password of an account of login_accounts."""
    return f"login_account_{name}"


def secret_keepers(services: dict[str, Service], accounts: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return each key that the secrets file must have, with the services whose data only its first value opens (``first_boot``).

    A key without any may be made anew at any time: every run brings its value to where it is used. The digest key is kept by the
    records of all that keep one.

    :param accounts: names in login_accounts, which count where the login is one of the services
    """
    keys = {
        key: [keeper.name for keeper in services.values() if key in keeper.first_boot] for user in services.values() for key in user.secrets
    }
    keys |= {account_secret(name): [] for name in accounts if "login" in services}
    return {DIGEST_KEY: sorted({name for names in keys.values() for name in names})} | keys


def keyed_digest(key: str, content: str) -> str:
    """Digest that may be shown (labels, records): without the lab's key nobody can try passwords against it."""
    return hmac.digest(key.encode(), content.encode(), "sha256").hex()


def first_boot_record(service: Service, variables: dict[str, Any], secrets: dict[str, str]) -> dict[str, str]:
    """Return what must not change after the first boot: plain values of variables, keyed digests of secrets."""
    return {
        name: f"digest {keyed_digest(secrets[DIGEST_KEY], name + secrets[name])}" if name in service.secrets else str(variables[name])
        for name in service.first_boot
    }
