"""The EMR that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import Engine
from .support import Browser, Emr, Rest, installed


@pytest.fixture(scope="session")
def emr() -> Iterator[Emr]:
    """An installed EMR, prepared for imaging."""
    made = Engine()
    yield from installed(made)
    made.clean()


@pytest.fixture(scope="session")
def rest(emr: Emr) -> Rest:
    """Its REST interface."""
    return emr.rest()


@pytest.fixture(scope="session")
def admin(emr: Emr) -> Browser:
    """The administrator's browser."""
    return emr.browser()
