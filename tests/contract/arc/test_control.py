"""The archive's control interface, its listings, and what it does when its configuration or what it depends on changes."""

from __future__ import annotations

import requests
from waiting import wait_for

from ..conftest import docker
from .support import DEVICES, SUCCESS, Trio, image, is_started, listens, only_standin


def test_status_says_started(trio: Trio) -> None:
    """§1.1: JSON {"status":"STARTED"}; an Accept other than JSON gives 406."""
    assert requests.get(trio.url("/ctrl/status"), timeout=10).json() == {"status": "STARTED"}
    assert requests.get(trio.url("/ctrl/status"), headers={"Accept": "application/dicom+json"}, timeout=10).status_code == 406


def test_listings(trio: Trio) -> None:
    """§1.1, §2.4, §3: /aets and /devices are JSON arrays, /devicename names the device."""
    assert {"DCM4CHEE", "WORKLIST"} <= {ae["dicomAETitle"] for ae in requests.get(trio.url("/aets"), timeout=10).json()}
    assert "dcm4chee-arc" in {device["dicomDeviceName"] for device in requests.get(trio.url("/devices"), timeout=10).json()}
    assert "DCM4CHEE" in {ae["dicomAETitle"] for ae in requests.get(trio.url("/aes"), timeout=10).json()}
    assert requests.get(trio.url("/devicename"), timeout=10).json()["dicomDeviceName"] == "dcm4chee-arc"
    assert "serverTimeWithTimezone" in requests.get(trio.url("/monitor/serverTime"), timeout=10).json()


def test_stop_and_start(trio: Trio) -> None:
    """§3: POST /ctrl/stop closes the DICOM port, /ctrl/start opens it again."""
    assert requests.post(trio.url("/ctrl/stop"), timeout=60).status_code == 204
    assert not is_started(trio.arc)
    assert not listens(trio.arc, 11112)
    assert requests.post(trio.url("/ctrl/start"), timeout=60).status_code == 204
    assert is_started(trio.arc)
    assert listens(trio.arc, 11112)


def test_reload_follows_the_port(trio: Trio) -> None:
    """§2.4: a changed port acts after a reload."""
    connection = f"dn: cn=dicom,dicomDeviceName=dcm4chee-arc,{DEVICES}\nchangetype: modify\nreplace: dicomPort\ndicomPort: "
    trio.modify(connection + "11119\n")
    assert listens(trio.arc, 11112)
    assert trio.reload() == 204
    assert listens(trio.arc, 11119)
    assert not listens(trio.arc, 11112)
    trio.modify(connection + "11112\n")
    assert trio.reload() == 204
    assert listens(trio.arc, 11112)


@only_standin
def test_invalid_configuration_is_not_taken(trio: Trio) -> None:
    """§2.4: 409 on an invalid config, the old one stays in force. Upstream's idea of invalid is its own."""
    dn = f"dicomAETitle=DCM4CHEE,dicomDeviceName=dcm4chee-arc,{DEVICES}"
    entry = f"dn: {dn}\nchangetype: modify\nreplace: dcmObjectStorageID\ndcmObjectStorageID: "
    trio.modify(entry + "nowhere\n")
    assert trio.reload() == 409
    assert trio.store(image())[0].Status == SUCCESS
    trio.modify(entry + "fs1\n")
    assert trio.reload() == 204


@only_standin
def test_lacking_listeners_answer_nothing(trio: Trio) -> None:
    """The stand-in speaks no TLS: the device's ports are open as upstream's, and every connection is closed unanswered."""
    assert [port for port in (2575, 2762, 12575, 8443, 9990) if listens(trio.arc, port)] == [2575, 2762, 12575]
    for port in (2762, 12575):
        said = trio.arc.exec(
            "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'MSH|' >&3 2>/dev/null; timeout 5 cat <&3 2>/dev/null; [ $? != 124 ]"
        )
        assert said == "", port


def test_ldap_lost_while_running(trio: Trio) -> None:
    """§8.2: store, query and status go on; /devices and /aes 409, reload 500, C-MOVE A702; all well when it is back."""
    sent = image()
    docker("stop", "--time", "5", trio.ldap.name)
    try:
        assert trio.store(sent)[0].Status == SUCCESS
        assert len(trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")) == 1
        assert is_started(trio.arc)
        assert requests.get(trio.url("/devices"), timeout=60).status_code == 409
        assert requests.get(trio.url("/aes"), timeout=60).status_code == 409
        assert requests.post(trio.url("/ctrl/reload"), timeout=60).status_code == 500
        assert trio.move("UNASKED", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA702
    finally:
        docker("start", trio.ldap.name)
    wait_for(lambda: "" if requests.get(trio.url("/devices"), timeout=60).ok else "no /devices", 90)
    assert trio.reload() == 204


def test_database_lost_while_running(trio: Trio) -> None:
    """§8.2: C-STORE 0110, QIDO 500, status STARTED; all well on the first try after the start."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    docker("stop", "--time", "5", trio.database.name)
    try:
        assert trio.store(image())[0].Status == 0x0110
        assert trio.rs("studies?limit=1").status_code == 500
        assert is_started(trio.arc)
    finally:
        docker("start", trio.database.name)
    trio.database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "pacs", "-d", "pacsdb")
    assert trio.store(image())[0].Status == SUCCESS
    assert trio.rs(f"studies/{sent.StudyInstanceUID}/metadata").status_code == 200
    assert len(trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")) == 1


def test_failed_lookups_are_cached_until_reload(trio: Trio) -> None:
    """§2.2: an AE title that was asked for before it existed stays unknown until a reload."""
    sent = image()
    trio.store(sent)
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    trio.register("LATER", 1)
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    assert trio.reload() == 204
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA702
