"""From HL7 fields to DICOM attributes, as upstream's stylesheets do it (dcm4chee.md §4.2, workflow.md §2.3).

Attributes are DICOM JSON. One without a value says that the message names it empty, which erases what is stored.
"""

from __future__ import annotations

import hashlib
import logging
import re
import uuid

from pydicom.datadict import dictionary_VR

from standin.hl7text import Message, Node, Segment
from standin.objects import Json, hex_tag

log = logging.getLogger("standin.mapping")

NULL = '""'
PRIORITIES = {"S": "STAT", "A": "HIGH", "P": "HIGH", "C": "HIGH", "R": "ROUTINE", "T": "MEDIUM"}
_SINGLE = ("UT", "LT", "ST", "UR")


def put(attributes: Json, keyword: str, value: str) -> None:
    """Set an attribute; an empty value, or HL7's null, sets it empty. A backslash stands between values."""
    vr = dictionary_VR(hex_tag(keyword))
    element: Json = {"vr": vr}
    attributes[hex_tag(keyword)] = element
    if value and value != NULL:
        parts = [value] if vr in _SINGLE else value.split("\\")
        element["Value"] = [{"Alphabetic": part} for part in parts] if vr == "PN" else parts


def put_if(attributes: Json, keyword: str, value: str) -> None:
    """Set an attribute only when there is a value, or HL7's null."""
    if value:
        put(attributes, keyword, value)


def put_field(attributes: Json, keyword: str, segment: Segment, number: int) -> None:
    """Set an attribute from all text of a field, if the segment reaches as far."""
    if (node := segment.get(number)) is not None:
        put(attributes, keyword, node.whole)


def put_number(attributes: Json, keyword: str, value: str) -> None:
    """Set a decimal; what is no number is left out with a line in the log, it could not be served."""
    try:
        float(value)
    except ValueError:
        log.warning("%s %r is no number", keyword, value)
    else:
        put(attributes, keyword, value)


def put_items(attributes: Json, keyword: str, items: list[Json]) -> None:
    """Set a sequence."""
    attributes[hex_tag(keyword)] = {"vr": "SQ", "Value": items}


def overwrite(stored: Json, news: Json) -> Json:
    """Return the stored attributes with all that `news` names in their place; what it names empty is gone."""
    merged = stored | news
    return {key: element for key, element in merged.items() if "Value" in element}


def items_of(attributes: Json, keyword: str) -> list[Json]:
    """Return the items of a sequence."""
    items: list[Json] = attributes.get(hex_tag(keyword), {}).get("Value", [])
    return items


def person_name(family: Node, given: Node, middle: Node, suffix: Node, prefix: Node, degree: Node) -> str:
    """Return a DICOM name of HL7's parts; suffix and degree share a component."""
    fn, gn, mn, ns, np, deg = ("" if node.decoded == NULL else node.decoded for node in (family, given, middle, suffix, prefix, degree))
    return "^".join((fn, gn, mn, np, " ".join(filter(None, (ns, deg))))).rstrip("^")


def put_name(attributes: Json, keyword: str, node: Node | None) -> None:
    """Set a name from an XPN, only the first repetition; an empty field sets it empty."""
    if node is not None:
        put(attributes, keyword, NULL if node.text == NULL else person_name(*(node.component(number) for number in range(1, 7))))


def put_doctor(attributes: Json, keyword: str, node: Node) -> None:
    """Set a name from an XCN, whose first component is an id."""
    if node.components or node.text == NULL:
        put(attributes, keyword, person_name(*(node.component(number) for number in range(2, 8))))


def put_staff(attributes: Json, keyword: str, node: Node | None) -> None:
    """Set a name from an NDL, whose first component is id&family&given&…"""
    if node is not None:
        put(attributes, keyword, person_name(*(node.subcomponent(number) for number in range(2, 8))))


