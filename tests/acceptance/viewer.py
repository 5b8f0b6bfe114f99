"""OHIF in headless Chromium: what a clinician's screen shows, measured."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Response, sync_playwright
from playwright.sync_api import Error as BrowserError

from .lab import DEFAULT_BROWSER
from .phantoms import Study

# Software rendering: WebGL without a graphics card. The rest keeps the browser from talking to anybody else.
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
CANVAS = "canvas.cornerstone-canvas"
SHOWN_SECONDS = 60
# With a call that failed there is little to wait for.
TROUBLE_SECONDS = 10
# What Chromium says of calls that it gave up because an interface of this machine came or went; how often a page is loaded then.
NETWORK_CHANGED, LOADS = "ERR_NETWORK_CHANGED", 3
# Greys that a place may be off: rounding of the window, 8 bit.
TOLERANCE = 4


def trust_in(home: str, certificate: Path) -> None:
    """Let a browser whose home this is trust a root certificate: Chromium reads NSS' database there."""
    database = Path(home) / ".pki/nssdb"
    database.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "lab", "-i", str(certificate)]):
        try:
            subprocess.run(["certutil", "-d", f"sql:{database}", *words], capture_output=True, text=True, check=True)
        except FileNotFoundError:
            raise AssertionError("there is no certutil, by which a browser is told whom to trust: `make browser` installs it") from None
        except subprocess.CalledProcessError as error:
            raise AssertionError(f"certutil does not take {certificate}: {error.stderr.strip()}") from error


@contextmanager
def chromium(executable: str, trust: Path, options: list[str]) -> Iterator[BrowserContext]:
    """Yield a browser that trusts a root certificate beside its own, and whose tabs share one cache; `options` are further ones of
    Chromium. Where the system's browser is missing it is the one that Playwright installed.

    :raises AssertionError: there is none; the text says how to get one
    """
    with TemporaryDirectory(prefix="browser-") as home, sync_playwright() as playwright:
        trust_in(home, trust)
        own: dict[str, Any] = {"env": {**os.environ, "HOME": home}, "args": [*FLAGS, *options]}
        try:
            if executable == DEFAULT_BROWSER and not Path(executable).is_file():
                browser = playwright.chromium.launch(channel="chromium", **own)
            else:
                browser = playwright.chromium.launch(executable_path=executable, **own)
        except BrowserError as error:
            raise AssertionError(
                f"no Chromium starts from {executable}, so nobody has looked at the viewer: `make browser` installs one, "
                f"or name another as `browser` in LAB_ENDPOINTS. It says: {error}"
            ) from error
        try:
            yield browser.new_context(viewport={"width": 1280, "height": 900})
        finally:
            browser.close()


def go(page: Page, url: str) -> Response | None:
    """Go to an address; once more where the networks of this machine changed meanwhile, which a container that starts is enough for."""
    try:
        return page.goto(url)
    except BrowserError as error:
        if NETWORK_CHANGED not in error.message:
            raise
        return page.goto(url)


