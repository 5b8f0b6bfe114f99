"""Ansible is killed at several moments: the next run makes good what is half done, the one after it changes nothing."""

from __future__ import annotations

from conftest import Lab, moved

#: DICOM PS3.4 C.4.2.1.5: refused, move destination unknown.
DESTINATION_UNKNOWN = 0xA801
SUCCESS = 0x0000


def test_between_placing_files_and_starting(lab: Lab) -> None:
    containers = lab.containers()
    lab.change(ohif_archive_name="Placed, not started")
    lab.killed_at("stack : Start the host's services")
    assert "Placed, not started" in lab.server.file("/opt/pacs-emr/ohif/app-config.js").content_string
    assert moved(containers, lab.containers()) == set()
    repaired(lab, "Placed, not started")
    assert moved(containers, lab.containers()) == {"ohif"}


def test_while_compose_is_at_work(lab: Lab) -> None:
    containers = lab.containers()
    lab.change(ohif_archive_name="Started, not watched")
    lab.killed_at("stack : Wait until they are healthy")
    repaired(lab, "Started, not watched")
    assert moved(containers, lab.containers()) == {"ohif"}


def repaired(lab: Lab, name: str) -> None:
    """The next run brings the viewer to run with this name, the one after it changes nothing."""
    lab.deploy()
    assert name in lab.inside("ohif", "cat", "/usr/share/nginx/html/app-config.js")
    lab.deploy_again()


def test_between_ldap_change_and_reload(lab: Lab) -> None:
    def move() -> int:
        """Ask for a study that nobody has: the archive looks for the destination first."""
        return int(lab.archive.move("KILLED", "STUDY", StudyInstanceUID="2.25.1").Status)

    containers = lab.containers()
    assert move() == DESTINATION_UNKNOWN
    added = {"ae_title": "KILLED", "host": "{{ test_controller }}", "port": 11122, "description": "Added by a run that was killed"}
    lab.change(lab_ae_table=[*lab.variables["lab_ae_table"], added])
    lab.killed_at("ldap : Reload the archive and try its listeners")
    assert marked(lab)

    run = lab.deploy()
    assert "ldap : Reload the archive and try its listeners" in run.output
    assert not marked(lab)
    assert move() == SUCCESS
    lab.deploy_again()
    assert moved(containers, lab.containers()) == set()


def marked(lab: Lab) -> bool:
    """Whether LDAP holds the reload marker."""
    search = ["ldapsearch", "-x", "-LLL", "-H", "ldap://127.0.0.1", "-b", "dc=dcm4che,dc=org", "(cn=pacs-emr reload pending)", "dn"]
    return "pacs-emr reload pending" in lab.inside("ldap", *search)
