"""How the engine's container starts, as whom it runs, and what a wrong setting does to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from waiting import wait_for

from ..conftest import Container, Engine, docker
from .support import BOOT_SECONDS, EXTERNAL, JSON, TEXT, Server, only_standin, run_database, run_engine

pytestmark = pytest.mark.skipif(bool(EXTERNAL), reason="about the container")
FAST = {"DATABASE_MAX_RETRY": "1", "DATABASE_RETRY_WAIT": "200"}


def server_of(container: Container) -> Server:
    """The server in a container."""
    address = container.address()
    return Server(f"https://{address}:8443", address, "", Path("/"), container)


def started(engine: Engine, *options: str, **env: str) -> tuple[Server, str]:
    """A server with a database of its own, and their network."""
    network = engine.network()
    run_database(engine, network)
    server = server_of(run_engine(engine, network, *options, **env))
    server.wait_until_up()
    return server, network


def secret(folder: Path, name: str, text: str) -> str:
    """The option that mounts a secret file for uid 1000."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return f"--volume={file}:/run/secrets/{name}:ro"


def test_user_tools_and_volumes(engine: Engine, tmp_path: Path) -> None:
    """M §1.1: uid 1000, curl, home /opt/connect, two volumes; M §1.5: the health check as upstream's page has it; the landing page
    on 8080 has no API."""
    server, _ = started(engine)
    container = server.container
    assert container
    assert container.exec("id", "-u").strip() == "1000"
    assert container.exec("pwd").strip() == "/opt/connect"
    assert {mount["Destination"] for mount in container.inspect()["Mounts"]} == {"/opt/connect/appdata", "/opt/connect/custom-extensions"}
    health = (
        "curl -fsk -H 'X-Requested-With: hc' -H 'Accept: application/json' https://localhost:8443/api/server/status | grep -q '\"int\":0'"
    )
    container.exec("bash", "-c", health)
    assert container.try_exec("curl", "-fsk", "https://localhost:8443/api/server/status").returncode == 22
    assert container.get("/", 8080)[0] == 200
    assert container.get("/api/server/status", 8080)[0] == 404
    assert {"keystore.jks", "server.id"} <= set(container.exec("bash", "-c", "ls appdata").split())


def test_graceful_stop(engine: Engine) -> None:
    """M §8 "Boot": docker stop ends it at once with 143."""
    server, _ = started(engine)
    assert server.container
    assert server.container.stop(30) == 143


@pytest.mark.parametrize("wrong", [{"DATABASE_URL": "jdbc:postgresql://nowhere:5432/mirth"}, {"DATABASE_PASSWORD": "wrong"}])
def test_database_that_cannot_be_had(engine: Engine, wrong: dict[str, str]) -> None:
    """M §0.6: exit code 0 after the retries."""
    network = engine.network()
    run_database(engine, network)
    assert run_engine(engine, network, **FAST, **wrong).wait_for_end(60) == 0


def test_database_that_comes_late(engine: Engine) -> None:
    """P §9: with enough retries it waits."""
    network = engine.network()
    server = server_of(run_engine(engine, network, DATABASE_MAX_RETRY="60", DATABASE_RETRY_WAIT="500"))
    run_database(engine, network)
    server.wait_until_up()


def test_status_while_the_database_is_away(engine: Engine) -> None:
    """M §1.5: 1, and 0 again by itself; sessions and password are kept in the meantime."""
    network = engine.network()
    database = run_database(engine, network)
    server = server_of(run_engine(engine, network))
    server.wait_until_up()
    docker("stop", "--time", "5", database.name)
    answer = server.session.get(f"{server.url}/server/status", headers={"Accept": JSON}, timeout=60)
    assert answer.json() == {"int": 1}
    docker("start", database.name)
    wait_for(lambda: "" if server.status() == "0" else server.status(), 60)
    assert server.call("GET", "/users/current").status_code == 200


