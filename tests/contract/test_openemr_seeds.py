"""The seeds of the EMR in a MariaDB as its role runs it, with the tables that they touch (openemr_seeds.sql)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import openemr_tables
from ansible_collections.pacs_emr.lab.plugins.modules import openemr_seeds
from unit.support import run_module
from unit.test_openemr_seeds import ARGUMENTS, READER

from .conftest import REPOSITORY, Container, Engine, hardened, image_under_test

IMAGE = image_under_test("mariadb", "openemr-db")
TABLES = Path(__file__).with_name("openemr_seeds.sql")
ROLE = REPOSITORY / "roles" / "openemr_db" / "templates" / "compose.yaml.j2"
ROOT, PROJECT = "ft.Root_1-x", "contract-openemr"
CODES = [row["code"] for row in ARGUMENTS["procedures"]]


def role(pattern: str) -> str:
    """Return what the role's Compose file says."""
    found = re.search(pattern, ROLE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, pattern
    return found[1]


@pytest.fixture(scope="module")
def database(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A server as the role runs it, its password in a file that only root can read."""
    secret = tmp_path_factory.mktemp("db") / "root"
    secret.write_text(ROOT, encoding="utf-8")
    secret.chmod(0o400)
    labels = {"com.docker.compose.project": PROJECT, "com.docker.compose.service": "openemr-db"}
    container = shared_engine.run(
        IMAGE,
        *(line.strip().removeprefix("- ") for line in role(r"command:\n(.*?)\n    environment").splitlines()),
        options=[
            *hardened("openemr_db"),
            f"--volume={secret}:/run/secrets/openemr_db_root:ro",
            *(f"--label={key}={value}" for key, value in labels.items()),
        ],
        env={"MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/openemr_db_root", "TZ": "Europe/Berlin"},
    )
    container.wait_until(*role(r"test: \[CMD, (.*?)\]").split(", "))
    return container


def sql(database: Container, statements: str, user: str = "root", password: str = ROOT, *options: str) -> str:
    """Run statements; return the bare values. Raises AssertionError when one is refused."""
    login = ["mariadb", f"--user={user}", f"--password={password}", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
    return database.exec(*login, *options, "openemr", stdin=statements).strip()


def install(database: Container) -> None:
    """Leave OpenEMR as its installer does: tables, its own account, and no other."""
    database.exec(
        "mariadb",
        "--user=root",
        f"--password={ROOT}",
        stdin="DROP DATABASE IF EXISTS openemr; DROP USER IF EXISTS imaging_ro@'%';"
        " CREATE OR REPLACE USER openemr@'%' IDENTIFIED BY 'Emr.1'; CREATE DATABASE openemr; GRANT ALL ON openemr.* TO openemr@'%';",
    )
    sql(database, TABLES.read_text(encoding="utf-8"))


@pytest.fixture
def empty(database: Container) -> Container:
    """OpenEMR after its installation."""
    install(database)
    return database


def seed(home: Path, check: bool = False, **changed: Any) -> dict[str, Any]:
    return run_module(openemr_seeds, home, check, **{**ARGUMENTS, "project": PROJECT, **changed})


@pytest.fixture
def seeded(empty: Container, tmp_path: Path) -> Container:
    done = seed(tmp_path)
    assert done["changed"] is True, done
    return empty


def dump(database: Container) -> str:
    """Return all tables with their rows, and all accounts; nothing of the time."""
    accounts = "SELECT * FROM mysql.global_priv; SELECT * FROM mysql.tables_priv; SELECT * FROM mysql.roles_mapping"
    both = f'mariadb-dump "$@" --skip-dump-date openemr && mariadb "$@" -e "{accounts}"'
    return database.exec("sh", "-euc", both, "sh", "--user=root", f"--password={ROOT}")


# --- the first run ---------------------------------------------------------------------------------------------------


def test_one_run_brings_everything_and_the_second_changes_nothing(empty: Container, tmp_path: Path) -> None:
    first = seed(tmp_path)
    assert first["changed"] is True
    assert first["changes"] == [
        "table pacs_emr_images",
        "table pacs_emr_result",
        "address-book entry Imaging",
        "procedure provider Imaging",
        "procedure group Imaging",
        *(f"procedure {code}" for code in CODES),
        *(f"question CLINHX of {code}" for code in CODES),
        "global rest_api",
        "global oauth_password_grant",
        "global lab_results_category_name",
        "document category Radiology report",
        "background service pacs_emr_imaging",
        *(f"patient menu of {user}" for user in ("admin", "phimail-service", "portal-user", "oe-system")),
        "account imaging_ro",
    ]
    before = dump(empty)
    second = seed(tmp_path)
    assert (second["changed"], second["changes"], second["diff"]) == (False, [], [])
    assert dump(empty) == before


def test_rows_name_each_other(seeded: Container) -> None:
    provider = sql(
        seeded,
        "SELECT u.abook_type, u.organization, u.username, u.active, p.active, p.DorP, p.direction, p.protocol, p.orders_path,"
        " p.results_path, p.npi = u.npi FROM procedure_providers p JOIN users u ON u.id = p.lab_director",
    )
    assert provider.split("\t") == ["ord_img", "Imaging", "", "1", "1", "P", "B", "FS", "/hl7/orders", "/hl7/results", "1"]
    # As the order form's picker asks for them, with their questions (openemr.md §3.1).
    picked = sql(
        seeded,
        "SELECT t.procedure_code, t.procedure_type_name, g.procedure_type, g.parent, q.question_code, q.fldtype FROM procedure_type t"
        " JOIN procedure_providers p ON t.lab_id = p.ppid JOIN procedure_type g ON g.procedure_type_id = t.parent"
        " JOIN procedure_questions q ON q.lab_id = p.ppid AND q.procedure_code = t.procedure_code AND q.activity = 1"
        " WHERE t.procedure_type = 'ord' AND t.activity = 1 ORDER BY t.seq",
    )
    assert picked.splitlines() == [f"{code}\timaging\tgrp\t0\tCLINHX\tT" for code in CODES]


def test_names_arrive_as_they_are(seeded: Container) -> None:
    names = [row["name"] for row in ARGUMENTS["procedures"]]
    assert any("'" in name and '"' in name and "\\" in name and "ä" in name for name in names)
    told = sql(seeded, "SELECT TO_BASE64(name) FROM procedure_type WHERE procedure_type = 'ord' ORDER BY seq")
    assert told.splitlines() == [sql(seeded, f"SELECT TO_BASE64(X'{name.encode().hex()}')") for name in names]


def test_the_category_is_a_last_branch_of_the_tree(seeded: Container) -> None:
    told = sql(seeded, "SELECT id, name, parent, lft, rght, aco_spec FROM categories ORDER BY lft")
    assert told.splitlines() == [
        "1\tCategories\t0\t0\t9\tpatients|docs",
        "2\tLab Report\t1\t1\t2\tpatients|docs",
        "3\tLetters\t1\t3\t6\tpatients|docs",
        "4\tÜberweisung\t3\t4\t5\tpatients|docs",
        "5\tRadiology report\t1\t7\t8\tpatients|docs",
    ]
    assert sql(seeded, "SELECT id FROM categories_seq") == "5"
    # As the importer looks for it.
    asked = "SELECT c.id FROM categories c JOIN globals g ON g.gl_value = c.name WHERE g.gl_name = 'lab_results_category_name'"
    assert sql(seeded, asked) == "5"


def test_our_tables_compare_with_openemrs(seeded: Container) -> None:
    """Another collation would make joins fail with "Illegal mix of collations" (openemr.md §1.6)."""
    sql(seeded, "SELECT * FROM pacs_emr_images i JOIN procedure_type t ON t.procedure_code = i.procedure_code AND t.name <> i.accession")
    told = sql(seeded, "SELECT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'openemr' AND TABLE_NAME LIKE 'pacs%'")
    assert told.split() == ["utf8mb4_general_ci", "utf8mb4_general_ci"]
    sql(seeded, "INSERT INTO pacs_emr_result (name) VALUES ('a-1.hl7'), ('A-1.hl7')", "openemr", "Emr.1")


def test_further_rows_of_the_user_stay(seeded: Container, tmp_path: Path) -> None:
    assert sql(seeded, "SELECT gl_value FROM globals WHERE gl_index = 1") == "not this one"
    assert sql(seeded, "SELECT count(*) FROM users WHERE patient_menu_role = 'standard' AND (username IS NULL OR username = '')") == "3"
    question = "lab_id = 1, procedure_code = 'CTHEAD', question_code = 'Q', question_text = 'Asthma?'"
    sql(seeded, f"INSERT INTO procedure_questions SET {question}")
    assert seed(tmp_path)["changed"] is False


# --- each deviation --------------------------------------------------------------------------------------------------

LAB = "(SELECT ppid FROM procedure_providers WHERE name = 'Imaging')"
DEVIATIONS = {
    "DROP TABLE pacs_emr_result": "table pacs_emr_result",
    "ALTER TABLE pacs_emr_images DROP COLUMN study_uid": "table pacs_emr_images",
    "UPDATE users SET npi = '1' WHERE abook_type = 'ord_img'": "address-book entry Imaging",
    "UPDATE users SET active = 0 WHERE abook_type = 'ord_img'": "address-book entry Imaging",
    "UPDATE procedure_providers SET protocol = 'DL'": "procedure provider Imaging",
    "UPDATE procedure_providers SET lab_director = 0": "procedure provider Imaging",
    "UPDATE procedure_providers SET active = 0": "procedure provider Imaging",
    "UPDATE procedure_type SET activity = 0 WHERE procedure_type = 'grp'": "procedure group Imaging",
    "UPDATE procedure_type SET name = 'CT' WHERE procedure_code = 'CTHEAD'": "procedure CTHEAD",
    "UPDATE procedure_type SET name = UPPER(name) WHERE procedure_code = 'CTHEAD'": "procedure CTHEAD",
    "UPDATE procedure_type SET activity = 0 WHERE procedure_code = 'CTHEAD'": "procedure CTHEAD",
    "UPDATE procedure_type SET procedure_type_name = NULL WHERE procedure_code = 'CTHEAD'": "procedure CTHEAD",
    "DELETE FROM procedure_type WHERE procedure_code = 'XRCHEST'": "procedure XRCHEST",
    f"INSERT INTO procedure_type (lab_id, name, procedure_code, procedure_type) VALUES ({LAB}, 'Old', 'OLD', 'ord')": "procedure OLD",
    "UPDATE procedure_questions SET question_text = 'Why' WHERE procedure_code = 'CTHEAD'": "question CLINHX of CTHEAD",
    "DELETE FROM procedure_questions WHERE procedure_code = 'XRCHEST'": "question CLINHX of XRCHEST",
    "UPDATE globals SET gl_value = '0' WHERE gl_name = 'rest_api' AND gl_index = 0": "global rest_api",
    "UPDATE globals SET gl_value = 'Lab Report' WHERE gl_name LIKE 'lab%'": "global lab_results_category_name",
    "DELETE FROM categories WHERE name = 'Radiology report'": "document category Radiology report",
    "UPDATE background_services SET active = 0": "background service pacs_emr_imaging",
    "UPDATE background_services SET require_once = NULL": "background service pacs_emr_imaging",
    "UPDATE users SET patient_menu_role = 'standard' WHERE username = 'admin'": "patient menu of admin",
    "INSERT INTO users (username) VALUES ('o''brien')": "patient menu of o'brien",
    "DROP USER imaging_ro@'%'": "account imaging_ro",
    "ALTER USER imaging_ro@'%' IDENTIFIED BY 'guessed'": "account imaging_ro",
    "ALTER USER imaging_ro@'%' IDENTIFIED VIA unix_socket": "account imaging_ro",
    "ALTER USER imaging_ro@'%' REQUIRE NONE": "account imaging_ro",
    "ALTER USER imaging_ro@'%' REQUIRE X509": "account imaging_ro",
    "ALTER USER imaging_ro@'%' ACCOUNT LOCK": "account imaging_ro",
    "ALTER USER imaging_ro@'%' PASSWORD EXPIRE": "account imaging_ro",
    "ALTER USER imaging_ro@'%' WITH MAX_QUERIES_PER_HOUR 10": "account imaging_ro",
    "REVOKE SELECT ON openemr.log FROM imaging_ro@'%'": "account imaging_ro",
    "GRANT SELECT ON openemr.users TO imaging_ro@'%'": "account imaging_ro",
    "GRANT UPDATE ON openemr.log TO imaging_ro@'%'": "account imaging_ro",
    "GRANT SELECT (username) ON openemr.users TO imaging_ro@'%'": "account imaging_ro",
    "GRANT SELECT ON openemr.* TO imaging_ro@'%'": "account imaging_ro",
    "GRANT USAGE ON *.* TO imaging_ro@'%' WITH GRANT OPTION": "account imaging_ro",
    "GRANT PROCESS ON *.* TO imaging_ro@'%'": "account imaging_ro",
    "CREATE OR REPLACE ROLE too_much; GRANT too_much TO imaging_ro@'%'; SET DEFAULT ROLE too_much FOR imaging_ro@'%'": "account imaging_ro",
}


@pytest.fixture(scope="module")
def healed(database: Container, tmp_path_factory: pytest.TempPathFactory) -> tuple[Container, Path]:
    """One seeded database for all deviations: each is healed before the next."""
    home = tmp_path_factory.mktemp("home")
    install(database)
    assert seed(home)["changed"] is True
    return database, home


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_a_deviation_alone_is_told_and_healed(healed: tuple[Container, Path], deviation: str) -> None:
    database, home = healed
    sql(database, deviation)
    told = seed(home, check=True)
    done = seed(home)
    assert done["changes"] == [DEVIATIONS[deviation]], done
    assert (told["changed"], told["changes"], told["diff"]) == (True, done["changes"], done["diff"])
    assert all(part["before"] != part["after"] for part in done["diff"])


def test_check_mode_predicts_a_whole_run_and_writes_nothing(empty: Container, tmp_path: Path) -> None:
    before = dump(empty)
    told = seed(tmp_path, check=True)
    assert dump(empty) == before
    done = seed(tmp_path)
    assert (told["changes"], told["diff"]) == (done["changes"], done["diff"])


# --- the table of procedures changes ---------------------------------------------------------------------------------


def test_what_leaves_the_table_stays_and_cannot_be_ordered(seeded: Container, tmp_path: Path) -> None:
    gone, *rest = ARGUMENTS["procedures"]
    done = seed(tmp_path, procedures=rest)
    assert done["changes"][0] == f"procedure {rest[0]['code']}", "the others move up"
    assert f"procedure {gone['code']}" in done["changes"]
    kept = f"SELECT activity, TO_BASE64(name) FROM procedure_type WHERE procedure_code = '{gone['code']}'"
    assert sql(seeded, kept) == "0\t" + sql(seeded, f"SELECT TO_BASE64(X'{gone['name'].encode().hex()}')")
    back = seed(tmp_path)
    assert f"procedure {gone['code']}" in back["changes"]
    assert sql(seeded, kept).startswith("1\t")
    assert sql(seeded, "SELECT count(*) FROM procedure_type WHERE procedure_type = 'ord'") == str(len(CODES))


def test_a_name_that_moves_to_another_code_is_there_once(seeded: Container, tmp_path: Path) -> None:
    """The page Electronic Reports joins by name alone, inactive rows included (openemr.md §3.2)."""
    one, *rest = ARGUMENTS["procedures"]
    seed(tmp_path, procedures=[{**one, "code": "71250"}, *rest])
    told = sql(seeded, f"SELECT procedure_code FROM procedure_type WHERE name = X'{one['name'].encode().hex()}'")
    assert told == "71250"
    assert seed(tmp_path, procedures=[{**one, "code": "71250"}, *rest])["changed"] is False


def test_the_same_name_in_another_catalogue_is_a_warning(seeded: Container, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql(seeded, "INSERT INTO procedure_type (lab_id, name, procedure_code, procedure_type) VALUES (99, 'x-ray chest, 2 views', 'X', 'ord')")
    done = seed(tmp_path)
    assert done["changed"] is False
    assert "'x-ray chest, 2 views' of procedure XRCHEST" in " ".join(capsys.readouterr().err.split())


def test_another_question_replaces_the_first(seeded: Container, tmp_path: Path) -> None:
    again = {"code": "REASON", "text": ARGUMENTS["question"]["text"]}
    assert set(seed(tmp_path, question=again)["changes"]) == {
        f"question {name} of {code}" for name in ("CLINHX", "REASON") for code in CODES
    }
    assert sql(seeded, "SELECT DISTINCT question_code FROM procedure_questions WHERE activity = 1") == "REASON"
    assert seed(tmp_path, question=again)["changed"] is False


# --- the account -----------------------------------------------------------------------------------------------------


def enter(database: Container, *options: str, password: str = READER, ask: str = "SELECT lname FROM openemr.patient_data") -> str:
    """Log in by TCP as the engine does; return the answer, or the refusal."""
    command = ["mariadb", "--user=imaging_ro", f"--password={password}", "--host=127.0.0.1", "--protocol=tcp", "-BN", *options, "-e", ask]
    done = database.try_exec(*command)
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


TLS = ("--ssl", "--skip-ssl-verify-server-cert")


def test_the_account_enters_with_tls_only(seeded: Container) -> None:
    assert enter(seeded, *TLS) == "Doe"
    assert "Access denied" in enter(seeded, "--skip-ssl")
    assert "Access denied" in enter(seeded, *TLS, password="another")


@pytest.mark.parametrize(
    "ask",
    ["SELECT * FROM openemr.users", "UPDATE openemr.patient_data SET lname = ''", "CREATE TABLE openemr.t (a int)", "USE mysql"],
)
def test_the_account_reads_five_tables_and_nothing_else(seeded: Container, ask: str) -> None:
    for table in openemr_tables.READABLE:
        assert "ERROR" not in enter(seeded, *TLS, ask=f"SELECT count(*) FROM openemr.{table}")
    assert "denied" in enter(seeded, *TLS, ask=ask)


def test_a_changed_password_is_brought(seeded: Container, tmp_path: Path) -> None:
    changed = seed(tmp_path, reader_password="ft.New-Reader_2")
    assert changed["changes"] == ["account imaging_ro"]
    assert changed["diff"][0]["before"] == "password: (another one)\n"
    assert enter(seeded, *TLS, password="ft.New-Reader_2") == "Doe"
    assert "Access denied" in enter(seeded, *TLS)
    assert seed(tmp_path, reader_password="ft.New-Reader_2")["changed"] is False


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepared", "said"),
    [
        ("DROP TABLE version", "not installed yet"),
        ("UPDATE version SET v_major = 0, v_minor = 0, v_patch = 0", "not installed yet"),
        ("DROP TABLE forms", "not installed completely: the database openemr lacks forms"),
        ("UPDATE version SET v_patch = 2", "OpenEMR 7.0.2"),
        ("UPDATE version SET v_major = 8, v_patch = 0", "OpenEMR 8.0.0"),
        ("UPDATE version SET v_database = 505", "7.0.3 with tables of version 505"),
        ("DROP USER openemr@'%'", "OpenEMR's own account openemr@% is missing"),
        ("DELETE FROM globals WHERE gl_name = 'rest_api'", "no setting rest_api"),
        ("DELETE FROM categories WHERE parent = 0", "no root"),
        ("INSERT INTO procedure_providers (name) VALUES ('Imaging'), ('imaging')", "2 procedure providers named 'Imaging' (ppid 1, 2)"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(empty: Container, tmp_path: Path, prepared: str, said: str) -> None:
    sql(empty, prepared)
    before = dump(empty)
    refused = seed(tmp_path)
    assert refused.get("failed") is True
    assert said in refused["msg"]
    assert dump(empty) == before


def test_a_later_release_of_the_same_tables_is_taken(empty: Container, tmp_path: Path) -> None:
    sql(empty, "UPDATE version SET v_patch = 4, v_database = 520")
    assert seed(tmp_path)["changed"] is True


def test_no_database_yet_is_an_installation_that_is_awaited(empty: Container, tmp_path: Path) -> None:
    assert "not installed yet" in seed(tmp_path, database="emr")["msg"]
    told = seed(tmp_path, check=True, database="emr")
    assert (told["changed"], "failed" in told) == (True, False)


def test_rows_come_all_or_not_at_all(empty: Container, tmp_path: Path) -> None:
    """A value that the server refuses late (title of the service, varchar(127)) takes back what came before it."""
    refused = seed(tmp_path, service={**ARGUMENTS["service"], "title": "x" * 200})
    assert "Data too long for column 'title'" in refused["msg"]
    assert sql(empty, "SELECT (SELECT count(*) FROM procedure_type) + (SELECT count(*) FROM procedure_providers)") == "0"
    assert sql(empty, "SELECT rght FROM categories WHERE id = 1") == "7"


def test_what_is_taken_and_not_kept_fails_with_its_name(seeded: Container, tmp_path: Path) -> None:
    sql(seeded, "CREATE TRIGGER t BEFORE UPDATE ON globals FOR EACH ROW SET NEW.gl_value = OLD.gl_value; UPDATE globals SET gl_value = '0'")
    failed = seed(tmp_path, globals={"rest_api": "7"})
    assert failed["msg"].endswith("reads back otherwise: global rest_api")


def test_no_password_shows(empty: Container, tmp_path: Path) -> None:
    answer = str(seed(tmp_path))
    for secret in (ROOT, READER, openemr_tables.native_hash(READER)):
        assert secret not in answer
    assert ROOT not in str(empty.inspect())
