"""What a host has (facts of the module lab_host), judged against what the lab needs there. Pure checks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding
from ansible_collections.pacs_emr.lab.plugins.module_utils.services import Service

ENGINE_OLDEST, COMPOSE_OLDEST = "25", "2.20"
#: Memory in MiB that each JVM needs beside its heap (dcm4chee.md §1.1 and §4.3, mirth-patterns.md §11.7: more with large PDFs).
HEAP_HEADROOM_MB = {"arc": 512, "mirth": 400}


def engine(facts: Mapping[str, Any], host: str, install: bool) -> list[Finding]:
    """Check Docker Engine and Compose: new enough, or installable."""
    if facts["engine_error"]:
        can = install and facts["uid"] == 0 and facts["distribution"]["id"] in ("debian", "ubuntu")
        if can:
            return []
        say = "is missing" if facts["engine_error"] == "missing" else f"does not answer: {facts['engine_error']}"
        return [
            Finding(
                f"Docker Engine on {host}",
                say,
                f"install and start Docker Engine {ENGINE_OLDEST} or newer; as root on Debian and Ubuntu lab_install_docker: true does so",
            )
        ]
    found = []
    if LooseVersion(facts["engine"]) < LooseVersion(ENGINE_OLDEST):
        found.append(
            Finding(
                f"Docker Engine on {host}",
                f"is {facts['engine']}; the lab needs {ENGINE_OLDEST} or newer",
                "upgrade it (docs/install.md), or remove it and let the lab install one",
            )
        )
    if not facts["compose"] and not install:
        found.append(Finding(f"Docker Compose on {host}", "is missing", f"install the plugin docker-compose {COMPOSE_OLDEST} or newer"))
    elif facts["compose"] and LooseVersion(facts["compose"]) < LooseVersion(COMPOSE_OLDEST):
        found.append(
            Finding(
                f"Docker Compose on {host}",
                f"is {facts['compose']}; the lab needs {COMPOSE_OLDEST} or newer",
                "upgrade the plugin (docs/install.md)",
            )
        )
    return found


def resources(facts: Mapping[str, Any], variables: Mapping[str, Any], host: str, here: Mapping[str, Service], now: float) -> list[Finding]:
    """Check memory, disk and clock of a host."""
    found = []
    if facts["uid"] != 0:
        found.append(Finding(f"user on {host}", "is not root", "connect as root or set ansible_become: true for this host"))
    wanted = sum(int(variables[service.memory]) for service in here.values())
    least = min(wanted, int(variables["lab_min_memory_mb"]))
    if facts["memory_mb"] < least:
        found.append(
            Finding(
                f"memory of {host}",
                f"is {facts['memory_mb']} MiB; its services may take {wanted} MiB, and {least} is the least",
                "give the host more, or place services elsewhere",
            )
        )
    for folder, free in facts["disk_free_gb"].items():
        if free < float(variables["lab_min_disk_gb"]):
            found.append(
                Finding(
                    f"disk of {host}",
                    f"{free} GiB are free at {folder}; lab_min_disk_gb is {variables['lab_min_disk_gb']}",
                    "free some, or lower lab_min_disk_gb",
                )
            )
    skew = abs(facts["clock"] - now)
    if skew > float(variables["lab_max_clock_skew"]):
        found.append(
            Finding(
                f"clock of {host}",
                f"differs from the controller's by {skew:.0f} s",
                "let chrony or another NTP client set both: dates order the worklist",
            )
        )
    for name, headroom in HEAP_HEADROOM_MB.items():
        heap, limit = f"{name}_heap_mb", f"{name}_memory_mb"
        if name in here and int(variables[heap]) + headroom > int(variables[limit]):
            what = f"{variables[heap]} MiB leave less than {headroom} below {limit}, {variables[limit]}"
            found.append(Finding(heap, what, f"raise {limit} or lower {heap}"))
    return found


def networks(subnet: str, table: list[Mapping[str, Any]], facts: Mapping[str, Any], host: str) -> list[Finding]:
    """Check the lab's subnet against the host's routes and the AE table, and the AE table against all container networks of the host.

    The first address of the subnet is the host itself, as its containers see it: that may stand in the AE table.
    """
    try:
        ours = ipaddress.IPv4Network(subnet)
    except ValueError as error:
        return [Finding("lab_subnet", f"'{subnet}' is no IPv4 network: {error}", "give a network like 10.213.0.0/24")]
    found = []
    choose = "set lab_subnet to a network that nothing in your site uses (docs/network.md)"
    if ours.num_addresses < 32:
        found.append(Finding("lab_subnet", f"{subnet} is too small for the lab's containers", "use a /27 or larger"))
    own_devices = {network["device"] for network in facts["networks"] if network["ours"]}
    bridges = {network["device"]: network["name"] for network in facts["networks"] if not network["ours"]} | {
        "docker0": "Docker's default network"
    }
    peers = [(row, address) for row in table if (address := as_address(str(row.get("host", ""))))]
    for route in facts["routes"]:
        other = ipaddress.ip_network(route["network"])
        if route["device"] not in own_devices and ours.overlaps(other):
            found.append(
                Finding(
                    f"lab_subnet on {host}",
                    f"{subnet} overlaps {route['network']}, which this host reaches through {route['device']}",
                    choose,
                )
            )
        if route["device"] in bridges:
            found += [
                Finding(
                    f"lab_ae_table, {row['ae_title']}",
                    f"{address} lies in {route['network']}, a container network of {host} ({bridges[route['device']]})",
                    "give Docker Engine other address pools (default-address-pools, bip: docs/network.md) and re-create that network",
                )
                for row, address in peers
                if address in other
            ]
    found += [
        Finding(f"lab_ae_table, {row['ae_title']}", f"{address} lies in the lab's own network {subnet}", choose)
        for row, address in peers
        if address in ours and address != ours.network_address + 1
    ]
    return found


def as_address(text: str) -> ipaddress.IPv4Address | None:
    """Return an IPv4 address, ``None`` for a host name."""
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


def ports(facts: Mapping[str, Any], variables: Mapping[str, Any], host: str, here: Mapping[str, Service]) -> list[Finding]:
    """Check that the ports to publish are free unless our own containers hold them, and that no two services want the same."""
    found = []
    ours = [held for container in facts["containers"] for held in container["ports"]]
    wanted: dict[int, list[tuple[str, str]]] = {}
    for service in here.values():
        for name in service.publishes:
            bind, port = str(variables[f"{name}_bind"]), int(variables[f"{name}_port"])
            if not bind:
                continue
            wanted.setdefault(port, []).append((name, bind))
            blockers = [
                address
                for address, other in facts["listeners"]
                if other == port and collides(bind, address) and [address, other] not in ours
            ]
            if blockers:
                found.append(
                    Finding(
                        f"{name}_port on {host}",
                        f"something else listens on {' and '.join(blockers)}, port {port}",
                        f"stop it (ss -tlnp 'sport = :{port}' names it), or choose another {name}_port or {name}_bind",
                    )
                )
    for port, users in wanted.items():
        if any(collides(one[1], other[1]) for index, one in enumerate(users) for other in users[:index]):
            found.append(
                Finding(
                    f"port {port} on {host}",
                    f"is wanted by {' and '.join(f'{name}_port' for name, _ in users)}",
                    "give each its own port or address",
                )
            )
    return found


def collides(one: str, other: str) -> bool:
    """Whether two listening addresses exclude each other on the same port; :: usually takes IPv4 too."""
    addresses = [ipaddress.ip_address(text) for text in (one, other)]
    if addresses[0].version == addresses[1].version:
        return addresses[0] == addresses[1] or any(address.is_unspecified for address in addresses)
    return any(address.version == 6 and address.is_unspecified for address in addresses)


def storage(facts: Mapping[str, Any], variables: Mapping[str, Any], host: str, marker: str) -> list[Finding]:
    """Check the folder for images: there, mounted, marked, writable for the archive."""
    state, path = facts["storage"], variables["arc_storage_path"]
    if not path or state is None:
        return []
    if not state["exists"]:
        return [Finding(f"arc_storage_path on {host}", f"{path} is no folder", "mount it before the lab is deployed")]
    found = []
    if not state["marker"]:
        found.append(
            Finding(
                f"arc_storage_path on {host}",
                f"{path} ({state['mount']}) has no file {marker}: it may not be the mount that you mean",
                f"when it is mounted: touch {path}/{marker}, as uid 1023 where the server takes root for nobody (docs/storage.md)",
            )
        )
    if not state["propagates"]:
        found.append(
            Finding(
                f"arc_storage_path on {host}",
                f"{path} ({state['mount']}) is on a private mount, so the archive would not see what is mounted there after its start",
                "mount --make-rshared / at each boot, before that file system is mounted (docs/storage.md)",
            )
        )
    if not state["writable"]:
        found.append(
            Finding(
                f"arc_storage_path on {host}",
                f"{path} ({state['mount']}) is not writable for the archive's uid 1023",
                f"on the server: chown 1023:1023 {path} (docs/storage.md)",
            )
        )
    return found


def images(facts: Mapping[str, Any], variables: Mapping[str, Any], host: str, here: Mapping[str, Service]) -> list[Finding]:
    """Check the images that are not there: self-built ones are never pulled; loaded ones have no digest; a pull may need a proxy."""
    missing = facts["images_missing"] if facts["engine"] else []
    if variables["lab_image_source"] == "built":
        return [Finding(f"image {image} on {host}", "is not there", "build it: make images (or load it: docker load)") for image in missing]
    found = []
    for service in here.values():
        image = variables[service.image]
        tag = image.partition("@")[0]
        if image in missing and tag in facts["images_loaded"]:
            found.append(
                Finding(
                    f"{service.image} on {host}",
                    f"Docker Engine has {tag}, but without its digest, which is asked for: docker load forgets digests",
                    f"to use it, set {service.image}: {tag} (docs/images.md); to pull it instead, docker image rm {tag}",
                )
            )
    tags = [image.partition("@")[0] for image in missing]
    far = [tag for tag in tags if tag not in facts["images_loaded"] and not without_proxy(tag, variables["lab_no_proxy"])]
    if far and variables["lab_http_proxy"] and not facts["proxied"]:
        found.append(
            Finding(
                f"Docker Engine on {host}",
                f"has no proxy, though lab_http_proxy is set, and has to pull {', '.join(far)}",
                "set proxies in /etc/docker/daemon.json and restart it (docs/install.md), or add the registry to lab_no_proxy",
            )
        )
    return found


def without_proxy(image: str, direct: str) -> bool:
    """Whether the registry of an image (its name begins with it) is one of the names in lab_no_proxy, or below one."""
    registry = image.partition("/")[0].partition(":")[0]
    names = [name.strip().lstrip("*.") for name in direct.split(",")]
    return any(name and f".{registry}".endswith(f".{name}") for name in names)
