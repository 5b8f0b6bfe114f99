"""What preflight has to know of a host, in one round trip. Reads only; nothing is changed, whatever the mode."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli

#: uid of the archive in its container (dcm4chee.md §1.1)
ARCHIVE_UID = 1023


def main() -> None:
    """Return the facts under ``host``."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "images": {"type": "list", "elements": "str", "default": []},
            "storage_path": {"type": "str", "default": ""},
            "storage_marker": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    root, project = module.params["root"], module.params["project"]
    facts: dict[str, Any] = {
        "clock": time.time(),
        "uid": os.geteuid(),
        "distribution": distribution(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "memory_mb": memory_mb(),
        "listeners": listeners(),
        "routes": routes(),
        "first_boot": first_boot(root),
        "storage": storage(module.params["storage_path"], module.params["storage_marker"]),
    }
    facts.update(engine(project, module.params["images"]))
    facts["emr_installed"] = emr_installed(facts["docker_root"], project)
    facts["disk_free_gb"] = {folder: free_gb(folder) for folder in {root, facts["docker_root"] or "/var/lib"}}
    module.exit_json(changed=False, host=facts)


def distribution() -> dict[str, str]:
    """``id`` and ``version`` of /etc/os-release, empty where it lacks them."""
    pairs = {}
    try:
        with open("/etc/os-release", encoding="utf-8") as handle:
            for line in handle:
                name, _, value = line.strip().partition("=")
                pairs[name] = value.strip('"')
    except FileNotFoundError:
        pass
    return {"id": pairs.get("ID", ""), "version": pairs.get("VERSION_ID", "")}


def memory_mb() -> int:
    """Memory of the host in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def free_gb(folder: str) -> float:
    """Free space in GiB where ``folder`` is, or will be."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return round(shutil.disk_usage(folder).free / 2**30, 1)


def listeners() -> list[list[Any]]:
    """``[address, port]`` of every TCP socket that listens, from /proc/net/tcp and tcp6 (proc(5): hex, words in host order)."""
    found = set()
    for name, words in (("tcp", 1), ("tcp6", 4)):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as handle:
                rows = [line.split() for line in handle][1:]
        except FileNotFoundError:
            continue
        for row in rows:
            if row[3] != "0A":
                continue
            text, port = row[1].split(":")
            raw = b"".join(int(text[8 * word : 8 * word + 8], 16).to_bytes(4, "little") for word in range(words))
            found.add((readable(raw), int(port, 16)))
    return [list(pair) for pair in sorted(found)]


def readable(raw: bytes) -> str:
    """Text of an address; an IPv4 address mapped into IPv6 reads as IPv4."""
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def routes() -> list[dict[str, str]]:
    """``{network, device}`` of the IPv4 routes of this host but the default route, from /proc/net/route."""
    found = []
    try:
        with open("/proc/net/route", encoding="ascii") as handle:
            rows = [line.split() for line in handle][1:]
    except FileNotFoundError:
        return []
    for row in rows:
        network, mask = (int.from_bytes(bytes.fromhex(row[column]), "little") for column in (1, 7))
        if mask:
            found.append({"network": f"{ipaddress.ip_address(network)}/{mask.bit_count()}", "device": row[0]})
    return found


def first_boot(root: str) -> dict[str, dict[str, str]]:
    """The record of each service (see the action service_files), by service; one that cannot be read is ``{}``."""
    folder = os.path.join(root, "first-boot")
    records = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        service, extension = os.path.splitext(name)
        if extension == ".json":
            with open(os.path.join(folder, name), encoding="utf-8") as handle:
                try:
                    record = json.load(handle)
                except ValueError:
                    record = {}
            records[service] = record if isinstance(record, dict) else {}
    return records


def storage(path: str, marker: str) -> dict[str, Any] | None:
    """State of the archive's storage folder on this host: is it there, on which file system, with the marker, writable for the archive.

    ``propagates``: what is mounted there later is seen in a container that has the folder already.
    """
    if not path:
        return None
    state: dict[str, Any] = {"exists": os.path.isdir(path), "marker": False, "writable": False, "mount": "", "propagates": False}
    if state["exists"]:
        state["mount"], state["propagates"] = mount_of(os.path.realpath(path))
        state["marker"], state["writable"] = seen_by(ARCHIVE_UID, path, marker)
    return state


def mount_of(path: str) -> tuple[str, bool]:
    """Return the mount that holds ``path``, as ``nfs4 at /srv/images``, and whether it is shared or a slave (proc(5), mountinfo).

    Docker Engine asks the same before it binds with ``rslave``.
    """
    best = ("", "", False)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as handle:
        for line in handle:
            fields, _, more = line.partition(" - ")
            point, options = fields.split()[4], fields.split()[6:]
            point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, more.split()[0], any(option.startswith(("shared:", "master:")) for option in options))
    return f"{best[1]} at {best[0]}", best[2]


