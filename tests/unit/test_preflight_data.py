"""What opens and fits the data that is there: each finding names what is wrong and what cures it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.module_utils import preflight_data, services

from .support import SERVICES, texts

DESCRIBED = services.load_all(SERVICES)


# --- secrets and first boot -------------------------------------------------------------------------------------------

NEEDED = {
    "lab_digest_key": ["ldap", "pacs_db"],
    "ldap_root_password": ["ldap"],
    "pacs_db_password": ["pacs_db"],
    "ldap_user_admin_password": [],
}
GOOD = dict.fromkeys(NEEDED, "goodValue123")


def secrets(values: dict[str, Any], has_data: Callable[[str], bool] = lambda _: False, all_hosts: bool = True) -> list[str]:
    return texts(preflight_data.secrets(values, "secrets.yml", NEEDED, has_data, all_hosts))


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in keys}


def test_good_secrets_are_silent_and_so_is_a_missing_one_before_there_is_data() -> None:
    assert secrets(GOOD) == []
    assert secrets({}) == []
    assert secrets(without("ldap_root_password"), lambda service: service == "pacs_db") == []


@pytest.mark.parametrize("all_hosts", [True, False])
def test_a_missing_secret_whose_service_holds_data(all_hosts: bool) -> None:
    (text,) = secrets(without("ldap_root_password"), lambda service: service in ("ldap", "arc"), all_hosts)
    assert "secrets.yml, ldap_root_password: is missing, and ldap already hold(s) data" in text
    assert "restore the file" in text
    assert "Rotate" in text


def test_a_missing_secret_that_every_run_sets_may_be_made_at_any_time() -> None:
    assert secrets(without("ldap_user_admin_password"), lambda _: True) == []
    assert secrets(without("ldap_user_admin_password"), all_hosts=False) == []


def test_only_what_a_service_reads_at_its_first_boot_opens_its_data() -> None:
    assert services.secret_keepers(DESCRIBED) == {
        "lab_digest_key": ["ldap", "mirth", "mirth_db", "openemr", "openemr_db", "pacs_db"],
        "ldap_root_password": ["ldap"],
        "ldap_config_password": ["ldap"],
        "ldap_user_root_password": [],
        "ldap_user_admin_password": [],
        "ldap_user_user_password": [],
        "pacs_db_password": ["pacs_db"],
        "mirth_db_password": ["mirth_db"],
        "filler_db_password": ["mirth_db"],
        "mirth_admin_password": ["mirth_db"],
        "mirth_keystore_password": ["mirth"],
        "mirth_emr_password": [],
        "openemr_db_root_password": ["openemr_db"],
        "openemr_db_password": ["openemr"],
        "openemr_admin_password": ["openemr"],
    }


def test_a_missing_secret_with_limit_cannot_be_judged() -> None:
    (text,) = secrets(without("pacs_db_password"), all_hosts=False)
    assert "pacs_db_password: is missing, and --limit hides" in text
    assert "without --limit" in text


def test_a_secret_that_no_service_has() -> None:
    (text,) = secrets(GOOD | {"ldap_root_pasword": "x"})
    assert "ldap_root_pasword: no service has a secret of this name" in text
    assert "did you mean ldap_root_password?" in text
    assert "did you mean" not in secrets(GOOD | {"zzz": "x"})[0]


def test_malformed_secrets_are_named_but_not_shown() -> None:
    found = secrets(GOOD | {"ldap_root_password": "P@ss$word123", "pacs_db_password": None})
    assert len(found) == 2
    assert "ldap_root_password: must have 8 to 128 characters out of A-Z a-z 0-9 . _ -" in found[0]
    assert "pacs_db_password: is empty" in found[1]
    assert "P@ss" not in found[0]


LDAP = DESCRIBED["ldap"]
RECORD = {"ldap_base_dn": "dc=x", "arc_ae_title": "DCM4CHEE", "ldap_root_password": "digest abc"}


def first_boot(wanted: dict[str, str], record: dict[str, str] | None, adopt: bool = False) -> list[str]:
    return texts(preflight_data.first_boot(LDAP, wanted, record, "lab1", "/opt/pacs-emr", adopt))


def test_what_was_first_booted_with_may_not_change() -> None:
    assert first_boot(RECORD, RECORD) == []
    title, secret = sorted(first_boot(RECORD | {"arc_ae_title": "PACS", "ldap_root_password": "digest xyz"}, RECORD))
    assert "arc_ae_title on lab1: is 'PACS', deployed is 'DCM4CHEE'; ldap reads it at its first boot only" in title
    assert "set it back to 'DCM4CHEE'" in title
    assert "docs/operations.md" in title
    assert "ldap_root_password on lab1: differs" in secret
    assert "docs/secrets.md" in secret
    assert "xyz" not in secret
    assert "abc" not in secret


@pytest.mark.parametrize("record", [None, {}])
def test_data_without_or_with_an_unreadable_record_is_not_adopted_by_itself(record: dict[str, str] | None) -> None:
    (text,) = first_boot(RECORD, record)
    assert "ldap on lab1: holds data, but /opt/pacs-emr/first-boot/ldap.json" in text
    assert "lab_adopt_data=true" in text
    assert first_boot(RECORD, record, adopt=True) == []
    assert first_boot({}, record) == []


def test_a_value_that_an_older_record_does_not_know_is_taken() -> None:
    assert first_boot(RECORD | {"arc_device_name": "x"}, RECORD) == []
