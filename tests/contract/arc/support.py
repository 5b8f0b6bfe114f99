"""What the archive's tests share: the lab that they talk to, the objects that they send, and how they look at it.

Sources are sections of dcm4chee.md, the upstream facts.
"""

from __future__ import annotations

import copy
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pydicom.data
import pytest
import requests
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)
from waiting import wait_for

from ..conftest import Container, Engine, hardened, image_under_test

IMAGE = image_under_test("arc")
is_standin = "standin" in IMAGE
only_standin = pytest.mark.skipif(not is_standin, reason="upstream has what the stand-in lacks")

LDAP_PASSWORD = "ldap.Secret_1"
DATABASE_PASSWORD = "db.Secret_2"
DEVICES = "cn=Devices,cn=DICOM Configuration,dc=dcm4che,dc=org"
ISSUER_RULE = f"cn=SupplementIssuerOfPatientID,dicomAETitle=DCM4CHEE,dicomDeviceName=dcm4chee-arc,{DEVICES}"
# The default tree's (§4.4).
ISSUER_HASH = "IssuerOfPatientID=DCM4CHEE.{PatientName,hash}.{PatientBirthDate,hash}"
BOOT_SECONDS = 30 if is_standin else 300
COMMAND = ("standalone.sh", "-b", "0.0.0.0", "-bmanagement", "0.0.0.0")
SUCCESS, PENDING = 0x0000, (0xFF00, 0xFF01)
DICOM_PARTS = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
OHIF_FRAMES = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
numbers = itertools.count(1)


@dataclass
class Trio:
    """Running archive, LDAP and database."""

    arc: Container
    ldap: Container
    database: Container
    gateway: str
    options: list[str]

    @property
    def host(self) -> str:
        return self.arc.address()

    def url(self, path: str = "") -> str:
        return f"http://{self.host}:8080/dcm4chee-arc{path}"

    def rs(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url(f"/aets/DCM4CHEE/rs/{path}"), timeout=60, **options)

    def found(self, path: str) -> list[dict[str, Any]]:
        answer = self.rs(path)
        assert answer.status_code in (200, 204), answer.text
        matches: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
        return matches

    def reload(self) -> int:
        """Reload; upstream may answer 500 while it re-opens a port, so repeat there (§2.4)."""
        for _ in range(1 if is_standin else 5):
            status = requests.post(self.url("/ctrl/reload"), timeout=60).status_code
            if status != 500:
                break
        return status

    def modify(self, ldif: str) -> None:
        self.ldap.exec("ldapmodify", "-x", "-D", "cn=admin,dc=dcm4che,dc=org", "-w", LDAP_PASSWORD, stdin=ldif)

    @contextmanager
    def settings(self, dn: str, now: Mapping[str, str | None], then: Mapping[str, str | None]) -> Iterator[None]:
        """Give an entry other values for a while; None removes one."""

        def write(values: Mapping[str, str | None]) -> None:
            changes = "\n-\n".join(f"replace: {name}" + (f"\n{name}: {value}" if value else "") for name, value in values.items())
            self.modify(f"dn: {dn}\nchangetype: modify\n{changes}\n")
            assert self.reload() == 204

        write(now)
        try:
            yield
        finally:
            write(then)

    def issuer(self, value: str, rule: str = ISSUER_RULE) -> AbstractContextManager[None]:
        """Let the archive put another issuer into objects that have none, for a while."""
        return self.settings(rule, {"dcmMergeAttribute": f"IssuerOfPatientID={value}"}, {"dcmMergeAttribute": ISSUER_HASH})

    def register(self, title: str, port: int) -> None:
        """Register an AE that listens on this host (§2.2)."""
        device = f"dicomDeviceName={title.lower()},{DEVICES}"
        self.modify(
            f"dn: {device}\nchangetype: add\nobjectClass: dicomDevice\nobjectClass: dcmDevice\n"
            f"dicomDeviceName: {title.lower()}\ndicomInstalled: TRUE\n\n"
            f"dn: cn=dicom,{device}\nchangetype: add\nobjectClass: dicomNetworkConnection\nobjectClass: dcmNetworkConnection\n"
            f"cn: dicom\ndicomHostname: {self.gateway}\ndicomPort: {port}\n\n"
            f"dn: dicomAETitle={title},{device}\nchangetype: add\nobjectClass: dicomNetworkAE\nobjectClass: dcmNetworkAE\n"
            f"dicomAETitle: {title}\ndicomAssociationInitiator: TRUE\ndicomAssociationAcceptor: TRUE\n"
            f"dicomNetworkConnectionReference: cn=dicom,{device}\n"
        )

    def associate(self, *contexts: Any, called: str = "DCM4CHEE", calling: str = "CONTRACT", **options: Any) -> Any:
        ae = AE(ae_title=calling)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
        requested = [context if hasattr(context, "abstract_syntax") else build_context(context) for context in contexts]
        return ae.associate(self.host, 11112, contexts=requested, ae_title=called, **options)

    def store(self, *objects: Dataset) -> list[Dataset]:
        """C-STORE objects on one association; return the answers."""
        pairs = {(str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in objects}
        association = self.associate(*(build_context(*pair) for pair in sorted(pairs)))
        assert association.is_established
        answers = [association.send_c_store(ds) for ds in objects]
        association.release()
        return answers

    def find(self, model: Any = StudyRootQueryRetrieveInformationModelFind, /, **keys: Any) -> list[Dataset]:
        """C-FIND; return the matches."""
        association = self.associate(model)
        query = Dataset()
        for name, value in keys.items():
            setattr(query, name, value)
        answers = list(association.send_c_find(query, model))
        association.release()
        assert answers[-1][0].Status == SUCCESS, answers[-1][0]
        return [match for status, match in answers if status.Status in PENDING and match is not None]

    def move(self, destination: str, **keys: str) -> Dataset:
        """C-MOVE at STUDY level; return the final status."""
        association = self.associate(StudyRootQueryRetrieveInformationModelMove)
        query = Dataset()
        query.QueryRetrieveLevel = "STUDY"
        for name, value in keys.items():
            setattr(query, name, value)
        status: Dataset = list(association.send_c_move(query, destination, StudyRootQueryRetrieveInformationModelMove))[-1][0]
        association.release()
        return status

    def file(self, ds: Dataset) -> Dataset:
        """Retrieve one object by WADO-RS."""
        answer = self.rs(instance_path(ds), headers=DICOM_PARTS)
        assert answer.status_code == 200, answer.text
        return dcmread(io.BytesIO(parts_of(answer)[0]))


def parts_of(answer: requests.Response) -> list[bytes]:
    """Split a multipart answer."""
    boundary = re.search(r'boundary="?([^";]+)', answer.headers["Content-Type"])
    assert boundary
    parts = answer.content.split(b"--" + boundary[1].encode())[1:-1]
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts]


