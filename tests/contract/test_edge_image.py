"""Contract of docker.io/library/haproxy:3.0."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import services
from unit.support import ROOT, playbook
from waiting import wait_for

from .conftest import HARDENED, Container, Engine, UnderWay, docker, image_under_test, self_signed

IMAGE = image_under_test("edge")
FOLDER = "/usr/local/etc/haproxy"
CONFIG = f"{FOLDER}/haproxy.cfg"
# Check the configuration and nothing else; a warning is an error.
CHECK = ("-c", "-dW", "-f", CONFIG)
# One front end that answers itself, and a back end whose name does not exist yet.
GOOD = """\
global
    log stdout format raw local0
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 5s
    timeout server 5s
resolvers docker
    nameserver dns 127.0.0.11:53
frontend web
    bind :80
    http-request return status 200 content-type text/plain string hello if { path /hello }
    default_backend absent
backend absent
    server absent nowhere:80 resolvers docker init-addr none
"""


def config_mount(folder: Path, text: str) -> str:
    """Write a configuration and return the option that mounts it."""
    path = folder / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    return f"--volume={path}:{CONFIG}:ro"


@pytest.fixture(scope="module")
def edge(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """An edge as a role runs it: no capability, configuration mounted read-only."""
    container = shared_engine.run(IMAGE, options=[*HARDENED, config_mount(tmp_path_factory.mktemp("edge"), GOOD)])
    container.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")
    return container


def test_runs_as_uid_99_and_takes_port_80_without_capabilities(edge: Container) -> None:
    """The image's USER is haproxy; Docker lets any user take low ports."""
    assert "Uid:\t99\t99\t99\t99" in edge.exec("cat", "/proc/1/status")
    assert edge.get("/hello")[::2] == (200, "hello")


def test_version_is_3(edge: Container) -> None:
    """The tag."""
    assert re.search(r"HAProxy version 3\.\d+", edge.exec("haproxy", "-v"))


def test_is_master_and_worker_in_the_foreground(edge: Container) -> None:
    """Official entrypoint: `haproxy -W -db` is put before the arguments."""
    command = edge.exec("cat", "/proc/1/cmdline").split("\0")
    assert Path(command[0]).name == "haproxy"
    assert command[1:5] == ["-W", "-db", "-f", CONFIG]


def test_starts_while_a_backend_is_missing(edge: Container) -> None:
    """HAProxy's documentation: `init-addr none` with resolvers; the request is refused, the process lives."""
    assert edge.get("/elsewhere")[0] == 503
    assert edge.running()


def test_bad_configuration_is_refused(engine: Engine, tmp_path: Path) -> None:
    """A wrong keyword ends the start with an exit code and a line that names it."""
    edge = engine.run(IMAGE, options=[*HARDENED, config_mount(tmp_path, GOOD + "    nonsense on\n")])
    assert edge.wait_for_end() != 0
    assert "nonsense" in edge.logs()


def check(*mounts: str) -> tuple[int, str]:
    """Have HAProxy read a configuration; return exit code and what it said."""
    done = docker("run", "--rm", "--pull=never", "--network=none", *HARDENED, *mounts, IMAGE, *CHECK, check=False)
    return done.returncode, done.stderr


def test_options_alone_mean_haproxy(tmp_path: Path) -> None:
    """Official entrypoint: a first argument that begins with `-`; HAProxy's management guide: -c checks only, -dW refuses warnings."""
    assert check(config_mount(tmp_path, GOOD)) == (0, "")
    assert check(config_mount(tmp_path, "frontend web\n    bind nonsense\n"))[0] == 1
    code, said = check(config_mount(tmp_path, "frontend without-timeout\n    mode http\n    bind :80\n"))
    assert code == 1
    assert "missing timeouts" in said


@pytest.mark.parametrize(
    ("lab", "settings"),
    [
        ("demo", {}),
        ("single", {}),
        ("multi", {}),
        ("single", {"edge_archive_bind": "0.0.0.0", "arc_ae_title": "A.B-C_1"}),
        ("demo", {"edge_archive_bind": "", "lab_address": "lab.example.org"}),
        ("demo", {"edge_https_bind": ""}),
    ],
    ids=["demo", "single", "multi", "odd AE title", "one plain front end", "no TLS"],
)
def test_takes_what_the_role_renders(lab: str, settings: dict[str, str], tmp_path: Path) -> None:
    """Role edge: HAProxy reads the configuration of each kind of lab without an error or a warning."""
    rendered = tmp_path / "rendered"
    inventory = str(ROOT / "inventory" / lab)
    run = playbook(tmp_path, "-i", inventory, "playbooks/render.yml", variables={"render_to": str(rendered), **settings})
    assert run.returncode == 0, run.output
    [config] = rendered.rglob("haproxy.cfg")
    portal = config.parent / "portal.html"
    tls = self_signed(tmp_path / "tls", "lab.example.org")[0].parent
    mounts = {config: CONFIG, tls: f"{FOLDER}/tls", portal: f"{FOLDER}/portal.html"}
    assert check(*(f"--volume={here}:{there}:ro" for here, there in mounts.items())) == (0, "")


def test_renewed_certificate_is_taken_up_and_cuts_nothing(engine: Engine, tmp_path: Path) -> None:
    """HAProxy's management guide, "Master-worker mode": after USR2 the old worker ends what it has begun; the role's reload command."""
    certificate, _ = self_signed(tmp_path / "tls", "first.example.org")
    config = """\
global
    log stdout format raw local0
    ssl-load-extra-del-ext
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 5s
frontend web
    bind :443 ssl crt /usr/local/etc/haproxy/tls/service.crt
    http-request wait-for-body time 30s
    http-request return status 200
"""
    tls = f"--volume={tmp_path / 'tls'}:{FOLDER}/tls:ro"
    edge = engine.run(IMAGE, options=[*HARDENED, tls, config_mount(tmp_path, config)])
    edge.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/443")
    request = UnderWay(edge.address(), 443, "/", b"x" * 2000)
    self_signed(tmp_path / "new", "second.example.org")
    for file in (tmp_path / "new").iterdir():
        file.replace(tmp_path / "tls" / file.name)
    edge.exec(*services.load("edge").certificate["reload"])

    def complaint() -> str:
        served = ssl.get_server_certificate((edge.address(), 443)).strip()
        return "" if served == certificate.read_text(encoding="ascii").strip() else "the old certificate is served"

    wait_for(complaint, 20, pause=0.2)
    assert request.finish() == 200


def test_stop_is_clean(engine: Engine, tmp_path: Path) -> None:
    """STOPSIGNAL is SIGUSR1: drained, then exit code 0."""
    edge = engine.run(IMAGE, options=[*HARDENED, config_mount(tmp_path, GOOD)])
    edge.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")
    assert edge.stop() == 0
