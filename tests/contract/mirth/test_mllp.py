"""MLLP: the TCP Sender with its queue and answers, and the TCP Listener with its acknowledgements."""

from __future__ import annotations

import pytest
from waiting import wait_for

from .support import (
    QUEUED,
    READER,
    WRITER,
    Pushed,
    Receiver,
    Sender,
    Server,
    acknowledgement,
    adt,
    answer_of,
    free_port,
    receiver,
    sender,
    status_message,
)

# --- TCP Sender ---


def test_order_and_answers(server: Server, pushed: Pushed) -> None:
    """P §5: one connection, in order; data type RAW takes any answer as SENT (P §0.2)."""
    with receiver(lambda number, text: acknowledgement(text, "AE" if number == 2 else "AA")) as peer:
        channel_id = pushed.push({"source": READER, "destinations": [sender(server, peer.port)]})
        for number in range(5):
            server.inject(channel_id, adt(str(number)), 1)
        server.wait_for_statuses(channel_id, ["SENT"] * 5)
        assert [text.split("|")[9] for text in peer.got] == ["0", "1", "2", "3", "4"]
        assert len(peer.open) == 1
        assert "MSA|AE|1" in answer_of(server.messages(channel_id)[1][1])


@pytest.mark.parametrize("again", [False, True])
def test_control_characters(server: Server, pushed: Pushed, again: bool) -> None:
    """P §11.4: an escape character of one's own (BEL) goes through a queue, with its address and content kept or made again."""
    text = adt("1").replace("^~\\&", "^~\u0007&").replace("SENDER", "A\u0007T\u0007B \u0085\u2028 <&> '\"")
    with receiver() as peer:
        channel_id = pushed.push(
            {"source": READER, "destinations": [sender(server, peer.port, **{"destinationConnectorProperties.regenerateTemplate": again})]}
        )
        server.inject(channel_id, text, 1)
        wait_for(lambda: "" if peer.got else "nothing came", 10, pause=0.2)
        assert peer.got == [text]
        wait_for(lambda: "" if server.count(channel_id, "SENT") == 1 else "not sent", 10, pause=0.2)


def test_validation(server: Server, pushed: Pushed) -> None:
    """M §3.4: with HL7V2 AE, AR and another MSA-2 are ERROR and leave the queue; gibberish is QUEUED and sent again."""
    answers = {"1": ("AE", None), "2": ("AR", None), "3": ("AA", "other"), "4": ("AA", None), "5": ("CA", None)}

    def reply(number: int, text: str) -> str:
        control = text.split("|")[9]
        return "gibberish" if control == "5" and number == 5 else acknowledgement(text, *answers[control])

    with receiver(reply) as peer:
        destination = sender(server, peer.port, **{"destinationConnectorProperties.validateResponse": True})
        channel_id = pushed.push({"source": READER, "destinations": [{**destination, "responseData": "HL7V2"}]})
        for control in answers:
            server.inject(channel_id, adt(control), 1)
        server.wait_for_statuses(channel_id, ["ERROR", "ERROR", "ERROR", "SENT", "SENT"])
        assert [text.split("|")[9] for text in peer.got] == ["1", "2", "3", "4", "5", "5"]


def test_response_transformer(server: Server, pushed: Pushed) -> None:
    """P §5.3, §11.3: it sets the state; QUEUED is retried in place and the next message waits; ERROR goes on."""
    code = (
        "var code = /MSA\\|(..)/.exec(String(response.getMessage()));"
        "if (String(responseStatus) == 'QUEUED') responseStatusMessage = 'no answer';"
        "else if (!code) { responseStatus = QUEUED; responseStatusMessage = 'gibberish'; }"
        "else if (code[1] == 'AA') { responseStatus = SENT; responseStatusMessage = 'accepted'; }"
        "else { responseStatus = ERROR; responseStatusMessage = 'refused ' + connectorMessage.getSendAttempts(); }"
    )

    def reply(number: int, text: str) -> str:
        return {1: "gibberish", 2: acknowledgement(text, "AE"), 3: acknowledgement(text)}[number]

    with receiver(reply) as peer:
        channel_id = pushed.push(
            {"source": READER, "destinations": [{**sender(server, peer.port), "response": ["answer.js"]}]}, {"answer.js": code}
        )
        for control in ("1", "2"):
            server.inject(channel_id, adt(control), 1)
        server.wait_for_statuses(channel_id, ["ERROR", "SENT"])
        assert [text.split("|")[9] for text in peer.got] == ["1", "1", "2"]
        assert [status_message(message[1]) for message in server.messages(channel_id)] == ["refused 2", "accepted"]


