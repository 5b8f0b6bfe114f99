"""The suite as the EMR: order files as OpenEMR 7.0.3 writes them, result and status files as it takes them.

Sources: openemr.md §3.2 and §7.4 (both generators, verified by running), §3.4 and §7.5 (what its importer accepts).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import hl7
from waiting import wait_for

from . import hl7v2
from .emr_database import EmrDatabase, literal
from .inside import Inside

# The folder that EMR and engine share.
EXCHANGE = "/hl7"
# An order file is taken when it has not changed for this long (mirth-patterns.md §4.3), and then passes the queue.
TAKEN_SECONDS = 60
# What a full disk is full of.
FILLER = ".pacs-emr-verify-full"
# Segments that OpenEMR's importer knows; one other and the whole file is refused (openemr.md §3.4).
KNOWN_SEGMENTS = {"MSH", "PID", "PD1", "PV1", "ORC", "TXA", "NTE", "OBR", "OBX", "SPM", "TQ1", "ZEF", "ZPS"}


@dataclass(frozen=True)
class Person:
    """A patient of the EMR; `name` is family^given^middle, `born` YYYYMMDD."""

    number: str
    name: str
    born: str = "19840229"
    sex: str = "F"


@dataclass(frozen=True)
class Procedure:
    """One line of an order."""

    code: str
    name: str
    diagnoses: tuple[str, ...] = ()
    # question code → answer
    answers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """An order as the EMR transmits it; `start` is YYYYMMDDHHMMSS, or empty where none was given."""

    number: int
    person: Person
    procedures: tuple[Procedure, ...]
    encounter: str = "9001"
    urgent: bool = False
    facility: str = "OEMR"
    start: str = ""

    def encounter_form(self) -> tuple[str, str]:
        """File name and content by the encounter form's button: the number carries the facility (openemr.md §7.4)."""
        return self._written(f"{self.facility}-{self.number:04d}", "NTE|1|L|medications NONE", payer=True)

    def electronic_reports(self) -> tuple[str, str]:
        """File name and content by Procedures → Electronic Reports: the bare number."""
        return self._written(f"{self.number:04d}", "NTE|1|L|Medications:NONE", payer=False)

    def _written(self, number: str, note: str, payer: bool) -> tuple[str, str]:
        now, who, doctor = time.strftime("%Y%m%d%H%M%S"), self.person, "1234567893^House^Greg"
        street = "1 Main St^^Town^ST^12345"
        segments = [
            f"MSH|^~\\&|OPENEMR|{self.facility}|MIRTH|RADLAB|{now}||ORM^O01|{number}|P|2.3",
            f"PID|1|{who.number}|{who.number}||{who.name}||{who.born}|{who.sex}|||{street}|||||||{self.encounter}|123-45-6789|||",
            note,
            f"PV1|1||||||{doctor}||||||||||||{self.encounter}|||||||||||||",
            *(["IN1|1||||||||||||||||||||||||||||||||||||||||||||||P"] if payer else []),
            f"GT1|1||{who.name}||{street}|||{who.born}|{who.sex}||self|123-45-6789",
            f"ORC|NW|{number}|||||||{now}|||{doctor}||||||||2",
        ]
        for line, procedure in enumerate(self.procedures, 1):
            urgency = "S" if self.urgent else "R"
            segments.append(f"OBR|{line}|{number}||{procedure.code}^{procedure.name}|{urgency}||{self.start}|||||||||{doctor}||P|||||||||0")
            segments += [f"DG1|{count}||{diagnosis}^I10|" for count, diagnosis in enumerate(procedure.diagnoses, 1)]
            segments += [f"OBX|{count}|ST|{code}||{text}" for count, (code, text) in enumerate(procedure.answers.items(), 1)]
        return f"{number}.txt", hl7v2.message(*segments)


