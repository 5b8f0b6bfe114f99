"""The archive's own tables in PostgreSQL: patients, and the studies, series and instances that belong to them.

They live in a schema of their own, beside Orthanc's index in `public` (its plugin knows no other schema).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from standin.errors import DatabaseError, RefusedError
from standin.objects import Header, Json, hex_tag
from standin.settings import Settings
from standin.status import CONFLICTING_PATIENT

CONNECT_SECONDS = 5
BOOT_LOCK = 5342
SCHEMA = """
CREATE SCHEMA IF NOT EXISTS standin;
CREATE SEQUENCE IF NOT EXISTS standin.generated_patient_id;
CREATE TABLE IF NOT EXISTS standin.patient (
    pk bigserial PRIMARY KEY, pid text NOT NULL, issuer text NOT NULL, attrs jsonb NOT NULL, UNIQUE (pid, issuer));
CREATE TABLE IF NOT EXISTS standin.study (
    pk bigserial PRIMARY KEY, uid text NOT NULL UNIQUE, patient bigint NOT NULL REFERENCES standin.patient, attrs jsonb NOT NULL);
CREATE INDEX IF NOT EXISTS study_patient ON standin.study (patient);
CREATE TABLE IF NOT EXISTS standin.series (
    pk bigserial PRIMARY KEY, uid text NOT NULL, study bigint NOT NULL REFERENCES standin.study, attrs jsonb NOT NULL,
    UNIQUE (study, uid));
CREATE TABLE IF NOT EXISTS standin.instance (
    pk bigserial PRIMARY KEY, uid text NOT NULL, series bigint NOT NULL REFERENCES standin.series, sop_class text NOT NULL,
    transfer_syntax text NOT NULL, orthanc_id text NOT NULL, attrs jsonb NOT NULL, UNIQUE (series, uid));
CREATE INDEX IF NOT EXISTS instance_uid ON standin.instance (uid);
"""

Row = tuple[Any, ...]


class Registry:
    """The tables. Every method raises DatabaseError when PostgreSQL is away; the pool heals by itself."""

    def __init__(self, settings: Settings) -> None:
        self._parameters: dict[str, str | int] = {
            "host": settings.database_host,
            "port": settings.database_port,
            "dbname": settings.database_name,
            "user": settings.database_user,
            "password": settings.database_password,
            "connect_timeout": CONNECT_SECONDS,
        }
        self._pool: ConnectionPool | None = None

    def open(self) -> None:
        """Connect and make the tables. Raises DatabaseError, also when the database holds another archive's tables."""
        try:
            with psycopg.connect(**self._parameters) as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (BOOT_LOCK,))
                foreign = connection.execute("SELECT to_regclass('public.study'), to_regclass('public.attachedfiles')").fetchone()
                if foreign and foreign[0] and not foreign[1]:
                    raise DatabaseError("the database holds the tables of another archive; give this stand-in its own")
                connection.execute(SCHEMA)
        except psycopg.Error as error:
            raise DatabaseError(str(error).strip()) from error
        self._pool = ConnectionPool(
            kwargs=self._parameters,
            min_size=1,
            max_size=20,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
            check=ConnectionPool.check_connection,
            open=True,
        )

    def close(self) -> None:
        """Close all connections at once."""
        if self._pool:
            self._pool.close(timeout=0)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Row]]:
        """Yield a connection in a transaction, committed at the end, rolled back by any exception."""
        if not self._pool:
            raise DatabaseError("not connected yet")
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout) as error:
            raise DatabaseError(str(error).strip()) from error

    def rows(self, sql: str, parameters: list[Any]) -> list[Row]:
        """Return the rows of a query."""
        with self.transaction() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            found: list[Row] = cursor.execute(sql, parameters).fetchall()
            return found


