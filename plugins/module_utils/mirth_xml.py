"""The engine's channels as code → its XML, in the server's own full form. Pure: no server is asked here.

A channel is a folder ``channels/<name>`` with ``channel.yml`` and the scripts that it names; ``lib/*.js`` become one code template
library; ``defaults/*.xml`` are the server's own serialisation of each part with default values. The server fills in nothing: an element
that is left out becomes null, 0 or false (mirth.md §0 traps 3 and 4), so everything begins with a whole default. docs/engine.md has the
format of channel.yml.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import (
    VERSION,
    Element,
    as_properties,
    entry,
    new,
    part,
    put,
    text_of,
    tree,
)

#: The channel group that says which channels are the lab's.
GROUP = "pacs-emr"
#: Connector types of channel.yml: default fragment and the server's name. ``script`` and ``scripts`` say which properties are scripts.
SOURCES = {
    "channel": ("src-vm", "Channel Reader"),
    "db": ("src-db", "Database Reader"),
    "file": ("src-file", "File Reader"),
    "js": ("src-js", "JavaScript Reader"),
    "tcp": ("src-tcp", "TCP Listener"),
}
DESTINATIONS = {
    "channel": ("dst-vm", "Channel Writer"),
    "js": ("dst-js", "JavaScript Writer"),
    "tcp": ("dst-tcp", "TCP Sender"),
}
DATA_TYPES = {"HL7V2": "dt-hl7v2", "RAW": "dt-raw", "XML": "dt-xml"}
SCRIPTS = {"pre": "preprocessingScript", "post": "postprocessingScript", "deploy": "deployScript"}
CHANNEL_KEYS = {"id", "name", "description", "source", "destinations", "scripts", "attachments", "depends"}
CONNECTOR_KEYS = {"type", "data", "dataset", "set", "filter", "transformer", "script", "scripts"}
DESTINATION_KEYS = CONNECTOR_KEYS - {"scripts"} | {"name", "response", "responseData"}
#: Where a code template can be used (the server's enumeration ContextType): everywhere.
CONTEXTS = [
    *("GLOBAL_DEPLOY", "GLOBAL_UNDEPLOY", "GLOBAL_PREPROCESSOR", "GLOBAL_POSTPROCESSOR"),
    *("CHANNEL_DEPLOY", "CHANNEL_UNDEPLOY", "CHANNEL_PREPROCESSOR", "CHANNEL_POSTPROCESSOR", "CHANNEL_ATTACHMENT", "CHANNEL_BATCH"),
    *("SOURCE_RECEIVER", "SOURCE_FILTER_TRANSFORMER"),
    *("DESTINATION_FILTER_TRANSFORMER", "DESTINATION_DISPATCHER", "DESTINATION_RESPONSE_TRANSFORMER"),
]


class ChannelError(Exception):
    """Something in the channel directory is wrong; the text names file, key and cause."""


@dataclass(frozen=True)
class Retention:
    """Days after which the pruner deletes a message's content, and the rest of it. Messages in error stay until they are dealt with."""

    content_days: int = 7
    metadata_days: int = 30


@dataclass(frozen=True)
class Channel:
    """One channel; ``depends`` are names of channels that must be deployed before it."""

    id: str
    name: str
    depends: tuple[str, ...]
    xml: Element


@dataclass
class Directory:
    """All that the directory says. ``channels`` are in the order in which they are deployed."""

    channels: list[Channel] = field(default_factory=list)
    library: Element = field(default_factory=lambda: Element("codeTemplateLibrary"))
    map: dict[str, str] = field(default_factory=dict)

    @property
    def group(self) -> Element:
        """The channel group, with the ids of the channels alone."""
        group = tree(f'<channelGroup version="{VERSION}"><id/><name/><revision>1</revision><description/><channels/></channelGroup>')
        put(group, "id", stable_id("group", GROUP))
        put(group, "name", GROUP)
        put(group, "description", "Made by Ansible: channels in here that its directory does not hold are removed.")
        for channel in self.channels:
            member = ElementTree.SubElement(part(group, "channels"), "channel", version=VERSION)
            ElementTree.SubElement(member, "id").text = channel.id
            ElementTree.SubElement(member, "revision").text = "0"
        return group

    @property
    def dependencies(self) -> list[tuple[str, str]]:
        """``(id of the dependent, id of what it needs)``."""
        ids = {channel.name: channel.id for channel in self.channels}
        return sorted((channel.id, ids[name]) for channel in self.channels for name in channel.depends)


