"""OpenEMR's own tables: what its rows must say, and the SQL that brings them there.

Everything here is pure: ``probe`` and ``reading`` are the SQL to ask, ``parse`` reads the answers, ``plan`` compares. Tables and columns
are those of OpenEMR 7.0.3 (openemr.md §3.1, §3.6); there is no API for any of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

#: Tables of OpenEMR that are read or written.
UPSTREAM = [
    *("users", "globals", "categories", "categories_seq", "background_services"),
    *("procedure_providers", "procedure_type", "procedure_questions"),
    *("patient_data", "procedure_order", "procedure_order_code", "forms", "log"),
]
#: What the engine's account may read, and nothing else.
READABLE = ["patient_data", "procedure_order", "procedure_order_code", "forms", "log"]
#: The lab's own tables: columns by name, then keys. A name of a file is one name in one spelling only, hence the other collation.
OWN: dict[str, tuple[dict[str, str], list[str]]] = {
    "pacs_emr_images": (
        {
            "accession": "varchar(64) NOT NULL",
            "procedure_order_id": "bigint NOT NULL",
            "procedure_code": "varchar(64) NOT NULL DEFAULT ''",
            "study_uid": "varchar(64) NOT NULL DEFAULT ''",
            "at": "datetime NOT NULL DEFAULT current_timestamp()",
        },
        ["PRIMARY KEY (`accession`)", "KEY `procedure_order_id` (`procedure_order_id`)"],
    ),
    "pacs_emr_result": (
        {"name": "varchar(255) COLLATE utf8mb4_bin NOT NULL", "at": "datetime NOT NULL DEFAULT current_timestamp()"},
        ["PRIMARY KEY (`name`)"],
    ),
}
COLLATION = "utf8mb4_general_ci"
#: The release whose tables these are, and its v_database; later ones have a higher.
RELEASE, DATABASE = (7, 0, 3), 506
#: Names of laboratories for which OpenEMR has a generator of its own, chosen by a part of the name (openemr.md §3.2, §3.6).
OTHER_GENERATORS = ("quest", "labcorp", "clarity")
NAME_LENGTH, CODE_LENGTH, GLOBAL_LENGTH = 63, 31, 255
#: A name in MSH-3 to MSH-6: no delimiter of HL7, and MSH-4 is part of an order file's name.
MSH_NAME = r"[A-Za-z0-9._-]{1,20}"
#: Accounts that the database's image makes.
OTHERS = ("root", "healthcheck")
#: In mysql.global_priv: says nothing of how one logs in.
PASSING = {"access", "version_id", "password_last_changed"}


class SeedError(ValueError):
    """What is asked for, or what is there, does not fit; the text says what to do."""


class NotInstalledError(SeedError):
    """OpenEMR has not made its tables yet."""


@dataclass(frozen=True)
class Settings:
    """What the rows must say. ``lab`` holds columns of procedure_providers, ``service`` of background_services.

    :raises SeedError: it cannot be
    """

    database: str
    user: str
    reader: str
    reader_password: str
    lab: Mapping[str, str]
    procedures: list[Mapping[str, Any]]
    question: Mapping[str, str]
    globals: Mapping[str, str]
    category: str
    service: Mapping[str, str]
    patient_menu: str

    def __post_init__(self) -> None:
        """Refuse what the tables cannot hold or OpenEMR would misunderstand. Raises SeedError."""
        for value in (self.database, self.user, self.reader):
            identifier(value)
        if self.reader in (self.user, *OTHERS):
            raise SeedError(f"reader is '{self.reader}', which is an account for something else: it would lose its rights")
        name = self.lab["name"]
        if not name.strip() or len(name) > NAME_LENGTH or any(word in name.lower() for word in OTHER_GENERATORS):
            raise SeedError(f"lab.name is '{name}': 1 to {NAME_LENGTH} characters, not blank, without {', '.join(OTHER_GENERATORS)}")
        for column in ("send_app_id", "send_fac_id", "recv_app_id", "recv_fac_id"):
            if not re.fullmatch(MSH_NAME, self.lab[column]):
                raise SeedError(f"lab.{column} is '{self.lab[column]}': 1 to 20 characters out of A-Z a-z 0-9 . _ -")
        seen: dict[str, str] = {folded(name): f"the lab's group '{name}'"}
        codes: set[str] = set()
        for row in self.procedures:
            lacking = [key for key in ("code", "name") if row.get(key) is None]
            if lacking:
                raise SeedError(f"procedures: a row lacks its {' and '.join(lacking)}: {dict(row)}")
        for code, called in self.compendium:
            if not code.strip() or len(code) > CODE_LENGTH or folded(code) in codes:
                raise SeedError(f"procedure '{code}': a code has 1 to {CODE_LENGTH} characters and is given once")
            if not called.strip() or len(called) > NAME_LENGTH:
                raise SeedError(f"procedure {code}: its name has {len(called)} characters, 1 to {NAME_LENGTH} are possible")
            if folded(called) in seen:
                raise SeedError(f"procedure {code} has the name of {seen[folded(called)]}: OpenEMR finds procedures by their names")
            codes.add(folded(code))
            seen[folded(called)] = f"procedure {code}"
        long = sorted(key for key, value in self.globals.items() if len(value) > GLOBAL_LENGTH)
        if long:
            raise SeedError(f"globals: {', '.join(long)}: longer than {GLOBAL_LENGTH} characters")

    @property
    def compendium(self) -> list[tuple[str, str]]:
        """Code and name of each procedure, in the order of the lab's table."""
        return [(str(row["code"]), str(row["name"])) for row in self.procedures]

    @property
    def all_globals(self) -> dict[str, str]:
        """The globals that are asked for, and the one that names the category of documents that come with results."""
        return {**self.globals, "lab_results_category_name": self.category}


