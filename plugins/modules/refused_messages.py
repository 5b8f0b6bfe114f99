"""Refused messages and notices of the engine, in the database of the orders: list, claim, watch, close (docs/engine.md).

It runs where that database is; the engine, which processes a claimed message again (mirth_reprocess), may be on another host.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli

#: Seconds between two looks at an entry that is being processed.
PAUSE = 1.0
#: A notice has no number of its own: this names it.
NOTICE_ID = "'n' || left(md5(kind || ' ' || ref), 8)"
AGE = "extract(epoch FROM now() - at)::int AS age"
ENTRIES = f"SELECT id::text, channel, channel_id, message, reason, {AGE}, done_at, claimed_at FROM sink"
NOTICES = f"SELECT {NOTICE_ID} AS id, kind, what, {AGE} FROM notice"
#: One who claimed it and died is waited for no longer.
FREE = "done_at IS NULL AND (claimed_at IS NULL OR claimed_at < now() - interval '1 minute')"
#: What to do about a notice.
ADVICE = {
    "not as ordered": "put right the study or the order, then make close ID={0}",
    "not as in the EMR": "transmit the order again, or cancel it; it goes by itself",
    "cancellations stopped": "raise mirth_cancel_limit if they are meant, and run site.yml; it goes by itself",
    "EMR not read": "mend the EMR's database, mirth_emr_url, mirth_emr_user or its password; it goes by itself",
}
REPROCESS = "mend its cause, then make reprocess ID={0}; or make close ID={0}"


class WrongIdError(Exception):
    """An id that names nothing."""


def main() -> None:
    """Returns ``lines``, what an operator reads; ``claim`` returns ``entries`` too, those that are this run's to process."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "verb": {"type": "str", "choices": ["list", "claim", "wait", "close"], "required": True},
            # Numbers of entries, ids of notices; `all` for all open entries (claim).
            "ids": {"type": "list", "elements": "str", "default": []},
            # Of `wait`: those that this run processes.
            "claimed": {"type": "list", "elements": "str", "default": []},
            "patience": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        book = Book(docker_cli.container_id(given["project"], "mirth-db"), module.check_mode)
        match given["verb"]:
            case "list":
                answer = {"lines": book.listed()}
            case "claim":
                answer = book.claim(given["ids"])
            case "wait":
                answer = book.wait(given["ids"], given["claimed"], given["patience"])
            case _:
                answer = book.close(given["ids"])
    except (docker_cli.DockerError, WrongIdError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**{"changed": False, **answer})


