"""The engine itself: its channels run, nothing waits, nothing was refused unseen."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from waiting import wait_for

from .engine import EngineInside
from .lab import Engine

pytestmark = [pytest.mark.reads, pytest.mark.proves("mirth")]
# Until the sink has written down what was refused just now.
SINK_SECONDS = 15
# Seconds after which a waiting message needs somebody to look: its receiver is away, or refuses for a time.
QUEUE_SECONDS = 300


def test_every_channel_is_started(engine: EngineInside) -> None:
    wrong = {channel.name: channel.state for channel in engine.channels() if channel.state != "STARTED"}
    assert not wrong, f"channels of the engine that do not run: {wrong}"


def test_nothing_waits_for_minutes(engine: EngineInside) -> None:
    waiting = {}
    for channel in engine.channels():
        since = engine.waiting(channel)
        if since and time.time() - min(since) > QUEUE_SECONDS:
            waiting[channel.name] = f"{len(since)} messages, the first for {(time.time() - min(since)) / 60:.0f} minutes"
    assert not waiting, f"queues of the engine that do not drain, or messages that it stored and did not process: {waiting}"


def test_no_order_file_is_left(engine: EngineInside) -> None:
    left = engine.left_files()
    assert not left, f"order files that the engine does not take (no .txt, empty, not readable?), or refused without a reason: {left}"


def test_nothing_was_refused_unseen(engine: EngineInside) -> None:
    """A message in error that is not in the sink is one of which nobody is told."""
    errors = engine.errors()

    def complaint() -> str:
        unseen = errors.keys() - engine.sunk()
        named = sorted(f"{errors[one]} {one[1]}" for one in unseen)
        return f"{len(unseen)} messages in error that the sink does not have: {', '.join(named[:10])}" if unseen else ""

    wait_for(complaint, SINK_SECONDS)


def test_the_emr_can_be_read(engine: EngineInside, lab_engine: Engine) -> None:
    if not lab_engine.reads_emr:
        pytest.skip("the engine reads no EMR (mirth_emr_url)")
    wrong = [row["what"] for row in engine.notices() if row["kind"] == "EMR not read"]
    assert not wrong, f"the engine cannot read the EMR's database: {'; '.join(wrong)}"


def advice(what: str) -> str:
    """Return what to do about a study that is not as ordered, by the words of its notice."""
    if what.startswith("study "):
        return "if that patient was examined, correct number and accession number of the images; else give them to an order of his own"
    if ", which is order " in what:
        return "the modality did not take the study UID from the worklist: give the images the one that was ordered"
    return (
        "find out whose images they are, order the examination, and give the images patient, accession number and study UID of that order"
    )


def test_studies_that_are_not_as_ordered_are_listed(engine: EngineInside, notes: list[str]) -> None:
    """All of them: each is somebody's images that nobody sees in the chart."""
    found = [row for row in engine.notices() if row["kind"] == "not as ordered"]
    notes.append(f"studies that are not as ordered: {len(found)} (docs/when-something-is-refused.md)")
    for row in found:
        notes += [f"  {row['id']}: {row['what']}", f"    → {advice(row['what'])}; then make close ID={row['id']}"]


def test_orders_that_nobody_came_for_are_counted(engine: EngineInside, lab_engine: Engine, notes: list[str]) -> None:
    total, recent = engine.expired()
    notes.append(f"orders off the worklist (mirth_worklist_days: {lab_engine.worklist_days}): {total}, {recent} of them since yesterday")


def test_refused_messages_are_counted(engine: EngineInside, notes: list[str]) -> None:
    """They are no failure of the lab, but somebody has to look."""
    refused, noticed = engine.sink(), [row for row in engine.notices() if row["kind"] != "not as ordered"]
    # The engine does not do what it should until somebody has looked: this one first, however many others there are.
    noticed.sort(key=lambda row: row["kind"] == "cancellations stopped")
    notes.append(f"error sink: {len(refused)} messages wait for somebody (docs/engine.md)")
    notes.extend(f"  {row['at']} {row['channel']}: {row['reason']}" for row in refused[-10:])
    kinds = Counter(row["kind"] for row in noticed)
    notes.extend(f"notices, {kind}: {count}" for kind, count in kinds.items())
    notes.extend(f"  {row['kind']}: {row['what']}" for row in noticed[-10:])
