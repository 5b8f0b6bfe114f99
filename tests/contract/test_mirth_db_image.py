"""Contract of postgres:15, the official image, as the engine's database needs it. Its entrypoint is that of pacs-db, whose tests have
the rest: empty passwords, data that survives, folders of root.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import REPOSITORY, Container, Engine, docker, hardened, image_under_test

IMAGE = image_under_test("mirth-db")
SCRIPT = REPOSITORY / "roles/mirth_db/templates/filler.sh.j2"
PASSWORDS = {"mirth": "Engine.1-x_", "filler": "Orders.1-x_"}


@pytest.fixture(scope="module")
def database(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A server as the role runs it: its init script, and the two secret files with their owners."""
    folder = tmp_path_factory.mktemp("mirth-db")
    for name, password in PASSWORDS.items():
        (folder / name).write_text(password, encoding="utf-8")
        (folder / name).chmod(0o400)
    docker("run", "--rm", "--user=0", f"--volume={folder}:/secrets", "--entrypoint=chown", IMAGE, "999", "/secrets/filler")
    (folder / "filler.sh").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "filler.sh").chmod(0o755)
    mounts = {"mirth": "/run/secrets/mirth_db", "filler": "/run/secrets/filler_db", "filler.sh": "/docker-entrypoint-initdb.d/filler.sh"}
    container = shared_engine.run(
        IMAGE,
        options=[*hardened("mirth_db"), *(f"--volume={folder / name}:{target}:ro" for name, target in mounts.items())],
        env={"POSTGRES_DB": "mirth", "POSTGRES_USER": "mirth", "POSTGRES_PASSWORD_FILE": "/run/secrets/mirth_db"},
    )
    container.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "mirth", "-d", "mirth")
    return container


def ask(database: Container, user: str, name: str, statement: str, password: str | None = None) -> tuple[int, str]:
    """Return psql's exit code and what it said, for a login from the network."""
    given = f"--env=PGPASSWORD={password or PASSWORDS[user]}"
    url = f"postgresql://{user}@{database.address()}/{name}"
    done = docker("exec", given, database.name, "psql", "--no-password", "-Atc", statement, url, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_major_version_is_15(database: Container) -> None:
    assert ask(database, "mirth", "mirth", "SHOW server_version_num")[1][:2] == "15"


def test_runs_as_uid_999(database: Container) -> None:
    assert "Uid:\t999\t999\t999\t999" in database.exec("cat", "/proc/1/status")


@pytest.mark.parametrize("user", ["mirth", "filler"])
def test_each_user_may_make_tables_in_its_own_database(database: Container, user: str) -> None:
    """The engine makes its own at its first start, the order channels theirs."""
    assert ask(database, user, user, "CREATE TABLE t (n int); INSERT INTO t VALUES (42); SELECT n FROM t")[1].splitlines()[-1] == "42"
    assert ask(database, user, user, "SELECT 1", password="wrong")[0] == 2
    assert (
        ask(database, user, user, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")[1] == "UTF8"
    )


def test_the_orders_user_cannot_open_the_engines_database(database: Container) -> None:
    """It holds every message, and the engine's password hashes."""
    code, said = ask(database, "filler", "mirth", "SELECT 1")
    assert code == 2
    assert "permission denied for database" in said


def test_no_password_is_in_the_log(database: Container) -> None:
    assert not any(
        password in docker("logs", database.name).stdout + docker("logs", database.name).stderr for password in PASSWORDS.values()
    )


def test_the_entrypoint_is_that_of_the_other_database() -> None:
    link = REPOSITORY / "images/mirth-db/docker-entrypoint.sh"
    assert link.readlink() == Path("../pacs-db/docker-entrypoint.sh")
