"""Queries over the index, the same for C-FIND and QIDO-RS."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.tag import Tag

from standin.objects import INSTANCE, PATIENT, SERIES, STUDY, Json, hex_tag
from standin.registry import Registry

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_OWN = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES, "IMAGE": INSTANCE}
_ALIAS = {"PATIENT": "p", "STUDY": "st", "SERIES": "se", "IMAGE": "i"}
_LEVEL_OF = {keyword: level for level in LEVELS for keyword in _OWN[level]}
_FROM = {
    "PATIENT": "standin.patient p",
    "STUDY": "standin.study st JOIN standin.patient p ON p.pk = st.patient",
    "SERIES": "standin.series se JOIN standin.study st ON st.pk = se.study JOIN standin.patient p ON p.pk = st.patient",
    "IMAGE": "standin.instance i JOIN standin.series se ON se.pk = i.series JOIN standin.study st ON st.pk = se.study"
    " JOIN standin.patient p ON p.pk = st.patient",
}
_OF_STUDY = "FROM standin.series xs JOIN standin.instance xi ON xi.series = xs.pk WHERE xs.study = st.pk"
# Attributes that are counted or collected: level, VR, SQL for a JSON array of values.
_COMPUTED = {
    "NumberOfPatientRelatedStudies": (
        "PATIENT",
        "IS",
        "(SELECT jsonb_build_array(count(*)) FROM standin.study xt WHERE xt.patient = p.pk)",
    ),
    "ModalitiesInStudy": (
        "STUDY",
        "CS",
        "(SELECT jsonb_agg(DISTINCT xs.attrs #> '{00080060,Value,0}') FROM standin.series xs WHERE xs.study = st.pk)",
    ),
    "SOPClassesInStudy": ("STUDY", "UI", f"(SELECT jsonb_agg(DISTINCT xi.sop_class) {_OF_STUDY})"),
    "NumberOfStudyRelatedSeries": (
        "STUDY",
        "IS",
        "(SELECT jsonb_build_array(count(*)) FROM standin.series xs WHERE xs.study = st.pk)",
    ),
    "NumberOfStudyRelatedInstances": ("STUDY", "IS", f"(SELECT jsonb_build_array(count(*)) {_OF_STUDY})"),
    "NumberOfSeriesRelatedInstances": (
        "SERIES",
        "IS",
        "(SELECT jsonb_build_array(count(*)) FROM standin.instance xi WHERE xi.series = se.pk)",
    ),
}
_IGNORING_CASE = ("StudyDescription", "SeriesDescription", "InstitutionName", "InstitutionalDepartmentName")
_WORD_BREAK = re.compile(r"[\s^=,*?]+")


@dataclass
class Query:
    """Matching keys by keyword, in DICOM's notation: `*` `?` wildcards, `a-b` ranges, `\\` between the values of a list."""

    level: str
    keys: dict[str, str]
    fuzzy: bool = False
    limit: int | None = None
    offset: int = 0
    order: list[tuple[str, bool]] = field(default_factory=list)


def find(registry: Registry, query: Query) -> list[Json]:
    """Return the attributes of each match and of the entities above it, as DICOM JSON. Raises DatabaseError.

    What is counted or collected is so once for each patient, study and series of the matches, however many rows they have.
    """
    above = LEVELS[: LEVELS.index(query.level) + 1]
    aliases = [_ALIAS[level] for level in above]
    computed = [(level, name, vr, sql) for name, (level, vr, sql) in _COMPUTED.items() if level in above]
    where, parameters = _where(query)
    order = [f"({_path(name)}) {'DESC' if descending else 'ASC'}" for name, descending in query.order if _LEVEL_OF.get(name) in above]
    place = ", ".join([*order, f"{aliases[-1]}.pk"])
    keys = "".join(f", {alias}.pk AS {alias}" for alias in aliases)
    text = f"WITH found AS (SELECT row_number() OVER (ORDER BY {place}) AS place{keys} FROM {_FROM[query.level]}{where}"
    text += f" ORDER BY {place} OFFSET %s LIMIT %s)"
    for level, alias in zip(above, aliases, strict=True):
        columns = "".join(f", {sql} AS {name}" for of, name, _, sql in computed if of == level)
        # Materialized, or PostgreSQL counts anew for each match.
        text += f", of_{alias} AS MATERIALIZED (SELECT {alias}.pk AS {alias}, {alias}.attrs{columns}"
        text += f" FROM {_FROM[level].partition(' JOIN ')[0]} WHERE {alias}.pk IN (SELECT found.{alias} FROM found))"
    text += f" SELECT {' || '.join(f'of_{alias}.attrs' for alias in aliases)}{''.join(f', {name}' for _, name, _, _ in computed)}"
    text += f" FROM found{''.join(f' JOIN of_{alias} USING ({alias})' for alias in aliases)} ORDER BY place"
    found = []
    for attributes, *values in registry.rows(text, [*parameters, query.offset, query.limit]):
        counts = {hex_tag(name): {"vr": vr, "Value": value} for (_, name, vr, _), value in zip(computed, values, strict=True) if value}
        found.append(attributes | counts)
    return found


def count(registry: Registry, query: Query) -> int:
    """Return the number of matches. Raises DatabaseError."""
    where, parameters = _where(query)
    return int(registry.rows(f"SELECT count(*) FROM {_FROM[query.level]}{where}", parameters)[0][0])


