"""LDIF, and the plan that brings the archive's LDAP to what the lab's tables say."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import archive_config, ldap_plan, ldif
from ansible_collections.pacs_emr.lab.plugins.module_utils.archive_config import ENGINE, Hl7, Settings, plan
from ansible_collections.pacs_emr.lab.plugins.module_utils.ldif import Attributes

BASE = "dc=dcm4che,dc=org"
DEVICES = f"cn=Devices,cn=DICOM Configuration,{BASE}"
REGISTRY = f"cn=Unique AE Titles Registry,cn=DICOM Configuration,{BASE}"
HL7_REGISTRY = f"cn=Unique HL7 Application Names Registry,cn=DICOM Configuration,{BASE}"
ARCHIVE = f"dicomDeviceName=dcm4chee-arc,{DEVICES}"


# --- LDIF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "with: colon",
        " leading blank",
        "trailing ",
        ":colon",
        "<angle",
        "Äußerung",
        "日本",
        "#hash",
        "",
        "two\nlines",
        "tab\t",
        "a=b,c\\d",
    ],
)
def test_every_value_comes_back_as_it_went(value: str) -> None:
    dn = f"cn={ldif.escape('x')},{BASE}"
    text = ldif.line("dn", dn) + ldif.line("dicomDescription", value) + ldif.line("dicomDescription", "another")
    assert ldif.parse(text) == {dn: {"dicomDescription": [value, "another"]}}
    assert all(32 <= ord(letter) < 127 or letter == "\n" for letter in text)


def test_search_output_is_read() -> None:
    text = (
        "dn: cn=a,dc=x\nobjectClass: top\nobjectClass: person\ncn: a\n\n"
        "# a comment\n"
        f"dn:: {base64.b64encode('cn=Müller,dc=x'.encode()).decode()}\n"
        f"userPassword:: {base64.b64encode(b'{SSHA}abc').decode()}\n"
        "description: with: colons: and  blanks\n"
        "empty:\n\n"
    )
    assert ldif.parse(text) == {
        "cn=a,dc=x": {"objectClass": ["top", "person"], "cn": ["a"]},
        "cn=Müller,dc=x": {"userPassword": ["{SSHA}abc"], "description": ["with: colons: and  blanks"], "empty": [""]},
    }
    assert ldif.parse("") == {}


@pytest.mark.parametrize(
    ("value", "escaped"),
    [("CT01", "CT01"), ("A,B", "A\\,B"), ("#1", "\\#1"), ('a"b', 'a\\"b'), ("a+b=c", "a\\+b\\=c"), ("<x>;", "\\<x\\>\\;")],
)
def test_values_in_a_dn_are_escaped(value: str, escaped: str) -> None:
    assert ldif.escape(value) == escaped


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("cn=A, dc=X", "CN=a,DC=x", True),
        ("cn=a\\,b,dc=x", "cn=a\\2Cb,dc=x", True),
        ("cn=a\\+b,dc=x", "cn=a\\2bb,dc=x", True),
        ("cn=a\\,b,dc=x", "cn=a,cn=b,dc=x", False),
        ("cn=M\\C3\\BCller,dc=x", "cn=Müller,dc=x", True),
        ("cn=a,dc=x", "cn=b,dc=x", False),
    ],
)
def test_dns_are_compared_by_what_they_mean(one: str, other: str, same: bool) -> None:
    """OpenLDAP gives DNs back with hexadecimal escapes (RFC 4514 section 2.4 allows both forms)."""
    assert (ldif.key(one) == ldif.key(other)) is same


def test_the_parent_of_an_escaped_name() -> None:
    assert ldif.parent("cn=a\\,b,dc=x,dc=y") == ldif.key("dc=x,dc=y")


def test_change_records() -> None:
    assert ldif.add("cn=a,dc=x", {"objectClass": ["top"], "cn": ["a"]}) == "dn: cn=a,dc=x\nchangetype: add\nobjectClass: top\ncn: a\n\n"
    assert ldif.replace("cn=a,dc=x", {"p": ["1", "2"], "q": ["3"]}) == (
        "dn: cn=a,dc=x\nchangetype: modify\nreplace: p\np: 1\np: 2\n-\nreplace: q\nq: 3\n\n"
    )
    assert ldif.delete("cn=a,dc=x") == "dn: cn=a,dc=x\nchangetype: delete\n\n"


# --- a directory in memory -------------------------------------------------------------------------------------------


def hexadecimal(dn: str) -> str:
    """Return a DN as OpenLDAP gives it back."""
    return re.sub(r"\\([,+=\"<>;#])", lambda found: f"\\{ord(found[1]):02X}", dn)


class Directory:
    """Applies LDIF change records as an LDAP server does, and gives DNs back with hexadecimal escapes."""

    def __init__(self, entries: dict[str, Attributes]) -> None:
        self.entries = {ldif.key(dn): (dn, dict(attributes)) for dn, attributes in entries.items()}

    def search(self) -> dict[str, Attributes]:
        return {
            hexadecimal(dn): {
                name: [hexadecimal(value) for value in values] if name == "dicomNetworkConnectionReference" else list(values)
                for name, values in attributes.items()
            }
            for dn, attributes in self.entries.values()
        }

    def apply(self, records: list[str]) -> None:
        for record in records:
            lines = [ldif.decode(line) if line != "-" else ("-", "") for line in record.strip("\n").split("\n")]
            (_, dn), (_, kind), *rest = lines
            key = ldif.key(dn)
            if kind == "add":
                assert key not in self.entries, f"already exists: {dn}"
                assert ldif.parent(dn) in self.entries, f"no parent: {dn}"
                attributes: Attributes = {}
                for name, value in rest:
                    attributes.setdefault(name, []).append(value)
                self.entries[key] = (dn, attributes)
            elif kind == "delete":
                assert key in self.entries, f"no such entry: {dn}"
                assert not any(other.endswith("," + key) for other in self.entries), f"has children: {dn}"
                del self.entries[key]
            else:
                assert kind == "modify"
                self.replace(self.entries[key][1], rest)

    def replace(self, attributes: Attributes, lines: list[tuple[str, str]]) -> None:
        current = ""
        for name, value in lines:
            if name == "replace":
                current = next((known for known in attributes if known.lower() == value.lower()), value)
                attributes[current] = []
            elif name != "-":
                attributes[current].append(value)


def upstream() -> dict[str, Attributes]:
    """What the archive's LDAP image loads at its first boot, as far as the plan looks at it."""
    entries: dict[str, Attributes] = {
        BASE: {"objectClass": ["organization"]},
        f"ou=users,{BASE}": {"objectClass": ["organizationalUnit"]},
        f"cn=DICOM Configuration,{BASE}": {"cn": ["DICOM Configuration"]},
        DEVICES: {"cn": ["Devices"]},
        REGISTRY: {"cn": ["Unique AE Titles Registry"]},
        HL7_REGISTRY: {"cn": ["Unique HL7 Application Names Registry"]},
        f"hl7ApplicationName=*,{ARCHIVE}": {
            "objectClass": ["hl7Application", "dcmArchiveHL7Application"],
            "hl7ApplicationName": ["*"],
            "hl7AcceptedMessageType": ["ADT^A01", "SIU^S12"],
        },
        ARCHIVE: {"objectClass": ["dicomDevice", "dcmDevice"], "dicomDeviceName": ["dcm4chee-arc"], "dicomInstalled": ["TRUE"]},
        f"dicomDeviceName=storescp,{DEVICES}": {"objectClass": ["dicomDevice"], "dicomDeviceName": ["storescp"]},
        f"dicomAETitle=STORESCP,dicomDeviceName=storescp,{DEVICES}": {
            "objectClass": ["dicomNetworkAE"],
            "dicomAETitle": ["STORESCP"],
        },
    }
    for name, port, more in (
        ("dicom", "11112", {"dicomHostname": ["archive"]}),
        ("dicom-tls", "2762", {}),
        ("hl7", "2575", {"dcmProtocol": ["HL7"]}),
        ("http", "8080", {"dcmProtocol": ["HTTP"]}),
        ("syslog", "", {"dcmProtocol": ["SYSLOG_TLS"]}),
    ):
        entries[f"cn={name},{ARCHIVE}"] = {
            "objectClass": ["dicomNetworkConnection"],
            "cn": [name],
            **({"dicomPort": [port]} if port else {}),
            **more,
        }
    for title in ("DCM4CHEE", "WORKLIST"):
        entries[f"dicomAETitle={title},{ARCHIVE}"] = {"objectClass": ["dicomNetworkAE"], "dicomAETitle": [title]}
        entries[f"dicomAETitle={title},{REGISTRY}"] = {"objectClass": ["dicomUniqueAETitle"], "dicomAETitle": [title]}
    for title, coercion in (
        ("DCM4CHEE", "SupplementIssuerOfPatientID"),
        ("DCM4CHEE", "SupplementIssuerOfPatientIDOnMPPS"),
        ("WORKLIST", "SupplementIssuerOfPatientIDOnMPPS"),
    ):
        entries[f"cn={coercion},dicomAETitle={title},{ARCHIVE}"] = {"cn": [coercion], "dcmMergeAttribute": ["IssuerOfPatientID=DCM4CHEE"]}
    for status, controls in (
        ("SCHEDULED", ["NW_SC", "NW_IP", "XO_SC"]),
        ("CANCELED", ["CA_CA"]),
        ("DISCONTINUED", ["DC_CA"]),
        ("COMPLETED", ["XO_CM", "SC_CM", "SC_A"]),
    ):
        entries[f"dcmSPSStatus={status},{ARCHIVE}"] = {"dcmSPSStatus": [status], "hl7OrderControlStatus": controls}
    for uid in ("root", "admin", "user"):
        entries[f"uid={uid},ou=users,{BASE}"] = {"objectClass": ["inetOrgPerson"], "uid": [uid], "userPassword": ["changeit"]}
    return entries


