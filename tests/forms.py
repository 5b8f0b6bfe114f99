"""The forms of a page."""

from __future__ import annotations

from html.parser import HTMLParser


class Form(HTMLParser):
    """The fields of a page's forms, as they would be posted if nothing were changed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what is set."""
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if (
            tag in ("input", "textarea")
            and name
            and (given.get("type") not in ("checkbox", "radio", "submit", "button") or "checked" in given)
        ):
            self.fields[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave a list."""
        if tag == "select":
            self._select = ""
