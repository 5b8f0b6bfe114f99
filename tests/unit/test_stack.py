"""Watching a start: what the host says of containers and job, when waiting ends, and what is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.pacs_emr.lab.plugins.action import stack_wait
from ansible_collections.pacs_emr.lab.plugins.module_utils import docker_cli
from ansible_collections.pacs_emr.lab.plugins.modules import stack_state

from .support import run_module


def service(
    state: str = "running", health: str = "healthy", restarts: int = 0, code: int = 0, said: str = "ok", identifier: str = "1"
) -> dict[str, Any]:
    return {"id": identifier, "state": state, "health": health, "restarts": restarts, "exit_code": code, "said": said, "started": "x"}


MISSING = stack_wait.MISSING
DONE = {"changed": True, "actions": [{"what": "container", "id": "arc", "status": "Creating"}]}


# --- one look --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "is_up"),
    [
        (service(), True),
        (service(health=""), True),
        (service(health="starting"), False),
        (service(health="unhealthy"), False),
        (service("exited", "", code=0), True),
        (service("exited", "", code=1), False),
        (service("exited", "unhealthy", code=137), False),
        (service("created", ""), False),
        (service("restarting", ""), False),
        (service("paused", "healthy"), False),
        (service("dead", ""), False),
        (MISSING, False),
    ],
)
def test_up(state: dict[str, Any], is_up: bool) -> None:
    """F-DOC-2: a one-shot container that ended with 0 is as it should be."""
    assert stack_wait.up(state) is is_up


@pytest.mark.parametrize(
    ("now", "first", "started", "waited", "say"),
    [
        (service(health="starting"), MISSING, True, 800, None),
        (service(health="unhealthy"), service(health="starting"), False, 3, "is unhealthy"),
        # One that was unhealthy before may be ended by its own health script and come back.
        (service(health="unhealthy"), service(health="unhealthy"), True, 200, None),
        (service(health="unhealthy"), service(health="unhealthy"), False, 300, None),
        (service(health="unhealthy"), service(health="unhealthy"), True, 241, "is unhealthy"),
        (service("exited", "", code=1), service("exited", "", code=1), False, 3, None),
        (service("exited", "", code=1), MISSING, True, 3, "ended with code 1"),
        (service("exited", "unhealthy", code=1), service(health="starting"), True, 3, "ended with code 1"),
        (service("dead", "", code=137), MISSING, True, 3, "ended with code 137"),
        (service("restarting", "", restarts=4), MISSING, True, 3, None),
        (service("restarting", "", restarts=5), MISSING, False, 3, "cannot start: it was restarted 5 times"),
        (service("running", "starting", restarts=8), service(restarts=3), True, 3, "cannot start: it was restarted 5 times"),
        # An old loop pauses up to a minute between two restarts.
        (service("restarting", "", restarts=11), service(restarts=10), True, 3, None),
        (service("running", "starting", restarts=12), service(restarts=10), True, 3, "cannot start: it was restarted 2 times"),
        (MISSING, MISSING, False, 3, None),
        (MISSING, MISSING, True, 3, "does not exist: Compose did not create it"),
    ],
)
def test_hopeless(now: dict[str, Any], first: dict[str, Any], started: bool, waited: float, say: str | None) -> None:
    assert stack_wait.hopeless(now, first, started, waited) == say


# --- the loop --------------------------------------------------------------------------------------------------------


class Host:
    """Plays the looks of a host one after the other, the last one for ever; each takes as long as a look may."""

    def __init__(self, *looks: dict[str, Any], logs: dict[str, str] | None = None) -> None:
        self.looks, self.logs, self.clock = list(looks), logs or {}, 0.0
        self.asked: list[dict[str, Any]] = []

    def execute(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert module_name == "pacs_emr.lab.stack_state"
        assert task_vars["inventory_hostname"] == "lab1"
        self.asked.append(module_args)
        self.clock += stack_wait.LOOK
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        logs = {name: self.logs.get(name, f"log of {name}") for name in module_args["logs_of"]}
        return {"job": {}, "services": {}, **look, "logs": logs}


@pytest.fixture
def said() -> list[str]:
    return []


def wait(
    host: Host,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    services: list[str] | None = None,
    timeout: int = 900,
    before: list[dict[str, Any]] | None = None,
    job: str = "j1",
) -> dict[str, Any]:
    args = {"project": "p", "services": services or ["ldap", "arc"], "job": job, "timeout": timeout, "before": before or []}
    task = MagicMock(async_val=0, check_mode=False, args=args)
    action = stack_wait.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    monkeypatch.setattr(action, "_execute_module", host.execute)
    monkeypatch.setattr(action, "_display", MagicMock(display=said.append))
    monkeypatch.setattr(stack_wait.time, "monotonic", lambda: host.clock)
    result: dict[str, Any] = action.run(None, {"inventory_hostname": "lab1"})
    return result


def look(job: dict[str, Any] | None = None, **services: dict[str, Any]) -> dict[str, Any]:
    return {"services": services, "job": job or {}}


def test_everything_becomes_healthy(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(
        look(ldap=service(health="starting")),
        look(DONE, ldap=service(), arc=service(health="starting")),
        look(ldap=service(), arc=service(health="starting")),
        look(ldap=service(), arc=service(health="starting")),
        look(ldap=service(), arc=service()),
    )
    result = wait(host, said, monkeypatch)
    assert result["changed"] is True
    assert result["actions"] == DONE["actions"]
    assert set(result["services"]) == {"ldap", "arc"}
    assert said == [
        "  lab1: ldap is healthy after 10 s",
        "  lab1: still waiting after 15 s for arc (starting)",
        "  lab1: arc is healthy after 25 s",
    ]
    assert host.asked[0]["job"] == "j1"
    assert host.asked[-1]["job"] == "", "an ended job has left the disk"
    assert host.asked[1]["known"] == {"ldap": "1 running starting", "arc": "missing"}


def test_a_second_run_is_quiet_and_unchanged(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = [{"service": name, **service()} for name in ("ldap", "arc")]
    host = Host(look({"changed": False, "actions": []}, ldap=service(), arc=service()))
    result = wait(host, said, monkeypatch, before=before)
    assert result["changed"] is False
    assert said == []
    assert host.asked[0]["known"] == {"ldap": "1 running healthy", "arc": "1 running healthy"}


def test_what_is_healthy_at_the_first_look_is_told(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was healthy before is told again when Compose has re-created it."""
    before = [{"service": name, **service()} for name in ("ldap", "arc", "ohif")]
    host = Host(look(DONE, ldap=service(), arc=service(identifier="2"), ohif=service(), edge=service()))
    wait(host, said, monkeypatch, services=["ldap", "arc", "ohif", "edge"], before=before)
    assert said == ["  lab1: arc is healthy after 5 s", "  lab1: edge is healthy after 5 s"]


