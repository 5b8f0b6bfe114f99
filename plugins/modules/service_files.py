"""Host side of the action of the same name: write the services' files, atomically, and remove those no longer listed."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import certificate_files


def main() -> None:
    """Place files and secrets; ``changed``, ``placed``, ``removed`` (paths below the root) and a diff without secrets are returned.

    ``pending``: services that have not taken up their certificate yet, as the marker in ``certificates-pending`` says, which the module
    certificate_reload removes.

    In check mode the rendered Compose files go to ``check_folder``, so that Compose can be asked what it would do.
    """
    path = {"type": "str", "required": True}
    files = {"type": "list", "elements": "dict", "options": {"path": path, "content": {"type": "str", "required": True}}}
    # `no_log` on `content` alone: on the whole list it would blank every other string of the result and the diff.
    secrets = {
        "type": "list",
        "elements": "dict",
        "options": {"path": path, "content": {"type": "str", "no_log": True}, "uid": {"type": "int"}},
    }
    text = {"type": "str", "required": True}
    certificate = {
        "type": "dict",
        "options": {"trust": text, "chain": text, "key": {"type": "str", "required": True, "no_log": True}, "uid": {"type": "int"}},
    }
    options = {
        "folder": path,
        "files": files,
        "secrets": secrets,
        "certificate": certificate,
        "record": {"type": "str"},
        "prune": {"type": "bool"},
    }
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "check_folder": {"type": "path", "required": True},
            "folders": {"type": "list", "elements": "dict", "required": True, "options": options},
        },
        supports_check_mode=True,
    )
    host = Host(module, module.params["root"])
    for folder in module.params["folders"]:
        host.bring(folder)
    module.exit_json(
        changed=bool(host.placed or host.removed), placed=host.placed, removed=host.removed, pending=host.pending, diff=host.diff
    )


class Host:
    """The lab's files on this host, and what was done to them."""

    def __init__(self, module: AnsibleModule, root: str) -> None:
        self.module, self.root = module, root
        self.placed: list[str] = []
        self.removed: list[str] = []
        self.pending: list[str] = []
        self.diff: list[dict[str, str]] = []

    def bring(self, wanted: dict[str, Any]) -> None:
        """Bring one service's folder to what is asked."""
        name = wanted["folder"]
        for secret in wanted["secrets"]:
            self.put(os.path.join(name, secret["path"]), secret["content"], "0400", secret["uid"])
        for file in wanted["files"]:
            self.put(os.path.join(name, file["path"]), file["content"], "0755" if file["content"].startswith("#!") else "0644")
            if self.module.check_mode and file["path"] == "compose.yaml":
                stage(os.path.join(self.module.params["check_folder"], name, file["path"]), file["content"])
        certificate = wanted["certificate"]
        if certificate:
            self.certify(name, certificate)
        if wanted["record"]:
            self.put(f"first-boot/{name}.json", wanted["record"], "0644")
        if wanted["prune"]:
            paths = {item["path"] for item in wanted["files"] + wanted["secrets"]}
            self.prune(name, paths.union(certificate_files.files(certificate) if certificate else ()))

    def certify(self, name: str, certificate: dict[str, Any]) -> None:
        """Bring a service's certificate, key and trust to what is asked; a marker stays until the service has taken them up.

        It is set before the files, so that a run that dies leaves it, and made younger after them.
        """
        marker = certificate_files.marker(self.root, name)
        files = certificate_files.files(certificate)
        stale = any(read(os.path.join(self.root, name, path)) != content for path, content in files.items())
        if stale and not self.module.check_mode:
            touch(marker)
        for path, content in files.items():
            key = path.endswith(".key")
            self.put(os.path.join(name, path), content, "0400" if key else "0644", certificate["uid"] if key else None)
        if stale and not self.module.check_mode:
            touch(marker)
        if stale or os.path.exists(marker):
            self.pending.append(name)

    def put(self, name: str, content: str, mode: str, uid: int | None = None) -> None:
        """Bring a file's content, mode and owner to what is asked; never readable by others on the way. No secret gets into the diff."""
        name = os.path.normpath(name)
        path = os.path.join(self.root, name)
        before = read(path)
        differs = before != content
        if differs and not self.module.check_mode:
            folder = os.path.dirname(path)
            os.makedirs(folder, mode=0o700 if os.path.basename(folder) == "secrets" else 0o755, exist_ok=True)
            fresh = os.path.join(self.module.tmpdir, "fresh")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="") as handle:
                handle.write(content)
            self.module.atomic_move(fresh, path)
        if differs and mode != "0400":
            self.diff.append({"before": before or "", "after": content, "before_header": name, "after_header": name})
        if not (differs and self.module.check_mode):
            owner = None if uid is None else str(uid)
            attributes = self.module.load_file_common_arguments({"path": path, "mode": mode, "owner": owner})
            differs = bool(self.module.set_fs_attributes_if_different(attributes, False)) or differs
        if differs:
            self.placed.append(name)

    def prune(self, name: str, wanted: set[str]) -> None:
        """Remove files of a service that are not listed (a template that was dropped or renamed)."""
        folder = os.path.join(self.root, name)
        present = {os.path.relpath(os.path.join(at, file), folder) for at, _, files in os.walk(folder) for file in files}
        for stale in sorted(present - wanted):
            self.removed.append(os.path.join(name, stale))
            if not self.module.check_mode:
                os.unlink(os.path.join(folder, stale))


def touch(path: str) -> None:
    """Make an empty file, or one that is there younger."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8"):
        os.utime(path)


def read(path: str) -> str | None:
    """Return the content of a file, ``None`` where there is none."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def stage(path: str, content: str) -> None:
    """Write a file that exists for this check only."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(content)


if __name__ == "__main__":
    main()
