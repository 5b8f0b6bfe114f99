"""Fixtures: the lab from LAB_ENDPOINTS, clients for it, and what the run has proved as a file (summary.json).

A step is marked `reads`, `adds` or `breaks` (pyproject.toml); they run in this order, and a production lab never sees the last kind.
`proves("arc", …)` names the services that a test says something about. A step that cannot tell because another function failed
skips and says which: so each break turns exactly the tests of its own function red.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext

from . import journey, names
from .chart import Chart
from .dimse import Archive, Outcome
from .emr import Emr, Procedure
from .emr_database import EmrDatabase
from .engine import EngineInside
from .inside import Inside, InsideHttp
from .lab import HOW_TO_RUN, Address, Engine, Lab, LabError, load
from .modality import Modality
from .openemr import OpenEmr, OpenEmrCharts
from .orders import Clinic
from .phantoms import Identity, Study, all_studies
from .reports import Filed
from .viewer import Viewer, chromium
from .web import DicomWeb, Direct

STEPS = ("reads", "adds", "breaks")
LAB = pytest.StashKey[Lab]()
CHECKS = pytest.StashKey[dict[str, list[dict[str, object]]]]()
NOTES = pytest.StashKey[list[str]]()


# --- the run as a whole ----------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Read the lab's description before anything runs."""
    config.addinivalue_line("markers", "journey: leaves something behind that later runs read back, where the lab wants it once")
    config.addinivalue_line("markers", "demo: leaves something to click through, where the lab wants it")
    config.addinivalue_line("markers", "proves(*services): what the test says something about")
    path = os.environ.get("LAB_ENDPOINTS")
    if not path:
        raise pytest.UsageError(f"LAB_ENDPOINTS names no file, so there is no lab to test: {HOW_TO_RUN}")
    try:
        config.stash[LAB] = load(Path(path))
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    lab = config.stash[LAB]
    lab.artifacts.mkdir(parents=True, exist_ok=True)
    # Read by OpenSSL in this process, and by Playwright's own HTTP client, which is Node's.
    os.environ["SSL_CERT_FILE"] = os.environ["NODE_EXTRA_CA_CERTS"] = str(lab.certificates.trust)
    names.teach(names.unknown(lab.names))
    checks: dict[str, list[dict[str, object]]] = defaultdict(list)
    config.stash[CHECKS] = checks
    config.stash[NOTES] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `front_end` once for each front end of the edge that the lab has."""
    if "front_end" in metafunc.fixturenames:
        lab = metafunc.config.stash[LAB]
        others = {"plain viewer": lab.plain_viewer, "archive": lab.archive}
        metafunc.parametrize("front_end", ["viewer", *(name for name, url in others.items() if url and url != lab.viewer)])


def leave_out(config: pytest.Config, items: list[pytest.Item], marker: str) -> int:
    """Run no test with a marker; return how many they are."""
    out = [item for item in items if item.get_closest_marker(marker)]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
    return len(out)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order by step; leave out on a production lab what breaks."""
    for item in items:
        kinds = [step for step in STEPS if item.get_closest_marker(step)]
        if len(kinds) != 1:
            raise pytest.UsageError(f"{item.nodeid} must have exactly one of the markers {', '.join(STEPS)}")
        if not item.get_closest_marker("proves"):
            raise pytest.UsageError(f"{item.nodeid} must say what it proves: @pytest.mark.proves('arc')")
    lab = config.stash[LAB]
    if lab.journey_once and journey.file_of(lab).exists():
        leave_out(config, items, "journey")
        config.stash[NOTES].append(f"the journey of {journey.file_of(lab)} was read back, and not walked again")
    if not lab.demo_patients:
        leave_out(config, items, "demo")
    items.sort(key=lambda item: next(number for number, step in enumerate(STEPS) if item.get_closest_marker(step)))
    if lab.production:
        left_out = leave_out(config, items, "breaks")
        config.stash[NOTES].append(f"{lab.name} is a production lab: {left_out} steps that break were left out")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for each service which check ended how."""
    report = yield
    ended = report.when == "call" or report.outcome != "passed"
    marker = item.get_closest_marker("proves")
    if ended and marker:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else (call.excinfo.exconly() if call.excinfo else "")
        check: dict[str, object] = {
            "check": item.name.removeprefix("test_").replace("_", " "),
            "step": next(step for step in STEPS if item.get_closest_marker(step)),
            "ok": None if report.skipped else report.passed,
            "why": why.removeprefix("Skipped: "),
        }
        for service in marker.args:
            item.config.stash[CHECKS][service].append(check)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say for each service what was proved, and keep it for the demo's table."""
    checks, lab = config.stash[CHECKS], config.stash[LAB]
    if not checks:
        return
    (lab.artifacts / "summary.json").write_text(json.dumps(checks, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    terminalreporter.section(f"lab {lab.name}")
    for service, rows in sorted(checks.items()):
        good = sum(row["ok"] is True for row in rows)
        bad = dict.fromkeys(str(row["check"]).partition("[")[0] for row in rows if row["ok"] is False)
        unknown = sum(row["ok"] is None for row in rows)
        line = f"{service:9} {good} of {len(rows)} checks good"
        line += f", {unknown} could not tell" if unknown else ""
        line += f", BROKEN: {'; '.join(bad)}" if bad else ""
        terminalreporter.line(line, red=bool(bad))
    for note in config.stash[NOTES]:
        terminalreporter.line(note)
    terminalreporter.line(f"pictures and summary.json: {lab.artifacts}")


# --- the lab and its clients -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Lab:
    """The lab under test."""
    return pytestconfig.stash[LAB]


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the report."""
    return pytestconfig.stash[NOTES]


@pytest.fixture(scope="session")
def inside(lab: Lab) -> Iterator[Inside]:
    """Docker on the lab's hosts."""
    with Inside.of(lab) as reaching:
        yield reaching


@pytest.fixture(scope="session")
def archive(lab: Lab) -> Archive:
    """The archive's DICOM port."""
    if lab.dicom is None:
        pytest.skip("the lab publishes no DICOM port (arc_dicom_bind)")
    return Archive(lab.dicom)


@pytest.fixture(scope="session")
def dicomweb(lab: Lab) -> DicomWeb:
    """DICOMweb as the viewer uses it: through the edge, reading only."""
    url = urlsplit(lab.dicomweb)
    return DicomWeb(Direct(f"{url.scheme}://{url.netloc}"), url.path)


@pytest.fixture(scope="session")
def dicomweb_inside(lab: Lab, inside: Inside) -> DicomWeb:
    """The archive's whole DICOMweb, which the edge does not let through."""
    return DicomWeb(InsideHttp(inside, "arc", "http://127.0.0.1:8080"), urlsplit(lab.dicomweb).path)


@pytest.fixture(scope="session")
def browser(lab: Lab) -> Iterator[BrowserContext]:
    """Chromium; a missing one is a failure, not a skip, unless LAB_ENDPOINTS says `browser: null`."""
    if lab.browser is None:
        pytest.skip("LAB_ENDPOINTS says that this machine has no browser (browser: null)")
    with chromium(lab.browser, lab.certificates.trust, names.rules(lab.names)) as found:
        yield found


@pytest.fixture
def viewer(browser: BrowserContext, lab: Lab) -> Iterator[Viewer]:
    """A tab on the viewer."""
    tab = Viewer(browser, lab.viewer, lab.artifacts)
    yield tab
    tab.close()


@pytest.fixture(scope="session")
def lab_engine(lab: Lab) -> Engine:
    """What the lab says of its engine."""
    if lab.engine is None:
        pytest.skip("the lab has no engine (group mirth)")
    return lab.engine


@pytest.fixture(scope="session")
def procedure(lab_engine: Engine) -> Procedure:
    """The first procedure of the lab's table."""
    first = lab_engine.procedures[0]
    return Procedure(first.code, first.name)


@pytest.fixture(scope="session")
def engine(lab_engine: Engine, inside: Inside) -> EngineInside:
    """The engine's API and databases."""
    return EngineInside(inside)


@pytest.fixture(scope="session")
def emr_database(inside: Inside) -> EmrDatabase:
    """The EMR's database."""
    return EmrDatabase(inside)


@pytest.fixture(scope="session")
def clinic(engine: EngineInside, archive: Archive, inside: Inside, emr_database: EmrDatabase) -> Clinic:
    """EMR, modality and archive together."""
    return Clinic(Emr(inside, emr_database), Modality(archive), archive, engine)


@pytest.fixture(scope="session")
def chart(emr_database: EmrDatabase, lab_engine: Engine) -> Chart:
    """The charts, which the engine reads."""
    if not lab_engine.reads_emr:
        pytest.skip("the engine reads no EMR (mirth_emr_url)")
    return Chart(emr_database)


@pytest.fixture(scope="session")
def charts(emr_database: EmrDatabase) -> OpenEmrCharts:
    """What the charts hold."""
    return OpenEmrCharts(emr_database)


@pytest.fixture(scope="session")
def openemr(browser: BrowserContext, lab: Lab, emr_database: EmrDatabase) -> Iterator[OpenEmr]:
    """A session with the EMR, in a context of its own."""
    if lab.emr is None:
        pytest.skip("the EMR is not published (openemr_bind)")
    if not lab.emr.api:
        pytest.skip("the EMR's REST, by which patients are registered, is off (openemr_api)")
    assert browser.browser is not None
    context = browser.browser.new_context(viewport={"width": 1280, "height": 900})
    access = replace(lab.emr, user=os.environ.get("LAB_EMR_USER") or lab.emr.user)
    session = OpenEmr(context, access, os.environ.get("LAB_EMR_PASSWORD", ""), emr_database)
    session.log_in()
    yield session
    session.close()
    context.close()


@pytest.fixture(scope="session")
def reports(lab_engine: Engine) -> Address:
    """Where the engine takes reports."""
    if lab_engine.reports is None:
        pytest.skip("the engine's HL7 port is not published (mirth_hl7_bind)")
    return lab_engine.reports


@pytest.fixture(scope="session")
def filed(dicomweb: DicomWeb, dicomweb_inside: DicomWeb) -> Filed:
    """What the archive has of reports."""
    return Filed(dicomweb, dicomweb_inside)


# --- the synthetic patient's studies ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def studies(lab: Lab) -> dict[str, Study]:
    """The studies of the lab's synthetic patient, the same in each run."""
    return all_studies(Identity(f"pacs-emr/{lab.name}", lab.patient.id, lab.patient.name, "VERIFY-"))


@dataclass(frozen=True)
class Stored:
    """The studies after their C-STORE, with what became of each object."""

    studies: dict[str, Study]
    outcomes: dict[str, list[Outcome] | AssertionError]

    def need(self, kind: str) -> Study:
        """Return a study; skip when it could not be stored: that is another test's failure."""
        outcome = self.outcomes[kind]
        if isinstance(outcome, AssertionError) or not all(one.stored for one in outcome):
            pytest.skip(f"cannot tell: the {self.studies[kind]} could not be stored, see test_stores")
        return self.studies[kind]


@pytest.fixture(scope="session")
def stored(archive: Archive, studies: dict[str, Study]) -> Stored:
    """Each study sent by C-STORE, an association each; failures are kept for test_stores."""
    outcomes: dict[str, list[Outcome] | AssertionError] = {}
    for kind, study in studies.items():
        try:
            outcomes[kind] = archive.store(study.objects)
        except AssertionError as error:
            outcomes[kind] = error
    return Stored(studies, outcomes)
