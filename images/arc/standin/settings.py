"""What the container's environment and command line say, and the log that follows from them."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STANDALONE = Path("/opt/wildfly/standalone")
FORMAT = "%(asctime)s %(levelname)-5s [%(name)s] %(message)s"


@dataclass(frozen=True)
class Settings:
    """The variables of upstream's image that have a meaning here (dcm4chee.md §1.1)."""

    ldap_urls: list[str]
    ldap_base: str
    ldap_password: str
    device: str
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str
    http_port: int
    http_max_body: int
    behind_proxy: bool
    allow_headers: str
    expose_headers: str

    @staticmethod
    def from_environment() -> Settings:
        """Read the environment; secrets are there, the entrypoint has read their files. Raises ValueError on a malformed one."""
        env = os.environ
        urls = env.get("LDAP_URL", "ldap://ldap:389").split()
        if not urls or any(not url.startswith("ldap://") for url in urls):
            raise ValueError(f"LDAP_URL={' '.join(urls)}: this stand-in speaks ldap:// only")
        return Settings(
            ldap_urls=urls,
            ldap_base=env.get("LDAP_BASE_DN", "dc=dcm4che,dc=org"),
            ldap_password=env["LDAP_ROOTPASS"],
            device=env.get("ARCHIVE_DEVICE_NAME") or "dcm4chee-arc",
            database_host=env.get("POSTGRES_HOST") or "db",
            database_port=int(env.get("POSTGRES_PORT") or 5432),
            database_name=env.get("POSTGRES_DB") or "pacsdb",
            database_user=env["POSTGRES_USER"],
            database_password=env["POSTGRES_PASSWORD"],
            http_port=int(env.get("HTTP_PORT") or 8080),
            http_max_body=int(env.get("HTTP_MAX_POST_SIZE") or 10_000_000_000),
            behind_proxy=env.get("HTTP_PROXY_ADDRESS_FORWARDING") == "true",
            allow_headers=env.get("ACCESS_CONTROL_ALLOW_HEADERS") or "origin, content-type, accept, authorization",
            expose_headers=env.get("ACCESS_CONTROL_EXPOSE_HEADERS") or "content-type, content-length, warning",
        )


def yaml_option(arguments: list[str]) -> Path | None:
    """Return the file of --yaml. Raises ValueError for an option that standalone.sh would act on and this stand-in lacks."""
    rest = iter(arguments)
    path = None
    for argument in rest:
        if argument in ("-b", "-bmanagement"):
            if (address := next(rest, "")) != "0.0.0.0":
                raise ValueError(f"{argument} {address}: this stand-in listens on 0.0.0.0 only")
        elif argument.startswith("--yaml="):
            path = Path(argument.removeprefix("--yaml="))
        else:
            raise ValueError(f"unknown option {argument}; this stand-in knows -b, -bmanagement and --yaml=")
    return path


def configure_log(path: Path | None) -> None:
    """Log to standalone/log/server.log, or where the root logger's handlers in the YAML file say (dcm4chee.md §9.3).

    Raises ValueError when the file is missing, no YAML, or names a handler other than FILE and CONSOLE.
    """
    logging_section = _logging_section(path) if path else {}
    root = (logging_section.get("root-logger") or {}).get("ROOT") or {}
    levels = {name: options.get("level", "INFO") for name, options in (logging_section.get("logger") or {}).items()}
    handlers = root.get("handlers", ["FILE"])
    if unknown := set(handlers) - {"FILE", "CONSOLE"}:
        raise ValueError(f"{path}: unknown log handlers {sorted(unknown)}; this stand-in knows FILE and CONSOLE")
    outputs: list[logging.Handler] = []
    if "CONSOLE" in handlers:
        outputs.append(logging.StreamHandler(sys.stdout))
    if "FILE" in handlers:
        # One file a day, none deleted, as upstream (dcm4chee.md §8.2).
        outputs.append(logging.handlers.TimedRotatingFileHandler(STANDALONE / "log" / "server.log", when="midnight", encoding="utf-8"))
    logging.Formatter.converter = time.localtime
    logging.basicConfig(level=_level(root.get("level", "INFO")), format=FORMAT, handlers=outputs)
    # Libraries repeat at INFO what our own lines say, pynetdicom with the patients' names.
    for library in ("pynetdicom", "aiohttp", "psycopg", "pydicom"):
        logging.getLogger(library).setLevel(logging.ERROR)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(_level(level))


def _level(name: str) -> int:
    """Return Python's level for WildFly's name. Raises ValueError for an unknown one."""
    level = {"WARN": "WARNING", "FATAL": "CRITICAL", "TRACE": "DEBUG", "ALL": "DEBUG", "OFF": "CRITICAL"}.get(name, name)
    number = logging.getLevelNamesMapping().get(level)
    if number is None:
        raise ValueError(f"unknown log level {name}")
    return number


def _logging_section(path: Path) -> dict[str, Any]:
    """Return wildfly-configuration.subsystem.logging of a YAML file. Raises ValueError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        section = content["wildfly-configuration"]["subsystem"]["logging"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"--yaml={path}: {error!r}") from error
    if not isinstance(section, dict):
        raise ValueError(f"--yaml={path}: wildfly-configuration.subsystem.logging is no mapping")
    return section
