"""The REST interface's own rules, users, and the documents that it keeps."""

from __future__ import annotations

import uuid

import pytest
import requests

from .support import JSON, TEXT, XML, Server, only_standin


def test_every_call_needs_the_header(server: Server) -> None:
    """M §0.1: X-Requested-With, not blank, also on GET, else 400."""
    for value in (None, ""):
        assert Server.new_session().get(f"{server.url}/server/status", headers={"X-Requested-With": value}, timeout=10).status_code == 400


def test_status_and_version_need_no_login(server: Server) -> None:
    """M §1.5: <int>0</int> or {"int":0}; the version as text. M §8.3: other forms of these are 406."""
    session = Server.new_session()

    def ask(path: str, accept: str) -> requests.Response:
        return session.get(server.url + path, headers={"Accept": accept}, timeout=10)

    assert ask("/server/status", XML).text == "<int>0</int>"
    assert ask("/server/status", JSON).json() == {"int": 0}
    assert ask("/server/version", TEXT).text == "4.5.2"
    assert ask("/server/status", TEXT).status_code == 406
    assert ask("/server/version", JSON).status_code == 406


def test_everything_else_needs_one(server: Server) -> None:
    """M §2.1: bad or absent login 401; M §8.2: wrong Basic credentials are 401, and 500 where text is answered."""
    session = Server.new_session()
    assert session.get(f"{server.url}/channels", timeout=10).status_code == 401
    assert session.get(f"{server.url}/users/current", auth=("admin", "wrong"), timeout=30).status_code == 401
    assert (
        Server.new_session().get(f"{server.url}/server/id", auth=("admin", "wrong"), headers={"Accept": TEXT}, timeout=30).status_code
        == 500
    )
    assert Server.new_session().get(f"{server.url}/users/current", auth=("admin", "admin"), timeout=30).status_code == 200


def test_login_logout(server: Server) -> None:
    """M §2.1, §8.9: form login, cookie JSESSIONID with Path=/api and Secure; failure 401 with FAIL."""
    session = Server.new_session()
    refused = server.login(password="wrong", session=session)
    assert refused.status_code == 401
    assert "<status>FAIL</status>" in refused.text
    session = Server.new_session()
    answer = server.login(session=session)
    assert answer.status_code == 200
    assert "<status>SUCCESS</status>" in answer.text
    assert "JSESSIONID=" in answer.headers["Set-Cookie"]
    assert "Path=/api; Secure" in answer.headers["Set-Cookie"]
    assert session.get(f"{server.url}/users/current", timeout=10).status_code == 200
    assert session.post(f"{server.url}/users/_logout", timeout=10).status_code == 204
    assert session.get(f"{server.url}/users/current", timeout=10).status_code == 401


def test_users(server: Server) -> None:
    """M §2.2, §8.6, §8.10: POST makes one, twice is 500, a blank name 400; by id or name; unknown: GET 404, DELETE 204; yourself
    cannot be deleted."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    body = f"<user><username>{name}</username></user>"
    assert server.call("POST", "/users", body).status_code == 204
    assert server.call("POST", "/users", body).status_code == 500
    assert server.call("POST", "/users", "<user><username></username></user>").status_code == 400
    number = server.get(f"/users/{name}").findtext("id")
    assert server.get(f"/users/{number}").findtext("username") == name
    own = server.get("/users/current").findtext("id")
    assert server.call("DELETE", f"/users/{own}").status_code == 500
    assert server.call("DELETE", f"/users/{number}").status_code == 204
    assert server.call("GET", f"/users/{number}").status_code == 404
    assert server.call("DELETE", f"/users/{number}").status_code == 204


def test_password(server: Server) -> None:
    """M §5, §8.6: text/plain, by number only; a line end becomes part of it; an empty one is 500; the session survives."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    assert server.call("POST", "/users", f"<user><username>{name}</username></user>").status_code == 204
    number = server.get(f"/users/{name}").findtext("id")
    try:
        assert server.call("PUT", f"/users/{number}/password", "first.Secret", kind=TEXT).status_code == 204
        session = Server.new_session()
        assert server.login(name, "first.Secret", session).status_code == 200
        assert server.call("PUT", f"/users/{number}/password", "second.Secret\n", kind=TEXT).status_code == 204
        assert session.get(f"{server.url}/users/current", timeout=10).status_code == 200
        assert server.login(name, "first.Secret", Server.new_session()).status_code == 401
        assert server.login(name, "second.Secret", Server.new_session()).status_code == 401
        assert server.login(name, "second.Secret\n", Server.new_session()).status_code == 200
        assert server.call("PUT", f"/users/{number}/password", "", kind=TEXT).status_code == 500
        assert server.call("PUT", f"/users/{name}/password", "x", kind=TEXT).status_code in (404, 501)
        assert server.call("PUT", f"/users/{number}/password", "x", kind=XML).status_code == 415
    finally:
        server.call("DELETE", f"/users/{number}")


