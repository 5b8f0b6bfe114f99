"""What must hold before anything changes: pure checks that return findings, each with its fix."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets as secrets_file
from ansible_collections.pacs_emr.lab.plugins.module_utils.services import Service

ENGINE_OLDEST, COMPOSE_OLDEST = "25", "2.20"
#: AE titles that upstream's LDAP creates itself, besides the archive's own two (dcm4chee.md §1.2).
RESERVED_AE_TITLES = {
    "AS_RECEIVED",
    "IOCM_EXPIRED",
    "IOCM_PAT_SAFETY",
    "IOCM_QUALITY",
    "IOCM_REGULAR_USE",
    "IOCM_WRONG_MWL",
    "SCHEDULEDSTATION",
    "STORESCP",
}
#: Memory in MiB that a JVM needs beside its heap (dcm4chee.md §1.1 and §4.3: more with large PDFs).
HEAP_HEADROOM_MB = 512


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: where it stands, what it is, what cures it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n    → {self.fix}"


def unknown_variables(
    names: Iterable[str], known: Iterable[str], renamed: Mapping[str, Mapping[str, str]], prefixes: Iterable[str]
) -> list[Finding]:
    """Find variables that nobody reads: those with one of our prefixes, and those within two letters of a name that we know.

    :param names: what the inventory and the command line set for a host
    :param renamed: old name → ``{now: new name}`` or ``{gone: what replaces it}``
    """
    names, known = set(names), set(known)
    ours = tuple(prefix + "_" for prefix in prefixes)
    found = []
    for name in sorted(names - known):
        if name in renamed:
            found.append(old_variable(name, renamed[name], names))
        elif name.startswith(ours):
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            found.append(
                Finding(name, "no variable of the lab has this name", f"{hint}docs/variables.md lists them all; remove or correct it")
            )
        else:
            near = [other for other in sorted(known) if within_two(name, other)]
            if near:
                found.append(
                    Finding(
                        name,
                        f"is nearly {near[0]}, and nobody reads it",
                        f"write {near[0]}, or choose another name for a variable of your own",
                    )
                )
    return found


def old_variable(name: str, change: Mapping[str, str], names: set[str]) -> Finding:
    """Describe a variable that had another name, or existed, in an earlier release or in the seed's .env."""
    if "gone" in change:
        return Finding(name, "was removed", change["gone"])
    if change["now"] in names:
        return Finding(name, f"is the old name of {change['now']}, and both are set", f"keep {change['now']}, remove {name}")
    return Finding(name, f"is now {change['now']}", change.get("fix") or f"rename it to {change['now']}")


def within_two(one: str, other: str) -> bool:
    """Whether at most two letters must be put in, left out or changed to turn one name into the other; short names are not compared."""
    if min(len(one), len(other)) < 6 or abs(len(one) - len(other)) > 2:
        return False
    previous = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, against in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != against)))
        previous = current
    return previous[-1] <= 2