CT: dict[str, Any] = {"ae_title": "CT01", "host": "10.0.0.5", "port": 104, "description": "CT in room 1"}
US: dict[str, Any] = {"ae_title": "US01", "host": "us.example.org", "port": "11112"}
HL7 = Hl7("DCM4CHEE|LAB", "MIRTH|LAB", "mirth", 6662, "PT1M", "PT30S")
USERS = {"root": "root.Secret-1", "admin": "admin.Secret-1", "user": "user.Secret-1"}


def settings(*peers: dict[str, Any], **changed: Any) -> Settings:
    given: dict[str, Any] = {
        "base": BASE,
        "device": "dcm4chee-arc",
        "ae_title": "DCM4CHEE",
        "worklist_ae_title": "WORKLIST",
        "assigning_authority": "LABHOSP",
        "peers": list(peers),
        "users": USERS,
        "hl7": HL7,
    }
    return Settings(**(given | changed))


def configured(*peers: dict[str, Any]) -> Directory:
    """Return a directory in which a plan was carried out, and proves that nothing is left to do."""
    directory = Directory(upstream())
    bring(directory, settings(*peers))
    return directory


def bring(directory: Directory, wanted: Settings) -> ldap_plan.Plan:
    """Carry out a plan; the second one must be empty."""
    first = plan(wanted, directory.search())
    directory.apply(first.records + first.passwords)
    second = plan(wanted, directory.search())
    assert second == ldap_plan.Plan()
    return first


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_peer_becomes_device_connection_ae_and_registry_entry() -> None:
    found = configured(CT).search()
    device = f"dicomDeviceName=ct01,{DEVICES}"
    assert found[device]["dicomDescription"] == ["pacs-emr: CT in room 1"]
    assert found[f"cn=dicom,{device}"]["dicomHostname"] == ["10.0.0.5"]
    assert found[f"cn=dicom,{device}"]["dicomPort"] == ["104"]
    assert found[f"dicomAETitle=CT01,{device}"]["dicomNetworkConnectionReference"] == [f"cn=dicom,{device}"]
    assert found[f"dicomAETitle=CT01,{REGISTRY}"]["dicomAETitle"] == ["CT01"]