def test_preferences(server: Server) -> None:
    """M §2.2: one as text, several as properties."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    server.call("POST", "/users", f"<user><username>{name}</username></user>")
    number = server.get(f"/users/{name}").findtext("id")
    try:
        assert server.call("PUT", f"/users/{number}/preferences/firstlogin", "false", kind=TEXT).status_code == 204
        assert (
            server.call("PUT", f"/users/{number}/preferences", '<properties><property name="a">1</property></properties>').status_code
            == 204
        )
        found = {each.get("name"): each.text for each in server.get(f"/users/{number}/preferences")}
        assert found == {"firstlogin": "false", "a": "1"}
    finally:
        server.call("DELETE", f"/users/{number}")


def test_configuration_map(server: Server) -> None:
    """M §2.2, §8.7: PUT replaces all of it, plain strings as values are 500; as JSON a numeric text is a number,
    unless it begins with a zero (seen on 4.5.2)."""
    before = server.call("GET", "/server/configurationMap").text
    entry = "".join(
        f"<entry><string>contract_{value}</string><com.mirth.connect.util.ConfigurationProperty><value>{value}</value><comment>c</comment>"
        "</com.mirth.connect.util.ConfigurationProperty></entry>"
        for value in ("00123", "123")
    )
    try:
        assert (
            server.call(
                "PUT", "/server/configurationMap", before.replace("</map>", entry + "</map>").replace("<map/>", f"<map>{entry}</map>")
            ).status_code
            == 204
        )
        entries = server.get("/server/configurationMap").findall("entry")
        assert [each[1].findtext("value") for each in entries if each.findtext("string") == "contract_00123"] == ["00123"]
        said = server.call("GET", "/server/configurationMap", accept=JSON).text
        for value in (
            '00123","com.mirth.connect.util.ConfigurationProperty":{"value":"00123",',
            '123","com.mirth.connect.util.ConfigurationProperty":{"value":123,',
        ):
            assert f'"contract_{value}' in said
        assert (
            server.call("PUT", "/server/configurationMap", "<map><entry><string>a</string><string>b</string></entry></map>").status_code
            == 500
        )
    finally:
        assert server.call("PUT", "/server/configurationMap", before).status_code == 204


def test_settings_take_single_fields(server: Server) -> None:
    """M §1.5, §2.2: updateSettings switches the usage statistics off; a partial PUT of settings changes what it names alone."""
    assert (
        server.call(
            "PUT", "/server/updateSettings", '<updateSettings version="4.5.2"><statsEnabled>false</statsEnabled></updateSettings>'
        ).status_code
        == 204
    )
    assert server.get("/server/updateSettings").findtext("statsEnabled") == "false"
    size = server.get("/server/settings").findtext("queueBufferSize")
    assert server.call("PUT", "/server/settings", "<serverSettings><serverName>contract</serverName></serverSettings>").status_code == 204
    found = server.get("/server/settings")
    assert (found.findtext("serverName"), found.findtext("queueBufferSize")) == ("contract", size)


def test_pruner(server: Server) -> None:
    """P §7.3: mergeProperties changes what it names alone; _start runs it once, also while it is off; the status says so."""
    path = "/extensions/Data%20Pruner/properties"
    before = server.call("GET", path).text
    try:
        change = '<properties><property name="enabled">true</property><property name="maxEventAge">30</property></properties>'
        assert server.call("PUT", f"{path}?mergeProperties=true", change).status_code == 204
        found = {each.get("name"): each.text for each in server.get(path)}
        assert (found["enabled"], found["maxEventAge"], found["pruningBlockSize"]) == ("true", "30", "1000")
    finally:
        assert server.call("PUT", path, before).status_code == 204
    names = {entry.findall("string")[0].text for entry in server.get("/extensions/datapruner/status")}
    assert {"lastProcess", "isRunning", "currentState", "nextProcess", "currentProcess"} <= names


def test_memory(server: Server) -> None:
    """P §8: the server's memory."""
    assert int(server.get("/system/stats").findtext("maxMemoryBytes") or 0) > 0


