"""Make the engine's XML of the channel directory, on the controller, and hand it to the module of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.module_utils import mirth_xml
from ansible_collections.pacs_emr.lab.plugins.module_utils.mirth_tree import serialised


class ActionModule(ActionBase):
    """The directory lies beside the roles; the engine may be on another host."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result: ``changed``, ``deployed`` (names of channels) and a diff without secrets.

        :raises AnsibleActionFail: something in the directory is wrong
        """
        super().run(tmp, task_vars)
        days = {"type": "int", "required": True}
        _, args = self.validate_argument_spec(
            {
                "folder": {"type": "path", "required": True},
                "project": {"type": "str", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
                "map": {"type": "dict", "required": True},
                "secret_map": {"type": "dict", "required": True, "no_log": True},
                "content_days": days,
                "metadata_days": days,
                "event_days": days,
            }
        )
        settings = {key: str(value) for key, value in args["map"].items()}
        retention = mirth_xml.Retention(args["content_days"], args["metadata_days"])
        try:
            found = mirth_xml.read(Path(args["folder"]), settings, args["secret_map"], retention)
        except mirth_xml.ChannelError as error:
            raise AnsibleActionFail(str(error)) from error
        wanted = {
            **{key: args[key] for key in ("project", "password", "secret_map", "event_days")},
            "map": found.map,
            "library": serialised(found.library),
            "channels": [{"id": one.id, "name": one.name, "xml": serialised(one.xml)} for one in found.channels],
            "group": serialised(found.group),
            "dependencies": [list(pair) for pair in found.dependencies],
        }
        return dict(self._execute_module(module_name="pacs_emr.lab.mirth_channels", module_args=wanted, task_vars=task_vars))
