"""What the inventory says, judged without a host: each finding names what is wrong and what cures it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight_inventory, services
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding

from .support import ROLES, SERVICES, load, texts, the_one

RENAMED = load(ROLES / "lab" / "vars" / "renamed.yml")["lab_renamed"]
SPECS = {path.parents[1].name: load(path)["argument_specs"]["main"]["options"] for path in ROLES.glob("*/meta/argument_specs.yml")}
KNOWN = {name for options in SPECS.values() for name in options}
DESCRIBED = services.load_all(SERVICES)
CT = {"ae_title": "CT01", "host": "172.18.5.20", "port": 104}


# --- names of variables -----------------------------------------------------------------------------------------------


def unknown(*names: str) -> list[str]:
    return texts(preflight_inventory.unknown_variables(names, KNOWN, RENAMED, SPECS))


def test_known_and_foreign_variables_are_nobodys_business() -> None:
    assert unknown("arc_tag", "lab_name", "openemr_tag", "ansible_host", "site_contact", "http_port", "inventory_hostname") == []


def test_old_names_after_an_upgrade_are_all_told_at_once() -> None:
    """F-ANS-2: one under its old name, one under both names, one that was removed."""
    found = unknown("AE_TITLE", "ARC_TAG", "arc_tag", "POSTGRES_PASSWORD")
    assert len(found) == 3
    title, tag, password = found
    assert "AE_TITLE: is now arc_ae_title" in title
    assert "rename it to arc_ae_title" in title
    assert "ARC_TAG: is the old name of arc_tag, and both are set" in tag
    assert "keep arc_tag, remove ARC_TAG" in tag
    assert "POSTGRES_PASSWORD: was removed" in password
    assert "pacs_db_password" in password
    assert "secrets file" in password


def test_a_renamed_variable_whose_value_must_change_too_says_so() -> None:
    (found,) = unknown("LDAP_TAG")
    assert "2.6.10-34.2" in found
    assert "2.6.8-34.1" in found


@pytest.mark.parametrize(("old", "change"), RENAMED.items())
def test_every_new_name_exists_and_no_old_name_is_still_read(old: str, change: dict[str, str]) -> None:
    assert old not in KNOWN
    assert set(change) in ({"now"}, {"now", "fix"}, {"gone"})
    assert change.get("now") is None or change["now"] in KNOWN


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("arc_heap", "arc_heap_mb"), ("lab_timezon", "lab_timezone"), ("ldap_prot", "ldap_port"), ("edge_viewer_address", "edge_viewer")],
)
def test_a_name_with_our_prefix_is_ours_to_know(name: str, nearest: str) -> None:
    (found,) = unknown(name)
    assert found.startswith(f"{name}: no variable of the lab has this name")
    assert f"did you mean {nearest}" in found
    assert "docs/variables.md" in found


def test_a_name_with_our_prefix_and_nothing_near_is_refused_without_a_guess() -> None:
    (found,) = unknown("arc_zzzzzzzzzzzzzzzzzzzzzzzz")
    assert "did you mean" not in found


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("acr_tag", "arc_tag"), ("pasc_db_user", "pacs_db_user"), ("alb_timezone", "lab_timezone"), ("labname", "lab_name")],
)
def test_a_name_within_two_letters_of_one_of_ours(name: str, nearest: str) -> None:
    (found,) = unknown(name)
    assert (
        found
        == f"{name}: is nearly {nearest}, and nobody reads it\n    → write {nearest}, or choose another name for a variable of your own"
    )


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("lab_name", "lab_name", True),
        ("lab_name", "labname", True),
        ("lab_name", "lab_nams", True),
        ("lab_name", "lba_name", True),
        ("lab_name", "lab_names_", True),
        ("lab_name", "lab_names__", False),
        ("lab_name", "web_home", False),
        ("short", "shor", False),
    ],
)
def test_within_two(one: str, other: str, near: bool) -> None:
    assert preflight_inventory.within_two(one, other) is near
    assert preflight_inventory.within_two(other, one) is near


# --- types and values -------------------------------------------------------------------------------------------------


def wrong_types(options: dict[str, Any], variables: dict[str, Any], role: str) -> list[Finding]:
    found: list[Finding] = preflight_inventory.typed(options, variables, role)[1]
    return found


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"arc_heap_mb": "x"}, ["arc_heap_mb", "int"]),
        ({"arc_heap_mb": [1]}, ["arc_heap_mb", "int"]),
        ({"arc_memory_mb": "2g"}, ["arc_memory_mb", "2g"]),
    ],
)
def test_a_wrong_type_names_variable_role_and_file(variables: dict[str, Any], words: list[str]) -> None:
    text = the_one(wrong_types(SPECS["arc"], variables, "arc"))
    assert all(word in text for word in [*words, "role arc", "group_vars/all/lab.yml"])


def test_all_wrong_types_of_a_role_are_told() -> None:
    variables = {"lab_image_source": "docker", "lab_min_disk_gb": "much", "lab_ae_table": [{"ae_title": "CT01", "host": "10.0.0.1"}]}
    found = texts(wrong_types(SPECS["lab"], variables, "lab"))
    assert len(found) == 3
    assert any("lab_image_source" in text and "upstream, built" in text for text in found)
    assert any("lab_min_disk_gb" in text for text in found)
    assert any("port" in text and "lab_ae_table" in text for text in found)


def test_a_variable_without_value_is_told() -> None:
    assert "arc_ae_title: has no value" in the_one(wrong_types(SPECS["arc"], {"arc_ae_title": None}, "arc"))


def test_texts_of_the_command_line_become_what_the_specs_say() -> None:
    given = {"lab_install_docker": "false", "lab_adopt_data": "no", "lab_min_disk_gb": "5", "other": "x"}
    assert preflight_inventory.typed(SPECS["lab"], given, "lab") == (
        {"lab_install_docker": False, "lab_adopt_data": False, "lab_min_disk_gb": 5.0},
        [],
    )


def test_right_types_are_silent() -> None:
    assert texts(wrong_types(SPECS["arc"], {"arc_heap_mb": "1024", "arc_dicom_port": 11112, "other": "x"}, "arc")) == []
    assert texts(wrong_types(SPECS["lab"], {"lab_install_docker": "false", "lab_ae_table": [CT]}, "lab")) == []


# --- groups, versions, AE titles --------------------------------------------------------------------------------------

PLACED = {"lab": ["one"], **{service: ["one"] for service in SERVICES}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"arc": []}, ["group arc", "has no host", "exactly one host"]),
        ({"arc": ["one", "two"], "lab": ["one", "two"]}, ["group arc", "2 hosts (one, two)"]),
        ({"arc": ["two"]}, ["group arc", "two is not in the group lab", "child of lab"]),
    ],
)
def test_groups(changed: dict[str, list[str]], words: list[str]) -> None:
    assert texts(preflight_inventory.groups(PLACED, SERVICES)) == []
    text = the_one(preflight_inventory.groups(PLACED | changed, SERVICES))
    assert all(word in text for word in words)


def test_a_group_that_the_inventory_lacks_is_named() -> None:
    assert "group edge: has no host" in the_one(
        preflight_inventory.groups({name: hosts for name, hosts in PLACED.items() if name != "edge"}, SERVICES)
    )


@pytest.mark.parametrize("arc", ["5.34.2", "5.34.2-secure", "5.34.2-secure-ui"])
def test_the_matching_trio_is_taken(arc: str) -> None:
    assert texts(preflight_inventory.matching_versions(arc, "2.6.10-34.2", "17.4-34")) == []


@pytest.mark.parametrize(
    ("trio", "words"),
    [
        (("5.34.2", "2.6.8-34.1", "17.4-34"), ["ldap_tag", "2.6.8-34.1 does not belong to the archive 5.34.2", "ends in -34.2"]),
        (("5.34.2", "2.6.10-134.2", "17.4-34"), ["ldap_tag"]),
        (("5.34.2", "2.6.10-34.2", "17.4-33"), ["pacs_db_tag", "17.4-33", "ends in -34"]),
        (("5.34.2", "2.6.10-34.2", "17.4-134"), ["pacs_db_tag"]),
        (("latest", "2.6.10-34.2", "17.4-34"), ["arc_tag", "latest is no release", "5.34.2"]),
        (("5.34.2-rc", "2.6.10-34.2", "17.4-34"), ["arc_tag"]),
    ],
)
def test_a_trio_that_does_not_match(trio: tuple[str, str, str], words: list[str]) -> None:
    text = the_one(preflight_inventory.matching_versions(*trio))
    assert all(word in text for word in words)


def test_the_seeds_ldap_tag_belongs_to_the_archive_before() -> None:
    assert texts(preflight_inventory.matching_versions("5.34.1", "2.6.8-34.1", "17.4-34")) == []


OWN = ["DCM4CHEE", "WORKLIST"]


def test_a_good_ae_table_is_silent() -> None:
    table = [CT, {"ae_title": "A.B-C_1", "host": "ct.example.org", "port": 11112}, {"ae_title": "X" * 16, "host": "10.0.0.1", "port": 1}]
    assert texts(preflight_inventory.ae_table(table, OWN)) == []
    assert texts(preflight_inventory.ae_table([], OWN)) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"ae_title": "X" * 17}, ["is no AE title", "1 to 16"]),
        ({"ae_title": ""}, ["is no AE title"]),
        ({"ae_title": "CT 01"}, ["CT 01", "is no AE title", "without blanks"]),
        ({"ae_title": "CT\\01"}, ["is no AE title"]),
        ({"ae_title": "CT01\n"}, ["is no AE title"]),
        ({"ae_title": "DCM4CHEE"}, ["DCM4CHEE", "of the archive itself", "choose another"]),
        ({"ae_title": "WORKLIST"}, ["of the archive itself"]),
        ({"ae_title": "STORESCP"}, ["of the archive itself"]),
        ({"ae_title": "CT02"}, ["CT02", "stands twice"]),
        ({"port": 0}, ["lacks host or port"]),
        ({"port": 65536}, ["lacks host or port"]),
        ({"host": ""}, ["lacks host or port"]),
    ],
)
def test_a_bad_row_of_the_ae_table(row: dict[str, Any], words: list[str]) -> None:
    text = the_one(preflight_inventory.ae_table([{"ae_title": "CT02", "host": "10.0.0.2", "port": 104}, CT | row], OWN))
    assert all(word in text for word in ["lab_ae_table", *words])


@pytest.mark.parametrize(
    ("title", "say"), [("ct02", "stands twice"), ("dcm4chee", "of the archive itself"), ("storescp", "archive itself")]
)
def test_ae_titles_that_differ_in_case_only_are_one_entry_in_ldap(title: str, say: str) -> None:
    table = [{"ae_title": "CT02", "host": "10.0.0.2", "port": 104}, CT | {"ae_title": title}]
    assert say in the_one(preflight_inventory.ae_table(table, OWN))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (["PACS 1", "WORKLIST"], ["arc_ae_title", "PACS 1"]),
        (["PACS/1", "WORKLIST"], ["arc_ae_title", "PACS/1"]),
        (["", "WORKLIST"], ["arc_ae_title"]),
        (["DCM4CHEE", "W" * 17], ["arc_worklist_ae_title"]),
        (["SAME", "SAME"], ["arc_worklist_ae_title", "SAME"]),
        (["IOCM_QUALITY", "WORKLIST"], ["arc_ae_title", "IOCM_QUALITY"]),
    ],
)
def test_the_archives_own_titles_stand_in_urls_and_ldap(own: list[str], words: list[str]) -> None:
    text = the_one(preflight_inventory.own_ae_titles(*own))
    assert all(word in text for word in words)


def test_good_titles_of_the_archive_are_silent() -> None:
    assert texts(preflight_inventory.own_ae_titles("DCM4CHEE", "WORKLIST")) == []
    assert texts(preflight_inventory.own_ae_titles("PACS-1.a_b", "MWL")) == []


def test_the_length_of_the_secrets_that_the_lab_makes_must_be_one_that_it_takes() -> None:
    assert texts(preflight_inventory.secret_length(8)) == texts(preflight_inventory.secret_length(128)) == []
    for length in (7, 129):
        text = the_one(preflight_inventory.secret_length(length))
        assert f"lab_secret_length: {length}" in text
        assert "8 to 128" in text


def test_unknown_tags() -> None:
    known = ["deploy", "configure"]
    assert texts(preflight_inventory.tags("--tags", ["all"], known)) == []
    assert texts(preflight_inventory.tags("--tags", ["deploy", "tagged"], known)) == []
    for option in ("--tags", "--skip-tags"):
        text = the_one(preflight_inventory.tags(option, ["deploy", "deploi"], known))
        assert f"{option} deploi: no task has this tag" in text
        assert "configure, deploy" in text


# --- addresses, folders, tags ------------------------------------------------------------------------------------------


BINDS = {"lab_address": "pacs.example.org", "ldap_bind": "127.0.0.1", "arc_http_bind": "", "edge_viewer_bind": "127.0.0.1"}


def binds(**changed: str) -> list[str]:
    return texts(preflight_inventory.binds(BINDS | changed, DESCRIBED, "data"))


def test_a_bind_that_is_no_address_is_named() -> None:
    found = binds(ldap_bind="lan", edge_viewer_bind="localhost")
    assert [text.partition(":")[0] for text in found] == ["ldap_bind", "edge_viewer_bind"]
    assert "'lan' is no address" in found[0]
    assert "0.0.0.0 for all" in found[0]
    assert binds(ldap_bind="fd00::5", arc_dicom_bind="") == []


def test_a_name_as_lab_address_is_no_fault_of_the_bind_that_is_made_of_it() -> None:
    (text,) = binds(ldap_bind="pacs.example.org", pacs_db_bind="pacs.example.org")
    assert text.startswith("lab_address of data: 'pacs.example.org' is a name; what is published for other hosts (ldap_bind, ")
    assert "set lab_address (or ansible_host) of data to that address, or set ldap_bind, pacs_db_bind" in text


BASICS = {"lab_services": SERVICES, "lab_root": "/opt/pacs-emr", "lab_project": "pacs-emr", "arc_storage_path": ""}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("lab_root", value) for value in ("", "opt/pacs-emr", "/", "//", "~/lab")),
        *(("lab_project", value) for value in ("", "My Lab", "-lab", "Lab")),
        *(("arc_storage_path", value) for value in ("images", "/", "~/images")),
    ],
)
def test_a_folder_or_project_that_cannot_be_one(name: str, value: str) -> None:
    text = the_one(preflight_inventory.basics(BASICS | {name: value}, SERVICES))
    assert text.startswith(f"{name}: '{value}' cannot be taken")


CTHEAD: dict[str, Any] = {"code": "CTHEAD", "name": "CT head", "modality": "CT", "station": "CT01", "minutes": 30, "scheme": "99LAB"}


def test_good_procedures_are_silent() -> None:
    table = [
        CTHEAD,
        {"code": 71260, "name": "Köpfe & Hälse", "modality": "CT", "station": "CT01"},
        CTHEAD | {"code": "x", "name": "n" * 63, "minutes": None},
    ]
    assert texts(preflight_inventory.procedures(table, ["CT01"], "Imaging")) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "C" * 17}, "is no code"),
        ({"code": "CT HEAD"}, "is no code"),
        ({"code": ""}, "is no code"),
        ({"name": "x" * 64}, "it has 64 characters\n    → give 1 to 63"),
        ({"name": "a\\b"}, "has no name that DICOM and the EMR can carry"),
        ({"name": ""}, "has no name that DICOM and the EMR can carry"),
        ({"name": "  "}, "has no name that DICOM and the EMR can carry"),
        ({"name": "imaging"}, "'imaging' is also the name of openemr_provider_name"),
        ({"scheme": "S" * 17}, "is no coding scheme"),
        ({"modality": "ct"}, "'ct' is no modality"),
        ({"station": "CT02"}, "its station CT02 is not in lab_ae_table"),
        ({"minutes": 0}, "0 minutes are no duration"),
    ],
)
def test_a_procedure_that_no_worklist_row_can_hold(change: dict[str, Any], said: str) -> None:
    text = the_one(preflight_inventory.procedures([CTHEAD | change], ["CT01"], "Imaging"))
    assert text.startswith("lab_procedures, ")
    assert said in text


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"name": "Other"}, "lab_procedures, CTHEAD: stands twice"),
        ({"code": "cthead", "name": "Other"}, "lab_procedures, cthead: stands twice"),
        ({"code": "A"}, "lab_procedures, A: 'CT head' is also the name of lab_procedures, CTHEAD"),
        ({"code": "A", "name": "ct Héad "}, "lab_procedures, A: 'ct Héad ' is also the name of lab_procedures, CTHEAD"),
    ],
)
def test_two_procedures_that_the_emr_cannot_tell_apart(second: dict[str, str], said: str) -> None:
    assert said in the_one(preflight_inventory.procedures([CTHEAD, CTHEAD | second], ["CT01"], "Imaging"))


NAMES = {
    "lab_facility": "LAB",
    "arc_hl7_application": "DCM4CHEE",
    "mirth_hl7_application": "MIRTH",
    "lab_assigning_authority": "LABHOSP",
    "lab_assigning_authority_oid": "2.25.117205934481166",
    "mirth_emr_msh": "MIRTH|RADLAB|OPENEMR|OEMR",
    "mirth_db_name": "mirth",
    "mirth_db_user": "mirth_1",
    "arc_psu_delay": "PT1M",
    "arc_psu_poll": "P1DT30S",
    "mirth_worklist_days": 0,
    "mirth_patients_poll_ms": 1000,
    "mirth_orders_poll_ms": 10000,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lab_facility", "A|B"),
        ("lab_facility", ""),
        ("arc_hl7_application", "X^Y"),
        ("mirth_hl7_application", "DCM4CHEE"),
        ("lab_assigning_authority", "A&B"),
        ("lab_assigning_authority_oid", "2.25.01"),
        ("lab_assigning_authority_oid", "LABHOSP"),
        ("mirth_emr_msh", "MIRTH|RADLAB"),
        ("mirth_db_name", "$(id)"),
        ("mirth_db_name", "mirth?ssl=off"),
        ("mirth_db_user", "the engine"),
        ("arc_psu_delay", "60"),
        ("arc_psu_delay", "PT"),
        ("arc_psu_poll", "P"),
        ("mirth_worklist_days", -1),
        ("mirth_patients_poll_ms", 5),
        ("mirth_orders_poll_ms", 0),
    ],
)
def test_names_and_times_of_hl7(name: str, value: str | int) -> None:
    assert texts(preflight_inventory.hl7_names(NAMES)) == []
    assert the_one(preflight_inventory.hl7_names(NAMES | {name: value})).startswith(f"{name}: ")


EMR = {
    "openemr_db_name": "openemr",
    "openemr_db_user": "openemr_1",
    "openemr_admin_user": "admin",
    "openemr_provider_name": "Imaging (Röntgen)",
    "openemr_provider_npi": "1234567893",
    "openemr_order_msh": "OPENEMR|OEMR|MIRTH|RADLAB",
    "openemr_report_category": "Radiology Report",
    "openemr_viewer_url": "https://pacs.example.org/viewer",
    "openemr_viewer_source": "patient",
    "openemr_memory_mb": 1536,
    "openemr_pdf_max_mb": 40,
    "openemr_poll_seconds": 1,
    "openemr_log_days": 30,
}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("openemr_db_name", "openemr; DROP", "small letters"),
        ("openemr_db_user", "Open-EMR", "32 at most"),
        ("openemr_db_user", "x" * 33, "32 at most"),
        ("openemr_admin_user", "$(id)", "use A-Z"),
        ("openemr_provider_name", "Imaging, Quest Street", "without quest, labcorp, clarity"),
        ("openemr_provider_name", "", "give a name"),
        ("openemr_provider_name", " ", "give a name"),
        ("openemr_provider_name", "n" * 64, "1 to 63"),
        ("openemr_provider_npi", 123456789, "10 digits"),
        ("openemr_order_msh", "OPENEMR|OEMR|MIRTH", "four names"),
        ("openemr_order_msh", "OPENEMR|a/b|MIRTH|RADLAB", "out of A-Z"),
        ("openemr_order_msh", "OPEN EMR|OEMR|MIRTH|RADLAB", "out of A-Z"),
        ("openemr_report_category", "Reports/2026", "letters, digits and blanks"),
        ("openemr_viewer_url", "pacs.example.org", "from http on"),
        ("openemr_viewer_url", "https://pacs.example.org/", "without / at its end"),
        ("openemr_viewer_url", "https://x/?a=b", "from http on"),
        ("openemr_viewer_source", "two words", "use A-Z"),
        ("openemr_pdf_max_mb", 0, "1 or more"),
        ("openemr_pdf_max_mb", 80, "takes 1600 MiB, and openemr_memory_mb is 1536"),
        ("openemr_poll_seconds", -1, "1 or more"),
        ("openemr_log_days", 0, "1 or more"),
    ],
)
def test_settings_of_the_emr(name: str, value: str | int, words: str) -> None:
    assert texts(preflight_inventory.emr(EMR)) == []
    assert texts(preflight_inventory.emr(EMR | {"openemr_viewer_url": ""})) == []
    text = the_one(preflight_inventory.emr(EMR | {name: value}))
    assert text.startswith(f"{name}: ")
    assert words in text


LOGIN = {
    "login_backend": "http://edge:8181",
    "login_session_seconds": 28800,
    "login_ldap_url": "ldap://ldap:389/ou=lab,dc=dcm4che,dc=org?uid?one?(objectClass=inetOrgPerson)",
    "login_ldap_reader": "cn=reader,ou=lab,dc=dcm4che,dc=org",
    "login_clinicians_group": "CN=Radiology Readers,OU=Groups,DC=example,DC=org",
    "login_admins_group": "cn=admins,ou=lab,dc=dcm4che,dc=org",
    "login_ldap_base": "ou=lab,dc=dcm4che,dc=org",
    "login_accounts": [],
}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("login_backend", "http://edge:8181/", "and a port"),
        ("login_backend", "edge:8181", "give http://"),
        ("login_session_seconds", 0, "1 or more"),
        ("login_ldap_url", "ldap://ldap/dc=example", "the attribute of the user's name"),
        ("login_ldap_url", "https://ldap/dc=example?uid?one", "ldaps://"),
        ("login_ldap_reader", "", "give a DN"),
        ("login_clinicians_group", 'cn="a",dc=example', "without quotes"),
        ("login_admins_group", "cn=a\nRequire all granted", "line breaks"),
    ],
)
def test_settings_of_the_login(name: str, value: str | int, words: str) -> None:
    assert texts(preflight_inventory.login(LOGIN)) == []
    hospital = "ldaps://dc1.example.org dc2.example.org/OU=Staff,DC=example,DC=org?sAMAccountName?sub"
    assert texts(preflight_inventory.login(LOGIN | {"login_ldap_url": hospital})) == []
    text = the_one(preflight_inventory.login(LOGIN | {name: value}))
    assert text.startswith(f"{name}: ")
    assert words in text


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([{"name": "Anna"}], {}, "login_accounts, Anna: is no name of an account"),
        ([{"name": "anna", "display_name": " "}], {}, "login_accounts, anna: display_name is blank"),
        ([{"name": "anna"}, {"name": "anna"}], {}, "login_accounts, anna: is there twice"),
        ([{"name": "anna"}], {"login_ldap_base": "ou=other"}, "login_accounts: are for the lab's own directory"),
    ],
)
def test_accounts_of_the_lab(rows: list[dict[str, Any]], more: dict[str, Any], said: str) -> None:
    good = [{"name": "anna.m-1", "display_name": None, "groups": ["clinicians"]}]
    assert texts(preflight_inventory.login(LOGIN | {"login_accounts": good})) == []
    assert the_one(preflight_inventory.login(LOGIN | {"login_accounts": rows} | more)).startswith(said)


def test_emr_and_engine_exchange_files_on_one_host() -> None:
    assert texts(preflight_inventory.neighbours({"openemr": ["one"], "mirth": ["one"]})) == []
    text = the_one(preflight_inventory.neighbours({"openemr": ["one"], "mirth": ["two"]}))
    assert text.startswith("inventory groups openemr and mirth: are on one and two")
    assert "put both on the same host" in text


def test_services_folders_and_project() -> None:
    assert texts(preflight_inventory.basics(BASICS, SERVICES)) == []
    assert texts(preflight_inventory.basics(BASICS | {"arc_storage_path": "/srv/images", "lab_root": "/x"}, SERVICES)) == []
    assert texts(preflight_inventory.basics({}, SERVICES)) == []
    text = the_one(preflight_inventory.basics(BASICS | {"lab_services": ["ldap", "ris"]}, SERVICES))
    assert text.startswith("lab_services: there is no service 'ris'")
    assert "pacs_db" in text