def put_code(attributes: Json, keyword: str, node: Node, first: int = 1) -> None:
    """Set a code sequence from code, meaning and scheme, which begin at component `first`; without a scheme there is none."""
    if len(node.components) < first + 1:
        return
    item: Json = {}
    put_if(item, "CodeValue", node.component(first).text[:16] if first == 1 else node.component(first).whole[:16])
    put_if(item, "CodingSchemeDesignator", node.component(first + 2).whole[:16])
    put_if(item, "CodeMeaning", node.component(first + 1).decoded[:64])
    put_items(attributes, keyword, [item])


def described(node: Node, first: int = 1) -> str:
    """Return the text of a coded entry, else its code, cut at 64 characters."""
    text = node.component(first + 1)
    return (text.decoded if text.whole and text.whole != NULL else node.decoded)[:64]


def put_moment(attributes: Json, date: str, time: str, value: str) -> None:
    """Set date and time; the UTC offset is dropped, not reckoned (dcm4chee.md §4.2)."""
    if value := value.strip():
        put(attributes, date, value[:8])
        put(attributes, time, re.split("[+-]", value[8:], maxsplit=1)[0])


def name_based_uid(text: str) -> str:
    """Return the UID that upstream derives from a text: 2.25 and its version 3 UUID without a namespace."""
    return f"2.25.{uuid.UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest(), version=3).int}"


def patient_of(message: Message) -> Json:
    """Return the patient module of PID (hl7-adt2dcm and its kin)."""
    pid = message.first("PID")
    patient: Json = {}
    put_name(patient, "PatientName", pid.get(5))
    _put_identifier(patient, pid[3])
    put_if(patient, "PatientBirthDate", pid[7].whole[:8])
    if sex := pid[8].text:
        put(patient, "PatientSex", sex if sex in ("F", "M", "O") else "O" if sex in ("A", "N") else "")
    put_name(patient, "PatientMotherBirthName", pid.get(6))
    put_if(patient, "PatientAddress", "^".join([pid[11].text, *(node.whole for node in pid[11].components)]).rstrip("^"))
    put_if(patient, "PatientTelephoneNumbers", ", ".join(filter(None, (pid[13].text, pid[14].text))))
    put_code(patient, "PatientPrimaryLanguageCodeSequence", pid[15])
    place = message.segments.index(pid) + 1 if pid in message.segments else 0
    if place and place < len(message.segments) and message.segments[place].name == "NTE":
        put(patient, "PatientComments", message.segments[place][3].whole)
    return patient


def prior_of(message: Message) -> Json | None:
    """Return what MRG says of the patient that ends, None without one."""
    merged = next(message.all("MRG"), None)
    if merged is None:
        return None
    prior: Json = {}
    put_name(prior, "PatientName", merged.get(7))
    _put_identifier(prior, merged[1])
    return prior


def _put_identifier(patient: Json, node: Node) -> None:
    """Set Patient ID and issuer from the first repetition of a CX."""
    authority = node.component(4)
    put_if(patient, "PatientID", node.text)
    put_if(patient, "IssuerOfPatientID", authority.text)
    if len(authority.subcomponents) > 1:
        qualifiers: Json = {}
        put_if(qualifiers, "UniversalEntityID", authority.subcomponent(2).whole)
        put_if(qualifiers, "UniversalEntityIDType", authority.subcomponent(3).whole)
        put_items(patient, "IssuerOfPatientIDQualifiersSequence", [qualifiers])
    put_if(patient, "TypeOfPatientID", node.component(5).whole)


def put_visit(attributes: Json, message: Message) -> None:
    """Set what PV1 says: referring physician, admission."""
    visit = message.first("PV1")
    put_if(attributes, "RouteOfAdmissions", visit[2].text)
    put_doctor(attributes, "ReferringPhysicianName", visit[8])
    number = visit[19] if visit[19].text else message.first("PID")[18]
    if number.text and number.text != NULL:
        put(attributes, "AdmissionID", number.text)
        if number.components:
            issuer: Json = {}
            put_if(issuer, "LocalNamespaceEntityID", number.component(4).text)
            put_if(issuer, "UniversalEntityID", number.component(4).subcomponent(2).whole if number.component(4).subcomponents else "")
            put_items(attributes, "IssuerOfAdmissionIDSequence", [issuer])
