"""The modality worklist: its table, and queries over it, the same for C-FIND and REST (dcm4chee.md §4.2, §3).

An item is known by study UID and step id. Its status stands in a column too, which decides whether a query sees it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

import psycopg
from pydicom.datadict import dictionary_VR

from standin.mapping import items_of, overwrite, put, put_items
from standin.objects import Json, first, hex_tag
from standin.patients import by_key
from standin.registry import Registry, Row, jsonb

STEP = "ScheduledProcedureStepSequence"
STATUS = f"{STEP}.ScheduledProcedureStepStatus"
_STATUS_PATH = f"{{{hex_tag(STEP)},Value,0,{hex_tag('ScheduledProcedureStepStatus')}}}"
# Keys that narrow a query; others are returned only.
_KEYS = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "AccessionNumber",
    "RequestedProcedureID", "AdmissionID", "InstitutionName", "InstitutionalDepartmentName",
)  # fmt: skip
_STEP_KEYS = (
    "ScheduledProcedureStepID", "Modality", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime",
    "ScheduledStationAETitle", "ScheduledPerformingPhysicianName",
)  # fmt: skip
_COLUMNS = {"StudyInstanceUID": "m.study_uid", "AccessionNumber": "m.accession", "PatientID": "p.pid"}
MATCHED = frozenset(_KEYS) | {f"{STEP}.{name}" for name in _STEP_KEYS}


class MismatchError(Exception):
    """An item with this study UID and step id belongs to another patient."""


def next_id(connection: psycopg.Connection[Row], prefix: str) -> str:
    """Return a new id such as RP-00000001."""
    row = connection.execute("SELECT nextval('standin.generated_procedure_id')").fetchone()
    assert row is not None
    return f"{prefix}-{row[0]:08d}"


def replace_study(connection: psycopg.Connection[Row], patient: int, request: Json, steps: list[Json]) -> None:
    """Make the items of the request's study those of `steps`: others of that study go (§4.2). Raises MismatchError."""
    study_uid = first(request, "StudyInstanceUID")
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (study_uid,))
    wanted = {first(step, "ScheduledProcedureStepID"): step for step in steps}
    known = connection.execute("SELECT pk, sps_id FROM standin.mwl_item WHERE study_uid = %s", (study_uid,)).fetchall()
    for key, sps_id in known:
        if sps_id not in wanted:
            connection.execute("DELETE FROM standin.mwl_item WHERE pk = %s", (key,))
    for step in wanted.values():
        save(connection, patient, request, step)


def save(connection: psycopg.Connection[Row], patient: int, request: Json, step: Json) -> None:
    """Insert an item, or overwrite what request and step name of the one that is there. Raises MismatchError."""
    study_uid, sps_id = first(request, "StudyInstanceUID"), first(step, "ScheduledProcedureStepID")
    row = connection.execute(
        "SELECT patient, attrs FROM standin.mwl_item WHERE study_uid = %s AND sps_id = %s FOR UPDATE", (study_uid, sps_id)
    ).fetchone()
    stored: Json = row[1] if row else {}
    if row and row[0] != patient:
        owner, other = by_key(connection, patient).identity, by_key(connection, row[0]).identity
        raise MismatchError(
            f"Patient[id={owner}] does not match Patient[id={other}] in previous MWLItem[studyUID={study_uid}, spsID={sps_id}]"
        )
    stored_step = items_of(stored, STEP)[0] if row else {}
    new_step = overwrite(stored_step, step)
    if not first(new_step, "ScheduledProcedureStepStartDate"):
        now = datetime.now()
        put(new_step, "ScheduledProcedureStepStartDate", now.strftime("%Y%m%d"))
        put(new_step, "ScheduledProcedureStepStartTime", now.strftime("%H%M%S.%f")[:-3])
    attributes = overwrite(stored, request)
    put_items(attributes, STEP, [new_step])
    status, accession = first(new_step, "ScheduledProcedureStepStatus"), first(attributes, "AccessionNumber")
    connection.execute(
        "INSERT INTO standin.mwl_item (study_uid, sps_id, patient, status, accession, attrs) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (study_uid, sps_id) DO UPDATE SET status = EXCLUDED.status, accession = EXCLUDED.accession, attrs = EXCLUDED.attrs",
        (study_uid, sps_id, patient, status, accession, jsonb(attributes)),
    )


def set_status(connection: psycopg.Connection[Row], status: str, condition: str, parameters: list[Any]) -> int:
    """Set the status of the items that meet an SQL condition, whatever it was; return their number."""
    element = jsonb({"vr": "CS", "Value": [status]})
    text = f"UPDATE standin.mwl_item SET status = %s, attrs = jsonb_set(attrs, '{_STATUS_PATH}', %s::jsonb) WHERE {condition}"
    return int(connection.execute(text, [status, element, *parameters]).rowcount)


def find(registry: Registry, keys: dict[str, str], hidden: Collection[str], limit: int | None = None, offset: int = 0) -> list[Json]:
    """Return the items that match, each with its patient, in the order of their arrival. Raises DatabaseError.

    Keys are keywords, those of the step with the sequence's before them. States in `hidden` are seen only when asked for by name.
    """
    conditions, parameters = [], []
    if states := keys.get(STATUS, "").replace("*", ""):
        conditions.append("m.status = ANY(%s)")
        parameters.append(states.split("\\"))
    else:
        conditions.append("m.status <> ALL(%s)")
        parameters.append(list(hidden))
    # What stands in a column narrows in the database; the rest, and what has wildcards, is looked at below.
    for keyword, column in _COLUMNS.items():
        if (wanted := keys.get(keyword, "").strip()) and not set(wanted) & set("*?"):
            conditions.append(f"{column} = ANY(%s)")
            parameters.append([part.strip() for part in wanted.split("\\")])
    rows = registry.rows(
        "SELECT p.attrs || m.attrs FROM standin.mwl_item m JOIN standin.patient p ON p.pk = m.patient"
        f" WHERE {' AND '.join(conditions)} ORDER BY m.pk",
        parameters,
    )
    matching = {name: value for name, value in keys.items() if name in MATCHED and value.strip("*")}
    found = [item for (item,) in rows if all(_matches(item, name, value) for name, value in matching.items())]
    return found[offset:][:limit]


def _matches(item: Json, name: str, wanted: str) -> bool:
    *sequence, keyword = name.split(".")
    for place in sequence:
        item = next(iter(items_of(item, place)), {})
    vr = dictionary_VR(hex_tag(keyword))
    values = item.get(hex_tag(keyword), {}).get("Value", [])
    if vr == "PN":
        texts = [text for value in values for text in value.values()]
        groups = [group.rstrip("^ ") for group in wanted.split("=") if group.strip("^ ")]
        return all(any(_like(text.rstrip("^ "), group, re.IGNORECASE) for text in texts) for group in groups)
    if vr in ("DA", "TM"):
        return any(_in_range(str(value).replace(":", ""), wanted.replace(":", "")) for value in values)
    return any(_like(str(value).strip(), part.strip()) for value in values for part in wanted.split("\\"))


def _like(text: str, pattern: str, flags: int = 0) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, flags | re.DOTALL) is not None


def _in_range(value: str, wanted: str) -> bool:
    if "-" not in wanted:
        return value.startswith(wanted)
    low, high = wanted.split("-", 1)
    return low <= value and (not high or value[: len(high)] <= high)
