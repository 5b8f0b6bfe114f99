"""Lets tests import our plugins under the names that Ansible gives them."""

from ansible.plugins.loader import init_plugin_loader

from .support import ROOT

init_plugin_loader([str(ROOT / "collections")])
