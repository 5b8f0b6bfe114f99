"""The module that brings OpenEMR's rows, with a Docker command line that plays along; with a real MariaDB: tests/contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import openemr_seeds

from .support import run_module
from .test_openemr_tables import LAB, SERVICE, there

READER = "ft.Reader-1"
ARGUMENTS: dict[str, Any] = {
    "project": "p",
    "database": "openemr",
    "user": "openemr",
    "reader": "imaging_ro",
    "reader_password": READER,
    "lab": LAB,
    "procedures": [
        {"code": "CTHEAD", "name": "CT Schädel 'nativ' \\ \"dünn\"", "modality": "CT", "station": "CT01"},
        {"code": "MRKNEE", "name": "膝関節 MRI", "modality": "MR", "station": "MR01"},
        {"code": "XRCHEST", "name": "X-Ray chest, 2 views", "modality": "DX", "station": "DX01"},
    ],
    "question": {"code": "CLINHX", "text": "Reason for the examination"},
    "globals": {"rest_api": True, "oauth_password_grant": 3},
    "category": "Radiology report",
    "service": SERVICE,
    "patient_menu": "pacs.json",
}


class Container:
    """Answers the client of the database's container with what a state says; a write can be taken, lost or refused."""

    def __init__(self) -> None:
        self.answers = there()
        self.written: list[str] = []
        self.command_lines: list[list[str]] = []
        self.refuse = ""

    def run(self, args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        self.command_lines.append(args)
        if args[0] == "ps":
            return "abc\n"
        sql = stdin or ""
        assert sql.startswith("SET SESSION sql_mode")
        if "information_schema.TABLES" in sql:
            return self.answers[0]
        if "JSON_OBJECT" in sql:
            return self.answers[1]
        if self.refuse:
            raise docker_cli.DockerError(self.refuse)
        self.written.append(sql)
        return ""


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Container:
    container = Container()
    monkeypatch.setattr(docker_cli, "run", container.run)
    return container


def seed(home: Path, check: bool = False, **changed: Any) -> dict[str, Any]:
    return run_module(openemr_seeds, home, check, **{**ARGUMENTS, **changed})


def test_the_client_reads_its_password_inside_and_from_a_pipe(tmp_path: Path, database: Container) -> None:
    seed(tmp_path, check=True)
    inside = [line for line in database.command_lines if line[0] == "exec"]
    assert all(line[:5] == ["exec", "-i", "abc", "sh", "-c"] and line[6] == "/run/secrets/openemr_db_root" for line in inside)
    assert all("3<<END" in line[5] and 'cat "$0"' in line[5] and "MYSQL_PWD" not in line[5] for line in inside)
    assert not any(READER in word for line in database.command_lines for word in line)


def test_check_mode_tells_and_writes_nothing(tmp_path: Path, database: Container) -> None:
    told = seed(tmp_path, check=True)
    assert told["changed"] is True
    assert "procedure CTHEAD" in told["changes"]
    assert [part["before_header"] for part in told["diff"]] == told["changes"]
    assert database.written == []


def test_rows_are_one_transaction_between_tables_and_account(tmp_path: Path, database: Container) -> None:
    seed(tmp_path)
    (script,) = database.written
    order = ["USE `openemr`;", "CREATE TABLE `pacs", "START TRANSACTION", "COMMIT;", "CREATE USER `imaging"]
    places = [script.index(word) for word in order]
    assert places == sorted(places)
    assert script.count("START TRANSACTION") == script.count("COMMIT") == 1
    assert READER not in script, "the hash alone is sent"


def test_what_reads_back_otherwise_fails_with_the_names(tmp_path: Path, database: Container) -> None:
    """This database takes everything and keeps nothing."""
    failed = seed(tmp_path)
    assert failed["failed"] is True
    assert "reads back otherwise: table pacs_emr_images," in failed["msg"]
    assert "account imaging_ro" in failed["msg"]
    assert failed["diff"]


def test_what_the_database_says_is_the_message(tmp_path: Path, database: Container) -> None:
    database.refuse = "ERROR 1406 (22001) at line 9: Data too long for column 'title' at row 1"
    assert seed(tmp_path)["msg"] == database.refuse


def test_a_database_that_does_not_run_is_fine_in_check_mode_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_cli, "run", lambda args, **_: "")
    assert "no container of service 'openemr-db'" in seed(tmp_path)["msg"]
    told = seed(tmp_path, check=True)
    assert (told["changed"], "failed" in told) == (True, False)


def test_an_emr_that_is_not_installed_is_fine_in_check_mode_only(tmp_path: Path, database: Container) -> None:
    database.answers = ("", "")
    assert "OpenEMR is not installed yet" in seed(tmp_path)["msg"]
    told = seed(tmp_path, check=True)
    assert (told["changed"], "failed" in told) == (True, False)


def test_arguments_are_judged_before_the_database_is_asked(tmp_path: Path, database: Container) -> None:
    assert "1 to 63 are possible" in seed(tmp_path, procedures=[{"code": "A", "name": "x" * 64}])["msg"]
    assert "procedures: a row lacks its name" in seed(tmp_path, procedures=[{"code": "A"}])["msg"]
    assert database.command_lines == []


def test_yes_and_no_are_one_and_zero() -> None:
    assert [openemr_seeds.setting(value) for value in (True, False, 3, "x", "")] == ["1", "0", "3", "x", ""]


def test_neither_answer_nor_diff_shows_a_password(tmp_path: Path, database: Container) -> None:
    answer = json.dumps([seed(tmp_path, check=True), seed(tmp_path)])
    assert READER not in answer
    assert openemr_seeds.openemr_tables.native_hash(READER) not in answer
