"""What preflight learns of a host: sockets, routes, storage, records, Docker Engine."""

from __future__ import annotations

import builtins
import json
import os
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import lab_host

from .support import ROOT, run_module

# Lines as the kernel writes them (proc(5)): addresses are hexadecimal words in the byte order of the host, little-endian here.
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 15251 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15017 1 0000000000000000 100 0 0 10 0
   2: 0A00020F:0016 0200020A:D8A1 01 00000000:00000000 02:00083E5B 00000000     0        0 15330 2 0000000000000000 20 4 31 10 -1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000000000000000000000000000:0CEA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0000000000000000FFFF00000100007F:2B68 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   3: 0000000000000000FFFF000000000000:2B67 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   4: B80D0120000000000000000005000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0
"""
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
br-0123456789ab\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0101010A\t0102000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0
"""
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\nHOME_URL="https://x/?a=b"\n'
MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /srv/images rw,relatime shared:9 master:2 - nfs4 nas:/images rw,vers=4.2
41 22 0:51 / /srv/images-old rw - tmpfs tmpfs rw
42 22 0:52 / /srv/two\040words\134x rw master:3 - xfs /dev/sdb1 rw
43 22 0:53 / /srv/twice rw - tmpfs tmpfs rw
44 43 0:54 / /srv/twice rw unbindable shared:7 - nfs nas:/twice rw
""".lstrip()
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the kernel's words in the fixture are little-endian")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Texts under which the module sees files of /proc and /etc; ``None`` is a file that is not there."""
    seen: dict[str, str | None] = {}
    real = builtins.open

    def fake(path: Any, *args: Any, **more: Any) -> Any:
        if path not in seen:
            return real(path, *args, **more)
        text = seen[path]
        if text is None:
            raise FileNotFoundError(path)
        return StringIO(text)

    monkeypatch.setattr(builtins, "open", fake)
    return seen


@little_endian
def test_listeners_of_both_families(files: dict[str, str | None]) -> None:
    """F-TEST-1: an IPv4 address mapped into IPv6 is that IPv4 address; a connection is no listener."""
    files.update({"/proc/net/tcp": TCP, "/proc/net/tcp6": TCP6})
    assert lab_host.listeners() == [
        ["0.0.0.0", 22],
        ["0.0.0.0", 11111],
        ["127.0.0.1", 5432],
        ["127.0.0.1", 11112],
        ["2001:db8::5", 80],
        ["::", 3306],
        ["::1", 631],
    ]


@little_endian
def test_a_host_without_ipv6_has_listeners_too(files: dict[str, str | None]) -> None:
    files.update({"/proc/net/tcp": TCP, "/proc/net/tcp6": None})
    assert lab_host.listeners() == [["0.0.0.0", 22], ["127.0.0.1", 5432]]


def test_a_really_opened_socket_is_seen_while_it_listens() -> None:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port = opened.getsockname()[1]
        assert ["127.0.0.1", port] not in lab_host.listeners()
        opened.listen()
        assert ["127.0.0.1", port] in lab_host.listeners()
    assert ["127.0.0.1", port] not in lab_host.listeners()


def test_a_really_opened_mapped_socket_reads_as_ipv4() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.socket(socket.AF_INET6) as opened:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind(("::ffff:127.0.0.1", 0))
        opened.listen()
        assert ["127.0.0.1", opened.getsockname()[1]] in lab_host.listeners()


@little_endian
def test_routes_but_the_default_one(files: dict[str, str | None]) -> None:
    files["/proc/net/route"] = ROUTE
    assert lab_host.routes() == [
        {"network": "10.0.2.0/24", "device": "eth0"},
        {"network": "172.18.0.0/16", "device": "br-0123456789ab"},
        {"network": "10.1.1.1/32", "device": "eth0"},
    ]
    files["/proc/net/route"] = None
    assert lab_host.routes() == []