def test_guard_before_each_attempt(server: Server, pushed: Pushed) -> None:
    """P §11.3: with regenerateTemplate and includeFilterTransformer the filter runs at every attempt, and an empty address sends
    nothing and stays QUEUED."""
    rule = (
        "var n = Number(globalMap.get('g ' + channelId) || 0); globalMap.put('g ' + channelId, n + 1);"
        "channelMap.put('peer', n < 2 ? '' : globalMap.get('peer ' + channelId)); return true;"
    )
    answer = "if (String(responseStatus) == 'QUEUED') responseStatusMessage = 'held'; else responseStatus = SENT;"
    with receiver() as peer:
        again = {"destinationConnectorProperties.regenerateTemplate": True, "destinationConnectorProperties.includeFilterTransformer": True}
        destination = {**sender(server, peer.port, remoteAddress="${peer}", **again), "filter": ["rule.js"], "response": ["answer.js"]}
        spec = {"source": READER, "destinations": [destination], "scripts": {"deploy": "deploy.js"}}
        files = {"rule.js": rule, "answer.js": answer, "deploy.js": f"globalMap.put('peer ' + channelId, '{server.peer}'); return;"}
        channel_id = pushed.push(spec, files)
        server.inject(channel_id, adt(), 1)
        server.wait_for_statuses(channel_id, ["SENT"])
        assert len(peer.got) == 1
        assert server.messages(channel_id)[0][1].findtext("sendAttempts") == "3"


def test_filter_in_the_queue_ends_it(server: Server, pushed: Pushed) -> None:
    """P §11.3: false there is FILTERED, an exception ERROR; the queue goes on."""
    rule = "if (/ERR/.test(connectorMessage.getRawData())) throw 'no'; return !/OUT/.test(connectorMessage.getRawData());"
    with receiver() as peer:
        again = {"destinationConnectorProperties.regenerateTemplate": True, "destinationConnectorProperties.includeFilterTransformer": True}
        channel_id = pushed.push(
            {"source": READER, "destinations": [{**sender(server, peer.port, **again), "filter": ["rule.js"]}]}, {"rule.js": rule}
        )
        for control in ("ERR", "OUT", "ok"):
            server.inject(channel_id, adt(control), 1)
        server.wait_for_statuses(channel_id, ["ERROR", "FILTERED", "SENT"])
        assert [text.split("|")[9] for text in peer.got] == ["ok"]


def test_peer_that_is_away(server: Server, pushed: Pushed) -> None:
    """M §3.4, P §5.2: refused and unanswered are QUEUED and sent again, in order, also after a redeploy."""
    port = free_port()
    channel_id = pushed.push({"source": READER, "destinations": [sender(server, port, responseTimeout=1000)]})
    for control in ("1", "2"):
        server.inject(channel_id, adt(control), 1)
    assert server.statuses(channel_id) == ["QUEUED", "QUEUED"]
    assert server.count(channel_id, "QUEUED") == 2
    server.deploy(channel_id)
    silent = [True]
    peer = Receiver(lambda number, text: None if silent[0] else acknowledgement(text), port)
    try:
        wait_for(lambda: "" if len(peer.got) >= 2 else f"{len(peer.got)} attempts", 10)
        assert {text.split("|")[9] for text in peer.got} == {"1"}
        silent[0] = False
        server.wait_for_statuses(channel_id, ["SENT", "SENT"])
        assert peer.got[-1].split("|")[9] == "2"
    finally:
        peer.close()


def test_without_a_queue_a_peer_that_is_away_is_an_error(server: Server, pushed: Pushed) -> None:
    """M §3.4: with the queue off it becomes ERROR."""
    off = {"destinationConnectorProperties.queueEnabled": False}
    channel_id = pushed.push({"source": READER, "destinations": [sender(server, free_port(), **off)]})
    server.inject(channel_id, adt(), 1)
    assert server.statuses(channel_id) == ["ERROR"]


# --- TCP Listener ---


def listener(pushed: Pushed, port: int, script: str = "return 1;", **more: object) -> str:
    """A listener for HL7 with one writer."""
    variable = more.pop("variable", "Auto-generate (After source transformer)")
    queued = {"set": QUEUED} if more.pop("queued", False) else {}
    settings = {
        "listenerConnectorProperties.port": str(port),
        "charsetEncoding": "UTF-8",
        "sourceConnectorProperties.responseVariable": variable,
    }
    source = {"type": "tcp", "data": "HL7V2", "set": settings}
    return pushed.push({"source": source, "destinations": [{**WRITER, **queued}], **more}, {"out.js": script, "pre.js": "throw 'no';"})


