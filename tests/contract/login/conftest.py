"""One login for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import Engine
from .support import Login, render


@pytest.fixture(scope="package")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """The login as the role renders it, with the lab's LDAP and an echo behind."""
    made = Engine()
    home = tmp_path_factory.mktemp("login")
    try:
        yield Login(made, render(home))
    finally:
        made.clean()
