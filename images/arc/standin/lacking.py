"""Listeners of upstream that this stand-in lacks: the ports open, so that a reload can be proved, and every connection is refused.

Upstream listens on all connections of its device (dcm4chee.md §2.1: DICOM over TLS, HL7 and HL7 over TLS besides DICOM).
"""

from __future__ import annotations

import logging
import socketserver
import threading

log = logging.getLogger("standin.lacking")


class _Refusal(socketserver.BaseRequestHandler):
    """Closes the connection, and says why in the log: an answer would be taken for one of the archive."""

    def handle(self) -> None:
        """Send nothing."""
        log.error("connection to port %d closed, this stand-in does not speak its protocol", self.request.getsockname()[1])


class _Port(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class LackingPorts:
    """Opens and closes the ports as the device says."""

    def __init__(self) -> None:
        self._open: dict[int, _Port] = {}

    def use(self, ports: frozenset[int]) -> None:
        """Listen on exactly these ports. Raises OSError when one is taken."""
        for port in set(self._open) - ports:
            server = self._open.pop(port)
            server.shutdown()
            server.server_close()
        for port in sorted(ports - set(self._open)):
            self._open[port] = server = _Port(("0.0.0.0", port), _Refusal)
            threading.Thread(target=server.serve_forever, name=f"lacking-{port}", daemon=True).start()
            log.warning("port %d is open, but this stand-in closes every connection to it", port)
