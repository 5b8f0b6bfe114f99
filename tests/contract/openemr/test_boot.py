"""How the EMR's container starts, what a first start does to files and database, and what a wrong setting does to it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from waiting import wait_for

from ..conftest import REPOSITORY, Container, Engine, UnderWay, docker, self_signed
from .support import (
    ADMIN_PASSWORD,
    BOOT_SECONDS,
    DATABASE_ROOT,
    DOCUMENTS,
    IMAGE,
    ROOT,
    SELF_SIGNED,
    Browser,
    Emr,
    mode,
    only_standin,
    remove,
    run_database,
    run_emr,
    sql,
    wait_for_log,
    wait_until_up,
)

pytestmark = SELF_SIGNED
SITES = f"{ROOT}/sites"
CONFIG = f"{SITES}/default/sqlconf.php"


class Place:
    """A network with a database server, in which each test has a database of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.network = engine, engine.network()
        self.database = run_database(engine, self.network)

    def run(self, engine: Engine, name: str, *options: str, **env: str) -> Container:
        """Start an EMR with this name for database and user."""
        return run_emr(engine, self.network, *options, **{"MYSQL_DATABASE": name, "MYSQL_USER": name, **env})


@pytest.fixture(scope="module")
def place(shared_engine: Engine) -> Place:
    return Place(shared_engine)


def test_what_an_installation_leaves(emr: Emr) -> None:
    """§7.1: version, four users of which one is active, the collation; §0."""
    assert emr.sql("SELECT v_major, v_minor, v_patch, v_realpatch, v_database, v_acl FROM version") == [["7", "0", "3", "3", "506", "12"]]
    assert emr.sql("SELECT id, username, active FROM users WHERE username <> '' ORDER BY id LIMIT 4") == [
        ["1", "admin", "1"],
        ["2", "phimail-service", "0"],
        ["3", "portal-user", "0"],
        ["4", "oe-system", "0"],
    ]
    assert emr.sql("SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = 'openemr'") == [
        ["utf8mb4_general_ci"]
    ]
    assert emr.value("SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = 'openemr'") == "utf8mb4_general_ci"
    grants = emr.sql("SHOW GRANTS FOR 'openemr'@'%'")
    assert any("GRANT ALL PRIVILEGES ON `openemr`.*" in row[0] for row in grants)
    assert emr.sql("SELECT id, name, lft, rght FROM categories WHERE id IN (1, 2)") == [
        ["1", "Categories", "0", "61"],
        ["2", "Lab Report", "1", "2"],
    ]


def test_files_after_the_first_start(emr: Emr) -> None:
    """§1.3, §7.2: outside documents 400 and 500, inside 700, openemr.sh 700; the owner stays uid 1000; setup scripts are gone."""
    container = emr.container
    for path, wanted in (
        (SITES, "500"),
        (CONFIG, "400"),
        (f"{ROOT}/interface", "500"),
        (DOCUMENTS, "700"),
        (f"{DOCUMENTS}/procedure_results", "700"),
        (f"{ROOT}/openemr.sh", "700"),
    ):
        assert mode(container, path).startswith(f"{wanted} 1000:"), path
    for name in ("admin", "acl_upgrade", "setup", "sql_patch", "sql_upgrade", "ippf_upgrade", "auto_configure"):
        assert container.try_exec("test", "-e", f"{ROOT}/{name}.php").returncode == 1
    assert container.exec("cat", f"{SITES}/default/docker-version").strip() == "7"
    text = container.exec("cat", CONFIG)
    assert "$config = 1;" in text
    assert "'openemr'" in text


def test_processes_ports_and_logs(emr: Emr) -> None:
    """§1.1: Apache's workers run as apache, uid 1000; 80 and 443; logs by rotatelogs in /var/log/apache2; curl; no HEALTHCHECK; the log of
    the container has the start only."""
    container = emr.container
    container.get("/interface/login/login.php?site=default")
    users = container.exec(
        "sh",
        "-c",
        "for p in /proc/[0-9]*; do grep -lqE '^(httpd|apache2)' $p/comm && awk '/^Uid/ {print $2}' $p/status; done 2>/dev/null || true",
    ).split()
    assert set(users) == {"0", "1000"}
    assert container.exec("id", "-u", "apache").strip() == "1000"
    for name in ("access.log", "error.log"):
        assert container.exec("test", "-e", f"/var/log/apache2/{name}") == ""
    wait_for(lambda: "" if "login.php" in container.exec("cat", "/var/log/apache2/access.log") else "no line", 10)
    assert "login.php" not in container.logs()
    state = container.inspect()
    assert set(state["Config"]["ExposedPorts"]) == {"80/tcp", "443/tcp"}
    assert "Healthcheck" not in state["Config"]
    assert state["Config"]["WorkingDir"] == ROOT
    assert state["Config"]["Cmd"] == ["./openemr.sh"]
    assert {path.rstrip("/") for path in state["Config"]["Volumes"]} == {"/etc/letsencrypt", "/etc/ssl"}


