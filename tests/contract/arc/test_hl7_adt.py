"""Patient messages: register, change, merge (dcm4chee.md §4.1, §4.4)."""

from __future__ import annotations

import pytest

from .hl7 import ISSUER, accepted, adt, line, message, mrg, name_of, new_pid, patient, pid_segment, send
from .support import SUCCESS, Trio, first, image


@pytest.mark.parametrize("event", ["A04", "A08", "A28", "A31", "A11"])
def test_unknown_patient_is_created(trio: Trio, event: str) -> None:
    """§4.1: A04, A08, A28, A31, A11 create the patient if unknown."""
    pid = new_pid()
    accepted(trio, adt(event, pid))
    match = patient(trio, pid)[0]
    assert (name_of(match), first(match, "00100021")) == ("Quillfeather^Marisol^T", ISSUER)
    assert (first(match, "00100030"), first(match, "00100040")) == ("19840229", "F")


def test_components_of_a_name(trio: Trio) -> None:
    """workflow.md §2.3: family^given^middle^suffix^prefix^degree becomes DICOM's family^given^middle^prefix^suffix."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, name="Doe^Jane^Q^Jr^Dr^MD"))
    assert name_of(patient(trio, pid)[0]) == "Doe^Jane^Q^Dr^Jr MD"


def test_only_the_first_repetition_of_a_name(trio: Trio) -> None:
    """§4.1: PID-5 repetitions: only the first is kept."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, name="Yamada^Tarou~山田^太郎"))
    assert patient(trio, pid)[0]["00100010"]["Value"] == [{"Alphabetic": "Yamada^Tarou"}]


