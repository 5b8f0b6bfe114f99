"""Host side of the action of the same name: write a service's files, atomically, and remove those no longer listed."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

#: In check mode the rendered Compose files go here, so that Compose can be asked what it would do; the role `stack` removes it.
STAGING = "/run/pacs-emr-check"


def main() -> None:
    """Place files and secrets; ``changed``, ``placed``, ``removed`` and a diff without secrets are returned."""
    path = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "service": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "options": {"path": path, "content": {"type": "str", "required": True}}},
            # `no_log` on `content` alone: on the whole list it would blank every other string of the result and the diff.
            "secrets": {
                "type": "list",
                "elements": "dict",
                "options": {"path": path, "content": {"type": "str", "no_log": True}, "uid": {"type": "int"}},
            },
            "record": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    root, service = module.params["root"], module.params["service"]
    folder = os.path.join(root, service)
    placed: list[str] = []
    diff: list[dict[str, str]] = []

    def put(path: str, content: str, mode: str, uid: int | None = None, show: bool = True) -> None:
        before = read(path)
        if place(module, path, content, before, mode, uid):
            placed.append(os.path.relpath(path, root))
            if show and before != content:
                name = os.path.relpath(path, root)
                diff.append({"before": before or "", "after": content, "before_header": name, "after_header": name})

    for secret in module.params["secrets"]:
        put(os.path.join(folder, secret["path"]), secret["content"], "0400", secret["uid"], show=False)
    for file in module.params["files"]:
        put(os.path.join(folder, file["path"]), file["content"], "0755" if file["content"].startswith("#!") else "0644")
        if module.check_mode and file["path"] == "compose.yaml":
            stage(os.path.join(STAGING, service, file["path"]), file["content"])
    if module.params["record"]:
        put(os.path.join(root, "first-boot", f"{service}.json"), module.params["record"], "0644")
    wanted = {item["path"] for item in module.params["files"] + module.params["secrets"]}
    removed = prune(folder, wanted, module.check_mode)
    module.exit_json(changed=bool(placed or removed), placed=placed, removed=removed, diff=diff)


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


def place(module: AnsibleModule, path: str, content: str, before: str | None, mode: str, uid: int | None) -> bool:
    """Bring content, mode and owner to what is asked; never readable by others on the way. Returns whether anything differed."""
    differs = before != content
    if differs and module.check_mode:
        return True
    if differs:
        secret = mode == "0400"
        os.makedirs(os.path.dirname(path), mode=0o700 if secret else 0o755, exist_ok=True)
        fresh = os.path.join(module.tmpdir, "fresh")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="") as handle:
            handle.write(content)
        module.atomic_move(fresh, path)
    wanted: dict[str, Any] = module.load_file_common_arguments({"path": path, "mode": mode, "owner": None if uid is None else str(uid)})
    return bool(module.set_fs_attributes_if_different(wanted, False)) or differs


def prune(folder: str, wanted: set[str], check_mode: bool) -> list[str]:
    """Remove files that are not listed (a template that was dropped or renamed); returns their paths below ``folder``."""
    present = {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}
    stale = sorted(present - wanted)
    if not check_mode:
        for path in stale:
            os.unlink(os.path.join(folder, path))
    return stale


if __name__ == "__main__":
    main()
