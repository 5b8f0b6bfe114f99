"""Reports as an engine sends them, and what the archive holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .hl7 import NAMED, message
from .orders import Order
from .support import Trio

SR, PDF = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1"


def oru(order: Order, *observations: str, status: str = "F", **header: Any) -> str:
    """Return ORU^R01 to the named application (workflow.md §2.4)."""
    pid, visit, *_ = order.segments()
    return message(
        "ORU^R01",
        pid,
        visit,
        f"ORC|RE|{order.placer}|{order.filler}||CM",
        f"OBR|1|{order.placer}|{order.filler}|CTHEAD^CT head^99LAB|||20260115111500|||||||||1234567893^Okonjo^Ruth^^^Dr||{order.accession}"
        f"|{order.procedure}|||20260115120000||CT|{status}|||||||5550001&Haverkamp&Lena^20260115120000",
        *(f"OBX|{place}|{observation}" for place, observation in enumerate(observations, 1)),
        **{"receiver": NAMED} | header,
    )


def study(uid: str) -> str:
    """Return the OBX that names the study."""
    return f"ST|113014^DICOM Study^DCM||{uid}||||||F"


def text(content: str, name: str = "121070^Findings^DCM") -> str:
    """Return an OBX with text."""
    return f"TX|{name}||{content}||||||F"


def pdf(content: str, marker: str = "^Application^PDF^Base64") -> str:
    """Return an OBX with a document."""
    return f"ED|11528-7^Radiology report^LN||{marker}^{content}||||||F"


def objects(trio: Trio, uid: str) -> list[dict[str, Any]]:
    """Return the metadata of a study's objects in the order of their arrival, nothing when there is no such study."""
    answer = trio.rs(f"studies/{uid}/metadata")
    assert answer.status_code in (200, 404), answer.text
    found: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
    return found


def texts(item: dict[str, Any]) -> Iterator[str]:
    """Yield every text of an SR, however deep."""
    if "0040A160" in item:
        yield item["0040A160"]["Value"][0]
    for nested in item.get("0040A730", {}).get("Value", []):
        yield from texts(nested)
