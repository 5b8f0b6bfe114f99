"""The page in Chromium, behind a HAProxy that ends TLS as the edge will."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.lab import DEFAULT_BROWSER
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright

from ..conftest import HARDENED, image_under_test
from .support import CLINICIAN, CLINICIAN_PASSWORD, DOMAIN, EMR, VIEWER, Login

PHONE: ViewportSize = {"width": 320, "height": 568}
WANTED = f"https://{VIEWER}/viewer?StudyInstanceUIDs=1.2.3&mrn=4711"
FRONT = """\
global
    log stdout format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind :443 ssl crt /usr/local/etc/haproxy/front.pem alpn h2,http/1.1
    default_backend login
backend login
    server login {address}:8080
"""


@pytest.fixture(scope="module")
def chromium(login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that finds the lab's domain at the front."""
    folder = tmp_path_factory.mktemp("front")
    folder.chmod(0o755)
    (folder / "haproxy.cfg").write_text(FRONT.format(address=login.container.address()))
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={DOMAIN}", "-keyout", "-", "-out", "-", "-quiet"]
    (folder / "front.pem").write_text(login.container.exec(*made))
    front = login.made.run(
        image_under_test("edge"), options=[f"--network={login.network}", *HARDENED, f"--volume={folder}:/usr/local/etc/haproxy:ro"]
    )
    front.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/443")
    with sync_playwright() as playwright:
        rules = f"--host-resolver-rules=MAP *.{DOMAIN} {front.address()}"
        # Where the system's is missing, the one that Playwright installed.
        executable = DEFAULT_BROWSER if Path(DEFAULT_BROWSER).is_file() else None
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--no-first-run", rules])
        yield browser
        browser.close()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:
    """A phone whose browser runs no script."""
    context = chromium.new_context(
        viewport=PHONE, ignore_https_errors=True, java_script_enabled=False, device_scale_factor=2, is_mobile=True
    )
    yield context
    context.close()


def test_signing_in_on_a_phone_without_script_leads_to_the_wanted_page(phone: BrowserContext) -> None:
    page = phone.new_page()
    page.goto(WANTED)
    expect(page.get_by_label("User name")).to_be_focused()
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width == [PHONE["width"], PHONE["width"]]
    page.get_by_label("User name").fill(CLINICIAN)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_label("User name").fill(CLINICIAN)
    page.get_by_label("Password").fill(CLINICIAN_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(WANTED)
    expect(page.locator("body")).to_contain_text(f'["x-remote-user", "{CLINICIAN}"]')

    page.goto(f"https://{EMR}/chart")
    assert page.url == f"https://{EMR}/chart"
    page.goto(f"https://{EMR}/logout")
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    page.goto(WANTED)
    expect(page.get_by_label("Password")).to_be_visible()


def test_script_sees_no_cookie(chromium: Browser) -> None:
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"https://{EMR}/")
    page.get_by_label("User name").fill(CLINICIAN)
    page.get_by_label("Password").fill(CLINICIAN_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"https://{EMR}/")
    assert [cookie["name"] for cookie in context.cookies() if cookie["domain"] == f".{DOMAIN}"] == ["labsession"]
    assert "labsession" not in page.evaluate("document.cookie")
    context.close()
