"""Nothing that was acknowledged is lost, and the order is kept: engine killed, database restarted, peer away, all under load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import wait_for

from ..conftest import Container, Engine, docker
from .support import (
    EXTERNAL,
    ROUTED,
    Pushed,
    Receiver,
    Sender,
    Server,
    acknowledgement,
    adt,
    frame,
    read_frame,
    run_database,
    run_engine,
    sender,
)

pytestmark = pytest.mark.skipif(bool(EXTERNAL), reason="kills and restarts containers")
MESSAGES = 200
PORT = 16661


@pytest.fixture
def lab(engine: Engine) -> tuple[Server, Container]:
    """An engine of one test, and its database."""
    network = engine.network()
    database = run_database(engine, network)
    gateway = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network).stdout.strip()
    container = run_engine(engine, network, DATABASE_MAX_RETRY="60", DATABASE_RETRY_WAIT="500")
    host = container.address()
    server = Server(f"https://{host}:8443", host, gateway, Path("/"), container)
    server.wait_until_up()
    return server, database


def send_all(server: Server, stop: threading.Event) -> None:
    """Send the messages one after the other; the next only when the last was acknowledged, by its MSA-2; again over a new connection."""
    client: Sender | None = None
    for number in range(MESSAGES):
        acknowledged = False
        while not acknowledged and not stop.is_set():
            try:
                client = client or Sender(server.host, PORT, timeout=5)
                acknowledged = f"MSA|AA|{number}" in client.ask(adt(str(number)))
            except OSError:
                stop.wait(0.2)
            if not acknowledged:
                client = None


@pytest.mark.parametrize("event", ["engine killed", "database restarted", "peer away"])
def test_under_load(lab: tuple[Server, Container], event: str) -> None:
    """P §5.2, §11.3: 200 of 200, in order; a message that was stored and not acknowledged may come twice (M §3.4).

    A peer that closes without a byte is no error for the sender: only the response transformer sees that nothing was answered.
    """
    server, database = lab
    pushed = Pushed(server)
    peer = Receiver()
    settings = {
        "listenerConnectorProperties.port": str(PORT),
        "charsetEncoding": "UTF-8",
        "sourceConnectorProperties.responseVariable": ROUTED["sourceConnectorProperties.responseVariable"],
    }
    destination = {**sender(server, peer.port), "response": ["answer.js"]}
    answer = "if (response.getMessage() === null || String(response.getMessage()) === '') responseStatus = QUEUED;"
    pushed.push({"source": {"type": "tcp", "data": "HL7V2", "set": settings}, "destinations": [destination]}, {"answer.js": answer})
    stop = threading.Event()
    client = threading.Thread(target=send_all, args=(server, stop))
    client.start()
    try:
        wait_for(lambda: "" if len(peer.got) > MESSAGES // 4 else f"{len(peer.got)} came", 60, pause=0.02)
        EVENTS[event](server, database, peer)
        wait_for(lambda: "" if peer.got and f"|{MESSAGES - 1}|P|" in peer.got[-1] else f"{len(peer.got)} came", 120, pause=0.2)
    finally:
        stop.set()
        client.join()
        peer.close()
    got = [int(text.split("|")[9]) for text in peer.got]
    assert sorted(set(got)) == list(range(MESSAGES)), "lost"
    assert got == sorted(got), "out of order"
    assert len(got) - MESSAGES <= 4


def psql(database: Container, statement: str) -> str:
    return database.exec("psql", "-h", "/var/run/postgresql", "-U", "mirth", "-qAt", "-c", statement, check=False)


@contextmanager
def connection_breaks(database: Container) -> Iterator[None]:
    """Break the next connection that writes, while it does: what is done in the block waits for a lock, and is cut off there."""
    lock = (
        "BEGIN; SET LOCAL application_name = 'breaker'; DO $$ DECLARE t regclass; BEGIN"
        " FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        " LOOP EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', t);"
        " END LOOP; END $$; SELECT pg_sleep(60)"
    )
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'breaker' AND query ~ 'pg_sleep' AND wait_event = 'PgSleep'"
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query !~* 'd_ms[0-9]'"
    breaker = threading.Thread(target=psql, args=(database, lock))
    breaker.start()
    try:
        wait_for(lambda: "" if psql(database, held).strip() == "1" else "nothing is locked", 20, pause=0.1)
        yield
        wait_for(lambda: "" if psql(database, cut).strip() else "nothing waits", 20, pause=0.1)
    finally:
        psql(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'breaker'")
        breaker.join()


def is_answered(client: Sender) -> bool:
    try:
        return read_frame(client.connection) != b""
    except TimeoutError:
        return False


def test_connection_that_breaks(lab: tuple[Server, Container]) -> None:
    """Channel.dispatchRawMessage of 4.5.2: an error before the message is stored is the source's, which gives no answer; one in its
    processing leaves the message RECEIVED, without an answer, until the channel starts again."""
    server, database = lab
    settings = {"listenerConnectorProperties.port": str(PORT), **ROUTED}
    source = {"type": "tcp", "data": "HL7V2", "set": settings}
    channel_id = Pushed(server).push(
        {
            "source": source,
            "destinations": [{"name": "out", "type": "js", "data": "RAW", "script": "out.js"}],
            "scripts": {"pre": "slow.js"},
        },
        {
            "slow.js": "if (String(message).indexOf('|slow|') > 0) java.lang.Thread.sleep(4000); return message;",
            "out.js": "return 'done';",
        },
    )
    lost, slow = Sender(server.host, PORT, timeout=5), Sender(server.host, PORT, timeout=5)
    with connection_breaks(database):
        lost.connection.sendall(frame(adt("lost")))
    assert not is_answered(lost)
    assert server.statuses(channel_id, 0) == []
    slow.connection.sendall(frame(adt("slow")))
    server.wait_for_statuses(channel_id, ["RECEIVED"], 0)
    with connection_breaks(database):
        pass
    assert not is_answered(slow)
    assert server.statuses(channel_id, 0) == ["RECEIVED"]
    assert "MSA|AA|next" in Sender(server.host, PORT).ask(adt("next"))
    for action in ("_stop", "_start"):
        assert server.call("POST", f"/channels/{channel_id}/{action}?returnErrors=true").status_code == 204
    server.wait_for_statuses(channel_id, ["TRANSFORMED", "TRANSFORMED"], 0)


def kill_engine(server: Server, database: Container, peer: Receiver) -> None:
    server.kill_and_start()


def restart_database(server: Server, database: Container, peer: Receiver) -> None:
    docker("restart", "--time", "5", database.name)


def silence_peer(server: Server, database: Container, peer: Receiver) -> None:
    """The peer drops its connections without an answer for a while."""
    peer.reply = lambda number, text: b""
    for connection in peer.open:
        connection.close()
    dropped = len(peer.got)
    wait_for(lambda: "" if len(peer.got) > dropped + 1 else "it was not tried again", 20, pause=0.1)
    peer.got = peer.got[:dropped]
    peer.reply = lambda number, text: acknowledgement(text)


EVENTS: dict[str, Callable[[Server, Container, Receiver], None]] = {
    "engine killed": kill_engine,
    "database restarted": restart_database,
    "peer away": silence_peer,
}
