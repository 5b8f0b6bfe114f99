"""One thing at a time is broken: exactly the checks of that function turn red, in a sentence that names it (F-TEST-1).

What only the address can tell, a decoy or a relay shows: the suite is told its address instead of the archive's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from acceptance import hl7v2
from acceptance.emr import Order, Procedure
from acceptance.lab import load
from acceptance.orders import NUMBERS, Clinic, fresh_person
from acceptance.phantoms import Identity, all_studies
from conftest import TOLD, Lab
from pynetdicom import AE, AllStoragePresentationContexts, QueryRetrievePresentationContexts, evt
from suite import Suite
from waiting import wait_for

EDGE = "/opt/pacs-emr/edge/haproxy.cfg"
#: Both ends of DICOM and DICOMweb with one study; the edge's whole list of calls.
DICOM, WEB = "(echo or mr or unknown) and not emr", "edge"
RELAY = """
import asyncio, socket, sys
async def pump(reader, writer):
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()
async def relay(*caller):
    archive = await asyncio.open_connection("127.0.0.1", 11112)
    await asyncio.gather(pump(caller[0], archive[1]), pump(archive[0], caller[1]), return_exceptions=True)
async def main():
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[1], 11199))
    await (await asyncio.start_server(relay, sock=listener)).serve_forever()
asyncio.run(main())
"""


@contextmanager
def archive_listens_at(address: str, lab: Lab) -> Iterator[dict[str, Any]]:
    """The archive listens at one address of its server only, in the notation of IPv6."""
    process = lab.server.check_output("nohup python3 -c %s %s >/dev/null 2>&1 & echo $!", RELAY, address)
    try:
        wait_for(lambda: "" if lab.server.run("nc -z 127.0.0.1 11199").rc == 0 else "the relay does not listen", 10)
        yield {"dicom": {"host": lab.archive.where.host, "port": 11199, "ae_title": "DCM4CHEE", "worklist_ae_title": "WORKLIST"}}
    finally:
        lab.server.check_output("kill %s", process)


@contextmanager
def decoy(lab: Lab) -> Iterator[dict[str, Any]]:
    """Something listens at the archive's port and answers everything with success."""
    ae = AE("DECOY")
    for context in [*AllStoragePresentationContexts, *QueryRetrievePresentationContexts]:
        ae.add_supported_context(context.abstract_syntax or "")
    ae.add_supported_context("1.2.840.10008.1.1")
    good: list[evt.EventHandlerType] = [
        (evt.EVT_C_STORE, lambda event: 0),
        (evt.EVT_C_FIND, lambda event: iter(())),
        (evt.EVT_C_GET, lambda event: iter((0,))),
        (evt.EVT_C_MOVE, lambda event: iter((("127.0.0.1", 1), 0))),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=good)
    assert server is not None
    try:
        port = server.server_address[1]
        yield {"dicom": {"host": "127.0.0.1", "port": port, "ae_title": "DCM4CHEE", "worklist_ae_title": "WORKLIST"}}
    finally:
        ae.shutdown()


@contextmanager
def edge_configured(old: str, new: str, lab: Lab) -> Iterator[dict[str, Any]]:
    """The edge has another line in its configuration."""
    good = lab.server.file(EDGE).content_string
    assert old in good
    try:
        edge_takes(lab, good.replace(old, new))
        yield {}
    finally:
        edge_takes(lab, good)


def edge_takes(lab: Lab, configuration: str) -> None:
    """Write the mounted file in place, and have the edge read it."""
    lab.server.check_output(f"printf %s %s > {EDGE}", "%s", configuration)
    lab.docker("restart", "pacs-emr-edge-1")
    edge_sees_all(lab)


def edge_sees_all(lab: Lab) -> None:
    """Wait until the edge has found its backends."""

    def complaint() -> str:
        said = str(lab.server.run("docker exec pacs-emr-edge-1 /usr/local/etc/haproxy/health.sh").stdout).strip()
        return "" if said == "emr up, viewer up, archive up" else f"the edge's health says {said!r}"

    wait_for(complaint, 60)