def test_empty_name_erases(trio: Trio) -> None:
    """§4.1: an empty PID-5 erases the stored name; what the message does not reach stays."""
    pid = new_pid()
    accepted(trio, adt("A04", pid), message("ADT^A08", f"PID|1||{pid}^^^{ISSUER}||"))
    match = patient(trio, pid)[0]
    assert (name_of(match), first(match, "00100030")) == ("", "19840229")
    accepted(trio, adt("A08", pid), message("ADT^A08", f"PID|1||{pid}^^^{ISSUER}"))
    assert name_of(patient(trio, pid)[0]) == "Quillfeather^Marisol^T"


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (r"O\T\Neil^A\F\B", "O&Neil^A|B"),
        (r"\H\Bold\N\^\Z01\x", "Bold^x"),
        (r"Ren\X65\^Jean", "Rene^Jean"),
        (r"Bre\X0D\ak^Jean", "Bre"),
    ],
)
def test_escapes(trio: Trio, sent: str, seen: str) -> None:
    r"""§4.1: \T\ \F\ are decoded, \H\ \N\ \Z..\ dropped; \X0D\ ends the segment."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, name=sent))
    assert name_of(patient(trio, pid)[0]) == seen


def test_another_escape_character(trio: Trio) -> None:
    """§4.1: with BEL in MSH-2 as escape character BEL-escapes work."""
    pid = new_pid()
    accepted(trio, message("ADT^A04", pid_segment(pid, name="O\x07T\x07Neil^Jean"), escape="\x07"))
    assert name_of(patient(trio, pid)[0]) == "O&Neil^Jean"


def test_new_name_appears_on_studies_and_in_files(trio: Trio) -> None:
    """§4.1: a new name appears on every study and in retrieved files."""
    pid = new_pid()
    sent = image(PatientID=pid, IssuerOfPatientID=ISSUER, PatientName="Quillfeather^Marisol^T")
    accepted(trio, adt("A04", pid))
    assert trio.store(sent)[0].Status == SUCCESS
    accepted(trio, adt("A08", pid, name="Quillfeather-Adeyemi^Marisol"))
    match = trio.found(f"studies?StudyInstanceUID={sent.StudyInstanceUID}")[0]
    assert name_of(match) == "Quillfeather-Adeyemi^Marisol"
    assert str(trio.file(sent).PatientName) == "Quillfeather-Adeyemi^Marisol"


def test_merge(trio: Trio) -> None:
    """§4.1: both studies end under the survivor; a repeated A40 is AR 204; the id is burnt; an image with it goes to the survivor."""
    old, new = new_pid(), new_pid()
    images = [image(PatientID=pid, IssuerOfPatientID=ISSUER) for pid in (old, new, old)]
    accepted(trio, adt("A04", old), adt("A04", new))
    assert [answer.Status for answer in trio.store(*images[:2])] == [SUCCESS] * 2
    accepted(trio, adt("A40", new, mrg(old)))
    uids = {first(match, "0020000D") for match in trio.found(f"studies?PatientID={new}")}
    assert uids == {ds.StudyInstanceUID for ds in images[:2]}
    assert not trio.found(f"studies?PatientID={old}")
    assert not patient(trio, old)
    assert send(trio, adt("A40", new, mrg(old)), adt("A04", old), adt("A08", old)) == ["AR 204"] * 3
    assert trio.store(images[2])[0].Status == SUCCESS
    assert len(trio.found(f"studies?PatientID={new}")) == 3
    assert trio.file(images[0]).PatientID == new


def test_merge_with_a_list_of_numbers(trio: Trio) -> None:
    """F-ENG-3: of a list in MRG-1 the first number is merged; what else is in it makes no patient."""
    old, new = new_pid(), new_pid()
    images = [image(PatientID=pid, IssuerOfPatientID=ISSUER) for pid in (old, new)]
    accepted(trio, adt("A04", old), adt("A04", new))
    assert [answer.Status for answer in trio.store(*images)] == [SUCCESS] * 2
    accepted(trio, adt("A40", new, f'{mrg(old)}&2.25.1&ISO^MR~""^^^NATREG^NNNLD||||||Castellano^B'))
    uids = {first(match, "0020000D") for match in trio.found(f"studies?PatientID={new}")}
    assert uids == {ds.StudyInstanceUID for ds in images}
    assert not trio.found(f"studies?PatientID={old}")
    names = [first(match, "00100020") for match in trio.found("patients")]
    assert new in names
    assert not [name for name in names if not name or '"' in name or "<" in name]


def test_refused_merge_says_where(trio: Trio) -> None:
    """§4.1: a repeated A40 names MRG-1, an A08 of the merged id PID-3, both the survivor."""
    old, new = new_pid(), new_pid()
    accepted(trio, adt("A40", new, mrg(old)))
    with line(trio) as connection:
        repeated, changed = connection.send(adt("A40", new, mrg(old))), connection.send(adt("A08", old))
    assert (repeated.location, changed.location) == ("MRG^1^1", "PID^1^3")
    assert all("merged with" in answer.reason and new in answer.reason for answer in (repeated, changed))


def test_unknown_prior_id_is_burnt(trio: Trio) -> None:
    """§4.1: a prior id that is unknown is created and merged in the same step: later A04, A08, ORM with it AR 204."""
    old, new = new_pid(), new_pid()
    accepted(trio, adt("A40", new, mrg(old)))
    order = message("ORM^O01", pid_segment(old), "ORC|NW|1|1||SC", "OBR|1|1|1|X", "ZDS|1.2.3")
    assert send(trio, adt("A04", old), order) == ["AR 204"] * 2


def test_merge_with_itself(trio: Trio) -> None:
    """The ids of both sides are compared: AR 205, without a change."""
    pid = new_pid()
    accepted(trio, adt("A04", pid))
    assert send(trio, adt("A40", pid, mrg(pid)), adt("A08", pid)) == ["AR 205", "AA"]


def test_change_of_id(trio: Trio) -> None:
    """§4.1: A47 changes an id."""
    old, new = new_pid(), new_pid()
    sent = image(PatientID=old, IssuerOfPatientID=ISSUER)
    accepted(trio, adt("A04", old))
    assert trio.store(sent)[0].Status == SUCCESS
    accepted(trio, message("ADT^A47", pid_segment(new), mrg(old)))
    assert not patient(trio, old)
    assert first(trio.found(f"studies?PatientID={new}")[0], "0020000D") == sent.StudyInstanceUID
    other = new_pid()
    accepted(trio, adt("A04", other))
    assert send(trio, message("ADT^A47", pid_segment(other), mrg(new))) == ["AR 205"]


def test_missing_ids_of_a_merge(trio: Trio) -> None:
    """§4.1: an empty PID-3 is AE 101; so is an empty MRG-1."""
    with line(trio) as connection:
        answer = connection.send(adt("A40", new_pid(), "MRG|"))
    assert (answer.short, answer.location) == ("AE 101", "MRG^1^1")


def test_issuer_of_another_authority_is_another_patient(trio: Trio) -> None:
    """§4.4: HL7 patient HOSP and the default rule: an image without issuer makes a second patient with a hash issuer, 0000."""
    pid = new_pid()
    accepted(trio, adt("A04", pid))
    assert trio.store(image(PatientID=pid))[0].Status == SUCCESS
    issuers = {first(match, "00100021") for match in patient(trio, pid)}
    assert (len(issuers), ISSUER in issuers) == (2, True)
    # An HL7 id without issuer could now mean either.
    assert send(trio, adt("A08", pid, issuer="")) == ["AR 205"]
    assert send(trio, adt("A08", pid)) == ["AA"]


def test_patient_without_issuer_takes_that_of_the_first_image(trio: Trio) -> None:
    """§4.4: PID-3.4 empty and the default rule: the first image gives its hash issuer; one with another spelling ends in AR 205."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, issuer=""))
    assert trio.store(image(PatientID=pid))[0].Status == SUCCESS
    assert [first(match, "00100021").startswith("DCM4CHEE.") for match in patient(trio, pid)] == [True]
    accepted(trio, adt("A08", pid, issuer=""))
    assert trio.store(image(PatientID=pid, PatientName="Quilfeather^Marisol"))[0].Status == SUCCESS
    assert len(patient(trio, pid)) == 2
    assert send(trio, adt("A08", pid, issuer="")) == ["AR 205"]


