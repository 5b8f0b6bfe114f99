"""Filters that answer "which image", "how do I reach X from here" and "where does X answer" from the lab's tables and groups."""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.pacs_emr.lab.plugins.module_utils import services
from jinja2 import pass_context
from jinja2.runtime import Context


def compose_name(service: str) -> str:
    """Name of a service in Compose and on the container network: that of its role, with hyphens (host names have no underscore)."""
    return service.replace("_", "-")


def compose_text(value: object) -> str:
    """Return a value as a quoted text in which Compose expands nothing."""
    return json.dumps(str(value)).replace("$", "$$")


def image_reference(row: Mapping[str, Any], source: str) -> str:
    """Return ``repository:tag``, with ``@digest`` for an upstream tag whose digest the image table knows.

    :raises AnsibleFilterError: the row names no repository for this source
    """
    if not row.get(source):
        raise AnsibleFilterError(
            f"the image table has no repository '{source}' in the row {dict(row)}; lab_image_source is upstream or built"
        )
    tag = str(row["tag"])
    digest = (row.get("digests") or {}).get(tag) if source == "upstream" else None
    return f"{row[source]}:{tag}" + (f"@{digest}" if digest else "")


def publish(bind: str, port: int, container_port: int) -> list[str]:
    """Return the Compose ``ports`` entries that publish one port; none for an empty ``bind``."""
    if not bind:
        return []
    address = f"[{bind}]" if ":" in bind else bind
    return [f"{address}:{port}:{container_port}"]


def placed_on(groups: Mapping[str, list[str]], service: str) -> str:
    """Return the host that runs a service.

    :raises AnsibleFilterError: no host or several hosts are in the service's group
    """
    hosts = groups.get(service) or []
    if len(hosts) != 1:
        raise AnsibleFilterError(
            f"the inventory group '{service}' must have exactly one host, it has {len(hosts)}: {', '.join(hosts) or 'none'}"
        )
    return hosts[0]


def setting(context: Context, host: str, name: str) -> Any:
    """Return a variable as the inventory sets it for ``host``, else the default that is in sight."""
    variables = context["hostvars"][host]
    return variables[name] if name in variables else context[name]


@pass_context
def reach(context: Context, service: str, container_port: int, published: str, client: str = "") -> dict[str, Any]:
    """Return ``{host, port}`` under which a container on this host, or that of the service ``client``, reaches a service.

    On the same host that is the service's name on the container network and ``container_port``; elsewhere the other host's
    ``lab_address`` and the port in the variable ``<published>_port``.
    """
    host = placed_on(context["groups"], service)
    if host == (placed_on(context["groups"], client) if client else context["inventory_hostname"]):
        return {"host": compose_name(service), "port": container_port}
    return {"host": host_address(context, host), "port": int(setting(context, host, f"{published}_port"))}


@pass_context
def client_bind(context: Context, service: str, clients: list[str]) -> str:
    """Return the address on which a service must be published for clients on other hosts; empty when all share its host."""
    host = placed_on(context["groups"], service)
    elsewhere = [client for client in clients if any(other != host for other in context["groups"].get(client) or [])]
    return host_address(context, host) if elsewhere else ""


@pass_context
def endpoint(context: Context, service: str, published: str) -> dict[str, Any] | None:
    """Return ``{host, port}`` at which the controller and the users reach a published port, ``None`` where it is not published.

    :raises AnsibleFilterError: the port is to be published on something that is no address
    """
    host = placed_on(context["groups"], service)
    bind = str(setting(context, host, f"{published}_bind"))
    if not bind:
        return None
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        raise AnsibleFilterError(f"{published}_bind of {host} is '{bind}', which is no address") from None
    name = "localhost" if address.is_loopback else host_address(context, host) if address.is_unspecified else bind
    return {"host": name, "port": int(setting(context, host, f"{published}_port"))}


@pass_context
def url(context: Context, service: str, published: str, path: str = "", scheme: str = "http") -> str | None:
    """Return the URL of a published HTTP port, ``None`` where it is not published."""
    where = endpoint(context, service, published)
    if not where:
        return None
    name = f"[{where['host']}]" if ":" in where["host"] else where["host"]
    return f"{scheme}://{name}:{where['port']}{path}"


@pass_context
def front(context: Context, name: str) -> str | None:
    """Return the URL at which the lab's users reach something through the edge, ``None`` where that is not published.

    :param name: emr, viewer, pacs, or an empty text for the portal
    """
    where = endpoint(context, "edge", "edge_https")
    if not where:
        return None
    host = ".".join(filter(None, (name, context["edge_domain"])))
    return f"https://{host}" + ("" if where["port"] == 443 else f":{where['port']}")


