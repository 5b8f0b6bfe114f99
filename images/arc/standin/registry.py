"""The archive's own tables in PostgreSQL: patients with their studies, series and instances, worklist, MPPS, outgoing HL7.

They live in a schema of their own, beside Orthanc's index in `public` (its plugin knows no other schema).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from standin.errors import DatabaseError
from standin.objects import Json
from standin.settings import Settings

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
ALTER TABLE standin.patient ADD COLUMN IF NOT EXISTS merged_into bigint REFERENCES standin.patient;
CREATE SEQUENCE IF NOT EXISTS standin.generated_procedure_id;
CREATE TABLE IF NOT EXISTS standin.mwl_item (
    pk bigserial PRIMARY KEY, study_uid text NOT NULL, sps_id text NOT NULL, patient bigint NOT NULL REFERENCES standin.patient,
    status text NOT NULL, accession text NOT NULL, attrs jsonb NOT NULL, UNIQUE (study_uid, sps_id));
CREATE INDEX IF NOT EXISTS mwl_item_patient ON standin.mwl_item (patient);
CREATE INDEX IF NOT EXISTS mwl_item_accession ON standin.mwl_item (accession);
CREATE TABLE IF NOT EXISTS standin.mpps (
    pk bigserial PRIMARY KEY, uid text NOT NULL UNIQUE, patient bigint NOT NULL REFERENCES standin.patient, status text NOT NULL,
    attrs jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS standin.psu_task (
    pk bigserial PRIMARY KEY, study_uid text NOT NULL UNIQUE, series_uid text NOT NULL, accession text NOT NULL,
    due timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS standin.hl7_task (
    pk bigserial PRIMARY KEY, receiver text NOT NULL, message bytea NOT NULL, attempts int NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'SCHEDULED', outcome text NOT NULL DEFAULT '', due timestamptz NOT NULL DEFAULT now());
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


def find_key(connection: psycopg.Connection[Row], table: str, **identity: object) -> int | None:
    """Return the primary key of the row that these columns identify, None when there is none."""
    where = " AND ".join(f"{column} = %s" for column in identity)
    row = connection.execute(f"SELECT pk FROM standin.{table} WHERE {where}", tuple(identity.values())).fetchone()
    return int(row[0]) if row else None


def obtain_key(
    connection: psycopg.Connection[Row], table: str, attributes: Json, more: Mapping[str, object] | None = None, **identity: object
) -> int:
    """Return the primary key of the row that these columns identify, inserted with its attributes and `more` columns where it is missing.

    Where a parallel transaction inserts the same row, its end is awaited.
    """
    key = find_key(connection, table, **identity)
    if key is None:
        row = {**identity, **(more or {}), "attrs": jsonb(attributes)}
        marks = ", ".join(["%s"] * len(row))
        insert = f"INSERT INTO standin.{table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        connection.execute(insert, tuple(row.values()))
        key = find_key(connection, table, **identity)
        assert key is not None
    return key


def supplement(connection: psycopg.Connection[Row], table: str, key: int, attributes: Json) -> None:
    """Add attributes that the row lacks; those it has stay (upstream's dcmAttributeUpdatePolicy SUPPLEMENT)."""
    lacking = f"UPDATE standin.{table} SET attrs = %s::jsonb || attrs WHERE pk = %s AND NOT attrs ?& %s"
    connection.execute(lacking, (jsonb(attributes), key, list(attributes)))


def jsonb(attributes: Json) -> str:
    """Return attributes as text for a jsonb column."""
    # PostgreSQL's jsonb has no NUL, which some modalities pad with.
    return json.dumps(attributes).replace("\\u0000", "")