@contextmanager
def stopped(service: str, lab: Lab) -> Iterator[dict[str, Any]]:
    """A service's container is stopped."""
    lab.docker("stop", f"pacs-emr-{service}-1")
    try:
        yield {}
    finally:
        lab.docker("start", f"pacs-emr-{service}-1")
        lab.wait_until_healthy()
        edge_sees_all(lab)


@contextmanager
def exchange_closed(lab: Lab) -> Iterator[dict[str, Any]]:
    """The folder of results is closed to the group by which others write there."""
    lab.inside("openemr", "chmod", "2700", "/hl7/inbox")
    try:
        yield {}
    finally:
        lab.inside("openemr", "chmod", "2770", "/hl7/inbox")


@contextmanager
def worklist_missing(lab: Lab) -> Iterator[dict[str, Any]]:
    """The archive's configuration has no AE of the worklist's title."""
    try:
        rename_ae(lab, "WORKLIST", "NOLIST")
        yield {}
    finally:
        rename_ae(lab, "NOLIST", "WORKLIST")


def rename_ae(lab: Lab, old: str, new: str) -> None:
    """Give an AE of the archive another title, and have it read that."""
    entry = f"dicomAETitle={old},dicomDeviceName=dcm4chee-arc,cn=Devices,cn=DICOM Configuration,dc=dcm4che,dc=org"
    login = ["-x", "-H", "ldap://127.0.0.1", "-D", "cn=admin,dc=dcm4che,dc=org", "-y", "/run/secrets/ldap_root"]
    lab.inside("ldap", "ldapmodrdn", *login, "-r", entry, f"dicomAETitle={new}")
    lab.inside("arc", "curl", "-sSf", "--noproxy", "*", "-X", "POST", "http://127.0.0.1:8080/dcm4chee-arc/ctrl/reload")


@contextmanager
def pixel_changed(suite: Suite, lab: Lab) -> Iterator[dict[str, Any]]:
    """The last byte of one stored object is another one."""
    patient = suite.told["patient"]
    study = all_studies(Identity(f"pacs-emr/{suite.told['lab']}", patient["id"], patient["name"], "VERIFY-"))["mr"]
    # The archive may keep the attributes in a file of their own: the larger one holds the pixels.
    find = f"ls -S $(grep -rlF {study.objects[0].SOPInstanceUID} /storage/fs1) | head -1"
    file = lab.inside("arc", "sh", "-c", find).strip()
    lab.inside("arc", "cp", "-p", file, "/tmp/good")
    try:
        lab.inside("arc", "sh", "-c", f"printf '\\125' | dd of={file} bs=1 seek=$(($(stat -c %s {file}) - 1)) conv=notrunc")
        archive_forgets(lab)
        yield {}
    finally:
        lab.inside("arc", "mv", "/tmp/good", file)
        archive_forgets(lab)


def archive_forgets(lab: Lab) -> None:
    """Restart the archive, which may hold objects in memory."""
    lab.docker("restart", "pacs-emr-arc-1")
    lab.wait_until_healthy()
    edge_sees_all(lab)


@contextmanager
def everybody_knows_a_password(lab: Lab) -> Iterator[dict[str, Any]]:
    """The archive's database has a user postgres with the password postgres."""
    sql = ["psql", "-U", "pacs", "-d", "pacsdb", "-c"]
    lab.inside("pacs-db", *sql, "CREATE ROLE postgres LOGIN PASSWORD 'postgres'")
    try:
        yield {}
    finally:
        lab.inside("pacs-db", *sql, "DROP ROLE postgres")