def test_the_first_plan_shows_what_it_does_without_secrets() -> None:
    first = plan(settings(CT), upstream())
    assert "CT in room 1" in first.after
    assert "IssuerOfPatientID=DCM4CHEE" in first.before
    assert "IssuerOfPatientID=LABHOSP" in first.after
    assert "userPassword: (that of the lab's secrets)" in first.after
    for text in (first.before, first.after):
        assert "Secret-1" not in text
        assert "changeit" not in text
        assert "SSHA" not in text


def test_only_what_differs_is_changed() -> None:
    directory = configured(CT, US)
    changes = bring(directory, settings(CT | {"port": 11112}, US))
    assert len(changes.records) == 1
    assert changes.passwords == []
    assert "replace: dicomPort\ndicomPort: 11112\n" in changes.records[0]
    assert "dicomHostname" not in changes.records[0]
    assert "dicomPort: 104" in changes.before
    assert "dicomPort: 11112" in changes.after


def test_a_peer_that_is_no_longer_in_the_table_goes_with_all_that_it_had() -> None:
    directory = configured(CT, US)
    changes = bring(directory, settings(US))
    assert len(changes.records) == 4
    assert not any("CT01" in dn or "ct01" in dn for dn in directory.search())
    assert sum("us01" in dn.lower() for dn in directory.search()) == 4
    assert "ct01" in changes.before
    assert changes.after == ""


def test_a_peer_under_another_title_replaces_the_old_one() -> None:
    directory = configured(CT)
    bring(directory, settings(CT | {"ae_title": "CT02"}))
    assert not any("ct01" in dn.lower() for dn in directory.search())


