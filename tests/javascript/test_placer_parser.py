"""The parser of order files takes any legal way of writing the same order, and never takes half of one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .rhino import Rhino, ScriptError

SETTINGS = settings(
    database=None, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
#: What a name or reason may hold: no control characters, no surrogates, nothing that DICOM cannot carry (backslash; in names ^ and =).
LETTERS = st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), max_codepoint=0xFFFF, blacklist_characters="\\\ufeff\ufffd")
TEXTS = st.text(LETTERS, min_size=1, max_size=40).map(lambda text: text.strip(" ")).filter(lambda text: text not in ("", '""'))
NAMES = st.text(LETTERS.filter(lambda letter: letter not in "^="), min_size=1, max_size=12).map(lambda text: text.strip(" ")).filter(bool)
DELIMITERS = st.sampled_from(["|^~\\&", "|^~\\&#", "|^~%&", "|*~!$", "#^~\\&", "|^~"])
ENDS = st.sampled_from(["\r", "\n", "\r\n"])
CHARSETS = st.sampled_from([("", "utf-8"), ("UNICODE UTF-8", "utf-8"), ("GB 18030-2000", "gb18030")])


@dataclass
class Writing:
    """How an order is written: delimiters (separator first, as in MSH), line end, empty components, repetitions."""

    delimiters: str
    end: str
    charset: tuple[str, str]
    bom: bool
    hexadecimal: bool
    trailing: int
    repetition: bool

    def escape(self, text: str) -> str:
        """Write text in this message's escapes."""
        f, c, r, e, s = list(self.delimiters + "\\&"[len(self.delimiters) - 3 :] if len(self.delimiters) < 5 else self.delimiters)[:5]
        keys = {f: "F", c: "S", r: "R", e: "E", s: "T"}
        out = []
        for letter in text:
            if letter in keys:
                out.append(f"{e}{keys[letter]}{e}")
            elif self.hexadecimal and not letter.isascii():
                out.append(f"{e}X{letter.encode(self.charset[1]).hex()}{e}")
            else:
                out.append(letter)
        return "".join(out)

    def message(self, name: list[str], reason: str, codes: list[str]) -> str:
        """Write the order."""
        f, c, r = list(self.delimiters[:3])
        tail = c * self.trailing + (r + "OTHER" if self.repetition else "")

        def line(*fields: str) -> str:
            return f.join(fields) + f * self.trailing

        lines = [
            f"MSH{f}{self.delimiters[1:]}{f}OPENEMR{f}OEMR{f}MIRTH{f}LAB{f}20261124033334{f}{f}ORM{c}O01{f}0007{f}P{f}2.3"
            + f * 6
            + self.charset[0],
            line("PID", "1", "", "42" + tail, "", c.join(map(self.escape, name)) + tail, "", "19800102", "F"),
            line("PV1", "1"),
            line("ORC", "NW", "OEMR-0007", *[""] * 6, "20261124033334"),
        ]
        for number, code in enumerate(codes, 1):
            lines.append(line("OBR", str(number), "OEMR-0007", "", f"{code}{c}Name" + tail, "R"))
            lines.append(line("OBX", "1", "ST", "CLINHX", "", self.escape(reason)))
        return "".join(text + self.end for text in lines)

    def raw(self, message: str) -> str:
        """Return the file's bytes as the reader hands them on: one character each."""
        return (message.encode(self.charset[1]) if not self.bom else message.encode("utf-8-sig")).decode("latin-1")


WRITINGS = st.builds(
    Writing,
    DELIMITERS,
    ENDS,
    CHARSETS,
    st.just(False),
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
) | st.builds(Writing, DELIMITERS, ENDS, st.just(("", "utf-8")), st.just(True), st.booleans(), st.integers(0, 3), st.booleans())
CODES = st.lists(st.sampled_from(["CTHEAD", "XRCHEST"]), min_size=1, max_size=4)
FRAGMENTS = st.text(st.sampled_from("MSHPIDORCBX|^~\\&\r\n1742")).map(lambda text: "MSH|^~\\&|" + text)
PLAIN = Writing("|^~\\&", "\r", ("", "utf-8"), False, False, 0, False)


@SETTINGS
@given(writing=WRITINGS, name=st.lists(NAMES, min_size=1, max_size=5), reason=TEXTS, codes=CODES)
@example(writing=PLAIN, name=["O'Hara & Söhne", "山 太郎"], reason="38.5 °C | seit ~2 Tagen", codes=["CTHEAD", "CTHEAD"])
def test_any_way_of_writing_is_the_same_order(rhino: Rhino, writing: Writing, name: list[str], reason: str, codes: list[str]) -> None:
    found = rhino.call("parseOrders", writing.raw(writing.message(name, reason, codes)))
    assert found["patient"]["pid"] == "42"
    assert found["patient"]["name"] == "^".join(PLAIN.escape(part) for part in name).rstrip("^")
    assert [order["code"] for order in found["orders"]] == codes
    assert [order["occ"] for order in found["orders"]] == [codes[: place + 1].count(code) for place, code in enumerate(codes)]
    assert {order["placer"] for order in found["orders"]} == {"7"}
    expected = reason if writing.escape('""') != reason else ""
    assert {order["content"]["reason"] for order in found["orders"]} == {expected}
    assert found["notes"] == []


@SETTINGS
@given(writing=WRITINGS, codes=CODES, reason=TEXTS, data=st.data())
def test_a_truncated_file_is_refused_or_ends_with_a_whole_line(
    rhino: Rhino, writing: Writing, codes: list[str], reason: str, data: st.DataObject
) -> None:
    """Cut anywhere: between two lines nothing can be seen of it, which is what the comparison with the EMR is for."""
    raw = writing.raw(writing.message(["Doe", "Jane"], reason, codes))
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    if cut.endswith(("\r", "\n")):
        return
    with pytest.raises(ScriptError) as thrown:
        rhino.call("parseOrders", cut)
    assert thrown.value.refused, thrown.value


@SETTINGS
@given(
    st.text(st.characters(max_codepoint=255)) | st.text(st.sampled_from("MSHPIDORCBX|^~\\&\r\n1742")).map(lambda text: "MSH|^~\\&|" + text)
)
def test_anything_else_is_refused_with_a_reason(rhino: Rhino, raw: str) -> None:
    with pytest.raises(ScriptError) as thrown:
        rhino.call("parseOrders", raw)
    assert thrown.value.refused, thrown.value
