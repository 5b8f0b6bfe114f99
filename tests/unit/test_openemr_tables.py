"""What OpenEMR's rows must say, and the SQL for it, without a database."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import openemr_tables
from ansible_collections.pacs_emr.lab.plugins.module_utils.openemr_tables import NotInstalledError, Plan, SeedError, Settings, State

LAB = {
    "name": "Imaging",
    "npi": "1234567893",
    "send_app_id": "OPENEMR",
    "send_fac_id": "OEMR",
    "recv_app_id": "MIRTH",
    "recv_fac_id": "RADLAB",
    "DorP": "P",
    "direction": "B",
    "protocol": "FS",
    "orders_path": "/hl7/orders",
    "results_path": "/hl7/results",
}
SERVICE = {
    "name": "pacs_emr_imaging",
    "title": "Imaging orders and results",
    "function": "pacs_emr_imaging",
    "require_once": "/sites/default/documents/local/imaging.php",
}
SETTINGS = Settings(
    database="openemr",
    user="openemr",
    reader="imaging_ro",
    reader_password="ft.Reader-1",
    lab=LAB,
    procedures=[{"code": "CTHEAD", "name": "CT head"}, {"code": "XRCHEST", "name": "X-ray chest"}],
    question={"code": "CLINHX", "text": "Reason for the examination"},
    globals={"rest_api": "1"},
    category="Radiology report",
    service=SERVICE,
    patient_menu="pacs.json",
)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def there() -> tuple[str, str]:
    """Return the answers of a database that OpenEMR has just installed, to ``probe`` and to ``reading``."""
    tables = [{"in": "tables", "TABLE_NAME": name} for name in ["version", *openemr_tables.UPSTREAM]]
    settings = [
        {"in": "globals", "gl_name": name, "gl_value": "0"} for name in ("rest_api", "oauth_password_grant", "lab_results_category_name")
    ]
    rows = [
        {"in": "version", "v_major": 7, "v_minor": 0, "v_patch": 3, "v_database": 506},
        {"in": "users", "id": 1, "username": "admin", "abook_type": "", "patient_menu_role": "standard"},
        {"in": "categories", "id": 1, "name": "Categories", "parent": 0},
        {"in": "categories", "id": 2, "name": "Lab Report", "parent": 1},
    ]
    return lines(*tables, {"in": "accounts", "User": "openemr"}), lines(*settings, *rows)


def state() -> State:
    """Return the state of such a database."""
    found = openemr_tables.parse(State(), there()[0])
    return openemr_tables.parse(found, there()[1])


# --- words of SQL ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        ("", "_utf8mb4 X''"),
        ("O'Brien", "_utf8mb4 X'4f27427269656e'"),
        ("\\' OR 1=1 -- ", "_utf8mb4 X'5c27204f5220313d31202d2d20'"),
        ('"`;\n', "_utf8mb4 X'22603b0a'"),
        ("Schädel", "_utf8mb4 X'536368c3a464656c'"),
        ("𠮷", "_utf8mb4 X'f0a0aeb7'"),
        (7, "7"),
        (True, "1"),
        (openemr_tables.Variable("@lab"), "@lab"),
    ],
)
def test_a_literal_holds_nothing_that_could_mean_something(value: Any, sql: str) -> None:
    assert openemr_tables.literal(value) == sql


@pytest.mark.parametrize(("value", "why"), [("a\0b", "NUL"), ("\ud800", "no Unicode")])
def test_a_text_that_cannot_be_kept_is_refused(value: str, why: str) -> None:
    with pytest.raises(SeedError, match=why):
        openemr_tables.literal(value)


@pytest.mark.parametrize("name", ["", "a`b", "a b", "a-b", "ä", "x" * 65, "a\n"])
def test_a_name_that_would_need_escaping_is_refused(name: str) -> None:
    with pytest.raises(SeedError, match="cannot be a name"):
        openemr_tables.identifier(name)


def test_the_hash_is_the_servers() -> None:
    """SELECT PASSWORD('abc') of MariaDB 11.8."""
    assert openemr_tables.native_hash("abc") == "*0D3CED9BEC10A777AEC23CCC353A8C08A633045E"


def test_texts_are_compared_as_the_server_does() -> None:
    assert openemr_tables.folded("CT Schädel  ") == openemr_tables.folded("ct schadel")
    assert openemr_tables.folded("CT Head") != openemr_tables.folded("CT  Head")


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"database": "open-emr"}, "'open-emr' cannot be a name"),
        ({"reader": "openemr"}, "account for something else"),
        ({"reader": "root"}, "account for something else"),
        ({"lab": LAB | {"name": "QuestImaging"}}, "without quest"),
        ({"lab": LAB | {"name": " "}}, "not blank"),
        ({"lab": LAB | {"send_fac_id": "O EMR"}}, "lab.send_fac_id is 'O EMR'"),
        ({"lab": LAB | {"recv_app_id": ""}}, "lab.recv_app_id is ''"),
        ({"procedures": [{"code": "A", "name": "x" * 64}]}, "procedure A: its name has 64 characters"),
        ({"procedures": [{"code": "A", "name": ""}]}, "procedure A: its name has 0 characters"),
        ({"procedures": [{"code": "x" * 32, "name": "n"}]}, "1 to 31 characters"),
        ({"procedures": [{"code": "A", "name": "n"}, {"code": "a", "name": "m"}]}, "procedure 'a': .* given once"),
        ({"procedures": [{"code": "A", "name": "Knie"}, {"code": "B", "name": "knié"}]}, "procedure B has the name of procedure A"),
        ({"procedures": [{"code": "A", "name": "imaging"}]}, "procedure A has the name of the lab's group 'Imaging'"),
        ({"procedures": [{"code": "A"}]}, "a row lacks its name"),
        ({"globals": {"rest_api": "x" * 256}}, "rest_api: longer than 255"),
    ],
)
def test_what_openemr_could_not_keep_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(SeedError, match=why):
        replace(SETTINGS, **changed)


@pytest.mark.parametrize(
    ("version", "error"),
    [
        ((0, 0, 0, 0), NotInstalledError),
        ((7, 0, 2, 487), SeedError),
        ((7, 0, 3, 487), SeedError),
        ((7, 1, 0, 600), SeedError),
        ((8, 0, 0, 600), SeedError),
        ((7, 0, 3, 506), None),
        ((7, 0, 3, 507), None),
        ((7, 0, 4, 530), None),
    ],
)
def test_the_tables_must_be_those_of_7_0_3_or_a_later_7_0(version: tuple[int, ...], error: type[SeedError] | None) -> None:
    found = state()
    found.rows["version"] = [dict(zip(("v_major", "v_minor", "v_patch", "v_database"), version, strict=True))]
    if error is None:
        assert Plan(SETTINGS, found).changes
        return
    with pytest.raises(error, match=".".join(map(str, version[:3])) if version[0] else "not installed yet"):
        Plan(SETTINGS, found)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_an_account_is_read_where_there_is_one() -> None:
    found = state()
    assert "SHOW GRANTS" not in openemr_tables.reading(SETTINGS, found)
    found.accounts.add("imaging_ro")
    assert "SHOW GRANTS FOR `imaging_ro`@`%`;" in openemr_tables.reading(SETTINGS, found)


def test_what_is_there_alone_is_asked_for_without_tables_of_the_emr() -> None:
    with pytest.raises(NotInstalledError, match="openemr has no table version"):
        openemr_tables.reading(SETTINGS, State())
    with pytest.raises(NotInstalledError, match="lacks users, globals"):
        openemr_tables.reading(SETTINGS, State(tables={"version"}))


def test_a_line_break_in_a_row_is_no_end_of_it() -> None:
    found = openemr_tables.parse(State(), lines({"in": "users", "id": 1, "username": "a\nb\u2028c\u0085"}))
    assert found.rows["users"] == [{"id": 1, "username": "a\nb\u2028c\u0085"}]


def test_an_empty_table_of_procedures_can_be_asked_for() -> None:
    none = replace(SETTINGS, procedures=[])
    assert "name IN (NULL)" in openemr_tables.reading(none, state())
    assert not any(change.what.startswith("procedure C") for change in Plan(none, state()).changes)


# --- comparing -------------------------------------------------------------------------------------------------------


def test_rows_that_depend_on_new_ones_use_their_ids() -> None:
    script = Plan(SETTINGS, state()).script
    order = ["INSERT INTO `users`", "SET @address = LAST_INSERT_ID()", "`lab_director` = @address", "SET @lab = LAST_INSERT_ID()"]
    order += ["`lab_id` = @lab", "SET @group = LAST_INSERT_ID()", "`parent` = @group"]
    places = [script.index(words) for words in order]
    assert places == sorted(places)


def test_nothing_of_the_tables_is_ever_deleted() -> None:
    assert "DELETE" not in Plan(SETTINGS, state()).script


def test_only_the_columns_that_differ_are_written_and_shown() -> None:
    found = state()
    found.rows["background_services"] = [{**SERVICE, "active": 0, "execute_interval": 1, "title": "Old"}]
    plan = Plan(SETTINGS, found)
    (change,) = [change for change in plan.changes if change.what.startswith("background")]
    assert (change.before, change.after) == ("title: Old\nactive: 0\n", f"title: {SERVICE['title']}\nactive: 1\n")
    (update,) = [statement for statement in plan.rows if "background" in statement]
    assert "function" not in update


def test_a_retired_name_fits_however_long_it_is() -> None:
    """Its name moved to another code: the retired row gives it up, within varchar(63)."""
    found = state()
    found.rows["procedure_providers"] = [{**LAB, "ppid": 7, "lab_director": 0, "active": 1}]
    row = {"procedure_type_id": 9, "parent": 8, "name": "n" * 63, "lab_id": 7, "procedure_code": "c" * 64, "procedure_type": "ord"}
    found.rows["procedure_type"] = [{**row, "procedure_type_name": "imaging", "seq": 1, "activity": 1}]
    plan = Plan(replace(SETTINGS, procedures=[{"code": "NEW", "name": "N" * 63}]), found)
    (change,) = [change for change in plan.changes if change.what == f"procedure {'c' * 64}"]
    assert change.after == f"activity: 0\nname: {'n' * 40} ({'c' * 20})\n"


def test_a_category_of_that_name_anywhere_is_enough() -> None:
    found = state()
    found.rows["categories"].append({"id": 9, "name": "radiology REPORT", "parent": 4})
    assert not any("category R" in change.what for change in Plan(SETTINGS, found).changes)


def test_a_wrong_name_of_a_global_is_told() -> None:
    with pytest.raises(SeedError, match="no setting rest_apy, rest_nix"):
        Plan(replace(SETTINGS, globals={"rest_apy": "1", "rest_api": "1", "rest_nix": "1"}), state())


def test_our_tables_are_completed() -> None:
    found = state()
    found.tables |= set(openemr_tables.OWN)
    for table, (columns, _) in openemr_tables.OWN.items():
        found.columns[table] = set(columns)
    assert Plan(SETTINGS, found).structure == []
    found.columns["pacs_emr_images"].remove("study_uid")
    (statement,) = Plan(SETTINGS, found).structure
    assert statement.startswith("ALTER TABLE `pacs_emr_images` ADD COLUMN `study_uid` varchar(64)")
