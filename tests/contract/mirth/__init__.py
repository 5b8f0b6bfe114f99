"""Contract of the engine: Mirth Connect 4.5.2. Its channels are made by our own generator, so the collection must be found."""

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader([str(Path(__file__).resolve().parents[3] / "collections")])
