"""Contract of dcm4che/slapd-dcm4chee:2.6.10-34.2. "dcm4chee.md §x" is the section of the upstream notes that a statement comes from."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from .conftest import Container, Engine, entry, hardened, image_under_test

IMAGE = image_under_test("ldap")
standin_only = pytest.mark.skipif("CONTRACT_IMAGE_LDAP" in os.environ, reason="a statement on the stand-in, not on upstream")

BASE = "dc=dcm4che,dc=org"
CONFIG = f"cn=DICOM Configuration,{BASE}"
DEVICES = f"cn=Devices,{CONFIG}"
ARCHIVE = f"dicomDeviceName=dcm4chee-arc,{DEVICES}"
LAST = f"cn=view-applications,ou=account,{BASE}"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = "Root.1-x_"

DATA = "/var/lib/openldap/openldap-data"
CONF = "/etc/openldap/slapd.d"
LIMITS = ("--memory=256m", "--pids-limit=64", *hardened("ldap"))
# The secret comes as a file, exported inside the container (dcm4chee.md §1.2).
FROM_FILE = 'export LDAP_ROOTPASS="$(cat /run/secrets/root)"; exec /docker-entrypoint.sh slapd -u ldap -g ldap'

# The operations of a lab's configuration (dcm4chee.md §2.2): add device, connection, AE title, HL7 applications; add and replace
# attributes of entries of the default tree.
SITE = f"""\
dn: dicomAETitle=CT01,cn=Unique AE Titles Registry,{CONFIG}
changetype: add
objectClass: dicomUniqueAETitle
dicomAETitle: CT01

dn: dicomDeviceName=ct01,{DEVICES}
changetype: add
objectClass: dicomDevice
objectClass: dcmDevice
dicomDeviceName: ct01
dicomInstalled: TRUE

dn: cn=dicom,dicomDeviceName=ct01,{DEVICES}
changetype: add
objectClass: dicomNetworkConnection
objectClass: dcmNetworkConnection
cn: dicom
dicomHostname: scanner
dicomPort: 11112

dn: dicomAETitle=CT01,dicomDeviceName=ct01,{DEVICES}
changetype: add
objectClass: dicomNetworkAE
objectClass: dcmNetworkAE
dicomAETitle: CT01
dicomAssociationInitiator: TRUE
dicomAssociationAcceptor: TRUE
dicomNetworkConnectionReference: cn=dicom,dicomDeviceName=ct01,{DEVICES}

dn: hl7ApplicationName=ENGINE|HOSP,cn=Unique HL7 Application Names Registry,{CONFIG}
changetype: add
objectClass: hl7UniqueApplicationName
hl7ApplicationName: ENGINE|HOSP

dn: dicomDeviceName=engine,{DEVICES}
changetype: add
objectClass: dicomDevice
objectClass: dcmDevice
dicomDeviceName: engine
dicomInstalled: TRUE

dn: cn=hl7,dicomDeviceName=engine,{DEVICES}
changetype: add
objectClass: dicomNetworkConnection
objectClass: dcmNetworkConnection
cn: hl7
dicomHostname: engine
dicomPort: 6662
dcmProtocol: HL7

dn: hl7ApplicationName=ENGINE|HOSP,dicomDeviceName=engine,{DEVICES}
changetype: add
objectClass: hl7Application
hl7ApplicationName: ENGINE|HOSP
dicomNetworkConnectionReference: cn=hl7,dicomDeviceName=engine,{DEVICES}

dn: hl7ApplicationName=PACS|HOSP,{ARCHIVE}
changetype: add
objectClass: hl7Application
objectClass: dcmArchiveHL7Application
hl7ApplicationName: PACS|HOSP
dicomAETitle: HOSPPACS
hl7AcceptedSendingApplication: ENGINE|HOSP
hl7AcceptedMessageType: ADT^A04
hl7AcceptedMessageType: ORM^O01
hl7DefaultCharacterSet: UNICODE UTF-8
hl7SendingCharacterSet: UNICODE UTF-8
hl7OptionalMSHField: 4
dicomNetworkConnectionReference: cn=hl7,{ARCHIVE}

dn: dcmSPSStatus=SCHEDULED,{ARCHIVE}
changetype: modify
add: hl7OrderControlStatus
hl7OrderControlStatus: NW_
hl7OrderControlStatus: XO_

dn: dcmSPSStatus=CANCELED,{ARCHIVE}
changetype: modify
add: hl7OrderControlStatus
hl7OrderControlStatus: CA_