@pytest.mark.parametrize("title", ["A,B", "A+B=C", "#1", 'Q"Q', "X;Y<Z>", "ct.1-a_b"])
def test_titles_that_a_dn_must_escape(title: str) -> None:
    """DICOM allows them (PS3.5 table 6.2-1, AE); LDAP gives the DNs back in another form than they were written."""
    directory = configured(CT | {"ae_title": title})
    bring(directory, settings(CT | {"ae_title": title, "port": 105}))
    bring(directory, settings())
    assert directory.entries.keys() == configured().entries.keys()


def test_what_others_added_to_an_entry_or_beside_it_stays() -> None:
    directory = configured(CT)
    device = ldif.key(f"dicomDeviceName=ct01,{DEVICES}")
    directory.entries[device][1]["dicomManufacturer"] = ["ACME"]
    directory.apply([ldif.add(f"dicomDeviceName=theirs,{DEVICES}", {"objectClass": ["dicomDevice"], "dicomDescription": ["not ours"]})])
    bring(directory, settings(CT, US))
    assert directory.entries[device][1]["dicomManufacturer"] == ["ACME"]
    bring(directory, settings())
    assert ldif.key(f"dicomDeviceName=theirs,{DEVICES}") in directory.entries


def test_a_title_that_another_device_has_is_refused() -> None:
    directory = Directory(upstream())
    theirs = f"dicomDeviceName=theirs,{DEVICES}"
    directory.apply([ldif.add(theirs, {"objectClass": ["dicomDevice"]})])
    directory.apply([ldif.add(f"dicomAETitle=CT01,{theirs}", {"objectClass": ["dicomNetworkAE"], "dicomAETitle": ["CT01"]})])
    with pytest.raises(ValueError, match=f"AE title CT01 of lab_ae_table already belongs to another device in LDAP: {theirs}"):
        plan(settings(CT), directory.search())


@pytest.mark.parametrize("title", ["DCM4CHEE-ARC", "dcm4chee-arc", "StoreSCP"])
def test_a_title_whose_device_would_be_one_that_is_not_ours_is_refused(title: str) -> None:
    """Else the connection of the archive's own device would get the peer's address."""
    with pytest.raises(ValueError, match=f"AE title {title} of lab_ae_table"):
        plan(settings(CT | {"ae_title": title}), upstream())


def test_coercions_get_the_labs_issuer_and_must_be_there() -> None:
    found = configured().search()
    merged = [attributes["dcmMergeAttribute"] for attributes in found.values() if "dcmMergeAttribute" in attributes]
    assert merged == [["IssuerOfPatientID=LABHOSP"]] * 3
    with pytest.raises(ValueError, match=r"LDAP has no entry cn=SupplementIssuerOfPatientID,dicomAETitle=OTHER.*this AE title and device"):
        plan(settings(ae_title="OTHER"), upstream())


def test_passwords_in_clear_and_default_ones_become_salted_hashes_of_the_labs() -> None:
    changes = plan(settings(), upstream())
    assert len(changes.passwords) == 3
    directory = configured()
    for uid, password in USERS.items():
        (stored,) = directory.search()[f"uid={uid},ou=users,{BASE}"]["userPassword"]
        assert stored.startswith("{SSHA}")
        assert ldap_plan.matches(stored, password)
        assert not ldap_plan.matches(stored, "changeit")


def test_a_changed_password_alone_needs_no_reload_and_a_missing_user_is_refused() -> None:
    changes = bring(configured(), settings(users=USERS | {"user": "another-one"}))
    assert changes.records == []
    assert len(changes.passwords) == 1
    with pytest.raises(ValueError, match=f"LDAP has no user uid=nobody,ou=users,{BASE}"):
        plan(settings(users={"nobody": "x"}), upstream())


@pytest.mark.parametrize(
    ("stored", "is_it"),
    [
        ("changeit", False),
        ("right-one", True),
        # {SSHA} of "right-one" with the salt "pepper00", by `slappasswd -h {SSHA}`'s rule: base64(SHA-1(password + salt) + salt)
        (ldap_plan.hashed("right-one"), True),
        (ldap_plan.hashed("wrong-one"), False),
        ("{SSHA}not base64", False),
        ("{SSHA}", False),
        ("{CRYPT}$6$x$y", False),
    ],
)
def test_stored_passwords_are_recognised(stored: str, is_it: bool) -> None:
    assert ldap_plan.matches(stored, "right-one") is is_it


def test_each_hash_has_its_own_salt() -> None:
    assert ldap_plan.hashed("x") != ldap_plan.hashed("x")


def test_the_ports_on_which_the_archive_listens() -> None:
    directory = configured(CT)
    assert archive_config.listeners(settings(CT), directory.search()) == [2575, 2762, 11112]


