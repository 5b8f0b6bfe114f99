"""Saving channels: what the server takes, what it makes of it, and when it counts a revision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from .support import JSON, TEXT, WRITER, XML, Element, Pushed, Server, mirth_tree, only_standin

INVALID = "This channel is invalid. Verify all required extensions are loaded correctly."
SOURCE = {"type": "tcp", "data": "HL7V2", "set": {"listenerConnectorProperties.port": "0"}}


def channel(pushed: Pushed, transformer: int = 0) -> Element:
    """A channel with everything that the cases below take away."""
    files = {"out.js": "return 'done';", **{f"step{number}.js": "msg = msg + '';" for number in range(transformer)}}
    destination = {**WRITER, "transformer": [f"step{number}.js" for number in range(transformer)]}
    xml: Element = pushed.make({"source": SOURCE, "destinations": [destination]}, files).xml
    return xml


def test_new_channel_has_revision_1_and_an_equal_one_keeps_it(server: Server, pushed: Pushed) -> None:
    """M §8.11: whatever is sent; an identical PUT or POST, or a PUT of its own GET, changes nothing; another one counts."""
    xml = channel(pushed)
    channel_id = xml.findtext("id") or ""
    xml.find("revision").text = "17"  # type: ignore[union-attr]
    assert server.call("POST", "/channels", mirth_tree.serialised(xml), accept=JSON).json() == {"boolean": True}
    assert server.revision(channel_id) == 1
    server.put(xml)
    server.call("POST", "/channels", mirth_tree.serialised(xml), accept=JSON)
    server.put(server.get(f"/channels/{channel_id}"))
    assert server.revision(channel_id) == 1
    xml.find("description").text = "other"  # type: ignore[union-attr]
    server.put(xml)
    assert server.revision(channel_id) == 2


def test_change_needs_override(server: Server, pushed: Pushed) -> None:
    """Seen on 4.5.2 (M §4 says otherwise): without override=true a change is refused with `false`, by PUT and by POST; an equal
    channel is `true`."""
    xml = channel(pushed)
    path = f"/channels/{xml.findtext('id')}"
    server.put(xml)
    assert server.call("PUT", path, mirth_tree.serialised(xml), accept=JSON).json() == {"boolean": True}
    xml.find("description").text = "other"  # type: ignore[union-attr]
    for method, where in (("PUT", path), ("POST", "/channels")):
        assert server.call(method, where, mirth_tree.serialised(xml), accept=JSON).json() == {"boolean": False}
    assert server.get(path).findtext("description") == ""


def test_what_is_read_back_is_what_was_saved(server: Server, pushed: Pushed) -> None:
    """M §4: the full form comes back, with metadata in exportData."""
    xml = channel(pushed)
    server.put(xml)
    found = server.get(f"/channels/{xml.findtext('id')}")
    assert mirth_tree.comparable(found) == mirth_tree.comparable(xml)
    assert found.findtext("exportData/metadata/pruningSettings/pruneContentDays") == "7"


def test_long_code_is_read_back_as_it_was_saved(server: Server, pushed: Pushed) -> None:
    """Brackets stand everywhere in code, also where a parser's buffer ends."""
    xml = channel(pushed)
    mirth_tree.put(xml, "description", "".join(f"[{n}];\n" for n in range(20000)))
    server.put(xml)
    assert mirth_tree.comparable(server.get(f"/channels/{xml.findtext('id')}")) == mirth_tree.comparable(xml)


def test_forms(server: Server, pushed: Pushed) -> None:
    """M §8.3: 406 for XML, and nothing saved; text/plain gives true; another type of body is 415; not XML is 500."""
    xml = channel(pushed)
    channel_id = xml.findtext("id")
    assert server.put(xml, accept=XML).status_code == 406
    assert server.call("GET", f"/channels/{channel_id}").status_code == 204
    assert server.put(xml, accept=TEXT).text == "true"
    assert server.put(xml, accept="*/*").json() == {"boolean": True}
    for kind in ("text/xml", TEXT):
        assert server.call("POST", "/channels", mirth_tree.serialised(xml), kind=kind, accept=JSON).status_code == 415
    assert server.call("POST", "/channels", "<channel", accept=JSON).status_code == 500


def test_unknown_channel(server: Server) -> None:
    """M §2.1: null is 204; DELETE of it too; its status is 404."""
    path = "/channels/6f0a0001-0000-4000-8000-0000000000ff"
    assert server.call("GET", path).status_code == 204
    assert server.call("DELETE", path).status_code == 204
    assert server.call("GET", f"{path}/status").status_code == 404


def test_name(server: Server, pushed: Pushed) -> None:
    """M §2.2, §3: at most 40 characters and unique, else 500."""
    first, second = channel(pushed), channel(pushed)
    server.put(first)
    second.find("name").text = first.findtext("name")  # type: ignore[union-attr]
    assert server.put(second).status_code == 500
    second.find("name").text = "x" * 41  # type: ignore[union-attr]
    assert server.put(second).status_code == 500


