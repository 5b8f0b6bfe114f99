"""Measure the demo and record it in docs/benchmarks.md: medians, Ansible and plain Compose side by side in one run.

Second run: ``site.yml`` on a deployed lab against ``docker compose up -d --wait`` on the same files, and of it the engine's channels. Cold:
empty volumes, images there, ``site.yml`` against Compose. Orders: files dropped at once, until each is a worklist row. The demo's data is
removed on the way. Run by ``make bench`` on an otherwise idle machine.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from acceptance.dimse import Archive
from acceptance.emr import Emr, Procedure
from acceptance.emr_database import EmrDatabase
from acceptance.engine import EngineInside
from acceptance.inside import Inside
from acceptance.lab import load
from acceptance.many import orders_of_many, push, taken
from acceptance.modality import Modality
from acceptance.orders import Clinic

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks.md"
ANSIBLE = [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", "inventory/demo"]
SITE = [*ANSIBLE, "site.yml"]
COMPOSE = ["docker", "compose", "--project-directory", "/opt/pacs-emr"]
UP = [*COMPOSE, "up", "-d", "--wait"]
LAB_FILE = PROJECT / ".cache/verify/demo/lab.json"
ORDERS = 500
# After so long without a change on the way the lab is stuck.
STUCK_SECONDS = 120


def timed(command: list[str]) -> float:
    """Run a command to its end; returns seconds.

    :raises subprocess.CalledProcessError: it failed; its output is shown
    """
    began = time.monotonic()
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()
    return time.monotonic() - began


def second_runs(times: int) -> tuple[list[float], list[float]]:
    """Seconds of ``site.yml`` and of Compose on a lab where nothing has to change, alternating."""
    pairs = [(timed(SITE), timed(UP)) for _ in range(times)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def cold_runs(times: int) -> tuple[list[float], list[float]]:
    """Seconds of ``site.yml`` and of Compose from empty volumes, alternating; the files stay for Compose."""
    remove = [*ANSIBLE, "playbooks/remove.yml", "-e", "confirm=demo", "-e", "remove_data=true"]
    ansible, compose = [], []
    for number in range(1, times + 1):
        print(f"cold run {number} of {times}", flush=True)
        timed(remove)
        ansible.append(timed(SITE))
        timed([*COMPOSE, "down", "--volumes"])
        compose.append(timed(UP))
    timed(remove)
    timed(SITE)
    return ansible, compose


def module_runs(times: int) -> list[float]:
    """Seconds of the one task that compares the engine with the channels' folder, within ``site.yml`` with nothing to change."""
    found = []
    for _ in range(times):
        done = subprocess.run(
            [*SITE, "--tags", "configure"],
            cwd=PROJECT,
            env=os.environ | {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks"},
            capture_output=True,
            text=True,
            check=True,
        )
        (seconds,) = re.findall(r"mirth : Bring the engine .*? ([0-9.]+)s$", done.stdout, re.MULTILINE)
        found.append(float(seconds))
    return found


def orders() -> dict[str, float]:
    """Seconds until all orders, dropped as files at once, have passed each hop, counted from when the files count as complete.

    :raises RuntimeError: none passes a hop for STUCK_SECONDS
    """
    timed([*ANSIBLE, "playbooks/verify.yml", "-e", "verify_steps='reads or adds'"])
    lab = load(LAB_FILE)
    assert lab.engine is not None
    assert lab.dicom is not None
    first = lab.engine.procedures[0]
    with Inside.of(lab) as inside:
        archive = Archive(lab.dicom)
        clinic = Clinic(Emr(inside, EmrDatabase(inside)), Modality(archive), archive, EngineInside(inside))
        many = orders_of_many(Procedure(first.code, first.name), ORDERS)
        before = len(clinic.modality.worklist())
        hops: dict[str, Callable[[], int]] = {
            "file taken": lambda: ORDERS - clinic.emr.waiting(),
            "identifiers in the state table": lambda: len(taken(clinic, many)),
            "on the worklist, by C-FIND": lambda: len(clinic.modality.worklist()) - before,
        }
        push(clinic, many)
        began = time.monotonic()
        reached: dict[str, float] = {}
        counts = dict.fromkeys(hops, 0)
        moved = began
        while len(reached) < len(hops):
            for hop, count in hops.items():
                now = count()
                if now != counts[hop]:
                    counts[hop], moved = now, time.monotonic()
                if now == ORDERS:
                    reached.setdefault(hop, time.monotonic() - began)
            if time.monotonic() - moved > STUCK_SECONDS:
                raise RuntimeError(f"of {ORDERS} orders there passed {counts}, and no more")
            time.sleep(0.5)
    return reached


def row(name: str, ansible: list[float], compose: list[float]) -> str:
    """One line of the table: medians, ratio, and all values."""
    ours, theirs = statistics.median(ansible), statistics.median(compose)
    values = " ".join(f"{value:.1f}" for value in ansible) + " / " + " ".join(f"{value:.1f}" for value in compose)
    return f"| {name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} | {values} |\n"


def main() -> int:
    """Measure and write the page."""
    timed(SITE)
    print("second runs", flush=True)
    second = second_runs(5)
    module = module_runs(3)
    cold = cold_runs(3)
    print("orders", flush=True)
    passed = orders()
    version = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    hops = "".join(f"| {hop} | {seconds:.1f} | {ORDERS / seconds:.0f} |\n" for hop, seconds in passed.items())
    PAGE.write_text(
        "# Benchmarks\n\n"
        "<!-- Made by `make bench`: changes here are lost. -->\n\n"
        f"{date.today()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Docker Engine {version}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[1]:.1f}; self-built images, inventory `demo`. Medians in seconds.\n\n"
        "| | `site.yml` | `docker compose up -d --wait` | ratio | all values |\n|---|---|---|---|---|\n"
        + row("second run, nothing to change", *second)
        + row("cold: empty volumes, images there", *cold)
        + f"\nOf the second run the engine's channels, compared and left as they are: {statistics.median(module):.1f} "
        f"({' '.join(f'{value:.1f}' for value in module)}).\n\n"
        f"{ORDERS} order files dropped at once:\n\n"
        "| until all are | seconds | orders per second |\n|---|---|---|\n" + hops,
        encoding="utf-8",
    )
    print(PAGE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
