"""What the steps share: Ansible as an operator calls it, and a look into the lab server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml
from acceptance.dimse import Archive
from acceptance.emr import Emr
from acceptance.emr_database import EmrDatabase
from acceptance.engine import EngineInside
from acceptance.inside import Inside
from acceptance.lab import DicomPort, load
from acceptance.modality import Modality
from acceptance.orders import Clinic
from suite import Suite
from testinfra.host import Host
from waiting import wait_for

# Recaps are read: Molecule asks Ansible for colours.
os.environ |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
RUN = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
#: What verify.yml told the acceptance suite.
TOLD = RUN / "lab.json"
#: The acceptance suite's artifacts: pictures and summary.json.
VERIFIED = PROJECT / ".cache/verify/molecule"

#: Seconds within which everything is healthy again after Docker Engine or a held-back service is back.
RECOVERY = 120


@dataclass(frozen=True)
class Playbook:
    """What became of a run."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """Changed tasks in the recap, which must be there."""
        counts = re.findall(r"\bchanged=(\d+)", self.output)
        assert counts, self.output
        return sum(map(int, counts))

    @property
    def predicted(self) -> set[str]:
        """Services whose containers Compose would touch, as check mode told."""
        return set(re.findall(r"container pacs-emr-([\w-]+)-1: ", self.output))


@dataclass(frozen=True)
class Container:
    """A container of the lab: which one it is, since when it runs, how it is."""

    id: str
    started: str
    image: str
    health: str


class Lab:
    """The lab under test, seen from the controller and from its server."""

    def __init__(self, server: Host) -> None:
        self.server = server
        self.changed: dict[str, Any] = {}

    @property
    def variables(self) -> dict[str, Any]:
        """The server's variables in the inventory."""
        return dict(self.server.ansible.get_variables())

    @property
    def archive(self) -> Archive:
        """The archive's DICOM port."""
        return Archive(DicomPort(self.variables["ansible_host"], 11112, "DCM4CHEE", "WORKLIST"))

    def command(self, *arguments: str, playbook: str = "site.yml", **settings: Any) -> list[str]:
        """Return the call of a playbook with what was changed before, and some variables set for this run alone."""
        extra = json.dumps(self.changed | settings)
        return ["ansible-playbook", "-i", str(RUN / "inventory"), str(PROJECT / playbook), *arguments, "-e", extra]

    def play(self, *arguments: str, playbook: str = "site.yml", **settings: Any) -> Playbook:
        """Run a playbook to its end, whatever that is."""
        command = self.command(*arguments, playbook=playbook, **settings)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return Playbook(done.returncode, done.stdout)

    def change(self, **settings: Any) -> None:
        """Set variables for all runs from here on, as an operator would in the inventory."""
        self.changed |= settings

    def deploy(self, *arguments: str, playbook: str = "site.yml") -> Playbook:
        """Run site.yml, or that of another folder, which must succeed."""
        run = self.play(*arguments, playbook=playbook)
        assert run.code == 0, run.output
        return run

    def deploy_again(self) -> None:
        """Run site.yml, which must change nothing."""
        run = self.deploy()
        assert run.changed == 0, run.output

    def verify(self, steps: str) -> Playbook:
        """Run verify.yml, whatever it finds, and keep what the suite was told."""
        run = self.play(playbook="playbooks/verify.yml", verify_steps=steps, verify_artifacts=str(VERIFIED))
        shutil.copy(VERIFIED / "lab.json", TOLD)
        return run

    def killed_at(self, task: str) -> None:
        """Run site.yml and kill Ansible, with all its processes, when it comes to a task."""
        seen = []
        with subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as run:
            assert run.stdout is not None
            for line in run.stdout:
                seen.append(line)
                if line.startswith("TASK [") and task in line:
                    os.killpg(run.pid, signal.SIGKILL)
                    return
        pytest.fail(f"site.yml never came to the task '{task}':\n{''.join(seen)}")

    def docker(self, *words: str) -> str:
        """Run docker on the server, which must succeed, and return its stdout."""
        return str(self.server.check_output(" ".join(["docker", *("%s" for _ in words)]), *words))

    def containers(self) -> dict[str, Container]:
        """Return service → container of all of the lab's containers."""
        ids = self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.project=pacs-emr").split()
        found = json.loads(self.docker("container", "inspect", *ids)) if ids else []
        return {
            row["Config"]["Labels"]["com.docker.compose.service"]: Container(
                row["Id"], row["State"]["StartedAt"], row["Image"], row["State"].get("Health", {}).get("Status", row["State"]["Status"])
            )
            for row in found
        }

    def inside(self, service: str, *words: str) -> str:
        """Run a command in a service's container, which must succeed, and return its stdout."""
        return self.docker("exec", f"pacs-emr-{service}-1", *words)

    def secrets(self) -> dict[str, str]:
        """Return the lab's secrets."""
        return dict(yaml.safe_load((RUN / "secrets.yml").read_text(encoding="utf-8")))

    def files(self) -> str:
        """Return path, mode, owner, size and time of everything below the lab's folder."""
        return str(self.server.check_output("find /opt/pacs-emr -printf '%p %m %U %s %T@\\n' | sort"))

    def wait_until_healthy(self) -> None:
        """Wait until every container is healthy; fails after RECOVERY."""

        def complaint() -> str:
            found = {name: container.health for name, container in self.containers().items()}
            return "" if set(found.values()) == {"healthy"} else f"not healthy: {found}"

        wait_for(complaint, RECOVERY)


def moved(before: dict[str, Container], after: dict[str, Container]) -> set[str]:
    """Return the services whose container is another one, or was started again."""
    return {
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or (before[name].id, before[name].started) != (after[name].id, after[name].started)
    }


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab on the scenario's server; what an earlier verification changed, or left broken when it was killed, is set back first."""
    owner = (RUN / "checkout").read_text(encoding="utf-8").strip()
    assert owner == str(PROJECT), f"{RUN} belongs to a test run of {owner}: see molecule/shared/own.yml"
    lab = Lab(testinfra.get_host("ansible://server", ansible_inventory=str(RUN / "inventory")))
    verified = RUN / "verified"
    if verified.exists():
        lab.deploy()
    if lab.containers():
        verified.touch()
    return lab


@pytest.fixture(scope="session")
def suite(lab: Lab) -> Suite:
    """The acceptance suite; the lab has proved itself before."""
    if not TOLD.exists():
        run = lab.verify("reads or adds")
        assert run.code == 0, run.output
    return Suite(json.loads(TOLD.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def inside(suite: Suite) -> Iterator[Inside]:
    """The lab's containers, as the acceptance suite reaches them."""
    with Inside.of(load(TOLD)) as reaching:
        yield reaching


@pytest.fixture(scope="session")
def clinic(inside: Inside) -> Clinic:
    """EMR, modality and archive together."""
    where = load(TOLD).dicom
    assert where is not None
    archive = Archive(where)
    return Clinic(Emr(inside, EmrDatabase(inside)), Modality(archive), archive, EngineInside(inside))