def seen_by(uid: int, folder: str, marker: str) -> tuple[bool, bool]:
    """Return whether a user finds the marker, and may write: a server may map root to nobody, so it is tried as that user.

    The folder is entered by its descriptor, as it is in a container: those above it may be closed to the user.
    """
    script = (
        "import os, sys; uid = int(sys.argv[1]); folder = os.open(sys.argv[2], os.O_PATH); "
        "os.setgroups([]); os.setgid(uid); os.setuid(uid); os.fchdir(folder); print(os.path.isfile(sys.argv[3]), flush=True); "
        "probe = f'.pacs-emr-{os.getpid()}'; os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY)); os.unlink(probe)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(uid), folder, marker], capture_output=True, text=True, check=False)
    return done.stdout == "True\n", done.returncode == 0


def emr_installed(docker_root: str, project: str) -> bool:
    """Whether the EMR's installation is over: its health script leaves a mark in the volume of sites."""
    volume = os.path.join(docker_root, "volumes", f"{project}_oemr-sites", "_data")
    return os.path.exists(os.path.join(volume, "default", "documents", "local", "installed"))


def engine(project: str, images: list[str]) -> dict[str, Any]:
    """Docker Engine, Compose and what of the lab is there. Each of ``engine`` and ``compose`` is a version, empty where it is missing."""
    facts: dict[str, Any] = {
        "engine_installed": shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None,
        "docker_cli": shutil.which("docker") is not None,
        "engine": "",
        "engine_error": "",
        "compose": "",
        "docker_root": "",
        "proxied": False,
        "containers": [],
        "volumes": [],
        "networks": [],
        "images_missing": [],
        "images_loaded": [],
    }
    if not facts["docker_cli"]:
        facts["engine_error"] = "missing"
        return facts
    with ThreadPoolExecutor() as pool:
        compose = pool.submit(quietly, ["compose", "version", "--short"])
        info = pool.submit(docker_cli.run, ["info", "--format", "{{json .}}"])
        volumes = pool.submit(quietly, ["volume", "ls", "--quiet", "--filter", f"label={docker_cli.PROJECT_LABEL}={project}"])
        networks = pool.submit(list_networks, project)
        present = pool.submit(list_containers, project)
        missing = pool.submit(missing_images, images)
        facts["compose"] = compose.result().strip().lstrip("v")
        try:
            told = json.loads(info.result())
        except docker_cli.DockerError as error:
            facts["engine_error"] = str(error).splitlines()[0]
            return facts
        facts["engine"], facts["docker_root"] = told["ServerVersion"], told["DockerRootDir"]
        facts["proxied"] = bool(told.get("HttpProxy") or told.get("HttpsProxy"))
        prefix = f"{project}_"
        facts["volumes"] = sorted(name.removeprefix(prefix) for name in volumes.result().split())
        facts["networks"] = networks.result()
        facts["containers"] = present.result()
        facts["images_missing"] = missing.result()
        tags = [tag for tag, _, digest in (image.partition("@") for image in facts["images_missing"]) if digest]
        facts["images_loaded"] = [tag for tag, digests in zip(tags, pool.map(digests_of, tags), strict=True) if digests == "0"]
    return facts


def quietly(args: list[str]) -> str:
    """Run docker; its output, or nothing where it fails (the one call whose failure matters is made by the caller)."""
    try:
        return docker_cli.run(args)
    except docker_cli.DockerError:
        return ""


def missing_images(images: list[str]) -> list[str]:
    """Which of ``images`` are not here. Nearly always none, which one call tells."""
    if not images or quietly(["image", "inspect", "--format", "{{.Id}}", *images]):
        return []
    return [image for image in images if not quietly(["image", "inspect", "--format", "{{.Id}}", image])]


def digests_of(image: str) -> str:
    """How many digests Docker Engine knows of an image (none of one that was loaded or built), empty where it has no such image."""
    return quietly(["image", "inspect", "--format", "{{len .RepoDigests}}", image]).strip()


def list_networks(project: str) -> list[dict[str, Any]]:
    """Every IPv4 network of Docker Engine: name, subnets, Linux bridge, and whether it is this project's."""
    found = []
    for network in docker_cli.inspect_listed("network", ["network", "ls", "--quiet", "--filter", "driver=bridge"]):
        subnets = [pool["Subnet"] for pool in network["IPAM"]["Config"] or [] if ":" not in pool["Subnet"]]
        device = (network["Options"] or {}).get("com.docker.network.bridge.name", "br-" + network["Id"][:12])
        ours = (network["Labels"] or {}).get(docker_cli.PROJECT_LABEL) == project
        found.append({"name": network["Name"], "subnets": subnets, "device": device, "ours": ours})
    return found


def list_containers(project: str) -> list[dict[str, Any]]:
    """This project's containers: service, id, state, health, and the ports that they hold or are about to hold.

    Docker Engine opens a port before it says so in the container's state, hence the ports that the container asks for.
    """
    try:
        found = docker_cli.containers(project)
    except docker_cli.DockerError:
        return []
    return [
        {
            "service": container["Config"]["Labels"].get(docker_cli.SERVICE_LABEL, ""),
            "id": container["Id"],
            "state": container["State"]["Status"],
            "exit_code": container["State"]["ExitCode"],
            "health": (container["State"].get("Health") or {}).get("Status", ""),
            "ports": [] if container["State"]["Status"] in ("exited", "dead") else asked_ports(container),
        }
        for container in found
    ]


def asked_ports(container: dict[str, Any]) -> list[list[Any]]:
    """``[address, port]`` of the host that a container asks for; all of them where it names no address."""
    asked = (container["HostConfig"]["PortBindings"] or {}).values()
    found = set()
    for binding in (binding for bindings in asked for binding in bindings or [] if binding["HostPort"]):
        for address in (binding["HostIp"],) if binding["HostIp"] else ("0.0.0.0", "::"):
            found.add((str(ipaddress.ip_address(address)), int(binding["HostPort"])))
    return [list(pair) for pair in sorted(found)]


if __name__ == "__main__":
    main()
