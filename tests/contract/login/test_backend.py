"""What reaches the services behind, and what happens while they or the directory are away."""

from __future__ import annotations

import http.client
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_for

from ..conftest import Container, docker
from .support import (
    ADMIN,
    ADMIN_PASSWORD,
    CLINICIAN,
    CLINICIAN_PASSWORD,
    EMR,
    HEALTH,
    IMAGE,
    LAB,
    NOBODY,
    NOBODY_PASSWORD,
    PAGE,
    VIEWER,
    Login,
    copy_of,
    render,
)

LARGE = 256 << 20
# More than Apache takes by default of what it does not hand on (1 GiB).
LARGER = (1 << 30) + (16 << 20)
PIECE = b"\0" * (1 << 20)


def pieces(size: int, chunked: bool) -> Iterator[bytes]:
    """Yield a large body."""
    for _ in range(size // len(PIECE)):
        yield b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE
    if chunked:
        yield b"0\r\n\r\n"


def memory(container: Container) -> int:
    """Return the MiB that the processes of a container had at most."""
    found = container.exec("sh", "-c", "cat /proc/[0-9]*/status")
    return sum(int(size) for size in re.findall(r"VmHWM:\s+(\d+) kB", found)) >> 10


def test_the_user_comes_from_the_login_alone(login: Login) -> None:
    browser = login.logged_in()
    for name in ("X-Remote-User", "x-remote-user", "X-REMOTE-USER"):
        assert browser.ask(EMR, "/x", headers=PAGE | {name: "root.admin"}).seen("x-remote-user") == [CLINICIAN]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("{}", []),
        ("a=1; {}", ["a=1"]),
        ("{}; b=2", ["b=2"]),
        ("a=1; {}; b=2", ["a=1; b=2"]),
        ("a=1;{};b=2", ["a=1;b=2"]),
        ("{}; a=1; {}", ["a=1"]),
        ("a=1, {}", ["a=1"]),
        ("xlabsession=1; {}", ["xlabsession=1"]),
        ("a=labsession=1; {}", ["a=labsession=1"]),
    ],
)
def test_the_cookie_stays_at_the_login(login: Login, sent: str, seen: list[str]) -> None:
    browser = login.logged_in()
    cookie, browser.cookie = browser.cookie, ""
    assert browser.ask(EMR, "/x", headers={"Cookie": sent.format(cookie, cookie)}).seen("cookie") == seen


def test_a_cookie_in_a_header_of_its_own_stays_too(login: Login) -> None:
    browser = login.logged_in()
    connection = http.client.HTTPConnection(browser.address, 8080, timeout=10)
    connection.putrequest("GET", "/x", skip_host=True)
    for name, value in (("Host", EMR), ("Cookie", "a=1"), ("Cookie", browser.cookie), ("Cookie", "b=2")):
        connection.putheader(name, value)
    connection.endheaders()
    body = connection.getresponse().read().decode()
    connection.close()
    assert '"x-remote-user", "anna"' in body
    assert "labsession" not in body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_passes_as_it_is(login: Login, method: str) -> None:
    """Path and query as the client wrote them, its host, what the edge added, and the body; the answer comes back with its headers."""
    target = "/dcm4chee-arc/a%2Fb/%5e;v=1/./x?PatientName=A%5EB*&includefield=a,b&x=%20+"
    added = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": VIEWER, "Authorization": "Bearer x"}
    answer = login.logged_in().ask(VIEWER, target, method, "hello" if method != "GET" else None, added)
    assert (answer.echo["method"], answer.echo["target"]) == (method, target)
    assert answer.echo["bytes"] == (5 if method != "GET" else 0)
    assert answer.seen("host") == [VIEWER]
    assert {name: answer.seen(name.lower()) for name in added} == {name: [value] for name, value in added.items()}
    assert not {"x-forwarded-server", "via"} & {name for name, _ in answer.echo["headers"]}
    assert (answer.header("Cache-Control"), answer.header("Set-Cookie")) == ("max-age=60", "backend=1")


def test_a_form_of_the_service_behind_reaches_it(login: Login) -> None:
    """Also one whose fields have the names of the login's."""
    browser = login.logged_in()
    answer = browser.log_in("other", "pass", target="/interface/main.php")
    assert answer.echo["bytes"] == len("user=other&password=pass")
    assert answer.seen("x-remote-user") == [CLINICIAN]


@pytest.mark.parametrize(("size", "chunked"), [(LARGER, False), (LARGE, True)], ids=["with a length", "in chunks"])
def test_a_large_upload_streams(login: Login, size: int, chunked: bool) -> None:
    browser = login.logged_in()
    length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    answer = browser.ask(VIEWER, "/dicom-web/studies", "POST", pieces(size, chunked), length)
    assert answer.echo["bytes"] == size
    assert memory(login.container) < 128


def test_a_large_retrieve_streams(login: Login) -> None:
    browser = login.logged_in()
    connection = http.client.HTTPConnection(browser.address, 8080, timeout=30)
    connection.request("GET", f"/bytes/{LARGE}", headers={"Host": VIEWER, "Cookie": browser.cookie})
    response = connection.getresponse()
    got = 0
    while piece := response.read(1 << 20):
        got += len(piece)
    connection.close()
    assert got == LARGE
    assert memory(login.container) < 128


