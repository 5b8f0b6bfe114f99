"""A plugin of pytest (`-p backwards`): the last test first."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Reverse what the suite has put in order."""
    items.reverse()