def test_without_export_data_the_metadata_is_reset(server: Server, pushed: Pushed) -> None:
    """M §8.12: enabled alone, no pruning."""
    xml = channel(pushed)
    server.put(xml)
    xml.remove(xml.find("exportData"))  # type: ignore[arg-type]
    server.put(xml)
    metadata = server.get(f"/channels/{xml.findtext('id')}").find("exportData/metadata")
    assert [(each.tag, each.text) for each in metadata] == [("enabled", "true")]  # type: ignore[union-attr]


def test_enabled(server: Server, pushed: Pushed) -> None:
    """M §2.2, §8.5: a disabled channel is not deployed, and nothing says so."""
    xml = channel(pushed)
    channel_id = xml.findtext("id") or ""
    server.put(xml)
    assert server.call("POST", f"/channels/{channel_id}/enabled/false").status_code == 204
    assert server.deploy(channel_id).status_code == 204
    assert server.state(channel_id) == ""


def test_ids_names_and_ports(server: Server, pushed: Pushed) -> None:
    """M §2.2: idsAndNames is a map; portsInUse names the listeners."""
    xml = channel(pushed)
    xml.find("sourceConnector/properties/listenerConnectorProperties/port").text = "16661"  # type: ignore[union-attr]
    server.put(xml)
    pairs = [[each.text for each in entry] for entry in server.get("/channels/idsAndNames")]
    assert [xml.findtext("id"), xml.findtext("name")] in pairs
    ports = {each.findtext("id"): each.findtext("port") for each in server.get("/channels/portsInUse")}
    assert ports[xml.findtext("id")] == "16661"


def test_broken_save_over_a_good_channel(server: Server, pushed: Pushed) -> None:
    """M §8.13: it overwrites it (revision + 1), a right PUT restores it."""
    xml = channel(pushed)
    channel_id = xml.findtext("id") or ""
    server.put(xml)
    broken = copy.deepcopy(xml)
    ElementTree.SubElement(broken, "nope")
    assert server.put(broken).json() == {"boolean": True}
    stub = server.get(f"/channels/{channel_id}")
    assert (stub.findtext("description"), stub.findtext("revision")) == (INVALID, "2")
    assert len(stub.find("destinationConnectors") or []) == 0
    assert stub.find("sourceConnector/properties") is None
    assert server.deploy(channel_id).status_code == 204
    assert server.state(channel_id) == ""
    server.put(xml)
    assert server.revision(channel_id) == 3
    assert mirth_tree.comparable(server.get(f"/channels/{channel_id}")) == mirth_tree.comparable(xml)


def without(path: str) -> Callable[[Element], None]:
    """Take the element at a path out."""
    parent, _, name = path.rpartition("/")

    def change(xml: Element) -> None:
        holder = xml.find(parent) if parent else xml
        assert holder is not None
        holder.remove(holder.find(name))  # type: ignore[arg-type]

    return change


def text(path: str, value: str) -> Callable[[Element], None]:
    """Give the element at a path another text."""

    def change(xml: Element) -> None:
        xml.find(path).text = value  # type: ignore[union-attr]

    return change


def unversioned(path: str) -> Callable[[Element], None]:
    """Take the version of an element away."""

    def change(xml: Element) -> None:
        element = xml if path == "." else xml.find(path)
        del element.attrib["version"]  # type: ignore[union-attr]

    return change


def unknown_class(xml: Element) -> None:
    xml.find("sourceConnector/properties").set("class", "com.mirth.connect.connectors.tcp.NoSuchProperties")  # type: ignore[union-attr]


def bare_string(xml: Element) -> None:
    resources = xml.find("sourceConnector/properties/sourceConnectorProperties/resourceIds")
    assert resources is not None
    resources.clear()
    ElementTree.SubElement(resources, "string").text = "Default Resource"


def unnumbered(xml: Element) -> None:
    for step in xml.findall("destinationConnectors/connector/transformer/elements/*"):
        step.remove(step.find("sequenceNumber"))  # type: ignore[arg-type]


STEP = "destinationConnectors/connector/transformer/elements/*"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda xml: ElementTree.SubElement(xml.find("sourceConnector"), "nope"), id="unknown element"),
        pytest.param(unknown_class, id="unknown class"),
        pytest.param(unversioned("."), id="no version on the root"),
        pytest.param(unversioned(STEP), id="no version on a step"),
        pytest.param(text("properties/messageStorageMode", "SOME"), id="storage mode"),
        pytest.param(text("properties/initialState", "RUNNING"), id="initial state"),
        pytest.param(bare_string, id="resourceIds as a string"),
        pytest.param(unnumbered, id="steps without sequenceNumber"),
        pytest.param(text("sourceConnector/properties/sourceConnectorProperties/processingThreads", "one"), id="a word for a number"),
    ],
)
def test_what_makes_a_channel_invalid(server: Server, pushed: Pushed, change: Callable[[Element], None]) -> None:
    """M §8, "which XML is accepted": PUT 200, and the channel is a stub."""
    xml = channel(pushed, transformer=2)
    change(xml)
    answer = server.put(xml)
    assert answer.status_code == 200, answer.text
    assert server.get(f"/channels/{xml.findtext('id')}").findtext("description") == INVALID