def read(folder: Path, settings: Mapping[str, str], secrets: Iterable[str] = (), retention: Retention | None = None) -> Directory:
    """Read the channel directory.

    :param settings: the configuration map, without secrets; the channels' ids are added as ``id_<name>``
    :param secrets: further keys of the map, which a field of the XML may not hold
    :raises ChannelError: what is wrong with it, the first thing
    """
    if not any(folder.glob("channels/*/channel.yml")):
        raise ChannelError(f"{folder}/channels holds no channel")
    described = {file.parent: document(folder, file) for file in sorted(folder.glob("channels/*/channel.yml"))}
    ids = {f"id_{source.name.replace('-', '_')}": str(described[source].get("id")) for source in described}
    result = Directory(map={**settings, **ids})
    for key in [*result.map, *secrets]:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", key):
            raise ChannelError(f"configuration map, {key}: use letters, digits and _ (${{{key}}} would not find it otherwise)")
    channels = [Builder(folder, source, result.map, retention or Retention()).channel(spec) for source, spec in described.items()]
    unique(folder, described, channels)
    result.channels = in_order(channels)
    result.library = library(folder, [channel.id for channel in channels])
    asked_keys(folder, {*result.map, *secrets})
    return result


def document(folder: Path, file: Path) -> dict[str, Any]:
    """Read one channel.yml. Raises ChannelError where it is no mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ChannelError(f"{file.relative_to(folder)}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ChannelError(f"{file.relative_to(folder)}: must hold keys and values")
    return content


def unique(folder: Path, described: Mapping[Path, Any], channels: list[Channel]) -> None:
    """Check that no id and no name stands twice. Raises ChannelError."""
    seen: dict[str, Path] = {}
    for source, channel in zip(described, channels, strict=True):
        for key, value in (("id", channel.id), ("name", channel.name)):
            if value in seen:
                raise ChannelError(f"{source.relative_to(folder)}/channel.yml, {key}: {value} is also that of {seen[value].name}")
            seen[value] = source


def in_order(channels: list[Channel]) -> list[Channel]:
    """Return the channels, each after those that it depends on. Raises ChannelError on unknown names and circles."""
    by_name = {channel.name: channel for channel in channels}
    order: list[Channel] = []

    def add(channel: Channel, path: tuple[str, ...]) -> None:
        if channel.name in path:
            raise ChannelError(f"channels depend on each other in a circle: {' → '.join((*path, channel.name))}")
        for name in channel.depends:
            if name not in by_name:
                raise ChannelError(f"channels/{channel.name}/channel.yml, depends: there is no channel {name}")
            add(by_name[name], (*path, channel.name))
        if channel not in order:
            order.append(channel)

    for channel in channels:
        add(channel, ())
    return order


def library(folder: Path, channel_ids: list[str]) -> Element:
    """Return the one code template library: a template for each file of ``lib``, for the lab's channels alone."""
    root = fragment(folder, "library")
    put(root, "id", stable_id("library", GROUP))
    root[1:1] = [new("name", GROUP), new("revision", "1"), new("description", "Made by Ansible.")]
    for channel_id in sorted(channel_ids):
        ElementTree.SubElement(part(root, "enabledChannelIds"), "string").text = channel_id
    for file in sorted(folder.glob("lib/*.js")):
        template = fragment(folder, "codetemplate")
        put(template, "id", stable_id("template", file.stem))
        put(template, "name", file.stem)
        template.insert(2, new("revision", "1"))
        contexts = part(template, "contextSet/delegate")
        contexts.clear()
        for name in CONTEXTS:
            ElementTree.SubElement(contexts, "contextType").text = name
        put(template, "properties/code", script_text(file))
        part(root, "codeTemplates").append(template)
    return root


def asked_keys(folder: Path, known: set[str]) -> None:
    """Check that every key that a script asks the configuration map for by name is there. Raises ChannelError: Mirth gives null."""
    for file in sorted([*folder.glob("lib/*.js"), *folder.glob("channels/*/*.js")]):
        for key in re.findall(r"\$cfg\('([^']*)'\)", script_text(file)):
            if key not in known:
                raise ChannelError(f"{file.relative_to(folder)}: the configuration map has no key {key}")