@dataclass(frozen=True)
class Change:
    """One thing that differs, by the name that an operator knows it by."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Variable:
    """The id of a row that is inserted in the same script."""

    name: str

    def __str__(self) -> str:
        return "(new)"


#: Columns of a row.
Values = dict[str, str | int | Variable]


@dataclass
class State:
    """What is there. ``rows`` by table; ``columns`` of our own tables; ``login`` and ``grants`` of the engine's account."""

    tables: set[str] = field(default_factory=set)
    columns: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    accounts: set[str] = field(default_factory=set)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    login: dict[str, Any] = field(default_factory=dict)
    grants: set[str] = field(default_factory=set)


# --- words of SQL ----------------------------------------------------------------------------------------------------


def literal(value: str | int | Variable) -> str:
    """Return a value as SQL. Text is written in hexadecimal: nothing in it can mean anything to the client or the server.

    :raises SeedError: the text holds a NUL, or is no Unicode
    """
    if isinstance(value, Variable):
        return value.name
    if isinstance(value, int):
        return str(int(value))
    if "\0" in value:
        raise SeedError(f"a text with a NUL character is refused: {value!r}")
    try:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    except UnicodeEncodeError as error:
        raise SeedError(f"a text that is no Unicode is refused: {value!r}") from error


def identifier(name: str) -> str:
    """Return a name of a database, table, column or account as SQL. Raises SeedError when it is anything but [A-Za-z0-9_]."""
    if not re.fullmatch(r"\w{1,64}", name, re.ASCII):
        raise SeedError(f"'{name}' cannot be a name in the EMR's database: 1 to 64 of A-Z a-z 0-9 _")
    return f"`{name}`"


def native_hash(password: str) -> str:
    """Return what the server keeps of a password (plugin mysql_native_password): it compares without showing, and can be set."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def folded(text: str) -> str:
    """Return a text as utf8mb4_general_ci compares it: without case, accents, and blanks at the end."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char)).rstrip(" ")


def assignments(values: Values) -> str:
    """Return ``column = value`` of each."""
    return ", ".join(f"{identifier(column)} = {literal(value)}" for column, value in values.items())


def account(name: str) -> str:
    """Return an account from any address as SQL."""
    return f"{identifier(name)}@`%`"


# --- reading ---------------------------------------------------------------------------------------------------------


def select(what: str, columns: Iterable[str], source: str) -> str:
    """Return a query that answers with a line of JSON for each row, which says in ``in`` what it is of."""
    pairs = ", ".join(f"'{column}', {identifier(column)}" for column in columns)
    return f"SELECT JSON_OBJECT('in', '{what}', {pairs}) FROM {source};\n"