def test_distribution(files: dict[str, str | None]) -> None:
    files["/etc/os-release"] = RELEASE
    assert lab_host.distribution() == {"id": "debian", "version": "13"}
    files["/etc/os-release"] = "ID=arch\n"
    assert lab_host.distribution() == {"id": "arch", "version": ""}
    files["/etc/os-release"] = None
    assert lab_host.distribution() == {"id": "", "version": ""}


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/srv/images", ("nfs4 at /srv/images", True)),
        ("/srv/images/a", ("nfs4 at /srv/images", True)),
        ("/srv/images-old", ("tmpfs at /srv/images-old", False)),
        ("/srv/two words\\x/a", ("xfs at /srv/two words\\x", True)),
        ("/srv/twice", ("nfs at /srv/twice", True)),
        ("/srv/other", ("ext4 at /", True)),
    ],
)
def test_the_mount_of_a_folder(files: dict[str, str | None], path: str, mount: tuple[str, bool]) -> None:
    files["/proc/self/mountinfo"] = MOUNTS
    assert lab_host.mount_of(path) == mount


def test_free_space_of_a_folder_that_will_be(tmp_path: Path) -> None:
    assert lab_host.free_gb(str(tmp_path / "a" / "b")) == pytest.approx(lab_host.free_gb(str(tmp_path)), abs=0.5)


def test_storage_of_each_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lab_host.storage("", "mark") is None
    absent = lab_host.storage(str(tmp_path / "gone"), "mark")
    assert absent == {"exists": False, "marker": False, "writable": False, "mount": "", "propagates": False}

    seen: list[tuple[int, str, str]] = []

    def seen_by(uid: int, path: str, marker: str) -> tuple[bool, bool]:
        seen.append((uid, path, marker))
        return True, False

    monkeypatch.setattr(lab_host, "seen_by", seen_by)
    monkeypatch.setattr(lab_host, "mount_of", lambda path: (f"ext4 at {path}", True))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    there = lab_host.storage(str(tmp_path / "link"), "mark")
    assert there == {"exists": True, "marker": True, "writable": False, "mount": f"ext4 at {tmp_path}/real", "propagates": True}
    assert seen == [(1023, str(tmp_path / "link"), "mark")]


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the archive's user")


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that only the archive's user may enter, below one that only root may."""
    folder = tmp_path / "closed" / "images"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    os.chown(folder, lab_host.ARCHIVE_UID, lab_host.ARCHIVE_UID)
    folder.chmod(0o700)
    return folder


@as_root
def test_the_folder_is_seen_as_the_archives_user_sees_it(closed: Path) -> None:
    assert lab_host.seen_by(lab_host.ARCHIVE_UID, str(closed), "mark") == (False, True)
    (closed / "mark").touch()
    assert lab_host.seen_by(lab_host.ARCHIVE_UID, str(closed), "mark") == (True, True)
    assert os.listdir(closed) == ["mark"]
    os.chown(closed, 0, 0)
    assert lab_host.seen_by(lab_host.ARCHIVE_UID, str(closed), "mark") == (False, False)
    closed.chmod(0o755)
    assert lab_host.seen_by(lab_host.ARCHIVE_UID, str(closed), "mark") == (True, False)


@as_root
def test_a_folder_that_is_closed_to_root_itself_is_no_unmarked_one(closed: Path) -> None:
    """As with root_squash: here root lacks the capabilities that open every file to it."""
    (closed / "mark").touch()
    powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    code = "import sys; from ansible_collections.pacs_emr.lab.plugins.modules import lab_host as h; import os; "
    code += "print(os.path.isfile(sys.argv[1] + '/mark'), h.seen_by(h.ARCHIVE_UID, sys.argv[1], 'mark'))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    run = subprocess.run(
        [*powerless, sys.executable, "-c", code, str(closed)], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout == "False (True, True)\n", run.stderr


