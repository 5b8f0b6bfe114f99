"""File Reader: which files it takes, when, and where they go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from waiting import wait_for

from .support import Pushed, Server, answer_of

READ = {
    "fileFilter": r"^[0-9A-Za-z_-]+\.txt$",
    "regex": True,
    "fileAge": "1000",
    "fileSizeMinimum": 1,
    "charsetEncoding": "UTF-8",
    "pollConnectorProperties.pollingFrequency": 200,
    "pollConnectorProperties.pollOnStart": True,
    "afterProcessingAction": "MOVE",
    "errorReadingAction": "MOVE",
    "errorResponseAction": "MOVE",
    "sourceConnectorProperties.responseVariable": "Auto-generate (After source transformer)",
}
GUARD = "if (!/^MSH/.test(connectorMessage.getRawData())) throw 'not HL7: ' + sourceMap.get('originalFilename');"


def reader(pushed: Pushed, folder: Path, guard: str = GUARD, **settings: object) -> str:
    """A File Reader with a guard, and a writer that says what it got."""
    for name in ("in", "done", "error"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)
    where = {"host": str(folder / "in"), "moveToDirectory": str(folder / "done"), "errorMoveToDirectory": str(folder / "error")}
    source = {"type": "file", "data": "RAW", "set": {**READ, **where, **settings}, "transformer": ["guard.js"]}
    destination = {"name": "out", "type": "js", "data": "RAW", "script": "out.js"}
    return pushed.push(
        {"source": source, "destinations": [destination]},
        {"guard.js": guard, "out.js": "return connectorMessage.getRawData() + sourceMap.get('originalFilename');"},
    )


def drop(folder: Path, name: str, content: bytes = b"MSH|x\r", age: float = 60) -> Path:
    """Put a file there that is `age` seconds old."""
    path = folder / "in" / name
    path.write_bytes(content)
    path.chmod(0o666)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def names(folder: Path, part: str) -> list[str]:
    """Files in a subfolder."""
    return sorted(path.name for path in (folder / part).iterdir())


def wait_for_names(folder: Path, part: str, wanted: list[str]) -> None:
    """Wait until exactly these are there."""
    wait_for(lambda: "" if names(folder, part) == wanted else f"{part} holds {names(folder, part)}", 15, pause=0.1)


def test_moved_with_its_time(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §4.1: ${originalFilename} and ${date.get(…)} in the new name; the sourceMap has the file's name."""
    channel_id = reader(pushed, folder, moveToFileName="${date.get('yyyy')}-${fileLastModified}-${originalFilename}")
    path = drop(folder, "a.txt", "MSH|Zoë 山田".encode())
    modified = int(path.stat().st_mtime * 1000)
    wait_for_names(folder, "done", [f"{time.strftime('%Y')}-{modified}-a.txt"])
    assert answer_of(server.messages(channel_id)[0][1]) == "MSH|Zoë 山田a.txt"


def test_file_that_a_script_leaves_where_it_is(server: Server, pushed: Pushed, folder: Path) -> None:
    """FileReceiver.processFile: the folder to move to comes from the channel's map as well, and a file's own place and name is no move.

    pollSequenceId counts the files of a poll from 1, also one that could not be stored.
    """
    guard = (
        "var go = globalMap.get('go') !== null, n = Number(sourceMap.get('pollSequenceId'));"
        "globalMap.put('go', 'yes');"
        "globalChannelMap.put('to', go ? sourceMap.get('fileDirectory') + '/../done' : sourceMap.get('fileDirectory'));"
        "globalChannelMap.put('as', sourceMap.get('originalFilename') + (go ? '-' + n : ''));"
        "globalMap.put('polls', (globalMap.get('polls') || '') + sourceMap.get('pollId') + ' ');"
    )
    channel_id = reader(pushed, folder, guard, moveToDirectory="${to}", moveToFileName="${as}", errorReadingAction="NONE")
    drop(folder, "a.txt", b"MSH|a\0b\r", age=80)
    drop(folder, "b.txt", age=70)
    wait_for_names(folder, "done", ["b.txt-2"])
    wait_for_names(folder, "in", ["a.txt"])
    assert server.statuses(channel_id, 0) == ["TRANSFORMED", "TRANSFORMED"]


