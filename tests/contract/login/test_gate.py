"""Who gets in, where to, and who is told what. The cases of the table in the upstream notes (edge.md) are marked so."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from ..conftest import docker
from .support import (
    ACCOUNTS,
    ADMIN,
    ADMIN_PASSWORD,
    CLINICIAN,
    CLINICIAN_PASSWORD,
    DOMAIN,
    EMR,
    NOBODY,
    NOBODY_PASSWORD,
    PACS,
    PAGE,
    PASSPHRASE,
    READER_PASSWORD,
    ROOT_PASSWORD,
    VIEWER,
    Browser,
    Login,
    copy_of,
    render,
)

LONG_PATH = "/viewer?StudyInstanceUIDs=1.2.3&mrn=4711&next=/a?b=c%2Fd%26e"


# --- one login ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [DOMAIN, EMR, VIEWER, PACS, f"{EMR.upper()}:8443"])
def test_without_a_login_a_page_leads_to_the_form_and_carries_its_address(login: Login, host: str) -> None:
    """edge.md: no cookie."""
    answer = login.browser().ask(host, LONG_PATH)
    assert (answer.status, answer.header("Location")) == (302, f"/login?{LONG_PATH}")
    assert "x-remote-user" not in answer.body


@pytest.mark.parametrize("target", ["/login", f"/login?{LONG_PATH}", "/login/again?/x", "/login/out"])
def test_the_form_comes_without_a_login_and_is_kept_by_nobody(login: Login, target: str) -> None:
    answer = login.browser().ask(EMR, target)
    assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert '<form method="post">' in answer.body
    assert "no-store" in answer.header("Cache-Control")
    assert "frame-ancestors 'none'" in answer.header("Content-Security-Policy")
    assert answer.header("Set-Cookie") == ""


def test_a_wrong_password_leads_back_to_the_form_which_says_so_and_keeps_the_address(login: Login) -> None:
    """edge.md: wrong password."""
    browser = login.browser()
    assert "is wrong" not in browser.ask(EMR, "/login").body
    for user, password in (
        (CLINICIAN, "other"),
        (CLINICIAN, ""),
        ("", "x"),
        ("unknown", CLINICIAN_PASSWORD),
        ("*", "x"),
        (ADMIN, "changeit"),
    ):
        answer = browser.log_in(user, password, target=f"/login?{LONG_PATH}")
        assert (answer.status, answer.header("Location")) == (302, f"/login/again?{LONG_PATH}"), user
        assert answer.header("Set-Cookie") == "", user
    assert "User name or password is wrong." in browser.ask(EMR, answer.header("Location")).body
    assert browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, target=answer.header("Location")).header("Location") == LONG_PATH


def test_one_login_is_good_for_every_host(login: Login) -> None:
    """edge.md: right password at emr."""
    browser = login.browser()
    answer = browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, EMR, f"/login?{LONG_PATH}")
    assert (answer.status, answer.header("Location")) == (302, LONG_PATH)
    attributes = answer.header("Set-Cookie").split(";")[1:]
    assert attributes == ["Max-Age=28800", "path=/", f"domain={DOMAIN}", "HttpOnly", "Secure", "SameSite=Lax"]
    for host in (EMR, VIEWER, DOMAIN, f"{VIEWER.upper()}:8443"):
        assert browser.ask(host, LONG_PATH).seen("x-remote-user") == [CLINICIAN], host


def test_administrators_have_the_archive_too_and_nobody_else_has(login: Login) -> None:
    """edge.md: Require ldap-group; 403, because somebody who is logged in must not be led to the form again and again."""
    admin = login.logged_in(ADMIN, ADMIN_PASSWORD)
    assert [admin.ask(host).seen("x-remote-user") for host in (PACS, EMR)] == [[ADMIN], [ADMIN]]
    clinician = login.logged_in()
    for host in (
        PACS,
        PACS.upper(),
        f"{PACS}:443",
        f"{PACS}.",
        f"x.{DOMAIN}",
        f"{EMR}.evil.com",
        "evil.com",
        f"xemr.{DOMAIN}",
        "emr-lab.internal",
    ):
        answer = clinician.ask(host)
        assert (answer.status, "no right to use this" in answer.body) == (403, True), host


def test_an_account_in_no_group_has_nothing(login: Login) -> None:
    browser = login.logged_in(NOBODY, NOBODY_PASSWORD)
    answers = [browser.ask(host) for host in (DOMAIN, EMR, VIEWER, PACS)]
    assert {answer.status for answer in answers} == {403}
    assert "href='/logout'" in answers[0].body


@pytest.mark.parametrize("user", ["reader", "admin", "user", "cn=reader,ou=lab"])
def test_who_is_no_person_below_the_base_cannot_log_in(login: Login, user: str) -> None:
    """The reader itself, and the archive's own accounts with their well-known password."""
    for password in (READER_PASSWORD, "changeit", ROOT_PASSWORD):
        assert login.browser().log_in(user, password).header("Location") == "/login/again?/"


