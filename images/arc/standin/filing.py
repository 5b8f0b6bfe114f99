"""Whose object it is: the patient, study and series that a stored object belongs to (dcm4chee.md §4.4)."""

from __future__ import annotations

import psycopg

from standin.errors import RefusedError
from standin.objects import Header, Json, hex_tag
from standin.registry import Row, find_key, obtain_key, supplement
from standin.status import CONFLICTING_PATIENT


def series_of(connection: psycopg.Connection[Row], header: Header, issuer: str) -> int:
    """Return the key of the object's series, making patient, study and series where they are missing.

    The first object of a study decides its patient. Raises RefusedError (A778) when this object names another.
    """
    study = find_key(connection, "study", uid=header.study_uid)
    if study is None:
        patient = patient_key(connection, header.patient_id or _next_patient_id(connection), issuer, header.patient)
        study = obtain_key(connection, "study", header.study, {"patient": patient}, uid=header.study_uid)
    owner = connection.execute(
        "SELECT p.pk, p.pid, p.issuer FROM standin.patient p JOIN standin.study s ON s.patient = p.pk WHERE s.pk = %s", (study,)
    ).fetchone()
    assert owner is not None
    patient, *named = owner
    if header.patient_id and [header.patient_id, issuer] != named:
        reason = f"Patient ID {_pid(header.patient_id, issuer)} differs from {_pid(*named)} of the study"
        raise RefusedError(CONFLICTING_PATIENT, reason)
    supplement(connection, "patient", patient, {key: value for key, value in header.patient.items() if key != hex_tag("IssuerOfPatientID")})
    supplement(connection, "study", study, header.study)
    return obtain_key(connection, "series", header.series, study=study, uid=header.series_uid)


def patient_key(connection: psycopg.Connection[Row], patient_id: str, issuer: str, attributes: Json) -> int:
    """Return the key of the patient, registered with these attributes when new."""
    own = {**attributes, hex_tag("PatientID"): {"vr": "LO", "Value": [patient_id]}}
    if issuer:
        own[hex_tag("IssuerOfPatientID")] = {"vr": "LO", "Value": [issuer]}
    return obtain_key(connection, "patient", own, pid=patient_id, issuer=issuer)


def _next_patient_id(connection: psycopg.Connection[Row]) -> str:
    """Return an id for an object without one, as upstream's P-00000001."""
    number = connection.execute("SELECT nextval('standin.generated_patient_id')").fetchone()
    assert number is not None
    return f"P-{number[0]:08d}"


def _pid(patient_id: str, issuer: str) -> str:
    return f"{patient_id}^^^{issuer}" if issuer else patient_id
