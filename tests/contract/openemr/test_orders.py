"""How orders leave: the form, both generators, what is written and where."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import pytest

from .support import SELF_SIGNED, Browser, Emr, Rest, mode

pytestmark = SELF_SIGNED
CT, XR = "CTHEAD", "XRCHEST"


@dataclass
class Visit:
    """A patient in an open encounter."""

    pid: int
    uuid: str
    encounter: int


@pytest.fixture
def visit(emr: Emr, rest: Rest, admin: Browser) -> Visit:
    pid, uuid = emr.patient(rest, street="1 Main St", city="Town", state="ST", postal_code="12345")
    encounter = emr.encounter(rest, uuid)
    admin.open_encounter(pid, encounter)
    return Visit(pid, uuid, encounter)


def procedure(emr: Emr, code: str) -> int:
    return int(
        emr.value(
            f"SELECT procedure_type_id FROM procedure_type WHERE procedure_code = '{code}' AND procedure_type = 'ord' ORDER BY 1 LIMIT 1"
        )
    )


def newest(emr: Emr) -> int:
    return int(emr.value("SELECT MAX(procedure_order_id) FROM procedure_order"))


def message(emr: Emr, name: str) -> list[str]:
    """The segments of an order file, its times replaced by NOW."""
    content = emr.container.exec("sh", "-c", f"tr '\\r' '\\n' < /hl7/orders/{name}")
    return re.sub(r"\b20\d{12}\b", "NOW", content).splitlines()


def universal(emr: Emr, number: int) -> list[str]:
    """OBR-4 of what the universal generator makes of an order."""
    file = "/interface/procedure_tools/gen_universal_hl7/gen_hl7_order.inc.php"
    made = emr.php(f"require $webserver_root . '{file}'; $hl7 = ''; gen_hl7_order({number}, $hl7); echo $hl7;")
    return [segment.split("|")[4] for segment in made.splitlines() if segment.startswith("OBR")]


def transmit(emr: Emr, admin: Browser, codes: list[tuple[int, str]], fields: dict[str, str] | None = None) -> tuple[int, list[str]]:
    answer = admin.order(codes, fields)
    assert answer.status_code == 302, answer.text
    number = newest(emr)
    return number, message(emr, f"OEMR-{number:04}.txt")


def test_universal_message(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§7.4: the example, to the letter. Both procedures share one number and one message."""
    codes = [(procedure(emr, CT), "ICD10:R51.9"), (procedure(emr, XR), "ICD10:J18.9;ICD10:R05")]
    number, segments = transmit(emr, admin, codes, {"form_order_priority": "high"})
    order, pid, visited = f"OEMR-{number:04}", visit.pid, visit.encounter
    assert segments == [
        rf"MSH|^~\&|OPENEMR|OEMR|MIRTH|RADLAB|NOW||ORM^O01|{order}|P|2.3",
        f"PID|1|{pid}|{pid}||Doe^Jane||19800102|F|||1 Main St^^Town^ST^12345|||||||{visited}||||",
        "NTE|1|L|medications NONE",
        f"PV1|1||||||1234567893^House^Greg||||||||||||{visited}|||||||||||||",
        "IN1|1||||||||||||||||||||||||||||||||||||||||||||||P",
        "GT1|1||Doe^Jane||1 Main St^^Town^ST^12345|||19800102|F||self|",
        f"ORC|NW|{order}|||||||NOW|||1234567893^House^Greg||||||||2",
        f"OBR|1|{order}||CTHEAD^CT Head w/o contrast|S|||||||||||1234567893^House^Greg||P|||||||||0",
        "DG1|1||R51.9^^I10|",
        f"OBR|2|{order}||XRCHEST^X-Ray Chest 2 views|S|||||||||||1234567893^House^Greg||P|||||||||0",
        "DG1|1||J18.9^^I10|",
        "DG1|2||R05^^I10|",
    ]
    assert mode(emr.container, f"/hl7/orders/{order}.txt") == "644 1000:1000"


