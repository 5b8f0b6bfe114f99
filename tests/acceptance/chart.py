"""The suite as the people at the EMR: what OpenEMR 7.0.3 does in its database when they register, merge, order, cancel and delete.

Sources: openemr.md §3.1 (tables) and §7.8 (what changes and deletions leave behind, verified by running).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from itertools import pairwise

from .emr import Order, Person, Procedure
from .emr_database import EmrDatabase, literal

# Of every order: nobody looks at the visit.
ENCOUNTER = "9001"
SEXES = {"F": "Female", "M": "Male"}
# HL7's own escapes for its delimiters, as both generators write them (openemr.md §7.4).
ESCAPES = str.maketrans({"\\": "\\E\\", "&": "\\T\\", "|": "\\F\\", "~": "\\R\\"})


def when(start: str | None) -> str:
    """Return YYYYMMDDHHMMSS as an SQL literal; None is no time."""
    return literal(start and time.strftime("%Y-%m-%d %H:%M:%S", time.strptime(start, "%Y%m%d%H%M%S")))


class Chart:
    """The EMR's database, changed as its pages change it."""

    def __init__(self, database: EmrDatabase) -> None:
        self.away = database.away
        self._sql = database.sql
        # Above all numbers that the suite has ever given to a patient of this lab: the archive remembers them when the EMR is a new one.
        self._first = 10**9 + int(time.time())

    # --- patients ---------------------------------------------------------------------------------------------------------------

    def register(self, name: str, born: str = "19600101", sex: str = "F") -> Person:
        """Add a patient, `name` family^given^middle; the number is the highest that there is, and one more, as in OpenEMR."""
        family, given, middle = [*name.split("^"), "", ""][:3]
        values = f"{literal(family)}, {literal(given)}, {literal(middle)}, {literal(born)}, {literal(SEXES[sex])}"
        number = f"SELECT greatest(coalesce(max(pid) + 1, 0), {self._first}) FROM patient_data"
        (pid,) = self._sql(
            f"SET @pid = ({number})",
            f"INSERT INTO patient_data (pid, lname, fname, mname, DOB, sex) VALUES (@pid, {values})",
            "SELECT @pid",
        )
        return Person(pid, name.translate(ESCAPES), born, sex)

    def register_many(self, count: int) -> list[Person]:
        """Add many patients at once."""
        (first,) = self._sql(f"SELECT greatest(coalesce(max(pid) + 1, 0), {self._first}) FROM patient_data")
        persons = [Person(str(int(first) + n), f"Load^Number {n}", "19600101", "F") for n in range(count)]
        rows = ", ".join(f"({one.number}, 'Load', 'Number {n}', '{one.born}', 'Female')" for n, one in enumerate(persons))
        self._sql(f"INSERT INTO patient_data (pid, lname, fname, DOB, sex) VALUES {rows}")
        return persons

    def rename(self, person: Person, name: str) -> Person:
        """Give a patient another name, or none."""
        family, given, middle = [*name.split("^"), "", ""][:3]
        names = f"lname = {literal(family)}, fname = {literal(given)}, mname = {literal(middle)}"
        self._sql(f"UPDATE patient_data SET {names} WHERE pid = {person.number}")
        return Person(person.number, name.translate(ESCAPES), person.born, person.sex)

    def merge(self, *chain: Person) -> None:
        """Merge each chart into the next one, so that nobody sees only some of it: orders move, the row goes, the log tells."""
        self._sql(*(statement for old, survivor in pairwise(chain) for statement in self._merged(old.number, survivor.number)))

    def _merged(self, old: str, survivor: str) -> list[str]:
        return [
            f"UPDATE procedure_order SET patient_id = {survivor} WHERE patient_id = {old}",
            self._log("patient-merge-update", f"Updated rows with pid = {old} to pid = {survivor} in table forms", survivor),
            f"UPDATE forms SET pid = {survivor} WHERE pid = {old}",
            f"DELETE FROM patient_data WHERE pid = {old}",
            self._log("patient-merge-delete", f"Deleted rows with pid = {old} in table patient_data", survivor),
            f"UPDATE patient_data SET last_updated = now() WHERE pid = {survivor}",
        ]

    def delete(self, person: Person) -> None:
        """Delete a patient; the log tells."""
        done = f"DELETE FROM patient_data WHERE pid = '{person.number}'"
        self._sql(done, self._log("patient-record-delete", done, person.number))

    @staticmethod
    def _log(event: str, text: str, number: str) -> str:
        comments = base64.b64encode(text.encode()).decode()
        return f"INSERT INTO log (date, event, comments, patient_id) VALUES (now(), {literal(event)}, {literal(comments)}, {number})"

    # --- orders -----------------------------------------------------------------------------------------------------------------

    def order(self, person: Person, *procedures: Procedure, start: str | None = None, urgent: bool = False) -> Order:
        """Save an order, which is to be transmitted then; `start` is YYYYMMDDHHMMSS in the lab's time. The EMR numbers it."""
        lines = ", ".join(f"(@number, {line}, {literal(one.code)}, {literal(one.name)})" for line, one in enumerate(procedures, 1))
        (number,) = self._sql(
            "INSERT INTO procedure_order (patient_id, encounter_id, date_collected, order_priority, order_status) "
            f"VALUES ({person.number}, {ENCOUNTER}, {when(start)}, '{'high' if urgent else 'normal'}', 'pending')",
            "SET @number = LAST_INSERT_ID()",
            f"INSERT INTO procedure_order_code (procedure_order_id, procedure_order_seq, procedure_code, procedure_name) VALUES {lines}",
            f"INSERT INTO forms (encounter, form_id, pid, formdir) VALUES ({ENCOUNTER}, @number, {person.number}, 'procedure_order')",
            "SELECT @number",
        )
        return Order(int(number), person, procedures, encounter=ENCOUNTER, urgent=urgent, start=start or "")

    def order_many(self, persons: Sequence[Person], procedure: Procedure, count: int) -> list[Order]:
        """Save many orders at once, of each person in turn, with the provider that the procedure's row in the catalogue names."""
        free = "SELECT auto_increment FROM information_schema.tables WHERE table_schema = database() AND table_name = 'procedure_order'"
        first = int(self._sql(free)[0])
        orders = [Order(first + n, persons[n % len(persons)], (procedure,), encounter=ENCOUNTER) for n in range(count)]
        kind = f"procedure_type = 'ord' AND activity = 1 AND procedure_code = {literal(procedure.code)}"
        (lab,) = self._sql(f"SELECT lab_id FROM procedure_type WHERE {kind}")
        same = f"{lab}, now(), now(), 'normal', 'pending'"
        rows = ", ".join(f"({one.number}, {one.person.number}, {one.encounter}, {same})" for one in orders)
        lines = ", ".join(f"({one.number}, 1, {literal(procedure.code)}, {literal(procedure.name)})" for one in orders)
        forms = ", ".join(f"({one.encounter}, {one.number}, {one.person.number}, 'procedure_order')" for one in orders)
        self._sql(
            "INSERT INTO procedure_order (procedure_order_id, patient_id, encounter_id, lab_id, date_ordered, date_transmitted, "
            f"order_priority, order_status) VALUES {rows}",
            f"INSERT INTO procedure_order_code (procedure_order_id, procedure_order_seq, procedure_code, procedure_name) VALUES {lines}",
            f"INSERT INTO forms (encounter, form_id, pid, formdir) VALUES {forms}",
        )
        return orders

    def change(self, order: Order, start: str, urgent: bool) -> None:
        """Give an order another time and priority."""
        priority = "high" if urgent else "normal"
        self._sql(
            f"UPDATE procedure_order SET date_collected = {when(start)}, order_priority = '{priority}' "
            f"WHERE procedure_order_id = {order.number}"
        )

    def set_status(self, status: str, *orders: Order) -> None:
        """Set the status of orders at once: pending, routed, complete, canceled."""
        numbers = ", ".join(str(order.number) for order in orders)
        self._sql(f"UPDATE procedure_order SET order_status = {literal(status)} WHERE procedure_order_id IN ({numbers})")

    def do_not_send(self, order: Order, line: int) -> None:
        """Mark one procedure of an order, counted from 1."""
        self._sql(
            f"UPDATE procedure_order_code SET do_not_send = 1 WHERE procedure_order_id = {order.number} AND procedure_order_seq = {line}"
        )

    def delete_from_encounter(self, order: Order) -> None:
        """Delete an order's form from its encounter: all rows stay, marked."""
        self._sql(
            f"UPDATE procedure_order SET activity = 0 WHERE procedure_order_id = {order.number}",
            f"UPDATE forms SET deleted = 1 WHERE formdir = 'procedure_order' AND form_id = {order.number}",
        )

    def delete_order(self, order: Order, trace: bool = True) -> None:
        """Delete an order's rows, as deleter.php does; without `trace`, as somebody does at the database."""
        told = f"procedure_order: procedure_order_id= '{order.number}' patient_id= '{order.person.number}' order_status= 'pending'"
        gone = [f"DELETE FROM {table} WHERE procedure_order_id = {order.number}" for table in ("procedure_order_code", "procedure_order")]
        form = f"DELETE FROM forms WHERE formdir = 'procedure_order' AND form_id = {order.number}"
        self._sql(*gone, form, *([self._log("delete", told, order.person.number)] if trace else []))