def test_an_edge_that_comes_back_elsewhere_is_found_again(login: Login) -> None:
    browser = login.logged_in()
    assert browser.ask(EMR, "/x").status == 200
    old = login.edge.address()
    login.edge.remove()
    answer = browser.ask(EMR, "/x")
    # Its name is gone with it.
    assert (answer.status, "does not answer. Try again" in answer.body) == (500, True)
    assert login.browser().ask(EMR, "/login").status == 200
    # Takes the old address.
    login.made.run(IMAGE, "infinity", options=[f"--network={login.network}", "--entrypoint=sleep"])
    login.edge = login.start_edge()
    assert login.edge.address() != old
    wait_for(lambda: "" if (status := browser.ask(EMR, "/x").status) == 200 else str(status), 5, pause=0.2)


def test_an_edge_that_refuses_is_told_and_found_at_once_when_it_does_not(login: Login, tmp_path: Path) -> None:
    config = copy_of(login.folder, tmp_path) / "httpd.conf"
    config.write_text(config.read_text().replace("http://edge:8181/", "http://edge:8182/"))
    browser = login.browser(login.start(config.parent))
    browser.log_in(CLINICIAN, CLINICIAN_PASSWORD)
    # Each of Apache's processes has met it then.
    for _ in range(30):
        answer = browser.ask(EMR, "/x")
        assert (answer.status, "cannot be reached now" in answer.body) == (503, True)
    docker("exec", "--detach", login.edge.name, "python3", "/echo.py", "8182")
    login.edge.wait_until("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8182))")
    assert {browser.ask(EMR, "/x").status for _ in range(30)} == {200}


@pytest.mark.parametrize(
    ("away", "back", "user", "password"),
    [("stop", "start", ADMIN, ADMIN_PASSWORD), ("pause", "unpause", NOBODY, NOBODY_PASSWORD)],
)
def test_a_directory_that_is_away_is_told_and_found_again(login: Login, away: str, back: str, user: str, password: str) -> None:
    """Nobody's password is called wrong then; no restart is needed. Of a user whom this login has not seen for a minute."""
    docker(away, *(["--time=1"] if away == "stop" else []), login.ldap.name)
    try:
        began = time.monotonic()
        answer = login.browser().log_in(user, password, target="/login?/x")
        assert (answer.status, "directory of accounts" in answer.body) == (500, True)
        assert answer.header("Set-Cookie") == ""
        assert time.monotonic() - began < 30
    finally:
        docker(back, login.ldap.name)
    wait_for(lambda: "" if login.browser().log_in(user, password, target="/login?/x").header("Location") == "/x" else "not yet", 30)
    login.container.wait_until(HEALTH)


def test_a_changed_password_counts_within_the_minute(login: Login) -> None:
    """And the old one opens nothing: the directory is asked for what it does not know yet."""
    browser = login.logged_in()
    change = ("ldappasswd", "-x", "-H", "ldap://127.0.0.1", "-D", f"uid={CLINICIAN},ou=lab,dc=dcm4che,dc=org")
    login.ldap.exec(*change, "-w", CLINICIAN_PASSWORD, "-s", "New.canary-1")
    try:
        assert login.browser().log_in(CLINICIAN, "New.canary-1").header("Location") == "/"
        wait_for(lambda: "" if browser.ask(EMR).status == 302 else "the old login is good still", 70, pause=2)
    finally:
        login.ldap.exec(*change, "-w", "New.canary-1", "-s", CLINICIAN_PASSWORD)


@pytest.mark.parametrize("fault", ["password", "name"])
def test_a_reader_that_the_directory_refuses_is_told(login: Login, tmp_path: Path, fault: str) -> None:
    """Healthy, because the lab makes that account when all are."""
    folder = copy_of(login.folder, tmp_path, **({"reader": "Wrong.canary-1"} if fault == "password" else {}))
    if fault == "name":
        config = folder / "httpd.conf"
        config.write_text(config.read_text().replace("cn=reader,", "cn=writer,"))
    container = login.start(folder)
    assert container.exec(HEALTH) == "The directory refuses the reader: nobody can log in.\n"
    assert login.browser(container).log_in(CLINICIAN, CLINICIAN_PASSWORD).header("Location") == "/login/again?/"
    assert login.container.exec(HEALTH) == "The directory takes the password of the reader.\n"


def test_a_directory_is_asked_over_tls_and_must_show_its_certificate(login: Login, tmp_path: Path) -> None:
    """As a hospital's: ldaps:// with its CA; with another CA nobody gets in, and the health check says so."""
    for name in ("own", "other"):
        made = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=ldaps",
            "-addext",
            "subjectAltName=DNS:ldaps",
        ]
        subprocess.run([*made, "-keyout", f"{tmp_path / name}.key", "-out", f"{tmp_path / name}.pem"], check=True, capture_output=True)
        (tmp_path / f"{name}.key").chmod(0o644)
    tmp_path.chmod(0o755)
    files = {"CERT": "own.pem", "KEY": "own.key", "CACERT": "own.pem"}
    login.start_ldap(
        "ldaps",
        f"--volume={tmp_path}:/certs:ro",
        LDAP_URLS="ldap:/// ldaps:///",
        **{f"LDAP_TLS_{key}": f"/certs/{file}" for key, file in files.items()},
    )
    url = f"ldaps://ldaps/{LAB}?uid?one?(objectClass=inetOrgPerson)"
    trusting = login.start(render(tmp_path / "a", login_ldap_url=url, login_ldap_trust=str(tmp_path / "own.pem")))
    assert login.browser(trusting).log_in(CLINICIAN, CLINICIAN_PASSWORD).header("Location") == "/"
    other = login.start(render(tmp_path / "b", login_ldap_url=url, login_ldap_trust=str(tmp_path / "other.pem")), wait=False)
    other.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080")
    assert other.try_exec(HEALTH).returncode == 1
    assert login.browser(other).log_in(CLINICIAN, CLINICIAN_PASSWORD).status == 500
