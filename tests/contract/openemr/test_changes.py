"""What changes, merges and deletions leave for an engine to see (§7.8)."""

from __future__ import annotations

import time

import pytest

from .support import SELF_SIGNED, Browser, Emr, Rest, only_standin

pytestmark = SELF_SIGNED


def updated(emr: Emr, pid: int) -> str:
    return emr.value(f"SELECT last_updated FROM patient_data WHERE pid = {pid}")


def put_back(emr: Emr, pid: int) -> str:
    """Set last_updated to the past, so that a change shows without waiting for the next second."""
    emr.sql(f"UPDATE patient_data SET last_updated = '2026-01-01 00:00:00' WHERE pid = {pid}")
    return updated(emr, pid)


def ordered(emr: Emr, admin: Browser, pid: int, encounter: int) -> int:
    admin.open_encounter(pid, encounter)
    procedure = int(emr.value("SELECT MIN(procedure_type_id) FROM procedure_type WHERE procedure_type = 'ord'"))
    assert admin.order([(procedure, "ICD10:R05")]).status_code == 302
    return int(emr.value("SELECT MAX(procedure_order_id) FROM procedure_order"))


def test_last_updated(emr: Emr, rest: Rest, admin: Browser) -> None:
    """It moves on a real change, not on equal values by SQL, not when somebody looks."""
    pid, uuid = emr.patient(rest, "Before", "Bea")
    past = put_back(emr, pid)
    admin.chart(pid)
    emr.sql(f"UPDATE patient_data SET lname = 'Before' WHERE pid = {pid}")
    assert updated(emr, pid) == past
    assert rest.call("PUT", f"/api/patient/{uuid}", {"lname": "After"}).status_code == 200
    assert updated(emr, pid) > past
    assert emr.value(f"SELECT lname FROM patient_data WHERE pid = {pid}") == "After"


def test_merge(emr: Emr, rest: Rest, admin: Browser) -> None:
    """The source's row is gone, what was his is the target's, whose last_updated moves; the log says so under the target's number."""
    target, _ = emr.patient(rest, "Same", "Sue", dob="1970-07-07")
    source, uuid = emr.patient(rest, "Same", "Susi", dob="1970-07-07")
    encounter = emr.encounter(rest, uuid)
    order = ordered(emr, admin, source, encounter)
    past, since = put_back(emr, target), emr.log_end()
    assert "Merge complete." in admin.merge(target, source)
    assert emr.value(f"SELECT COUNT(*) FROM patient_data WHERE pid = {source}") == "0"
    assert emr.sql(f"SELECT patient_id, encounter_id FROM procedure_order WHERE procedure_order_id = {order}") == [
        [str(target), str(encounter)]
    ]
    assert emr.value(f"SELECT pid FROM forms WHERE formdir = 'procedure_order' AND form_id = {order}") == str(target)
    assert updated(emr, target) > past
    assert emr.log(since, "patient-merge-delete") == [(f"Deleted rows with pid = {source} in table patient_data", str(target))]
    assert (f"Updated rows with patient_id = {source} to {target} in table procedure_order", str(target)) in emr.log(
        since, "patient-merge-update"
    )


@pytest.mark.parametrize(("change", "said"), [({"dob": "1971-07-07"}, "DOB do not match"), ({"ss": "123456789"}, "SSN do not match")])
def test_refused_merge(emr: Emr, rest: Rest, admin: Browser, change: dict[str, str], said: str) -> None:
    """Number and birth date must agree."""
    target, _ = emr.patient(rest, "Alike", "Al", dob="1970-07-07")
    source, _ = emr.patient(rest, **{"lname": "Alike", "fname": "Al", "dob": "1970-07-07", **change})
    assert said in admin.merge(target, source)
    assert emr.value(f"SELECT COUNT(*) FROM patient_data WHERE pid IN ({target}, {source})") == "2"


