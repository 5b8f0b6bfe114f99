"""plugins/modules/mirth_channels.py against a server that answers as the engine does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import mirth_xml
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import put, serialised, tree
from ansible_collections.pacs_emr.lab.plugins.modules import mirth_channels

from .mirth_server import Mirth, served
from .support import run_module
from .test_mirth_xml import NUMBER, channel, write

ORDERS, SINK = NUMBER.format(1), NUMBER.format(2)
PASSWORD = "Lab.pass-1"
FILLER = "Filler.pass-1"


class Lab:
    """A channel directory, and the module that brings a server to it."""

    def __init__(self, home: Path, mirth: Mirth, url: str) -> None:
        self.home, self.mirth, self.url = home, mirth, url
        self.folder = write(home / "files", channel("orders", 1, depends=["sink"]), channel("sink", 2))
        self.settings = {"dir_orders": "/hl7/orders"}
        self.secrets = {"filler_password": FILLER}

    def run(self, check: bool = False, **changes: Any) -> dict[str, Any]:
        """Run the module as its action does."""
        found = mirth_xml.read(self.folder, self.settings, self.secrets)
        arguments: dict[str, Any] = {
            "url": self.url,
            "password": PASSWORD,
            "map": found.map,
            "secret_map": self.secrets,
            "library": serialised(found.library),
            "channels": [{"id": one.id, "name": one.name, "xml": serialised(one.xml)} for one in found.channels],
            "group": serialised(found.group),
            "dependencies": [list(pair) for pair in found.dependencies],
            "event_days": 30,
            "patience": 0,
        }
        self.mirth.writes.clear()
        return run_module(mirth_channels, self.home, check, **arguments | changes)

    def script(self, name: str, text: str) -> None:
        """Change a channel's script."""
        (self.folder / "channels" / name / "keep.js").write_text(text)


@pytest.fixture
def mirth() -> Mirth:
    return Mirth()


@pytest.fixture
def lab(tmp_path: Path, mirth: Mirth) -> Iterator[Lab]:
    with served(mirth) as url:
        yield Lab(tmp_path, mirth, url)


def headers(answer: dict[str, Any]) -> list[str]:
    return [one["before_header"] for one in answer["diff"]]


def diff_of(answer: dict[str, Any], what: str) -> tuple[str, str]:
    (one,) = [one for one in answer["diff"] if one["before_header"] == what]
    return one["before"], one["after"]


# --- first contact, nothing to do, check mode ------------------------------------------------------------------------


def test_a_fresh_engine_gets_all_of_it(lab: Lab, mirth: Mirth) -> None:
    answer = lab.run()
    assert answer["changed"] is True
    assert answer["deployed"] == ["sink", "orders"]
    assert mirth.password == PASSWORD
    assert mirth.preferences == {"firstlogin": "false"}
    assert mirth.stats == "false"
    assert mirth.pruner == {"enabled": "true", "pruneEvents": "true", "maxEventAge": "30", "pruningBlockSize": "1000"}
    assert mirth.states == {SINK: "STARTED", ORDERS: "STARTED"}
    assert f"<dependentId>{ORDERS}</dependentId><dependencyId>{SINK}</dependencyId>" in mirth.dependencies
    assert [one.findtext("id") for one in mirth.groups[0].findall("channels/channel")] == [SINK, ORDERS]
    held = {one.findtext("string"): one.findtext(f"{mirth_channels.PROPERTY}/value") for one in tree(mirth.map)}
    assert held == {"dir_orders": "/hl7/orders", "filler_password": FILLER, "id_orders": ORDERS, "id_sink": SINK}


