"""Whose object it is: the patient, study and series that a stored object belongs to (dcm4chee.md §4.4)."""

from __future__ import annotations

import psycopg

from standin import patients
from standin.errors import RefusedError
from standin.objects import Header, hex_tag
from standin.patients import Identity
from standin.registry import Row, find_key, obtain_key, supplement
from standin.status import CONFLICTING_PATIENT


def series_of(connection: psycopg.Connection[Row], header: Header, identity: Identity, known: int | None = None) -> int:
    """Return the key of the object's series, making patient, study and series where they are missing.

    `known` is the key of the patient when it is known already. The first object of a study decides its patient.
    Raises RefusedError (A778) when this object names another.
    """
    study = find_key(connection, "study", uid=header.study_uid)
    if known is None and study is None:
        known = patients.obtain(connection, identity if identity.pid else generated(connection, identity), header.patient)
    if study is None:
        study = obtain_key(connection, "study", header.study, {"patient": known}, uid=header.study_uid)
    row = connection.execute("SELECT patient FROM standin.study WHERE pk = %s", (study,)).fetchone()
    assert row is not None
    owner = patients.by_key(connection, row[0])
    if known is None and identity.pid:
        named = patients.of_object(connection, identity, header.patient)
        known = named.key if named else 0
    if known not in (None, owner.key):
        raise RefusedError(CONFLICTING_PATIENT, f"Patient ID {identity} differs from {owner.identity} of the study")
    patients.adopt_issuer(connection, owner, identity)
    own = {key: value for key, value in header.patient.items() if key not in (hex_tag("PatientID"), hex_tag("IssuerOfPatientID"))}
    supplement(connection, "patient", owner.key, own)
    supplement(connection, "study", study, header.study)
    return obtain_key(connection, "series", header.series, study=study, uid=header.series_uid)


def generated(connection: psycopg.Connection[Row], identity: Identity) -> Identity:
    """Return an id for an object without one, as upstream's P-00000001."""
    number = connection.execute("SELECT nextval('standin.generated_patient_id')").fetchone()
    assert number is not None
    return Identity(f"P-{number[0]:08d}", identity.issuer)