def test_a_connection_that_only_dials_out_is_no_listener() -> None:
    directory = configured()
    directory.apply([ldif.add(f"cn=out,{ARCHIVE}", {"objectClass": ["dicomNetworkConnection"], "dicomHostname": ["x"]})])
    assert archive_config.listeners(settings(), directory.search()) == [2575, 2762, 11112]


# --- the HL7 side ----------------------------------------------------------------------------------------------------

OUR_APPLICATION = f"hl7ApplicationName=DCM4CHEE|LAB,{ARCHIVE}"


def test_the_archive_takes_hl7_from_the_engine_alone() -> None:
    found = configured(CT).search()
    application = found[OUR_APPLICATION]
    assert application["hl7AcceptedSendingApplication"] == ["MIRTH|LAB"]
    assert application["hl7AcceptedMessageType"] == ["ADT^A04", "ADT^A08", "ADT^A40", "ORM^O01", "ORU^R01"]
    assert application["dicomNetworkConnectionReference"] == [f"cn=hl7,{ARCHIVE}"]
    other = found[f"hl7ApplicationName=*,{ARCHIVE}"]
    assert other["hl7AcceptedSendingApplication"] == ["MIRTH|LAB"]
    assert other["hl7AcceptedMessageType"] == ["ADT^A01", "SIU^S12"], "the rest of upstream's entry stays"


def test_the_archive_tells_the_engine_of_studies() -> None:
    found = configured(CT).search()
    device = f"dicomDeviceName={ENGINE},{DEVICES}"
    connection = found[f"cn=hl7,{device}"]
    assert (connection["dicomHostname"], connection["dicomPort"], connection["dcmProtocol"]) == (["mirth"], ["6662"], ["HL7"])
    assert found[f"hl7ApplicationName=MIRTH|LAB,{device}"]["dicomNetworkConnectionReference"] == [f"cn=hl7,{device}"]
    assert {f"hl7ApplicationName={name},{HL7_REGISTRY}" for name in ("MIRTH|LAB", "DCM4CHEE|LAB")} <= set(found)
    archive = found[ARCHIVE]
    assert (archive["hl7PSUSendingApplication"], archive["hl7PSUReceivingApplication"]) == (["DCM4CHEE|LAB"], ["MIRTH|LAB"])
    assert (archive["hl7PSUDelay"], archive["hl7PSUTaskPollingInterval"]) == (["PT1M"], ["PT30S"])
    assert archive["hl7ScheduledStationAETInOrder"] == ["ORC_18"]
    assert archive["dicomInstalled"] == ["TRUE"]


def test_an_order_without_status_is_taken() -> None:
    """dcm4chee.md §4.2: upstream refuses it, ORC-5 empty."""
    found = configured(CT).search()
    states = {dn.partition(",")[0]: set(row["hl7OrderControlStatus"]) for dn, row in found.items() if dn.startswith("dcmSPSStatus")}
    assert states == {
        "dcmSPSStatus=SCHEDULED": {"NW_SC", "NW_IP", "XO_SC", "NW_", "XO_"},
        "dcmSPSStatus=CANCELED": {"CA_CA", "CA_"},
        "dcmSPSStatus=DISCONTINUED": {"DC_CA", "DC_"},
        "dcmSPSStatus=COMPLETED": {"XO_CM", "SC_CM", "SC_A"},
    }


def test_a_report_does_not_clear_the_worklist_row() -> None:
    """dcm4chee.md §4.3: either of two further values would, also where the report comes before the images."""
    archive = configured(CT).search()[ARCHIVE]
    assert archive["hl7ORUAction"] == ["IMPORT_REPORT"]
    assert archive["hl7PSUAction"] == ["SEND_NOTIFICATION"]


def test_a_changed_time_is_one_change() -> None:
    directory = configured(CT)
    changes = bring(directory, settings(CT, hl7=replace(HL7, delay="PT5S")))
    assert len(changes.records) == 1
    assert (changes.before, changes.after) == (f"{ARCHIVE}\n  hl7PSUDelay: PT1M\n", f"{ARCHIVE}\n  hl7PSUDelay: PT5S\n")


def test_other_names_replace_the_old_ones() -> None:
    directory = configured(CT)
    bring(directory, settings(CT, hl7=replace(HL7, archive="DCM4CHEE|RAD", engine="MIRTH|RAD")))
    assert not any("|LAB" in dn for dn in directory.search())
    assert directory.search()[f"hl7ApplicationName=*,{ARCHIVE}"]["hl7AcceptedSendingApplication"] == ["MIRTH|RAD"]
