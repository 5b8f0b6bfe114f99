"""The EMR's database, reached through its container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .inside import Inside

# The password is in no command line and no environment: the client reads it from a pipe. The EMR itself sets no sql_mode either.
CLIENT = """exec mariadb --defaults-extra-file=/dev/fd/3 --user=root --protocol=socket --default-character-set=utf8mb4 \
--init-command="SET SESSION sql_mode=''" --batch --raw --skip-column-names "$@" 3<<END
[client]
password="$(cat /run/secrets/openemr_db_root)"
END
"""


# openemr_db_name is a variable of the lab.
FIND = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'background_services'"


def literal(text: str | None) -> str:
    """Return an SQL literal."""
    return "NULL" if text is None else "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))


class EmrDatabase:
    """SQL, as root inside the container."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._name: list[str] = []

    def _client(self, script: str, *database: str, again: bool) -> list[str]:
        return self._inside.output("openemr-db", "sh", "-euc", CLIENT, "sh", *database, stdin=script.encode(), again=again).splitlines()

    def sql(self, *statements: str) -> list[str]:
        """Run statements in one transaction; return the lines of the answers. Raises AssertionError."""
        self._name = self._name or self._client(FIND, again=True)
        assert len(self._name) == 1, f"the EMR's tables are in {len(self._name)} databases, not in one: {', '.join(self._name)}"
        script = "".join(f"{statement};\n" for statement in ("BEGIN", *statements, "COMMIT"))
        return self._client(script, *self._name, again=all(statement.startswith("SELECT") for statement in statements))

    def rows(self, columns: dict[str, str], rest: str) -> list[dict[str, Any]]:
        """Return what `SELECT <columns> <rest>` finds; columns are names and expressions."""
        pairs = ", ".join(f"{literal(name)}, {expression}" for name, expression in columns.items())
        return [json.loads(line) for line in self.sql(f"SELECT json_object({pairs}) {rest}")]

    @contextmanager
    def away(self, how: str) -> Iterator[None]:
        """The database is stopped meanwhile (`stop`), or hangs (`pause`)."""
        host, container = self._inside.host("openemr-db"), self._inside.container("openemr-db")
        self._inside.docker(host, how, container)
        try:
            yield
        finally:
            self._inside.docker(host, {"stop": "start", "pause": "unpause"}[how], container)
            self._inside.wait_healthy("openemr-db")
