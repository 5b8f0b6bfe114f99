"""Deploying, and what the dashboard says of a channel."""

from __future__ import annotations

import socket
from xml.etree import ElementTree

import pytest

from .support import JSON, READER, WRITER, Pushed, Server, free_port, only_image, status_message


def test_revision_delta(server: Server, pushed: Pushed) -> None:
    """P §10: 0 when what runs is what is stored, not 0 when it is not; a deploy makes it 0 again."""
    made = pushed.make({"source": READER, "destinations": [WRITER]}, {"out.js": "return 1;"})
    server.put(made)
    assert server.deploy(made.id).status_code == 204
    path = f"/channels/{made.id}/status"
    assert server.get(path).findtext("deployedRevisionDelta") == "0"
    made.xml.find("description").text = "x"
    server.put(made)
    assert server.get(path).findtext("deployedRevisionDelta") == "1"
    server.deploy(made.id)
    assert server.get(path).findtext("deployedRevisionDelta") == "0"


def test_what_a_checker_reads(server: Server, pushed: Pushed) -> None:
    """P §8: the statuses as JSON, with the destinations as children."""
    channel_id = pushed.writer("return 1;", queued=True)
    found = server.call("GET", f"/channels/statuses?includeUndeployed=true&channelId={channel_id}", accept=JSON).json()["list"][
        "dashboardStatus"
    ]
    assert {key: found[key] for key in ("channelId", "state", "deployedRevisionDelta", "queued")} == {
        "channelId": channel_id,
        "state": "STARTED",
        "deployedRevisionDelta": 0,
        "queued": 0,
    }
    assert "codeTemplatesChanged" not in found
    counters = {each["com.mirth.connect.donkey.model.message.Status"]: each["long"] for each in found["statistics"]["entry"]}
    assert counters == {"RECEIVED": 0, "FILTERED": 0, "SENT": 0, "ERROR": 0}
    source, out = found["childStatuses"]["dashboardStatus"]
    assert (source["name"], source["metaDataId"]) == ("Source", 0)
    assert (out["name"], out["metaDataId"], out["queueEnabled"], out["queued"]) == ("out", 1, True, 0)


def test_undeployed_channel_in_the_statuses(server: Server, pushed: Pushed) -> None:
    """M §2.2: includeUndeployed shows it."""
    made = pushed.make({"source": READER, "destinations": [WRITER]}, {"out.js": "return 1;"})
    server.put(made)
    found = server.get(f"/channels/statuses?includeUndeployed=true&channelId={made.id}")
    assert [each.findtext("state") for each in found] == ["UNDEPLOYED"]
    assert len(server.get(f"/channels/statuses?channelId={made.id}")) == 0


@pytest.mark.parametrize(
    "code", ["return ((", "class A {}; return 1;", "return (function (a = 1) { return a; })();", "async function f() {}; return 1;"]
)
def test_syntax_error_in_a_step(server: Server, pushed: Pushed, code: str) -> None:
    """M §8.5, §8: 500, status 404; Rhino's ES6 has no class, default parameters or async."""
    spec = {"source": {**READER, "transformer": ["step.js"]}, "destinations": [WRITER]}
    made = pushed.make(spec, {"step.js": code, "out.js": "return 1;"})
    server.put(made)
    assert server.deploy(made.id).status_code == 500
    assert server.state(made.id) == ""


def test_syntax_error_in_a_writer(server: Server, pushed: Pushed) -> None:
    """Seen on 4.5.2: that of a JavaScript Writer alone does not fail the deploy; each message is then in error."""
    channel_id = pushed.writer("return ((")
    server.inject(channel_id, "x", 1)
    assert server.statuses(channel_id) == ["ERROR"]
    assert "Script not found in cache" in status_message(server.messages(channel_id)[0][1])


def test_what_rhino_runs(server: Server, pushed: Pushed) -> None:
    """M §8: let, const, arrow functions, for-of, E4X; template literals are not interpolated."""
    code = "let a = []; const f = x => x + 1; for (let v of [1, 2]) a.push(f(v)); var x = new XML('<r><b>7</b></r>');"
    code += " return a.join() + x['b'].toString() + `${a}`;"
    channel_id = pushed.writer(code)
    server.inject(channel_id, "x", 1)
    assert "2,37" in (server.messages(channel_id)[0][1].findtext("response/content") or "")
    assert "2,37${a}" in (server.messages(channel_id)[0][1].findtext("response/content") or "")


def test_deploy_script(server: Server, pushed: Pushed) -> None:
    """P §3.2: it runs at each deploy; when it throws the deploy is 500 and the channel not deployed."""
    scripts = {"deploy": "deploy.js"}
    spec = {"source": READER, "destinations": [WRITER], "scripts": scripts}
    made = pushed.make(
        spec,
        {"deploy.js": "globalMap.put('contract ' + channelId, 'ran'); return;", "out.js": "return globalMap.get('contract ' + channelId);"},
    )
    server.put(made)
    assert server.deploy(made.id).status_code == 204
    server.inject(made.id, "x", 1)
    assert "ran" in (server.messages(made.id)[0][1].findtext("response/content") or "")
    bad = pushed.make(spec, {"deploy.js": "throw 'not today';", "out.js": "return 1;"})
    server.put(bad)
    assert server.deploy(bad.id).status_code == 500
    assert server.state(bad.id) == ""


