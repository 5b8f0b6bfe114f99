"""HL7 v2 text as the archive reads it (dcm4chee.md §4.1): bytes to segments, escapes, acknowledgements.

A parser of our own, because the libraries mend what must stay as it is: `\\X0D\\` ends a segment here, `\\E\\` becomes two
backslashes, a field keeps the difference between "absent" and "empty", and MSH-2 may name any escape character.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

CODECS = {
    **{f"8859/{part}": f"iso8859-{part}" for part in range(1, 10)},
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc-kr",
    "CNS 11643-1992": "tis-620",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
DICOM_CHARACTER_SETS = {"8859/1": "ISO_IR 100", "8859/2": "ISO_IR 101", "8859/5": "ISO_IR 144"}
_DECODED = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\\\", ".br": "\r\n"}
_LINE_BREAK = re.compile(r"X0*[DAda]0*")
FIELD, COMPONENT, REPEAT, ESCAPE, SUBCOMPONENT = range(5)


class Hl7Error(Exception):
    """A message is refused: `code` goes into ERR-3 (1xx makes AE, 2xx AR), `location` into ERR-2, the text into MSA-3 and ERR-8."""

    def __init__(self, code: str, reason: str, location: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.location = location


REQUIRED_FIELD_MISSING = "101^Required field missing^HL70357"
DATA_TYPE_ERROR = "102^Data type error^HL70357"
TABLE_VALUE_NOT_FOUND = "103^Table value not found^HL70357"
UNSUPPORTED_MESSAGE_TYPE = "200^Unsupported message type^HL70357"
UNSUPPORTED_EVENT_CODE = "201^Unsupported event code^HL70357"
UNKNOWN_KEY_IDENTIFIER = "204^Unknown key identifier^HL70357"
DUPLICATE_KEY_IDENTIFIER = "205^Duplicate key identifier^HL70357"
APPLICATION_RECORD_LOCKED = "206^Application record locked^HL70357"
APPLICATION_INTERNAL_ERROR = "207^Application internal error^HL70357"


@dataclass(frozen=True)
class Escape:
    """What stood between two escape characters."""

    code: str


@dataclass
class Node:
    """A field, component or subcomponent. `components` are those after the first, which is the node's own text; likewise the others."""

    tokens: list[str | Escape] = field(default_factory=list)
    subcomponents: list[Node] = field(default_factory=list)
    components: list[Node] = field(default_factory=list)
    repeats: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The own text up to the first escape."""
        return next((token for token in self.tokens if isinstance(token, str)), "")

    @property
    def whole(self) -> str:
        """All text, separators and escapes left out (`F17^MIRTH` is F17MIRTH: workflow.md §2.3)."""
        own = "".join(token.code if isinstance(token, Escape) else token for token in self.tokens)
        return own + "".join(node.whole for nodes in (self.subcomponents, self.components, self.repeats) for node in nodes)

    @property
    def decoded(self) -> str:
        """The own text with its escapes decoded; those that are unknown, such as highlighting, are dropped."""
        return "".join(_decode(token.code) if isinstance(token, Escape) else token for token in self.tokens)

    def component(self, number: int) -> Node:
        """Return a component, counted from 1 as HL7 does; an empty node where there is none."""
        if number == 1:
            return self
        return self.components[number - 2] if number - 2 < len(self.components) else Node()

    def subcomponent(self, number: int) -> Node:
        """Return a subcomponent, counted from 1; an empty node where there is none."""
        if number == 1:
            return self
        return self.subcomponents[number - 2] if number - 2 < len(self.subcomponents) else Node()


def _decode(code: str) -> str:
    return "\r\n" if _LINE_BREAK.fullmatch(code) else _DECODED.get(code, "")


@dataclass
class Segment:
    """A segment by the numbers of HL7, MSH included."""

    name: str
    fields: list[Node]

    def get(self, number: int) -> Node | None:
        """Return a field, None where the segment ends before it."""
        place = number - (3 if self.name == "MSH" else 1)
        return self.fields[place] if 0 <= place < len(self.fields) else None

    def __getitem__(self, number: int) -> Node:
        """Return a field, an empty one where the segment ends before it."""
        return self.get(number) or Node()


@dataclass
class Message:
    """A parsed message."""

    header: Header
    segments: list[Segment]

    def all(self, name: str) -> Iterator[Segment]:
        """Yield the segments of a name."""
        return (segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment:
        """Return the first segment of a name, one without fields where there is none."""
        return next(self.all(name), Segment(name, []))


class Header:
    """MSH as it came: separators and plain fields, all that routing and acknowledgement need."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for what is shorter than an MSH with its separators."""
        line = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("utf-8", "replace")
        if len(line) < 8:
            raise ValueError("Invalid MSH Segment")
        self.separator, self.encoding = line[3], line[4:8]
        self._fields = line.split(self.separator)

    def __getitem__(self, number: int) -> str:
        """Return a field by its HL7 number, empty when it is absent."""
        return self._fields[number - 1] if number - 1 < len(self._fields) else ""

    @property
    def message_type(self) -> str:
        """Code and event, such as ADT^A04."""
        return "^".join(self[9].replace(self.encoding[0], "^").split("^")[:2])

    @property
    def sender(self) -> str:
        """Sending application and facility."""
        return f"{self[3]}|{self[4]}"

    @property
    def receiver(self) -> str:
        """Receiving application and facility."""
        return f"{self[5]}|{self[6]}"

    def acknowledge(self, refused: Hl7Error | None = None) -> bytes:
        """Return the ACK; its MSA-3 is cut at 80 characters, ERR-8 holds all of the reason."""
        event = self.message_type.partition("^")[2]
        stamp = datetime.now().strftime("%Y%m%d%H%M%S.%f")[:-3]
        control = str(datetime.now().microsecond)
        header = ["MSH", self.encoding, self[5], self[6], self[3], self[4], stamp, "", f"ACK^{event}^ACK", control, *self._fields[10:]]
        code = "AA" if refused is None else "AE" if refused.code.startswith("1") else "AR"
        reason = "" if refused is None else re.sub(r"[\r\n]+", " ", str(refused))
        lines = [header, ["MSA", code, self[10], reason[:80]]]
        if refused is not None:
            lines.append(["ERR", "", refused.location.replace("^", self.encoding[0]), refused.code, "E", "", "", "", reason])
        return "".join(self.separator.join(line) + "\r" for line in lines).encode()


