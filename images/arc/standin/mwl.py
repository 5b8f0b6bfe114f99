"""C-FIND of the modality worklist (dcm4chee.md §2.3, §4.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pynetdicom import evt

from standin import worklist
from standin.device import Device
from standin.errors import DatabaseError
from standin.registry import Registry
from standin.status import PENDING, PROCESSING_FAILURE, failure
from standin.worklist import STEP


def on_find(registry: Registry, device: Device, event: evt.Event) -> Iterator[tuple[Dataset | int, Dataset | None]]:
    """Yield the items that match, each with just the attributes asked for, in the patient's character set."""
    try:
        found = worklist.find(registry, _keys(event.identifier), device.hl7.hidden)
    except DatabaseError as error:
        yield failure(PROCESSING_FAILURE, str(error)), None
        return
    for item in found:
        answer = _selected(Dataset.from_json(item), event.identifier)
        latin = all(character < "\u0100" for character in json.dumps(item, ensure_ascii=False))
        answer.SpecificCharacterSet = "ISO_IR 100" if latin else "ISO_IR 192"
        yield PENDING, answer


def _keys(identifier: Dataset, prefix: str = "") -> dict[str, str]:
    """Return the keys with a value by keyword, those of the step behind the sequence's."""
    keys: dict[str, str] = {}
    for element in identifier:
        if element.keyword == STEP and element.value:
            keys |= _keys(element.value[0], f"{STEP}.")
        elif element.keyword and element.VR != "SQ" and element.value not in (None, "", []):
            values = element.value if element.VM > 1 else [element.value]
            keys[prefix + element.keyword] = "\\".join(str(value).strip() for value in values)
    return keys


def _selected(item: Dataset, wanted: Dataset) -> Dataset:
    """Return what is asked for, empty where the item has none; a sequence that is asked for without an item comes whole."""
    answer = Dataset()
    for element in wanted:
        if element.tag not in item:
            answer.add_new(element.tag, element.VR, [] if element.VR == "SQ" else None)
        elif element.VR == "SQ" and element.value and len(element.value[0]):
            answer.add_new(element.tag, "SQ", [_selected(nested, element.value[0]) for nested in item[element.tag].value])
        else:
            answer.add(item[element.tag])
    return answer