@contextmanager
def order_waits(minutes: int, clinic: Clinic, lab: Lab) -> Iterator[dict[str, Any]]:
    """The archive is stopped, and an order waits for it; the clock of the engine's stand-in is turned back by its database."""
    row = lab.variables["lab_procedures"][0]
    order = Order(next(NUMBERS), fresh_person("Waits^Long"), (Procedure(row["code"], row["name"]),))
    with stopped("arc", lab):
        assert clinic.transmit(order) == "orders-done"
        wait_for(lambda: "" if any(channel.queued for channel in clinic.engine.channels()) else "the order is not in the queue", 60)
        engine_sql(lab, "mirth", f"UPDATE standin.message SET received = received - interval '{minutes} minutes'")
        yield {}
    clinic.rows(order)


@contextmanager
def sink_forgets(clinic: Clinic, lab: Lab) -> Iterator[dict[str, Any]]:
    """The error sink has none of the messages that were refused; one is."""
    told = load(TOLD)
    assert told.engine is not None
    assert told.engine.reports is not None
    before = len(clinic.engine.sink())
    hl7v2.send(
        told.engine.reports, hl7v2.message(f"MSH|^~\\&|REPSYS|RADLAB|MIRTH|LAB|20260101||ORU^R01|{time.time_ns()}|T|2.5.1", "PID|1||1")
    )
    wait_for(lambda: "" if len(clinic.engine.sink()) > before else "a report without any order was not refused", 30)
    engine_sql(lab, "filler", "UPDATE sink SET message = '-' || message")
    try:
        yield {}
    finally:
        engine_sql(lab, "filler", "UPDATE sink SET message = substring(message FROM 2)")


def engine_sql(lab: Lab, database: str, statement: str) -> None:
    """Run a statement in one of the engine's databases."""
    lab.inside("mirth-db", "psql", "-U", database, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement)


@dataclass(frozen=True)
class Break:
    """What is broken, the part of the suite that looks, and its checks that must fail, each with words of its sentence."""

    how: Callable[[Lab], AbstractContextManager[dict[str, Any]]]
    part: str
    red: dict[str, str] = field(default_factory=dict)


NO_PORT = r":11199 did not answer .*refused"
WRONG_TITLE = "answers to AE title NOSUCHAE: whatever listens there answers everybody"
BREAKS = {
    # The first is none: a legal way to listen.
    "IPv4-mapped listener": Break(partial(archive_listens_at, "::ffff:0.0.0.0"), DICOM),
    "listener on another address": Break(
        partial(archive_listens_at, "::ffff:127.0.0.1"),
        DICOM,
        {
            "archive answers echo": NO_PORT,
            "worklist answers echo": NO_PORT,
            "wrong called ae title is rejected": NO_PORT,
            "stores": NO_PORT,
        },
    ),
    "decoy": Break(
        decoy,
        DICOM,
        {
            "wrong called ae title is rejected": WRONG_TITLE,
            "cfind finds study series and images": "C-FIND by accession .* 0 times among 0",
            "cmove sends to the suite": "C-MOVE gave 0 objects",
            "cmove to an unknown ae title is refused": "C-MOVE to an AE title that is in no table ended with 0000",
            "cget gives equal objects": "C-GET gave 0 objects",
        },
    ),
    "worklist AE missing": Break(
        worklist_missing, DICOM, {"worklist answers echo": "refused the association for AE title WORKLIST: Called AE title not recognised"}
    ),
    "page, but no DICOMweb": Break(
        partial(
            edge_configured, "  http-check expect rstring STARTED", "  http-check expect rstring STARTED\n  http-request return status 404"
        ),
        f"{WEB} or {DICOM}",
        {
            "dicomweb answers on the viewers origin": "DICOMweb at .* answered 404",
            "links in answers lead to the edge": "QIDO-RS .* answered 404",
            "qido finds nothing for unknown": "QIDO-RS .* answered 404",
            "qido finds": "QIDO-RS .* answered 404",
            "wado gives the viewer equal frames and attributes": "WADO-RS metadata .* answered 404",
        },
    ),
    "CORS headers let through": Break(
        partial(edge_configured, "http-after-response del-header Access-Control-", "http-after-response del-header X-Other-"),
        WEB,
        {"cors headers of the archive are stripped": "lets the archive's CORS headers through: .*access-control-allow-origin"},
    ),
    "page not isolated": Break(
        partial(edge_configured, "set-header Cross-Origin-Embedder-Policy require-corp", "del-header X-Other"),
        WEB,
        {"viewer page is isolated": "lacks the COOP and COEP headers"},
    ),
    "every call let through": Break(
        partial(edge_configured, "acl whitelisted path_reg ^", "acl whitelisted path_beg -i /\n  acl unused path_reg ^"),
        WEB,
        {
            "only the viewers calls are let through": "let GET /dcm4chee-arc/.* through",
            "no detour reaches the archive": "let GET /dcm4chee-arc.* through",
        },
    ),
    "viewer stopped": Break(
        partial(stopped, "ohif"),
        f"{WEB} or {DICOM}",
        {"viewer page is served": "answered 503", "viewer asks its own origin for images": "app-config.js does not name"},
    ),
    "exchange folder closed": Break(
        exchange_closed,
        "test_emr",
        {"exchange folders belong to both": "exchange folders with another owner, group or mode .*: /hl7/inbox 1000 1000 2700"},
    ),
    "password that everybody knows": Break(
        everybody_knows_a_password,
        "passwords",
        {"database takes no well known password": "lets postgres in with the well-known password 'postgres'"},
    ),
}


