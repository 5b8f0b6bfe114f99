"""The engine's XML as trees: parse, change, write, compare. Used on the controller and on the engine's host (standard library only)."""

from __future__ import annotations

import copy
from xml.etree import ElementTree

Element = ElementTree.Element

VERSION = "4.5.2"
#: Parts of the server's XML that it counts or dates itself, and tags, which are the operators'.
NOT_OURS = {"revision", "lastModified", "nextMetaDataId", "userId", "codeTemplateLibraries", "dependentIds", "dependencyIds", "channelTags"}
#: Sets, of which the server keeps no order.
UNORDERED = {"delegate", "enabledChannelIds", "disabledChannelIds", "channels"}


class LacksPartError(Exception):
    """XML of the server's lacks an element that it always has."""


def tree(text: str) -> Element:
    """Parse XML, without the blanks between elements. Raises ParseError."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tail = None
        if len(element):
            element.text = None
    return root


def as_properties(root: Element, tag: str) -> Element:
    """Return a fragment whose tag is its class as the element ``tag`` with that class."""
    attributes = {"class": root.tag, **root.attrib}
    result = Element(tag, attributes)
    result.extend(list(root))
    return result


def part(root: Element, path: str) -> Element:
    """Return the element at a path that every default has."""
    element = root.find(path)
    if element is None:
        raise LacksPartError(f"<{root.tag}> lacks {path}")
    return element


def put(root: Element, path: str, text: str) -> None:
    """Set the text of the element at a path that every default has."""
    part(root, path).text = text


def new(name: str, text: str) -> Element:
    """Return an element with a text."""
    element = Element(name)
    element.text = text
    return element


def entry(root: Element, key: str, value: str) -> None:
    """Append an entry of a map of texts."""
    element = ElementTree.SubElement(root, "entry")
    ElementTree.SubElement(element, "string").text = key
    ElementTree.SubElement(element, "string").text = value


def text_of(value: object) -> str:
    """Return a value as the server writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def serialised(root: Element) -> str:
    """Return XML to send."""
    return ElementTree.tostring(root, encoding="unicode")


def comparable(root: Element) -> str:
    """Return indented text in which two forms of one thing are equal: without what is not ours, sets in one order."""
    clean = copy.deepcopy(root)
    for element in list(clean.iter()):
        for child in [child for child in element if child.tag in NOT_OURS]:
            element.remove(child)
        if element.tag in UNORDERED:
            element[:] = sorted(element, key=serialised)
        if element.text == "":
            element.text = None
    ElementTree.indent(clean)
    return serialised(clean)
