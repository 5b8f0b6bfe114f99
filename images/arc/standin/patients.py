"""Who is who: finding, updating and merging patients (dcm4chee.md §4.1, §4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from standin.mapping import overwrite
from standin.objects import Json, first, hex_tag
from standin.registry import Row, jsonb, obtain_key


@dataclass(frozen=True)
class Identity:
    """Patient ID with its issuer, which may be empty."""

    pid: str
    issuer: str

    def __str__(self) -> str:
        return f"{self.pid}^^^{self.issuer}" if self.issuer else self.pid


@dataclass(frozen=True)
class Patient:
    """A row of the table."""

    key: int
    identity: Identity
    merged_into: int | None
    attributes: Json


class NonUniqueError(Exception):
    """Several patients have this id."""


class MergedError(Exception):
    """The patient has become another."""


class ExistsError(Exception):
    """Another patient has the new id already."""


class CircularError(Exception):
    """A patient was to be merged with itself."""


def identity_of(attributes: Json) -> Identity:
    """Return who the attributes say that it is."""
    return Identity(first(attributes, "PatientID").strip(), first(attributes, "IssuerOfPatientID").strip())


def find(connection: psycopg.Connection[Row], identity: Identity) -> list[Patient]:
    """Return the patients that may be meant: those of the issuer, else those without; an id without issuer means any."""
    rows = connection.execute(
        "SELECT pk, pid, issuer, merged_into, attrs FROM standin.patient WHERE pid = %s ORDER BY pk", (identity.pid,)
    ).fetchall()
    found = [Patient(key, Identity(pid, issuer), merged, attributes) for key, pid, issuer, merged, attributes in rows]
    if identity.issuer:
        same = [patient for patient in found if patient.identity == identity]
        return same or [patient for patient in found if not patient.identity.issuer]
    return found


def find_one(connection: psycopg.Connection[Row], identity: Identity) -> Patient | None:
    """Return the patient, merged or not. Raises NonUniqueError."""
    found = find(connection, identity)
    if len(found) > 1:
        raise NonUniqueError(f"Multiple Patients with ID [{identity}]")
    return found[0] if found else None


def find_living(connection: psycopg.Connection[Row], identity: Identity) -> Patient | None:
    """Return the patient. Raises NonUniqueError, MergedError."""
    patient = find_one(connection, identity)
    if patient and patient.merged_into is not None:
        raise MergedError(f"Patient[id={patient.identity}] merged with Patient[id={by_key(connection, patient.merged_into).identity}]")
    return patient


def by_key(connection: psycopg.Connection[Row], key: int) -> Patient:
    """Return the patient of a primary key."""
    row = connection.execute("SELECT pk, pid, issuer, merged_into, attrs FROM standin.patient WHERE pk = %s", (key,)).fetchone()
    assert row is not None
    return Patient(row[0], Identity(row[1], row[2]), row[3], row[4])


def create(connection: psycopg.Connection[Row], identity: Identity, attributes: Json) -> int:
    """Register a patient; return its key."""
    own = {**attributes, hex_tag("PatientID"): {"vr": "LO", "Value": [identity.pid]}}
    if identity.issuer:
        own[hex_tag("IssuerOfPatientID")] = {"vr": "LO", "Value": [identity.issuer]}
    return obtain_key(connection, "patient", overwrite({}, own), pid=identity.pid, issuer=identity.issuer)


def update(connection: psycopg.Connection[Row], attributes: Json) -> int:
    """Register a patient of a message, or overwrite what the message names; return its key. Raises NonUniqueError, MergedError."""
    identity = identity_of(attributes)
    patient = find_living(connection, identity)
    if patient is None:
        return create(connection, identity, attributes)
    _save(connection, patient, attributes, Identity(identity.pid, identity.issuer or patient.identity.issuer))
    return patient.key


def merge(connection: psycopg.Connection[Row], attributes: Json, prior: Json) -> int:
    """Move all of the prior patient to the one of the attributes; return its key.

    A prior id that is unknown is registered as merged, and so can never be used again. Raises NonUniqueError, MergedError, CircularError.
    """
    identity, before = identity_of(attributes), identity_of(prior)
    if identity.pid == before.pid and (identity.issuer == before.issuer or not identity.issuer or not before.issuer):
        raise CircularError("Prior patient identifier matches patient identifier")
    ending = find_living(connection, before)
    key = update(connection, attributes)
    prior_key = create(connection, before, prior) if ending is None else ending.key
    for table in ("study", "mwl_item", "mpps"):
        connection.execute(f"UPDATE standin.{table} SET patient = %s WHERE patient = %s", (key, prior_key))
    connection.execute("UPDATE standin.patient SET merged_into = %s WHERE pk = %s", (key, prior_key))
    return key


def change_id(connection: psycopg.Connection[Row], attributes: Json, prior: Json) -> int:
    """Give the prior patient the id of the attributes; return its key. Raises NonUniqueError, MergedError, ExistsError."""
    identity = identity_of(attributes)
    patient = find_living(connection, identity_of(prior))
    if patient is None:
        return create(connection, identity, attributes)
    other = find_living(connection, identity)
    if other and other.key != patient.key:
        raise ExistsError(f"Patient with Patient IDs [{other.identity}] already exists")
    # The issuer of the message counts, also when it names none.
    attributes = {hex_tag("IssuerOfPatientID"): {"vr": "LO"}, **attributes}
    _save(connection, patient, attributes, identity)
    return patient.key


def _save(connection: psycopg.Connection[Row], patient: Patient, attributes: Json, identity: Identity) -> None:
    connection.execute(
        "UPDATE standin.patient SET pid = %s, issuer = %s, attrs = %s WHERE pk = %s",
        (identity.pid, identity.issuer, jsonb(overwrite(patient.attributes, attributes)), patient.key),
    )


def of_object(connection: psycopg.Connection[Row], identity: Identity, attributes: Json) -> Patient | None:
    """Return whose a stored object or an MPPS is, following merges; None when it is nobody's yet (§4.4).

    Of several with the same id only the one counts whose name, birth date and sex do not contradict.
    """
    found = find(connection, identity)
    if len(found) > 1:
        found = [patient for patient in found if not _contradict(patient.attributes, attributes)]
    if len(found) != 1:
        return None
    patient = found[0]
    while patient.merged_into is not None:
        patient = by_key(connection, patient.merged_into)
    return patient


def obtain(connection: psycopg.Connection[Row], identity: Identity, attributes: Json) -> int:
    """Return the key of the patient of an object or MPPS, registered when new."""
    patient = of_object(connection, identity, attributes)
    if patient is None:
        return create(connection, identity, attributes)
    adopt_issuer(connection, patient, identity)
    return patient.key


def adopt_issuer(connection: psycopg.Connection[Row], patient: Patient, identity: Identity) -> None:
    """Give a patient without issuer that of its object (§4.4)."""
    if identity.issuer and not patient.identity.issuer and patient.identity.pid == identity.pid:
        _save(connection, patient, {hex_tag("IssuerOfPatientID"): {"vr": "LO", "Value": [identity.issuer]}}, identity)


def _contradict(stored: Json, own: Json) -> bool:
    def value(attributes: Json, keyword: str) -> Any:
        return first(attributes, keyword)

    names = ("PatientName", "PatientBirthDate", "PatientSex")
    return any(value(stored, name) and value(own, name) and value(stored, name) != value(own, name) for name in names)
