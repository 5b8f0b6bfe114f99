"""The engine itself: its channels run, nothing waits, nothing was refused unseen."""

from __future__ import annotations

import pytest

from .engine import EngineInside

pytestmark = [pytest.mark.reads, pytest.mark.proves("mirth")]


def test_every_channel_is_started(engine: EngineInside) -> None:
    wrong = {channel.name: channel.state for channel in engine.channels() if channel.state != "STARTED"}
    assert not wrong, f"channels of the engine that do not run: {wrong}"


def test_refused_messages_are_counted(engine: EngineInside, notes: list[str]) -> None:
    """They are no failure of the lab, but somebody has to look."""
    refused, noticed = engine.sink(), engine.notices()
    notes.append(f"error sink: {len(refused)} messages wait for somebody (docs/engine.md)")
    notes.extend(f"  {row['at']} {row['channel']}: {row['reason']}" for row in refused[-10:])
    notes.extend(f"notice, {row['kind']}: {row['what']}" for row in noticed[-10:])
