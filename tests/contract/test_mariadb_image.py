"""Contract of the official mariadb:11.8 image, as far as an EMR's database uses it (openemr.md §1.6, and the image's own page)."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Container, Engine, docker, hardened, image_under_test

IMAGE = image_under_test("mariadb", "openemr-db")
FIRST_START = hardened("openemr_db")
ROOT, PASSWORD = "Root.1'x_", "Emr.1\\x_"
INIT_SCRIPT = "CREATE TABLE openemr.from_script (name varchar(20)); INSERT INTO openemr.from_script VALUES ('山田');"


def sql(database: Container, statement: str, user: str = "root", password: str = ROOT, *options: str) -> str:
    """Run a statement; return the bare values. Raises AssertionError when it is refused."""
    login = ["mariadb", f"--user={user}", f"--password={password}", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
    return database.exec(*login, *options, "-e", statement).strip()


def wait_until_ready(database: Container) -> None:
    """The image's own health check, for which the temporary server of a first start does not count."""
    database.wait_until("healthcheck.sh", "--connect", "--innodb_initialized")


@pytest.fixture(scope="module")
def database(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A server as a role runs it: minimal capabilities, passwords from files that only root can read."""
    folder = tmp_path_factory.mktemp("db")
    for name, text in (("root", ROOT), ("emr", PASSWORD)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o400)
    (folder / "script.sql").write_text(INIT_SCRIPT, encoding="utf-8")
    mounts = {"root": "/run/secrets/root", "emr": "/run/secrets/emr", "script.sql": "/docker-entrypoint-initdb.d/90-script.sql"}
    container = shared_engine.run(
        IMAGE,
        "mariadbd",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_general_ci",
        options=[*FIRST_START, *(f"--volume={folder / name}:{target}:ro" for name, target in mounts.items())],
        env={
            "MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/root",
            "MARIADB_DATABASE": "openemr",
            "MARIADB_USER": "openemr",
            "MYSQL_PASSWORD_FILE": "/run/secrets/emr",
        },
    )
    wait_until_ready(container)
    return container


def test_runs_as_uid_999_with_four_capabilities(database: Container) -> None:
    assert "Uid:\t999\t999\t999\t999" in database.exec("cat", "/proc/1/status")
    assert database.exec("stat", "-c", "%u", "/var/lib/mysql").strip() == "999"


def test_version_is_11_8(database: Container) -> None:
    assert sql(database, "SELECT version()").startswith("11.8.")


def test_user_owns_its_database_and_no_other(database: Container) -> None:
    assert sql(database, "SELECT current_user()", "openemr", PASSWORD, "openemr") == "openemr@%"
    assert sql(database, "SHOW DATABASES", "openemr", PASSWORD).split() == ["information_schema", "openemr"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_nobody_enters_without_the_password(database: Container, host: str) -> None:
    refused = database.try_exec("mariadb", "--user=root", f"--host={host}", "-e", "SELECT 1")
    assert refused.returncode == 1
    assert "Access denied for user 'root'" in refused.stderr
    assert sql(database, "SELECT concat(user, '@', host) FROM mysql.user WHERE user = 'root' ORDER BY host").split() == [
        "root@%",
        "root@localhost",
    ]


def test_flags_of_the_command_decide_the_collation(database: Container) -> None:
    """openemr.md §1.6: 11.8's own default would be utf8mb4_uca1400_ai_ci."""
    assert sql(database, "SELECT @@collation_server, @@character_set_server").split() == ["utf8mb4_general_ci", "utf8mb4"]


def test_scripts_run_at_the_first_start(database: Container) -> None:
    assert sql(database, "SELECT name FROM openemr.from_script") == "山田"


def test_named_time_zones_are_known(database: Container) -> None:
    assert sql(database, "SELECT CONVERT_TZ('2026-01-01 12:00:00', 'UTC', 'Europe/Berlin')") == "2026-01-01 13:00:00"


def test_tls_is_offered(database: Container) -> None:
    """mirth-patterns.md §1.1: used when the server offers it; an account can demand it."""
    sql(database, "CREATE OR REPLACE USER tls@'%' IDENTIFIED BY 'x' REQUIRE SSL")
    assert sql(database, "SHOW STATUS LIKE 'Ssl_cipher'", "tls", "x", "--host=127.0.0.1", "--ssl", "--skip-ssl-verify-server-cert").split()[
        1:
    ]
    plain = database.try_exec("mariadb", "--user=tls", "--password=x", "--host=127.0.0.1", "--skip-ssl", "-e", "SELECT 1")
    assert "Access denied" in plain.stderr


def test_data_outlive_the_container_and_the_first_start_is_the_only_one(engine: Engine) -> None:
    volume = engine.volume()
    first = engine.run(IMAGE, options=[*FIRST_START, f"--volume={volume}:/var/lib/mysql"], env={"MARIADB_ROOT_PASSWORD": ROOT})
    wait_until_ready(first)
    sql(first, "CREATE DATABASE kept")
    assert first.stop() == 0
    second = engine.run(IMAGE, options=[*FIRST_START, f"--volume={volume}:/var/lib/mysql"], env={"MARIADB_ROOT_PASSWORD": "another"})
    wait_until_ready(second)
    assert "kept" in sql(second, "SHOW DATABASES")


@pytest.mark.parametrize(
    ("env", "say"),
    [
        ({}, "MARIADB_ROOT_PASSWORD"),
        ({"MARIADB_ROOT_PASSWORD": "a", "MYSQL_ROOT_PASSWORD": "b"}, "are exclusive"),
        ({"MARIADB_ROOT_PASSWORD_FILE": "/nowhere"}, "/nowhere"),
        ({"MARIADB_ROOT_PASSWORD": "a", "MARIADB_USER": "emr"}, "MARIADB_PASSWORD"),
    ],
    ids=["none", "two", "no-file", "no-user-password"],
)
def test_what_cannot_be_meant_is_refused(engine: Engine, env: dict[str, str], say: str) -> None:
    container = engine.run(IMAGE, options=FIRST_START, env=env)
    assert container.wait_for_end() == 1
    assert say in container.logs()


def test_script_of_an_unknown_kind_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "seed.txt").write_text("x", encoding="utf-8")
    mount = f"--volume={tmp_path / 'seed.txt'}:/docker-entrypoint-initdb.d/seed.txt:ro"
    container = engine.run(IMAGE, options=[*FIRST_START, mount], env={"MARIADB_ROOT_PASSWORD": ROOT})
    assert container.wait_for_end() == 1
    assert "seed.txt" in container.logs()


def test_other_commands_run_as_they_are() -> None:
    assert docker("run", "--rm", "--pull=never", IMAGE, "echo", "there").stdout.strip() == "there"