def test_port_in_use(server: Server, pushed: Pushed) -> None:
    """M §8.5: 500, and the channel is deployed and STOPPED."""
    port = free_port()
    spec = {"source": {"type": "tcp", "data": "HL7V2", "set": {"listenerConnectorProperties.port": str(port)}}, "destinations": [WRITER]}
    first = pushed.push(spec, {"out.js": "return 1;"})
    second = pushed.make(spec, {"out.js": "return 1;"})
    server.put(second)
    assert server.deploy(second.id).status_code == 500
    assert server.state(second.id) == "STOPPED"
    assert server.call("POST", f"/channels/{first}/_undeploy").status_code == 204
    assert server.call("POST", f"/channels/{second.id}/_start?returnErrors=true").status_code == 204
    assert server.state(second.id) == "STARTED"


def test_start_stop_undeploy(server: Server, pushed: Pushed) -> None:
    """M §2.2, §8.5: 204 each, also for one that is not deployed; a listener's port follows."""
    port = free_port()
    spec = {"source": {"type": "tcp", "data": "HL7V2", "set": {"listenerConnectorProperties.port": str(port)}}, "destinations": [WRITER]}
    channel_id = pushed.push(spec, {"out.js": "return 1;"})

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((server.host, port)) == 0

    assert listens()
    for verb, state, open_ in (
        ("stop", "STOPPED", False),
        ("start", "STARTED", True),
        ("undeploy", "", False),
        ("undeploy", "", False),
        ("start", "", False),
    ):
        assert server.call("POST", f"/channels/{channel_id}/_{verb}").status_code == 204
        assert (server.state(channel_id), listens()) == (state, open_)


def test_unknown_ids_are_passed_over(server: Server) -> None:
    """M §8.5: 204."""
    assert server.deploy("6f0a0001-0000-4000-8000-0000000000ff").status_code == 204


# --- code templates ---


def test_templates_reach_every_script(server: Server, pushed: Pushed) -> None:
    """P §6.5: transformer, writer, deploy script, once they are pushed; a function that is not there shows when the script runs."""
    spec = {"source": {**READER, "transformer": ["step.js"]}, "destinations": [WRITER], "scripts": {"deploy": "deploy.js"}}
    files = {
        "step.js": "msg = twice(msg);",
        "out.js": "return twice(connectorMessage.getRawData()) + globalMap.get('contract ' + channelId);",
    }
    made = pushed.make(spec, {**files, "deploy.js": "globalMap.put('contract ' + channelId, twice('d')); return;"})
    pushed.library(made.id, "function twice(x) { return String(x) + String(x); }")
    server.put(made)
    assert server.deploy(made.id).status_code == 204
    server.inject(made.id, "ab", 1)
    assert "ababababdd" in (server.messages(made.id)[0][1].findtext("response/content") or "")


def test_changed_template(server: Server, pushed: Pushed) -> None:
    """P §0.11, §6.5: used after the next deploy only; codeTemplatesChanged is absent unless it is true; an identical push changes
    nothing."""
    made = pushed.make({"source": READER, "destinations": [WRITER]}, {"out.js": "return word();"})
    library, _, _ = pushed.library(made.id, "function word() { return 'one'; }")
    server.put(made)
    server.deploy(made.id)
    path = f"/channels/{made.id}/status"
    pushed.library(made.id, "function word() { return 'one'; }", library_id=library)
    assert server.get(path).find("codeTemplatesChanged") is None
    pushed.library(made.id, "function word() { return 'two'; }", library_id=library)
    assert server.get(path).findtext("codeTemplatesChanged") == "true"
    server.inject(made.id, "x", 1)
    server.deploy(made.id)
    assert server.get(path).find("codeTemplatesChanged") is None
    server.inject(made.id, "x", 1)
    answers = [
        ElementTree.fromstring(message[1].findtext("response/content") or "").findtext("message") for message in server.messages(made.id)
    ]
    assert answers == ["one", "two"]


def test_template_with_a_syntax_error(server: Server, pushed: Pushed) -> None:
    """P §6.5: refused inside a 200, the old one stays; PUT of a single one is 500."""
    made = pushed.make({"source": READER, "destinations": [WRITER]}, {"out.js": "return 1;"})
    server.put(made)
    library, (template,), answer = pushed.library(made.id, "function word() { return 'one'; }")
    assert {each.text for each in answer.iter("success")} == {"true"}
    assert answer.findtext("librariesSuccess") == "true"
    _, _, answer = pushed.library(made.id, "function word() { return ((; }", library_id=library)
    results = {entry.findtext("string"): entry[1].findtext("success") for entry in answer.findall("codeTemplateResults/entry")}
    assert results[template] == "false"
    stored = [each for each in server.get("/codeTemplates") if each.findtext("id") == template]
    assert [each.findtext("properties/code") for each in stored] == ["function word() { return 'one'; }"]


@only_image
def test_channels_come_back_after_kill(server: Server, pushed: Pushed) -> None:
    """P §5.2, M §8 "Boot": kill -9 and start: channels STARTED by themselves, sessions gone (401), nothing lost."""
    channel_id = pushed.writer("return 1;")
    server.inject(channel_id, "x", 1)
    server.kill_and_start()
    assert server.call("GET", "/channels").status_code == 401
    assert server.login().status_code == 200
    assert server.state(channel_id) == "STARTED"
    assert server.statuses(channel_id) == ["SENT"]
