"""The lab's entrance: which name leads where over HTTPS, and what the edge adds, takes away and refuses on the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext

from .inside import Inside
from .lab import Lab
from .viewer import go
from .web import Answer, Direct

pytestmark = pytest.mark.proves("edge")
LOGIN_PAGE = "/interface/login/login.php?site=default"
#: Names below the portal's.
PAGES = ("emr", "viewer", "pacs")
#: Where the EMR takes a login, by its page and by OAuth2.
OAUTH, LOGIN = "/oauth2/verify", "/interface/main/main_screen.php?auth=login&site=default"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def portal(lab: Lab) -> str:
    """The portal's URL."""
    if lab.portal is None:
        pytest.skip("the entrance is not published (edge_https_bind)")
    return lab.portal


def below(portal: str, name: str) -> Direct:
    """Return one of the names below the portal's, or the portal itself for an empty name."""
    return Direct(portal.replace("https://", f"https://{name}.") if name else portal)


def ask(portal: str, name: str, target: str = "/", method: str = "GET", **headers: str) -> Answer:
    """Ask one of the names."""
    return below(portal, name).request(method, target, {key.replace("_", "-"): value for key, value in headers.items()})


@pytest.mark.reads
def test_portal_leads_to_everything_and_is_readable_on_a_phone(portal: str, lab: Lab, browser: BrowserContext) -> None:
    page = browser.new_page()
    try:
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        go(page, portal)
        assert page.title() == lab.name
        links = [str(link.get_attribute("href")) for link in page.get_by_role("link").all()]
        assert links == [f"{below(portal, name).origin}/" for name in ("emr", "viewer")]
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "it is wider than a phone"
        page.screenshot(path=lab.artifacts / "portal.png")
        for link in links:
            answer = go(page, link)
            assert answer is not None
            assert answer.status == 200, f"{link} answered {answer.status}"
    finally:
        page.close()


@pytest.mark.reads
@pytest.mark.proves("openemr")
def test_emr_comes_under_its_name(portal: str) -> None:
    answer = ask(portal, "emr", LOGIN_PAGE)
    assert answer.status == 200, f"the EMR's login page answered {answer.status}: {answer.text}"
    assert b"authUser" in answer.body


@pytest.mark.reads
def test_archives_own_pages_are_closed(portal: str) -> None:
    """They have no login of their own (dcm4chee.md)."""
    for path in ("/", "/dcm4chee-arc/ui2/", "/dcm4chee-arc/ctrl/status"):
        assert ask(portal, "pacs", path).status == 403


@pytest.mark.reads
def test_other_names_get_the_portal_alone(portal: str) -> None:
    other = ask(portal, "", Host="elsewhere.example.org")
    assert (other.status, other.body) == (200, ask(portal, "").body)
    for path in ("/dcm4chee-arc/aets", LOGIN_PAGE, "/app-config.js"):
        assert ask(portal, "", path).status == 404
        assert ask(portal, "", path, Host="viewer.example.org").status == 404


@pytest.mark.reads
@pytest.mark.parametrize("name", ["", *PAGES])
def test_plain_http_leads_to_the_same_page_over_tls(lab: Lab, portal: str, name: str) -> None:
    if lab.plain_entrance is None:
        pytest.skip("plain HTTP is not published (edge_http_bind)")
    there = urlsplit(below(portal, name).origin)
    plain = Direct(f"http://{there.hostname}:{urlsplit(lab.plain_entrance).port}")
    answer = plain.request("GET", "/viewer?StudyInstanceUIDs=1.2&x=%2F")
    assert answer.status == 308
    assert answer.headers["location"] == f"https://{there.netloc}/viewer?StudyInstanceUIDs=1.2&x=%2F"


@pytest.mark.reads
@pytest.mark.parametrize("name", ["", *PAGES])
def test_plain_ports_of_a_name_are_never_locked_out(lab: Lab, portal: str, name: str) -> None:
    """A browser that has seen HSTS opens no plain port of that name any more (openemr.md §1.1), so it comes only where there is none."""
    said = ask(portal, name, LOGIN_PAGE if name == "emr" else "/").headers.get("strict-transport-security")
    assert said == (None if lab.plain_viewer or lab.archive else "max-age=31536000")


@pytest.mark.reads
@pytest.mark.parametrize("name", ["", *PAGES])
def test_content_is_what_it_says_it_is(portal: str, name: str) -> None:
    assert ask(portal, name, LOGIN_PAGE if name == "emr" else "/").headers.get("x-content-type-options") == "nosniff"


@pytest.mark.reads
def test_log_names_no_patient(portal: str, lab: Lab, inside: Inside) -> None:
    """One JSON object a line, with the path, and without what a query says."""
    began = datetime.now(UTC).isoformat()
    ask(portal, "viewer", "/?datasources=patient&mrn=VERIFY-SECRET-4711")
    host = inside.host("edge")
    lines = inside.docker(host, "logs", "--since", began, inside.container("edge")).stdout.decode().splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    mine = [row for row in rows if row["host"] == urlsplit(below(portal, "viewer").origin).hostname]
    assert mine, f"the edge logged no request: {lines}"
    assert (mine[-1]["method"], mine[-1]["path"], mine[-1]["status"]) == ("GET", "/", 200)
    assert "VERIFY-SECRET-4711" not in "".join(lines)


@pytest.mark.reads
@pytest.mark.parametrize("name", ["emr", "viewer"])
def test_client_cannot_say_who_forwarded_it(portal: str, lab: Lab, name: str) -> None:
    """What EMR and archive hear of the client comes from the edge: no page and no retrieve URL leads where a header says."""
    target = LOGIN_PAGE if name == "emr" else f"{urlsplit(lab.dicomweb).path}/studies?limit=1"
    answer = ask(portal, name, target, X_Forwarded_Host="evil.example.org", X_Forwarded_Proto="http", Forwarded="host=evil.example.org")
    assert answer.status in (200, 204)
    assert b"evil.example.org" not in answer.body
    assert "evil.example.org" not in str(answer.headers)


def guesses(portal: str, target: str) -> int:
    """Return what the edge answers to a login without user and password."""
    return below(portal, "emr").request("POST", target, {"Content-Type": "application/x-www-form-urlencoded"}, b"x=").status


@pytest.mark.breaks
def test_passwords_cannot_be_guessed_fast(portal: str) -> None:
    """After so many tries in a minute the edge answers by itself, whatever way is tried; who only looks is not concerned."""
    answers = [guesses(portal, OAUTH) for _ in range(200)]
    assert answers[0] != 429
    assert answers[-1] == 429, f"200 logins in a row were let through: {set(answers)}"
    assert guesses(portal, LOGIN) == 429
    assert ask(portal, "emr", LOGIN_PAGE).status == 200