def parse(content: bytes, default_character_set: str) -> Message:
    """Read a message. Raises Hl7Error (207) for a segment shorter than its name.

    Hexadecimal escapes become bytes before anything else, unless they hide a separator; segments end in CR, LF or both.
    """
    header = Header(content)
    character_set = header[18] or default_character_set
    plain = _hexadecimal_decoded(content)
    codec = CODECS.get(character_set)
    # An unknown MSH-18 turns every other byte into "?".
    text = plain.decode(codec, "replace") if codec else plain.decode("ascii", "replace").replace("\ufffd", "?")
    segments = []
    delimiters = header.separator + header.encoding
    for line in re.split(r"\r\n|\r|\n", text):
        line = line.strip()
        if not line:
            continue
        if len(line) < 3:
            raise Hl7Error(APPLICATION_INTERNAL_ERROR, f"Segment to short: {line}")  # codespell:ignore
        segments.append(_segment(line, delimiters))
    return Message(header, segments)


def _hexadecimal_decoded(content: bytes) -> bytes:
    escape, separators = content[6:7], content[3:8]

    def decoded(match: re.Match[bytes]) -> bytes:
        raw = bytes.fromhex(match[1].decode())
        return match[0] if any(byte in separators for byte in raw) else raw

    return re.sub(re.escape(escape) + rb"X((?:[0-9A-Fa-f]{2})*)" + re.escape(escape), decoded, content)


def _segment(line: str, delimiters: str) -> Segment:
    header = line.startswith("MSH")
    tokens = deque(filter(None, re.split(f"([{re.escape(delimiters)}])", line[8:] if header else line)))
    segment = Segment("MSH" if header else tokens.popleft(), [])
    current: Node | None = None
    while tokens:
        token = tokens.popleft()
        if token == delimiters[FIELD]:
            current = place = repeat = component = Node()
            segment.fields.append(place)
        elif current is None:
            continue  # what stands behind MSH-2's fourth character
        elif token == delimiters[REPEAT]:
            current = repeat = component = Node()
            place.repeats.append(current)
        elif token == delimiters[COMPONENT]:
            current = component = Node()
            repeat.components.append(current)
        elif token == delimiters[SUBCOMPONENT]:
            current = Node()
            component.subcomponents.append(current)
        elif token == delimiters[ESCAPE] and len(tokens) > 1 and tokens[1] == token:
            current.tokens.append(Escape(tokens.popleft()))
            tokens.popleft()
        else:
            current.tokens.append(token)
    return segment
