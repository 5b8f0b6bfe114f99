"""What happens to a message: filters, scripts, the queue, routing, answers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from waiting import wait_for

from .support import (
    JSON,
    READER,
    TEXT,
    WRITER,
    Pushed,
    Server,
    answer_of,
)


def test_injection(server: Server, pushed: Pushed) -> None:
    """M §8.1: 201 and the number; without destinationMetaDataId no destination runs; text/plain alone; not deployed: 500."""
    channel_id = pushed.writer("return 'done';")
    assert server.inject(channel_id, "a", 1) == 1
    assert server.inject(channel_id, "b") == 2
    assert server.statuses(channel_id) == ["SENT"]
    assert server.statuses(channel_id, 0) == ["TRANSFORMED", "TRANSFORMED"]
    assert server.call("POST", f"/channels/{channel_id}/messages", "<a/>").status_code == 415
    server.call("POST", f"/channels/{channel_id}/_undeploy")
    assert server.call("POST", f"/channels/{channel_id}/messages", "c", kind=TEXT).status_code == 500


def test_counts(server: Server, pushed: Pushed) -> None:
    """P §8: count?status=…, the statistics, the messages in a state with only the connectors that are in it."""
    channel_id = pushed.writer("if (String(connectorMessage.getRawData()) == 'bad') throw 'no'; return 'done';")
    for text in ("good", "bad", "good"):
        server.inject(channel_id, text, 1)
    assert (server.count(channel_id, "ERROR"), server.count(channel_id, "SENT"), server.count(channel_id, "QUEUED")) == (1, 2, 0)
    assert server.call("GET", f"/channels/{channel_id}/messages/count?status=ERROR", accept=JSON).json() == {"long": 1}
    assert server.get(f"/channels/{channel_id}/messages/maxMessageId").text == "3"
    found = server.get(f"/channels/{channel_id}/messages?status=ERROR&includeContent=false&limit=50")
    assert [each.findtext("messageId") for each in found] == ["2"]
    assert [each.findtext("int") for each in found.iter("entry") if each.find("connectorMessage") is not None] == ["1"]
    numbers = server.get(f"/channels/{channel_id}/statistics")
    assert {key: numbers.findtext(key) for key in ("received", "sent", "error", "filtered", "queued")} == {
        "received": "3",
        "sent": "2",
        "error": "1",
        "filtered": "0",
        "queued": "0",
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("return true;", "SENT"),
        ("return false;", "FILTERED"),
        ("return 'true';", "FILTERED"),
        ("return;", "FILTERED"),
        ("throw 'no';", "ERROR"),
    ],
)
def test_filter(server: Server, pushed: Pushed, code: str, status: str) -> None:
    """M §3.3, §8: anything but true is FILTERED, the text "true" as well; an exception is ERROR."""
    destination = {**WRITER, "filter": ["rule.js"]}
    channel_id = pushed.push({"source": READER, "destinations": [destination]}, {"rule.js": code, "out.js": "return 1;"})
    server.inject(channel_id, "x", 1)
    assert server.statuses(channel_id) == [status]


def test_second_rule_without_operator(server: Server, pushed: Pushed) -> None:
    """M §8: a second rule with operator NONE deploys, and every message is in error."""
    destination = {**WRITER, "filter": ["a.js", "b.js"]}
    made = pushed.make(
        {"source": READER, "destinations": [destination]}, {"a.js": "return true;", "b.js": "return true;", "out.js": "return 1;"}
    )
    for operator in made.xml.iter("operator"):
        operator.text = "NONE"
    server.put(made)
    assert server.deploy(made.id).status_code == 204
    server.inject(made.id, "x", 1)
    assert server.statuses(made.id) == ["ERROR"]


def test_maps_and_transformers(server: Server, pushed: Pushed) -> None:
    """M §3.3: a RAW transformer changes msg; channelMap reaches the destination, sourceMap and configurationMap are read; $()
    looks in all of them."""
    spec = {"source": {**READER, "transformer": ["step.js"]}, "destinations": [WRITER]}
    files = {
        "step.js": "channelMap.put('a', 'A' + msg.length); msg = msg.toUpperCase();",
        "out.js": "return $('a') + connectorMessage.getRawData() + $('nothing') + connectorMessage.getMessageId() + channelName.length;",
    }
    channel_id = pushed.push(spec, files)
    server.inject(channel_id, "hello", 1)
    (message,) = server.messages(channel_id)
    assert answer_of(message[1]).startswith("A5HELLO1")
    assert message[0].findtext("encoded/content") == "HELLO"


def test_postprocessor(server: Server, pushed: Pushed) -> None:
    """Channel.finishMessage of 4.5.2: after each message whose parts are stored, also a filtered one and one in error, with the channelMap
    of all its parts."""
    spec = {
        "source": {**READER, "filter": ["rule.js"], "transformer": ["step.js"]},
        "destinations": [WRITER],
        "scripts": {"post": "post.js"},
    }
    files = {
        "rule.js": "channelMap.put('who', String(connectorMessage.getRawData())); return channelMap.get('who') != 'filtered';",
        "step.js": "if (channelMap.get('who') == 'wrong') throw 'no';",
        "out.js": "channelMap.put('sent', 'sent'); return String(globalChannelMap.get('seen') || '');",
        "post.js": "var one = channelMap.get('who') + (channelMap.get('sent') || '') + ' ';"
        "globalChannelMap.put('seen', (globalChannelMap.get('seen') || '') + one);",
    }
    channel_id = pushed.push(spec, files)
    for text in ("first", "filtered", "wrong", "last"):
        server.inject(channel_id, text, 1)
    (last,) = [message[1] for message in server.messages(channel_id) if message[0].findtext("raw/content") == "last"]
    assert answer_of(last) == "firstsent filtered wrong "


def test_java_strings_are_no_scripts_strings(server: Server, pushed: Pushed) -> None:
    """P §0.14: replace(/-/g, '') on one throws; String(…) helps."""
    channel_id = pushed.writer(
        "return /a/.test(connectorMessage.getRawData()) ? UUIDGenerator.getUUID().replace(/-/g, '') :"
        " String(UUIDGenerator.getUUID()).replace(/-/g, '');"
    )
    for text in ("a", "b"):
        server.inject(channel_id, text, 1)
    assert server.statuses(channel_id) == ["ERROR", "SENT"]


def test_script_response(server: Server, pushed: Pushed) -> None:
    """P §0.12, §3.4: an exception is ERROR, queue or not; a queued Response is retried, in order."""
    code = "var n = Number(globalMap.get('n ' + channelId) || 0); globalMap.put('n ' + channelId, n + 1);"
    code += " if (String(connectorMessage.getRawData()) == 'bad') throw 'no';"
    channel_id = pushed.writer(code + " return n < 2 ? ResponseFactory.getQueuedResponse('later ' + n) : 'done ' + n;", queued=True)
    for text in ("a", "b", "bad"):
        server.inject(channel_id, text, 1)
    server.wait_for_statuses(channel_id, ["SENT", "SENT", "ERROR"])
    messages = server.messages(channel_id)
    assert [answer_of(message[1]) for message in messages[:2]] == ["done 2", "done 3"]
    assert messages[0][1].findtext("sendAttempts") == "3"


def test_router(server: Server, pushed: Pushed) -> None:
    """P §6.3: TRANSFORMED from a reader that answers after its transformer, null from one with None, ERROR for one that is not
    running; the sourceMap goes along."""
    target = pushed.writer("return sourceMap.get('k') + connectorMessage.getRawData();")
    silent = pushed.push(
        {
            "source": {"type": "channel", "data": "RAW", "set": {"sourceConnectorProperties.responseVariable": "None"}},
            "destinations": [WRITER],
        },
        {"out.js": "return 1;"},
    )
    code = (
        "var sm = new java.util.HashMap(); sm.put('k', new java.lang.String('v'));"
        "var r = router.routeMessageByChannelId(String(connectorMessage.getRawData()), new RawMessage('m', null, sm));"
        "return r == null ? 'null' : String(r.getStatus());"
    )
    channel_id = pushed.writer(code)
    for wanted in (target, silent, "6f0a0001-0000-4000-8000-0000000000ff"):
        server.inject(channel_id, wanted, 1)
    assert [answer_of(message[1]) for message in server.messages(channel_id)] == ["TRANSFORMED", "null", "ERROR"]
    assert [answer_of(message[1]) for message in server.messages(target)] == ["vm"]


def test_what_is_kept(server: Server, pushed: Pushed) -> None:
    """Seen on 4.5.2 in the storage mode PRODUCTION: what the source answered, not what filters and transformers made; the source map
    is an unmodifiable one."""
    spec = {
        "source": {**READER, "transformer": ["step.js"]},
        "destinations": [{**WRITER, "filter": ["rule.js"]}],
        "scripts": {"pre": "pre.js"},
    }
    files = {"step.js": "msg = msg + 'y';", "rule.js": "return true;", "out.js": "return 'done';", "pre.js": "return message + 'x';"}
    channel_id = pushed.push(spec, files)
    text = "var sm = new java.util.HashMap(); sm.put('k', 'v'); var r = router.routeMessageByChannelId"
    said = "return r.getStatus() + '/' + r.getMessage() + '/' + r.getStatusMessage() + '/' + r.getError();"
    router = pushed.writer(f"{text}('{channel_id}', new RawMessage('m', null, sm)); {said}")
    server.inject(router, "x", 1)
    assert answer_of(server.messages(router)[0][1]) == "TRANSFORMED///"
    (message,) = server.messages(channel_id)
    kinds = ("raw", "processedRaw", "transformed", "encoded")
    assert [message[0].findtext(f"{kind}/content") for kind in kinds] == ["m", None, None, "mxy"]
    assert [message[1].findtext(f"{kind}/content") for kind in kinds] == ["mxy", None, None, "mxy"]
    answered = ElementTree.fromstring(message[0].findtext("response/content") or "")
    assert [(part.tag, part.text or "") for part in answered] == [
        ("status", "TRANSFORMED"),
        ("message", ""),
        ("error", ""),
        ("statusMessage", ""),
    ]
    entries = message[1].findall("sourceMapContent/content/m/entry")
    assert {part[0].text: part[1].text for part in entries}["k"] == "v", ElementTree.tostring(message[1])


def test_reprocess(server: Server, pushed: Pushed) -> None:
    """P §8: replace=true runs the same message again; in bulk by its state."""
    channel_id = pushed.writer(
        "if (globalMap.get('ok ' + channelId) == null && String(connectorMessage.getRawData()) == 'bad') throw 'no'; return 'done';"
    )
    for text in ("bad", "good", "bad"):
        server.inject(channel_id, text, 1)
    assert server.count(channel_id, "ERROR") == 2
    other = pushed.writer(f"globalMap.put('ok {channel_id}', 'yes'); return 1;")
    server.inject(other, "x", 1)
    assert server.call("POST", f"/channels/{channel_id}/messages/1/_reprocess?replace=true").status_code == 204
    server.wait_for_statuses(channel_id, ["SENT", "SENT", "ERROR"])
    assert server.call("POST", f"/channels/{channel_id}/messages/_reprocess?replace=true&status=ERROR").status_code == 204
    server.wait_for_statuses(channel_id, ["SENT", "SENT", "SENT"])


def test_what_a_reprocessed_message_knows(server: Server, pushed: Pushed) -> None:
    """DonkeyMessageController of 4.5.2: its source map has `reprocessed` and `replaced` beside what it had; the channel map is empty."""
    code = (
        "var known = ['k', 'reprocessed', 'replaced'].map(function (key) { return sourceMap.get(key); }).join(' ') + channelMap.get('was');"
        "channelMap.put('was', 'here'); return known;"
    )
    channel_id = pushed.writer(code)
    text = "var sm = new java.util.HashMap(); sm.put('k', 'v'); router.routeMessageByChannelId"
    router = pushed.writer(f"{text}('{channel_id}', new RawMessage('m', null, sm)); return 1;")
    server.inject(router, "x", 1)
    assert [answer_of(message[1]) for message in server.messages(channel_id)] == ["v  null"]
    for replace, wanted in (("true", ["v true truenull"]), ("false", ["v true truenull", "v true falsenull"])):
        assert server.call("POST", f"/channels/{channel_id}/messages/1/_reprocess?replace={replace}").status_code == 204

        def complaint(wanted: list[str] = wanted) -> str:
            found = [answer_of(message[1]) for message in server.messages(channel_id) if 1 in message]
            return "" if found == wanted else f"answers are {found}"

        wait_for(complaint, 10, pause=0.2)


def test_reprocess_of_one_that_waits(server: Server, pushed: Pushed) -> None:
    """P §8: a message that is in the queue is replaced there, and runs once."""
    count = "var n = Number(globalMap.get('w ' + channelId) || 0); globalMap.put('w ' + channelId, n + 1);"
    code = f"{count} return sourceMap.get('reprocessed') == null ? ResponseFactory.getQueuedResponse('wait') : 'done';"
    channel_id = pushed.writer(code, queued=True)
    server.inject(channel_id, "x", 1)
    server.wait_for_statuses(channel_id, ["QUEUED"])
    assert server.call("POST", f"/channels/{channel_id}/messages/1/_reprocess?replace=true").status_code == 204
    server.wait_for_statuses(channel_id, ["SENT"])
    assert server.count(channel_id, "QUEUED") == 0


def test_reprocess_says_nothing_of_what_comes_of_it(server: Server, pushed: Pushed) -> None:
    """MessageServlet of 4.5.2 does it in another thread: 204 for a channel that is not deployed, and for a number that is not there."""
    channel_id = pushed.writer("return 1;")
    assert server.call("POST", f"/channels/{channel_id}/messages/7/_reprocess?replace=true").status_code == 204
    server.call("POST", f"/channels/{channel_id}/_undeploy")
    assert server.call("POST", f"/channels/{channel_id}/messages/7/_reprocess?replace=true").status_code == 204


def test_error_response_is_final(server: Server, pushed: Pushed) -> None:
    """ResponseFactory of 4.5.2: getErrorResponse is ERROR with the text as its message, queue or not, and is not tried again."""
    channel_id = pushed.writer("return ResponseFactory.getErrorResponse('refused: no');", queued=True)
    server.inject(channel_id, "x", 1)
    server.wait_for_statuses(channel_id, ["ERROR"])
    (message,) = server.messages(channel_id)
    assert (answer_of(message[1]), message[1].findtext("sendAttempts")) == ("refused: no", "1")


def test_logger_in_every_script(server: Server, pushed: Pushed) -> None:
    """JavaScriptScopeUtil of 4.5.2: deploy, preprocessor, filter, transformer, writer and response transformer all have `logger`."""
    log = "logger.debug('d'); logger.info('i'); logger.warn('w'); logger.error('e');"
    spec = {
        "source": {**READER, "filter": ["rule.js"], "transformer": ["step.js"]},
        "destinations": [{**WRITER, "filter": ["rule.js"], "transformer": ["step.js"], "response": ["step.js"], "responseData": "RAW"}],
        "scripts": {"pre": "pre.js", "deploy": "deploy.js"},
    }
    files = {
        "rule.js": f"{log} return true;",
        "step.js": log,
        "out.js": f"{log} return 'done';",
        "pre.js": f"{log} return message;",
        "deploy.js": f"{log} return;",
    }
    channel_id = pushed.push(spec, files)
    server.inject(channel_id, "x", 1)
    server.wait_for_statuses(channel_id, ["SENT"])
    assert answer_of(server.messages(channel_id)[0][1]) == "done"
