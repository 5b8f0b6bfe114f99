"""Bring the engine to what the channel directory says: password, settings, configuration map, code templates, channels, group.

Host side of the action of the same name, which makes the XML. Only what differs is written, and ``changed`` says that something moved on
the server. The configuration map holds a marker from before its first change until the channels that read it were deployed, so a run that
died in between is made good by the next; everything else the server itself knows (deployedRevisionDelta, codeTemplatesChanged).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli, mirth_api
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_api import ONE_OF, PAUSE, SERVER, TEXT, Api, MirthError, address
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import Element, LacksPartError, comparable, part, serialised, tree

#: A key of the configuration map: it differs, or channels that read it are not deployed yet.
MARKER = "deploy_pending"
PROPERTY = "com.mirth.connect.util.ConfigurationProperty"
INVALID = "This channel is invalid."


def main() -> None:
    """Write what differs. Returns ``changed``, ``deployed`` (names of channels) and a diff without secrets."""
    module = AnsibleModule(
        argument_spec={
            **SERVER,
            "map": {"type": "dict", "required": True},
            "secret_map": {"type": "dict", "required": True, "no_log": True},
            "library": {"type": "str", "required": True},
            # In the order in which they are deployed.
            "channels": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"id": {"type": "str"}, "name": {"type": "str"}, "xml": {"type": "str"}},
            },
            "group": {"type": "str", "required": True},
            # Pairs of ids: this channel needs that one.
            "dependencies": {"type": "list", "elements": "list", "required": True},
            "event_days": {"type": "int", "required": True},
            "patience": {"type": "int", "default": 120},
        },
        mutually_exclusive=[ONE_OF],
        required_one_of=[ONE_OF],
        supports_check_mode=True,
    )
    try:
        url = module.params["url"] or address(module.params["project"])
    except docker_cli.DockerError as error:
        if module.check_mode:
            module.exit_json(changed=True, deployed=[], msg="The engine does not run yet: its channels would be created")
        module.fail_json(msg=str(error))
    engine = Engine(Api(url), module.params, module.check_mode)
    try:
        engine.bring()
    except (MirthError, LacksPartError) as error:
        module.fail_json(msg=str(error), diff=engine.diff)
    module.exit_json(changed=engine.changed, deployed=engine.deployed, diff=engine.diff)


class Engine:
    """The server, what it should be, and what was done to it."""

    def __init__(self, api: Api, wanted: Mapping[str, Any], check: bool) -> None:
        self.api, self.wanted, self.check = api, wanted, check
        self.channels: dict[str, Element] = {row["id"]: tree(row["xml"]) for row in wanted["channels"]}
        self.names: dict[str, str] = {row["id"]: row["name"] for row in wanted["channels"]}
        self.changed = False
        self.deployed: list[str] = []
        self.diff: list[dict[str, str]] = []
        # Channels that read a changed map; those that a check finds changed.
        self.pending = False
        self.touched: set[str] = set()

    def bring(self) -> None:
        """Do all of it. Raises MirthError: the first thing that the server refused."""
        self.api.wait_until_ready(self.wanted["patience"])
        try:
            self.login()
            self.settings()
            self.map(pending=True)
            self.library()
            self.remove_and_group()
            self.push()
            self.dependencies()
            self.deploy()
            if self.pending and not self.check:
                self.map(pending=False)
        finally:
            self.api.logout()

    def note(self, what: str, before: str, after: str) -> None:
        """Remember a difference, and that it is a change."""
        self.changed = True
        self.diff.append({"before": before, "after": after, "before_header": what, "after_header": what})

    # --- the user and the server's settings ---------------------------------------------------------------------------------

    def login(self) -> None:
        """Log in with the lab's password; on a fresh database set it first, and prove it by another login."""
        try:
            self.api.login(self.wanted["password"])
        except mirth_api.UnauthorisedError:
            try:
                self.api.login(mirth_api.FIRST_PASSWORD)
            except mirth_api.UnauthorisedError as error:
                raise MirthError(
                    f"the engine refuses the lab's password for {mirth_api.USER}, and no longer has its first one: restore"
                    " mirth_admin_password in the secrets file, or set it in the Administrator"
                ) from error
            self.note("password of admin", "(the well-known one)\n", "(that of the lab's secrets)\n")
            if not self.check:
                self.api.set_password(self.wanted["password"])
                self.api.login(self.wanted["password"])
        # Otherwise the Administrator begins with a registration form (mirth.md §5).
        preferences = f"/users/{self.api.user_id()}/preferences"
        if properties_of(self.api.tree(preferences)).get("firstlogin") != "false":
            self.note("preference of admin", "", "firstlogin: false\n")
            if not self.check:
                self.api.call("PUT", f"{preferences}/firstlogin", "false", TEXT)

    def settings(self) -> None:
        """Send the vendor no usage statistics (mirth.md §1.5), and prune, off by default (mirth-patterns.md §7.3)."""
        if self.api.tree("/server/updateSettings").findtext("statsEnabled") != "false":
            self.note("server settings", "statsEnabled: true\n", "statsEnabled: false\n")
            if not self.check:
                off = '<updateSettings version="4.5.2"><statsEnabled>false</statsEnabled></updateSettings>'
                self.api.call("PUT", "/server/updateSettings", off)
        path = "/extensions/Data%20Pruner/properties"
        asked = {"enabled": "true", "pruneEvents": "true", "maxEventAge": str(self.wanted["event_days"])}
        present = properties_of(self.api.tree(path))
        differing = {key: value for key, value in asked.items() if present.get(key) != value}
        if differing:
            before = "".join(f"{key}: {present.get(key) or ''}\n" for key in differing)
            self.note("data pruner", before, "".join(f"{key}: {value}\n" for key, value in differing.items()))
            if not self.check:
                body = "".join(f'<property name="{key}">{value}</property>' for key, value in differing.items())
                self.api.call("PUT", f"{path}?mergeProperties=true", f"<properties>{body}</properties>")

    def map(self, pending: bool) -> None:
        """Bring the configuration map to what is asked: our keys, known by their comment, and the others as they are.

        :param pending: whether channels are still to be deployed with it: then a changed map holds the marker
        """
        ours = "pacs-emr"
        present: dict[str, tuple[str, str]] = {}
        for item in self.api.tree("/server/configurationMap"):
            present[str(item.findtext("string"))] = (item.findtext(f"{PROPERTY}/value") or "", item.findtext(f"{PROPERTY}/comment") or "")
        plain = {key: (str(value), ours) for key, value in self.wanted["map"].items()}
        secret = {key: (str(value), ours) for key, value in self.wanted["secret_map"].items()}
        wanted = {key: value for key, value in present.items() if value[1] != ours} | plain | secret
        if present == wanted:
            return
        if pending:
            self.pending = True
            keys = [key for key in sorted({*present, *wanted} - {MARKER}) if present.get(key) != wanted.get(key)]
            shown = [
                # What is no longer asked for may have been a secret.
                "".join(f"{key}: {side[key][0] if key in plain else words}\n" for key in keys if key in side)
                for side, words in ((present, "(another one)"), (wanted, "(that of the lab's secrets)"))
            ]
            self.note("configuration map", *shown)
            wanted[MARKER] = ("yes", ours)
        if not self.check and present != wanted:
            root = Element("map")
            for key, (value, comment) in sorted(wanted.items()):
                item = ElementTree.SubElement(root, "entry")
                ElementTree.SubElement(item, "string").text = key
                held = ElementTree.SubElement(item, PROPERTY)
                ElementTree.SubElement(held, "value").text = value
                ElementTree.SubElement(held, "comment").text = comment
            self.api.call("PUT", "/server/configurationMap", serialised(root))

    # --- code templates and channels -----------------------------------------------------------------------------------------

    def library(self) -> None:
        """Bring our code template library to what is asked, beside the others; the call replaces all libraries."""
        path = "/codeTemplateLibraries"
        ours = tree(self.wanted["library"])
        present = list(self.api.tree(f"{path}?includeCodeTemplates=true"))
        stored = next((one for one in present if one.findtext("id") == ours.findtext("id")), None)
        before, after = comparable(stored) + "\n" if stored is not None else "", comparable(ours) + "\n"
        if before == after:
            return
        self.note("code templates", before, after)
        if self.check:
            self.touched = set(self.channels)
            return
        templates, old = part(ours, "codeTemplates"), stored.findall("codeTemplates/codeTemplate") if stored is not None else []
        gone = {str(one.findtext("id")) for one in old} - {str(one.findtext("id")) for one in templates}
        others = [one for one in present if one is not stored]
        parts = {
            "libraries": "<list>" + "".join(serialised(one) for one in [*others, ours]) + "</list>",
            "removedLibraryIds": "<set/>",
            "updatedCodeTemplates": "<list>" + "".join(serialised(one) for one in templates) + "</list>",
            "removedCodeTemplateIds": "<set>" + "".join(f"<string>{one}</string>" for one in sorted(gone)) + "</set>",
        }
        # A template with a syntax error is refused inside a 200 (mirth-patterns.md §6.5).
        answer = tree(self.api.multipart(f"{path}/_bulkUpdate?override=true", parts))
        names = {one.findtext("id"): one.findtext("name") for one in templates}
        for item in answer.findall("codeTemplateResults/entry"):
            key, result = item
            if result.findtext("success") == "false":
                cause = result.find("cause")
                said = mirth_api.reason(serialised(cause)) if cause is not None else "no reason was given"
                raise MirthError(f"the engine refuses the code template lib/{names.get(key.text)}.js: {said}")
        if answer.findtext("librariesSuccess") != "true":
            raise MirthError(f"the engine refuses the code template library: {mirth_api.reason(serialised(answer))}")

    def stored(self) -> dict[str, Element]:
        """Return id → channel as the server has it."""
        return {str(channel.findtext("id")): channel for channel in self.api.tree("/channels")}

    def remove_and_group(self) -> None:
        """Remove the channels of our group that are not asked for, and put into it those that are, before they are made.

        So a run that dies leaves no channel of which nobody knows that it is ours. The call replaces all groups.
        """
        ours = tree(self.wanted["group"])
        present = list(self.api.tree("/channelgroups"))
        group = next((one for one in present if one.findtext("name") == ours.findtext("name")), None)
        stored = self.stored()
        members = [str(one.findtext("id")) for one in group.findall("channels/channel")] if group is not None else []
        for channel_id in [one for one in members if one in stored and one not in self.channels]:
            self.note(f"channel {stored[channel_id].findtext('name')}", comparable(stored[channel_id]) + "\n", "")
            if not self.check:
                self.remove(channel_id)
        taken = {one.findtext("name"): one_id for one_id, one in stored.items() if one_id not in self.channels and one_id not in members}
        for name in self.names.values():
            if name in taken:
                raise MirthError(f"a channel named {name} that is not the lab's ({taken[name]}) is on the engine: rename it there")
        if group is not None:
            part(ours, "id").text = group.findtext("id")
        before, after = comparable(group) + "\n" if group is not None else "", comparable(ours) + "\n"
        if before == after:
            return
        self.note("channel group", before, after)
        if self.check:
            return
        others = [one for one in present if one is not group]
        for other in others:
            held = part(other, "channels")
            held[:] = [one for one in held if one.findtext("id") not in self.channels]
        groups = "<set>" + "".join(serialised(one) for one in [*others, ours]) + "</set>"
        self.api.multipart("/channelgroups/_bulkUpdate?override=true", {"channelGroups": groups, "removedChannelGroupIds": "<set/>"})

    def remove(self, channel_id: str) -> None:
        """Remove a channel. The answer may fail to come though it is gone (mirth-patterns.md §9)."""
        try:
            self.api.call("DELETE", f"/channels/{channel_id}")
        except mirth_api.TimedOutError:
            if channel_id in self.stored():
                raise

    def push(self) -> None:
        """Write the channels that differ, and read back: one that the server cannot read is taken with 200 and never runs."""
        stored = self.stored()
        differing = []
        for channel_id, channel in self.channels.items():
            old = stored.get(channel_id)
            before, after = comparable(old) + "\n" if old is not None else "", comparable(channel) + "\n"
            if before != after:
                differing.append(channel_id)
                self.note(f"channel {self.names[channel_id]}", before, after)
        if self.check:
            self.touched |= set(differing)
            return
        for channel_id in differing:
            sent = copy.deepcopy(self.channels[channel_id])
            old = stored.get(channel_id)
            tags = old.find("exportData/channelTags") if old is not None else None
            if tags is not None:
                # The operators' own; a channel that comes without loses them.
                part(sent, "exportData").append(tags)
            said = self.api.call("PUT", f"/channels/{channel_id}?override=true", serialised(sent), accept=mirth_api.JSON)
            if "true" not in said:
                raise MirthError(f"the engine did not take the channel {self.names[channel_id]}: {said}")
        stored = self.stored() if differing else {}
        for channel_id in differing:
            self.proved(channel_id, stored.get(channel_id))

    def proved(self, channel_id: str, stored: Element | None) -> None:
        """Check that the server has the channel that it was sent. Raises MirthError."""
        name = self.names[channel_id]
        if stored is None:
            raise MirthError(f"the engine took the channel {name}, but does not have it")
        if (stored.findtext("description") or "").startswith(INVALID):
            raise MirthError(
                f"the engine cannot read the channel {name}, which it took: its log names the element (docker compose logs mirth)"
            )
        lines = zip(comparable(stored).splitlines(), comparable(self.channels[channel_id]).splitlines(), strict=False)
        for theirs, ours in lines:
            if theirs != ours:
                raise MirthError(f"the channel {name} reads back otherwise: {theirs.strip()[:120]} instead of {ours.strip()[:120]}")

    def dependencies(self) -> None:
        """Bring the dependencies of our channels to what is asked; those of others stay. The call replaces all."""
        path = "/server/channelDependencies"
        present = sorted((str(pair.findtext("dependentId")), str(pair.findtext("dependencyId"))) for pair in self.api.tree(path))
        asked = [(str(dependent), str(dependency)) for dependent, dependency in self.wanted["dependencies"]]
        wanted = sorted([*asked, *(pair for pair in present if pair[0] not in self.channels)])
        if present == wanted:
            return
        shown = [
            "".join(f"{self.names.get(one, one)} needs {self.names.get(two, two)}\n" for one, two in side) for side in (present, wanted)
        ]
        self.note("channel dependencies", *shown)
        if not self.check:
            body = "".join(
                f"<channelDependency><dependentId>{one}</dependentId><dependencyId>{two}</dependencyId></channelDependency>"
                for one, two in wanted
            )
            self.api.call("PUT", path, f"<set>{body}</set>")

    # --- deployment ----------------------------------------------------------------------------------------------------------

    def states(self) -> dict[str, Element]:
        """Return id → dashboard status of the deployed channels."""
        return {str(one.findtext("channelId")): one for one in self.api.tree("/channels/statuses")}

    def deploy(self) -> None:
        """Deploy the channels that need it, one by one so that a failure has its name, and wait until all are STARTED."""
        states = self.states()
        for channel_id, name in self.names.items():
            state = states.get(channel_id)
            # codeTemplatesChanged is absent unless it is true (mirth-patterns.md §0.11).
            current = (
                state is not None and state.findtext("deployedRevisionDelta") == "0" and state.findtext("codeTemplatesChanged") != "true"
            )
            if current and not self.pending and channel_id not in self.touched:
                continue
            self.changed = True
            self.deployed.append(name)
            if not self.check:
                self.done(name, "deployed", f"/channels/{channel_id}/_deploy?returnErrors=true")
        if self.check:
            return
        end = time.monotonic() + self.wanted["patience"]
        started: set[str] = set()
        while True:
            states = self.states()
            known = {channel_id: state_of(states.get(channel_id)) for channel_id in self.names}
            late = {channel_id: state for channel_id, state in known.items() if state != "STARTED"}
            if not late:
                return
            for channel_id, stopped in late.items():
                if stopped in ("STOPPED", "PAUSED") and channel_id not in started:
                    started.add(channel_id)
                    self.changed = True
                    verb = "_start" if stopped == "STOPPED" else "_resume"
                    self.done(self.names[channel_id], "started", f"/channels/{channel_id}/{verb}?returnErrors=true")
            if time.monotonic() > end:
                raise MirthError(f"not STARTED: {', '.join(f'{self.names[one]} ({state})' for one, state in late.items())}")
            time.sleep(PAUSE)

    def done(self, name: str, verb: str, path: str) -> None:
        """Deploy or start a channel. Raises MirthError with its name; a port in use is a 500 without any reason (mirth.md §8.4)."""
        try:
            self.api.call("POST", path)
        except MirthError as error:
            hint = (
                ": its port is in use, or the engine's log says why (docker compose logs mirth)"
                if mirth_api.NO_REASON in str(error)
                else ""
            )
            raise MirthError(f"the channel {name} cannot be {verb}: {error}{hint}") from error


def properties_of(root: Element) -> dict[str, str]:
    """Return name → text of ``<properties>``."""
    return {str(one.get("name")): one.text or "" for one in root.findall("property")}


def state_of(status: Element | None) -> str:
    """Return the state of a channel."""
    return str(status.findtext("state")) if status is not None else "not deployed"


if __name__ == "__main__":
    main()