def test_certificate(emr: Emr) -> None:
    """§1.4: self-signed, for localhost, reached by the links that Apache reads; TLS 1.2 and 1.3 only."""
    certificate = ssl.get_server_certificate((emr.container.address(), 443))
    assert certificate.strip() == emr.container.exec("cat", "/etc/ssl/certs/selfsigned.cert.pem").strip()
    assert emr.container.exec("readlink", "/etc/ssl/certs/webserver.cert.pem").strip() == "/etc/ssl/certs/selfsigned.cert.pem"
    assert emr.container.exec("readlink", "/etc/ssl/private/webserver.key.pem").strip() == "/etc/ssl/private/selfsigned.key.pem"
    # The container's own curl, whose OpenSSL still knows TLS 1.1.
    old = emr.container.try_exec("curl", "-sk", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", "https://localhost/")
    assert old.returncode == 35
    emr.container.exec("httpd", "-k", "graceful")
    emr.container.wait_until("curl", "-fsk", "https://localhost/interface/login/login.php?site=default")


def test_stop_and_restart(emr: Emr) -> None:
    """§7.1: with an init 143 at once; a restart keeps everything and hardens nothing."""
    container = emr.container
    container.exec("sh", "-c", f"echo kept > {DOCUMENTS}/kept && chmod 644 {DOCUMENTS}/kept")
    assert container.stop(20) == 143
    docker("start", container.name)
    wait_until_up(container)
    assert mode(container, f"{DOCUMENTS}/kept").startswith("644")
    assert "Removing" not in container.logs().rsplit("Starting apache!", 2)[1]
    emr.url = f"https://{container.address()}"
    container.exec("rm", f"{DOCUMENTS}/kept")


def test_recreated_without_the_root_password(place: Place, engine: Engine, tmp_path: Path) -> None:
    """§7.1: the same volumes, without MYSQL_ROOT_*: certificate, data and documents are kept, and files hardened anew. §7.2: an owner is
    not changed, so Apache cannot read what root left with 644. §1.2, §7.1: later changes of OE_PASS and settings have no effect."""
    volumes = {SITES: engine.volume(), "/etc/ssl": engine.volume()}
    options = [f"--volume={volume}:{path}" for path, volume in volumes.items()]
    first = place.run(engine, "again", *options, OPENEMR_SETTING_openemr_name="The = first name")
    wait_until_up(first)
    certificate = first.exec("cat", "/etc/ssl/certs/selfsigned.cert.pem")
    first.exec(
        "sh",
        "-c",
        f"echo '[]' > {DOCUMENTS}/custom_menus/patient_menus/root.json && chmod 644 {DOCUMENTS}/custom_menus/patient_menus/root.json",
    )
    first.exec("sh", "-c", f"echo mine > {DOCUMENTS}/mine && chown 1000:101 {DOCUMENTS}/mine && chmod 644 {DOCUMENTS}/mine")
    first.stop()
    remove(first)
    second = place.run(
        engine, "again", *options, MYSQL_ROOT_USER="", MYSQL_ROOT_PASS="", OE_PASS="Other.Secret_9", OPENEMR_SETTING_openemr_name="second"
    )
    wait_until_up(second)
    assert second.exec("cat", "/etc/ssl/certs/selfsigned.cert.pem") == certificate
    assert mode(second, f"{DOCUMENTS}/mine").startswith("700 1000:")
    assert mode(second, f"{DOCUMENTS}/custom_menus/patient_menus/root.json") == "700 0:0"
    assert second.try_exec("cat", f"{DOCUMENTS}/custom_menus/patient_menus/root.json", user="1000").returncode == 1
    assert mode(second, CONFIG).startswith("400")
    assert Browser(f"https://{second.address()}").log_in("admin", ADMIN_PASSWORD).status_code == 302
    assert sql(place.database, "SELECT gl_value FROM globals WHERE gl_name = 'openemr_name'", "again") == [["The = first name"]]
    assert "Set openemr_name" not in second.logs()


def test_late_database(engine: Engine) -> None:
    """§1.5, §7.1: it tries every second until the database answers, then installs normally. An unknown setting is said and does nothing."""
    network = engine.network()
    container = run_emr(engine, network, OPENEMR_SETTING_nowhere="1", OPENEMR_SETTING_rest_api="1")
    wait_for_log(container, "Couldn't set up", times=2)
    database = run_database(engine, network)
    wait_until_up(container)
    assert "Set nowhere to 1" in container.logs()
    assert sql(database, "SELECT gl_name, gl_value FROM globals WHERE gl_name IN ('nowhere', 'rest_api')") == [["rest_api", "1"]]


def test_interrupted_first_start(place: Place, engine: Engine) -> None:
    """§1.3, §7.1: every file is mode 600, openemr.sh included: the same container never starts again (126), a new one does."""
    container = place.run(engine, "interrupted", MYSQL_HOST="nowhere.invalid")
    wait_for_log(container, "Couldn't set up")
    assert mode(container, f"{ROOT}/openemr.sh").startswith("600")
    assert mode(container, f"{ROOT}/interface").startswith("600")
    docker("kill", container.name)
    started = docker("start", container.name, check=False)
    if started.returncode == 0:
        assert container.wait_for_end() == 126
    state = container.inspect()["State"]
    assert (state["Running"], state["ExitCode"]) == (False, 126)


def test_half_installed_database(place: Place, engine: Engine) -> None:
    """§7.1: it loops on `Table 'contact' already exists`, until the database is dropped."""
    sql(
        place.database,
        "CREATE DATABASE half COLLATE utf8mb4_general_ci; CREATE USER half@'%' IDENTIFIED BY 'emr.Secret_2'; "
        "GRANT ALL ON half.* TO half@'%'",
        "mysql",
    )
    sql(place.database, "CREATE TABLE contact (id int)", "half")
    container = place.run(engine, "half")
    wait_for_log(container, "Table 'contact' already exists", times=2)
    sql(place.database, "DROP DATABASE half", "mysql")
    wait_until_up(container)


def test_database_and_user_that_exist(place: Place, engine: Engine) -> None:
    """§5, §7.1: they are used as they are, the database's collation for all tables; §1.6: why it must be the right one."""
    sql(
        place.database,
        "CREATE DATABASE theirs COLLATE utf8mb4_uca1400_ai_ci; CREATE USER theirs@'%' IDENTIFIED BY 'emr.Secret_2'; "
        "GRANT ALL ON theirs.* TO theirs@'%'",
        "mysql",
    )
    wait_until_up(place.run(engine, "theirs"))
    found = sql(place.database, "SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = 'theirs'", "mysql")
    assert found == [["utf8mb4_uca1400_ai_ci"]]


def test_equals_sign_cuts_a_password(place: Place, engine: Engine) -> None:
    """§1.2, §7.1: only what stands before it is the password."""
    container = place.run(engine, "cut", OE_PASS="Ab=cd.1234", OE_USER="boss")
    wait_until_up(container)
    url = f"https://{container.address()}"
    assert Browser(url).log_in("boss", "Ab=cd.1234").status_code == 200
    assert Browser(url).log_in("boss", "Ab").status_code == 302


def test_apostrophe_in_the_password_never_installs(place: Place, engine: Engine) -> None:
    """§7.1: sqlconf.php is broken, and the installation loops for ever."""
    container = place.run(engine, "quoted", MYSQL_PASS="it's")
    wait_for_log(container, "Couldn't set up", times=2)
    assert container.running()
    assert "Setup Complete!" not in container.logs()


def test_wrong_root_password_loops(place: Place, engine: Engine) -> None:
    """§0, §1.5."""
    container = place.run(engine, "wrong", MYSQL_ROOT_PASS="wrong")
    wait_for_log(container, "nable to connect to database as root", times=2)
    assert container.running()


def test_without_database_settings(engine: Engine) -> None:
    """§1.2: Apache starts on setup.php."""
    container = run_emr(engine, "bridge", MYSQL_HOST="", MYSQL_ROOT_PASS="")
    container.wait_until("curl", "-sk", "https://localhost/")
    status, headers, _ = container.get("/")
    assert (status, headers["location"]) == (302, "setup.php?site=default")


def test_renewed_certificate_is_taken_up_and_cuts_nothing(emr: Emr, tmp_path: Path) -> None:
    """The role's certificate.sh, §1.4: `httpd -k graceful` lets each worker finish what it is at."""
    certificate, _ = self_signed(tmp_path / "tls", "renewed.example.org")
    name, where = emr.container.name, emr.container.address()
    emr.container.exec("mkdir", "-p", "/etc/openemr")
    docker("cp", str(tmp_path / "tls"), f"{name}:/etc/openemr/tls")
    docker("cp", str(REPOSITORY / "roles/openemr/templates/certificate.sh.j2"), f"{name}:/etc/openemr/certificate.sh")
    login = UnderWay(where, 443, "/interface/main/main_screen.php?auth=login&site=default", b"authUser=admin&clearPass=" + b"x" * 2000)
    emr.container.exec("sh", "/etc/openemr/certificate.sh", "reload")

    def complaint() -> str:
        served = ssl.get_server_certificate((where, 443)).strip()
        return "" if served == certificate.read_text(encoding="ascii").strip() else "the old certificate is served"

    wait_for(complaint, 20, pause=0.2)
    assert login.finish() in (200, 302)


def test_own_certificate(place: Place, engine: Engine, tmp_path: Path) -> None:
    """§1.4, §7.1: mounted over selfsigned.*, read-only."""
    certificate, key = self_signed(tmp_path, "emr.example.org")
    mounts = [f"--volume={certificate}:/etc/ssl/certs/selfsigned.cert.pem:ro", f"--volume={key}:/etc/ssl/private/selfsigned.key.pem:ro"]
    container = place.run(engine, "certified", *mounts)
    wait_until_up(container)
    assert ssl.get_server_certificate((container.address(), 443)).strip() == certificate.read_text(encoding="utf-8").strip()


def test_mounts_that_end_the_start(place: Place, engine: Engine, tmp_path: Path) -> None:
    """§1.3, §1.4, §7.1, §7.2: over webserver.* on a fresh volume and an empty folder over /etc/ssl: exit 1; over sites/: 255; a read-only
    file of mode 0644 inside documents: 1."""
    certificate, _ = self_signed(tmp_path, "emr.example.org")
    linked = place.run(engine, "a", f"--volume={certificate}:/etc/ssl/certs/webserver.cert.pem:ro")
    assert linked.wait_for_end(60) == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    bare = place.run(engine, "b", f"--volume={empty}:{SITES}")
    assert bare.wait_for_end(60) == 255
    assert place.run(engine, "d", f"--volume={empty}:/etc/ssl").wait_for_end(60) == 1
    file = tmp_path / "menu.json"
    file.write_text("[]", encoding="utf-8")
    file.chmod(0o644)
    fixed = place.run(engine, "c", f"--volume={file}:{DOCUMENTS}/custom_menus/patient_menus/menu.json:ro")
    assert fixed.wait_for_end(BOOT_SECONDS) == 1


def test_read_only_files_that_are_let_through(place: Place, engine: Engine, tmp_path: Path) -> None:
    """§1.3, §7.2: the hardening passes over what has the mode it wants, 0700 inside documents and 0400 elsewhere in sites/. That is so in
    a container that finds an installation; a first start sets 600 on everything and fails on any of them."""
    options = [f"--volume={engine.volume()}:{SITES}"]
    first = place.run(engine, "fixed", *options)
    wait_until_up(first)
    first.stop()
    remove(first)
    for name, permissions, path in (
        ("menu.json", 0o700, f"{DOCUMENTS}/custom_menus/patient_menus/fixed.json"),
        ("page.php", 0o400, f"{SITES}/default/fixed.php"),
    ):
        file = tmp_path / name
        file.write_text("[]", encoding="utf-8")
        file.chmod(permissions)
        options.append(f"--volume={file}:{path}:ro")
    wait_until_up(place.run(engine, "fixed", *options, MYSQL_ROOT_PASS=""))


def test_dump_restores_cleanly(emr: Emr, place: Place) -> None:
    """§6, §7.1."""
    login = ("--user=root", f"--password={DATABASE_ROOT}")
    dump = emr.database.exec("mariadb-dump", *login, "--hex-blob", "--single-transaction", "openemr")
    sql(place.database, "CREATE DATABASE restored COLLATE utf8mb4_general_ci", "mysql")
    place.database.exec("mariadb", *login, "restored", stdin=dump)
    assert sql(place.database, "SELECT COUNT(*) FROM users", "restored") == emr.sql("SELECT COUNT(*) FROM users")


@only_standin
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"SWARM_MODE": "yes"}, "SWARM_MODE"),
        ({"K8S": "worker"}, "K8S"),
        ({"REDIS_SERVER": "redis"}, "REDIS_SERVER"),
        ({"DOMAIN": "emr.example.org"}, "DOMAIN"),
        ({"FORCE_DATABASE_SSL_CONNECT": "1"}, "FORCE_DATABASE_SSL_CONNECT"),
    ],
)
def test_what_the_standin_lacks_ends_it(engine: Engine, env: dict[str, str], said: str) -> None:
    """What it does not do is named, and nothing starts."""
    container = run_emr(engine, "none", **env)
    assert container.wait_for_end(30) == 1
    assert said in container.logs()


@only_standin
def test_an_upgrade_is_refused(engine: Engine) -> None:
    """§6: sites/default/docker-version of an earlier release."""
    container = engine.run(IMAGE, "sh", "-c", "echo 6 > sites/default/docker-version; exec ./openemr.sh")
    assert container.wait_for_end(30) == 1
    assert "docker-version" in container.logs()