class Book:
    """The tables `sink` and `notice`."""

    def __init__(self, container: str, check: bool) -> None:
        self.container, self.check = container, check

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Return a statement's rows. Raises DockerError with what the database says."""
        sql = f"WITH r AS ({statement}) SELECT row_to_json(r) FROM r"
        command = ["exec", self.container, "psql", "-XqAt", "-U", "filler", "-d", "filler", "-v", "ON_ERROR_STOP=1", "-c", sql]
        return [json.loads(line) for line in docker_cli.run(command).splitlines()]

    def listed(self) -> list[str]:
        """Return two lines for each open entry and each notice: what it is, and what to do."""
        found = []
        for row in self.rows(f"{ENTRIES} WHERE done_at IS NULL ORDER BY sink.id"):
            found += [f"{row['id']}: {row['channel']}, {age(row['age'])} ago: {row['reason']}", f"    {REPROCESS.format(row['id'])}"]
        for row in self.rows(f"{NOTICES} ORDER BY at"):
            advice = ADVICE.get(row["kind"], "look at it; then make close ID={0}").format(row["id"])
            found += [f"{row['id']}: {row['kind']}, {age(row['age'])} ago: {row['what']}", f"    {advice}"]
        return found or ["Nothing is refused, and nothing is noticed"]

    def entries(self, ids: list[str]) -> list[dict[str, Any]]:
        """Return entries by number. Raises WrongIdError for one that is not there."""
        wrong = [one for one in ids if not re.fullmatch(r"\d{1,18}", one)]
        if wrong or not ids:
            raise WrongIdError(f"'{' '.join(wrong)}' is no number of a refused message, as `make refused` lists them")
        found = self.rows(f"{ENTRIES} WHERE id IN ({', '.join(ids)}) ORDER BY sink.id")
        gone = set(map(int, ids)) - {int(row["id"]) for row in found}
        if gone:
            raise WrongIdError(f"there is no refused message {', '.join(map(str, sorted(gone)))}: `make refused` lists them")
        return found

    def claim(self, ids: list[str]) -> dict[str, Any]:
        """Take the entries that nobody else is processing."""
        if ids == ["all"]:
            ids = [row["id"] for row in self.rows(f"{ENTRIES} WHERE done_at IS NULL ORDER BY sink.id")]
            if not ids:
                return {"entries": [], "ids": [], "lines": ["Nothing is refused"]}
        self.entries(ids)
        where = f"WHERE id IN ({', '.join(ids)}) AND {FREE}"
        columns = "id::text, channel_id, message"
        claim = f"UPDATE sink SET claimed_at = now() {where} RETURNING {columns}"
        claimed = sorted(self.rows(f"SELECT {columns} FROM sink {where}" if self.check else claim), key=lambda row: int(row["id"]))
        lines = [f"{row['id']}: would be processed again" for row in claimed]
        return {"changed": bool(claimed), "entries": claimed, "ids": ids, "lines": lines or ["Nothing would be done"]}

    def wait(self, ids: list[str], claimed: list[str], patience: int) -> dict[str, Any]:
        """Watch entries until each is done, or refused again, or ``patience`` (seconds) is over."""
        end = time.monotonic() + patience
        while True:
            found = self.entries(ids)
            waiting = [row for row in found if not row["done_at"] and row["claimed_at"]]
            if not waiting or time.monotonic() > end:
                break
            time.sleep(PAUSE)
        refused = [row for row in found if not row["done_at"] and not row["claimed_at"]]
        lines = [f"{row['id']}: {outcome(row, row['id'] in claimed, patience)}" for row in found]
        return {"lines": lines, "refused": [row["id"] for row in refused]}

    def close(self, ids: list[str]) -> dict[str, Any]:
        """Settle entries and notices that need nothing any more."""
        notices = [one for one in ids if re.fullmatch(r"n[0-9a-f]{8}", one)]
        lines, changed = [], False
        numbers = [one for one in ids if one not in notices]
        entries = self.entries(numbers) if numbers or not ids else []
        present = {row["id"] for row in self.rows(NOTICES)} if notices else set()
        for row in entries:
            lines.append(f"{row['id']}: " + ("was done before" if row["done_at"] else "closed"))
            changed |= not row["done_at"]
        for one in notices:
            lines.append(f"{one}: " + ("closed" if one in present else "is no notice, or no longer"))
            changed |= one in present
        if changed and not self.check:
            if numbers:
                where = f"WHERE id IN ({', '.join(numbers)}) AND done_at IS NULL"
                self.rows(f"UPDATE sink SET done_at = now(), content = '' {where} RETURNING id")
            for one in notices:
                self.rows(f"DELETE FROM notice WHERE {NOTICE_ID} = '{one}' RETURNING ref")
        return {"changed": changed, "lines": lines}


def outcome(row: dict[str, Any], ours: bool, patience: int) -> str:
    """Text of what became of an entry."""
    if row["done_at"]:
        return "processed, it is done" if ours else "is done already, nothing was changed"
    if row["claimed_at"]:
        return f"not over after {patience} s: it waits in its queue until what it needs is back (make verify shows the queues)"
    return f"refused again: {row['reason']}"


def age(seconds: int) -> str:
    """Text of a span of time in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


if __name__ == "__main__":
    main()
