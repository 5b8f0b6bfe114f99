"""The engine itself: its channels run, nothing waits, nothing was refused unseen."""

from __future__ import annotations

import time

import pytest

from .engine import EngineInside
from .lab import Engine

pytestmark = [pytest.mark.reads, pytest.mark.proves("mirth")]
# Seconds after which a waiting message needs somebody to look: its receiver is away, or refuses for a time.
QUEUE_SECONDS = 300


def test_every_channel_is_started(engine: EngineInside) -> None:
    wrong = {channel.name: channel.state for channel in engine.channels() if channel.state != "STARTED"}
    assert not wrong, f"channels of the engine that do not run: {wrong}"


def test_nothing_waits_for_minutes(engine: EngineInside) -> None:
    since = {channel.name: (channel.queued, engine.waits_since(channel)) for channel in engine.channels()}
    waiting = {
        name: f"{queued} messages, the first for {(time.time() - when) / 60:.0f} minutes"
        for name, (queued, when) in since.items()
        if when is not None and time.time() - when > QUEUE_SECONDS
    }
    assert not waiting, f"queues of the engine that do not drain: {waiting}"


def test_the_emr_can_be_read(engine: EngineInside, lab_engine: Engine) -> None:
    if not lab_engine.reads_emr:
        pytest.skip("the engine reads no EMR (mirth_emr_url)")
    wrong = [row["what"] for row in engine.notices() if row["kind"] == "EMR not read"]
    assert not wrong, f"the engine cannot read the EMR's database: {'; '.join(wrong)}"


def test_refused_messages_are_counted(engine: EngineInside, notes: list[str]) -> None:
    """They are no failure of the lab, but somebody has to look."""
    refused, noticed = engine.sink(), engine.notices()
    # The engine does not do what it should until somebody has looked: this one first, however many others there are.
    noticed.sort(key=lambda row: row["kind"] == "cancellations stopped")
    notes.append(f"error sink: {len(refused)} messages wait for somebody (docs/engine.md)")
    notes.extend(f"  {row['at']} {row['channel']}: {row['reason']}" for row in refused[-10:])
    notes.extend(f"notice, {row['kind']}: {row['what']}" for row in noticed[-10:])
