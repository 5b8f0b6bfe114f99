"""Statements on the container contracts, run against stand-ins and upstream images alike. Some use our plugins, which must be found."""

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader([str(Path(__file__).resolve().parents[2] / "collections")])
