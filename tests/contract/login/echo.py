"""What stands behind the login in these tests: says what reached it. Runs in a container, with Python's standard library alone."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase

CHUNK = 1 << 16


def body_of(stream: BufferedIOBase, length: str | None, chunked: bool) -> int:
    """Read the body of a request; return its bytes."""
    if not chunked:
        left = total = int(length or 0)
        while left:
            left -= len(stream.read(min(left, CHUNK)))
        return total
    total = 0
    while size := int(stream.readline(), 16):
        total += len(stream.read(size))
        stream.readline()
    stream.readline()
    return total


class Echo(BaseHTTPRequestHandler):
    """Answers each request with what it was, `/bytes/<n>` with so many bytes."""

    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> object:
        """Take every method."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        """Read the whole request, then answer."""
        taken = body_of(self.rfile, self.headers.get("Content-Length"), "Transfer-Encoding" in self.headers)
        if self.path.startswith("/bytes/"):
            self.send(int(self.path.rpartition("/")[2]))
            return
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        said = json.dumps({"method": self.command, "target": self.path, "headers": headers, "bytes": taken}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Set-Cookie", "backend=1")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    def send(self, size: int) -> None:
        """Answer with so many bytes."""
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for start in range(0, size, CHUNK):
            self.wfile.write(b"x" * min(CHUNK, size - start))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Echo).serve_forever()