def probe(settings: Settings) -> str:
    """Return the SQL that asks which tables, columns and accounts there are."""
    wanted = ", ".join(f"'{table}'" for table in ["version", *UPSTREAM, *OWN])
    own = ", ".join(f"'{table}'" for table in OWN)
    within = f"TABLE_SCHEMA = {literal(settings.database)} AND TABLE_NAME IN"
    names = ", ".join(literal(name) for name in (settings.user, settings.reader))
    return (
        select("tables", ["TABLE_NAME"], f"information_schema.TABLES WHERE {within} ({wanted})")
        + select("columns", ["TABLE_NAME", "COLUMN_NAME"], f"information_schema.COLUMNS WHERE {within} ({own})")
        + select("accounts", ["User"], f"mysql.global_priv WHERE Host = '%' AND User IN ({names})")
    )


def reading(settings: Settings, state: State) -> str:
    """Return the SQL that asks for all that ``plan`` looks at.

    :raises NotInstalledError: there are no tables of OpenEMR yet, or not all
    """
    if "version" not in state.tables:
        raise NotInstalledError(f"OpenEMR is not installed yet: the database {settings.database} has no table version")
    lacking = [table for table in UPSTREAM if table not in state.tables]
    if lacking:
        raise NotInstalledError(f"OpenEMR is not installed completely: the database {settings.database} lacks {', '.join(lacking)}")
    lab = literal(settings.lab["name"])
    labs = f"(SELECT ppid FROM procedure_providers WHERE name = {lab})"
    names = ", ".join(literal(called) for _, called in settings.compendium) or "NULL"
    known = ", ".join(literal(key) for key in settings.all_globals)
    kind = ["procedure_type_id", "parent", "name", "lab_id", "procedure_code", "procedure_type", "procedure_type_name", "seq", "activity"]
    asked = ["lab_id", "procedure_code", "question_code", "question_text", "fldtype", "activity"]
    sql = [
        f"USE {identifier(settings.database)};\n",
        select("version", ["v_major", "v_minor", "v_patch", "v_database"], "version"),
        select(
            "users",
            ["id", "username", "abook_type", "organization", "npi", "active", "patient_menu_role"],
            "users WHERE username <> '' OR abook_type = 'ord_img' ORDER BY id",
        ),
        select("procedure_providers", ["ppid", *settings.lab, "lab_director", "active"], "procedure_providers ORDER BY ppid"),
        select(
            "procedure_type",
            kind,
            f"procedure_type WHERE lab_id IN {labs} OR name IN ({names}) OR (procedure_type = 'grp' AND name = {lab})"
            " ORDER BY procedure_type_id",
        ),
        select("procedure_questions", asked, f"procedure_questions WHERE lab_id IN {labs} ORDER BY procedure_code, question_code"),
        select("globals", ["gl_name", "gl_value"], f"globals WHERE gl_index = 0 AND gl_name IN ({known})"),
        select("categories", ["id", "name", "parent"], "categories ORDER BY id"),
        select(
            "background_services",
            ["name", "active", "execute_interval", "title", "function", "require_once"],
            f"background_services WHERE name = {literal(settings.service['name'])}",
        ),
    ]
    if settings.reader in state.accounts:
        sql += [
            select("login", ["Priv"], f"mysql.global_priv WHERE Host = '%' AND User = {literal(settings.reader)}"),
            f"SHOW GRANTS FOR {account(settings.reader)};\n",
        ]
    return "".join(sql)


def parse(state: State, answer: str) -> State:
    """Add the lines that the client printed to what is known."""
    for line in answer.split("\n"):
        if not line:
            continue
        if not line.startswith("{"):
            state.grants.add(line)
            continue
        row: dict[str, Any] = json.loads(line)
        what = row.pop("in")
        if what == "tables":
            state.tables.add(row["TABLE_NAME"])
        elif what == "columns":
            state.columns[row["TABLE_NAME"]].add(row["COLUMN_NAME"])
        elif what == "accounts":
            state.accounts.add(row["User"])
        elif what == "login":
            state.login = row["Priv"]
        else:
            state.rows[what].append(row)
    return state


# --- comparing -------------------------------------------------------------------------------------------------------


