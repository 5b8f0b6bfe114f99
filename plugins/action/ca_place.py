"""Put made certificates where they belong, each with the key that was made for it.

``<file>.key.new`` becomes ``<file>.key``, then ``<file>.pem`` is written, followed by its issuer's where that is not the root. A run that
dies in between leaves a key that does not fit its certificate, which is due in the next run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pacs_emr.lab.plugins.action.ca_look import diff, write
from ansible_collections.pacs_emr.lab.plugins.module_utils import certificates
from cryptography import x509


class ActionModule(ActionBase):
    """Rename keys and write chains, on the controller."""

    _supports_diff = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a diff of subjects, names and dates.

        :raises AnsibleActionFail: a certificate does not fit its key; the certificates before it are in place
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            {
                "folder": {"type": "path", "required": True},
                "due": {"type": "list", "elements": "dict", "required": True},
                "certificates": {"type": "list", "elements": "str", "required": True},
            }
        )
        folder = Path(args["folder"])
        for due, text in zip(args["due"], args["certificates"], strict=True):
            place(folder, due, text)
        return result | {"changed": True, "diff": [diff(folder, due) for due in args["due"]]}


def place(folder: Path, due: dict[str, Any], text: str) -> None:
    """Put one certificate and its key in place.

    :raises AnsibleActionFail: they do not fit
    """
    key = folder / due["key"]
    fresh = key if due["key_kept"] else key.with_name(f"{key.name}.new")
    if certificates.public(fresh) != certificates.spki(x509.load_pem_x509_certificate(text.encode())):
        raise AnsibleActionFail(f"The certificate made for {due['name']} does not fit {fresh}: run again")
    issuer = (folder / f"{due['issuer']}.pem").read_bytes() if due["usages"] else b""
    os.replace(fresh, key)
    write(folder / f"{due['file']}.pem", text.rstrip().encode() + b"\n" + issuer)
