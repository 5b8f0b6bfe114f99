"""plugins/module_utils/mirth_xml.py: the channel directory becomes the server's XML, or one sentence says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import Element, comparable, put, serialised, tree
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_xml import ChannelError, Retention, read

from .support import ROOT, load

NUMBER = "6f0a0009-0000-4000-8000-00000000000{}"


def channel(name: str, number: int, **changes: Any) -> dict[str, Any]:
    """Return the channel.yml of a channel that takes from others and writes by a script."""
    return {
        "id": NUMBER.format(number),
        "name": name,
        "source": {"type": "channel", "data": "RAW"},
        "destinations": [{"name": "keep", "type": "js", "data": "RAW", "script": "keep.js"}],
    } | changes


def write(folder: Path, *channels: dict[str, Any], lib: str = "function f() { return 1; }\n") -> Path:
    """Write a channel directory, with a script ``keep.js`` and two steps in each channel."""
    for described in channels:
        place = folder / "channels" / described["name"]
        place.mkdir(parents=True)
        (place / "channel.yml").write_text(yaml.safe_dump(described))
        for script in ("keep.js", "one.js", "two.js"):
            (place / script).write_text(f"return '{script}';\r\n", newline="")
    (folder / "lib").mkdir(parents=True, exist_ok=True)
    (folder / "lib" / "text.js").write_text(lib)
    (folder / "defaults").symlink_to(ROOT / "files/mirth/defaults")
    return folder


def only(folder: Path, *channels: dict[str, Any], **settings: str) -> Element:
    """Return the XML of the first channel of a directory."""
    return read(write(folder, *channels), settings).channels[0].xml


def texts(root: Element, path: str) -> list[str | None]:
    return [element.text for element in root.findall(path)]


def test_everything_begins_with_the_servers_whole_default(tmp_path: Path) -> None:
    root = only(tmp_path, channel("sink", 1))
    default = tree((ROOT / "files/mirth/defaults/src-vm.xml").read_text())
    properties = root.find("sourceConnector/properties")
    assert properties is not None
    assert properties.get("class") == default.tag
    assert [serialised(element) for element in properties] == [serialised(element) for element in default]
    assert texts(root, "sourceConnector/transportName") == ["Channel Reader"]
    assert texts(root, "destinationConnectors/connector/transportName") == ["JavaScript Writer"]
    assert texts(root, "destinationConnectors/connector/metaDataId") == ["1"]
    assert texts(root, "destinationConnectors/connector/properties/script") == ["return 'keep.js';"]
    assert root.findtext("nextMetaDataId") == "2"
    assert root.findtext("properties/messageStorageMode") == "PRODUCTION"
    for element in root.iter():
        if "class" in element.attrib and element.attrib["class"].endswith("DataTypeProperties"):
            assert element.get("version") == "4.5.2"


def test_steps_are_numbered_and_enabled_and_all_rules_must_agree(tmp_path: Path) -> None:
    """mirth.md §8: a second rule with operator NONE makes every message an error."""
    source = {"type": "channel", "data": "RAW", "filter": ["one.js", "two.js"], "transformer": ["two.js", "one.js"]}
    root = only(tmp_path, channel("sink", 1, source=source))
    rules, steps = root.findall("sourceConnector/filter/elements/*"), root.findall("sourceConnector/transformer/elements/*")
    assert [[rule.findtext(name) for name in ("name", "sequenceNumber", "enabled", "operator", "script")] for rule in rules] == [
        ["one", "0", "true", "NONE", "return 'one.js';"],
        ["two", "1", "true", "AND", "return 'two.js';"],
    ]
    assert [[step.findtext(name) for name in ("name", "sequenceNumber", "enabled", "script")] for step in steps] == [
        ["two", "0", "true", "return 'two.js';"],
        ["one", "1", "true", "return 'one.js';"],
    ]


def test_a_setting_is_changed_by_its_path_and_taken_from_the_map(tmp_path: Path) -> None:
    source = {
        "type": "tcp",
        "data": "HL7V2",
        "dataset": {"serializationProperties.convertLineBreaks": False},
        "set": {"listenerConnectorProperties.port": "@results_port", "keepConnectionOpen": False, "maxConnections": 3, "bufferSize": "1"},
    }
    root = only(tmp_path, channel("results", 1, source=source), results_port="11113")
    below = "sourceConnector/properties/"
    assert texts(root, below + "listenerConnectorProperties/port") == ["11113"]
    assert [texts(root, below + name) for name in ("keepConnectionOpen", "maxConnections", "bufferSize")] == [["false"], ["3"], ["1"]]
    for side in ("inbound", "outbound"):
        assert texts(root, f"sourceConnector/transformer/{side}Properties/serializationProperties/convertLineBreaks") == ["false"]


def test_data_types_of_both_sides_and_of_the_answer(tmp_path: Path) -> None:
    destination = {"name": "arc", "type": "tcp", "data": ["XML", "RAW"], "response": ["one.js"], "responseData": "HL7V2"}
    root = only(tmp_path, channel("archive", 1, destinations=[destination]))
    connector = "destinationConnectors/connector/"
    assert [texts(root, f"{connector}transformer/{side}DataType") for side in ("inbound", "outbound")] == [["XML"], ["RAW"]]
    assert texts(root, f"{connector}responseTransformer/inboundDataType") == ["HL7V2"]
    assert texts(root, f"{connector}responseTransformer/elements/*/script") == ["return 'one.js';"]


def test_channel_scripts_attachments_and_retention(tmp_path: Path) -> None:
    described = channel("results", 1, scripts={"pre": "one.js", "deploy": "two.js"}, attachments={"pattern": "(a)", "mimetype": "a/b"})
    root = read(write(tmp_path, described), {}, retention=Retention(3, 20)).channels[0].xml
    assert [root.findtext(name) for name in ("preprocessingScript", "deployScript", "undeployScript")] == [
        "return 'one.js';",
        "return 'two.js';",
        "return;",
    ]
    assert texts(root, "properties/attachmentProperties/properties/entry/string") == ["regex.pattern0", "(a)", "regex.mimetype0", "a/b"]
    settings = root.find("exportData/metadata/pruningSettings")
    assert settings is not None
    assert [element.text for element in settings] == ["20", "3", "false", "false"]


def test_the_directory_knows_ids_order_group_and_dependencies(tmp_path: Path) -> None:
    found = read(write(tmp_path, channel("a-first", 1, depends=["sink"]), channel("sink", 2)), {"x": "1"})
    assert found.map == {"x": "1", "id_a_first": NUMBER.format(1), "id_sink": NUMBER.format(2)}
    assert [one.name for one in found.channels] == ["sink", "a-first"]
    assert found.dependencies == [(NUMBER.format(1), NUMBER.format(2))]
    assert found.group.findtext("name") == "pacs-emr"
    assert texts(found.group, "channels/channel/id") == [NUMBER.format(2), NUMBER.format(1)]


def test_the_library_is_for_the_labs_channels_in_every_context(tmp_path: Path) -> None:
    found = read(write(tmp_path, channel("sink", 2)), {}).library
    assert texts(found, "enabledChannelIds/string") == [NUMBER.format(2)]
    assert found.findtext("includeNewChannels") == "false"
    assert len(texts(found, "codeTemplates/codeTemplate/contextSet/delegate/contextType")) == 15
    assert texts(found, "codeTemplates/codeTemplate/properties/code") == ["function f() { return 1; }"]
    again = read(tmp_path, {}).library
    assert comparable(found) == comparable(again)


def test_forms_that_differ_in_what_the_server_counts_are_equal(tmp_path: Path) -> None:
    ours = only(tmp_path, channel("sink", 1))
    theirs = tree(serialised(ours).replace("<revision>0<", "<revision>7<").replace("<metadata>", "<metadata><userId>1</userId>"))
    assert comparable(ours) == comparable(theirs)
    put(theirs, "description", "another")
    assert comparable(ours) != comparable(theirs)


JS = {"name": "keep", "type": "js", "data": "RAW", "script": "keep.js"}
FILE = {"type": "file", "data": "RAW"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "x"}, "channels/sink/channel.yml, colour: is not known here"),
        ({"id": "SINK"}, "channels/sink/channel.yml, id: SINK is no GUID"),
        ({"name": "other"}, "channels/sink/channel.yml, name: other must be the name of its folder"),
        ({"destinations": []}, "channels/sink/channel.yml, destinations: give a list"),
        ({"depends": ["nobody"]}, "channels/sink/channel.yml, depends: there is no channel nobody"),
        ({"depends": ["sink"]}, "circle: sink → sink"),
        ({"source": {"type": "smtp", "data": "RAW"}}, "source.type: smtp is none of channel, db, file, js, tcp"),
        ({"source": {"type": "file"}}, "source.data: is missing"),
        ({"source": {"type": "file", "data": "X12"}}, "source.data: ['X12', 'X12'] must be one or two of HL7V2, RAW, XML"),
        ({"source": FILE | {"set": {"hots": "/x"}}}, "source.set.hots: the server has no such setting here"),
        ({"source": FILE | {"set": {"sourceConnectorProperties": 1}}}, "is a group of settings, not one"),
        ({"source": FILE | {"set": {"host": ["/x"]}}}, "source.set.host: give one value"),
        ({"source": FILE | {"set": {"fileAge": "@file_age"}}}, "source.set.fileAge: the configuration map has no key file_age"),
        ({"source": FILE | {"dataset": {"no.such": 1}}}, "source.dataset.no.such: the server has no such setting here"),
        ({"source": FILE | {"filter": ["gone.js"]}}, "source.filter: there is no file gone.js beside it"),
        ({"source": FILE | {"filter": "one.js"}}, "source.filter: give a list of .js files"),
        ({"source": FILE | {"script": "one.js"}}, "File Reader has no script script"),
        ({"destinations": [JS | {"script": "../sink/keep.js"}]}, "destinations[1].script: there is no file ../sink/keep.js beside it"),
        ({"destinations": [JS | {"transformer": ["gone.js"]}]}, "destinations[1].transformer: there is no file gone.js beside it"),
        ({"destinations": [JS | {"colour": "red"}]}, "destinations[1].colour: is not known here"),
        ({"destinations": [{"name": "arc", "type": "tcp", "data": "RAW"}]}, "destinations[1].responseData: a TCP Sender"),
        ({"scripts": {"before": "one.js"}}, "scripts.before: is not known here"),
        ({"attachments": {"pattern": "x"}}, "attachments.mimetype: is missing"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    described = channel("sink", 1)
    folder = write(tmp_path, described)
    (folder / "channels/sink/channel.yml").write_text(yaml.safe_dump(described | changes))
    with pytest.raises(ChannelError) as wrong:
        read(folder, {})
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_name_that_the_server_cannot_keep(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="has more than 40 characters"):
        read(write(tmp_path, channel("x" * 41, 1)), {})


def test_an_id_that_stands_twice(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match=r"channels/two/channel.yml, id: .* is also that of one"):
        read(write(tmp_path, channel("one", 1), channel("two", 1)), {})


def test_a_key_that_a_script_asks_for_by_name_must_be_in_the_map(tmp_path: Path) -> None:
    folder = write(
        tmp_path, channel("sink", 1), lib="function f() { return $cfg('dir_inbox') + $cfg('filler_password') + $cfg('id_sink'); }"
    )
    with pytest.raises(ChannelError, match=r"lib/text.js: the configuration map has no key dir_inbox"):
        read(folder, {}, ["filler_password"])
    assert read(folder, {"dir_inbox": "/hl7/inbox"}, ["filler_password"]).channels


def test_a_key_that_the_server_would_not_find(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match=r"configuration map, a\.b: use letters, digits and _"):
        read(write(tmp_path, channel("sink", 1)), {"a.b": "1"})


def test_yaml_that_is_none_and_a_control_character(tmp_path: Path) -> None:
    folder = write(tmp_path, channel("sink", 1))
    (folder / "lib/text.js").write_text("var bell = '\a';")
    with pytest.raises(ChannelError, match=r"lib/text.js: holds the control character '\\x07'"):
        read(folder, {})
    (folder / "channels/sink/channel.yml").write_text("id: [")
    with pytest.raises(ChannelError, match=r"channels/sink/channel.yml: is no YAML"):
        read(folder, {})


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="holds no channel"):
        read(tmp_path, {})


@pytest.mark.parametrize("file", sorted((ROOT / "files/mirth").glob("channels/*/channel.yml")), ids=lambda file: file.parent.name)
def test_our_channels_have_stable_ids(file: Path) -> None:
    """An id is the channel for the server: its messages go with it."""
    assert str(load(file)["id"]).startswith("6f0a0001-0000-4000-8000-00000000000")