class Plan:
    """What differs, the SQL that mends it, and what an operator should know besides.

    :raises SeedError: what is there does not fit
    """

    def __init__(self, settings: Settings, state: State) -> None:
        self.settings, self.state = settings, state
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.structure: list[str] = []
        self.rows: list[str] = []
        self.logins: list[str] = []
        self.installed()
        self.own_tables()
        lab = self.lab(self.address_book())
        self.compendium(lab)
        self.questions(lab)
        self.globals()
        self.category()
        self.service()
        self.menus()
        self.reader()

    @property
    def script(self) -> str:
        """The SQL: our tables, then the rows in one transaction, then the account. The client stops at the first error."""
        rows = ["START TRANSACTION", *self.rows, "COMMIT"] if self.rows else []
        return "".join(f"{statement};\n" for statement in [*self.structure, *rows, *self.logins])

    def note(self, what: str, before: str, after: str) -> None:
        """Remember a change."""
        self.changes.append(Change(what, before, after))

    def row(
        self,
        what: str,
        table: str,
        found: Row | None,
        key: list[str],
        wanted: Values,
        first: Values | None = None,
    ) -> bool:
        """Insert a row, or change the columns of it that differ; return whether it is a new one.

        :param key: columns that identify a row that was found
        :param first: further columns of a new row
        """
        if found is None:
            self.note(what, "", shown(wanted))
            self.rows.append(f"INSERT INTO {identifier(table)} SET {assignments({**wanted, **(first or {})})}")
            return True
        differing = {column: value for column, value in wanted.items() if found[column] != value}
        if differing:
            self.note(what, shown({column: found[column] for column in differing}), shown(differing))
            where = " AND ".join(f"{identifier(column)} = {literal(found[column])}" for column in key)
            self.rows.append(f"UPDATE {identifier(table)} SET {assignments(differing)} WHERE {where}")
        return False

    def inserted(self, name: str) -> Variable:
        """Keep the id of the row that was inserted last for the statements after it."""
        self.rows.append(f"SET {name} = LAST_INSERT_ID()")
        return Variable(name)

    def installed(self) -> None:
        """Refuse an OpenEMR whose tables are other ones."""
        found = self.state.rows["version"]
        if not found or found[0]["v_major"] == 0:
            raise NotInstalledError("OpenEMR is not installed yet: its table version is empty")
        release = tuple(found[0][column] for column in ("v_major", "v_minor", "v_patch"))
        text = f"{'.'.join(str(number) for number in release)} with tables of version {found[0]['v_database']}"
        if release[:2] != RELEASE[:2] or release < RELEASE:
            raise SeedError(f"the EMR's database is that of OpenEMR {text}: the lab knows the tables of 7.0.3 and later 7.0 releases only")
        if found[0]["v_database"] < DATABASE:
            raise SeedError(
                f"the EMR's database is that of OpenEMR {text} instead of {DATABASE}: its upgrade was not finished (openemr.md §6)"
            )
        if self.settings.user not in self.state.accounts:
            raise SeedError(f"OpenEMR's own account {self.settings.user}@% is missing in its database: its installer makes it")

    def own_tables(self) -> None:
        """Make our tables, or the columns that one of them lacks."""
        for table, (columns, keys) in OWN.items():
            if table not in self.state.tables:
                parts = ", ".join([*(f"{identifier(column)} {kind}" for column, kind in columns.items()), *keys])
                self.note(f"table {table}", "", f"columns: {', '.join(columns)}\n")
                self.structure.append(
                    f"CREATE TABLE {identifier(table)} ({parts}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {COLLATION}"
                )
                continue
            for column in [column for column in columns if column not in self.state.columns[table]]:
                self.note(f"table {table}", "", f"column: {column}\n")
                self.structure.append(f"ALTER TABLE {identifier(table)} ADD COLUMN {identifier(column)} {columns[column]}")

    def address_book(self) -> int | Variable:
        """The organisation that the provider belongs to; return its id."""
        name = self.settings.lab["name"]
        known = [row for row in self.state.rows["users"] if row["abook_type"] == "ord_img" and not row["username"]]
        found = [row for row in known if folded(row["organization"] or "") == folded(name)]
        wanted: Values = {"organization": name, "npi": self.settings.lab["npi"], "active": 1}
        new: Values = {"username": "", "abook_type": "ord_img", "authorized": 0, "see_auth": 0}
        if self.row(f"address-book entry {name}", "users", found[0] if found else None, ["id"], wanted, new):
            return self.inserted("@address")
        return int(found[0]["id"])

    def lab(self, address: int | Variable) -> int | Variable:
        """The procedure provider; return its id."""
        name = self.settings.lab["name"]
        found = [row for row in self.state.rows["procedure_providers"] if folded(row["name"]) == folded(name)]
        if len(found) > 1:
            raise SeedError(
                f"OpenEMR has {len(found)} procedure providers named '{name}' (ppid {', '.join(str(row['ppid']) for row in found)}): give"
                " all but one another name, in Procedures, Providers"
            )
        wanted = {**self.settings.lab, "lab_director": address, "active": 1}
        if self.row(f"procedure provider {name}", "procedure_providers", found[0] if found else None, ["ppid"], wanted):
            return self.inserted("@lab")
        return int(found[0]["ppid"])

    def compendium(self, lab: int | Variable) -> None:
        """One group, and in it a row for each procedure. What left the table stays as a row: orders refer to it."""
        name, rows, key = self.settings.lab["name"], self.state.rows["procedure_type"], ["procedure_type_id"]
        groups = [row for row in rows if row["procedure_type"] == "grp" and not row["parent"] and folded(row["name"]) == folded(name)]
        top = groups[0] if groups else None
        wanted: Values = {"name": name, "lab_id": lab, "activity": 1}
        if self.row(f"procedure group {name}", "procedure_type", top, key, wanted, {"procedure_type": "grp", "parent": 0}):
            group: int | Variable = self.inserted("@group")
        else:
            group = int(groups[0]["procedure_type_id"])
        ours = [row for row in rows if row["lab_id"] == lab and row["procedure_type"] in ("ord", "pro")]
        kept = {row["procedure_type_id"] for row in groups}
        for number, (code, called) in enumerate(self.settings.compendium, 1):
            same = [row for row in ours if folded(row["procedure_code"]) == folded(code) and row["procedure_type"] == "ord"]
            found = same[0] if same else None
            wanted = {"name": called, "procedure_code": code, "parent": group, "procedure_type_name": "imaging"}
            wanted |= {"seq": number, "activity": 1}
            self.row(f"procedure {code}", "procedure_type", found, key, wanted, {"procedure_type": "ord", "lab_id": lab})
            if found:
                kept.add(found["procedure_type_id"])
        called_now = {folded(called): code for code, called in self.settings.compendium}
        for row in [row for row in rows if row["procedure_type_id"] not in kept]:
            code, called = row["procedure_code"], row["name"]
            clash = folded(called) in called_now
            if row in ours:
                # Its name is taken by another: "Electronic Reports" joins by name alone, so an order would leave with two lines for one.
                suffix = f" ({code[:20]})"
                retired = {"name": called[: NAME_LENGTH - len(suffix)] + suffix} if clash else {}
                self.row(f"procedure {code}", "procedure_type", row, key, {"activity": 0, **retired})
            elif clash:
                self.warnings.append(
                    f"the name '{called}' of procedure {called_now[folded(called)]} is in OpenEMR's catalogue once more"
                    f" (procedure_type_id {row['procedure_type_id']}): its page Electronic Reports would send such an order twice;"
                    " give one of them another name"
                )

    def questions(self, lab: int | Variable) -> None:
        """Ask for the reason of each examination; under one code only."""
        code, text = self.settings.question["code"], self.settings.question["text"]
        rows = {(folded(row["procedure_code"]), folded(row["question_code"])): row for row in self.state.rows["procedure_questions"]}
        key = ["lab_id", "procedure_code", "question_code"]
        for procedure, _ in self.settings.compendium:
            found = rows.get((folded(procedure), folded(code)))
            wanted: Values = {"procedure_code": procedure, "question_code": code}
            wanted |= {"question_text": text, "fldtype": "T", "activity": 1}
            self.row(f"question {code} of {procedure}", "procedure_questions", found, key, wanted, {"lab_id": lab, "seq": 1})
        for (_, other), row in rows.items():
            if other != folded(code) and row["question_text"] == text:
                what = f"question {row['question_code']} of {row['procedure_code']}"
                self.row(what, "procedure_questions", row, key, {"activity": 0})

    def globals(self) -> None:
        """Values of OpenEMR's settings; it makes their rows itself, so one without a row is a wrong name."""
        rows = {row["gl_name"]: row for row in self.state.rows["globals"]}
        unknown = [name for name in self.settings.all_globals if name not in rows]
        if unknown:
            raise SeedError(f"globals: OpenEMR has no setting {', '.join(unknown)}")
        for name, value in self.settings.all_globals.items():
            self.row(f"global {name}", "globals", {**rows[name], "gl_index": 0}, ["gl_name", "gl_index"], {"gl_value": value})

    def category(self) -> None:
        """The category of documents that come with results: a last branch of the tree, which is kept as nested sets."""
        name, rows = self.settings.category, self.state.rows["categories"]
        if any(folded(row["name"] or "") == folded(name) for row in rows):
            return
        root = next((row["id"] for row in rows if row["parent"] == 0), None)
        if root is None:
            raise SeedError("OpenEMR's table categories has no root (parent 0): its document categories are damaged")
        self.note(f"document category {name}", "", f"parent: {root}\n")
        values = f"{literal(name)}, '', {literal(root)}, @edge, @edge + 1"
        self.rows += [
            f"SELECT rght INTO @edge FROM categories WHERE id = {literal(root)} FOR UPDATE",
            "UPDATE categories SET rght = rght + 2 WHERE rght >= @edge",
            "UPDATE categories SET lft = lft + 2 WHERE lft >= @edge",
            "UPDATE categories_seq SET id = GREATEST(id, (SELECT MAX(id) FROM categories)) + 1",
            f"INSERT INTO categories (id, name, value, parent, lft, rght) SELECT MAX(id), {values} FROM categories_seq",
        ]

    def service(self) -> None:
        """The background service; whether it is running is not ours to say."""
        rows = self.state.rows["background_services"]
        wanted: Values = {**self.settings.service, "active": 1, "execute_interval": 1}
        name = self.settings.service["name"]
        self.row(f"background service {name}", "background_services", rows[0] if rows else None, ["name"], wanted, {"running": 0})

    def menus(self) -> None:
        """Give each user the patient menu. Forms of OpenEMR post another value again: the background service sees to that."""
        for row in self.state.rows["users"]:
            if row["username"]:
                self.row(f"patient menu of {row['username']}", "users", row, ["id"], {"patient_menu_role": self.settings.patient_menu})

    def reader(self) -> None:
        """The engine's account: its password, TLS required, five tables to read and nothing else."""
        name, hashed = self.settings.reader, native_hash(self.settings.reader_password)
        login = f"{account(name)} IDENTIFIED BY PASSWORD '{hashed}' REQUIRE SSL"
        database, what = identifier(self.settings.database), f"account {name}"
        wanted = {table: f"GRANT SELECT ON {database}.{identifier(table)} TO {account(name)}" for table in READABLE}
        given = {line for line in self.state.grants if not line.startswith("GRANT USAGE ON *.* TO") or line.endswith("WITH GRANT OPTION")}
        lacking = [table for table, grant in wanted.items() if grant not in given]
        surplus = sorted(given - set(wanted.values()))
        if name not in self.state.accounts:
            self.note(what, "", f"password: (that of the lab's secrets)\nTLS: required\nreads: {', '.join(READABLE)}\n")
            self.logins += [f"CREATE USER {login}", *wanted.values()]
            return
        found = self.state.login
        before, after = "", ""
        if found.get("authentication_string") != hashed or found.get("plugin") != "mysql_native_password":
            before, after = before + "password: (another one)\n", after + "password: (that of the lab's secrets)\n"
        if found.get("ssl_type") != 1:
            before, after = before + "TLS: not required, or otherwise\n", after + "TLS: required\n"
        # Locked, expired, limited in its use, with another way to log in: all of it in one word.
        usual = PASSING | {"authentication_string", "plugin", "ssl_type"}
        other = {key: value for key, value in found.items() if key not in usual and value}
        if found.get("password_last_changed") == 0:
            other["password_expired"] = True
        if other:
            before += f"besides: {', '.join(sorted(other))}\n"
        if lacking:
            after += f"reads: {', '.join(lacking)}\n"
        before += "".join(f"surplus: {line}\n" for line in surplus)
        if not before and not after:
            return
        self.note(what, before, after)
        if other or surplus:
            self.logins += [f"CREATE OR REPLACE USER {login}", *wanted.values()]
            return
        if "password" in after or "TLS" in after:
            self.logins.append(f"ALTER USER {login}")
        self.logins += [wanted[table] for table in lacking]


def shown(values: Mapping[str, Any]) -> str:
    """Return columns and values as lines of a diff."""
    return "".join(f"{column}: {'' if value is None else value}\n" for column, value in values.items())
