"""Run by itself (-k still_there) after something happened to the lab: nothing is stored here, everything must be there already."""

from __future__ import annotations

import pytest

from .phantoms import Study
from .still_there import assert_everything_still_there
from .web import DicomWeb


# It only reads, but speaks about what the steps that add have stored before, in this run or an earlier one.
@pytest.mark.adds
@pytest.mark.proves("arc", "pacs-db")
def test_everything_is_still_there(studies: dict[str, Study], dicomweb_inside: DicomWeb) -> None:
    assert_everything_still_there(studies.values(), dicomweb_inside)