def test_dependencies_replace_all(server: Server) -> None:
    """P §9: a set of pairs, PUT replaces it."""
    before = server.call("GET", "/server/channelDependencies").text
    pair = f"<set><channelDependency><dependentId>{uuid.uuid4()}</dependentId><dependencyId>{uuid.uuid4()}</dependencyId>"
    pair += "</channelDependency></set>"
    try:
        assert server.call("PUT", "/server/channelDependencies", pair).status_code == 204
        assert len(server.get("/server/channelDependencies")) == 1
    finally:
        assert server.call("PUT", "/server/channelDependencies", before).status_code == 204


def test_groups(server: Server) -> None:
    """M §2.2, §8.8: multipart, each part with a type, the whole list is replaced, an unchanged group keeps its revision, members
    are reduced to ids."""
    before = server.call("GET", "/channelgroups").text
    group_id, member = str(uuid.uuid4()), str(uuid.uuid4())

    def save(description: str, kind: str | None = XML) -> requests.Response:
        group = (
            f'<channelGroup version="4.5.2"><id>{group_id}</id><name>contract {group_id[:8]}</name><revision>1</revision>'
            f"<description>{description}</description>"
            f'<channels><channel version="4.5.2"><id>{member}</id><revision>0</revision></channel></channels></channelGroup>'
        )
        others = before.removeprefix("<list>").removesuffix("</list>").removesuffix("<list/>")
        parts = {"channelGroups": f"<set>{others}{group}</set>", "removedChannelGroupIds": "<set/>"}
        files = {name: (None, text, kind) if kind else (None, text) for name, text in parts.items()}
        url = f"{server.url}/channelgroups/_bulkUpdate?override=true"
        return server.session.post(url, files=files, headers={"Accept": JSON}, timeout=30)

    def revision() -> str | None:
        return next(each.findtext("revision") for each in server.get("/channelgroups") if each.findtext("id") == group_id)

    try:
        assert save("a").json() == {"boolean": True}
        assert revision() == "1"
        save("a")
        assert revision() == "1"
        save("b")
        assert revision() == "2"
        assert save("c", kind=None).status_code == 500
        stored = next(each for each in server.get("/channelgroups") if each.findtext("id") == group_id)
        assert [child.findtext("id") for child in stored.findall("channels/channel")] == [member]
    finally:
        others = before.removeprefix("<list>").removesuffix("</list>").removesuffix("<list/>")
        parts = {
            "channelGroups": (None, f"<set>{others}</set>", XML),
            "removedChannelGroupIds": (None, f"<set><string>{group_id}</string></set>", XML),
        }
        url = f"{server.url}/channelgroups/_bulkUpdate?override=true"
        assert server.session.post(url, files=parts, headers={"Accept": JSON}, timeout=30).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/alerts"), ("GET", "/server/configuration"), ("GET", "/events")])
@only_standin
def test_what_it_lacks_is_501(server: Server, method: str, path: str) -> None:
    """A path of upstream's that the stand-in does not have is named."""
    answer = server.call(method, path)
    assert answer.status_code == 501
    assert f"{method} /api{path} is not implemented" in answer.text