@pytest.mark.parametrize("issuer", [ISSUER, ""])
def test_constant_issuer_keeps_images_with_the_patient(trio: Trio, issuer: str) -> None:
    """§4.4: with a constant issuer images are the HL7 patient's, also with another spelling; the stored name stays the HL7 one."""
    pid = new_pid()
    accepted(trio, adt("A04", pid, issuer=issuer))
    with trio.issuer(ISSUER):
        sent = image(PatientID=pid, PatientName="Quilfeather^Marisol")
        assert trio.store(sent)[0].Status == SUCCESS
    match = patient(trio, pid)
    assert [(name_of(found), first(found, "00100021")) for found in match] == [("Quillfeather^Marisol^T", ISSUER)]


def test_explicit_other_issuer_is_another_patient(trio: Trio) -> None:
    """§4.4: an object for another patient in an existing study: A778."""
    pid = new_pid()
    accepted(trio, adt("A04", pid))
    sent = image(PatientID=pid, IssuerOfPatientID=ISSUER)
    assert trio.store(sent)[0].Status == SUCCESS
    foreign = image(PatientID=pid, IssuerOfPatientID="CTROOM2", StudyInstanceUID=sent.StudyInstanceUID)
    assert trio.store(foreign)[0].Status == 0xA778


def test_a_foreign_first_object_takes_the_study(trio: Trio) -> None:
    """§4.4: the first object decides: a foreign patient's object that comes first takes the ordered study UID with 0000."""
    mine, other = new_pid(), new_pid()
    accepted(trio, adt("A04", mine), adt("A04", other))
    first_object = image(PatientID=other, IssuerOfPatientID=ISSUER)
    second = image(PatientID=mine, IssuerOfPatientID=ISSUER, StudyInstanceUID=first_object.StudyInstanceUID)
    assert [answer.Status for answer in trio.store(first_object, second)] == [SUCCESS, 0xA778]
