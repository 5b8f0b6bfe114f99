"""Background services (§3.5, §7.6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from forms import Form
from waiting import wait_for

from .support import DOCUMENTS, ROOT, SELF_SIGNED, Browser, Emr

pytestmark = SELF_SIGNED
RUNNER = f"{ROOT}/library/ajax/execute_background_services.php"
FOLDER = f"{DOCUMENTS}/local"


@pytest.fixture
def service(emr: Emr) -> Iterator[str]:
    """A service that is due; its function writes a line below /tmp."""
    emr.container.exec("install", "-d", "-o", "1000", "-g", "101", "-m", "0700", FOLDER)
    add(emr, "contract", "file_put_contents('/tmp/contract.log', 'run ' . posix_getuid() . \"\\n\", FILE_APPEND);")
    emr.container.exec("rm", "-f", "/tmp/contract.log")
    yield "contract"
    emr.sql("DELETE FROM background_services WHERE name LIKE 'contract%'")
    emr.container.exec("sh", "-c", f"rm -f {FOLDER}/*")


def add(emr: Emr, name: str, body: str, order: int = 50, interval: int = 1, active: int = 1) -> None:
    emr.put(f"{FOLDER}/{name}.php", f"<?php function {name}() {{ {body} }}", "0700")
    emr.sql(
        f"INSERT INTO background_services SET name = '{name}', title = '{name}', active = {active}, running = 0, next_run = '2020-01-01', "
        f"execute_interval = {interval}, function = '{name}', "
        f"require_once = '/sites/default/documents/local/{name}.php', sort_order = {order}"
    )


def run(emr: Emr, *arguments: str) -> int:
    return emr.container.try_exec("php", RUNNER, "default", *arguments, user="1000").returncode


def lines(emr: Emr) -> list[str]:
    return emr.container.try_exec("cat", "/tmp/contract.log").stdout.splitlines()


def state(emr: Emr, name: str = "contract") -> str:
    return emr.value(f"SELECT running FROM background_services WHERE name = '{name}'")


def test_due_service_runs_as_apache(emr: Emr, service: str) -> None:
    """A wrapper below documents/local works; it runs once in its interval."""
    assert run(emr) == 0
    assert run(emr) == 0
    assert lines(emr) == ["run 1000"]
    assert state(emr) == "0"
    assert emr.value("SELECT next_run > NOW() FROM background_services WHERE name = 'contract'") == "1"


def test_arguments_change_nothing(emr: Emr, service: str) -> None:
    """Service and force on the command line are ignored: what is not due does not run, what is due and not named does."""
    emr.sql("UPDATE background_services SET next_run = NOW() + INTERVAL 1 HOUR WHERE name = 'contract'")
    run(emr, "contract", "1")
    assert lines(emr) == []
    emr.sql("UPDATE background_services SET next_run = '2020-01-01' WHERE name = 'contract'")
    run(emr, "another", "0")
    assert lines(emr) == ["run 1000"]


def test_forced_by_request(emr: Emr, service: str) -> None:
    """The way that works: $_REQUEST and $argv before requiring the runner."""
    emr.sql("UPDATE background_services SET next_run = NOW() + INTERVAL 1 HOUR WHERE name = 'contract'")
    code = f'$_REQUEST["background_service"] = "contract"; $_REQUEST["background_force"] = 1; $argv = ["x", "default"]; require "{RUNNER}";'
    emr.container.exec("php", "-r", code, user="1000")
    assert lines(emr) == ["run 1000"]


def test_browser_runs_due_services(emr: Emr, service: str, admin: Browser) -> None:
    """§3.5a: with the session's token; without one nothing happens."""
    path = "/library/ajax/execute_background_services.php"
    admin.post(path, {"ajax": "1", "csrf_token_form": "wrong"})
    assert lines(emr) == []
    admin.post(
        path,
        {
            "ajax": "1",
            "skip_timeout_reset": "1",
            "csrf_token_form": Form(admin.get("/interface/patient_file/merge_patients.php").text).fields["csrf_token_form"],
        },
    )
    assert len(lines(emr)) == 1


@pytest.mark.parametrize("change", ["active = 0", "running = 1", "execute_interval = 0"])
def test_service_that_does_not_run(emr: Emr, service: str, change: str) -> None:
    emr.sql(f"UPDATE background_services SET {change} WHERE name = 'contract'")
    run(emr)
    assert lines(emr) == []


def test_missing_function_stays_running(emr: Emr, service: str) -> None:
    """`running` stays 1 for ever."""
    emr.sql("UPDATE background_services SET function = 'contract_nowhere' WHERE name = 'contract'")
    run(emr)
    assert state(emr) == "1"


def test_killed_runner_stays_running(emr: Emr, service: str) -> None:
    """After SIGKILL as well: the service is dead until somebody resets it."""
    emr.put(
        f"{FOLDER}/contract.php", "<?php function contract() { file_put_contents('/tmp/contract.log', getmypid()); sleep(60); }", "0700"
    )
    emr.container.exec("sh", "-c", f"php {RUNNER} default >/dev/null 2>&1 &", user="1000")
    wait_for(lambda: "" if lines(emr) else "not started", 20)
    emr.container.exec("kill", "-9", lines(emr)[0], user="1000")
    assert state(emr) == "1"


@pytest.mark.parametrize(
    ("body", "code", "later"),
    [("throw new Exception('x');", 0, True), ("throw new Error('x');", 255, False), ("nowhere();", 255, False)],
    ids=["exception", "error", "undefined"],
)
def test_failing_service(emr: Emr, service: str, body: str, code: int, later: bool) -> None:
    """An Error ends the runner with 255, frees the service and skips those behind; an Exception is dropped."""
    add(emr, "contract_bad", body, order=10)
    assert run(emr) == code
    assert state(emr, "contract_bad") == "0"
    assert bool(lines(emr)) == later


def test_missing_file(emr: Emr, service: str) -> None:
    """The same as an Error."""
    add(emr, "contract_bad", "", order=10)
    emr.container.exec("rm", f"{FOLDER}/contract_bad.php")
    assert run(emr) == 255
    assert state(emr, "contract_bad") == "0"
    assert lines(emr) == []