class Builder:
    """Makes the XML of one channel folder."""

    def __init__(self, folder: Path, source: Path, settings: Mapping[str, str], retention: Retention) -> None:
        self.folder, self.source, self.settings, self.retention = folder, source, settings, retention
        self.file = f"{source.relative_to(folder)}/channel.yml"

    def wrong(self, key: str, cause: str) -> ChannelError:
        """Return the error about a key of channel.yml."""
        return ChannelError(f"{self.file}, {key}: {cause}")

    def channel(self, spec: dict[str, Any]) -> Channel:
        """Return the channel that channel.yml describes. Raises ChannelError."""
        self.known("", spec, CHANNEL_KEYS, {"id", "name", "source", "destinations"})
        channel_id, name, depends = str(spec["id"]), str(spec["name"]), spec.get("depends", [])
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", channel_id):
            raise self.wrong("id", f"{channel_id} is no GUID in small letters")
        if name != self.source.name:
            raise self.wrong("name", f"{name} must be the name of its folder")
        if len(name) > 40:
            raise self.wrong("name", f"{name} has more than 40 characters, and the server's column no more")
        if not isinstance(spec["destinations"], list) or not spec["destinations"]:
            raise self.wrong("destinations", "give a list of one or more")
        if not isinstance(depends, list):
            raise self.wrong("depends", "give a list of channel names")
        root = fragment(self.folder, "channel-default")
        put(root, "id", channel_id)
        put(root, "name", name)
        put(root, "description", str(spec.get("description", "")))
        put(root, "nextMetaDataId", str(len(spec["destinations"]) + 1))
        put(root, "properties/messageStorageMode", "PRODUCTION")
        source = self.connector("sourceConnector", "source", spec["source"])
        place = list(root).index(part(root, "sourceConnector"))
        root.remove(part(root, "sourceConnector"))
        root.insert(place, source)
        for number, destination in enumerate(spec["destinations"], 1):
            part(root, "destinationConnectors").append(self.connector("connector", f"destinations[{number}]", destination, number))
        for key, file in self.mapping("scripts", spec.get("scripts", {}), set(SCRIPTS)).items():
            put(root, SCRIPTS[key], self.script(f"scripts.{key}", file))
        if "attachments" in spec:
            given = self.mapping("attachments", spec["attachments"], {"pattern", "mimetype"}, {"pattern", "mimetype"})
            properties = part(root, "properties/attachmentProperties")
            properties.insert(0, new("className", "com.mirth.connect.server.attachments.regex.RegexAttachmentHandlerProvider"))
            put(properties, "type", "Regex")
            for key in ("pattern", "mimetype"):
                entry(part(properties, "properties"), f"regex.{key}0", str(given[key]))
        root.append(self.metadata())
        return Channel(channel_id, name, tuple(str(other) for other in depends), root)

    def metadata(self) -> Element:
        """Return what the server keeps beside the channel: enabled, and how long its messages are kept (mirth.md §4)."""
        kept = self.retention
        return tree(
            "<exportData><metadata><enabled>true</enabled><pruningSettings>"
            f"<pruneMetaDataDays>{kept.metadata_days}</pruneMetaDataDays><pruneContentDays>{kept.content_days}</pruneContentDays>"
            "<archiveEnabled>false</archiveEnabled><pruneErroredMessages>false</pruneErroredMessages>"
            "</pruningSettings></metadata></exportData>"
        )

    def connector(self, tag: str, where: str, spec: Any, number: int = 0) -> Element:
        """Return a source (``number`` 0) or destination connector."""
        types, keys = (DESTINATIONS, DESTINATION_KEYS) if number else (SOURCES, CONNECTOR_KEYS)
        self.known(where, spec, keys, {"type", "data"} | ({"name"} if number else set()))
        kind = spec["type"]
        if kind not in types:
            raise self.wrong(f"{where}.type", f"{kind} is none of {', '.join(types)}")
        if number and kind == "tcp" and "responseData" not in spec:
            raise self.wrong(f"{where}.responseData", "a TCP Sender reads its answer as this data type: say RAW or HL7V2")
        fragment_name, transport = types[kind]
        properties = as_properties(fragment(self.folder, fragment_name), "properties")
        for path, value in self.mapping(f"{where}.set", spec.get("set", {})).items():
            self.assign(properties, f"{where}.set.{path}", path, value)
        given = {"script": spec["script"]} if "script" in spec else {}
        for name, file in {**given, **self.mapping(f"{where}.scripts", spec.get("scripts", {}))}.items():
            if properties.find(name) is None:
                raise self.wrong(f"{where}.script", f"{transport} has no script {name}")
            put(properties, name, self.script(f"{where}.{name}", file))

        data = spec["data"] if isinstance(spec["data"], list) else [spec["data"]] * 2
        root = Element(tag, version=VERSION)
        ElementTree.SubElement(root, "metaDataId").text = str(number)
        ElementTree.SubElement(root, "name").text = str(spec["name"]) if number else "sourceConnector"
        root.append(properties)
        root.append(self.transformer("transformer", where, spec.get("transformer", []), data, spec.get("dataset", {})))
        if number:
            answer = [spec.get("responseData", "RAW")] * 2
            root.append(self.transformer("responseTransformer", f"{where}.response", spec.get("response", []), answer, {}))
        rules = Element("filter", version=VERSION)
        rules.append(self.steps(f"{where}.filter", spec.get("filter", []), "rule-js"))
        root.append(rules)
        ElementTree.SubElement(root, "transportName").text = transport
        ElementTree.SubElement(root, "mode").text = "DESTINATION" if number else "SOURCE"
        ElementTree.SubElement(root, "enabled").text = "true"
        ElementTree.SubElement(root, "waitForPrevious").text = "true"
        return root

    def transformer(self, tag: str, where: str, files: Any, data: list[Any], dataset: Any) -> Element:
        """Return a transformer with its steps and its two data types, in which ``dataset`` changes defaults."""
        if len(data) != 2 or any(name not in DATA_TYPES for name in data):
            raise self.wrong(f"{where}.data", f"{data} must be one or two of {', '.join(DATA_TYPES)}")
        root = Element(tag, version=VERSION)
        root.append(self.steps(where if tag == "responseTransformer" else f"{where}.transformer", files, "step-js"))
        for side, name in zip(("inbound", "outbound"), data, strict=True):
            ElementTree.SubElement(root, f"{side}DataType").text = name
        sides = [
            as_properties(fragment(self.folder, DATA_TYPES[name]), f"{side}Properties")
            for side, name in zip(("inbound", "outbound"), data, strict=True)
        ]
        for path, value in self.mapping(f"{where}.dataset", dataset).items():
            for target in [side for side in sides if side.find(path.replace(".", "/")) is not None] or sides:
                self.assign(target, f"{where}.dataset.{path}", path, value)
        root.extend(sides)
        return root

    def steps(self, where: str, files: Any, kind: str) -> Element:
        """Return ``elements`` with one JavaScript step or rule for each file; all rules must say true."""
        if not isinstance(files, list):
            raise self.wrong(where, "give a list of .js files")
        root = Element("elements")
        for number, file in enumerate(files):
            step = fragment(self.folder, kind)
            step[0:0] = [new("name", Path(str(file)).stem), new("sequenceNumber", str(number))]
            if kind == "rule-js":
                step.insert(3, new("operator", "AND" if number else "NONE"))
            put(step, "script", self.script(where, file))
            root.append(step)
        return root

    def assign(self, root: Element, where: str, path: str, value: Any) -> None:
        """Set one value below ``root`` by its dotted path; ``"@key"`` is the value of that key of the configuration map."""
        element = root.find(path.replace(".", "/"))
        if element is None or len(element):
            raise self.wrong(where, "the server has no such setting here" if element is None else "is a group of settings, not one")
        if isinstance(value, list | dict) or value is None:
            raise self.wrong(where, "give one value")
        if isinstance(value, str) and value.startswith("@"):
            if value[1:] not in self.settings:
                raise self.wrong(where, f"the configuration map has no key {value[1:]} (a secret cannot be filled in)")
            value = self.settings[value[1:]]
        element.text = text_of(value)

    def script(self, where: str, file: Any) -> str:
        """Return the text of a script of this channel."""
        path = self.source / str(file)
        if not isinstance(file, str) or "/" in file or not path.is_file():
            raise self.wrong(where, f"there is no file {file} beside it")
        return script_text(path)

    def mapping(self, where: str, given: Any, known: set[str] | None = None, needed: set[str] | None = None) -> dict[str, Any]:
        """Check that something is a mapping, of known keys only where these are given."""
        if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
            raise self.wrong(where, "give keys and values")
        if known is not None:
            self.known(where, given, known, needed or set())
        return given

    def known(self, where: str, given: Any, known: set[str], needed: set[str]) -> None:
        """Check the keys of a mapping. Raises ChannelError for the first that is unknown or missing."""
        if not isinstance(given, dict):
            raise self.wrong(where or "all of it", "give keys and values")
        prefix = f"{where}." if where else ""
        for key in given:
            if key not in known:
                raise self.wrong(f"{prefix}{key}", f"is not known here; known are {', '.join(sorted(known))}")
        for key in sorted(needed - set(given)):
            raise self.wrong(f"{prefix}{key}", "is missing")


def fragment(folder: Path, name: str) -> Element:
    """Return a fresh copy of one default. Raises ChannelError where it is missing."""
    file = folder / "defaults" / f"{name}.xml"
    if not file.is_file():
        raise ChannelError(f"{file.relative_to(folder)} is missing: it is the server's own default")
    return tree(file.read_text(encoding="utf-8"))


def script_text(file: Path) -> str:
    """Return a script with LF line ends (the server changes CRLF, mirth.md §8.14) and none at its end.

    :raises ChannelError: it holds a character that XML cannot
    """
    text = file.read_text(encoding="utf-8").rstrip("\n")
    if found := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        raise ChannelError(f"{file.parent.name}/{file.name}: holds the control character {found[0]!r}; write it as an escape")
    return text


def stable_id(kind: str, name: str) -> str:
    """Return a GUID that is the same for the same name, in every lab."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pacs-emr/mirth/{kind}/{name}"))
