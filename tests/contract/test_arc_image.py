"""What the archive image must do, stand-in or upstream. Sources: dcm4chee.md under the upstream facts, by section.

One trio (archive, LDAP, database) serves all tests of this module; each test uses studies and patients of its own.
"""

from __future__ import annotations

import copy
import io
import itertools
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
import requests
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tests.contract.conftest import HARDENED, Container, Engine, docker, image_under_test

IMAGE = image_under_test("arc")
is_standin = "standin" in IMAGE
only_standin = pytest.mark.skipif(not is_standin, reason="upstream has what the stand-in lacks")

LDAP_PASSWORD = "ldap.Secret_1"
DATABASE_PASSWORD = "db.Secret_2"
DEVICES = "cn=Devices,cn=DICOM Configuration,dc=dcm4che,dc=org"
ISSUER_RULE = f"cn=SupplementIssuerOfPatientID,dicomAETitle=DCM4CHEE,dicomDeviceName=dcm4chee-arc,{DEVICES}"
CAPABILITIES = [f"--cap-add={name}" for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SYS_CHROOT")]
BOOT_SECONDS = 30 if is_standin else 300
COMMAND = ("standalone.sh", "-b", "0.0.0.0", "-bmanagement", "0.0.0.0")
LOG = """
wildfly-configuration:
  subsystem:
    logging:
      console-handler: {CONSOLE: {level: INFO, named-formatter: PATTERN}}
      logger: {org.dcm4chee.arc.ctrl: {level: WARN}}
      root-logger: {ROOT: {handlers: [CONSOLE]}}
"""
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

    def set_issuer(self, value: str) -> None:
        self.modify(f"dn: {ISSUER_RULE}\nchangetype: modify\nreplace: dcmMergeAttribute\ndcmMergeAttribute: {value}\n")
        assert self.reload() == 204

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
    ds = dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
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


def wait_for(probe: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until `probe` is true. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, "did not come to pass"
        time.sleep(0.2)


def run_arc(engine: Engine, network: str, *options: str, command: tuple[str, ...] = COMMAND, **env: str) -> Container:
    """Start an archive with the lab's capabilities and limits (§9.3)."""
    limits = [*HARDENED, *CAPABILITIES, "--memory=2g", "--pids-limit=1024", f"--network={network}"]
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


@pytest.fixture(scope="module")
def trio(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Trio:
    folder = tmp_path_factory.mktemp("arc")
    # The secrets end in a newline, as an editor leaves it.
    for name, text in (("ldap", LDAP_PASSWORD + "\n"), ("db", DATABASE_PASSWORD + "\n"), ("log.yml", LOG)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o400 if name != "log.yml" else 0o444)
    folder.chmod(0o755)
    network = shared_engine.network()
    gateway = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network).stdout.strip()
    ldap = shared_engine.run(
        image_under_test("ldap"),
        options=[f"--network={network}", "--network-alias=ldap", "--ulimit=nofile=1024"],
        env={"LDAP_ROOTPASS": LDAP_PASSWORD, "LDAP_CONFIGPASS": LDAP_PASSWORD, "STORAGE_DIR": "/storage/fs1"},
    )
    database = shared_engine.run(
        image_under_test("pacs-db"),
        options=[f"--network={network}", "--network-alias=db"],
        env={"POSTGRES_DB": "pacsdb", "POSTGRES_USER": "pacs", "POSTGRES_PASSWORD": DATABASE_PASSWORD},
    )
    last = f"dcmuiConfigName=default,dicomDeviceName=dcm4chee-arc,{DEVICES}"
    ldap.wait_until("ldapsearch", "-x", "-LLL", "-H", "ldap://127.0.0.1", "-s", "base", "-b", last, "dn", seconds=60)
    database.wait_until("pg_isready", "-h", "127.0.0.1", "-U", "pacs", "-d", "pacsdb", seconds=60)
    # Small enough to be filled by a test. Docker Engine drops a tmpfs with its last container, so one more holds it.
    storage = shared_engine.volume(type="tmpfs", device="tmpfs", o="size=96m")
    shared_engine.run(IMAGE, "infinity", options=["--entrypoint=sleep", f"--volume={storage}:/storage"])
    options = [
        f"--volume={folder}:/run/secrets:ro",
        f"--volume={shared_engine.volume()}:/opt/wildfly/standalone",
        f"--volume={storage}:/storage",
    ]
    return Trio(start(shared_engine, network, options), ldap, database, gateway, [network, *options])


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
    wait_for(lambda: not arc.running() or is_started(arc), BOOT_SECONDS)
    assert arc.running(), arc.logs()
    return arc


@pytest.fixture
def peer(trio: Trio) -> Iterator[tuple[str, list[Dataset], list[tuple[int, Dataset]]]]:
    """A registered AE that stores, and takes commitment results: its title, what it got of each."""
    title = f"PEER{next(numbers)}"
    objects: list[Dataset] = []
    reports: list[tuple[int, Dataset]] = []

    def on_store(event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = FileMetaDataset(event.file_meta)
        objects.append(ds)
        return SUCCESS

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append((event.event_type or 0, event.event_information))
        return SUCCESS, None

    ae = AE(ae_title=title)
    ae.add_supported_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = ae.start_server(("0.0.0.0", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store), (evt.EVT_N_EVENT_REPORT, on_report)])
    assert server is not None
    trio.register(title, server.socket.getsockname()[1])
    yield title, objects, reports
    server.shutdown()


# --- container -------------------------------------------------------------------------------------------------------------------


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
    wait_for(lambda: status_code(arc) == 500, BOOT_SECONDS)
    assert requests.post(f"http://{arc.address()}:8080/dcm4chee-arc/ctrl/reload", timeout=30).status_code == 500
    assert not listens(arc, 11112)
    assert arc.running()
    assert arc.stop() == 0


def test_absent_ldap_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§8.2: LDAP down: status 500 for ever."""
    arc = run_arc(
        engine, trio.options[0], LDAP_URL="ldap://127.0.0.1:389", LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD=DATABASE_PASSWORD
    )
    wait_for(lambda: status_code(arc) == 500, BOOT_SECONDS)
    assert not listens(arc, 11112)


def test_wrong_device_name_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§1.1: ARCHIVE_DEVICE_NAME must equal the LDAP side; §8.2: any fault while the device is built → 500."""
    arc = run_arc(engine, trio.options[0], ARCHIVE_DEVICE_NAME="other", LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD=DATABASE_PASSWORD)
    wait_for(lambda: status_code(arc) == 500, BOOT_SECONDS)


def test_wrong_database_password_fails_for_ever(engine: Engine, trio: Trio) -> None:
    """§8.2: database down, wrong password: no exit, status 404 for ever, no DICOM port. TERM by uid 1023 ends it cleanly (§9.2)."""
    arc = run_arc(engine, trio.options[0], LDAP_ROOTPASS=LDAP_PASSWORD, POSTGRES_PASSWORD="wrong")
    wait_for(lambda: status_code(arc) == 404, BOOT_SECONDS)
    wait_for(lambda: "FATAL" in arc.logs() or "FATAL" in arc.exec("cat", "/opt/wildfly/standalone/log/server.log"), BOOT_SECONDS)
    assert status_code(arc) == 404
    assert not listens(arc, 11112)
    arc.exec("chroot", "--userspec=1023:1023", "/", "bash", "-c", "kill -TERM 1")
    assert arc.wait_for_end(10) == 0


# --- control and listings --------------------------------------------------------------------------------------------------------


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


def test_any_origin_is_allowed(trio: Trio) -> None:
    """§3: CORS `*` with credentials allowed; what stands before the archive has to strip it."""
    headers = requests.get(trio.url("/aets"), headers={"Origin": "http://elsewhere.example"}, timeout=10).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Credentials"] == "true"


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
def test_lacking_paths_say_so(trio: Trio) -> None:
    """What the stand-in lacks is 501 with a sentence, never an empty success."""
    for path in ("/aets/WORKLIST/rs/mwlitems", "/ui2", "/monitor/associations", "/aets/AS_RECEIVED/rs/studies"):
        answer = requests.get(trio.url(path), timeout=10)
        assert answer.status_code == 501, path
        assert "stand-in" in answer.json()["errorMessage"]


@only_standin
def test_order_by_a_deeper_level_is_passed_over(trio: Trio) -> None:
    """A study has no instance number: it cannot order studies, and is no fault either."""
    assert trio.store(image())[0].Status == SUCCESS
    assert trio.rs("studies?orderby=InstanceNumber").status_code == 200


@only_standin
def test_lacking_listeners_answer_nothing(trio: Trio) -> None:
    """The stand-in speaks neither HL7 nor TLS: the device's ports are open as upstream's, and every connection is closed unanswered."""
    assert [port for port in (2575, 2762, 12575, 8443, 9990) if listens(trio.arc, port)] == [2575, 2762, 12575]
    for port in (2575, 2762, 12575):
        said = trio.arc.exec(
            "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'MSH|' >&3 2>/dev/null; timeout 5 cat <&3 2>/dev/null; [ $? != 124 ]"
        )
        assert said == "", port


# --- associations and storage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["DCM4CHEE", "WORKLIST"])
def test_echo(trio: Trio, called: str) -> None:
    """§8.3: echo 0000 on every AE."""
    association = trio.associate(Verification, called=called)
    assert association.send_c_echo().Status == SUCCESS
    association.release()


@pytest.mark.parametrize("called", ["NOBODY", "dcm4chee"])
def test_unknown_called_ae_is_rejected(trio: Trio, called: str) -> None:
    """§8.3: rejected, reason 7; AE titles are case sensitive."""
    association = trio.associate(Verification, called=called)
    assert association.is_rejected
    assert association.acceptor.primitive.diagnostic == 7


@pytest.mark.parametrize(("called", "sop_class"), [("WORKLIST", CTImageStorage), ("DCM4CHEE", "1.2.3.4.5.6.7")])
def test_storage_that_is_not_accepted(trio: Trio, called: str, sop_class: str) -> None:
    """§8.3: storage to WORKLIST, or of a private SOP class: no presentation context accepted."""
    association = trio.associate(sop_class, Verification, called=called)
    assert sop_class not in [context.abstract_syntax for context in association.accepted_contexts]
    association.release()


def test_stored_object_is_served_as_it_came(trio: Trio) -> None:
    """Pixels bit for bit, attributes equal but for the issuer, which upstream supplements (§4.4)."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    got = trio.file(sent)
    assert got.PixelData == sent.PixelData
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert [element for element in sent if got.get(element.tag) != element and element.tag.element] == []
    assert {element.keyword for element in got} - {element.keyword for element in sent} <= {"IssuerOfPatientID"}


def test_same_object_again(trio: Trio) -> None:
    """§8.3: same SOP instance again, or under another study: 0000."""
    sent = image()
    elsewhere = copy.deepcopy(sent)
    elsewhere.StudyInstanceUID = generate_uid()
    assert [answer.Status for answer in trio.store(sent, sent, elsewhere)] == [SUCCESS] * 3
    assert len(trio.found(f"studies/{sent.StudyInstanceUID}/instances")) == 1


def test_default_issuer_is_a_hash(trio: Trio) -> None:
    """§4.4: the default coercion adds DCM4CHEE.{name hash}.{birth date hash}, so another spelling is another patient."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    issuer = str(trio.file(sent).IssuerOfPatientID)
    assert re.fullmatch(r"DCM4CHEE\.[0-9A-Fa-f]+\.[0-9A-Fa-f]+", issuer)
    other = image(PatientID=sent.PatientID, PatientName="Contract^Tset")
    assert trio.store(other)[0].Status == SUCCESS
    assert trio.file(other).IssuerOfPatientID != issuer


def test_constant_issuer_and_registered_name(trio: Trio) -> None:
    """§4.4: with a constant issuer another spelling is the same patient, whose registered name stays, in queries and files."""
    trio.set_issuer("IssuerOfPatientID=LABHOSP")
    sent = image(PatientName="Registered^First")
    later = image(PatientID=sent.PatientID, PatientName="Spelled^Otherwise")
    named = image(PatientID=sent.PatientID, IssuerOfPatientID="ELSEWHERE", PatientName="Other^Patient")
    assert [answer.Status for answer in trio.store(sent, later, named)] == [SUCCESS] * 3
    match = trio.found(f"studies?StudyInstanceUID={later.StudyInstanceUID}")[0]
    assert first(match, "00100010") == {"Alphabetic": "Registered^First"}
    assert first(match, "00100021") == "LABHOSP"
    got = trio.file(later)
    assert (str(got.PatientName), got.IssuerOfPatientID, got.PixelData) == ("Registered^First", "LABHOSP", later.PixelData)
    metadata = trio.found(f"studies/{later.StudyInstanceUID}/metadata")[0]
    assert first(metadata, "00100010") == {"Alphabetic": "Registered^First"}
    # An explicit other issuer counts as another patient.
    assert str(trio.file(named).PatientName) == "Other^Patient"
    assert len(trio.found(f"studies?PatientID={sent.PatientID}")) == 3
    assert len(trio.found(f"studies?PatientID={sent.PatientID}&IssuerOfPatientID=LABHOSP")) == 2


def test_first_object_decides_the_patient(trio: Trio) -> None:
    """§4.4: an object for another patient in an existing study → A778 "Patient ID … differs"."""
    sent = image()
    foreign = another(sent, PatientID=sent.PatientID + "-X")
    accepted, refused = trio.store(sent, foreign)
    assert accepted.Status == SUCCESS
    assert refused.Status == 0xA778
    assert "Patient ID" in refused.ErrorComment
    assert "differs" in refused.ErrorComment
    assert len(trio.found(f"studies/{sent.StudyInstanceUID}/instances")) == 1


def test_blanks_around_the_patient_id_do_not_count(trio: Trio) -> None:
    """DICOM PS3.5 §6.2: leading and trailing blanks of LO are not significant."""
    sent = image()
    padded = another(sent, PatientID=f" {sent.PatientID} ")
    assert [answer.Status for answer in trio.store(sent, padded)] == [SUCCESS] * 2
    assert len(trio.found(f"studies?PatientID={sent.PatientID}")) == 1


def test_empty_patient_id_gets_a_generated_one(trio: Trio) -> None:
    """§4.4: an empty Patient ID gets a generated one (P-00000001)."""
    sent = image(PatientID="")
    assert trio.store(sent)[0].Status == SUCCESS
    generated = first(trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")[0], "00100020")
    assert re.fullmatch(r"P-\d{8}", generated)
    assert trio.file(sent).PatientID == generated


@pytest.mark.parametrize("character_set", [["", "ISO 2022 IR 87"], "ISO_IR 192"])
def test_japanese_name(trio: Trio, character_set: Any) -> None:
    """§4.2: a Japanese name comes as ISO_IR 192 also to a query in ISO_IR 100; QIDO has its three groups; the file keeps it."""
    sent = image(SpecificCharacterSet=character_set, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert trio.store(sent)[0].Status == SUCCESS
    match = trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")[0]
    assert first(match, "00100010") == {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert len(trio.found(f"studies?PatientName=山田*&PatientID={sent.PatientID}")) == 1
    keys = {"SpecificCharacterSet": "ISO_IR 100", "StudyInstanceUID": sent.StudyInstanceUID, "PatientName": ""}
    answer = trio.find(QueryRetrieveLevel="STUDY", **keys)[0]
    assert str(answer.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert str(trio.file(sent).PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"


def test_unwritable_storage(trio: Trio) -> None:
    """§9.2: not writable for 1023: STARTED, QIDO 200, each C-STORE 0110; after a chown well at once."""
    assert trio.store(image())[0].Status == SUCCESS
    trio.arc.exec("chown", "-R", "root:root", "/storage/fs1")
    try:
        assert trio.store(image())[0].Status == 0x0110
        assert is_started(trio.arc)
        assert trio.rs("studies?limit=1").status_code == 200
    finally:
        trio.arc.exec("chown", "-R", "1023:1023", "/storage/fs1")
    assert trio.store(image())[0].Status == SUCCESS


def test_full_storage(trio: Trio) -> None:
    """§8.2: storage full: C-STORE A700, STOW 409 with Warning, no half files, status STARTED."""
    files = "find /storage/fs1 -type f | wc -l"
    before = trio.arc.exec("sh", "-c", files)
    trio.arc.exec("sh", "-c", "cat /dev/zero >/storage/filler 2>/dev/null; true")
    try:
        assert trio.store(image())[0].Status == 0xA700
        answer = stow(trio, image())
        assert answer.status_code == 409
        assert "Warning" in answer.headers
        assert is_started(trio.arc)
    finally:
        trio.arc.exec("rm", "/storage/filler")
    assert trio.arc.exec("sh", "-c", files) == before
    assert trio.store(image())[0].Status == SUCCESS


def shipped_files() -> list[Path]:
    return sorted(path for path in Path(pydicom.data.__file__).parent.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def test_every_object_of_the_pydicom_wheel(trio: Trio) -> None:
    """Field material is stored and served with its pixels, or refused with a reason."""
    warnings.simplefilter("ignore")
    seen: set[str] = set()
    served = refused = 0
    for path in shipped_files():
        try:
            ds = dcmread(path)
            syntax, sop_class, sop_uid = ds.file_meta.TransferSyntaxUID, ds.SOPClassUID, ds.SOPInstanceUID
        except (InvalidDicomError, AttributeError):
            continue
        association = trio.associate(build_context(sop_class, syntax))
        if not association.is_established:
            refused += 1
            continue
        try:
            answer = association.send_c_store(ds)
        except ValueError:
            # What pynetdicom cannot send is no matter of the archive.
            continue
        finally:
            association.release()
        if answer.Status != SUCCESS:
            assert answer.get("ErrorComment"), f"{path.name}: {answer.Status:04X} without a reason"
            refused += 1
        elif sop_uid not in seen:
            seen.add(sop_uid)
            got = trio.file(ds)
            assert got.get("PixelData") == ds.get("PixelData"), path.name
            served += 1
    assert (served > 80, refused > 0) == (True, True), (served, refused)


# --- C-FIND, C-MOVE, C-GET, storage commitment -----------------------------------------------------------------------------------


def test_find_at_all_levels(trio: Trio) -> None:
    """Study Root and Patient Root answer at their levels with the keys asked for."""
    sent = image(AccessionNumber=f"ACC{next(numbers)}", StudyDescription="Find me", SeriesDescription="A series", InstanceNumber="7")
    assert trio.store(sent, another(sent, InstanceNumber="8"))[0].Status == SUCCESS
    study = trio.find(
        QueryRetrieveLevel="STUDY",
        StudyInstanceUID="",
        AccessionNumber=sent.AccessionNumber,
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
    )
    assert [(match.StudyInstanceUID, match.ModalitiesInStudy, match.NumberOfStudyRelatedInstances) for match in study] == [
        (sent.StudyInstanceUID, "CT", 2)
    ]
    series = trio.find(QueryRetrieveLevel="SERIES", StudyInstanceUID=sent.StudyInstanceUID, SeriesInstanceUID="", SeriesDescription="")
    assert [match.SeriesDescription for match in series] == ["A series"]
    keys = {"StudyInstanceUID": sent.StudyInstanceUID, "SeriesInstanceUID": sent.SeriesInstanceUID}
    images = trio.find(QueryRetrieveLevel="IMAGE", SOPInstanceUID="", InstanceNumber="", **keys)
    assert sorted(match.InstanceNumber for match in images) == [7, 8]
    patients = trio.find(
        PatientRootQueryRetrieveInformationModelFind, QueryRetrieveLevel="PATIENT", PatientID=sent.PatientID, PatientName=""
    )
    assert [str(match.PatientName) for match in patients] == ["Contract^Test"]


def test_matching_by_wildcard_range_and_list(trio: Trio) -> None:
    """Names match without regard to case and with wildcards, dates by range, UIDs by list."""
    family = f"Wild{next(numbers)}"
    old = image(PatientName=f"{family}^Anna", StudyDate="20010203")
    new = image(PatientName=f"{family}^Bea", StudyDate="20110203")
    trio.store(old, new)

    def names(**keys: str) -> list[str]:
        wanted = {"PatientName": f"{family.lower()}*", "StudyDate": "", "StudyInstanceUID": ""} | keys
        return sorted(str(match.PatientName).split("^")[1] for match in trio.find(QueryRetrieveLevel="STUDY", **wanted))

    assert names() == ["Anna", "Bea"]
    assert names(PatientName=f"{family}^?ea") == ["Bea"]
    assert names(StudyDate="20010101-20011231") == ["Anna"]
    assert names(StudyDate="-20050101") == ["Anna"]
    assert names(StudyDate="20050101-") == ["Bea"]
    assert names(StudyDate="20110203") == ["Bea"]
    assert names(StudyInstanceUID=f"{old.StudyInstanceUID}\\{new.StudyInstanceUID}", PatientName="") == ["Anna", "Bea"]
    for query, expected in (
        (f"PatientName={family}*", 2),
        (f"PatientName={family}*&StudyDate=20010101-20051231", 1),
        (f"PatientName={family}&fuzzymatching=true", 2),
        (f"StudyInstanceUID={old.StudyInstanceUID},{new.StudyInstanceUID}", 2),
        (f"00100020={old.PatientID}", 1),
    ):
        assert len(trio.found(f"studies?{query}")) == expected, query


def test_move(trio: Trio, peer: tuple[str, list[Dataset], Any]) -> None:
    """§8.3: C-MOVE to a registered AE 0000, the object arrives."""
    title, objects, _ = peer
    sent = image()
    trio.store(sent, another(sent))
    status = trio.move(title, StudyInstanceUID=sent.StudyInstanceUID)
    assert (status.Status, status.NumberOfCompletedSuboperations) == (SUCCESS, 2)
    assert [ds.PixelData for ds in objects] == [sent.PixelData] * 2


def test_move_to_nobody(trio: Trio) -> None:
    """§8.3: unknown AE A801, target down A702."""
    sent = image()
    trio.store(sent)
    trio.register("DOWN", 1)
    assert trio.move("NOBODY", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    assert trio.move("DOWN", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA702


def test_failed_lookups_are_cached_until_reload(trio: Trio) -> None:
    """§2.2: an AE title that was asked for before it existed stays unknown until a reload."""
    sent = image()
    trio.store(sent)
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    trio.register("LATER", 1)
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA801
    assert trio.reload() == 204
    assert trio.move("LATER", StudyInstanceUID=sent.StudyInstanceUID).Status == 0xA702


def test_get(trio: Trio) -> None:
    """§8.3: C-GET works."""
    sent = image()
    trio.store(sent)
    got: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        got.append(event.dataset)
        return SUCCESS

    model = StudyRootQueryRetrieveInformationModelGet
    association = trio.associate(
        model, CTImageStorage, ext_neg=[build_role(CTImageStorage, scp_role=True)], evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", sent.StudyInstanceUID
    statuses = [status.Status for status, _ in association.send_c_get(query, model)]
    association.release()
    assert statuses[-1] == SUCCESS
    assert [ds.PixelData for ds in got] == [sent.PixelData]


def commit(trio: Trio, calling: str, *uids: str) -> Dataset:
    association = trio.associate(StorageCommitmentPushModel, calling=calling)
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
        request.ReferencedSOPSequence.append(item)
    status: Dataset = association.send_n_action(request, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")[0]
    association.release()
    return status


def test_storage_commitment(trio: Trio, peer: tuple[str, Any, list[tuple[int, Dataset]]]) -> None:
    """§8.3: result on a new association; unknown instance → failed list."""
    title, _, reports = peer
    sent = image()
    trio.store(sent)
    assert commit(trio, title, sent.SOPInstanceUID, "1.2.3").Status == SUCCESS
    wait_for(lambda: bool(reports), 30)
    event_type, report = reports[0]
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [sent.SOPInstanceUID]
    assert [item.ReferencedSOPInstanceUID for item in report.FailedSOPSequence] == ["1.2.3"]


def test_storage_commitment_for_a_stranger(trio: Trio) -> None:
    """§2.2: an unregistered caller gets 0110 "Unknown Calling AET"."""
    status = commit(trio, "STRANGER", "1.2.3")
    assert status.Status == 0x0110
    assert "Unknown Calling AET" in status.ErrorComment


# --- DICOMweb --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("studies?StudyInstanceUID=1.2.3", 204),
        ("studies/1.2.3/series", 204),
        ("studies?NoSuchThing=1", 400),
        ("studies?limit=0", 400),
        ("studies?limit=many", 400),
        ("studies?limit=100000", 400),
        ("studies/1.2.3", 404),
        ("studies/1.2.3/metadata", 404),
    ],
)
def test_answers_without_a_result(trio: Trio, path: str, status: int) -> None:
    """§3, status codes."""
    assert trio.rs(path).status_code == status


def test_unknown_ae_in_the_path(trio: Trio) -> None:
    """§3: unknown AE title 404."""
    assert requests.get(trio.url("/aets/NOBODY/rs/studies"), timeout=10).status_code == 404


def test_accept_that_cannot_be_satisfied(trio: Trio) -> None:
    """§3: an Accept the object cannot satisfy 406."""
    sent = image()
    trio.store(sent)
    assert trio.rs(instance_path(sent), headers={"Accept": "video/mp4"}).status_code == 406


def test_count_limit_and_offset(trio: Trio) -> None:
    """§3: /count; limit and offset cut the same list."""
    sent = image()
    trio.store(sent, another(sent), another(sent))
    path = f"studies/{sent.StudyInstanceUID}/instances"
    assert trio.rs(path + "/count").json() == {"count": 3}
    pages = [trio.found(f"{path}?limit=2"), trio.found(f"{path}?limit=2&offset=2")]
    uids = [first(match, "00080018") for page in pages for match in page]
    assert (len(pages[0]), len(set(uids))) == (2, 3)


def test_retrieve_url_follows_the_proxy(trio: Trio) -> None:
    """§3: with HTTP_PROXY_ADDRESS_FORWARDING the Host and X-Forwarded-Proto of the proxy make the outer address."""
    sent = image()
    trio.store(sent)
    headers = {"Host": "viewer.example", "X-Forwarded-Proto": "https"}
    match = trio.rs(f"studies?StudyInstanceUID={sent.StudyInstanceUID}", headers=headers).json()[0]
    assert first(match, "00081190") == f"https://viewer.example/dcm4chee-arc/aets/DCM4CHEE/rs/studies/{sent.StudyInstanceUID}"


def test_calls_of_the_viewer(trio: Trio) -> None:
    """§8.6: OHIF's exact calls; frames are the very pixels."""
    sent = image(StudyDescription="Viewed")
    trio.store(sent)
    fields = "fuzzymatching=true&includefield=00081030,00080060"
    match = trio.found(f"studies?limit=101&offset=0&{fields}&StudyInstanceUID={sent.StudyInstanceUID}")[0]
    assert (first(match, "00081030"), first(match, "00080061"), first(match, "00201208")) == ("Viewed", "CT", 1)
    assert len(trio.found(f"studies?limit=101&offset=0&{fields}&00100020={sent.PatientID}")) == 1
    series = trio.found(f"studies/{sent.StudyInstanceUID}/series?includefield=00080021,00080031,0008103E,00200011")
    assert [first(match, "0020000E") for match in series] == [sent.SeriesInstanceUID]
    metadata = trio.found(f"studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/metadata")[0]
    assert (first(metadata, "00280010"), first(metadata, "00080018")) == (sent.Rows, sent.SOPInstanceUID)
    frames = trio.rs(instance_path(sent) + "/frames/1", headers=OHIF_FRAMES)
    assert parts_of(frames) == [sent.PixelData]
    assert trio.rs(instance_path(sent) + "/frames/2", headers=OHIF_FRAMES).status_code == 404
    picture = trio.rs(instance_path(sent) + "/rendered")
    assert (picture.status_code, picture.headers["Content-Type"], picture.content[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_compressed_frame_is_served_as_it_is(trio: Trio) -> None:
    """§8.6: JPEG baseline goes to the viewer as it was stored."""
    source = dcmread(pydicom.data.get_testdata_file("SC_rgb_jpeg_dcmtk.dcm"))
    jpeg = next(generate_frames(source.PixelData, number_of_frames=1))
    sent = copy.deepcopy(source)
    sent.PatientID, sent.PixelData = f"JPEG-{next(numbers)}", encapsulate([jpeg])
    sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    sent.file_meta.MediaStorageSOPInstanceUID = sent.SOPInstanceUID
    assert sent.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert trio.store(sent)[0].Status == SUCCESS
    frames = trio.rs(instance_path(sent) + "/frames/1", headers=OHIF_FRAMES)
    assert [part.rstrip(b"\0") for part in parts_of(frames)] == [jpeg.rstrip(b"\0")]
    assert b"image/jpeg" in frames.content.split(b"\r\n\r\n")[0]
    assert trio.file(sent).PixelData == sent.PixelData


def test_encapsulated_pdf_is_rendered_as_itself(trio: Trio) -> None:
    """§8.6: the PDF of an encapsulated document comes by /rendered."""
    document = b"%PDF-1.4 synthetic"
    sent = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC", MIMETypeOfEncapsulatedDocument="application/pdf")
    del sent.PixelData
    sent.EncapsulatedDocument = document
    sent.file_meta.MediaStorageSOPClassUID = sent.SOPClassUID
    assert trio.store(sent)[0].Status == SUCCESS
    answer = trio.rs(instance_path(sent) + "/rendered")
    assert answer.headers["Content-Type"].startswith("application/pdf")
    assert answer.content.rstrip(b"\0") == document


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


def test_stow(trio: Trio) -> None:
    """§3: STOW 200, also for objects already there."""
    sent = image()
    assert stow(trio, sent, another(sent)).status_code == 200
    assert stow(trio, sent).status_code == 200
    assert trio.rs(f"studies/{sent.StudyInstanceUID}/instances/count").json() == {"count": 2}
    assert trio.file(sent).PixelData == sent.PixelData


def test_stow_of_nothing_that_can_be_stored(trio: Trio) -> None:
    """§3: 409 with a Warning header when none could be stored (wrong study, no DICOM)."""
    for answer in (stow(trio, image(), study="1.2.3"), stow(trio, b"this is no DICOM object")):
        assert answer.status_code == 409
        assert "Warning" in answer.headers


# --- dependencies come and go ----------------------------------------------------------------------------------------------------


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
    wait_for(lambda: requests.get(trio.url("/devices"), timeout=60).status_code == 200)
    assert trio.reload() == 204


def test_database_lost_while_running(trio: Trio) -> None:
    """§8.2: C-STORE 0110, QIDO 500, status STARTED; all well after the start."""
    docker("stop", "--time", "5", trio.database.name)
    try:
        assert trio.store(image())[0].Status == 0x0110
        assert trio.rs("studies?limit=1").status_code == 500
        assert is_started(trio.arc)
    finally:
        docker("start", trio.database.name)
    wait_for(lambda: trio.rs("studies?limit=1").status_code == 200)
    wait_for(lambda: trio.store(image())[0].Status == SUCCESS)


def test_stored_objects_survive(shared_engine: Engine, trio: Trio) -> None:
    """§8.2, §9.2: what was acknowledged is there after kill -9, a stop (exit 0) and a new container on the same volumes."""
    sent = image()
    assert trio.store(sent)[0].Status == SUCCESS
    docker("kill", trio.arc.name)
    docker("start", trio.arc.name)
    wait_for(lambda: is_started(trio.arc), BOOT_SECONDS)
    assert trio.file(sent).PixelData == sent.PixelData
    began = time.monotonic()
    assert trio.arc.stop(grace=60) == 0
    assert time.monotonic() - began < 5
    trio.arc.remove()
    trio.arc = start(shared_engine, trio.options[0], trio.options[1:])
    assert trio.file(sent).PixelData == sent.PixelData