def test_the_name_is_the_directory_s_however_it_was_typed(login: Login) -> None:
    assert login.logged_in("ANNA").ask(EMR).seen("x-remote-user") == [CLINICIAN]


# --- programs ----------------------------------------------------------------------------------------------------------------------

JSON = {"Accept": "application/dicom+json"}


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/", {}, 302),
        ("HEAD", "/", {}, 302),
        ("GET", "/app.js", {"Accept": "*/*"}, 302),
        ("GET", "/dcm4chee-arc/ui2/", PAGE, 302),
        ("GET", "/anything", JSON, 401),
        ("GET", "/anything", {"Accept": "application/json"}, 401),
        ("GET", "/anything", {"Accept": 'multipart/related; type="application/dicom"'}, 401),
        ("GET", "/dicom-web/studies", {}, 401),
        ("GET", "/dcm4chee-arc/aets/X/rs/studies?PatientID=1", {"Accept": "*/*"}, 401),
        ("POST", "/dicom-web/studies", {"Content-Type": "multipart/related"}, 401),
        ("POST", "/", PAGE, 401),
        ("PUT", "/", PAGE, 401),
        ("DELETE", "/", PAGE, 401),
        ("OPTIONS", "/", PAGE, 401),
    ],
)
def test_without_a_login_programs_are_told_and_pages_led(
    login: Login, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    answer = login.browser().ask(VIEWER, target, method, "" if method in ("POST", "PUT") else None, headers)
    assert answer.status == status
    assert answer.header("Location") == (f"/login?{target}" if status == 302 else "")
    assert status == 302 or "Log in first" in answer.body


# --- cookies -----------------------------------------------------------------------------------------------------------------------


def refused(login: Login, cookie: str) -> bool:
    """Return whether a cookie opens nothing."""
    answer = Browser(login.container.address(), cookie).ask(EMR, "/x")
    return (answer.status, answer.header("Location")) == (302, "/login?/x")


def test_a_cookie_written_by_hand_is_refused(login: Login) -> None:
    """edge.md: cookie written by hand in clear."""
    clear = f"lab-user={CLINICIAN}&lab-pw={quote(CLINICIAN_PASSWORD)}&expiry={int(time.time() + 9999)}000000"
    for value in (clear, clear.replace("lab-", "LAB-"), base64.b64encode(clear.encode()).decode(), "", "x"):
        assert refused(login, f"labsession={value}"), value
    assert refused(login, "")


def test_a_changed_cookie_is_refused(login: Login) -> None:
    cookie = login.logged_in().cookie
    assert not refused(login, cookie)
    raw = bytearray(base64.b64decode(cookie.partition("=")[2]))
    for place in (0, 10, len(raw) // 2, len(raw) - 1):
        changed = bytearray(raw)
        changed[place] ^= 1
        assert refused(login, f"labsession={base64.b64encode(changed).decode()}"), place


def test_a_cookie_of_another_passphrase_is_refused(login: Login, tmp_path: Path) -> None:
    other = login.start(copy_of(login.folder, tmp_path, session=PASSPHRASE[::-1]))
    browser = login.browser(other)
    browser.log_in(CLINICIAN, CLINICIAN_PASSWORD)
    assert browser.ask(EMR).status == 200
    assert refused(login, browser.cookie)


def test_the_cookie_tells_nothing(login: Login) -> None:
    """edge.md: without a passphrase the password stands in the cookie in clear, and everything still works."""
    value = login.logged_in().cookie.partition("=")[2]
    for form in (value, unquote(value), base64.b64decode(value).decode("latin-1"), unquote(base64.b64decode(value).decode("latin-1"))):
        assert "Canary" not in form
        assert CLINICIAN not in form
    assert value != login.logged_in().cookie.partition("=")[2], "the same twice could be recognized"


def test_a_login_slides_and_ends(login: Login, tmp_path: Path) -> None:
    """A copy that somebody kept ends too: the time stands in the encrypted part."""
    short = login.start(render(tmp_path, login_session_seconds=3))
    browser = login.browser(short)
    browser.log_in(CLINICIAN, CLINICIAN_PASSWORD)
    first = browser.cookie
    for _ in range(4):
        time.sleep(1)
        assert browser.ask(EMR).status == 200
    assert browser.cookie != first
    assert Browser(short.address(), first).ask(EMR).status == 302
    time.sleep(3.5)
    assert browser.ask(EMR).status == 302


def test_a_logout_ends_the_login_and_needs_none(login: Login) -> None:
    browser = login.logged_in()
    answer = browser.ask(VIEWER, "/logout")
    assert answer.header("Location") == "/login/out"
    assert "no-store" in answer.header("Cache-Control")
    assert browser.ask(EMR).status == 302
    assert "You are logged out." in browser.ask(EMR, "/login/out").body
    assert login.browser().ask(EMR, "/logout").header("Location") == "/login/out"


# --- where to ------------------------------------------------------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.com/",
    "//evil.com/",
    "///evil.com/",
    "/\\evil.com/",
    "\\\\evil.com/",
    "\\/evil.com",
    f"https://{DOMAIN}.evil.com/",
    f"https://{EMR}@evil.com/",
    "@evil.com/",
    ".evil.com/",
    "javascript:alert(1)",
    "https:evil.com",
    "%2F%2Fevil.com",
    "%68ttps://evil.com",
    "to=https://evil.com",
    "",
]


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_a_login_leads_nowhere_else(login: Login, wanted: str) -> None:
    """Nor does a wrong one, on its way."""
    browser = login.browser()
    for page in ("/login", "/login/again", "/login/out", "/login/other"):
        assert browser.log_in(CLINICIAN, "wrong", target=f"{page}?{wanted}").header("Location") == "/login/again?/"
        assert browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, target=f"{page}?{wanted}").header("Location") == "/"


