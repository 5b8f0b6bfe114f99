"""The archive's HL7 port: frames, which application a message is for, what is refused and how (dcm4chee.md §4.1)."""

from __future__ import annotations

import socket

import pytest
import requests
from waiting import wait_for

from ..conftest import docker
from .hl7 import APPLICATION, FACILITY, NAMED, SENDER, Line, adt, line, message, msh, name_of, new_pid, patient, pid_segment, send
from .support import Trio, listens


def without(number: int) -> str:
    """Return an A04 whose MSH lacks one field."""
    fields = msh("ADT^A04").split("|")
    fields[number - 1] = ""
    return "|".join(fields) + "\r" + pid_segment(new_pid()) + "\r"


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 9, 10, 11, 12])
def test_required_header_fields(trio: Trio, number: int) -> None:
    """§4.1: each of MSH-3, 4, 5, 6, 7, 9, 10, 11, 12 missing is AE 101."""
    with line(trio) as connection:
        answer = connection.send(without(number))
    assert (answer.short, answer.location.split("^")[:3]) == ("AE 101", ["MSH", "1", str(number)])


def test_fields_may_be_made_optional(trio: Trio, hl7: None) -> None:
    """§2.6: hl7OptionalMSHField of the application, its values are field numbers."""
    dn = f"dn: {APPLICATION}\nchangetype: modify\n"
    trio.modify(f"{dn}add: hl7OptionalMSHField\nhl7OptionalMSHField: 11\n")
    assert trio.reload() == 204
    try:
        fields = msh("ADT^A04", receiver=NAMED).split("|")
        fields[10] = ""
        assert send(trio, "|".join(fields) + "\r" + pid_segment(new_pid()) + "\r") == ["AA"]
    finally:
        trio.modify(f"{dn}delete: hl7OptionalMSHField\n")
        assert trio.reload() == 204


def test_unknown_types_and_events(trio: Trio) -> None:
    """§4.1: unknown type AR 200, unknown event AR 201."""
    assert send(trio, message("QBP^Q23"), message("ADT^A99", pid_segment(new_pid()))) == ["AR 200", "AR 201"]


def test_scheduling_messages_are_only_acknowledged(trio: Trio) -> None:
    """§4.1: SIU only acked."""
    pid = new_pid()
    assert send(trio, message("SIU^S12", pid_segment(pid))) == ["AA"]
    assert not patient(trio, pid)


def test_named_application_goes_before_the_default(trio: Trio, hl7: None) -> None:
    """§4.1: exact MSH-5|MSH-6; it takes its senders only (AE 103) and the types listed (AR 201), the default one takes any."""
    pid = new_pid()
    sent = [
        adt("A04", pid, receiver=NAMED),
        message("ADT^A04", pid_segment(new_pid()), receiver=NAMED, sender="STRANGER|HOSP"),
        message("ADT^A04", pid_segment(new_pid()), receiver="PACS|ELSEWHERE", sender="STRANGER|HOSP"),
        adt("A28", new_pid(), receiver=NAMED),
        adt("A28", new_pid()),
    ]
    assert send(trio, *sent) == ["AA", "AE 103", "AA", "AR 201", "AA"]
    assert len(patient(trio, pid)) == 1


def test_acknowledgement(trio: Trio, hl7: None) -> None:
    """§4.1: MSA-2 is MSH-10, sender and receiver change places, MSA-3 is cut at 80 characters, ERR-8 holds the whole reason."""
    old, new = new_pid(), new_pid()
    assert send(trio, adt("A40", new, f"MRG|{old}^^^HOSP")) == ["AA"]
    content = message("ADT^A08", pid_segment(old), receiver="LONG|NAME")
    with line(trio) as connection:
        segments = [part.split("|") for part in connection.raw(content.encode()).decode().rstrip("\r").split("\r")]
    head, acknowledged, error = segments
    assert head[2:6] == ["LONG", "NAME", SENDER, FACILITY]
    assert (head[8], head[11]) == ("ACK^A08^ACK", "2.5.1")
    assert acknowledged[1:3] == ["AR", content.split("|")[9]]
    assert (len(acknowledged[3]) <= 80, error[8].startswith(acknowledged[3])) == (True, True)
    assert (error[2], error[3].split("^")[0], error[4]) == ("PID^1^3", "204", "E")
    assert "merged with" in error[8]


def test_missing_patient_id(trio: Trio) -> None:
    """§4.1: no PID or empty PID-3 AE 101."""
    assert send(trio, message("ADT^A04"), message("ADT^A04", "PID|1||||Nobody^At All")) == ["AE 101", "AE 101"]


def test_empty_frame_closes(trio: Trio) -> None:
    """§4.1: an empty frame gets no answer, the socket is closed."""
    connection = Line(trio)
    assert connection.raw(b"") == b""
    connection.close()


