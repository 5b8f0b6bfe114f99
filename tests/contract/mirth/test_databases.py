"""Database Reader in script mode, and databases from scripts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from waiting import wait_for

from ..conftest import Container, Engine, docker
from .support import Pushed, Server, answer_of, run_database

WRITER = {"name": "out", "type": "js", "data": ["XML", "RAW"], "script": "out.js"}


@dataclass
class Database:
    """A PostgreSQL of the tests' own, with a HikariCP pool for the scripts, as the lab's channels have it."""

    container: Container

    @property
    def code(self) -> str:
        """The scripts' way to it."""
        return (
            f"function pool() {{ var key = 'contract pool {self.container.name}', p = globalMap.get(key); if (p != null) return p;"
            " var c = new Packages.com.zaxxer.hikari.HikariConfig();"
            f" c.setJdbcUrl('jdbc:postgresql://{self.container.address()}:5432/mirth?stringtype=unspecified'); c.setUsername('mirth');"
            " c.setPassword('db.Secret_1');"
            " c.setMaximumPoolSize(4); c.setMinimumIdle(0); c.setConnectionTimeout(3000); c.setInitializationFailFast(false);"
            " p = new Packages.com.zaxxer.hikari.HikariDataSource(c); globalMap.put(key, p); return p; }\n"
            "function query(sql, values) { var c = pool().getConnection(); try { var s = c.prepareStatement(sql), i;"
            " for (i = 0; i &lt; (values || []).length; i++) s.setString(i + 1, new java.lang.String(String(values[i])));"
            " if (!s.execute()) return []; var r = s.getResultSet(), out = [];"
            " while (r.next()) out.push(String(r.getString(1))); return out;"
            " } finally { c.close(); } }"
        )

    def sql(self, statement: str) -> str:
        """Run a statement in it."""
        return self.container.exec("psql", "-h", "/var/run/postgresql", "-U", "mirth", "-qAt", "-c", statement)


@pytest.fixture(scope="module")
def database(shared_engine: Engine, server: Server) -> Iterator[Database]:
    network = shared_engine.network()
    made = Database(run_database(shared_engine, network))
    made.sql("CREATE TABLE person (id int, name text, note text); CREATE TABLE seen (id text PRIMARY KEY)")
    if server.container:
        docker("network", "connect", network, server.container.name)
    yield made
    if server.container:
        docker("network", "disconnect", "--force", network, server.container.name)


def reader(pushed: Pushed, database: Database, select: str, update: str = "return;", mode: int = 3) -> str:
    """A Database Reader with its two scripts; the messages' name goes into the answer."""
    settings = {
        "driver": "org.postgresql.Driver",
        "url": "unused",
        "useScript": True,
        "updateMode": mode,
        "keepConnectionOpen": False,
        "retryCount": 0,
        "pollConnectorProperties.pollingFrequency": 300,
        "pollConnectorProperties.pollOnStart": True,
        "sourceConnectorProperties.responseVariable": "Auto-generate (After source transformer)",
    }
    source = {"type": "db", "data": "XML", "set": settings, "scripts": {"select": "select.js", "update": "update.js"}}
    out = (
        "var x = new XML(String(connectorMessage.getRawData()).replace(/^<\\?xml[^>]*\\?>\\s*/, ''));"
        " return x['id'].toString() + ' ' + x['name'].toString() + ' ' + x['note'].length();"
    )
    made = pushed.make({"source": source, "destinations": [WRITER]}, {"select.js": select, "update.js": update, "out.js": out})
    pushed.library(made.id, database.code)
    pushed.server.put(made)
    assert pushed.server.deploy(made.id).status_code == 204
    return str(made.id)


SELECT = (
    "var rows = new java.util.ArrayList();"
    'query("SELECT row_to_json(p)::text FROM person p WHERE p.id::text NOT IN (SELECT id FROM seen) ORDER BY id").forEach(function (line) {'
    " var o = JSON.parse(line), row = new java.util.HashMap(), k;"
    " for (k in o) row.put(k.toUpperCase(), o[k] === null ? null : String(o[k]));"
    " rows.add(row); }); return rows;"
)
UPDATE = "query('INSERT INTO seen VALUES (?)', [resultMap.get('id')]);"


def test_rows_become_messages_once(server: Server, pushed: Pushed, database: Database) -> None:
    """P §1.2: one XML per row, column names in small letters, a null column left out; the update script sees resultMap; nothing on
    an idle poll."""
    database.sql("TRUNCATE person, seen; INSERT INTO person VALUES (1, 'Zoë <&> \"山田\"', NULL), (2, 'B', 'n')")
    channel_id = reader(pushed, database, SELECT, UPDATE)
    server.wait_for_statuses(channel_id, ["SENT", "SENT"])
    assert [answer_of(message[1]) for message in server.messages(channel_id)] == ['1 Zoë <&> "山田" 0', "2 B 1"]
    database.sql("INSERT INTO person VALUES (3, 'C', NULL)")
    server.wait_for_statuses(channel_id, ["SENT"] * 3)
    assert database.sql("SELECT count(*) FROM seen").strip() == "3"
    assert (server.messages(channel_id)[2][0].findtext("raw/content") or "").count("<id>3</id>") == 1


def test_array_is_refused(server: Server, pushed: Pushed, database: Database) -> None:
    """P §1.2: the script returns a java.util.List, a JavaScript array is no list of maps: no message, the channel goes on."""
    channel_id = reader(pushed, database, "return [{id: 1}];", mode=1)
    other = reader(pushed, database, "return new java.util.ArrayList();", mode=1)
    wait_for(lambda: "" if server.state(other) == "STARTED" else "not started", 5)
    assert server.state(channel_id) == "STARTED"
    assert server.messages(channel_id) == []


def test_database_that_is_away(server: Server, pushed: Pushed, database: Database) -> None:
    """P §1.2: the channel stays STARTED and goes on by itself, with the pool that it has."""
    database.sql("TRUNCATE person, seen; INSERT INTO person VALUES (1, 'A', NULL)")
    channel_id = reader(pushed, database, SELECT, UPDATE)
    server.wait_for_statuses(channel_id, ["SENT"])
    docker("restart", database.container.name)
    database.container.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "mirth")
    assert server.state(channel_id) == "STARTED"
    database.sql("INSERT INTO person VALUES (2, 'B', NULL)")
    server.wait_for_statuses(channel_id, ["SENT", "SENT"], seconds=40)


def test_connection_factory(server: Server, pushed: Pushed, database: Database) -> None:
    """P §3.1: executeCachedQuery with a list; executeUpdate gives the count."""
    address = f"jdbc:postgresql://{database.container.address()}:5432/mirth"
    code = (
        "var l = new java.util.ArrayList(), r;"
        f"var c = DatabaseConnectionFactory.createDatabaseConnection('org.postgresql.Driver', '{address}', 'mirth', 'db.Secret_1');"
        "try { l.add(new java.lang.String('7')); r = c.executeCachedQuery('SELECT ?::int + 1 AS n', l); r.next();"
        " return r.getString('n') + ' ' + c.executeUpdate('INSERT INTO seen SELECT random()::text'); } finally { c.close(); }"
    )
    channel_id = pushed.writer(code)
    server.inject(channel_id, uuid.uuid4().hex, 1)
    assert answer_of(server.messages(channel_id)[0][1]) == "8 1"
