"""The EMR's first boot once more, interrupted: what is said, the way out word for word, and what is left after it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest import Lab
from waiting import wait_for

# Long enough for Docker Engine to have restarted the container twice.
SAID_SECONDS = 60
SITES = "/var/lib/docker/volumes/pacs-emr_oemr-sites/_data/default"
PLACES = "/run/secrets /etc/openemr"
# "openemr", in a form that needs no quotes.
DATABASE = "0x6f70656e656d72"
TABLES = f"SELECT count(*) FROM information_schema.tables WHERE table_schema = {DATABASE}"
CLIENT = 'mariadb -uroot -p"$(cat /run/secrets/openemr_db_root)" -Ne'


def log(lab: Lab) -> str:
    """What the EMR's container said since its last start."""
    started = lab.containers()["openemr"].started
    return str(lab.server.check_output("docker logs --since %s pacs-emr-openemr-1 2>&1", started))


def wait_until(said: Callable[[], bool], what: str) -> None:
    """Wait until something is so. Raises AssertionError."""
    wait_for(lambda: "" if said() else what, SAID_SECONDS)


def sql(lab: Lab, statement: str) -> str:
    """Ask the EMR's database; the answer without its last line end."""
    return lab.inside("openemr-db", "sh", "-c", f'{CLIENT} "{statement}"').strip()


def compose(lab: Lab, *words: str) -> None:
    """Run docker compose in the lab's folder, which must succeed."""
    lab.docker("compose", "--project-directory", "/opt/pacs-emr", *words)


@pytest.fixture(scope="module")
def begun(lab: Lab) -> str:
    """A first boot, from nothing, killed when it fills the database; what the container says when it is started again."""
    compose(lab, "rm", "--stop", "--force", "openemr")
    lab.docker("volume", "rm", "pacs-emr_oemr-sites", "pacs-emr_oemr-ssl", "pacs-emr_oemr-logs")
    sql(lab, "DROP DATABASE openemr")
    # The database stands still with the first tables: a quick installer would be done before it can be killed.
    held = f'until [ "$({CLIENT} "{TABLES}")" -gt 2 ]; do :; done; {CLIENT} "FLUSH TABLES WITH READ LOCK; SELECT SLEEP(15)"'
    lab.docker("exec", "--detach", "pacs-emr-openemr-db-1", "sh", "-c", held)
    lab.killed_at("stack : Wait until they are healthy")
    wait_for(lambda: "" if int(sql(lab, TABLES)) > 2 else "the EMR does not install itself", SAID_SECONDS, pause=0.05)
    lab.docker("kill", "pacs-emr-openemr-1")
    assert not lab.server.file(f"{SITES}/documents/local/installed").exists, "the first boot was over before it was killed"
    lab.docker("start", "pacs-emr-openemr-1")
    wait_until(lambda: "start.sh:" in log(lab), "the interrupted container says nothing")
    return log(lab)


def test_interrupted_container_says_that_it_cannot_boot_again(lab: Lab, begun: str) -> None:
    assert "was interrupted" in begun
    way = re.search(r"docker compose up -d --force-recreate openemr", begun)
    assert way
    lab.server.check_output(f"cd /opt/pacs-emr && {way[0]}")


def test_new_container_says_that_the_database_is_half_filled_and_how_to_begin_again(lab: Lab, begun: str) -> None:
    wait_until(lambda: "DROP DATABASE" in log(lab), "the new container says nothing of the half-filled database")
    said = log(lab)
    assert "is not empty, but the site is not installed" in said
    # The way out, word for word.
    for command in (r"docker compose exec openemr-db sh -c '[^']*'", r"docker compose rm -sf openemr", r"docker volume rm \S+oemr-sites"):
        found = re.search(command, said)
        assert found, f"no '{command}' in {said}"
        words = found[0].replace("compose exec", "compose exec -T")
        assert lab.server.run(f"cd /opt/pacs-emr && {words}").rc == 0, words


def test_then_site_yml_installs_it_and_takes_the_passwords_away(lab: Lab, begun: str) -> None:
    run = lab.deploy()
    assert "Take the installer's passwords away" in run.output
    lab.wait_until_healthy()
    lab.deploy_again()
    assert lab.server.file(f"{SITES}/documents/local/installed").exists


@pytest.mark.parametrize("secret", ["openemr_db_root_password", "openemr_db_password", "openemr_admin_password"])
def test_no_password_of_the_installer_is_in_the_container(lab: Lab, begun: str, secret: str) -> None:
    value = lab.secrets()[secret]
    looked = lab.docker("inspect", "pacs-emr-openemr-1") + lab.inside("openemr", "sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert "MYSQL_HOST=" in looked
    assert value not in looked
    assert lab.server.run(f"docker exec pacs-emr-openemr-1 grep -rlF -- %s {PLACES}", value).stdout == ""


def test_database_is_as_the_emr_wants_it(lab: Lab, begun: str) -> None:
    collations = "SELECT DISTINCT table_collation FROM information_schema.tables"
    told = sql(lab, f"{collations} WHERE table_schema = {DATABASE} AND table_collation IS NOT NULL").split()
    # A name is told apart by each of its letters (pacs_emr_result), and nothing else has the server's own collation.
    assert set(told) <= {"utf8mb4_general_ci", "utf8mb4_bin"}


def test_folders_that_an_interrupted_boot_closed_are_opened_again(lab: Lab, begun: str) -> None:
    """It leaves every folder of the site without the right to enter it, and a new container has the same volume."""
    lab.inside("openemr", "sh", "-c", "find sites -exec chmod 600 {} +")
    compose(lab, "up", "--detach", "--force-recreate", "openemr")
    lab.wait_until_healthy()
    lab.deploy_again()


def test_boot_that_was_killed_while_it_closed_its_files_says_so(lab: Lab, begun: str) -> None:
    """The folder itself is in the first batch of files, the entrypoint in the last."""
    lab.inside("openemr", "chmod", "600", ".", "interface")
    lab.docker("restart", "pacs-emr-openemr-1")
    wait_until(lambda: "was interrupted" in log(lab), "the container whose files are half closed says nothing")
    compose(lab, "up", "--detach", "--force-recreate", "openemr")
    lab.wait_until_healthy()
    lab.deploy_again()
