"""How the archive's container starts, as whom it runs, and what a wrong setting does to it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from ..conftest import Container, Engine
from .support import (
    BOOT_SECONDS,
    COMMAND,
    DATABASE_PASSWORD,
    LDAP_PASSWORD,
    SUCCESS,
    Trio,
    image,
    listens,
    only_standin,
    run_arc,
    status_code,
    wait_for_status,
)


def ended(arc: Container) -> int:
    return arc.wait_for_end(60)


def test_secret_given_twice_ends_the_container(engine: Engine) -> None:
    """§9.2: both forms set → exit 1."""
    assert ended(run_arc(engine, "none", LDAP_ROOTPASS="x", LDAP_ROOTPASS_FILE="/etc/hostname")) == 1


def test_missing_secret_file_ends_the_container(engine: Engine) -> None:
    """§9.2: file missing → exit 1."""
    assert ended(run_arc(engine, "none", POSTGRES_PASSWORD_FILE="/run/secrets/none")) == 1


def test_another_user_ends_the_container(engine: Engine) -> None:
    """§1.1: do not set `user:` (exit 1)."""
    assert ended(run_arc(engine, "none", "--user=1023:1023")) == 1


def test_missing_chown_folder_ends_the_container(engine: Engine) -> None:
    """§9.2: folder missing with WILDFLY_CHOWN → exit 1."""
    assert ended(run_arc(engine, "none", WILDFLY_CHOWN="/nowhere")) == 1


def test_missing_yaml_ends_the_container(engine: Engine) -> None:
    """§9.2: --yaml file missing or wrong → exit 1."""
    assert ended(run_arc(engine, "none", command=(*COMMAND, "--yaml=/nowhere.yml"))) == 1


@only_standin
@pytest.mark.parametrize(
    "variables", [{"LOGSTASH_HOST": "logstash"}, {"WILDFLY_DEPLOY_UI": "only"}, {"AUTH_SERVER_URL": "https://keycloak:8443"}]
)
def test_what_the_standin_lacks_is_refused(engine: Engine, variables: dict[str, str]) -> None:
    """A variable that upstream would act on and the stand-in cannot is named, and nothing starts."""
    arc = run_arc(engine, "none", **variables)
    assert ended(arc) == 1
    assert next(iter(variables)) in arc.logs()


@only_standin
def test_unknown_option_is_refused(engine: Engine) -> None:
    """An option of standalone.sh that the stand-in would have to ignore ends it."""
    arc = run_arc(engine, "none", command=(*COMMAND, "--debug"))
    assert ended(arc) == 1
    assert "--debug" in arc.logs()


def test_runs_as_wildfly_with_few_capabilities(trio: Trio) -> None:
    """§1.1: drops to 1023:1023; §9.2: works with six capabilities and no-new-privileges, under 2 GiB and 1024 processes."""
    assert trio.arc.exec("stat", "-c", "%u:%g", "/proc/1").strip() == "1023:1023"


def test_storage_belongs_to_wildfly(trio: Trio) -> None:
    """§1.1: WILDFLY_CHOWN hands the folder over once and leaves the marker chown.done."""
    assert trio.arc.exec("stat", "-c", "%u", "/storage", "/storage/chown.done").split() == ["1023", "1023"]


def test_log_goes_to_the_console_and_names_no_patient(trio: Trio) -> None:
    """§9.2: log by --yaml; no patient name at INFO for C-STORE."""
    assert trio.store(image(PatientName="Unspoken^Name"))[0].Status == SUCCESS
    trio.found("studies?PatientName=Unspoken*")
    log = trio.arc.logs()
    assert "11112" in log
    assert "Unspoken" not in log


def test_wrong_ldap_password_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§8.2: no exit, status 500 for ever, no DICOM port, reload 500."""
    arc = run_arc(engine, trio.options[0], LDAP_ROOTPASS="wrong", POSTGRES_PASSWORD=DATABASE_PASSWORD)
    wait_for_status(arc, 500)
    assert requests.post(f"http://{arc.address()}:8080/dcm4chee-arc/ctrl/reload", timeout=30).status_code == 500
    assert not listens(arc, 11112)
    assert arc.running()
    assert arc.stop() == 0


def test_absent_ldap_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§8.2: LDAP down: status 500 for ever."""
    arc = run_arc(
        engine, trio.options[0], LDAP_URL="ldap://127.0.0.1:389", LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD=DATABASE_PASSWORD
    )
    wait_for_status(arc, 500)
    assert not listens(arc, 11112)


def test_wrong_device_name_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§1.1: ARCHIVE_DEVICE_NAME must equal the LDAP side; §8.2: any fault while the device is built → 500."""
    arc = run_arc(engine, trio.options[0], ARCHIVE_DEVICE_NAME="other", LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD=DATABASE_PASSWORD)
    wait_for_status(arc, 500)


def test_wrong_database_password_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§8.2: database down, wrong password: no exit, status 404 for ever, no DICOM port. TERM by uid 1023 ends it cleanly (§9.2)."""
    arc = run_arc(engine, trio.options[0], LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD="wrong")
    wait_for_status(arc, 404)
    arc.wait_until("grep", "-q", "FATAL", "/opt/wildfly/standalone/log/server.log", seconds=BOOT_SECONDS)
    assert status_code(arc) == 404
    assert not listens(arc, 11112)
    arc.exec("chroot", "--userspec=1023:1023", "/", "bash", "-c", "kill -TERM 1")
    assert arc.wait_for_end(10) == 0


@only_standin
def test_stops_while_orthanc_starts(engine: Engine, trio: Trio, tmp_path: Path) -> None:
    """§9.2: `docker stop` takes 1.5 s and gives exit 0; so also for a boot that is stuck in the stand-in's own parts."""
    stuck = tmp_path / "Orthanc"
    stuck.write_text("#!/bin/sh\necho 'E: stuck'\nexec sleep 300\n")
    stuck.chmod(0o755)
    volumes = [f"--volume={stuck}:/usr/sbin/Orthanc:ro", f"--volume={engine.volume()}:/storage"]
    passwords = {"LDAP_ROOTPASS": LDAP_PASSWORD, "POSTGRES_PASSWORD": DATABASE_PASSWORD}
    arc = run_arc(engine, trio.options[0], *volumes, WILDFLY_CHOWN="/storage", **passwords)
    arc.wait_until("grep", "-q", "stuck", "/opt/wildfly/standalone/log/server.log")
    began = time.monotonic()
    assert arc.stop(grace=30) == 0
    assert time.monotonic() - began < 2