def typed(options: Mapping[str, Any], variables: Mapping[str, Any], role: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return variables in the types of a role's argument specs (the command line gives texts), and what does not fit them."""
    given = {name: variables[name] for name in options if name in variables}
    result = ArgumentSpecValidator(dict(options)).validate(given)
    found = [
        Finding(
            f"variable of role {role}",
            message.rstrip("."),
            "correct it in inventory/<lab>/group_vars/all/lab.yml; docs/variables.md says what it takes",
        )
        for message in result.error_messages
    ]
    found += [
        Finding(name, "has no value", 'give it one ("" is an empty text), or remove it to get its default')
        for name, value in given.items()
        if value is None
    ]
    return {name: result.validated_parameters[name] for name in given}, found


def binds(variables: Mapping[str, Any], here: Mapping[str, Service]) -> list[Finding]:
    """Check that everything is published on an address, or not at all."""
    return [
        Finding(
            f"{name}_bind",
            f"'{bind}' is no address",
            "give an address of the host, 0.0.0.0 for all, or an empty text to publish nothing",
        )
        for service in here.values()
        for name in service.publishes
        if (bind := str(variables.get(f"{name}_bind") or "")) and not is_address(bind)
    ]


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def groups(hosts: Mapping[str, list[str]], services: Iterable[str]) -> list[Finding]:
    """Check that each service is placed on exactly one host of the group ``lab``."""
    found = []
    lab = set(hosts.get("lab") or [])
    for service in services:
        placed = hosts.get(service) or []
        if len(placed) != 1:
            say = "has no host" if not placed else f"has {len(placed)} hosts ({', '.join(placed)})"
            found.append(
                Finding(f"inventory group {service}", f"{say}; the lab has one {service}", f"put exactly one host into the group {service}")
            )
        elif placed[0] not in lab:
            found.append(
                Finding(
                    f"inventory group {service}",
                    f"its host {placed[0]} is not in the group lab",
                    "make the group a child of lab (inventory/single/hosts.yml)",
                )
            )
    return found


def matching_versions(arc: str, ldap: str, pacs_db: str) -> list[Finding]:
    """Check the trio (dcm4chee.md §0 trap 1): LDAP's suffix is the archive's minor.patch, the database's suffix its minor."""
    parts = re.match(r"5\.(\d+)\.(\d+)(-secure|-secure-ui)?\Z", arc)
    if not parts:
        return [Finding("arc_tag", f"{arc} is no release of the archive", "use a tag like 5.34.2")]
    minor, patch = parts[1], parts[2]
    found = []
    if not ldap.endswith(f"-{minor}.{patch}"):
        found.append(
            Finding(
                "ldap_tag",
                f"{ldap} does not belong to the archive {arc}",
                f"use an LDAP tag that ends in -{minor}.{patch} (docs/images.md)",
            )
        )
    if pacs_db.rpartition("-")[2] != minor:
        found.append(
            Finding(
                "pacs_db_tag",
                f"{pacs_db} does not belong to the archive {arc}",
                f"use a database tag that ends in -{minor} (docs/images.md)",
            )
        )
    return found


def ae_table(table: list[Mapping[str, Any]], own: Iterable[str]) -> list[Finding]:
    """Check the AE table: well-formed titles (DICOM PS3.5: at most 16 characters, no backslash), unique, not the archive's own.

    LDAP does not tell upper from lower case, so titles that differ in nothing else are the same.
    """
    found = []
    seen: set[str] = set()
    taken = {title.upper() for title in own} | RESERVED_AE_TITLES
    for row in table:
        title = str(row.get("ae_title", ""))
        where = f"lab_ae_table, {title or row}"
        if not re.match(r"[!-\[\]-~]{1,16}\Z", title):
            found.append(Finding(where, "is no AE title", "use 1 to 16 printable characters without blanks and backslash"))
        elif title.upper() in taken:
            found.append(Finding(where, "is an AE title of the archive itself", "choose another one"))
        elif title.upper() in seen:
            found.append(Finding(where, "stands twice", "keep one row for each AE title"))
        seen.add(title.upper())
        if not row.get("host") or not 0 < int(row.get("port") or 0) < 65536:
            found.append(Finding(where, "lacks host or port", "give the address and port at which this AE takes associations"))
    return found


def own_ae_titles(archive: str, worklist: str) -> list[Finding]:
    """Check the archive's own AE titles: they become part of URLs and DNs, and LDAP holds each once."""
    found = []
    for name, title in (("arc_ae_title", archive), ("arc_worklist_ae_title", worklist)):
        if not re.match(r"[A-Za-z0-9_.-]{1,16}\Z", title):
            found.append(Finding(name, f"'{title}' cannot be the archive's AE title", "use 1 to 16 characters out of A-Z a-z 0-9 _ . -"))
        elif title.upper() in RESERVED_AE_TITLES:
            found.append(Finding(name, f"{title} is another AE title of the archive itself", "choose another one"))
    if archive.upper() == worklist.upper():
        found.append(Finding("arc_worklist_ae_title", f"{worklist} is also arc_ae_title", "choose two different titles"))
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
    if "arc" in here and int(variables["arc_heap_mb"]) + HEAP_HEADROOM_MB > int(variables["arc_memory_mb"]):
        found.append(
            Finding(
                "arc_heap_mb",
                f"{variables['arc_heap_mb']} MiB leave less than {HEAP_HEADROOM_MB} below arc_memory_mb, {variables['arc_memory_mb']}",
                "raise arc_memory_mb or lower arc_heap_mb",
            )
        )
    return found


def ports(facts: Mapping[str, Any], variables: Mapping[str, Any], host: str, here: Mapping[str, Service]) -> list[Finding]:
    """Check that the ports to publish are free unless our own containers hold them, and that no two services want the same."""
    found = []
    held = {port for container in facts["containers"] for port in container["ports"]}
    wanted: dict[int, list[tuple[str, str]]] = {}
    for service in here.values():
        for name in service.publishes:
            bind, port = str(variables[f"{name}_bind"]), int(variables[f"{name}_port"])
            if not bind:
                continue
            wanted.setdefault(port, []).append((name, bind))
            blocker = next((address for address, other in facts["listeners"] if other == port and collides(bind, address)), None)
            if blocker and port not in held:
                found.append(
                    Finding(
                        f"{name}_port on {host}",
                        f"something else listens on {blocker}:{port}",
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
                f"when it is mounted: touch {path}/{marker}",
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


def missing_images(facts: Mapping[str, Any], source: str, host: str) -> list[Finding]:
    """Self-built images are never pulled: they must be there."""
    if source != "built" or not facts["engine"]:
        return []
    return [
        Finding(f"image {image} on {host}", "is not there", "build it: make images (or load it: docker load)")
        for image in facts["images_missing"]
    ]


def secrets(
    values: Mapping[str, Any], file: str, needed: Mapping[str, list[str]], has_data: Callable[[str], bool], all_hosts: bool
) -> list[Finding]:
    """Check the secrets file: no empty, malformed or unknown value; none missing whose service holds data.

    :param needed: key → services that use it
    :param has_data: whether a service is on this host and holds data
    :param all_hosts: whether every host of the lab takes part in this run
    """
    found = []
    for key, value in sorted(values.items()):
        if key not in needed:
            near = get_close_matches(key, needed, n=1)
            found.append(
                Finding(
                    f"{file}, {key}",
                    "no service has a secret of this name",
                    f"{'did you mean ' + near[0] + '? ' if near else ''}remove or correct it",
                )
            )
        elif say := secrets_file.problem(value):
            found.append(Finding(f"{file}, {key}", say, f"write a value of {secrets_file.ALLOWED}, or restore the file"))
    missing = sorted(set(needed) - set(values))
    for key in missing:
        holders = [service for service in needed[key] if has_data(service)]
        if holders:
            found.append(
                Finding(
                    f"{file}, {key}",
                    f"is missing, and {' and '.join(holders)} already hold(s) data that a new one does not open",
                    'restore the file from your backup; to set a new value follow docs/secrets.md, "Rotate"',
                )
            )
        elif not all_hosts:
            found.append(
                Finding(f"{file}, {key}", "is missing, and --limit hides whether its service holds data", "run once without --limit")
            )
    return found


def secret_length(length: int) -> list[Finding]:
    """Check that the next run takes the secrets that this one makes."""
    if secrets_file.SHORTEST <= length <= secrets_file.LONGEST:
        return []
    return [
        Finding("lab_secret_length", f"{length} is no length of a secret", f"give one of {secrets_file.SHORTEST} to {secrets_file.LONGEST}")
    ]


def first_boot(
    service: Service, wanted: Mapping[str, str], record: Mapping[str, str] | None, host: str, root: str, adopt: bool
) -> list[Finding]:
    """Check what a service with data was first booted with against what the lab says now."""
    if not record:
        if adopt or not wanted:
            return []
        return [
            Finding(
                f"{service.name} on {host}",
                f"holds data, but {root}/first-boot/{service.name}.json, the record of what it was first booted with, is gone",
                "restore that file; or, when you are sure that the lab's values are the first ones, run once with -e lab_adopt_data=true",
            )
        ]
    found = []
    for name in service.first_boot:
        if name in record and name in wanted and record[name] != wanted[name]:
            secret = name in service.secrets
            say = (
                "differs from the one that the service was first booted with"
                if secret
                else f"is '{wanted[name]}', deployed is '{record[name]}'"
            )
            way = 'docs/secrets.md, "Rotate"' if secret else 'docs/operations.md, "First-boot values"'
            fix = "restore the secrets file" if secret else f"set it back to '{record[name]}'"
            found.append(
                Finding(
                    f"{name} on {host}",
                    f"{say}; {service.name} reads it at its first boot only",
                    f"{fix}, or change it by the procedure in {way}",
                )
            )
    return found


def tags(asked: Iterable[str], known: Iterable[str]) -> list[Finding]:
    """Check --tags: an unknown one would run nothing and report success."""
    special = {"all", "always", "never", "tagged", "untagged"}
    return [
        Finding(f"--tags {tag}", "no task has this tag", f"use one of {', '.join(sorted(known))}")
        for tag in asked
        if tag not in special | set(known)
    ]