@pytest.mark.parametrize(("action", "where"), [("NONE", "in"), ("MOVE", "error")])
def test_file_that_cannot_be_stored(server: Server, pushed: Pushed, folder: Path, action: str, where: str) -> None:
    """P §4.3: PostgreSQL takes no NUL, so nothing is stored: errorReadingAction, and not errorResponseAction, says what becomes of it."""
    channel_id = reader(pushed, folder, errorReadingAction=action)
    drop(folder, "a.txt", b"MSH|a\0b\r", age=80)
    drop(folder, "b.txt", age=70)
    wait_for_names(folder, "done", ["b.txt"])
    wait_for_names(folder, where, ["a.txt"])
    assert server.statuses(channel_id, 0) == ["TRANSFORMED"]


def test_refused_file_is_moved_aside(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §4.3: ERROR and the file in the error folder; the others go on."""
    channel_id = reader(pushed, folder)
    drop(folder, "a.txt", b"garbage", age=80)
    drop(folder, "b.txt", age=70)
    wait_for_names(folder, "done", ["b.txt"])
    assert names(folder, "error") == ["a.txt"]
    assert server.statuses(channel_id, 0) == ["ERROR", "TRANSFORMED"]


def test_without_response_an_error_counts_as_read(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §0.5: with responseVariable None the file is moved to the done ones."""
    reader(pushed, folder, **{"sourceConnectorProperties.responseVariable": "None"})
    drop(folder, "a.txt", b"garbage")
    wait_for_names(folder, "done", ["a.txt"])


def test_what_stays(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §4.3: empty (fileSizeMinimum 1), another name, a dot name, a file that is being written, a directory."""
    reader(pushed, folder, fileAge="5000")
    drop(folder, "empty.txt", b"")
    drop(folder, "other.hl7")
    drop(folder, ".hidden.txt")
    drop(folder, "fresh.txt", age=0)
    (folder / "in" / "folder.txt").mkdir()
    drop(folder, "good.txt")
    wait_for_names(folder, "done", ["good.txt"])
    assert names(folder, "in") == [".hidden.txt", "empty.txt", "folder.txt", "fresh.txt", "other.hl7"]
    wait_for_names(folder, "done", ["fresh.txt", "good.txt"])


@pytest.mark.parametrize(("by", "wanted"), [("date", ["c", "a", "b"]), ("name", ["a", "b", "c"])])
def test_order(server: Server, pushed: Pushed, folder: Path, by: str, wanted: list[str]) -> None:
    """P §4.3: the oldest first, or by name."""
    slowly = {"pollConnectorProperties.pollingFrequency": 1500, "pollConnectorProperties.pollOnStart": False}
    channel_id = reader(pushed, folder, GUARD, sortBy=by, **slowly)
    for number, name in enumerate(["c", "a", "b"]):
        drop(folder, f"{name}.txt", age=60 - number * 10)
    wait_for_names(folder, "done", ["a.txt", "b.txt", "c.txt"])
    assert [answer_of(message[1])[6] for message in server.messages(channel_id)] == wanted


def test_glob(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §4: without regex the filter is a list of globs."""
    reader(pushed, folder, regex=False, fileFilter="*.txt,b?.hl7")
    for name in ("a.txt", "b1.hl7", "b22.hl7", "atxt"):
        drop(folder, name)
    wait_for_names(folder, "done", ["a.txt", "b1.hl7"])
    assert names(folder, "in") == ["atxt", "b22.hl7"]


def test_file_age_is_a_number(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §11.8: ${key} is not evaluated there; the channel is STARTED and files lie."""
    channel_id = reader(pushed, folder, fileAge="${some_key}")
    drop(folder, "a.txt")
    time.sleep(1)
    assert server.state(channel_id) == "STARTED"
    assert names(folder, "in") == ["a.txt"]


def test_folder_that_comes_back(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §4.3: while the folder is missing the channel stays STARTED, and goes on when it is back."""
    channel_id = reader(pushed, folder)
    (folder / "in").rmdir()
    time.sleep(0.5)
    assert server.state(channel_id) == "STARTED"
    (folder / "in").mkdir()
    (folder / "in").chmod(0o777)
    drop(folder, "a.txt")
    wait_for_names(folder, "done", ["a.txt"])


def test_configuration_map_in_the_fields(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §0.8, §11.8: ${key} in the folders is looked up in the maps at each poll."""
    other = pushed.writer(f"globalMap.put('contract_in', '{folder}/in'); globalMap.put('contract_done', '{folder}/done'); return 1;")
    server.inject(other, "x", 1)
    reader(pushed, folder, host="${contract_in}", moveToDirectory="${contract_done}")
    drop(folder, "a.txt")
    wait_for_names(folder, "done", ["a.txt"])