@pass_context
def front_names(context: Context, service: str) -> list[str]:
    """Return the names by which the lab's users call a service: edge_domain and what its service.yml has below it (``fronts``), or none."""
    return services.load(service).front_names(context["edge_domain"])


@pass_context
def tls_name(context: Context, service: str) -> str:
    """Return the name under which clients call a service over TLS, and which its certificate bears."""
    return f"{compose_name(service)}.{context['lab_domain']}"


@pass_context
def certificate_names(context: Context, service: str) -> list[str]:
    """Return the names and addresses that a service's certificate bears, its own in the lab's domain first.

    These are that, its name on the container network, its host's address, where its ports are published, and for what people call by
    edge_domain (``fronts`` in its service.yml) these names and this machine's own.
    """
    host = placed_on(context["groups"], service)
    names = [tls_name(context, service), compose_name(service), host_address(context, host)]
    described = services.load(service)
    if fronts := described.front_names(context["edge_domain"]):
        names += [*fronts, "localhost", "127.0.0.1", "::1"]
    for published in described.publishes:
        if where := endpoint(context, service, published):
            bind = str(setting(context, host, f"{published}_bind"))
            names += [where["host"]] + ([] if ipaddress.ip_address(bind).is_unspecified else [bind])
    return list(dict.fromkeys(names))


@pass_context
def certificate(context: Context, service: str) -> dict[str, str]:
    """Return ``{key, chain, trust}``: files on the controller with a service's key, its certificate and chain, what its clients trust."""
    own = context["ca_own_files"].get(service)
    stem = f"{context['ca_folder']}/services/{service}"
    files = {"key": own["key"], "chain": own["chain"]} if own else {"key": f"{stem}.key", "chain": f"{stem}.pem"}
    return files | {"trust": f"{context['ca_folder']}/trust.pem"}


@pass_context
def awaited_elsewhere(context: Context, names: list[str]) -> list[str]:
    """Return those of the services here that must answer before a service on another host boots (``after`` in its service.yml)."""
    described = services.load_all(list(context["lab_services"])).values()
    here = context["inventory_hostname"]
    return [name for name in names if any(name in other.after and here not in context["groups"].get(other.name, []) for other in described)]


@pass_context
def acceptance_input(context: Context, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the acceptance suite is told (tests/acceptance/README.md): the endpoints, and how to get at containers of each host."""
    names = list(context["lab_services"])
    hosts = {
        host: {
            "connection": context["hostvars"][host].get("ansible_connection", "ssh"),
            "address": host_address(context, host),
            "services": [compose_name(name) for name in names if host in context["groups"].get(name, [])],
            "project": context["lab_root"],
            "exec": [*shell_prefix(context["hostvars"][host], host), "docker", "exec"],
        }
        for host in context["groups"]["lab"]
    }
    title = context["lab_verify_ae_title"]
    row = next((row for row in context["lab_ae_table"] if row["ae_title"] == title), None)
    return dict(base) | {
        "hosts": hosts,
        "move_destination": {"ae_title": title, "bind": "0.0.0.0", "port": int(row["port"])} if row else None,
    }


def shell_prefix(variables: Mapping[str, Any], host: str) -> list[str]:
    """Return the words that bring a command to a host as Ansible would: nothing, or ssh with its options; sudo where asked for."""
    sudo = ["sudo", "-n"] if boolean(variables.get("ansible_become", False), strict=False) else []
    if variables.get("ansible_connection") == "local":
        return sudo
    words = ["ssh", "-o", "BatchMode=yes", *shlex.split(str(variables.get("ansible_ssh_common_args", "")))]
    if key := variables.get("ansible_ssh_private_key_file"):
        words += ["-i", str(key)]
    if port := variables.get("ansible_port"):
        words += ["-p", str(port)]
    user = variables.get("ansible_user")
    return [*words, f"{user}@{variables.get('ansible_host', host)}" if user else str(variables.get("ansible_host", host)), "--", *sudo]


def host_address(context: Context, host: str) -> str:
    """Return the address under which the other hosts reach ``host``: its lab_address, else what Ansible connects to."""
    variables = context["hostvars"][host]
    return str(variables.get("lab_address") or variables.get("ansible_host") or host)


class FilterModule:
    """The lab's filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "acceptance_input": acceptance_input,
            "account_secret": services.account_secret,
            "awaited_elsewhere": awaited_elsewhere,
            "certificate": certificate,
            "certificate_names": certificate_names,
            "client_bind": client_bind,
            "compose_name": compose_name,
            "compose_text": compose_text,
            "endpoint": endpoint,
            "front": front,
            "front_names": front_names,
            "image_reference": image_reference,
            "publish": publish,
            "reach": reach,
            "tls_name": tls_name,
            "url": url,
        }
