"""The table at the end of a proof."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pacs_emr.lab.plugins.action import acceptance

LAB: dict[str, Any] = {
    "viewer": {"url": "http://localhost:3000"},
    "archive": {"url": None},
    "dicom": {"host": "localhost", "port": 11112, "ae_title": "DCM4CHEE"},
    "ldap": {"host": "10.0.0.1", "port": 389},
    "pacs_db": None,
}


@pytest.mark.parametrize(
    ("service", "where"),
    [
        ("ohif", "http://localhost:3000"),
        ("edge", "not published"),
        ("arc", "dicom://localhost:11112 (DCM4CHEE)"),
        ("ldap", "ldap://10.0.0.1:389"),
        ("pacs-db", "not published"),
        ("mirth", "not published"),
    ],
)
def test_where_people_reach_a_service(service: str, where: str) -> None:
    assert acceptance.address(LAB, service) == where


def test_the_table_has_a_row_for_each_service_and_counts_what_passed() -> None:
    images = {"arc": "docker.io/x/arc:5.34.2@sha256:abc", "ldap": "x/ldap:2.6"}
    summary = {"arc": [{"check": "echo", "ok": True}, {"check": "store", "ok": True}, {"check": "find", "ok": False}]}
    blank, head, arc, ldap = acceptance.table(LAB, images, summary)
    assert blank == ""
    assert head.split() == ["service", "image", "address", "proved"]
    assert "docker.io/x/arc:5.34.2 " in arc
    assert arc.endswith("2 checks")
    assert "ldap://10.0.0.1:389" in ldap
    assert ldap.endswith("through the archive")
