"""Measure the demo and record it in docs/benchmarks.md: medians, Ansible and plain Compose side by side in one run.

Second run: ``site.yml`` on a deployed lab against ``docker compose up -d --wait`` on the same files. Cold: empty volumes, images there,
``site.yml`` against Compose. The demo's data is removed on the way. Run by ``make bench`` on an otherwise idle machine.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "benchmarks.md"
ANSIBLE = [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", "inventory/demo"]
SITE = [*ANSIBLE, "site.yml"]
COMPOSE = ["docker", "compose", "--project-directory", "/opt/pacs-emr"]
UP = [*COMPOSE, "up", "-d", "--wait"]


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
    cold = cold_runs(3)
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
        + row("cold: empty volumes, images there", *cold),
        encoding="utf-8",
    )
    print(PAGE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