@dataclass(frozen=True)
class Stored:
    """Where an instance is, and the patient that it is served with."""

    orthanc_id: str
    sop_class: str
    sop_uid: str
    transfer_syntax: str
    series_uid: str
    study_uid: str
    patient: Json


def locate(registry: Registry, keys: dict[str, str]) -> list[Stored]:
    """Return the instances that match, in the order of their arrival. Raises DatabaseError."""
    where, parameters = _where(Query("IMAGE", keys))
    columns = "i.orthanc_id, i.sop_class, i.uid, i.transfer_syntax, se.uid, st.uid, p.attrs"
    rows = registry.rows(f"SELECT {columns} FROM {_FROM['IMAGE']}{where} ORDER BY i.pk", parameters)
    return [Stored(*row) for row in rows]


def _path(keyword: str) -> str:
    return f"{_ALIAS[_LEVEL_OF[keyword]]}.attrs #>> '{{{hex_tag(keyword)},Value,0}}'"


def _where(query: Query) -> tuple[str, list[Any]]:
    """Return the WHERE clause and its parameters. As upstream, a key that is not indexed at this level or above narrows nothing."""
    above = LEVELS[: LEVELS.index(query.level) + 1]
    # One that is merged into another is no patient any more; its studies are the other's.
    conditions = ["p.merged_into IS NULL"] if query.level == "PATIENT" else []
    parameters: list[Any] = []
    for keyword, value in query.keys.items():
        level = _COMPUTED[keyword][0] if keyword in _COMPUTED else _LEVEL_OF.get(keyword)
        if level not in above or not value.strip("*"):
            continue
        condition, values = _condition(keyword, value, query.fuzzy)
        conditions.append(condition)
        parameters += values
    return (" WHERE " + " AND ".join(conditions) if conditions else ""), parameters


def _condition(keyword: str, value: str, fuzzy: bool) -> tuple[str, list[Any]]:
    """Return the SQL condition of one key, and its parameters."""
    vr = dictionary_VR(hex_tag(keyword))
    if keyword in _COMPUTED:
        return f"{_COMPUTED[keyword][2]} ?| %s", [value.split("\\")]
    if keyword == "StudyInstanceUID":
        return "st.uid = ANY(%s)", [value.split("\\")]
    if keyword == "SeriesInstanceUID":
        return "se.uid = ANY(%s)", [value.split("\\")]
    if keyword == "SOPInstanceUID":
        return "i.uid = ANY(%s)", [value.split("\\")]
    if vr == "SQ":
        return "true", []
    if vr == "PN":
        return _name_condition(keyword, value, fuzzy)
    values = f"SELECT 1 FROM jsonb_array_elements_text({_ALIAS[_LEVEL_OF[keyword]]}.attrs #> '{{{hex_tag(keyword)},Value}}') v(x) WHERE"
    if vr in ("DA", "TM", "DT"):
        condition, parameters = _range_condition(value, vr)
    elif "*" in value or "?" in value or keyword in _IGNORING_CASE:
        condition, parameters = f"x {'ILIKE' if keyword in _IGNORING_CASE else 'LIKE'} %s", [_like(value)]
    else:
        condition, parameters = "trim(x) = ANY(%s)", [[part.strip() for part in value.split("\\")]]
    return f"EXISTS ({values} {condition})", parameters


def _range_condition(value: str, vr: str) -> tuple[str, list[Any]]:
    """Return the condition for a date or time; a shorter bound counts for all it begins."""
    plain = value.replace(":", "") if vr == "TM" else value
    column = "replace(x, ':', '')" if vr == "TM" else "x"
    if "-" not in plain:
        return f"left({column}, %s) = %s", [len(plain), plain]
    low, high = plain.split("-", 1)
    conditions: list[str] = []
    parameters: list[Any] = []
    if low:
        conditions.append(f"{column} >= %s")
        parameters.append(low)
    if high:
        conditions.append(f"left({column}, %s) <= %s")
        parameters += [len(high), high]
    return " AND ".join(conditions) or "true", parameters


def _name_condition(keyword: str, value: str, fuzzy: bool) -> tuple[str, list[Any]]:
    """Return the condition for a name, in any of its groups and regardless of case.

    Fuzzy: each word of the key begins a word of the name. Upstream also finds words that sound alike.
    """
    names = f"jsonb_array_elements({_ALIAS[_LEVEL_OF[keyword]]}.attrs #> '{{{hex_tag(keyword)},Value}}')"
    groups = f"SELECT 1 FROM {names} v(x), jsonb_each_text(x) g WHERE"
    if fuzzy:
        words = [word for word in _WORD_BREAK.split(value) if word]
        spaced = "' ' || regexp_replace(g.value, '[\\s^=,]+', ' ', 'g') ILIKE %s"
        return f"EXISTS ({groups} {' AND '.join([spaced] * len(words)) or 'true'})", [f"% {_like(word)}%" for word in words]
    wanted = [group for group in value.split("=") if group.strip("^")]
    each = f"EXISTS ({groups} rtrim(g.value, '^ ') ILIKE %s)"
    return " AND ".join([each] * len(wanted)) or "true", [_like(group.rstrip("^ ")) for group in wanted]


def _like(value: str) -> str:
    """Return a LIKE pattern for DICOM wildcards."""
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return escaped.replace("*", "%").replace("?", "_")


def keyword_of(name: str) -> str | None:
    """Return the keyword for a QIDO attribute name, a keyword or eight hexadecimal digits; None when there is no such attribute."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return keyword_for_tag(Tag(name)) or None
    try:
        hex_tag(name)
    except ValueError:
        return None
    return name