def test_bytes_outside_a_frame_close(trio: Trio) -> None:
    """MLLP: what does not begin with 0B is no frame."""
    with socket.create_connection((trio.host, 2575), timeout=30) as connection:
        connection.sendall(b"MSH|^~\\&|no frame\r")
        assert connection.recv(1) == b""


def test_many_messages_in_one_segment_of_bytes(trio: Trio) -> None:
    """Frames are told apart by their marks alone: two in one packet, one in two packets."""
    first, second = adt("A04", new_pid()).encode(), adt("A04", new_pid()).encode()
    with socket.create_connection((trio.host, 2575), timeout=30) as connection:
        connection.sendall(b"\x0b" + first + b"\x1c\r\x0b" + second[:40])
        connection.sendall(second[40:] + b"\x1c\r")
        received = b""
        while received.count(b"\x1c\r") < 2:
            received += connection.recv(4096)
    assert received.count(b"MSA|AA|") == 2


def test_line_endings(trio: Trio) -> None:
    """§4.2: segments may end in LF or CRLF."""
    one, two = new_pid(), new_pid()
    assert send(trio, adt("A04", one).replace("\r", "\n"), adt("A04", two).replace("\r", "\r\n")) == ["AA", "AA"]
    assert name_of(patient(trio, one)[0]) == name_of(patient(trio, two)[0]) == "Quillfeather^Marisol^T"


@pytest.mark.parametrize(
    ("charset", "codec", "name", "seen"),
    [
        ("UNICODE UTF-8", "utf-8", "Åkesson^Jörg", "Åkesson^Jörg"),
        ("UNICODE UTF-8", "utf-8", "山田^太郎", "山田^太郎"),
        ("8859/1", "latin-1", "Åkesson^Jörg", "Åkesson^Jörg"),
        ("8859/5", "iso8859-5", "Иванова^Анна", "Иванова^Анна"),
        ("", "utf-8", "Jörg", "JÃ¶rg"),
        ("UTF-8", "utf-8", "Jörg", "J??rg"),
        ("UNICODE UTF-8", "latin-1", "Jörg", "J\ufffdrg"),
    ],
)
def test_character_sets(trio: Trio, charset: str, codec: str, name: str, seen: str) -> None:
    """§4.1: declared ones work; an unknown MSH-18 gives `?`, UTF-8 without it mojibake, Latin-1 labelled UTF-8 U+FFFD. Never a NACK."""
    pid = new_pid()
    assert send(trio, adt("A04", pid, name=name, charset=charset).encode(codec)) == ["AA"]
    assert name_of(patient(trio, pid)[0]) == seen


def test_default_character_set_of_a_named_application(trio: Trio, hl7: None) -> None:
    """§4.1: hl7DefaultCharacterSet on a named application helps messages with an empty MSH-18."""
    pid = new_pid()
    assert send(trio, adt("A04", pid, name="Jörg", charset="", receiver=NAMED)) == ["AA"]
    assert name_of(patient(trio, pid)[0]) == "Jörg"


def test_port_follows_control(trio: Trio) -> None:
    """§3: POST /ctrl/stop closes the HL7 port too; open connections survive a reload (§2.2)."""
    with line(trio) as connection:
        assert connection.send(adt("A04", new_pid())).code == "AA"
        assert trio.reload() == 204
        assert connection.send(adt("A04", new_pid())).code == "AA"
        assert requests.post(trio.url("/ctrl/stop"), timeout=60).status_code == 204
        assert not listens(trio.arc, 2575)
        assert requests.post(trio.url("/ctrl/start"), timeout=60).status_code == 204
    assert send(trio, adt("A04", new_pid())) == ["AA"]


def test_database_away_is_a_refusal_that_is_not_final(trio: Trio) -> None:
    """§8.2: database stopped: AR 207 with the Hibernate text; all well on the first try after the start."""
    pid = new_pid()
    docker("stop", "--time", "5", trio.database.name)
    try:
        with line(trio) as connection:
            answer = connection.send(adt("A04", pid))
        assert (answer.short, "JDBC Connection" in answer.reason) == ("AR 207", True)
    finally:
        docker("start", trio.database.name)
    trio.database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "pacs", "-d", "pacsdb")
    assert send(trio, adt("A04", pid)) == ["AA"]
    wait_for(lambda: "" if patient(trio, pid) else "no patient", 10)


def test_log_names_no_patient(trio: Trio) -> None:
    """§9.2: no patient name at INFO for ADT."""
    assert send(trio, adt("A04", new_pid(), name="Unspeakable^Name"), message("ADT^A04", "PID|1||||Unspeakable^Name")) == ["AA", "AE 101"]
    assert "Unspeakable" not in trio.arc.logs()
