"""plugins/modules/refused_messages.py and mirth_reprocess.py: tables behind a Docker command line that plays along; the engine's API.

What the statements themselves do, PostgreSQL shows in molecule/default/tests/test_7_refused_messages.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import mirth_reprocess, refused_messages

from .mirth_server import Mirth, served
from .support import run_module

CHANNEL = "6f0a0001-0000-4000-8000-000000000004"
MESSAGES = [{"id": "17", "channel_id": CHANNEL, "message": "5"}]


class Tables:
    """`sink` and `notice`: answers by the kind of statement, and remembers those that write."""

    def __init__(self) -> None:
        self.sink: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.runs = True

    def entry(self, number: int, **other: Any) -> dict[str, Any]:
        row = {"id": str(number), "channel": "results", "channel_id": CHANNEL, "message": str(number), "reason": "unknown order: 7"}
        self.sink.append(row | {"age": 7300, "done_at": None, "claimed_at": None} | other)
        return self.sink[-1]

    def run(self, args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        if args[0] == "ps":
            return "abc\n" if self.runs else ""
        (statement,) = re.findall(r"^WITH r AS \((.*)\) SELECT row_to_json\(r\) FROM r$", args[-1])
        if re.match("UPDATE|DELETE", statement):
            self.writes.append(statement)
        if "FROM notice" in statement:
            return "".join(json.dumps(row) + "\n" for row in self.notices)
        numbers = re.search(r"WHERE id IN \(([\d, ]+)\)", statement)
        named = [row for row in self.sink if numbers is None or row["id"] in numbers[1].split(", ")]
        if "claimed_at <" in statement:
            named = [row for row in named if not row["done_at"] and not row["claimed_at"]]
        elif numbers is None:
            named = [row for row in named if not row["done_at"]]
        return "".join(json.dumps(row) + "\n" for row in named)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    found = Tables()
    monkeypatch.setattr(docker_cli, "run", found.run)
    return found


def run(home: Path, verb: str, *ids: str, check: bool = False, **more: Any) -> dict[str, Any]:
    return run_module(refused_messages, home, check, project="p", verb=verb, ids=list(ids), **more)


def test_the_list_says_what_to_do_about_each(tmp_path: Path, tables: Tables) -> None:
    assert run(tmp_path, "list")["lines"] == ["Nothing is refused, and nothing is noticed"]
    tables.entry(17)
    tables.entry(18, done_at="2026-11-25")
    tables.notices = [
        {"id": "n0a1b2c3d", "kind": "not sent", "what": "order 7: CA not sent", "age": 90},
        {"id": "n11111111", "kind": "cancellations stopped", "what": "9 orders", "age": 3 * 86400},
        {"id": "n22222222", "kind": "not as ordered", "what": "no order has the study UID 1.2.3", "age": 4 * 86400},
    ]
    answer = run(tmp_path, "list")
    assert answer["changed"] is False
    assert answer["lines"] == [
        "17: results, 2 h ago: unknown order: 7",
        "    mend its cause, then make reprocess ID=17; or make close ID=17",
        "n0a1b2c3d: not sent, 1 min ago: order 7: CA not sent",
        "    look at it; then make close ID=n0a1b2c3d",
        "n11111111: cancellations stopped, 3 d ago: 9 orders",
        "    raise mirth_cancel_limit if they are meant, and run site.yml; it goes by itself",
        "n22222222: not as ordered, 4 d ago: no order has the study UID 1.2.3",
        "    put right the study or the order, then make close ID=n22222222",
    ]


def test_a_claim_takes_what_is_open_and_free(tmp_path: Path, tables: Tables) -> None:
    tables.entry(17)
    tables.entry(18, claimed_at="2026-11-25")
    tables.entry(19, done_at="2026-11-25")
    answer = run(tmp_path, "claim", "17", "18", "19")
    assert answer["changed"] is True
    assert [row["id"] for row in answer["entries"]] == ["17"]
    assert answer["ids"] == ["17", "18", "19"]
    assert len(tables.writes) == 1
    assert run(tmp_path, "claim", "18", "19")["changed"] is False
    assert run(tmp_path, "claim", "all")["ids"] == ["17", "18"]


def test_a_check_claims_and_closes_nothing(tmp_path: Path, tables: Tables) -> None:
    tables.entry(17)
    answer = run(tmp_path, "claim", "17", check=True)
    assert answer["changed"] is True
    assert answer["lines"] == ["17: would be processed again"]
    assert run(tmp_path, "close", "17", check=True)["changed"] is True
    assert tables.writes == []


def test_all_of_nothing_is_nothing(tmp_path: Path, tables: Tables) -> None:
    answer = run(tmp_path, "claim", "all")
    assert answer["changed"] is False
    assert answer["lines"] == ["Nothing is refused"]


def test_what_became_of_each_is_said(tmp_path: Path, tables: Tables) -> None:
    tables.entry(17, done_at="2026-11-25")
    tables.entry(18, done_at="2026-11-25")
    tables.entry(19, reason="wrong patient")
    tables.entry(20, claimed_at="2026-11-25")
    answer = run(tmp_path, "wait", "17", "18", "19", "20", claimed=["17", "19"], patience=0)
    assert answer["changed"] is False
    assert answer["refused"] == ["19"]
    assert answer["lines"] == [
        "17: processed, it is done",
        "18: is done already, nothing was changed",
        "19: refused again: wrong patient",
        "20: not over after 0 s: it waits in its queue until what it needs is back (make verify shows the queues)",
    ]


def test_closing_again_changes_nothing(tmp_path: Path, tables: Tables) -> None:
    entry = tables.entry(17)
    tables.notices = [{"id": "n0a1b2c3d"}]
    answer = run(tmp_path, "close", "17", "n0a1b2c3d")
    assert answer["changed"] is True
    assert answer["lines"] == ["17: closed", "n0a1b2c3d: closed"]
    assert [statement.split()[0] for statement in tables.writes] == ["UPDATE", "DELETE"]
    assert "content = ''" in tables.writes[0], "what needs nothing any more is still readable"
    entry["done_at"], tables.notices = "2026-11-25", []
    answer = run(tmp_path, "close", "17", "n0a1b2c3d")
    assert answer["changed"] is False
    assert answer["lines"] == ["17: was done before", "n0a1b2c3d: is no notice, or no longer"]
    assert len(tables.writes) == 2


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("claim", "18", "there is no refused message 18"),
        ("claim", "1); DROP TABLE sink; --", "is no number of a refused message"),
        ("claim", "n0a1b2c3d", "'n0a1b2c3d' is no number"),
        ("close", "all", "'all' is no number"),
    ],
)
def test_an_id_that_names_nothing(verb: str, given: str, said: str, tmp_path: Path, tables: Tables) -> None:
    tables.entry(17)
    answer = run(tmp_path, verb, given)
    assert said in answer["msg"]
    assert tables.writes == []


def test_where_no_lab_is(tmp_path: Path, tables: Tables) -> None:
    tables.runs = False
    assert "no container of service 'mirth-db' runs" in run(tmp_path, "list")["msg"]


# --- the engine ------------------------------------------------------------------------------------------------------


def test_messages_are_processed_again_under_their_number(tmp_path: Path) -> None:
    mirth = Mirth()
    with served(mirth) as url:
        answer = run_module(mirth_reprocess, tmp_path, url=url, password="admin", messages=MESSAGES)
        assert answer["changed"] is True
        assert mirth.writes == [f"POST /channels/{CHANNEL}/messages/5/_reprocess"]


def test_a_check_and_a_look_ask_for_nothing(tmp_path: Path) -> None:
    mirth = Mirth()
    with served(mirth) as url:
        assert run_module(mirth_reprocess, tmp_path, True, url=url, password="admin", messages=MESSAGES)["changed"] is True
        assert run_module(mirth_reprocess, tmp_path, url=url, password="admin")["changed"] is False
    assert mirth.writes == []


def test_a_message_that_waits_in_its_queue_is_left_there(tmp_path: Path) -> None:
    mirth = Mirth()
    mirth.queued = {"5"}
    with served(mirth) as url:
        for check in (True, False):
            assert run_module(mirth_reprocess, tmp_path, check, url=url, password="admin", messages=MESSAGES)["changed"] is False
    assert mirth.writes == []


def test_a_message_that_the_engine_does_not_take_is_named(tmp_path: Path) -> None:
    mirth = Mirth()
    mirth.lost = {"5"}
    with served(mirth) as url:
        answer = run_module(
            mirth_reprocess, tmp_path, url=url, password="admin", messages=[*MESSAGES, MESSAGES[0] | {"id": "18", "message": "6"}]
        )
    assert answer["changed"] is True
    assert list(answer["errors"]) == ["17"]
    assert answer["errors"]["17"].startswith("17: not taken, POST ")
    assert len(mirth.writes) == 2


def test_a_wrong_password_says_which_secret(tmp_path: Path) -> None:
    with served(Mirth()) as url:
        assert "mirth_admin_password" in run_module(mirth_reprocess, tmp_path, url=url, password="no")["msg"]


def test_an_engine_that_is_away(tmp_path: Path, tables: Tables) -> None:
    with served(Mirth()) as url:
        gone = url
    assert "the engine does not answer at" in run_module(mirth_reprocess, tmp_path, url=gone, password="admin")["msg"]
    tables.runs = False
    assert "no container of service 'mirth' runs" in run_module(mirth_reprocess, tmp_path, project="p", password="admin")["msg"]
