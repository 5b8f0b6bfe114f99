"""The EMR that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import Engine, hardened, image_under_test
from .support import ADMIN, PASSWORD, SEEDS, Emr, install

MARIADB = ("mariadbd", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci")
FOLDERS = "/hl7/orders /hl7/inbox /hl7/status /hl7/results /hl7/results-error"


@pytest.fixture(scope="session")
def emr() -> Iterator[Emr]:
    """OpenEMR after its first start, with the role's PHP, two patients and no order."""
    made = Engine()
    network = made.network()
    database = made.run(
        image_under_test("mariadb"),
        *MARIADB,
        "--character-set-collations=utf8mb4=utf8mb4_general_ci",
        options=[f"--network={network}", *hardened("openemr_db")],
        env={"MARIADB_ROOT_PASSWORD": "Root.1"},
    )
    database.wait_until("healthcheck.sh", "--connect", "--innodb_initialized")
    container = made.run(
        image_under_test("openemr"),
        options=["--init", f"--network={network}", f"--volume={made.volume()}:/hl7"],
        env={
            "MYSQL_HOST": database.name,
            "MYSQL_PORT": "3306",
            "MYSQL_ROOT_USER": "root",
            "MYSQL_ROOT_PASS": "Root.1",
            "MYSQL_USER": "openemr",
            "MYSQL_PASS": "Emr.1",
            "MYSQL_DATABASE": "openemr",
            "OE_USER": ADMIN,
            "OE_PASS": PASSWORD,
        },
    )
    login = "curl -fsk 'https://127.0.0.1/interface/login/login.php?site=default' | grep -q authUser"
    container.wait_until("sh", "-c", login, seconds=900)
    running = Emr(container, database)
    running.sql(SEEDS)
    running.shell(f"chown 1000:1000 /hl7; chmod 2770 /hl7; mkdir {FOLDERS}; chown 1000:1000 {FOLDERS}; chmod 2770 {FOLDERS}")
    install(running)
    yield running
    made.clean()


@pytest.fixture(autouse=True)
def no_files(emr: Emr) -> None:
    """No test sees the files of another."""
    emr.shell("find /hl7 -mindepth 2 -delete")