dn: dcmSPSStatus=DISCONTINUED,{ARCHIVE}
changetype: modify
add: hl7OrderControlStatus
hl7OrderControlStatus: DC_

dn: cn=CT stations,{ARCHIVE}
changetype: add
objectClass: hl7OrderScheduledStation
cn: CT stations
dcmRulePriority: 1
dcmProperty: OBR-24=CT
hl7OrderScheduledStationDeviceReference: dicomDeviceName=ct01,{DEVICES}

dn: cn=SupplementIssuerOfPatientID,dicomAETitle=HOSPPACS,{ARCHIVE}
changetype: modify
replace: dcmMergeAttribute
dcmMergeAttribute: IssuerOfPatientID=HOSP

dn: cn=SupplementIssuerOfPatientIDOnMPPS,dicomAETitle=HOSPPACS,{ARCHIVE}
changetype: modify
replace: dcmMergeAttribute
dcmMergeAttribute: IssuerOfPatientID=HOSP

dn: cn=SupplementIssuerOfPatientIDOnMPPS,dicomAETitle=HOSPLIST,{ARCHIVE}
changetype: modify
replace: dcmMergeAttribute
dcmMergeAttribute: IssuerOfPatientID=HOSP

dn: {ARCHIVE}
changetype: modify
replace: hl7ScheduledProtocolCodeInOrder
hl7ScheduledProtocolCodeInOrder: OBR_4_1
-
replace: hl7ScheduledStationAETInOrder
hl7ScheduledStationAETInOrder: ORC_18
-
replace: hl7OrderMissingStudyIUIDPolicy
hl7OrderMissingStudyIUIDPolicy: REJECT
-
replace: hl7ORUAction
hl7ORUAction: IMPORT_REPORT
-
replace: hl7PSUAction
hl7PSUAction: SEND_NOTIFICATION
-
replace: hl7PSUTrigger
hl7PSUTrigger: STUDY_RECEIVED
-
replace: hl7PSUMessageType
hl7PSUMessageType: ORU_R01
-
replace: hl7PSUDelay
hl7PSUDelay: PT1M
-
replace: hl7PSUTaskPollingInterval
hl7PSUTaskPollingInterval: PT30S
-
replace: hl7PSUSendingApplication
hl7PSUSendingApplication: PACS|HOSP
-
replace: hl7PSUReceivingApplication
hl7PSUReceivingApplication: ENGINE|HOSP
"""


def unit(name: str) -> str:
    """Return the LDIF of a small entry."""
    return f"dn: ou={name},{BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: {name}\n\n"


# Its second entry exists already.
BROKEN = unit("before") + unit("users") + unit("behind")


def search(ldap: Container, dn: str, *attributes: str, scope: str = "base", bind: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of an LDIF answer. Raises AssertionError when the search fails."""
    answer = ldap.exec(
        "ldapsearch",
        "-x",
        "-LLL",
        "-o",
        "ldif-wrap=no",
        "-H",
        "ldap://127.0.0.1",
        *bind,
        "-s",
        scope,
        "-b",
        dn,
        "(objectClass=*)",
        *attributes,
    )
    return [line for line in answer.splitlines() if line]


def values(ldap: Container, dn: str, attribute: str) -> set[str]:
    """Return the values of one attribute of one entry."""
    prefix = f"{attribute}: "
    return {line.removeprefix(prefix) for line in search(ldap, dn, attribute) if line.startswith(prefix)}


def search_code(ldap: Container, dn: str) -> int:
    """Return the LDAP result code of a look-up of one entry: 0 or, for instance, 32 (no such object)."""
    return ldap.try_exec(*entry(dn)).returncode


def modify(ldap: Container, ldif: str, password: str = PASSWORD) -> int:
    """Apply LDIF as the administrator; return the LDAP result code."""
    return ldap.try_exec("ldapmodify", "-x", "-H", "ldap://127.0.0.1", "-D", ADMIN, "-w", password, stdin=ldif).returncode


def wait_for_port(ldap: Container) -> None:
    ldap.wait_until("ldapwhoami", "-x", "-H", "ldap://127.0.0.1")


def wait_for_entry(ldap: Container, dn: str = LAST) -> None:
    ldap.wait_until(*entry(dn))