@pytest.mark.parametrize(
    "wanted", ["/", "/x", "/a//b", "/a?b=https://evil.com", "/x\\y", "/%5cevil.com", "/%0d%0aSet-Cookie:%20x=1", "/./x"]
)
def test_a_path_of_the_same_host_is_kept_as_it_is(login: Login, wanted: str) -> None:
    answer = login.browser().log_in(CLINICIAN, CLINICIAN_PASSWORD, target=f"/login?{wanted}")
    assert answer.header("Location") == wanted
    assert answer.header("Set-Cookie").startswith("labsession=")


def test_an_address_that_looks_like_a_path_is_none_when_it_comes_back(login: Login) -> None:
    """As the browser sees it: what was asked for without a login, then logged in."""
    for target in ("//evil.com/x", "/\\evil.com/x"):
        browser = login.browser()
        form = browser.ask(EMR, target).header("Location")
        assert browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, target=form).header("Location") == "/"


@pytest.mark.parametrize("field", ["httpd_location", "location", "user", "password", "body", "method"])
def test_no_field_of_the_form_leads_elsewhere(login: Login, field: str) -> None:
    form = {f"{prefix}_{field}" for prefix in ("httpd", "x")} - {field}
    more = dict.fromkeys([*form, "httpd_location", "httpd_method", "httpd_mimetype", "httpd_body"], "https://evil.com/")
    assert login.browser().log_in(CLINICIAN, CLINICIAN_PASSWORD, **more).header("Location") == "/"