def test_freed_number_is_used_again(emr: Emr, rest: Rest, admin: Browser) -> None:
    """The highest number that was merged away goes to the next patient."""
    target, _ = emr.patient(rest, "Old", "Ann", dob="1950-05-05")
    source, _ = emr.patient(rest, "Old", "Anne", dob="1950-05-05")
    admin.merge(target, source)
    other, _ = emr.patient(rest, "Quite", "Another")
    assert other == source


def test_deleted_patient(emr: Emr, rest: Rest, admin: Browser) -> None:
    """Event patient-record-delete with the statement; needs allow_pat_delete."""
    pid, _ = emr.patient(rest, "Gone", "Gus")
    since = emr.log_end()
    admin.delete(patient=pid)
    assert emr.value(f"SELECT COUNT(*) FROM patient_data WHERE pid = {pid}") == "0"
    assert f"DELETE FROM patient_data WHERE pid = '{pid}'" in [text.replace("`", "") for text, _ in emr.log(since, "patient-record-delete")]
    emr.sql("UPDATE globals SET gl_value = '0' WHERE gl_name = 'allow_pat_delete'")
    try:
        pid, _ = emr.patient(rest, "Stays", "Sid")
        assert "Not authorized" in admin.delete(patient=pid)
        assert emr.value(f"SELECT COUNT(*) FROM patient_data WHERE pid = {pid}") == "1"
    finally:
        emr.sql("UPDATE globals SET gl_value = '1' WHERE gl_name = 'allow_pat_delete'")


def test_order_cancelled_deleted_and_gone(emr: Emr, rest: Rest, admin: Browser) -> None:
    """Cancelled in the form: the status. Deleted from the encounter: activity and forms.deleted. The deleter: all rows, with a trace."""
    pid, uuid = emr.patient(rest, "Orders", "Olga")
    encounter = emr.encounter(rest, uuid)
    order = ordered(emr, admin, pid, encounter)
    procedure = int(emr.value("SELECT MIN(procedure_type_id) FROM procedure_type WHERE procedure_type = 'ord'"))
    admin.order([(procedure, "ICD10:R05")], {"form_order_status": "canceled"}, button="bn_save", number=order)
    assert emr.sql(f"SELECT order_status, activity FROM procedure_order WHERE procedure_order_id = {order}") == [["canceled", "1"]]

    form = int(emr.value(f"SELECT id FROM forms WHERE formdir = 'procedure_order' AND form_id = {order}"))
    admin.delete_form(form, encounter, pid)
    assert emr.sql(
        f"SELECT o.activity, f.deleted FROM procedure_order o JOIN forms f ON f.form_id = o.procedure_order_id AND f.id = {form}"
    ) == [["0", "1"]]

    since = emr.log_end()
    admin.delete(formid=form)
    for table in ("procedure_order", "procedure_order_code"):
        assert emr.value(f"SELECT COUNT(*) FROM {table} WHERE procedure_order_id = {order}") == "0"
    assert emr.value(f"SELECT COUNT(*) FROM forms WHERE id = {form}") == "0"
    traces = [text for text, _ in emr.log(since, "delete")]
    assert any(text.startswith(f"procedure_order: procedure_order_id= '{order}' ") for text in traces), traces


def test_selects_are_logged(emr: Emr, admin: Browser, rest: Rest) -> None:
    """§5: audit_events_query is on by default, so looking at a chart makes rows; statements on orders make none."""
    pid, _ = emr.patient(rest)
    since = emr.log_end()
    admin.chart(pid)
    assert any("patient_data" in text for text, _ in emr.log(since, "patient-record-select"))
    assert emr.log(since, "lab-order-select") == []
    assert emr.log(since, "view") == [("", str(pid))]


@only_standin
def test_time_is_the_databases(emr: Emr) -> None:
    """§4: last_updated is in the database's time zone; both run in UTC."""
    assert abs(int(emr.value("SELECT UNIX_TIMESTAMP(NOW())")) - time.time()) < 5
