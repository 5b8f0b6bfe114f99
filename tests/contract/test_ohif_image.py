"""Contract of ohif/app (v3): static files by nginx, one configuration file from outside."""

from __future__ import annotations

import pytest

from .conftest import HARDENED, Container, Engine, image_under_test

IMAGE = image_under_test("ohif")
ROOT = "/usr/share/nginx/html"
CONFIG = "window.config = { routerBasename: '/', mounted: true };\n"


def wait_until_ready(container: Container, port: int = 80) -> None:
    """The health check of the role, in the syntax of BusyBox."""
    container.wait_until("wget", "-q", "-Y", "off", "-O", "/dev/null", f"http://127.0.0.1:{port}/app-config.js")


@pytest.fixture(scope="module")
def ohif(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A viewer as a role runs it: no capability, configuration mounted read-only."""
    config = tmp_path_factory.mktemp("ohif") / "app-config.js"
    config.write_text(CONFIG, encoding="utf-8")
    container = shared_engine.run(IMAGE, options=[*HARDENED, f"--volume={config}:{ROOT}/app-config.js:ro"])
    wait_until_ready(container)
    return container


def test_runs_as_uid_101_without_capabilities(ohif: Container) -> None:
    """The image's USER is nginx of the official nginx image."""
    assert "Uid:\t101\t101\t101\t101" in ohif.exec("cat", "/proc/1/status")


def test_serves_the_mounted_configuration(ohif: Container) -> None:
    """OHIF's deployment documentation: the configuration is /usr/share/nginx/html/app-config.js."""
    status, headers, body = ohif.get("/app-config.js")
    assert (status, body) == (200, CONFIG)
    assert "javascript" in headers["content-type"]


def test_every_view_is_the_one_page(ohif: Container) -> None:
    """A single page application: paths that are no file are views of it."""
    page = ohif.get("/")
    view = ohif.get("/viewer?StudyInstanceUIDs=1.2.3")
    view_of_source = ohif.get("/viewer/patient?StudyInstanceUIDs=1.2.3")
    assert page[0] == view[0] == view_of_source[0] == 200
    assert view[2] == view_of_source[2] == page[2]
    assert "app-config.js" in page[2]


def test_web_assembly_has_its_type(ohif: Container) -> None:
    """Browsers compile a stream only from application/wasm; the decoders are such files."""
    decoder = ohif.exec("sh", "-c", f"cd {ROOT} && find . -name '*.wasm' | head -1").strip().removeprefix(".")
    status, headers, body = ohif.get(decoder)
    assert (status, headers["content-type"]) == (200, "application/wasm")
    assert body.startswith("\0asm")


def test_files_are_dated_by_their_build(ohif: Container) -> None:
    """With the constant date of npm packages two versions would share ETags, and browsers would keep pages for years."""
    assert "1985" not in ohif.get("/index.html")[1]["last-modified"]


def test_health_check_notices_a_dead_port(ohif: Container) -> None:
    """The wget of the health check answers with its exit code."""
    assert ohif.try_exec("wget", "-q", "-Y", "off", "-O", "/dev/null", "http://127.0.0.1:81/app-config.js").returncode != 0


def test_requests_reach_the_log(ohif: Container) -> None:
    """Official nginx image: the access log is stdout."""
    ohif.get("/app-config.js?seen-in-the-log")
    assert "seen-in-the-log" in ohif.logs()


def test_port_is_a_variable_and_stop_is_clean(engine: Engine) -> None:
    """OHIF's image listens on PORT; STOPSIGNAL is SIGQUIT, nginx ends with 0."""
    ohif = engine.run(IMAGE, options=HARDENED, env={"PORT": "8080"})
    wait_until_ready(ohif, 8080)
    assert ohif.get("/", 8080)[0] == 200
    assert ohif.stop() == 0
