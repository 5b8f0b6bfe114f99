"""DICOMweb: one client, whether the calls go through the edge or are made inside the archive's container."""

from __future__ import annotations

import email
import email.policy
import http.client
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

ORIGINAL_FILE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
# What OHIF sends (dcm4chee.md §8.6).
ORIGINAL_FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"
DICOM_JSON = "application/dicom+json"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body's first 300 characters, for sentences."""
        return self.body[:300].decode("utf-8", "replace").strip()

    def parts(self) -> list[tuple[str, bytes]]:
        """Return content type and content of each part of a multipart answer, or of the one that it is (RFC 2387)."""
        content_type = self.headers.get("content-type", "")
        if not content_type.startswith("multipart/"):
            return [(content_type, self.body)]
        boundary = email.message_from_string(f"Content-Type: {content_type}\n\n", policy=email.policy.default).get_boundary()
        if not boundary:
            raise ValueError(f"no boundary in {content_type!r}")
        found: list[tuple[str, bytes]] = []
        for piece in re.split(rb"(?:^|\r\n)--" + re.escape(boundary.encode()), self.body)[1:]:
            if piece.startswith(b"--"):
                return found
            head, _, content = piece.partition(b"\r\n\r\n")
            named = email.message_from_bytes(head.strip() + b"\n\n")
            found.append((named.get("Content-Type", ""), content))
        raise ValueError("the multipart answer is cut off: its closing boundary is missing")


class Transport(Protocol):
    """A way to send one HTTP request. `target` is path and query exactly as they go on the wire."""

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """Return the answer; redirects are not followed."""
        ...

    def name(self) -> str:
        """Return the address, for sentences."""
        ...


class Direct:
    """Over the network, as a browser comes; nothing is normalised on the way, and no proxy is asked."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._url = urlsplit(origin)

    def name(self) -> str:
        return self.origin

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        connect = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = connect(self._url.hostname or "", self._url.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise AssertionError(f"{method} {self.origin}{target[:120]}: no answer: {error!r}") from error
        finally:
            connection.close()


class DicomWeb:
    """The calls of DICOM PS3.18 that the suite makes, below `root` (…/aets/<AE title>/rs).

    Raises AssertionError with the call and the answer where that is none of those it names.
    """

    def __init__(self, transport: Transport, root: str) -> None:
        self._transport = transport
        self.root = root

    def __str__(self) -> str:
        return f"DICOMweb at {self._transport.name()}{self.root}"

    def get(self, path: str, accept: str = DICOM_JSON) -> Answer:
        """GET below the root."""
        return self._transport.request("GET", f"{self.root}{path}", {"Accept": accept})

    def search(self, path: str, **keys: str) -> list[dict[str, Any]]:
        """QIDO-RS; no match is an empty list (204, dcm4chee.md §3; 200 with [] is as good by PS3.18)."""
        query = urlencode(keys)
        answer = self.get(f"{path}?{query}")
        assert answer.status in (200, 204), f"QIDO-RS {path}?{query} answered {answer.status}: {answer.text}"
        found: list[dict[str, Any]] = json.loads(answer.body) if answer.body else []
        return found

    def metadata(self, study: str, series: str) -> list[dict[str, Any]]:
        """WADO-RS metadata of a series."""
        answer = self.get(f"/studies/{study}/series/{series}/metadata")
        assert answer.status == 200, f"WADO-RS metadata of study {study} answered {answer.status}: {answer.text}"
        found: list[dict[str, Any]] = json.loads(answer.body)
        return found

    def frame(self, study: str, series: str, instance: str, number: int) -> bytes:
        """WADO-RS frame, counted from 1, in the transfer syntax in which it is stored."""
        answer = self.get(f"/studies/{study}/series/{series}/instances/{instance}/frames/{number}", ORIGINAL_FRAME)
        assert answer.status == 200, f"WADO-RS frame {number} of {instance} answered {answer.status}: {answer.text}"
        return answer.parts()[0][1]

    def file(self, study: str, series: str, instance: str) -> bytes:
        """WADO-RS instance as a DICOM file in the transfer syntax in which it is stored."""
        answer = self.get(f"/studies/{study}/series/{series}/instances/{instance}", ORIGINAL_FILE)
        assert answer.status == 200, f"WADO-RS instance {instance} answered {answer.status}: {answer.text}"
        return answer.parts()[0][1]

    def store(self, files: list[bytes]) -> Answer:
        """STOW-RS: 200 or 202 when anything was stored, 409 with a Warning when nothing was (dcm4chee.md §3)."""
        boundary = uuid.uuid4().hex
        parts = (f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + b"\r\n" for content in files)
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        return self._transport.request("POST", f"{self.root}/studies", {"Content-Type": content_type, "Accept": DICOM_JSON}, body)


def value(row: Mapping[str, Any], tag: str) -> Any:
    """Return the first value of an attribute of DICOM JSON, None when it is absent or empty."""
    values = row.get(tag, {}).get("Value") or [None]
    return values[0]