@pytest.mark.parametrize("path", ["destinationConnectors", "name"])
def test_what_is_500(server: Server, pushed: Pushed, path: str) -> None:
    """M §8: PUT 500, not saved."""
    xml = channel(pushed)
    without(path)(xml)
    assert server.put(xml).status_code == 500


PROPERTIES = "sourceConnector/properties"


@pytest.mark.parametrize(
    "path",
    [
        "sourceConnector/filter",
        "sourceConnector/transformer",
        "destinationConnectors/connector/responseTransformer",
        f"{PROPERTIES}/sourceConnectorProperties",
        f"{PROPERTIES}/listenerConnectorProperties",
        f"{PROPERTIES}/transmissionModeProperties",
        f"{PROPERTIES}/sourceConnectorProperties/resourceIds",
        "sourceConnector/transformer/inboundProperties",
        "properties/attachmentProperties",
        "properties",
        f"{PROPERTIES}/maxConnections",
    ],
)
def test_what_fails_at_deploy(server: Server, pushed: Pushed, path: str) -> None:
    """M §8: PUT fine, deploy 500."""
    xml = channel(pushed)
    without(path)(xml)
    assert server.put(xml).status_code == 200
    assert server.get(f"/channels/{xml.findtext('id')}").findtext("description") != INVALID
    assert server.deploy(xml.findtext("id") or "").status_code == 500
    assert server.state(xml.findtext("id") or "") in ("", "STOPPED")


def test_without_a_source_it_cannot_even_be_read(server: Server, pushed: Pushed) -> None:
    """Seen on 4.5.2: PUT 200, then GET of it and its deploy are 500."""
    xml = channel(pushed)
    without("sourceConnector")(xml)
    assert server.put(xml).status_code == 200
    assert server.call("GET", f"/channels/{xml.findtext('id')}").status_code == 500
    assert server.deploy(xml.findtext("id") or "").status_code == 500


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda xml: [without(name)(xml) for name in ("preprocessingScript", "deployScript", "description")], id="no scripts"),
        pytest.param(text("sourceConnector/transportName", "Something"), id="wrong transportName"),
        pytest.param(unnumbered, id="one step without sequenceNumber"),
        pytest.param(text(f"{PROPERTIES}/listenerConnectorProperties/port", "port"), id="a word for a port"),
    ],
)
def test_what_is_tolerated(server: Server, pushed: Pushed, change: Callable[[Element], None]) -> None:
    """M §8: deploys and starts."""
    xml = channel(pushed, transformer=1)
    change(xml)
    server.put(xml)
    assert server.deploy(xml.findtext("id") or "").status_code == 204
    assert server.state(xml.findtext("id") or "") == "STARTED"


NOT_IMPLEMENTED = {
    "properties/messageStorageMode": "METADATA",
    f"{PROPERTIES}/sourceConnectorProperties/respondAfterProcessing": "false",
    f"{PROPERTIES}/sourceConnectorProperties/processBatch": "true",
    f"{PROPERTIES}/transmissionModeProperties/startOfMessageBytes": "02",
    "destinationConnectors/connector/properties/destinationConnectorProperties/rotate": "true",
    "destinationConnectors/connector/properties/destinationConnectorProperties/threadCount": "4",
    "sourceConnector/transformer/outboundDataType": "JSON",
    "undeployScript": "return 1;",
}


@pytest.mark.parametrize("path", list(NOT_IMPLEMENTED))
@only_standin
def test_what_the_standin_lacks_fails_the_deploy(server: Server, pushed: Pushed, path: str) -> None:
    """A value that it does not implement is named in a sentence."""
    xml = channel(pushed)
    text(path, NOT_IMPLEMENTED[path])(xml)
    assert server.put(xml).json() == {"boolean": True}
    answer = server.deploy(xml.findtext("id") or "")
    assert answer.status_code == 500
    assert "not implemented" in answer.text
    assert path.rpartition("/")[2].replace("outboundDataType", "data type JSON") in answer.text


@only_standin
def test_connectors_that_it_lacks_fail_the_deploy(server: Server, pushed: Pushed) -> None:
    """A File Writer is stored, and its deploy says that it is not there."""
    xml = channel(pushed)
    writer = "com.mirth.connect.connectors.file.FileDispatcherProperties"
    mirth_tree.part(xml, "destinationConnectors/connector/properties").set("class", writer)
    server.put(xml)
    channel_id = xml.findtext("id") or ""
    assert server.get(f"/channels/{channel_id}").findtext("description") == ""
    answer = server.deploy(channel_id)
    assert answer.status_code == 500
    assert f"{writer} is not implemented" in answer.text
