"""The worklist as modalities and the engine query it (dcm4chee.md §2.3, §3, §4.2)."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import CTImageStorage, ModalityWorklistInformationFind  # type: ignore[attr-defined]

from .hl7 import ARCHIVE, ISSUER, accepted, adt, new_pid
from .orders import Order, find, mwlitems, state, worklist
from .support import SUCCESS, Trio, image

STATUS = "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus"


def test_which_ae_serves_it(trio: Trio) -> None:
    """§2.3, §8.3: WORKLIST does, DCM4CHEE does not; WORKLIST accepts no storage."""
    assert not trio.associate(build_context(ModalityWorklistInformationFind)).is_established
    assert not trio.associate(build_context(CTImageStorage), called="WORKLIST").is_established


def test_worklist_on_the_other_ae(trio: Trio) -> None:
    """§2.3: with the capability and the web service class (add-mwl-ups) C-FIND and /mwlitems answer on DCM4CHEE too, after a reload."""
    capability = f"cn=Modality Worklist Information Model - FIND SCP,dicomAETitle=DCM4CHEE,{ARCHIVE}"
    app = f"dn: dcmWebAppName=DCM4CHEE,{ARCHIVE}\nchangetype: modify\n"
    assert mwlitems(trio, aet="DCM4CHEE").status_code == 404
    trio.modify(
        f"dn: {capability}\nchangetype: add\nobjectClass: dicomTransferCapability\nobjectClass: dcmTransferCapability\n"
        "cn: Modality Worklist Information Model - FIND SCP\ndicomTransferRole: SCP\ndicomSOPClass: 1.2.840.10008.5.1.4.31\n"
        f"dicomTransferSyntax: 1.2.840.10008.1.2\n\n{app}add: dcmWebServiceClass\ndcmWebServiceClass: MWL_RS\n"
    )
    assert trio.reload() == 204
    try:
        order = Order()
        accepted(trio, order.orm())
        assert len(worklist(trio, called="DCM4CHEE", PatientID=order.pid)) == 1
        assert len(mwlitems(trio, f"PatientID={order.pid}", aet="DCM4CHEE").json()) == 1
    finally:
        trio.modify(f"dn: {capability}\nchangetype: delete\n\n{app}delete: dcmWebServiceClass\ndcmWebServiceClass: MWL_RS\n")
        assert trio.reload() == 204


@pytest.mark.parametrize(
    ("keys", "step", "found"),
    [
        ({}, {"ScheduledStationAETitle": "CT07"}, True),
        ({}, {"ScheduledStationAETitle": "CT07 "}, True),
        ({}, {"ScheduledStationAETitle": "CT08"}, False),
        ({}, {"Modality": "MR"}, True),
        ({}, {"Modality": "CT"}, False),
        ({}, {"ScheduledProcedureStepStartDate": "20260115"}, True),
        ({}, {"ScheduledProcedureStepStartDate": "20260101-"}, True),
        ({}, {"ScheduledProcedureStepStartDate": "-20260114"}, False),
        ({}, {"ScheduledProcedureStepStartDate": "20260114-20260116", "ScheduledProcedureStepStartTime": "100000-120000"}, True),
        ({}, {"ScheduledProcedureStepStartTime": "120000-"}, False),
        ({"PatientName": "quill*"}, {}, True),
        ({"PatientName": "Quilfeather*"}, {}, False),
        ({"PatientName": "Qu?llfeather^Marisol^T"}, {}, True),
        ({"IssuerOfPatientID": ISSUER}, {}, True),
        ({"IssuerOfPatientID": "OTHER"}, {}, False),
    ],
)
def test_matching(trio: Trio, keys: dict[str, Any], step: dict[str, Any], found: bool) -> None:
    """§4.2: keys of patient and step, wildcards, ranges."""
    order = Order(modality="MR")
    accepted(trio, order.omi().replace("|CT|CTHEAD", "|MR|CTHEAD").replace("CTSIM", "CT07"))
    assert bool(worklist(trio, step=step, AccessionNumber=order.accession, **keys)) is found


def test_spartan_query(trio: Trio) -> None:
    """F-DCM-2: Implicit VR only, a small PDU, an empty step sequence: all rows, each with its step filled; then a station with a blank."""
    orders = [Order(station=f"SONO{number}") for number in (3, 4)]
    orders[1].pid = orders[0].pid
    accepted(trio, *(order.omi().replace("CTSIM", order.station) for order in orders))
    query = Dataset()
    query.PatientName, query.PatientID = None, orders[0].pid
    query.ScheduledProcedureStepSequence = Sequence([])
    association = trio.associate(build_context(ModalityWorklistInformationFind, ImplicitVRLittleEndian), called="WORKLIST", max_pdu=16000)
    answers = [match for _, match in association.send_c_find(query, ModalityWorklistInformationFind) if match]
    association.release()
    assert sorted(row.ScheduledProcedureStepSequence[0].ScheduledStationAETitle for row in answers) == ["SONO3", "SONO4"]
    item = Dataset()
    item.ScheduledStationAETitle, item.ScheduledProcedureStepStartDate = "SONO3 ", "20260101-"
    query.ScheduledProcedureStepSequence = [item]
    (row,) = find(trio, query)
    assert set(row.ScheduledProcedureStepSequence[0].keys()) == set(item.keys())


def test_hidden_states(trio: Trio) -> None:
    """§4.2, §3: STARTED, CANCELED, DISCONTINUED, COMPLETED are hidden, and seen when asked for by name, by C-FIND and REST alike."""
    pid = new_pid()
    orders = {name: Order() for name in ("STARTED", "CANCELED", "DISCONTINUED", "COMPLETED", "SCHEDULED")}
    for order in orders.values():
        order.pid = pid
    accepted(trio, *(order.orm() for order in orders.values()))
    for name, order in orders.items():
        url = trio.url(f"/aets/WORKLIST/rs/mwlitems/{order.uid}/{order.step}/status/{name}")
        assert requests.post(url, timeout=30).status_code in (200, 204)
    assert [row.AccessionNumber for row in worklist(trio, PatientID=pid)] == [orders["SCHEDULED"].accession]
    assert len(mwlitems(trio, f"PatientID={pid}").json()) == 1
    for name, order in orders.items():
        rows = worklist(trio, PatientID=pid, step={"ScheduledProcedureStepStatus": name})
        assert [row.AccessionNumber for row in rows] == [order.accession]
        (item,) = mwlitems(trio, f"PatientID={pid}&{STATUS}={name}").json()
        assert item["00400100"]["Value"][0]["00400020"]["Value"] == [name]


def test_list_of_states_is_one_query(trio: Trio) -> None:
    """mirth-patterns.md §11.2: a comma list is one query, so is the repeated parameter."""
    pid = new_pid()
    one, two = Order(), Order()
    one.pid = two.pid = pid
    accepted(trio, one.orm(), two.orm("CA", "CA"))
    for query in (f"{STATUS}=SCHEDULED,CANCELED", f"{STATUS}=SCHEDULED&{STATUS}=CANCELED"):
        assert len(mwlitems(trio, f"PatientID={pid}&{query}").json()) == 2
    assert mwlitems(trio, f"PatientID={pid}&00400100.00400020=CANCELED").json()[0]["00080050"]["Value"] == [two.accession]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("StudyInstanceUID=1.2.3.4", 204),
        ("NoSuchThing=1", 400),
        ("limit=0", 400),
        ("limit=1", 200),
        ("ScheduledProcedureStepSequence.X=1", 400),
    ],
)
def test_rest_status_codes(trio: Trio, query: str, status: int) -> None:
    """§3: 204 without a match, 400 for an unknown parameter or a limit out of range."""
    accepted(trio, Order().orm())
    assert mwlitems(trio, query).status_code == status


def test_unknown_ae(trio: Trio) -> None:
    """§3: 404 on an AE that does not exist or has no worklist."""
    assert [mwlitems(trio, aet=aet).status_code for aet in ("NOBODY", "DCM4CHEE")] == [404, 404]


def item_of(order: Order, pid: str) -> dict[str, Any]:
    """Return an item as DICOM JSON."""
    step = {
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00400001": {"vr": "AE", "Value": ["CT01"]},
        "00400002": {"vr": "DA", "Value": ["20260115"]},
        "00400003": {"vr": "TM", "Value": ["110000"]},
        "00400009": {"vr": "SH", "Value": [order.step]},
    }
    return {
        "00080050": {"vr": "SH", "Value": [order.accession]},
        "00100020": {"vr": "LO", "Value": [pid]},
        "00100021": {"vr": "LO", "Value": [ISSUER]},
        "0020000D": {"vr": "UI", "Value": [order.uid]},
        "00400100": {"vr": "SQ", "Value": [step]},
        "00401001": {"vr": "SH", "Value": [order.procedure]},
    }


@pytest.mark.parametrize("aet", ["DCM4CHEE", "WORKLIST"])
def test_item_by_rest(trio: Trio, aet: str) -> None:
    """§3: POST on either AE; the patient must exist, else 404. DELETE takes the item away, 404 the second time."""
    order = Order()
    url, json_type = trio.url(f"/aets/{aet}/rs/mwlitems"), {"Content-Type": "application/dicom+json"}
    assert requests.post(url, json=item_of(order, order.pid), headers=json_type, timeout=30).status_code == 404
    accepted(trio, adt("A04", order.pid))
    assert requests.post(url, json=item_of(order, order.pid), headers=json_type, timeout=30).status_code == 200
    (row,) = worklist(trio, PatientID=order.pid)
    assert (row.AccessionNumber, str(row.PatientName)) == (order.accession, "Quillfeather^Marisol^T")
    gone = trio.url(f"/aets/{aet}/rs/mwlitems/{order.uid}/{order.step}")
    assert [requests.delete(gone, timeout=30).status_code for _ in range(2)] == [204, 404]
    assert state(trio, order) == ""


@pytest.mark.parametrize(
    ("name", "charset", "codec", "expected"),
    [("Åkesson^Jörg", "8859/1", "latin-1", "ISO_IR 100"), ("山田^太郎", "UNICODE UTF-8", "utf-8", "ISO_IR 192")],
)
def test_character_set_of_the_answer(trio: Trio, name: str, charset: str, codec: str, expected: str) -> None:
    """§4.2: the answer is in a character set that holds the patient: a Japanese name comes as ISO_IR 192 also to ISO_IR 100."""
    order = Order(name=name)
    accepted(trio, order.orm(charset=charset).encode(codec))
    (row,) = worklist(trio, PatientID=order.pid, SpecificCharacterSet="ISO_IR 100")
    assert (str(row.PatientName), row.SpecificCharacterSet) == (name, expected)


def test_images_do_not_touch_the_item(trio: Trio) -> None:
    """§4.2: storing images does not change the item, and no accession number is copied to the images."""
    order = Order()
    accepted(trio, order.orm())
    sent = image(PatientID=order.pid, IssuerOfPatientID=ISSUER, StudyInstanceUID=order.uid, AccessionNumber="")
    assert trio.store(sent)[0].Status == SUCCESS
    assert state(trio, order) == "SCHEDULED"
    assert "Value" not in trio.found(f"studies?StudyInstanceUID={order.uid}")[0].get("00080050", {})


def test_many_rows(trio: Trio) -> None:
    """§8.4: many rows by C-FIND: each once, in one answer."""
    pid, total = new_pid(), 120
    orders = [Order() for _ in range(total)]
    for order in orders:
        order.pid = pid
    accepted(trio, *(order.orm() for order in orders))
    assert sorted(row.AccessionNumber for row in worklist(trio, PatientID=pid)) == sorted(order.accession for order in orders)
    assert len(mwlitems(trio, f"PatientID={pid}&limit=50&offset=100").json()) == 20