class Emr:
    """The EMR's side of the exchange folder, reached through the engine's container, and what it made of the files there.

    The suite's orders are not in the EMR's tables, so its importer refuses what comes about them: into `results-error`, with its reason.
    """

    def __init__(self, inside: Inside, database: EmrDatabase) -> None:
        self._inside = inside
        self.database = database

    def write(self, name: str, content: bytes) -> None:
        """Write an order file in place, as the EMR does."""
        self._inside.exchange(f'cat >"{EXCHANGE}/orders/$1"', name, stdin=content)

    def unpack(self, archive: bytes) -> None:
        """Write many order files at once, with their times, from a tar archive."""
        self._inside.exchange(f"tar --extract --no-same-owner --directory={EXCHANGE}/orders", stdin=archive)

    def transmit(self, name: str, text: str) -> str:
        """Write an order file and wait until the engine has taken it; return the folder it moved to, `orders-done` or `orders-error`.

        Raises AssertionError when it stays.
        """
        before = self.taken(name)
        self.write(name, text.encode())
        wait_for(lambda: "" if self.taken(name) != before else f"the engine left the order file {name} in {EXCHANGE}/orders", TAKEN_SECONDS)
        (path,) = self.taken(name) - before
        return path.split("/")[0]

    def taken(self, name: str) -> set[str]:
        """Return paths below the exchange folder to which files of this name have been moved."""
        found = self._inside.exchange(f'cd {EXCHANGE}; find orders-done orders-error -name "*-$1"', name, again=True)
        return set(found.split())

    def waiting(self) -> int:
        """Return how many order files the engine has not taken."""
        return len(self._inside.exchange(f"cd {EXCHANGE}/orders; find . -type f", again=True).split())

    def files(self, *folders: str) -> set[str]:
        """Return the paths below the exchange folder of all files in some of its folders, whatever their names."""
        return set(self._inside.exchange(f'cd {EXCHANGE}; find "$@" -type f', *folders, again=True).split())

    def disk_bytes(self) -> int:
        """Return the size of the exchange folder's file system."""
        blocks, size = self._inside.exchange(f"stat --file-system --format='%b %S' {EXCHANGE}", again=True).split()
        return int(blocks) * int(size)

    def fill_disk(self) -> None:
        """Take what is free on the exchange folder's file system."""
        self._inside.exchange(f'cat /dev/zero 2>/dev/null >>"{EXCHANGE}/$1" || :', FILLER)

    def free_disk(self) -> None:
        """Give it back."""
        self._inside.exchange(f'rm -f "{EXCHANGE}/$1"', FILLER)

    def results(self, number: int) -> dict[str, hl7.Message]:
        """Return result files that are about an order: name → message. Raises AssertionError for what the importer would refuse."""
        found = {}
        # Whole lines only of the order's number; the importer may move a file at any time, so one is looked for in both places.
        script = f"""cd {EXCHANGE}
for file in $(grep --no-messages --files-with-matches --recursive --include='*.hl7' "OBR|1|$1|" inbox results-error || :); do
  name=${{file##*/}}; echo "$name"; cat "inbox/$name" 2>/dev/null || cat "results-error/$name"; printf '\\0'
done"""
        for entry in self._inside.exchange(script, str(number), again=True).split("\0")[:-1]:
            name, _, text = entry.partition("\n")
            message = hl7v2.parse(text)
            unknown = {str(segment[0]) for segment in message} - KNOWN_SEGMENTS
            assert not unknown, f"the EMR's importer refuses the result file {name}: it has segments {', '.join(sorted(unknown))}"
            found[name] = message
        return found

    def wait_for_result(self, number: int, seconds: float = TAKEN_SECONDS) -> hl7.Message:
        """Return the one new result file of an order and take it away. Raises AssertionError when none comes."""
        wait_for(lambda: "" if self.results(number) else f"no result file for order {number} in {EXCHANGE}/inbox", seconds)
        ((name, message),) = self.results(number).items()
        # Where the importer refuses it, which it does within seconds: a file that is taken from under its hands would be a fault to it.
        refused = f"{EXCHANGE}/results-error/{name}"
        wait_for(
            lambda: "" if self._inside.exchange(f'[ ! -e "{refused}" ] || echo there', again=True) else f"{name} is not refused",
            TAKEN_SECONDS,
        )
        self._inside.exchange(f'rm "{refused}" "{refused}.reason"')
        return message

    def refused_results(self, number: int) -> list[str]:
        """Return why the importer refused result files that are about an order."""
        script = f"""cd {EXCHANGE}/results-error
for file in $(grep --no-messages --files-with-matches "OBR|1|$1|" *.hl7 || :); do cat "$file.reason"; printf '\\0'; done"""
        return self._inside.exchange(script, str(number), again=True).split("\0")[:-1]

    def statuses(self, accession: str) -> list[dict[str, Any]]:
        """Return what the EMR was told of the images of an accession number."""
        columns = {"order": "procedure_order_id", "procedure": "procedure_code", "study": "study_uid"}
        return self.database.rows(columns, f"FROM pacs_emr_images WHERE accession = {literal(accession)}")