def proved(suite: Suite, folder: Path, broken: Break, other: dict[str, Any]) -> None:
    """Run the part of the suite: what is red, and in what words, must be as the table says."""
    proof = suite.run(folder, "-k", broken.part, **other)
    assert proof.red == broken.red.keys(), proof.output
    for check, words in broken.red.items():
        assert re.search(words, proof.why[check], re.DOTALL), f"{check}: {proof.why[check]}"


@pytest.mark.parametrize("name", BREAKS)
def test_break_is_seen_and_named(lab: Lab, suite: Suite, tmp_path: Path, name: str) -> None:
    broken = BREAKS[name]
    with broken.how(lab) as other:
        proved(suite, tmp_path / "broken", broken, other)


def test_order_that_waits_is_seen_after_five_minutes(lab: Lab, suite: Suite, clinic: Clinic, tmp_path: Path) -> None:
    part = "nothing_waits"
    with order_waits(4, clinic, lab):
        proved(suite, tmp_path / "four", Break(lambda lab: nullcontext({}), part), {})
    with order_waits(6, clinic, lab):
        broken = {"nothing waits for minutes": "queues of the engine that do not drain.*'archive': '1 messages, the first for 6 minutes"}
        proved(suite, tmp_path / "six", Break(lambda lab: nullcontext({}), part, broken), {})


def test_refused_message_that_the_sink_forgot_is_seen(suite: Suite, lab: Lab, clinic: Clinic, tmp_path: Path) -> None:
    words = r"\d+ messages in error that the sink does not have: \w+ \d+"
    broken = Break(partial(sink_forgets, clinic), "refused_unseen", {"nothing was refused unseen": words})
    with broken.how(lab) as other:
        proved(suite, tmp_path / "broken", broken, other)


def test_changed_pixel_is_seen_and_named(lab: Lab, suite: Suite, tmp_path: Path) -> None:
    broken = Break(partial(pixel_changed, suite), "test_everything_is_still_there", {"everything is still there": "has other pixels"})
    with broken.how(lab) as other:
        proved(suite, tmp_path / "broken", broken, other)


def test_lab_is_whole_again(suite: Suite, tmp_path: Path) -> None:
    proof = suite.run(tmp_path / "whole", "-k", f"{WEB} or {DICOM} or still_there or passwords")
    assert set(proof.checks.values()) == {True}, proof.output
