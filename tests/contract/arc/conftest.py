"""One trio (archive, LDAP, database) for all tests of this folder; each test uses studies and patients of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel  # type: ignore[attr-defined]

from ..conftest import Engine, docker, entry, image_under_test
from .hl7 import APPLICATION_LDIF
from .support import DATABASE_PASSWORD, DEVICES, IMAGE, LDAP_PASSWORD, SUCCESS, Trio, numbers, start

LOG = """
wildfly-configuration:
  subsystem:
    logging:
      console-handler: {CONSOLE: {level: INFO, named-formatter: PATTERN}}
      logger: {org.dcm4chee.arc.ctrl: {level: WARN}}
      root-logger: {ROOT: {handlers: [CONSOLE]}}
"""


@pytest.fixture(scope="package")
def trio_engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.clean()


@pytest.fixture(scope="package")
def trio(trio_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Trio:
    folder = tmp_path_factory.mktemp("arc")
    # The secrets end in a newline, as an editor leaves it.
    for name, text in (("ldap", LDAP_PASSWORD + "\n"), ("db", DATABASE_PASSWORD + "\n"), ("log.yml", LOG)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o400 if name != "log.yml" else 0o444)
    folder.chmod(0o755)
    network = trio_engine.network()
    gateway = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network).stdout.strip()
    ldap = trio_engine.run(
        image_under_test("ldap"),
        options=[f"--network={network}", "--network-alias=ldap", "--ulimit=nofile=1024"],
        env={"LDAP_ROOTPASS": LDAP_PASSWORD, "LDAP_CONFIGPASS": LDAP_PASSWORD, "STORAGE_DIR": "/storage/fs1"},
    )
    database = trio_engine.run(
        image_under_test("pacs-db"),
        options=[f"--network={network}", "--network-alias=db"],
        env={"POSTGRES_DB": "pacsdb", "POSTGRES_USER": "pacs", "POSTGRES_PASSWORD": DATABASE_PASSWORD},
    )
    last = f"dcmuiConfigName=default,dicomDeviceName=dcm4chee-arc,{DEVICES}"
    ldap.wait_until(*entry(last), seconds=60)
    database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "pacs", "-d", "pacsdb", seconds=60)
    # Small enough to be filled by a test. Docker Engine drops a tmpfs with its last container, so one more holds it.
    storage = trio_engine.volume(type="tmpfs", device="tmpfs", o="size=96m")
    trio_engine.run(IMAGE, "infinity", options=["--entrypoint=sleep", f"--volume={storage}:/storage"])
    options = [
        f"--volume={folder}:/run/secrets:ro",
        f"--volume={trio_engine.volume()}:/opt/wildfly/standalone",
        f"--volume={storage}:/storage",
    ]
    return Trio(start(trio_engine, network, options), ldap, database, gateway, [network, *options])


@pytest.fixture(scope="package")
def hl7(trio: Trio) -> None:
    """The archive's named HL7 application (§2.2)."""
    trio.modify(APPLICATION_LDIF)
    assert trio.reload() == 204


@pytest.fixture
def peer(trio: Trio) -> Iterator[tuple[str, list[Dataset], list[tuple[int, Dataset]]]]:
    """A registered AE that stores, and takes commitment results: its title, what it got of each."""
    title = f"PEER{next(numbers)}"
    objects: list[Dataset] = []
    reports: list[tuple[int, Dataset]] = []

    def on_store(event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = FileMetaDataset(event.file_meta)
        objects.append(ds)
        return SUCCESS

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append((event.event_type or 0, event.event_information))
        return SUCCESS, None

    ae = AE(ae_title=title)
    ae.add_supported_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = ae.start_server(("0.0.0.0", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store), (evt.EVT_N_EVENT_REPORT, on_report)])
    assert server is not None
    assert server.socket is not None
    trio.register(title, server.socket.getsockname()[1])
    yield title, objects, reports
    server.shutdown()