def test_whoever_cannot_become_that_user_cannot_say_that_it_may_write(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can become any user")
    assert lab_host.seen_by(lab_host.ARCHIVE_UID, str(tmp_path), "mark") == (False, False)


def test_first_boot_records(tmp_path: Path) -> None:
    assert lab_host.first_boot(str(tmp_path)) == {}
    folder = tmp_path / "first-boot"
    folder.mkdir()
    (folder / "ldap.json").write_text('{"arc_ae_title": "DCM4CHEE"}')
    (folder / "arc.json").write_text("{ cut off")
    (folder / "pacs_db.json").write_text("[1]")
    (folder / "note.txt").write_text("x")
    assert lab_host.first_boot(str(tmp_path)) == {"ldap": {"arc_ae_title": "DCM4CHEE"}, "arc": {}, "pacs_db": {}}


def test_the_emr_is_installed_when_its_health_check_has_left_its_mark_in_this_projects_volume(tmp_path: Path) -> None:
    assert lab_host.emr_installed(str(tmp_path), "p") is False
    local = tmp_path / "volumes" / "p_oemr-sites" / "_data" / "default" / "documents" / "local"
    local.mkdir(parents=True)
    assert lab_host.emr_installed(str(tmp_path), "p") is False
    (local / "installed").touch()
    assert lab_host.emr_installed(str(tmp_path), "p") is True
    assert lab_host.emr_installed(str(tmp_path), "other") is False


# --- Docker Engine ---------------------------------------------------------------------------------------------------

NETWORKS: list[dict[str, Any]] = [
    {
        "Name": "bridge",
        "Id": "f" * 64,
        "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]},
        "Options": {"com.docker.network.bridge.name": "docker0"},
        "Labels": {},
    },
    {
        "Name": "p_default",
        "Id": "0123456789abcdef",
        "IPAM": {"Config": [{"Subnet": "10.213.0.0/24"}, {"Subnet": "fd00::/64"}]},
        "Options": None,
        "Labels": {docker_cli.PROJECT_LABEL: "p"},
    },
    {"Name": "odd", "Id": "a" * 64, "IPAM": {"Config": None}, "Options": {}, "Labels": None},
]
CONTAINERS = [
    {
        "Config": {"Labels": {docker_cli.SERVICE_LABEL: "ldap"}},
        # Being started: Docker Engine listens already, but does not say so yet.
        "Id": "1",
        "State": {"Status": "created", "ExitCode": 0, "Health": {"Status": "starting"}},
        "NetworkSettings": {"Ports": {}},
        "HostConfig": {
            "PortBindings": {
                "389/tcp": [{"HostIp": "127.0.0.1", "HostPort": "389"}, {"HostIp": "::1", "HostPort": "389"}],
                "636/tcp": None,
                "1/tcp": [],
            }
        },
    },
    {
        "Id": "2",
        "Config": {"Labels": {}},
        "State": {"Status": "exited", "ExitCode": 1},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}},
    },
    {"Id": "3", "Config": {"Labels": {}}, "State": {"Status": "running", "ExitCode": 0}, "HostConfig": {"PortBindings": None}},
]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Answers of docker by how the call begins; a call without an answer fails."""
    answers = {
        "info": json.dumps({"ServerVersion": "26.1.5", "DockerRootDir": "/var/lib/docker", "HttpProxy": ""}),
        "compose version": "v2.26.1\n",
        "volume ls": "p_ldap-data\np_pacs-db\n",
        "network ls": "a b c\n",
        "network inspect": json.dumps(NETWORKS),
        "ps": "x y\n",
        "container inspect": json.dumps(CONTAINERS),
        "image inspect --format {{.Id}} there": "sha256:1\n",
        "image inspect --format {{len .RepoDigests}} loaded": "0\n",
        "image inspect --format {{len .RepoDigests}} pulled": "1\n",
    }

    def run(args: list[str], stdin: str | None = None, timeout: float = 120) -> str:
        line = " ".join(args)
        for begin, answer in answers.items():
            if line.startswith(begin):
                return answer
        raise docker_cli.DockerError(f"Cannot connect to the Docker daemon\nmore of {line}")

    monkeypatch.setattr(docker_cli, "run", run)
    monkeypatch.setattr(lab_host.shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    return answers


def test_what_of_the_lab_docker_engine_holds(engine: dict[str, str]) -> None:
    found = lab_host.engine("p", ["gone", "there"])
    assert found["engine"] == "26.1.5"
    assert found["engine_error"] == ""
    assert found["compose"] == "2.26.1"
    assert found["docker_root"] == "/var/lib/docker"
    assert found["volumes"] == ["ldap-data", "pacs-db"]
    assert found["images_missing"] == ["gone"]
    assert found["containers"] == [
        {
            "service": "ldap",
            "id": "1",
            "state": "created",
            "exit_code": 0,
            "health": "starting",
            "ports": [["127.0.0.1", 389], ["::1", 389]],
        },
        {"service": "", "id": "2", "state": "exited", "exit_code": 1, "health": "", "ports": []},
        {"service": "", "id": "3", "state": "running", "exit_code": 0, "health": "", "ports": []},
    ]
    assert found["networks"] == [
        {"name": "bridge", "subnets": ["172.17.0.0/16"], "device": "docker0", "ours": False},
        {"name": "p_default", "subnets": ["10.213.0.0/24"], "device": "br-0123456789ab", "ours": True},
        {"name": "odd", "subnets": [], "device": "br-aaaaaaaaaaaa", "ours": False},
    ]


def test_an_image_that_is_here_but_without_any_digest_was_loaded(engine: dict[str, str]) -> None:
    found = lab_host.engine("p", ["loaded@sha256:1", "pulled@sha256:1", "gone@sha256:1", "gone"])
    assert found["images_missing"] == ["loaded@sha256:1", "pulled@sha256:1", "gone@sha256:1", "gone"]
    assert found["images_loaded"] == ["loaded"]


@pytest.mark.parametrize(("told", "proxied"), [({}, False), ({"HttpProxy": "http://p:1"}, True), ({"HttpsProxy": "http://p:1"}, True)])
def test_whether_docker_engine_has_a_proxy(engine: dict[str, str], told: dict[str, str], proxied: bool) -> None:
    engine["info"] = json.dumps({"ServerVersion": "26.1.5", "DockerRootDir": "/var/lib/docker"} | told)
    assert lab_host.engine("p", [])["proxied"] is proxied


def test_a_port_on_every_address_and_one_of_ipv6() -> None:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "80"}], "81/tcp": [{"HostIp": "0:0::1", "HostPort": "81"}]}
    assert lab_host.asked_ports({"HostConfig": {"PortBindings": bindings}}) == [["0.0.0.0", 80], ["::", 80], ["::1", 81]]


def test_an_engine_without_compose_or_that_does_not_answer(engine: dict[str, str]) -> None:
    del engine["compose version"]
    assert lab_host.engine("p", [])["compose"] == ""
    del engine["info"]
    found = lab_host.engine("p", [])
    assert found["engine"] == ""
    assert found["engine_error"] == "Cannot connect to the Docker daemon"
    assert found["volumes"] == []


def test_a_host_without_docker(engine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_host.shutil, "which", lambda name, path=None: None)
    found = lab_host.engine("p", ["x"])
    assert found["engine_error"] == "missing"
    assert found["engine_installed"] is False
    assert found["docker_cli"] is False


def test_all_facts_come_in_one_answer_and_nothing_is_changed(engine: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "root"
    local = tmp_path / "docker/volumes/p_oemr-sites/_data/default/documents/local"
    local.mkdir(parents=True)
    (local / "installed").touch()
    engine["info"] = json.dumps({"ServerVersion": "26.1.5", "DockerRootDir": str(tmp_path / "docker")})
    result = run_module(lab_host, tmp_path, check=True, root=str(root), project="p", images=["there"])
    assert result["changed"] is False
    assert not root.exists()
    facts = result["host"]
    assert facts["uid"] == os.geteuid()
    assert facts["memory_mb"] > 100
    assert facts["storage"] is None
    assert facts["images_missing"] == []
    assert facts["emr_installed"] is True
    assert set(facts["disk_free_gb"]) == {str(root), str(tmp_path / "docker")}
