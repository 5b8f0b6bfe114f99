"""Is everything still there? What was stored, looked at again after whatever happened to the lab."""

from __future__ import annotations

from collections.abc import Iterable

from .compare import as_json, differences, frames_of, read
from .phantoms import Study
from .web import DicomWeb


def missing(studies: Iterable[Study], dicomweb: DicomWeb) -> list[str]:
    """Return in words what is no longer there as it was sent: each study in QIDO-RS, each object with its pixels and attributes."""
    found = []
    for study in studies:
        if not dicomweb.search("/studies", StudyInstanceUID=study.uid):
            found.append(f"QIDO-RS does not find the {study}")
            continue
        for obj in study.objects:
            try:
                back = read(dicomweb.file(study.uid, study.series_uid, obj.SOPInstanceUID))
            except AssertionError as error:
                found.append(str(error))
                continue
            if frames_of(back) != frames_of(obj):
                found.append(f"{obj.SOPInstanceUID} of the {study} has other pixels")
            found += [f"{obj.SOPInstanceUID}: {change}" for change in differences(obj, as_json(back))]
    return found


def assert_everything_still_there(studies: Iterable[Study], dicomweb: DicomWeb) -> None:
    """Raises AssertionError with what is missing; `dicomweb` is the archive's own, inside, so that only the archive is asked."""
    lost = missing(studies, dicomweb)
    assert not lost, f"lost: {'; '.join(lost[:5])}" + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
