"""Contract of dcm4che/postgres-dcm4chee:17.4-34, that is of the official postgres image ("dcm4chee.md §x" is the source)."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import HARDENED, Container, Engine, docker, hardened, image_under_test

IMAGE = image_under_test("pacs-db")
DATA = "/var/lib/postgresql/data"
FIRST_START = hardened("pacs_db")
PASSWORD = "Data.1-x_"
ENV = {"POSTGRES_DB": "pacsdb", "POSTGRES_USER": "pacs"}

# Runs while the temporary server does: reachable by socket, not by TCP.
INIT_SCRIPT = """\
#!/bin/bash
set -eu
if pg_isready -q -h 127.0.0.1; then exit 1; fi
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'CREATE TABLE from_script (n int)'
"""


def wait_until_ready(database: Container) -> None:
    """dcm4chee.md §1.3: the check by TCP, for which the temporary server of the first start does not count."""
    database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "pacs", "-d", "pacsdb")


def sql(database: Container, statement: str, user: str = "pacs", name: str = "pacsdb") -> str:
    """Run a statement by the socket; return the bare values."""
    return database.exec("psql", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", name, "-Atc", statement).strip()


def login_code(database: Container, password: str) -> int:
    """Return psql's exit code for a login from the network: 0, or 2 when it is refused."""
    url = f"postgresql://pacs@{database.address()}/pacsdb"
    return docker(
        "exec", f"--env=PGPASSWORD={password}", database.name, "psql", "--no-password", "-Atc", "SELECT 1", url, check=False
    ).returncode


@pytest.fixture(scope="module")
def database(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A server as a role runs it: minimal capabilities, password from a file that only root can read."""
    folder = tmp_path_factory.mktemp("db")
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    (folder / "password").chmod(0o400)
    (folder / "script.sh").write_text(INIT_SCRIPT, encoding="utf-8")
    (folder / "script.sh").chmod(0o755)
    mounts = {"password": "/run/secrets/db", "script.sh": "/docker-entrypoint-initdb.d/90-script.sh"}
    container = shared_engine.run(
        IMAGE,
        options=[*FIRST_START, *(f"--volume={folder / name}:{target}:ro" for name, target in mounts.items())],
        env={**ENV, "POSTGRES_PASSWORD_FILE": "/run/secrets/db", "TZ": "Asia/Tokyo"},
    )
    wait_until_ready(container)
    return container


def test_runs_as_uid_999_with_five_capabilities(database: Container) -> None:
    """dcm4chee.md §1.3 and §9.2 (capabilities with no-new-privileges)."""
    assert "Uid:\t999\t999\t999\t999" in database.exec("cat", "/proc/1/status")
    assert database.exec("stat", "-c", "%u %a", DATA).split() == ["999", "700"]


def test_major_version_is_17(database: Container) -> None:
    """dcm4chee.md §0 trap 1: the suffix of the tag pairs with the archive, the number is PostgreSQL's."""
    assert sql(database, "SHOW server_version_num")[:2] == "17"


def test_password_file_is_the_password_on_the_network(database: Container) -> None:
    """dcm4chee.md §1.3; official entrypoint: scram-sha-256 for every host."""
    assert login_code(database, PASSWORD) == 0
    assert login_code(database, "wrong") == 2
    assert sql(database, "SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'pacs'") == "t"


def test_time_zone_of_first_start_is_the_servers(database: Container) -> None:
    """dcm4chee.md §1.3: TZ acts at first initialisation and becomes the server's time zone."""
    assert sql(database, "SHOW timezone") == "Asia/Tokyo"


def test_init_scripts_ran_before_the_port_opened(database: Container) -> None:
    """Official entrypoint: the temporary server listens on the socket only (dcm4chee.md §1.3, health check)."""
    assert sql(database, "SELECT count(*) FROM from_script") == "0"


def test_encoding_is_utf8(database: Container) -> None:
    """Official image: LANG is en_US.utf8."""
    assert sql(database, "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'pacsdb'") == "UTF8|en_US.utf8"


def test_first_start_decides_and_data_survives_re_creation(engine: Engine) -> None:
    """dcm4chee.md §1.3: password, database and time zone act at first initialisation only; §9.2: stop within a second, exit code 0."""
    volume = f"--volume={engine.volume()}:{DATA}"
    first = engine.run(IMAGE, options=[*FIRST_START, volume], env={**ENV, "POSTGRES_PASSWORD": PASSWORD, "TZ": "Asia/Tokyo"})
    wait_until_ready(first)
    sql(first, "CREATE TABLE kept AS SELECT 42 AS n")
    assert first.stop() == 0
    first.remove()

    # A later start needs less: no ownership to set, nothing to write but the volume and two temporary places.
    later = [*HARDENED, *(f"--cap-add={name}" for name in ("DAC_OVERRIDE", "SETUID", "SETGID"))]
    read_only = ["--read-only", "--tmpfs=/tmp", "--tmpfs=/var/run/postgresql"]
    env = {"POSTGRES_DB": "other", "POSTGRES_USER": "pacs", "POSTGRES_PASSWORD": "changed", "TZ": "Europe/Berlin"}
    second = engine.run(IMAGE, options=[*later, *read_only, volume], env=env)
    wait_until_ready(second)
    assert sql(second, "SELECT n FROM kept") == "42"
    assert sql(second, "SELECT count(*) FROM pg_database WHERE datname = 'other'") == "0"
    assert sql(second, "SHOW timezone") == "Asia/Tokyo"
    assert login_code(second, PASSWORD) == 0
    assert login_code(second, "changed") == 2


def test_folder_of_root_becomes_the_servers(engine: Engine, tmp_path: Path) -> None:
    """dcm4chee.md §9.2: an empty root-owned folder works as well as a named volume, → uid 999, mode 0700."""
    folder = tmp_path / "data"
    folder.mkdir()
    database = engine.run(IMAGE, options=[*FIRST_START, f"--volume={folder}:{DATA}"], env={**ENV, "POSTGRES_PASSWORD": PASSWORD})
    wait_until_ready(database)
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (999, 0o700)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="no password"),
        pytest.param({"POSTGRES_PASSWORD": ""}, id="empty password"),
        pytest.param({"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/etc/hostname"}, id="both forms"),
        pytest.param({"POSTGRES_PASSWORD_FILE": "/nowhere"}, id="file missing"),
        pytest.param({"POSTGRES_PASSWORD_FILE": "/dev/null"}, id="file empty"),
    ],
)
def test_without_one_good_password_it_refuses(engine: Engine, env: dict[str, str]) -> None:
    """Official entrypoint: exit code 1, nothing initialised."""
    database = engine.run(IMAGE, env={**ENV, **env})
    assert database.wait_for_end() == 1