def test_restarts_are_counted_for_the_container_that_is_there(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The old container had none, the new one starts badly, and then well."""
    host = Host(
        look(ldap=service()),
        look(DONE, ldap=service("restarting", "", restarts=4, identifier="2")),
        look(ldap=service("restarting", "", restarts=6, identifier="2")),
        look(ldap=service(restarts=7, identifier="2")),
    )
    assert wait(host, said, monkeypatch, services=["ldap"])["changed"] is True


def test_all_healthy_is_not_enough_while_compose_works(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The containers of the last deployment are healthy until Compose re-creates them."""
    old = look(ldap=service(), arc=service())
    before = [{"service": name, **service()} for name in ("ldap", "arc")]
    host = Host(old, old, old, old, look(DONE, ldap=service(), arc=service()))
    assert wait(host, said, monkeypatch, before=before)["changed"] is True
    assert said == ["  lab1: still waiting after 15 s for Compose to end"]


def test_an_old_container_may_look_ill_while_compose_stops_it(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its database is re-created first; what stays as it is, and ill, is called so once Compose has ended."""
    before = [{"service": "ldap", **service()}]
    ill = look(ldap=service(health="unhealthy"))
    host = Host(look(ldap=service()), ill, look(DONE, ldap=service(identifier="2")))
    assert wait(host, said, monkeypatch, services=["ldap"], before=before)["changed"] is True
    host = Host(look(ldap=service()), ill, look(DONE, ldap=service(health="unhealthy")))
    with pytest.raises(AnsibleActionFail, match="ldap is unhealthy"):
        wait(host, said, monkeypatch, services=["ldap"], before=before)


def test_without_a_job_only_the_containers_are_waited_for(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(look(ldap=service(health="starting")), look(ldap=service()))
    assert wait(host, said, monkeypatch, services=["ldap"], job="")["changed"] is False
    assert said == ["  lab1: ldap is healthy after 10 s"]
    with pytest.raises(AnsibleActionFail, match="arc does not exist"):
        wait(Host(look(ldap=service())), said, monkeypatch, job="")


def test_a_one_shot_that_ended_well_is_not_waited_for(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(look(DONE, ldap=service("exited", "", code=0), arc=service()))
    assert wait(host, said, monkeypatch)["changed"] is True


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        ([look(DONE, ldap=service("exited", "", code=1, said=""), arc=service())], ["ldap ended with code 1", "log of ldap", "(nothing)"]),
        (
            [
                look(ldap=service(health="starting")),
                look(ldap=service(health="unhealthy", said="no entry"), arc=service(health="starting")),
            ],
            ["ldap is unhealthy", "no entry", "log of ldap"],
        ),
        ([look(DONE, ldap=service())], ["arc does not exist: Compose did not create it"]),
        (
            [look(ldap=service("restarting", restarts=n), arc=service()) for n in range(9)],
            ["ldap cannot start: it was restarted 5 times", "log of ldap"],
        ),
        (
            [look({"failed": True, "msg": "port is already allocated"}, ldap=service("created", ""), arc=service())],
            ["port is already allocated", "log of ldap"],
        ),
        ([look({"failed": True}, ldap=service(), arc=service())], ["Compose failed"]),
        (
            [look(DONE, ldap=service(), arc=service(health="starting"))],
            ["arc did not get ready within 100 s (lab_start_timeout)", "log of arc"],
        ),
        ([look(ldap=service(), arc=service())], ["Compose did not get ready within 100 s"]),
    ],
    ids=["ended", "unhealthy", "missing", "loop", "job", "job-silent", "timeout", "compose-hangs"],
)
def test_waiting_ends_with_the_last_words_of_the_guilty(
    said: list[str], monkeypatch: pytest.MonkeyPatch, looks: list[dict[str, Any]], words: list[str]
) -> None:
    host = Host(*looks)
    with pytest.raises(AnsibleActionFail) as caught:
        wait(host, said, monkeypatch, timeout=100)
    text = str(caught.value)
    assert text.startswith("lab1: ")
    assert all(word in text for word in words), text
    guilty = {"ldap", "arc"} & set(" ".join(words).split())
    assert set(host.asked[-1]["logs_of"]) <= guilty
    assert all(asked["patience"] == 0 for asked in host.asked if asked["logs_of"])
    assert host.clock <= 115


def test_a_host_on_which_docker_does_not_answer_is_named(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host({"failed": True, "msg": "Cannot connect to the Docker daemon"})
    with pytest.raises(AnsibleActionFail, match="cannot look at the containers of lab1: Cannot connect"):
        wait(host, said, monkeypatch)


# --- the module on the host ------------------------------------------------------------------------------------------


def container(name: str, health: str | None = "healthy", status: str = "running", said: str = "fine\n") -> dict[str, Any]:
    """What `docker container inspect` says, as far as it is read."""
    state: dict[str, Any] = {"Status": status, "ExitCode": 0, "StartedAt": "2026-03-10T10:00:00Z"}
    if health is not None:
        state["Health"] = {"Status": health, "Log": [{"Output": "before"}, {"Output": said}]}
    return {"Id": f"id-{name}", "RestartCount": 2, "State": state, "Config": {"Labels": {docker_cli.SERVICE_LABEL: name}}}


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANSIBLE_ASYNC_DIR", str(tmp_path / "async"))
    (tmp_path / "async").mkdir()
    return tmp_path / "async"


def seen(monkeypatch: pytest.MonkeyPatch, *looks: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Let the module see these containers, look by look, in no time."""
    played = iter(looks)
    clock = [0.0]
    monkeypatch.setattr(docker_cli, "containers", lambda project: next(played))
    monkeypatch.setattr(stack_state.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stack_state.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return played


def test_the_state_of_containers(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, [container("ldap"), container("edge", health=None), container("arc", "starting", said="")])
    result = run_module(stack_state, tmp_path, project="p")
    assert result["job"] == {}
    assert result["services"]["ldap"] == {
        "id": "id-ldap",
        "state": "running",
        "exit_code": 0,
        "health": "healthy",
        "said": "fine",
        "restarts": 2,
        "started": "2026-03-10T10:00:00Z",
    }
    assert result["services"]["edge"]["health"] == ""
    assert result["services"]["edge"]["said"] == ""
    assert result["services"]["arc"]["said"] == ""
    assert result["changed"] is False


def test_it_answers_when_something_is_new(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starting, up = [container("arc", "starting")], [container("arc")]
    left = seen(monkeypatch, starting, starting, up, up, up)
    result = run_module(stack_state, tmp_path, project="p", known={"arc": "id-arc running starting"}, patience=5)
    assert result["services"]["arc"]["health"] == "healthy"
    assert len(list(left)) == 2


def test_a_container_that_is_another_one_is_news(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = seen(monkeypatch, [container("arc")], [])
    run_module(stack_state, tmp_path, project="p", known={"arc": "id-before running healthy"}, patience=5)
    assert len(list(left)) == 1


def test_a_container_that_appears_is_news(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = seen(monkeypatch, [], [container("arc", "starting")], [], [])
    result = run_module(stack_state, tmp_path, project="p", known={"arc": "missing"}, patience=5)
    assert result["services"]["arc"]["health"] == "starting"
    assert len(list(left)) == 2


def test_it_answers_when_its_patience_ends(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = [[container("arc", "starting")]] * 20
    left = seen(monkeypatch, *same)
    run_module(stack_state, tmp_path, project="p", known={"arc": "id-arc running starting"}, patience=3)
    assert 1 <= len(list(left)) <= 10
    left = seen(monkeypatch, *same)
    run_module(stack_state, tmp_path, project="p")
    assert len(list(left)) == 19, "without patience there is one look"


def test_a_job_is_read_when_it_has_ended_and_leaves_the_disk(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = {"started": 1, "finished": 0, "ansible_job_id": "j.1"}
    (jobs / "j.1").write_text(json.dumps(running))
    seen(monkeypatch, [])
    assert run_module(stack_state, tmp_path, project="p", job="j.1")["job"] == {}
    assert (jobs / "j.1").exists()

    (jobs / "j.1").write_text(json.dumps(running | {"finished": 1, "changed": True, "actions": []}))
    left = seen(monkeypatch, [container("arc", "starting")], [], [])
    result = run_module(stack_state, tmp_path, project="p", job="j.1", known={"arc": "id-arc running starting"}, patience=5)
    assert result["job"]["changed"] is True
    assert not (jobs / "j.1").exists()
    assert len(list(left)) == 2, "an ended job is answered at once"

    seen(monkeypatch, [])
    assert run_module(stack_state, tmp_path, project="p", job="j.1")["job"] == {}


def test_logs_of_containers_that_are_there(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, [container("arc")])
    monkeypatch.setattr(stack_state, "docker_logs", lambda identifier, lines: f"{lines} lines of {identifier}")
    assert run_module(stack_state, tmp_path, project="p", logs_of=["arc", "gone"])["logs"] == {"arc": "25 lines of id-arc"}


def test_docker_that_does_not_answer_is_a_failure_with_its_words(tmp_path: Path, jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(project: str) -> list[dict[str, Any]]:
        raise docker_cli.DockerError("permission denied")

    monkeypatch.setattr(docker_cli, "containers", refuse)
    result = run_module(stack_state, tmp_path, project="p")
    assert result["failed"] is True
    assert result["msg"] == "permission denied"


# --- the docker command ----------------------------------------------------------------------------------------------


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that is a script of the test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "docker"


def script(docker: Path, body: str) -> None:
    docker.write_text(f"#!/bin/sh\n{body}\n")
    docker.chmod(0o755)


def test_docker_gets_arguments_and_input_and_gives_its_output(docker: Path) -> None:
    script(docker, 'echo "$#:$1:$2"; cat')
    assert docker_cli.run(["exec", "a b"], stdin="in\n") == "2:exec:a b\nin\n"


@pytest.mark.parametrize(
    ("body", "say"), [("echo no >&2; exit 1", "no"), ("echo on stdout; exit 3", "on stdout"), ("exit 125", "`docker ps` ended with 125")]
)
def test_a_failed_docker_call_tells_what_it_said(docker: Path, body: str, say: str) -> None:
    script(docker, body)
    with pytest.raises(docker_cli.DockerError) as caught:
        docker_cli.run(["ps"])
    assert str(caught.value) == say


def test_docker_that_hangs_or_is_missing(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(docker, "exec sleep 5")
    with pytest.raises(docker_cli.DockerError, match="`docker info` did not answer within 0 s"):
        docker_cli.run(["info"], timeout=0.1)
    monkeypatch.setenv("PATH", str(docker.parent / "nowhere"))
    with pytest.raises(docker_cli.DockerError, match="there is no `docker` command on this host"):
        docker_cli.run(["info"])


def test_a_container_is_found_by_project_and_service(docker: Path) -> None:
    script(docker, 'case "$*" in *project=p*service=arc*) echo abc ;; esac')
    assert docker_cli.container_id("p", "arc") == "abc"
    with pytest.raises(docker_cli.DockerError, match="no container of service 'ldap' runs in the Compose project 'p'"):
        docker_cli.container_id("p", "ldap")


def test_a_container_that_compose_re_creates_meanwhile_is_looked_up_again(docker: Path, tmp_path: Path) -> None:
    inspect = f'if [ -e {tmp_path}/seen ]; then echo "[]"; else touch {tmp_path}/seen; echo "Error: No such container: abc" >&2; exit 1; fi'
    script(docker, f'if [ "$1" = ps ]; then echo abc; else {inspect}; fi')
    assert docker_cli.containers("p") == []
    script(docker, 'if [ "$1" = ps ]; then echo abc; else echo "permission denied" >&2; exit 1; fi')
    with pytest.raises(docker_cli.DockerError, match="permission denied"):
        docker_cli.containers("p")
