"""The engine that the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import Engine, docker
from .support import EXTERNAL, Pushed, Server, run_database, run_engine


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with admin/admin, and a folder that it and the tests see under the same path."""
    folder = tmp_path_factory.mktemp("hl7")
    os.chmod(folder, 0o777)
    if EXTERNAL:
        external = Server(EXTERNAL, "127.0.0.1", "127.0.0.1", folder)
        assert external.login().status_code == 200
        yield external
        return
    made = Engine()
    network = made.network()
    run_database(made, network)
    gateway = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network).stdout.strip()
    container = run_engine(made, network, f"--volume={folder}:{folder}", DATABASE_MAX_RETRY="20", DATABASE_RETRY_WAIT="500")
    address = container.address()
    started = Server(f"https://{address}:8443", address, gateway, folder, container)
    started.wait_until_up()
    yield started
    made.clean()


@pytest.fixture
def pushed(server: Server) -> Iterator[Pushed]:
    """Channels of one test."""
    channels = Pushed(server)
    yield channels
    channels.clean()


@pytest.fixture
def folder(server: Server) -> Path:
    """An empty folder of one test, in which the server may write."""
    made = server.folder / os.urandom(4).hex()
    made.mkdir()
    made.chmod(0o777)
    return made
