"""The one way in which tests of all folders wait for something that only looking can tell."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(complaint: Callable[[], str], seconds: float, pause: float = 0.5) -> None:
    """Look every `pause` seconds until `complaint` returns nothing.

    Raises AssertionError with the last complaint when that does not happen within `seconds`.
    """
    end = time.monotonic() + seconds
    while said := complaint():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {said}"
        time.sleep(pause)
