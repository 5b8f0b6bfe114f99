"""Channels change while messages wait in the engine, which is killed meanwhile: none is lost, doubled or overtaken (F-ENG-1)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from acceptance.emr import Procedure
from acceptance.engine import API
from acceptance.inside import Inside
from acceptance.many import assert_all_there_once, assert_sent_in_order, orders_of_many, push, taken
from acceptance.orders import Clinic
from conftest import PROJECT, Lab
from waiting import wait_for

COUNT = 50
#: A harmless line, in a channel that takes orders and in the one whose queue holds them.
LINE = "a line more in two channels"
CHANGED = ("orders/mint.js", "archive/guard.js")
#: Seconds in which the engine takes the orders, or gets the changed channel.
PATIENCE = 120


def changed_copy(folder: Path) -> str:
    """Return site.yml of a copy of what the roles need of the checkout, with a line more in two channels."""
    for part in ("roles", "files"):
        shutil.copytree(PROJECT / part, folder / part, symlinks=True)
    for script in CHANGED:
        with (folder / "files/mirth/channels" / script).open("a", encoding="utf-8") as file:
            file.write(f"// {LINE}\n")
    return str(shutil.copy(PROJECT / "site.yml", folder / "site.yml"))


def queued(clinic: Clinic) -> int:
    return sum(channel.queued for channel in clinic.engine.channels())


def test_queue_survives_changed_channels_and_a_killed_engine(lab: Lab, clinic: Clinic, inside: Inside, tmp_path: Path) -> None:
    row = lab.variables["lab_procedures"][0]
    orders = orders_of_many(Procedure(row["code"], row["name"]), COUNT)
    site = changed_copy(tmp_path)
    inside.docker(inside.host("arc"), "stop", inside.container("arc"))
    push(clinic, orders)
    wait_for(lambda: "" if len(taken(clinic, orders)) == queued(clinic) == COUNT else "the engine has not taken all orders", PATIENCE)

    command = lab.command("--tags", "configure", playbook=site)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:

        def complaint() -> str:
            held = inside.run("mirth", "bash", "-c", API, "verify", "/channels").stdout.decode()
            return "" if LINE in held else "the engine has not got the changed channel"

        wait_for(complaint, PATIENCE, pause=0.1)
        inside.docker(inside.host("mirth"), "kill", inside.container("mirth"))
        run.communicate()
    inside.docker(inside.host("mirth"), "start", inside.container("mirth"))
    inside.wait_healthy("mirth")

    # The archive is still down: its queue waits, and the channels are deployed around it.
    configured = lab.deploy("--tags", "configure", playbook=site)
    assert queued(clinic) == COUNT, configured.output

    # A whole run starts the archive, and waits for it.
    lab.deploy(playbook=site)
    inside.wait_healthy("arc", seconds=0)
    assert_all_there_once(clinic, orders)
    assert_sent_in_order(inside, clinic, orders)
    assert lab.deploy(playbook=site).changed == 0
    lab.deploy()