def insert_series(connection: psycopg.Connection[Row], header: Header, issuer: str) -> int:
    """Return the key of the object's series, making patient, study and series where they are missing.

    The first object of a study decides its patient (dcm4chee.md §4.4). Raises RefusedError (A778) when this object names another.
    """
    study = _one(connection, "SELECT pk, patient FROM standin.study WHERE uid = %s", header.study_uid)
    if study is None:
        patient = _patient(connection, header.patient_id or _next_patient_id(connection), issuer, header.patient)
        _insert(connection, "study", "uid, patient", (header.study_uid, patient), header.study)
        study = _one(connection, "SELECT pk, patient FROM standin.study WHERE uid = %s", header.study_uid)
    assert study is not None
    if header.patient_id:
        owner = _one(connection, "SELECT pid, issuer FROM standin.patient WHERE pk = %s", study[1])
        assert owner is not None
        if (header.patient_id, issuer) != owner:
            raise RefusedError(
                CONFLICTING_PATIENT, f"Patient ID {_pid(header.patient_id, issuer)} differs from {_pid(*owner)} of the study"
            )
    _supplement(
        connection, "patient", study[1], {key: value for key, value in header.patient.items() if key != hex_tag("IssuerOfPatientID")}
    )
    _supplement(connection, "study", study[0], header.study)
    _insert(connection, "series", "uid, study", (header.series_uid, study[0]), header.series)
    series = _one(connection, "SELECT pk FROM standin.series WHERE study = %s AND uid = %s", study[0], header.series_uid)
    assert series is not None
    return int(series[0])


def has_instance(connection: psycopg.Connection[Row], series: int, sop_uid: str) -> bool:
    """Return whether the series holds the instance already."""
    return _one(connection, "SELECT 1 FROM standin.instance WHERE series = %s AND uid = %s", series, sop_uid) is not None


def insert_instance(connection: psycopg.Connection[Row], series: int, header: Header, orthanc_id: str) -> None:
    """Add an instance that Orthanc holds under `orthanc_id`."""
    columns = "uid, series, sop_class, transfer_syntax, orthanc_id"
    values = (header.sop_uid, series, header.sop_class, header.transfer_syntax, orthanc_id)
    _insert(connection, "instance", columns, values, header.instance)


def _pid(patient_id: str, issuer: str) -> str:
    return f"{patient_id}^^^{issuer}" if issuer else patient_id


def _one(connection: psycopg.Connection[Row], sql: str, *parameters: object) -> Row | None:
    row: Row | None = connection.execute(sql, parameters).fetchone()
    return row


def _insert(connection: psycopg.Connection[Row], table: str, columns: str, values: tuple[object, ...], attributes: Json) -> None:
    """Insert unless a parallel store was first; then wait for its end."""
    marks = ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO standin.{table} ({columns}, attrs) VALUES ({marks}, %s) ON CONFLICT DO NOTHING"
    connection.execute(sql, (*values, _jsonb(attributes)))


def _jsonb(attributes: Json) -> str:
    # PostgreSQL's jsonb has no NUL, which some modalities pad with.
    return json.dumps(attributes).replace("\\u0000", "")


def _next_patient_id(connection: psycopg.Connection[Row]) -> str:
    """Return an id for an object without one, as upstream's P-00000001 (dcm4chee.md §4.4)."""
    number = _one(connection, "SELECT nextval('standin.generated_patient_id')")
    assert number is not None
    return f"P-{number[0]:08d}"


def _patient(connection: psycopg.Connection[Row], patient_id: str, issuer: str, attributes: Json) -> int:
    """Return the key of the patient, registered with these attributes when new."""
    own = {**attributes, hex_tag("PatientID"): {"vr": "LO", "Value": [patient_id]}}
    if issuer:
        own[hex_tag("IssuerOfPatientID")] = {"vr": "LO", "Value": [issuer]}
    _insert(connection, "patient", "pid, issuer", (patient_id, issuer), own)
    row = _one(connection, "SELECT pk FROM standin.patient WHERE pid = %s AND issuer = %s", patient_id, issuer)
    assert row is not None
    return int(row[0])


def _supplement(connection: psycopg.Connection[Row], table: str, key: int, attributes: Json) -> None:
    """Add attributes that the entity lacks; those it has stay (upstream's dcmAttributeUpdatePolicy SUPPLEMENT)."""
    lacking = f"UPDATE standin.{table} SET attrs = %s::jsonb || attrs WHERE pk = %s AND NOT attrs ?& %s"
    connection.execute(lacking, (_jsonb(attributes), key, list(attributes)))