class Viewer:
    """One tab on the lab's viewer."""

    def __init__(self, browser: BrowserContext, url: str, artifacts: Path) -> None:
        self._url = url
        self._artifacts = artifacts
        self._page: Page = browser.new_page()
        self._page.set_default_timeout(SHOWN_SECONDS * 1000)
        # Method, address and outcome (status, or what the browser says) of everything that the page asked for.
        self.calls: list[tuple[str, str, str]] = []
        self._page.on("response", lambda answer: self.calls.append((answer.request.method, answer.url, str(answer.status))))
        self._page.on("requestfailed", lambda request: self.calls.append((request.method, request.url, request.failure or "no answer")))

    def close(self) -> None:
        """Close the tab."""
        self._page.close()

    def open(self, path: str) -> None:
        """Go to a page. Raises AssertionError when it does not load."""
        try:
            answer = go(self._page, f"{self._url}{path}")
        except BrowserError as error:
            raise AssertionError(f"the viewer's page {self._url}{path} does not load: {error.message.splitlines()[0]}") from error
        assert answer is not None
        assert answer.status == 200, f"the viewer's page {self._url}{path} answered {answer.status}"

    def open_patient(self, patient_id: str) -> None:
        """Go to the list of one patient's studies, as the EMR links to it."""
        self.open(f"/?datasources=patient&mrn={quote(patient_id)}")

    def listed(self, study: Study) -> set[str]:
        """Wait for a study's row in the list; return the Study Instance UIDs of all rows, without it where it does not come."""
        rows = self._page.locator("[data-cy^='studyRow-']")
        row = f"studyRow-{study.uid}"
        names: list[str] = []

        def shown() -> bool:
            nonlocal names
            names = rows.evaluate_all("rows => rows.map(row => row.dataset.cy)")
            return row in names

        self._wait(shown)
        return {name.removeprefix("studyRow-") for name in names}

    def open_listed(self, study: Study) -> str:
        """Open a study of the list, by its row and the button in it; return path and query of the page that it leads to."""
        self._page.locator(f"[data-cy='studyRow-{study.uid}'] [data-cy='{study.uid}']").click()
        self._page.locator(f"[data-cy='mode-viewer-{study.uid}']").click()
        self._page.wait_for_url("**/viewer**")
        return self._page.url.removeprefix(self._url)

    def patient_ids_asked_for(self) -> set[str]:
        """Return the patient ids by which the page searched studies, as QIDO-RS got them."""
        queries = [parse_qs(urlsplit(url).query) for _, url, _ in self.calls if urlsplit(url).path.endswith("/rs/studies")]
        return {value for query in queries for key in ("00100020", "PatientID") for value in query.get(key, [])}

    def starts(self) -> bool:
        """Wait until the viewer has drawn anything; False where the page stays blank."""
        return self._wait(lambda: bool(self._page.evaluate("document.getElementById('root')?.childElementCount ?? 0")))

    def shows_text(self, text: str) -> bool:
        """Wait for a text on the page; False when it does not come."""
        place = self._page.get_by_text(text, exact=True)
        return self._wait(lambda: place.count() > 0)

    def _wait(self, shown: Callable[[], bool]) -> bool:
        """Poll until `shown`; False when that does not happen in time. A page whose calls this machine's networks cut is loaded again."""
        began, loads = time.monotonic(), 1
        while not shown():
            if loads < LOADS and any(NETWORK_CHANGED in outcome for _, _, outcome in self.calls):
                self.calls = [call for call in self.calls if NETWORK_CHANGED not in call[2]]
                self._page.reload()
                began, loads = time.monotonic(), loads + 1
            if time.monotonic() - began > (TROUBLE_SECONDS if self.trouble() else SHOWN_SECONDS):
                return False
            self._page.wait_for_timeout(250)
        return True

    def isolated(self) -> bool:
        """Return whether the page may share memory between threads, as volume views need it."""
        return bool(self._page.evaluate("crossOriginIsolated"))

    def screenshot(self, name: str) -> None:
        """Keep the page as a picture among the artifacts."""
        self._page.screenshot(path=self._artifacts / f"{name}.png")

    def canvas(self) -> NDArray[np.uint8] | None:
        """Return the first viewport's picture without what lies over it, shape (height, width) of greys; None while there is none."""
        drawn = self._page.evaluate(f"document.querySelector('{CANVAS}')?.toDataURL('image/png') ?? ''")
        header, _, content = str(drawn).partition(",")
        if not header.startswith("data:image/png") or not content:
            return None
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"))

    def trouble(self) -> str:
        """Return the calls that failed, in words; empty when none did."""
        failed = [f"{method} {url} → {outcome}" for method, url, outcome in self.calls if outcome[0] not in "23"]
        return "; ".join(failed[:5])

    def wait_for_phantom(self, study: Study, name: str) -> NDArray[np.uint8]:
        """Wait until the viewport shows a study's phantom; return its picture, kept with the page among the artifacts whatever they show.

        Raises AssertionError with the places that show something else, or with the calls that failed when there is no picture.
        """
        picture: NDArray[np.uint8] | None = None

        def shown() -> bool:
            nonlocal picture
            picture = self.canvas()
            return picture is not None and not misfits(picture, study)

        self._wait(shown)
        self.screenshot(f"{name}-page")
        assert picture is not None, f"OHIF shows no picture; calls that failed: {self.trouble() or 'none'}"
        Image.fromarray(picture).save(self._artifacts / f"{name}.png")
        wrong = misfits(picture, study)
        assert not wrong, (
            f"OHIF shows another picture than was stored ({name}.png): {'; '.join(wrong[:6])}; failed: {self.trouble() or 'none'}"
        )
        return picture


def misfits(picture: NDArray[np.uint8], study: Study) -> list[str]:
    """Return the probes that a viewport does not show at their place, with what it shows there.

    The viewer fits the image into the viewport, centred; five by five screen pixels around each place are averaged.
    """
    height, width = picture.shape
    rows, columns = study.objects[0].Rows, study.objects[0].Columns
    scale = min(height / rows, width / columns)
    found = []
    for probe in study.probes:
        row = round(height / 2 + (probe.row + 0.5 - rows / 2) * scale)
        column = round(width / 2 + (probe.column + 0.5 - columns / 2) * scale)
        grey = float(picture[row - 2 : row + 3, column - 2 : column + 3].mean())
        if abs(grey - probe.grey) > TOLERANCE:
            found.append(f"{probe.what} at row {probe.row}, column {probe.column}: grey {grey:.0f} instead of {probe.grey:.0f}")
    return found