@pytest.fixture(scope="module")
def ldap(shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A server as a role runs it: minimal capabilities, secret from a file, site LDIF imported."""
    folder = tmp_path_factory.mktemp("ldap")
    (folder / "root").write_text(PASSWORD, encoding="utf-8")
    (folder / "root").chmod(0o400)
    for name, text in {"site": SITE, "broken": BROKEN, "end": unit("imported-last")}.items():
        (folder / f"{name}.ldif").write_text(text, encoding="utf-8")
    container = shared_engine.run(
        IMAGE,
        "-c",
        FROM_FILE,
        options=[
            *LIMITS,
            "--entrypoint=sh",
            f"--volume={folder / 'root'}:/run/secrets/root:ro",
            f"--volume={folder}:/import:ro",
        ],
        env={
            "AE_TITLE": "HOSPPACS",
            "AE_TITLE_WORKLIST": "HOSPLIST",
            "ARCHIVE_HOST": "arc",
            "DICOM_PORT": "11113",
            "HL7_PORT": "2576",
            "STORAGE_DIR": "/storage/fs1",
            "SCHEDULED_STATION_AE_TITLE": "ANYSTATION",
            "STORESCP_HOST": "elsewhere",
            "IMPORT_LDIF": "/import/site.ldif /import/broken.ldif /import/end.ldif",
        },
    )
    wait_for_entry(container, f"ou=imported-last,{BASE}")
    return container


def test_slapd_runs_as_uid_1021_with_four_capabilities(ldap: Container) -> None:
    """dcm4chee.md §1.2 and §9.2 (capabilities with no-new-privileges)."""
    status = ldap.exec("cat", "/proc/1/status")
    assert "Uid:\t1021\t1021\t1021\t1021" in status
    assert "Gid:\t1021\t1021\t1021\t1021" in status


def test_open_files_are_limited_to_1024(ldap: Container) -> None:
    """dcm4chee.md §1.1: with the limits of big hosts slapd allocates gigabytes."""
    limits = ldap.exec("cat", "/proc/1/limits")
    assert next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")) == "1024"


@pytest.mark.parametrize(
    ("dn", "attribute", "expected"),
    [
        (f"cn=dicom,{ARCHIVE}", "dicomPort", {"11113"}),
        (f"cn=dicom,{ARCHIVE}", "dicomHostname", {"arc"}),
        (f"cn=hl7,{ARCHIVE}", "dicomPort", {"2576"}),
        (f"cn=hl7,{ARCHIVE}", "dcmProtocol", {"HL7"}),
        (f"cn=dicom-tls,{ARCHIVE}", "dicomPort", {"2762"}),
        (f"cn=hl7-tls,{ARCHIVE}", "dicomPort", {"12575"}),
        (f"dcmStorageID=fs1,{ARCHIVE}", "dcmURI", {"file:///storage/fs1/"}),
        (f"dicomAETitle=HOSPPACS,{ARCHIVE}", "dcmObjectStorageID", {"fs1"}),
        (f"dicomAETitle=HOSPPACS,cn=Unique AE Titles Registry,{CONFIG}", "dicomAETitle", {"HOSPPACS"}),
        (f"dicomAETitle=HOSPLIST,{ARCHIVE}", "dicomAETitle", {"HOSPLIST"}),
        (f"dcmWebAppName=HOSPPACS,{ARCHIVE}", "dcmWebServicePath", {"/dcm4chee-arc/aets/HOSPPACS/rs"}),
        (f"dicomAETitle=ANYSTATION,dicomDeviceName=scheduledstation,{DEVICES}", "dicomAETitle", {"ANYSTATION"}),
        (f"cn=dicom,dicomDeviceName=storescp,{DEVICES}", "dicomHostname", {"elsewhere"}),
        (f"hl7ApplicationName=\\2A,{ARCHIVE}", "dicomAETitle", {"HOSPPACS"}),
        (f"dcmSPSStatus=COMPLETED,{ARCHIVE}", "hl7OrderControlStatus", {"XO_CM", "SC_CM", "SC_A"}),
        (
            f"cn=Default Scheduled Station,{ARCHIVE}",
            "hl7OrderScheduledStationDeviceReference",
            {f"dicomDeviceName=scheduledstation,{DEVICES}"},
        ),
        (f"dcmuiConfigName=default,{ARCHIVE}", "dcmuiConfigName", {"default"}),
    ],
)
def test_environment_shapes_the_default_tree(ldap: Container, dn: str, attribute: str, expected: set[str]) -> None:
    """dcm4chee.md §1.2 (environment), §2.1, §2.3 and §4.2 (status table)."""
    assert values(ldap, dn, attribute) == expected


@pytest.mark.parametrize(
    ("dn", "attribute", "expected"),
    [
        (f"dicomAETitle=CT01,dicomDeviceName=ct01,{DEVICES}", "dicomAssociationAcceptor", {"TRUE"}),
        (f"hl7ApplicationName=PACS|HOSP,{ARCHIVE}", "hl7AcceptedMessageType", {"ADT^A04", "ORM^O01"}),
        (f"dcmSPSStatus=SCHEDULED,{ARCHIVE}", "hl7OrderControlStatus", {"NW_SC", "NW_IP", "XO_SC", "NW_", "XO_"}),
        (f"cn=CT stations,{ARCHIVE}", "dcmProperty", {"OBR-24=CT"}),
        (f"cn=SupplementIssuerOfPatientID,dicomAETitle=HOSPPACS,{ARCHIVE}", "dcmMergeAttribute", {"IssuerOfPatientID=HOSP"}),
        (f"cn=SupplementIssuerOfPatientIDOnMPPS,dicomAETitle=HOSPLIST,{ARCHIVE}", "dcmMergeAttribute", {"IssuerOfPatientID=HOSP"}),
        (ARCHIVE, "hl7PSUReceivingApplication", {"ENGINE|HOSP"}),
        (ARCHIVE, "hl7ORUAction", {"IMPORT_REPORT"}),
    ],
)
def test_import_changes_the_default_tree(ldap: Container, dn: str, attribute: str, expected: set[str]) -> None:
    """dcm4chee.md §1.2: IMPORT_LDIF is applied after the default configuration, `changetype: modify` works; §2.2."""
    assert values(ldap, dn, attribute) == expected


def test_first_refused_entry_ends_its_file_and_nothing_else(ldap: Container) -> None:
    """dcm4chee.md §1.2: no `-c`; the container carries on with the next file as if nothing had happened."""
    codes = {name: search_code(ldap, f"ou={name},{BASE}") for name in ("before", "behind", "imported-last")}
    assert codes == {"before": 0, "behind": 32, "imported-last": 0}


def test_anonymous_reads_everything_but_passwords(ldap: Container) -> None:
    """dcm4chee.md §2.1 (access control)."""
    user = f"uid=admin,ou=users,{BASE}"
    assert values(ldap, user, "uid") == {"admin"}
    assert not [line for line in search(ldap, user, "userPassword") if line.startswith("userPassword")]
    assert [line for line in search(ldap, user, "userPassword", bind=("-D", ADMIN, "-w", PASSWORD)) if line.startswith("userPassword")]


def test_built_in_users_have_the_well_known_password_until_it_is_changed(ldap: Container) -> None:
    """dcm4chee.md §5: root, admin and user have `changeit`; changed by LDAP."""
    user = f"uid=user,ou=users,{BASE}"
    bind = ("ldapwhoami", "-x", "-H", "ldap://127.0.0.1", "-D", user, "-w")
    assert ldap.try_exec(*bind, "changeit").returncode == 0
    ldap.exec("ldappasswd", "-x", "-H", "ldap://127.0.0.1", "-D", ADMIN, "-w", PASSWORD, "-s", "Other.1", user)
    assert ldap.try_exec(*bind, "changeit").returncode == 49
    assert ldap.try_exec(*bind, "Other.1").returncode == 0


def test_wrong_password_is_code_49(ldap: Container) -> None:
    """dcm4chee.md §1.2 ("Invalid credentials (49)")."""
    assert modify(ldap, unit("never"), password="wrong") == 49
    assert search_code(ldap, f"ou=never,{BASE}") == 32


@pytest.mark.parametrize(
    ("ldif", "code"),
    [
        pytest.param(
            f"dn: cn=any,dicomAETitle=HOSPPACS,{ARCHIVE}\nchangetype: add\nobjectClass: dicomTransferCapability\ncn: any\n"
            "dicomSOPClass: *\ndicomTransferRole: SCP\ndicomTransferSyntax: 1.2.840.10008.1.2\n",
            21,
            id="wildcard as SOP class (dcm4chee.md §2.4)",
        ),
        pytest.param(
            f"dn: {ARCHIVE}\nchangetype: modify\nadd: hl7OptionalMSHField\nhl7OptionalMSHField: 4\n",
            65,
            id="optional MSH field on the device (dcm4chee.md §2.6)",
        ),
        pytest.param(
            f"dn: dicomDeviceName=ct01,{DEVICES}\nchangetype: add\nobjectClass: dicomDevice\ndicomDeviceName: ct01\ndicomInstalled: TRUE\n",
            68,
            id="entry that exists (dcm4chee.md §2.2)",
        ),
        pytest.param(
            f"dn: dcmSPSStatus=CANCELED,{ARCHIVE}\nchangetype: modify\nadd: hl7OrderControlStatus\nhl7OrderControlStatus: CA_\n",
            20,
            id="value that exists (dcm4chee.md §2.2)",
        ),
    ],
)
def test_schema_and_repetitions_are_refused(ldap: Container, ldif: str, code: int) -> None:
    """The sources are in the cases' names."""
    assert modify(ldap, ldif) == code


def test_port_opens_before_the_tree_is_loaded(engine: Engine) -> None:
    """dcm4chee.md §0 trap 5: initialisation is a background job, about two seconds after the port opens."""
    ldap = engine.run(IMAGE, options=LIMITS)
    wait_for_port(ldap)
    assert search_code(ldap, LAST) == 32
    wait_for_entry(ldap)
    lines = search(ldap, BASE, "entryCSN", scope="sub", bind=("-D", ADMIN, "-w", "secret"))
    stamps = {csn: dn for dn, csn in zip(lines[::2], lines[1::2], strict=True)}
    assert stamps[max(stamps)] == f"dn: {LAST}", "the entry that health checks look for must be the last of the default tree"


def test_environment_acts_at_first_initialisation_only(engine: Engine) -> None:
    """dcm4chee.md §0 traps 3 and 4: the two volumes hold everything, later values are ignored."""
    volumes = [f"--volume={engine.volume()}:{DATA}", f"--volume={engine.volume()}:{CONF}"]
    first = engine.run(IMAGE, options=[*LIMITS, *volumes], env={"STORAGE_DIR": "/storage/fs1", "LDAP_ROOTPASS": PASSWORD})
    wait_for_entry(first)
    assert first.stop() == 0
    first.remove()
    later = {"STORAGE_DIR": "/elsewhere", "AE_TITLE": "NEW", "LDAP_ROOTPASS": "changed"}
    second = engine.run(IMAGE, options=[*LIMITS, *volumes], env=later)
    wait_for_entry(second)
    assert values(second, f"dcmStorageID=fs1,{ARCHIVE}", "dcmURI") == {"file:///storage/fs1/"}
    assert search_code(second, f"dicomAETitle=NEW,{ARCHIVE}") == 32
    assert modify(second, unit("with-first-password")) == 0
    assert modify(second, unit("with-later-password"), password="changed") == 49


def test_interrupted_first_initialisation_is_never_completed(engine: Engine) -> None:
    """dcm4chee.md §9.2: the container is up, the entry of the health check never comes."""
    volumes = [f"--volume={engine.volume()}:{DATA}", f"--volume={engine.volume()}:{CONF}"]
    first = engine.run(IMAGE, options=volumes)
    wait_for_port(first)
    first.remove()
    second = engine.run(IMAGE, options=volumes)
    wait_for_port(second)
    # Twice the time that an initialisation takes: nothing can be awaited where nothing must happen.
    time.sleep(6)
    assert search_code(second, LAST) == 32
    assert second.running()


def test_password_file_never_gives_a_usable_server(engine: Engine, tmp_path: Path) -> None:
    """dcm4chee.md §0 trap 2: upstream reads an empty password and loads nothing; the stand-in refuses and says why."""
    (tmp_path / "root").write_text(PASSWORD, encoding="utf-8")
    ldap = engine.run(IMAGE, options=[f"--volume={tmp_path}:/run/secrets:ro"], env={"LDAP_ROOTPASS_FILE": "/run/secrets/root"})
    deadline = time.monotonic() + 6
    while ldap.running() and time.monotonic() < deadline:
        assert search_code(ldap, BASE) != 0
        time.sleep(0.5)
    if not ldap.running():
        assert ldap.wait_for_end() == 1
        assert "LDAP_ROOTPASS_FILE" in ldap.logs()


@standin_only
@pytest.mark.parametrize(
    "variable",
    [("LDAP_REPLICATION_HOSTS", "ldap://a"), ("EXT_VENDOR_DATA_PATH", "/x"), ("LDAP_ROOTPASS", "with space"), ("LDAP_URLS", "ldaps:///")],
)
def test_what_is_not_supported_is_refused_at_start(engine: Engine, variable: tuple[str, str]) -> None:
    """images/README.md: a stand-in never ignores what upstream acts on."""
    name, value = variable
    ldap = engine.run(IMAGE, env={name: value})
    assert ldap.wait_for_end() == 1
    assert name in ldap.logs()


@standin_only
def test_maintenance_scripts_are_absent(ldap: Container) -> None:
    """images/README.md: a missing script fails, it does not seem to work."""
    assert ldap.try_exec("add-mwl-ups").returncode in {126, 127}