@pytest.mark.parametrize("target", ["/", "/x", "/logout", "/dicom-web/studies", "/loginx", "/login%2fx"])
@pytest.mark.parametrize("prefix", ["", "httpd_"])
def test_the_form_is_taken_at_its_own_address_alone(login: Login, target: str, prefix: str) -> None:
    """Apache would take it anywhere, where the edge counts no attempts."""
    fields = {f"{prefix}username": CLINICIAN, f"{prefix}user": CLINICIAN, f"{prefix}password": CLINICIAN_PASSWORD}
    browser = login.browser()
    answer = browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, EMR, target, **(fields if prefix else {}), httpd_location="https://evil.com/")
    assert answer.status == (307 if target == "/logout" else 401)
    assert browser.cookie == "" or browser.ask(EMR).status == 302


# --- secrets and log -----------------------------------------------------------------------------------------------------------------


def test_no_secret_shows(login: Login) -> None:
    """Neither in the log, nor in `docker inspect`, nor in the files of the role."""
    browser = login.logged_in()
    browser.log_in(CLINICIAN, "Wrong.canary-9")
    browser.log_in(CLINICIAN, "Other.canary-9", target="/")
    browser.ask(EMR, headers=PAGE | {"X-Remote-User": "Header.canary-1"})
    shown = login.container.logs() + docker("inspect", login.container.name).stdout
    shown += "".join(path.read_text() for path in login.folder.rglob("*") if path.is_file() and "secrets" not in path.parts)
    for text in ("anary", PASSPHRASE, browser.cookie):
        assert text not in shown
    processes = "".join(login.container.exec("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true"))
    assert "anary" not in processes


def test_the_log_says_who_came_in_and_who_did_not_and_no_patient(login: Login) -> None:
    target = "/viewer/logged"
    browser = login.browser()
    where = {"X-Forwarded-For": "192.0.2.7", "Referer": f"https://{VIEWER}/?mrn=PATIENT-77"}
    form = PAGE | where | {"Content-Type": "application/x-www-form-urlencoded"}
    query = f"/login?{target}?mrn=PATIENT-77"
    browser.ask(VIEWER, query, "POST", "user=anna&password=wrong", form)
    browser.ask(VIEWER, query, "POST", "user=%22%0aevent%3Dlogin&password=wrong", form)
    browser.log_in(CLINICIAN, CLINICIAN_PASSWORD, VIEWER, query)
    browser.ask(VIEWER, f"{target}?mrn=PATIENT-77", headers=PAGE | where)
    browser.ask(PACS, f"{target}?mrn=PATIENT-77", headers=PAGE | where)
    log = login.container.logs()
    assert "PATIENT-77" not in log
    lines = log.splitlines()
    start = r'event=refused client="192.0.2.7" user="anna" host="viewer.lab.internal" method=POST path="/login" status=302 bytes='
    assert any(start in line for line in lines)
    assert any(f'event=refused client="192.0.2.7" user="{chr(92)}"{chr(92)}nevent=login" ' in line for line in lines), log
    assert any(
        'event=login client="-" user="anna" host="viewer.lab.internal" method=POST path="/login" status=302 ' in line for line in lines
    )
    for host, status in ((VIEWER, 200), (PACS, 403)):
        start = f'event=request client="192.0.2.7" user="anna" host="{host}" method=GET path="{target}" status={status} bytes='
        [line] = [line for line in lines if start in line]
        assert line.startswith("time=2")
        assert line.rpartition(" ms=")[2].isdigit()


def test_the_reader_reads_no_password(login: Login) -> None:
    """Upstream's rules of access (dcm4chee.md §2.1)."""
    bind = ("-D", "cn=reader,ou=lab,dc=dcm4che,dc=org", "-w", READER_PASSWORD)
    command = (
        "ldapsearch",
        "-x",
        "-LLL",
        "-H",
        "ldap://127.0.0.1",
        *bind,
        "-b",
        "ou=lab,dc=dcm4che,dc=org",
        "uid=anna",
        "uid",
        "userPassword",
    )
    found = login.ldap.exec(*command)
    assert "uid: anna" in found
    assert "userPassword" in ACCOUNTS
    assert "userPassword" not in found
