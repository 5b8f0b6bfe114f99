"""Measure the demo and record it in docs/benchmarks.md: medians, Ansible and plain Compose side by side in one run.

Second run: ``site.yml`` on a deployed lab against ``docker compose up -d --wait`` on the same files, and what its tasks take. Cold: empty
volumes, images there, ``site.yml`` against Compose. Orders: files dropped at once, until each is a worklist row. Loop: orders of the EMR,
imaged and reported by one modality and one reporting system, until each is told in the chart. Reports: one at a time, until it is in the
chart. The demo's data is removed on the way. Run by ``make bench`` on an otherwise idle machine.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from acceptance.chart import Chart
from acceptance.dimse import Archive
from acceptance.emr import Emr, Procedure
from acceptance.emr_database import EmrDatabase
from acceptance.engine import EngineInside
from acceptance.inside import Inside
from acceptance.lab import Lab, load
from acceptance.loop import Department
from acceptance.many import push, taken
from acceptance.modality import Modality
from acceptance.openemr import OpenEmrCharts
from acceptance.orders import Clinic

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks.md"
ANSIBLE = [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", "inventory/demo"]
SITE = [*ANSIBLE, "site.yml"]
COMPOSE = ["docker", "compose", "--project-directory", "/opt/pacs-emr"]
UP = [*COMPOSE, "up", "-d", "--wait"]
LAB_FILE = PROJECT / ".cache/verify/demo/lab.json"
ORDERS, PATIENTS = 500, 50
# Of the EMR's own orders, which go all the way to a report.
LOOP = 100
# A task of the second run that is told by name takes so many seconds.
LONG_TASK = 0.2
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
    """Seconds of ``site.yml`` and of Compose from empty volumes, alternating.

    For Compose the files are those of a first boot: when ``site.yml`` is done they hold nothing of the EMR's installer any more.
    """
    remove = [*ANSIBLE, "playbooks/remove.yml", "-e", "confirm=demo", "-e", "remove_data=true"]
    ansible, compose = [], []
    for number in range(1, times + 1):
        print(f"cold run {number} of {times}", flush=True)
        timed(remove)
        ansible.append(timed(SITE))
        timed(remove)
        timed([*SITE, "--tags", "deploy"])
        timed([*COMPOSE, "down", "--volumes"])
        compose.append(timed(UP))
    timed(remove)
    timed(SITE)
    return ansible, compose


def task_runs(times: int) -> tuple[dict[str, float], float]:
    """Seconds of each task that takes a while within ``site.yml`` with nothing to change, and of all else in it; medians."""
    found: dict[str, list[float]] = defaultdict(list)
    rest = []
    for _ in range(times):
        began = time.monotonic()
        done = subprocess.run(
            SITE,
            cwd=PROJECT,
            env=os.environ | {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks", "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all"},
            capture_output=True,
            text=True,
            check=True,
        )
        whole = time.monotonic() - began
        tasks: dict[str, float] = defaultdict(float)
        for name, seconds in re.findall(r"^(\S.*?) -+ ([0-9.]+)s$", done.stdout, re.MULTILINE):
            tasks[name] += float(seconds)
        large = {name: seconds for name, seconds in tasks.items() if seconds >= LONG_TASK}
        for name, seconds in large.items():
            found[name].append(seconds)
        rest.append(whole - sum(large.values()))
    long = {name: statistics.median(seconds) for name, seconds in found.items() if 2 * len(seconds) > times}
    return dict(sorted(long.items(), key=lambda task: -task[1])), statistics.median(rest)


@contextmanager
def the_lab() -> Iterator[tuple[Lab, Clinic, Procedure]]:
    """The lab as the acceptance suite was told of it, its people, and its first procedure."""
    lab = load(LAB_FILE)
    assert lab.engine is not None
    assert lab.dicom is not None
    first = lab.engine.procedures[0]
    with Inside.of(lab) as inside:
        archive = Archive(lab.dicom)
        clinic = Clinic(Emr(inside, EmrDatabase(inside)), Modality(archive), archive, EngineInside(inside))
        yield lab, clinic, Procedure(first.code, first.name)


def passing(count: int, hops: Mapping[str, Callable[[], int]], began: float) -> dict[str, float]:
    """Seconds since `began` until `count` have passed each hop.

    :raises RuntimeError: none passes a hop for STUCK_SECONDS
    """
    reached: dict[str, float] = {}
    counts = dict.fromkeys(hops, 0)
    moved = began
    while len(reached) < len(hops):
        for hop, look in hops.items():
            now = count if hop in reached else look()
            if now != counts[hop]:
                counts[hop], moved = now, time.monotonic()
            if now == count:
                reached.setdefault(hop, time.monotonic() - began)
        if time.monotonic() - moved > STUCK_SECONDS:
            raise RuntimeError(f"of {count} orders there passed {counts}, and no more")
        time.sleep(0.5)
    return reached


def orders() -> dict[str, float]:
    """Seconds until all orders, dropped as files at once, have passed each hop."""
    with the_lab() as (_, clinic, procedure):
        # Of the EMR's own: about others the engine leaves notices.
        chart = Chart(clinic.emr.database)
        many = chart.order_many(chart.register_many(PATIENTS), procedure, ORDERS)
        before = len(clinic.modality.worklist())
        hops: dict[str, Callable[[], int]] = {
            "file taken": lambda: ORDERS - clinic.emr.waiting(),
            "identifiers in the state table": lambda: len(taken(clinic, many)),
            "on the worklist, by C-FIND": lambda: len(clinic.modality.worklist()) - before,
        }
        push(clinic, many)
        return passing(ORDERS, hops, time.monotonic())


def whole_loop() -> dict[str, float]:
    """Seconds until all orders, saved in the EMR and transmitted at once, have passed each hop up to the report in the chart."""
    with the_lab() as (lab, clinic, procedure):
        assert lab.engine is not None
        assert lab.engine.reports is not None
        chart, charts = Chart(clinic.emr.database), OpenEmrCharts(clinic.emr.database)
        department = Department(clinic, lab, lab.engine.reports)
        many = chart.order_many(chart.register_many(LOOP), procedure, LOOP)
        first, last = many[0].number, many[-1].number
        hops: dict[str, Callable[[], int]] = {
            "identifiers in the state table": lambda: len(taken(clinic, many)),
            "imaged: step started, an image stored, step completed": lambda: len(department.done),
            "report acknowledged": lambda: department.acknowledged,
            "report in the chart": lambda: len(charts.reports_of_many(first, last)),
            "“images available” in the chart": lambda: len(charts.images_of_many(first, last)),
        }
        push(clinic, many)
        began = time.monotonic()
        reached = department.work(many, lambda: passing(LOOP, hops, began))
        return dict(sorted(reached.items(), key=lambda hop: hop[1]))


def report_runs(times: int) -> list[float]:
    """Seconds from a report's first byte until it is in the chart, one report at a time."""
    found = []
    with the_lab() as (lab, clinic, procedure):
        assert lab.engine is not None
        assert lab.engine.reports is not None
        chart, charts = Chart(clinic.emr.database), OpenEmrCharts(clinic.emr.database)
        department = Department(clinic, lab, lab.engine.reports)
        many = chart.order_many(chart.register_many(times), procedure, times)
        push(clinic, many)
        for done in list(department.image(many)):
            began = time.monotonic()
            department.report(done)
            while not charts.reports(done.number):
                if time.monotonic() - began > STUCK_SECONDS:
                    raise RuntimeError(f"the report of order {done.number} does not come into the chart")
                time.sleep(0.1)
            found.append(time.monotonic() - began)
    return found