def test_secrets_beat_the_environment(engine: Engine, tmp_path: Path) -> None:
    """M §1.3: mirth_properties is applied after the environment; mcserver_vmoptions takes commas."""
    properties = secret(tmp_path, "mirth_properties", "database.password = db.Secret_1\npassword.minlength = 8\n")
    options = secret(tmp_path, "mcserver_vmoptions", "-Xmx300m\n-Dlab.test=a,b\n")
    server, _ = started(engine, properties, options, DATABASE_PASSWORD="wrong")
    assert server.container
    command = server.container.exec("bash", "-c", "tr '\\0' '\\n' </proc/1/cmdline").splitlines()
    assert [each for each in command if each.startswith("-Xmx")][-1] == "-Xmx300m"
    assert "-Dlab.test=a,b" in command
    refused = server.call("PUT", "/users/1/password", "short", kind=TEXT)
    assert refused.status_code == 200
    assert "<string>" in refused.text
    assert server.call("PUT", "/users/1/password", "long.enough", kind=TEXT).status_code == 204
    assert server.login(password="admin", session=Server.new_session()).status_code == 401
    assert server.login(password="long.enough", session=Server.new_session()).status_code == 200


def test_properties_by_environment(engine: Engine) -> None:
    """M §1.2, §8 "Boot": _MP_ with _ for . and __ for -; one that is the beginning of others is not written; VMOPTIONS are parted
    by commas."""
    server, _ = started(
        engine, _MP_HTTP_PORT="0", _MP_DATABASE_MAX__CONNECTIONS="7", _MP_PASSWORD="x", VMOPTIONS="-Xmx200m,-Da=b", SERVER_ID="lab-1"
    )
    assert server.container
    with pytest.raises(ConnectionRefusedError):
        server.container.get("/", 8080)
    lines = server.container.exec("cat", "conf/mirth.properties").replace(" ", "").splitlines()
    assert "database.max-connections=7" in lines
    assert not any(line.startswith("password=") for line in lines)
    assert server.call("GET", "/server/id", accept=TEXT).text == "lab-1"


def test_ampersand_in_a_url(engine: Engine) -> None:
    r"""P §2: written \& it arrives as &."""
    server, _ = started(engine, DATABASE_URL=r"jdbc:postgresql://db:5432/mirth?sslmode=prefer\&ApplicationName=lab")
    assert server.container
    assert "sslmode=prefer&ApplicationName=lab" in server.container.exec("cat", "conf/mirth.properties").replace("\\", "")


def test_keystore_passwords_must_stay(engine: Engine) -> None:
    """M §0.7, §8 "Boot": with others the container keeps running and there is no API."""
    network = engine.network()
    run_database(engine, network)
    volume = engine.volume()
    first = run_engine(engine, network, f"--volume={volume}:/opt/connect/appdata")
    server_of(first).wait_until_up()
    first.stop(30)
    second = run_engine(engine, network, f"--volume={volume}:/opt/connect/appdata", KEYSTORE_STOREPASS="other.Secret_9")
    wait_for(lambda: "" if "started" in second.logs() else "not started", BOOT_SECONDS)
    assert second.running()
    assert server_of(second).status() == ""


def test_certificate_is_kept(engine: Engine) -> None:
    """M §5: made at the first start, in appdata/keystore.jks, and the same after a restart."""
    server, _ = started(engine)
    assert server.container
    show = (
        "bash",
        "-c",
        "keytool -list -storetype JCEKS -keystore appdata/keystore.jks -storepass store.Secret_2 -alias mirthconnect 2>/dev/null | tail -1",
    )
    before = server.container.exec(*show)
    assert before.strip()
    server.kill_and_start()
    assert server.container.exec(*show) == before


@only_standin
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DATABASE": ""}, "database=derby"),
        ({"DATABASE": "mysql"}, "database=mysql"),
        ({"LICENSE_KEY": "x"}, "LICENSE_KEY"),
        ({"SESSION_STORE": "true"}, "SESSION_STORE"),
        ({"_MP_SERVER_API_BYPASSWORD": "eA=="}, "server.api.bypassword"),
        ({"DATABASE_PASSWORD": "a&b"}, "database.password"),
        ({"DATABASE_PASSWORD": r"a\1b"}, "database.password"),
    ],
)
def test_what_the_standin_lacks_ends_it(engine: Engine, env: dict[str, str], said: str) -> None:
    """What it does not do, and values that upstream garbles, are named, and nothing starts."""
    container = run_engine(engine, "none", **env)
    assert container.wait_for_end(30) == 1
    assert said in container.logs()


@only_standin
def test_database_of_a_real_mirth_is_refused(engine: Engine) -> None:
    """M §1.4: one database per Mirth."""
    network = engine.network()
    database = run_database(engine, network)
    database.exec("psql", "-h", "/var/run/postgresql", "-U", "mirth", "-c", "CREATE TABLE schema_info (version varchar)")
    container = run_engine(engine, network)
    assert container.wait_for_end(60) == 1
    assert "a real Mirth Connect" in container.logs()
