"""The archive's DICOM port: who is answered, who is turned away, and whether it says so plainly."""

from __future__ import annotations

import pytest

from .dimse import SUCCESS, Archive, NoAnswerError, RefusedError

pytestmark = [pytest.mark.reads, pytest.mark.proves("arc")]
# A port nobody listens at (tcpmux, RFC 1078).
DEAD_PORT = 1


def test_archive_answers_echo(archive: Archive) -> None:
    assert archive.echo() == SUCCESS, f"C-ECHO to AE title {archive.where.ae_title} at {archive.where} did not answer 0000"


def test_worklist_answers_echo(archive: Archive) -> None:
    title = archive.where.worklist_ae_title
    assert archive.echo(called=title) == SUCCESS, f"C-ECHO to the worklist's AE title {title} at {archive.where} did not answer 0000"


@pytest.mark.parametrize("called", ["NOSUCHAE", "lower case"])
def test_wrong_called_ae_title_is_rejected(archive: Archive, called: str) -> None:
    # AE titles are case sensitive (dcm4chee.md §8.3).
    called = archive.where.ae_title.lower() if called == "lower case" else called
    try:
        archive.echo(called=called)
    except RefusedError as refusal:
        said = str(refusal)
    else:
        pytest.fail(f"{archive.where} answers to AE title {called}: whatever listens there answers everybody, or has another AE table")
    # Source 1, reason 7 (dcm4chee.md §8.3).
    assert said.endswith("Called AE title not recognised"), f"AE title {called} is turned away, but not for being unknown: {said}"


def test_wrong_port_is_reported(archive: Archive) -> None:
    with pytest.raises(NoAnswerError, match=rf"{archive.where.host}:{DEAD_PORT} did not answer"):
        archive.echo(port=DEAD_PORT)