def instance_path(ds: Dataset) -> str:
    return f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def image(**attributes: Any) -> Dataset:
    """Return a small CT image of a new study of a new synthetic patient."""
    ds = dcmread(str(pydicom.data.get_testdata_file("CT_small.dcm")))
    ds.remove_private_tags()
    for name in ("IssuerOfPatientID", "OtherPatientIDs", "DataSetTrailingPadding"):
        ds.pop(name, None)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    ds.PatientID = f"CONTRACT-{next(numbers)}-{ds.StudyInstanceUID[-8:]}"
    ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "Contract^Test", "19700101", "O"
    ds.SpecificCharacterSet = "ISO_IR 192"
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def another(ds: Dataset, **attributes: Any) -> Dataset:
    """Return another image of the same series."""
    ds = copy.deepcopy(ds)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds


def first(match: dict[str, Any], tag: str) -> Any:
    return match[tag]["Value"][0]


def run_arc(engine: Engine, network: str, *options: str, command: Sequence[str] = COMMAND, **env: str) -> Container:
    """Start an archive with the lab's capabilities and limits (§9.3)."""
    limits = [*hardened("arc"), "--memory=2g", "--pids-limit=1024", f"--network={network}"]
    return engine.run(IMAGE, *command, options=[*limits, *options], env=env)


def status_code(arc: Container) -> int:
    url = f"http://{arc.address()}:8080/dcm4chee-arc/ctrl/status"
    try:
        return requests.get(url, timeout=5).status_code
    except requests.ConnectionError:
        return 0


def is_started(arc: Container) -> bool:
    return status_code(arc) == 200 and "STARTED" in requests.get(f"http://{arc.address()}:8080/dcm4chee-arc/ctrl/status", timeout=5).text


def listens(arc: Container, port: int) -> bool:
    return arc.try_exec("nc", "-w", "2", "-z", "127.0.0.1", str(port)).returncode == 0


def start(engine: Engine, network: str, options: list[str]) -> Container:
    """Start the trio's archive and wait until it is up."""
    arc = run_arc(
        engine,
        network,
        *options,
        command=(*COMMAND, "--yaml=/run/secrets/log.yml"),
        LDAP_ROOTPASS_FILE="/run/secrets/ldap",
        POSTGRES_PASSWORD_FILE="/run/secrets/db",
        WILDFLY_WAIT_FOR="ldap:389 db:5432",
        WILDFLY_CHOWN="/storage",
        WILDFLY_DEPLOY_UI="false",
        WILDFLY_PACSDS_USE_CCM="false",
        HTTP_PROXY_ADDRESS_FORWARDING="true",
        REVERSE_DNS="false",
    )
    wait_until_started(arc)
    return arc


def wait_until_started(arc: Container) -> None:
    """Wait for status STARTED. Raises AssertionError, with the log when the container has ended."""

    def complaint() -> str:
        assert arc.running(), arc.logs()
        return "" if is_started(arc) else f"status {status_code(arc)}"

    wait_for(complaint, BOOT_SECONDS)


def wait_for_status(arc: Container, code: int) -> None:
    """Wait until `ctrl/status` answers with an HTTP status. Raises AssertionError."""
    wait_for(lambda: "" if (seen := status_code(arc)) == code else f"status {seen}", BOOT_SECONDS)


def stow(trio: Trio, *objects: Dataset | bytes, study: str = "") -> requests.Response:
    """STOW-RS; bytes go as they are."""
    body = b""
    for content in objects:
        if isinstance(content, Dataset):
            buffer = io.BytesIO()
            dcmwrite(buffer, content)
            content = buffer.getvalue()
        body += b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=frontier', "Accept": "application/dicom+json"}
    path = f"/aets/DCM4CHEE/rs/studies{'/' + study if study else ''}"
    return requests.post(trio.url(path), body + b"--frontier--\r\n", headers=headers, timeout=60)