@pytest.mark.parametrize(("version", "kind"), [("2.3.1", "ACK"), ("2.4", "ACK^A04^ACK"), ("2.5.1", "ACK^A04^ACK"), ("", "ACK^A04^ACK")])
def test_acknowledgement(server: Server, pushed: Pushed, version: str, kind: str) -> None:
    """M §8: AA after the source transformer; sender and receiver turned round, MSH-10 and the version of the message."""
    port = free_port()
    listener(pushed, port)
    msh, msa, _ = Sender(server.host, port).ask(adt("C7", version)).split("\r")
    fields = msh.split("|")
    assert fields[2:6] == ["MIRTH", "LAB", "SENDER", "SITE"]
    assert (fields[8], fields[10], fields[11]) == (kind, "P", version or "2.4")
    assert msa == "MSA|AA|C7"


def test_error_is_answered_ae(server: Server, pushed: Pushed) -> None:
    """M §8: an exception in the source gives AE, with the text of the data type; the connection stays."""
    port = free_port()
    listener(pushed, port, scripts={"pre": "pre.js"})
    client = Sender(server.host, port)
    for control in ("1", "2"):
        assert f"MSA|AE|{control}|An Error Occurred Processing Message." in client.ask(adt(control))


@pytest.mark.parametrize(
    ("script", "queued", "code"),
    [("return 1;", False, "AA"), ("throw 'no';", False, "AE"), ("return ResponseFactory.getQueuedResponse('x');", True, "AA")],
)
def test_destinations_completed(server: Server, pushed: Pushed, script: str, queued: bool, code: str) -> None:
    """M §8: an error in the destination gives AE, QUEUED gives AA."""
    port = free_port()
    listener(pushed, port, script, variable="Auto-generate (Destinations completed)", queued=queued)
    assert f"MSA|{code}|1" in Sender(server.host, port).ask(adt())


@pytest.mark.parametrize("text", ["garbage", "x", "MSH|"])
def test_what_is_too_short_gets_no_answer(server: Server, pushed: Pushed, text: str) -> None:
    """M §8: stored and sent on, but no acknowledgement at all. (Seen on 4.5.2: from nine characters on it gets one.)"""
    port = free_port()
    channel_id = listener(pushed, port)
    client = Sender(server.host, port, timeout=2)
    with pytest.raises(TimeoutError):
        client.ask(text)
    assert server.statuses(channel_id) == ["SENT"]


def test_longer_garbage_is_answered_in_its_own_separators(server: Server, pushed: Pushed) -> None:
    """Seen on 4.5.2: the fourth character is taken for the field separator."""
    port = free_port()
    listener(pushed, port)
    assert Sender(server.host, port).ask("hello, this is no HL7 at all").endswith("\rMSAlAAl1\r")
    assert "|T^I|2.3\rMSA|AA|77\r" in Sender(server.host, port).ask("\r\nMSH|^~\\&|A^1.2^ISO|B|C^3^ISO|D|x||ADT|77|T^I|2.3\rPID|1\r")


def test_line_ends(server: Server, pushed: Pushed) -> None:
    """P §4.3: convertLineBreaks makes CR of LF and CRLF in what goes on; the raw message stays."""
    port = free_port()
    channel_id = listener(pushed, port, "return String(connectorMessage.getRawData()).replace(/\\r/g, '<CR>').replace(/\\n/g, '<LF>');")
    text = adt().replace("\r", "\r\n", 1)
    assert "MSA|AA" in Sender(server.host, port).ask(text)
    (message,) = server.messages(channel_id)
    assert "<LF>" not in answer_of(message[1])
    assert answer_of(message[1]).count("<CR>") == 2


def test_characters(server: Server, pushed: Pushed) -> None:
    """P §6.2: UTF-8 in, UTF-8 out, also outside the BMP without steps."""
    port = free_port()
    channel_id = listener(
        pushed, port, "return String(connectorMessage.getRawData()).split('|')[2] + ' ' + sourceMap.get('remoteAddress');"
    )
    Sender(server.host, port).ask(adt().replace("SENDER", "Zoë 山田 𠮷"))
    assert answer_of(server.messages(channel_id)[0][1]).startswith("Zoë 山田 𠮷 ")
