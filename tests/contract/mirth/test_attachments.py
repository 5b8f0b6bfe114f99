"""Large content: taken out of a message, carried as a token, put back where it is sent or written."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from waiting import wait_for

from .support import QUEUED, ROUTED, Pushed, Sender, Server, answer_of, free_port, receiver, sender

PATTERN = {"pattern": r"\^Base64\^([A-Za-z0-9+/=]{1000,})", "mimetype": "application/pdf"}
REST = "MSH|^~\\&|SENDER|SITE|MIRTH|LAB|20260110||ORU^R01|{}|P|2.5.1\rOBX|1|ED|P||^Application^PDF^Base64^{}||||||F\r"
FILE = (
    "var F = java.nio.file.Files, P = java.nio.file.Paths, text = String(connectorMessage.getRawData());"
    "F.write(P.get(String(globalMap.get('contract_pdf')), 'file-' + connectorMessage.getMessageId()),"
    " AttachmentUtil.reAttachMessage(text, connectorMessage, 'UTF-8', false, true, true));"
    "var list = AttachmentUtil.getMessageAttachments(connectorMessage);"
    "if (list.size()) router.routeMessageByChannelId(String(globalMap.get('contract_target')), new RawMessage(new java.lang.String("
    "text.replace(/\\$\\{ATTACH:([0-9a-f-]{36})\\}/g, '${ATTACH:' + channelId + ':' + "
    "connectorMessage.getMessageId() + ':$1}')), null, new java.util.HashMap()));"
    "return list.size() + ' ' + text.length + ' ' + (list.size() ? list.get(0).getContent().length : 0);"
)


def listener(server: Server, pushed: Pushed, folder: Path, peer_port: int) -> tuple[str, str, int]:
    """A listener that takes attachments out and writes a file, and a channel of its own that sends to the peer."""
    source = {"type": "channel", "data": "RAW", "set": ROUTED}
    target = pushed.push({"source": source, "destinations": [sender(server, peer_port, responseTimeout=60000)]})
    setter = pushed.writer(f"globalMap.put('contract_pdf', '{folder}'); globalMap.put('contract_target', '{target}'); return 1;")
    server.inject(setter, "x", 1)
    port = free_port()
    settings = {
        "listenerConnectorProperties.port": str(port),
        "charsetEncoding": "ISO-8859-1",
        "sourceConnectorProperties.responseVariable": "Auto-generate (After source transformer)",
    }
    spec = {
        "source": {"type": "tcp", "data": "HL7V2", "dataset": {"serializationProperties.convertLineBreaks": False}, "set": settings},
        "destinations": [{"name": "out", "type": "js", "data": "RAW", "script": "out.js", "set": QUEUED}],
        "attachments": PATTERN,
    }
    return pushed.push(spec, {"out.js": FILE}), target, port


def carried(server: Server, pushed: Pushed, folder: Path, size: int) -> None:
    """Send a message with so many bytes of PDF, and see that it arrives whole in the file and at the peer."""
    content = base64.b64encode(os.urandom(size)).decode()
    message = REST.format("1", content)
    with receiver() as peer:
        channel_id, target, port = listener(server, pushed, folder, peer.port)
        assert "MSA|AA|1" in Sender(server.host, port, timeout=120).ask(message)
        server.wait_for_statuses(channel_id, ["SENT"], seconds=120)
        count, length, attached = answer_of(server.messages(channel_id)[0][1]).split()
        assert (count, attached) == ("1", str(len(content)))
        assert int(length) < 500
        wait_for(lambda: "" if peer.got else "the peer got nothing", 120)
        digest = hashlib.sha256(message.encode()).hexdigest()
        assert hashlib.sha256((folder / "file-1").read_bytes()).hexdigest() == digest
        assert hashlib.sha256(peer.got[0].encode()).hexdigest() == digest
        server.wait_for_statuses(target, ["SENT"], seconds=60)


def test_attachment_is_put_back(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §7.2, §11.4: scripts see a token; reAttachMessage gives the bytes; ${ATTACH:channel:message:id} is put back by another
    channel's sender."""
    carried(server, pushed, folder, 20_000)


def test_reprocessed_with_its_attachment(server: Server, pushed: Pushed, folder: Path) -> None:
    """DonkeyMessageController of 4.5.2: it is put back and taken out again; what is written is the same."""
    content = base64.b64encode(os.urandom(2000)).decode()
    with receiver() as peer:
        channel_id, _, port = listener(server, pushed, folder, peer.port)
        Sender(server.host, port).ask(REST.format("3", content))
        server.wait_for_statuses(channel_id, ["SENT"])
        (folder / "file-1").unlink()
        assert server.call("POST", f"/channels/{channel_id}/messages/1/_reprocess?replace=true").status_code == 204
        wait_for(lambda: "" if len(peer.got) == 2 else f"the peer got {len(peer.got)}", 20, pause=0.2)
        assert (folder / "file-1").read_bytes() == peer.got[1].encode() == REST.format("3", content).encode()


def test_40_mb(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §11.4: at -Xmx512m, byte-identical on both sides."""
    carried(server, pushed, folder, 40_000_000)


def test_small_content_stays(server: Server, pushed: Pushed, folder: Path) -> None:
    """P §7.2: what the pattern does not match is no attachment."""
    with receiver() as peer:
        channel_id, _, port = listener(server, pushed, folder, peer.port)
        Sender(server.host, port).ask(REST.format("2", "QUJD"))
        server.wait_for_statuses(channel_id, ["SENT"])
        assert answer_of(server.messages(channel_id)[0][1]).startswith("0 ")