def row(name: str, ansible: list[float], compose: list[float]) -> str:
    """One line of the table: medians, ratio, and all values."""
    ours, theirs = statistics.median(ansible), statistics.median(compose)
    values = " ".join(f"{value:.1f}" for value in ansible) + " / " + " ".join(f"{value:.1f}" for value in compose)
    return f"| {name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} | {values} |\n"


def hops(reached: dict[str, float], count: int) -> str:
    """The table of a flood."""
    head = "| until all are | seconds | orders per second |\n|---|---|---|\n"
    return head + "".join(f"| {hop} | {seconds:.1f} | {count / seconds:.0f} |\n" for hop, seconds in reached.items())


def main() -> int:
    """Measure and write the page."""
    timed(SITE)
    print("second runs", flush=True)
    second = second_runs(5)
    tasks, rest = task_runs(3)
    cold = cold_runs(3)
    print("orders and reports", flush=True)
    timed([*ANSIBLE, "playbooks/verify.yml", "-e", "verify_steps='reads or adds'"])
    passed, looped, reported = orders(), whole_loop(), report_runs(10)
    version = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    PAGE.write_text(
        "# Benchmarks\n\n"
        "<!-- Made by `make bench`: changes here are lost. -->\n\n"
        f"{date.today()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Docker Engine {version}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[1]:.1f}; self-built images, inventory `demo`. Medians in seconds.\n\n"
        "| | `site.yml` | `docker compose up -d --wait` | ratio | all values |\n|---|---|---|---|---|\n"
        + row("second run, nothing to change", *second)
        + row("cold: empty volumes, images there", *cold)
        + f"\nWhere the second run's seconds go, tasks from {LONG_TASK} s:\n\n"
        "| task | seconds |\n|---|---|\n"
        + "".join(f"| {name} | {seconds:.1f} |\n" for name, seconds in tasks.items())
        + f"| all others, and Ansible's own start | {rest:.1f} |\n"
        + f"\n{ORDERS} order files dropped at once:\n\n"
        + hops(passed, ORDERS)
        + f"\n{LOOP} orders of the EMR transmitted at once, imaged by one modality, reported by one system, each as soon as it can:\n\n"
        + hops(looped, LOOP)
        + f"\nOne report on an idle lab, from its first byte until it is in the chart: {statistics.median(reported):.1f} "
        f"({' '.join(f'{value:.1f}' for value in reported)}).\n",
        encoding="utf-8",
    )
    print(PAGE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
