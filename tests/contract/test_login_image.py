"""Contract of docker.io/library/httpd:2.4, as its Dockerfile and httpd-foreground say. What the role makes of it: the folder login."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import HARDENED, Container, Engine, docker, image_under_test
from .login.support import render

IMAGE = image_under_test("login")
PREFIX = "/usr/local/apache2"
CONFIG = f"{PREFIX}/conf/httpd.conf"
# Capabilities with which a root master gives its workers their user.
CAPABLE = ("--cap-add=SETUID", "--cap-add=SETGID")
UP = ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80")


@pytest.fixture(scope="module")
def httpd(shared_engine: Engine) -> Container:
    """The image as it is."""
    container = shared_engine.run(IMAGE, options=[*HARDENED, *CAPABLE, "--cap-add=KILL"])
    container.wait_until(*UP)
    return container


def test_serves_a_page_at_port_80(httpd: Container) -> None:
    status, headers, body = httpd.get("/")
    assert (status, headers["server"][:6]) == (200, "Apache")
    assert "It works!" in body


def test_workers_run_as_www_data(httpd: Container) -> None:
    """User and Group of its httpd.conf; uid 33 is Debian's."""
    uids = httpd.exec("sh", "-c", "grep -h ^Uid: /proc/[0-9]*/status").splitlines()
    assert {uid.split()[1] for uid in uids} >= {"0", "33"}


def test_paths_and_version(httpd: Container) -> None:
    """HTTPD_PREFIX is the working directory, its bin is in PATH, modules are files below it."""
    assert httpd.exec("pwd").strip() == httpd.exec("printenv", "HTTPD_PREFIX").strip() == PREFIX
    assert re.search(r"Apache/2\.4\.\d+", httpd.exec("httpd", "-v"))
    modules = httpd.exec("ls", f"{PREFIX}/modules").split()
    assert {"mod_auth_form.so", "mod_authnz_ldap.so", "mod_session_crypto.so", "mod_proxy_http.so", "mod_mpm_event.so"} <= set(modules)


def test_what_the_role_s_health_check_takes_is_there(httpd: Container) -> None:
    """Debian's bash and coreutils; neither curl nor an LDAP client is in the official image."""
    assert httpd.exec("bash", "-c", "printf x | base64 -w 0") == "eA=="
    assert httpd.exec("/bin/cat", "/etc/debian_version")


def test_arguments_are_httpd_s(engine: Engine) -> None:
    """httpd-foreground hands them on."""
    container = engine.run(IMAGE, "httpd-foreground", "-C", "Listen 8080", options=[*HARDENED, *CAPABLE])
    container.wait_until("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080")


def test_bad_configuration_is_refused(engine: Engine, tmp_path: Path) -> None:
    """A wrong keyword ends the start with an exit code and a line that names it."""
    (tmp_path / "httpd.conf").write_text("LoadModule mpm_event_module modules/mod_mpm_event.so\nNonsense on\n")
    container = engine.run(IMAGE, options=[*HARDENED, f"--volume={tmp_path / 'httpd.conf'}:{CONFIG}:ro"])
    assert container.wait_for_end() != 0
    assert "Nonsense" in container.logs()


def test_stop_is_clean(engine: Engine) -> None:
    """STOPSIGNAL is SIGWINCH: what is in flight ends, then exit code 0."""
    container = engine.run(IMAGE, options=[*HARDENED, *CAPABLE, "--cap-add=KILL"])
    container.wait_until(*UP)
    assert container.inspect()["Config"]["StopSignal"] == "SIGWINCH"
    assert container.stop() == 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "lab_name": "Röntgen \"A\" & 'B' <1>",
            "lab_domain": "rad.example.org",
            "login_ldap_url": "ldaps://dc1.example.org dc2.example.org/OU=Staff,DC=example,DC=org?sAMAccountName?sub?(mail=*)",
            "login_ldap_reader": "CN=svc lab,OU=Service Accounts,DC=example,DC=org",
            "login_clinicians_group": "CN=Radiology Readers,OU=Groups,DC=example,DC=org",
            "login_session_seconds": 60,
        },
    ],
    ids=["demo", "a hospital's directory"],
)
def test_takes_what_the_role_renders(settings: dict[str, object], tmp_path: Path) -> None:
    """Role login: httpd reads the configuration without an error or a warning."""
    folder = render(tmp_path, **settings)
    mounts = [f"--volume={folder / 'httpd.conf'}:{CONFIG}:ro", f"--volume={folder / 'secrets'}:/run/secrets:ro"]
    done = docker("run", "--rm", "--pull=never", "--network=none", "--user=0", *mounts, IMAGE, "httpd", "-t", check=False)
    assert (done.returncode, done.stderr) == (0, "Syntax OK\n")