def test_what_a_transmission_leaves(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.1, §3.2, §7.4: rows, date_transmitted, the log; the status stays as the user chose it."""
    since = emr.log_end()
    number, _ = transmit(emr, admin, [(procedure(emr, CT), "ICD10:R51.9")])
    row = emr.sql(
        "SELECT patient_id, encounter_id, order_status, activity, procedure_order_type, date_transmitted IS NULL "
        f"FROM procedure_order WHERE procedure_order_id = {number}"
    )
    assert row == [[str(visit.pid), str(visit.encounter), "", "1", "imaging", "0"]]
    code = emr.sql(
        "SELECT procedure_order_seq, procedure_code, procedure_name, diagnoses, do_not_send, procedure_source "
        f"FROM procedure_order_code WHERE procedure_order_id = {number}"
    )
    assert code == [["1", CT, "CT Head w/o contrast", "ICD10:R51.9", "0", "1"]]
    form = emr.sql(f"SELECT formdir, deleted, pid, encounter FROM forms WHERE form_id = {number} AND formdir = 'procedure_order'")
    assert form == [["procedure_order", "0", str(visit.pid), str(visit.encounter)]]
    assert [text for text, _ in emr.log(since, "proc_order_xmit")] == [f"ID: OEMR-{number:04} Protocol: FS Host: "]


def test_question_goes_out_as_obx(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.1, §3.2: the answer to a question at order entry."""
    number, segments = transmit(emr, admin, [(procedure(emr, CT), "ICD10:R51.9")], {"ans0_REASON": "fall & headache"})
    assert segments[-1] == r"OBX|1|ST|REASON||fall \T\ headache"
    assert emr.sql(f"SELECT question_code, answer FROM procedure_answers WHERE procedure_order_id = {number}") == [
        ["REASON", "fall & headache"]
    ]


def test_saving_sends_nothing_and_a_saved_order_is_transmitted(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.2: bn_save, then the same order with bn_xmit; a re-transmission has the same number."""
    codes = [(procedure(emr, CT), "ICD10:R51.9")]
    assert admin.order(codes, button="bn_save").status_code == 302
    number = newest(emr)
    file = f"/hl7/orders/OEMR-{number:04}.txt"
    assert emr.container.try_exec("test", "-e", file).returncode == 1
    assert emr.value(f"SELECT date_transmitted FROM procedure_order WHERE procedure_order_id = {number}") == "NULL"
    for _ in range(2):
        assert admin.order(codes, number=number).status_code == 302
        assert newest(emr) == number
        assert f"|OEMR-{number:04}|P|2.3" in message(emr, f"OEMR-{number:04}.txt")[0]


@pytest.mark.parametrize(
    ("diagnosis", "fields", "said"),
    [
        ("", {}, "At least one diagnosis is required"),
        ("ICD10:R05", {"form_provider_id": ""}, "Ordering Provider is required"),
        ("ICD10:R05", {"form_order_psc": ""}, "not a PSC Hold Order"),
        ("ICD10:R05", {"form_order_abn": "required"}, "ABN is required"),
        ("ICD10:R05", {"form_billing_type": "T"}, "does not have any payers"),
    ],
    ids=["diagnosis", "provider", "collection", "abn", "payer"],
)
def test_refused_order_is_saved(emr: Emr, admin: Browser, visit: Visit, diagnosis: str, fields: dict[str, str], said: str) -> None:
    """§3.2, §7.4: checks before the message; what fails is saved all the same, so numbers have gaps."""
    before = newest(emr) if emr.value("SELECT COUNT(*) FROM procedure_order") != "0" else 0
    answer = admin.order([(procedure(emr, CT), diagnosis)], fields)
    assert answer.status_code == 200
    assert said in answer.text
    assert newest(emr) == before + 1
    assert emr.value(f"SELECT date_transmitted FROM procedure_order WHERE procedure_order_id = {newest(emr)}") == "NULL"


def test_missing_folder(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.3, §7.4: nothing is sent, the order's log says why."""
    emr.sql("UPDATE procedure_providers SET orders_path = '/hl7/nowhere' WHERE name = 'Imaging'")
    try:
        answer = admin.order([(procedure(emr, CT), "ICD10:R05")])
        number = newest(emr)
        assert answer.status_code == 302
        assert f'Cannot create file "/hl7/nowhere/OEMR-{number:04}.txt"' in admin.get(
            answer.headers["Location"].split(emr.url)[-1]
        ).text.replace("&quot;", '"')
        assert emr.value(f"SELECT date_transmitted FROM procedure_order WHERE procedure_order_id = {number}") == "NULL"
    finally:
        emr.sql("UPDATE procedure_providers SET orders_path = '/hl7/orders' WHERE name = 'Imaging'")


def test_escapes_and_what_is_dropped(emr: Emr, rest: Rest, admin: Browser) -> None:
    """§7.4: names are escaped, umlauts stay UTF-8, foreign phones go, ZIP loses its hyphen, other sexes are U; drugs and a line feed are
    not escaped; clinical history is not sent."""
    pid, uuid = emr.patient(
        rest,
        "O'Neil & Söhne^|~\\",
        "Zoë",
        sex="Other",
        street="1 A\n2 B",
        postal_code="90-001",
        phone_home="+49 30 12",
        phone_biz="555-555-0100",
        ss="123456789",
    )
    emr.sql(
        f"INSERT INTO prescriptions SET patient_id = {pid}, drug = 'Drug | A & B^2', active = 1, txDate = '2026-01-01', "
        "usage_category_title = '', request_intent_title = ''"
    )
    admin.open_encounter(pid, emr.encounter(rest, uuid))
    admin.order(
        [(procedure(emr, CT), "ICD10:R05")],
        {"form_clinical_hx": "secret history", "form_date_collected": "2026-01-10 09:30:00", "form_order_psc": ""},
    )
    # Encoded, because reading text would make every line end the same.
    content = base64.b64decode(emr.container.exec("base64", f"/hl7/orders/OEMR-{newest(emr):04}.txt")).decode()
    segments = {segment[:3]: segment.split("|") for segment in content.split("\r")}
    assert segments["PID"][5] == r"O'Neil \T\ Söhne\S\\F\\R\\E\^Zoë"
    assert segments["PID"][8] == "U"
    assert segments["PID"][11] == "1 A\n2 B^^^^90001"
    assert segments["PID"][13:15] == ["", "(555)555-0100"]
    assert segments["PID"][19] == segments["GT1"][12] == "123-45-6789"
    assert "medications Drug | A & B^2\r" in content
    assert segments["OBR"][7] == "20260110093000"
    assert "secret" not in content


def test_insurance(emr: Emr, rest: Rest, admin: Browser) -> None:
    """§3.2: one IN1 for each payer, OBR-18 I; billing to the clinic omits GT1."""
    pid, uuid = emr.patient(rest)
    emr.sql("INSERT IGNORE INTO insurance_companies SET id = 77, name = 'Payer & Co'")
    emr.sql(f"INSERT INTO insurance_data SET type = 'primary', provider = '77', pid = {pid}, policy_number = 'POL1', "
            "group_number = 'G1', subscriber_lname = 'Doe', "
            "subscriber_fname = 'Jane', subscriber_relationship = 'self', date = '2020-01-01'")  # fmt: skip
    admin.open_encounter(pid, emr.encounter(rest, uuid))
    _, segments = transmit(emr, admin, [(procedure(emr, CT), "ICD10:R05")], {"form_billing_type": "T"})
    fields = next(segment for segment in segments if segment.startswith("IN1")).split("|")
    assert (fields[1], fields[4], fields[8], fields[16], fields[17], fields[22], fields[36]) == (
        "1",
        r"Payer \T\ Co",
        "G1",
        "Doe^Jane^",
        "self",
        "1",
        "POL1",
    )
    assert next(segment for segment in segments if segment.startswith("OBR")).split("|")[18] == "I"
    _, segments = transmit(emr, admin, [(procedure(emr, CT), "ICD10:R05")], {"form_billing_type": "C"})
    assert [segment[:3] for segment in segments] == ["MSH", "PID", "NTE", "PV1", "IN1", "ORC", "OBR", "DG1"]
    assert segments[4].endswith("|C")


def test_classic_message(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.2, §7.4: the bare number, its own medication line, no IN1 without payers, GT1 always. No token is asked for."""
    admin.order([(procedure(emr, CT), "ICD10:R51.9")], button="bn_save")
    number = newest(emr)
    assert admin.post("/interface/orders/list_reports.php", {"form_xmit": "1", "form_cb[]": str(number)}).status_code == 200
    segments = message(emr, f"{number:04}.txt")
    assert [segment[:3] for segment in segments] == ["MSH", "PID", "NTE", "PV1", "GT1", "ORC", "OBR", "DG1"]
    assert segments[0].endswith(f"|ORM^O01|{number:04}|P|2.3")
    assert segments[2] == "NTE|1|L|Medications:NONE"
    assert segments[5].startswith(f"ORC|NW|{number:04}|")
    assert emr.value(f"SELECT date_transmitted IS NULL FROM procedure_order WHERE procedure_order_id = {number}") == "0"


def test_classic_generator_joins_by_name(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.2, §7.4: the same name in another lab's catalogue doubles the line, a renamed one disappears; the universal one sends both."""
    admin.order([(procedure(emr, CT), "ICD10:R05"), (procedure(emr, XR), "ICD10:R05")], button="bn_save")
    number = newest(emr)
    emr.sql("INSERT INTO procedure_type SET name = 'CT Head w/o contrast', lab_id = 9999, procedure_code = 'OTHER', procedure_type = 'ord'")
    emr.sql("UPDATE procedure_type SET name = 'Chest, new name' WHERE procedure_code = 'XRCHEST'")
    try:
        admin.post("/interface/orders/list_reports.php", {"form_xmit": "1", "form_cb[]": str(number)})
        lines = [segment for segment in message(emr, f"{number:04}.txt") if segment.startswith("OBR")]
        assert [line.split("|")[4] for line in lines] == ["CTHEAD^CT Head w/o contrast"] * 2
        assert universal(emr, number) == ["CTHEAD^CT Head w/o contrast", "XRCHEST^X-Ray Chest 2 views"]
    finally:
        emr.sql(
            "DELETE FROM procedure_type WHERE lab_id = 9999; "
            "UPDATE procedure_type SET name = 'X-Ray Chest 2 views' WHERE procedure_code = 'XRCHEST'"
        )


def test_generators_by_php(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.5b, §7.4: the functions without a browser; send_hl7_order() leaves date_transmitted alone, and a cancelled order is still NW."""
    admin.order([(procedure(emr, CT), "ICD10:R05")], {"form_order_status": "canceled"}, button="bn_save")
    number = newest(emr)
    code = (
        "$_SESSION['authUser'] = 'admin'; $_SESSION['authProvider'] = 'Default'; "
        "require $webserver_root . '/interface/procedure_tools/gen_universal_hl7/gen_hl7_order.inc.php'; "
        "$lab = sqlQuery('SELECT ppid FROM procedure_providers WHERE name = ?', ['Imaging'])['ppid']; "
        f"$hl7 = ''; echo gen_hl7_order({number}, $hl7), send_hl7_order((int)$lab, $hl7);"
    )
    assert emr.php(code) == ""
    assert f"ORC|NW|OEMR-{number:04}|||||||NOW|||1234567893^House^Greg||||||||2" in message(emr, f"OEMR-{number:04}.txt")
    assert emr.value(f"SELECT date_transmitted FROM procedure_order WHERE procedure_order_id = {number}") == "NULL"


def test_rows_not_to_be_sent(emr: Emr, admin: Browser, visit: Visit) -> None:
    """§3.2: do_not_send."""
    admin.order([(procedure(emr, CT), "ICD10:R05"), (procedure(emr, XR), "ICD10:R05")], button="bn_save")
    number = newest(emr)
    emr.sql(f"UPDATE procedure_order_code SET do_not_send = 1 WHERE procedure_order_id = {number} AND procedure_code = 'CTHEAD'")
    assert universal(emr, number) == ["XRCHEST^X-Ray Chest 2 views"]