def test_a_second_run_writes_nothing(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    answer = lab.run()
    assert answer["changed"] is False
    assert answer["diff"] == []
    assert mirth.writes == []


def test_check_mode_foretells_and_writes_nothing(lab: Lab, mirth: Mirth) -> None:
    answer = lab.run(check=True)
    assert answer["changed"] is True
    assert answer["deployed"] == ["sink", "orders"]
    assert mirth.writes == []
    assert mirth.password == "admin"


def test_no_secret_is_shown(lab: Lab) -> None:
    first = lab.run()
    lab.secrets = {"filler_password": "Another.pass-1"}
    second = lab.run()
    assert diff_of(second, "configuration map") == ("filler_password: (another one)\n", "filler_password: (that of the lab's secrets)\n")
    for answer in (first, second):
        assert not any(secret in str(answer) for secret in (PASSWORD, FILLER, "Another.pass-1"))


def test_a_secret_that_is_asked_for_no_longer_is_not_shown_either(lab: Lab) -> None:
    lab.run()
    lab.secrets = {"orders_password": FILLER}
    answer = lab.run()
    assert diff_of(answer, "configuration map") == ("filler_password: (another one)\n", "orders_password: (that of the lab's secrets)\n")
    assert FILLER not in str(answer)


# --- changes ---------------------------------------------------------------------------------------------------------


def test_one_changed_step_moves_one_channel(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    lab.script("sink", "return 'changed';")
    foretold = lab.run(check=True)
    answer = lab.run()
    assert headers(answer) == headers(foretold) == ["channel sink"]
    assert answer["deployed"] == foretold["deployed"] == ["sink"]
    assert mirth.writes == [f"PUT /channels/{SINK}", f"POST /channels/{SINK}/_deploy"]
    assert [mirth.revision(one) for one in (SINK, ORDERS)] == ["2", "1"]
    before, after = diff_of(answer, "channel sink")
    assert set(after.splitlines()) - set(before.splitlines()) == {"        <script>return 'changed';</script>"}


def test_a_changed_template_deploys_all_channels(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    (lab.folder / "lib/text.js").write_text("function f() { return 2; }")
    answer = lab.run()
    assert headers(answer) == ["code templates"]
    assert answer["deployed"] == ["sink", "orders"]
    assert lab.run()["changed"] is False


def test_a_changed_map_deploys_all_channels_also_after_a_run_that_died(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    lab.settings["dir_orders"] = "/elsewhere"
    mirth.port_in_use = {SINK}
    assert lab.run()["failed"] is True
    assert mirth_channels.MARKER in mirth.map
    mirth.port_in_use = set()
    assert lab.run()["deployed"] == ["sink", "orders"]
    assert mirth_channels.MARKER not in mirth.map
    assert lab.run()["changed"] is False


def test_a_channel_that_is_gone_from_the_directory_is_removed(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    for file in (lab.folder / "channels/orders").iterdir():
        file.unlink()
    answer = lab.run()
    assert "channel orders" in headers(answer)
    assert set(mirth.channels) == {SINK}
    assert ORDERS not in serialised(mirth.groups[0])
    assert ORDERS not in mirth.map
    assert lab.run()["changed"] is False


def test_what_is_not_ours_stays(lab: Lab, mirth: Mirth) -> None:
    foreign = "11111111-1111-4111-8111-111111111111"
    lab.run()
    other = tree(serialised(mirth.channels[SINK]))
    put(other, "id", foreign)
    put(other, "name", "theirs")
    mirth.channels[foreign] = other
    mirth.groups.append(
        tree(f"<channelGroup><id>g</id><name>theirs</name><channels><channel><id>{foreign}</id></channel></channels></channelGroup>")
    )
    mirth.libraries.append(tree("<codeTemplateLibrary><id>l</id><name>theirs</name><revision>4</revision></codeTemplateLibrary>"))
    pair = f"<channelDependency><dependentId>{foreign}</dependentId><dependencyId>{SINK}</dependencyId></channelDependency>"
    mirth.dependencies = mirth.dependencies.replace("</set>", pair + "</set>")
    key = f"<entry><string>their_key</string><{mirth_channels.PROPERTY}><value>1</value><comment/></{mirth_channels.PROPERTY}></entry>"
    mirth.map = mirth.map.replace("</map>", key + "</map>")
    for file in (lab.folder / "channels/orders").iterdir():
        file.unlink()
    lab.settings["dir_orders"] = "/elsewhere"
    (lab.folder / "lib/text.js").write_text("function f() { return 2; }")
    lab.run()
    assert set(mirth.channels) == {SINK, foreign}
    assert [one.findtext("name") for one in mirth.groups] == ["theirs", "pacs-emr"]
    assert [one.findtext("name") for one in mirth.libraries] == ["theirs", "pacs-emr"]
    assert pair in mirth.dependencies
    assert "their_key" in mirth.map


def test_tags_of_the_operators_stay(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    exported = mirth.channels[SINK].find("exportData")
    assert exported is not None
    exported.append(tree("<channelTags><channelTag><name>night</name></channelTag></channelTags>"))
    assert lab.run()["changed"] is False
    lab.script("sink", "return 'changed';")
    lab.run()
    assert mirth.channels[SINK].findtext("exportData/channelTags/channelTag/name") == "night"


def test_a_channel_that_was_changed_by_hand_is_set_back(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    put(mirth.channels[SINK], "exportData/metadata/enabled", "false")
    assert headers(lab.run()) == ["channel sink"]
    assert mirth.channels[SINK].findtext("exportData/metadata/enabled") == "true"


@pytest.mark.parametrize("state", ["STOPPED", "PAUSED"])
def test_a_channel_that_does_not_run_is_started(state: str, lab: Lab, mirth: Mirth) -> None:
    lab.run()
    mirth.states[SINK] = state
    answer = lab.run(patience=5)
    assert answer["changed"] is True
    assert mirth.states[SINK] == "STARTED"


# --- refusals, in one sentence ---------------------------------------------------------------------------------------


def refusal(answer: dict[str, Any]) -> str:
    assert answer["failed"] is True
    assert "\n" not in answer["msg"]
    return str(answer["msg"])


def test_a_channel_that_the_server_cannot_read_is_named(lab: Lab, mirth: Mirth) -> None:
    """It was taken with 200, and would never run."""
    mirth.unreadable = {SINK}
    assert "cannot read the channel sink, which it took" in refusal(lab.run())


def test_a_template_with_a_syntax_error_is_named(lab: Lab, mirth: Mirth) -> None:
    """It is refused inside a 200."""
    mirth.bad_template = "text"
    assert refusal(lab.run()) == "the engine refuses the code template lib/text.js: missing ( before function parameters."


def test_a_port_in_use_is_named(lab: Lab, mirth: Mirth) -> None:
    mirth.port_in_use = {SINK}
    assert re.match("the channel sink cannot be deployed: .* no reason was given: its port is in use, or the", refusal(lab.run()))


def test_a_refusal_leaves_no_session_behind(lab: Lab, mirth: Mirth) -> None:
    mirth.password = PASSWORD
    mirth.port_in_use = {SINK}
    refusal(lab.run())
    assert not mirth.sessions


def test_the_reason_of_a_failed_deploy_is_the_innermost(lab: Lab, mirth: Mirth) -> None:
    """As the real server writes it: around the cause stand the whole script and its stack."""
    inner = "<cause><detailMessage>org.mozilla.javascript.EvaluatorException: syntax error (x_Deploy#9)</detailMessage><cause/></cause>"
    mirth.deploy_error = (
        f"<a><detailMessage>Failed to deploy channel x.</detailMessage><cause class='c'><detailMessage>M: \nSOURCE CODE:\t\n"
        f"LINE NUMBER:\t9\nLINE SOURCE:\treturn &lt;(; \nDETAILS:\tsyntax error</detailMessage>{inner}</cause></a>"
    )
    assert refusal(lab.run()).endswith("EvaluatorException: syntax error (x_Deploy#9), in the line: return <(;")


def test_a_foreign_channel_of_the_same_name_is_not_overwritten(lab: Lab, mirth: Mirth) -> None:
    lab.run()
    mirth.deployed.clear()
    other = tree(serialised(mirth.channels.pop(SINK)))
    put(other, "id", "11111111-1111-4111-8111-111111111111")
    mirth.channels["11111111-1111-4111-8111-111111111111"] = other
    assert "a channel named sink that is not the lab's" in refusal(lab.run())


def test_a_wrong_password_says_which_secret(lab: Lab, mirth: Mirth) -> None:
    mirth.password = "Somebody.elses-1"
    assert "restore mirth_admin_password" in refusal(lab.run())
    assert mirth.writes == []


def test_a_password_that_the_servers_policy_refuses(lab: Lab, mirth: Mirth) -> None:
    mirth.policy = "Password is too short"
    assert refusal(lab.run()) == "the engine refuses the new password: Password is too short"


def test_a_server_that_is_down(tmp_path: Path) -> None:
    with served(Mirth()) as url:
        gone = url
    assert "the engine does not answer at" in refusal(Lab(tmp_path, Mirth(), gone).run())
