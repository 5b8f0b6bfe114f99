"""What the engine keeps for itself: channels by its REST API, state, sink and notices in the Order Filler's database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .inside import Inside

# The columns are documented in docs/engine.md.
STATE = (
    "SELECT accession, study_uid, rp_id, sps_id, code, pid, control, seen, expired FROM order_state WHERE placer = '{}' ORDER BY code, occ"
)
SINK = "SELECT id, channel, reason, at, content FROM sink WHERE done_at IS NULL ORDER BY id"
# As `make close` calls a notice (plugins/modules/refused_messages.py).
NOTICES = "SELECT kind, ref, what, 'n' || left(md5(kind || ' ' || ref), 8) AS id FROM notice ORDER BY kind, ref"
EXPIRED = """
SELECT count(*) AS all, count(*) FILTER (WHERE updated > now() - interval '1 day') AS new
FROM order_state WHERE control = 'CA' AND expired IS NOT NULL
"""
# Days ago are its start and the last that was told of it.
AGE = """
UPDATE order_state SET updated = now() - make_interval(days => {0}),
  content = jsonb_set(content::jsonb, '{{start}}', to_jsonb(to_char(now() - make_interval(days => {0}), 'YYYYMMDDHH24MISS')))::text
WHERE placer = '{1}'
"""
LEFT = """
cd /hl7
find orders -type f -cmin +5
find orders-error -type f -cmin +5 ! -name '*.reason' ! -name '.*' -exec sh -c '[ -e "$1.reason" ] || printf "%s\\n" "$1"' sh {} \\;
"""
# The password reaches curl by its standard input: a command line can be read by others.
API = """
printf 'user = "admin:%s"\\n' "$(cat /run/secrets/mirth_admin)" |
  curl -fsSk --noproxy '*' -m 20 -K - -H 'X-Requested-With: verify' -H 'Accept: application/json' "https://127.0.0.1:8443/api$1"
"""


@dataclass(frozen=True)
class Channel:
    """A channel of the engine; `queued` counts messages that wait."""

    id: str
    name: str
    state: str
    queued: int


class EngineInside:
    """The engine and its databases, reached through their containers."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def _sql(self, statement: str) -> list[str]:
        client = ("psql", "-U", "filler", "-d", "filler", "-v", "ON_ERROR_STOP=1", "-Atc")
        return self._inside.output("mirth-db", *client, statement, again=statement.startswith("SELECT")).splitlines()

    def _rows(self, statement: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._sql(f"SELECT row_to_json(r) FROM ({statement}) r")]

    def state(self, number: int) -> list[dict[str, Any]]:
        """Rows of an order in the state table."""
        return self._rows(STATE.format(number))

    def age(self, number: int, days: int) -> None:
        """Let an order be of so many days ago."""
        assert self._sql(AGE.format(days, number)) != ["UPDATE 0"], f"the engine has no order {number}"

    def accessions(self, first: int, last: int) -> list[str]:
        """Accession numbers of all orders from one number to another, by order number."""
        where = f"placer::bigint BETWEEN {first} AND {last}"
        return [
            row["accession"] for row in self._rows(f"SELECT accession FROM order_state WHERE {where} ORDER BY placer::bigint, code, occ")
        ]

    def told(self, first: int, last: int) -> dict[int, list[dict[str, Any]]]:
        """Rows of all orders from one number to another in the state table, by order number."""
        columns = "placer, accession, images_at IS NOT NULL AS images"
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self._rows(f"SELECT {columns} FROM order_state WHERE placer::bigint BETWEEN {first} AND {last}"):
            found.setdefault(int(row["placer"]), []).append(row)
        return found

    def sink(self) -> list[dict[str, Any]]:
        """Refused messages that nobody has dealt with."""
        return self._rows(SINK)

    def sunk(self) -> set[tuple[str, str]]:
        """Every message that was ever refused, by channel id and number."""
        return {(row["channel_id"], row["message"]) for row in self._rows("SELECT channel_id, message FROM sink")}

    def expired(self) -> tuple[int, int]:
        """Return how many orders are off the worklist because nobody came, and how many of them since yesterday."""
        (row,) = self._rows(EXPIRED)
        return row["all"], row["new"]

    def notices(self) -> list[dict[str, Any]]:
        """What the engine noticed: images not as ordered, numbers used again, what it did not send."""
        return self._rows(NOTICES)

    def _get(self, path: str) -> list[dict[str, Any]]:
        """Return what a list of the API holds. Raises AssertionError when it does not answer."""
        answer = self._inside.output("mirth", "bash", "-c", API, "verify", path, again=True)
        # An empty list is null, one of a single thing is that thing (mirth.md §2.1).
        (held,) = (json.loads(answer)["list"] or {"nothing": []}).values()
        return held if isinstance(held, list) else [held]

    def channels(self) -> list[Channel]:
        """Every channel that the server knows."""
        rows = self._get("/channels/statuses?includeUndeployed=true")
        return [Channel(row["channelId"], row["name"], row["state"], int(row.get("queued", 0))) for row in rows]

    def errors(self) -> dict[tuple[str, str], str]:
        """The newest thousand messages in error of each channel of the lab's: channel id and number → channel."""
        (group,) = [group for group in self._get("/channelgroups") if group["name"] == "pacs-emr"]
        ours = {member["id"] for member in group["channels"]["channel"]}
        query = "status=ERROR&includeContent=false&limit=1000"
        return {
            (channel.id, str(row["messageId"])): channel.name
            for channel in self.channels()
            if channel.id in ours
            for row in self._get(f"/channels/{channel.id}/messages?{query}")
        }

    def waiting(self, channel: Channel) -> list[float]:
        """Return when each message that waits was received, in seconds since 1970.

        In a queue, or stored and not processed: that is what a database outage leaves, until the channel starts again. The file of such
        an order is read again.
        """
        rows: list[dict[str, Any]] = []
        for status, limit in (("QUEUED", channel.queued), ("RECEIVED", 0 if channel.name == "orders" else 1000)):
            query = f"status={status}&includeContent=false&limit={limit}"
            rows += self._get(f"/channels/{channel.id}/messages?{query}") if limit else []
        return [row["receivedDate"]["time"] / 1000 for row in rows]

    def left_files(self) -> list[str]:
        """Return order files that the engine does not take, and refused ones whose reason is missing, both older than five minutes."""
        return self._inside.exchange(LEFT, again=True).splitlines()
