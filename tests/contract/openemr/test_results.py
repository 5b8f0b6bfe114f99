"""How results come in: §7.5's table, and what the importer leaves. poll_hl7_results() is called as a background service calls it."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass

import pytest

from .support import DOCUMENTS, SELF_SIGNED, Browser, Emr, Rest

pytestmark = SELF_SIGNED
numbers = itertools.count(1)
POLL = (
    "$_SESSION['authUser'] = 'admin'; $_SESSION['authProvider'] = 'Default'; $info = []; "
    "require_once $webserver_root . '/interface/orders/receive_hl7_results.inc.php'; "
    "$said = poll_hl7_results($info, (int)sqlQuery('SELECT ppid FROM procedure_providers WHERE name = ?', ['Imaging'])['ppid']); "
    "echo json_encode(['said' => $said, 'info' => $info], JSON_INVALID_UTF8_SUBSTITUTE);"
)
PDF = b"%PDF-1.4 a report of the contract %%EOF"


@dataclass
class Order:
    """A transmitted order with two procedures."""

    number: int
    pid: int
    encounter: int


@pytest.fixture(scope="module")
def order(emr: Emr, rest: Rest, admin: Browser) -> Order:
    """One for the whole module: each test looks at what it added."""
    return make_order(emr, rest, admin)


def make_order(emr: Emr, rest: Rest, admin: Browser) -> Order:
    pid, uuid = emr.patient(rest)
    encounter = emr.encounter(rest, uuid)
    admin.open_encounter(pid, encounter)
    types = [
        int(row[0])
        for row in emr.sql("SELECT procedure_type_id FROM procedure_type WHERE procedure_type = 'ord' AND lab_id < 9999 ORDER BY 1")
    ]
    assert admin.order([(types[0], "ICD10:R51.9"), (types[1], "ICD10:R05")]).status_code == 302
    return Order(int(emr.value("SELECT MAX(procedure_order_id) FROM procedure_order")), pid, encounter)


def oru(
    order: Order,
    *observations: str,
    head: str = "MIRTH|RADLAB|OPENEMR|OEMR",
    placer: str = "",
    pv1: str | None = None,
    code: str = "CTHEAD",
    status: str = "F",
) -> str:
    """§3.4: the smallest message that passes, with these segments after OBR."""
    visit = f"PV1|1|O|||||||||||||||||{order.encounter}" if pv1 is None else pv1
    placer = placer or str(order.number)
    return "\r".join(
        [
            rf"MSH|^~\&|{head}|20260110120000||ORU^R01|A1|P|2.3",
            f"PID|1||{order.pid}||DOE^JANE||19800102|F|||^^^^||",
            *([visit] if visit else []),
            f"ORC|RE|{placer}",
            f"OBR|1|{placer}|ACC0007^X|{code}^CT Head w/o contrast|||20260110100000|||||||||||||||20260110115500|||{status}",
            *(observations or (tx("No acute finding."),)),
        ]
    )


def tx(text: str, code: str = "IMP^Impression") -> str:
    return f"OBX|1|TX|{code}||{text}||||||F|||20260110115500"


def file_in(emr: Emr, content: str | bytes, name: str = "", mode: str = "0644", owner: str = "1000:1000") -> str:
    """Put a result file into the folder; return its name."""
    name = name or f"result-{next(numbers):03}.hl7"
    data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
    path = f"/hl7/results/{name}"
    emr.container.exec("sh", "-c", f"base64 -d > {path} && chmod {mode} {path} && chown {owner} {path}", stdin=data)
    return name


def poll(emr: Emr, name: str) -> tuple[bool, list[str] | None]:
    """Import; return whether the file stayed, and what was said of it. A file that stayed is removed."""
    said = json.loads(emr.php(POLL))
    assert said["said"] == ""
    stayed = emr.container.try_exec("rm", "-r", f"/hl7/results/{name}").returncode == 0
    # PHP writes an empty map as an empty list.
    found = next((value for key, value in said["info"].items() if key.startswith("Imaging/") and key.endswith(f"/{name}")), None)
    return stayed, found["mssgs"] if found else None


def reports(emr: Emr, order: Order) -> list[list[str]]:
    """Sequence number and status of the order's reports."""
    return emr.sql(
        f"SELECT procedure_order_seq, report_status FROM procedure_report WHERE procedure_order_id = {order.number} "
        "ORDER BY procedure_report_id"
    )


def results(emr: Emr, order: Order) -> list[list[str]]:
    """The results of the order's newest report; line ends as |."""
    return emr.sql(
        "SELECT result_data_type, result_code, result_text, result, REPLACE(comments, '\\n', '|'), document_id, result_status "
        "FROM procedure_result WHERE procedure_report_id = (SELECT MAX(procedure_report_id) FROM procedure_report "
        f"WHERE procedure_order_id = {order.number}) ORDER BY procedure_result_id"
    )


def imported(emr: Emr, order: Order, content: str | bytes) -> list[list[str]]:
    """Import a message that is good; return the results of its report."""
    before = len(reports(emr, order))
    assert poll(emr, file_in(emr, content)) == (False, [])
    assert len(reports(emr, order)) == before + 1
    return results(emr, order)


def test_text_and_pdf(emr: Emr, rest: Rest, admin: Browser) -> None:
    """§7.5: one report, two results, one encrypted document in category 2, which comes back byte for byte; an encrypted copy of the file;
    control_id from OBR-3."""
    order = make_order(emr, rest, admin)
    pdf = f"OBX|2|ED|PDF^Report||^^PDF^Base64^{base64.b64encode(PDF).decode()}||||||F"
    rows = imported(emr, order, oru(order, tx("No acute finding."), pdf))
    document = rows[1][5]
    assert rows == [["L", "IMP", "Impression", "", "No acute finding.|", "0", "final"], ["E", "PDF", "Report", "", "|", document, "final"]]
    assert emr.sql(
        f"SELECT report_status, review_status, date_report, date_collected FROM procedure_report WHERE procedure_order_id = {order.number}"
    ) == [["final", "received", "2026-01-10 11:55:00", "2026-01-10 10:00:00"]]
    assert emr.value(f"SELECT control_id FROM procedure_order WHERE procedure_order_id = {order.number}") == "ACC0007"
    stored = emr.sql(
        "SELECT d.foreign_id, d.mimetype, d.encrypted, d.url, c.category_id FROM documents d "
        f"JOIN categories_to_documents c ON c.document_id = d.id WHERE d.id = {document}"
    )[0]
    assert [stored[0], stored[1], stored[2], stored[4]] == [str(order.pid), "application/pdf", "1", "2"]
    assert stored[3].startswith(f"file://{DOCUMENTS}/{order.pid}/")
    assert "PDF-1.4" not in emr.container.exec("cat", stored[3].removeprefix("file://"))
    answer = admin.get(f"/controller.php?document&retrieve&patient_id={order.pid}&document_id={document}")
    assert (answer.content, answer.headers["Content-Type"]) == (PDF, "application/pdf")
    kept = emr.container.exec("sh", "-c", f"cat {DOCUMENTS}/procedure_results/*-1234567893/result-*.hl7 | head -c 20000")
    assert kept
    assert "MSH|" not in kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observations": ["ZXX|1"]}, "*Segment name 'ZXX' is misplaced or unknown"),
        ({"observations": ["DG1|1"]}, "*Segment name 'DG1' is misplaced or unknown"),
        ({"placer": "9999"}, "*Procedure order not found: 9999"),
        ({"placer": "OEMR-0006"}, "*Procedure order not found: 0"),
        ({"observations": ["OBX|1|ED|PDF^Report||^^PDF^Quoted^AAAA"]}, "*Invalid encapsulated data encoding type: Quoted"),
    ],
    ids=["segment", "diagnosis", "order", "prefix", "encoding"],
)
def test_refused_file_stays(emr: Emr, order: Order, change: dict[str, object], said: str) -> None:
    """§3.4, §7.5: fatal for the whole file; each refusal is in the log at each poll."""
    since = emr.log_end()
    observations = change.pop("observations", ())
    name = file_in(emr, oru(order, *observations, **change))  # type: ignore[arg-type, misc]
    before = len(reports(emr, order))
    assert poll(emr, name) == (True, [said])
    assert len(reports(emr, order)) == before
    assert [text for text, _ in emr.log(since, "lab-results-error")] == [said[1:]]


def test_other_encounter(emr: Emr, order: Order) -> None:
    """§7.5: PV1-19 is compared with the order's encounter."""
    name = file_in(emr, oru(order, pv1="PV1|1|O|||||||||||||||||77"))
    assert poll(emr, name) == (
        True,
        [f"*Encounter ID '{order.encounter}' for OBR placer order number '{order.number}' does not match the PV1 encounter number '77'"],
    )


def test_padded_number_is_accepted(emr: Emr, order: Order) -> None:
    """§3.4, §7.5: intval."""
    imported(emr, order, oru(order, placer=f"{order.number:06}"))


@pytest.mark.parametrize("content", ["not HL7 at all", ""], ids=["not-hl7", "empty"])
def test_what_is_no_message_stays_unsaid(emr: Emr, content: str) -> None:
    """§7.5: the file stays, nothing is said."""
    assert poll(emr, file_in(emr, content)) == (True, None)


def test_file_without_a_fourth_byte_ends_the_run(emr: Emr) -> None:
    """match_lab(): PHP does not explode by nothing. The file stays, and those behind it too."""
    name = file_in(emr, "\r\r")
    with pytest.raises(AssertionError, match="ValueError"):
        emr.php(POLL)
    assert emr.container.try_exec("rm", f"/hl7/results/{name}").returncode == 0


def test_unreadable_file_stays_unsaid(emr: Emr, order: Order) -> None:
    """§7.4, §7.5: uid 1000 must be able to read it."""
    assert poll(emr, file_in(emr, oru(order), mode="0640", owner="0:0")) == (True, None)


def test_folder_and_dot_file_are_ignored(emr: Emr, order: Order) -> None:
    """§7.5: write `.name`, then rename."""
    name = file_in(emr, oru(order), ".waiting")
    assert poll(emr, name) == (True, None)


@pytest.mark.parametrize(
    ("head", "taken"),
    [("X|X|X|oemr", True), ("X|radlab|X|X", True), ("mirth|X|X|X", True), ("X|X|X|X", False)],
    ids=["msh-6", "msh-4", "msh-3", "none"],
)
def test_which_lab(emr: Emr, order: Order, head: str, taken: bool) -> None:
    """§3.4, §7.5: one of three is enough, whatever the case; without any the file stays, with a word in the batch log only."""
    assert poll(emr, file_in(emr, oru(order, head=head))) == ((False, []) if taken else (True, None))


def test_nobody_compares_the_patient(emr: Emr, order: Order) -> None:
    """§7.5: PID of another patient, no PV1: imported onto the order."""
    message = oru(order, pv1="").replace(f"PID|1||{order.pid}|", "PID|1||424242|").replace("DOE^JANE", "OTHER^ONE")
    assert imported(emr, order, message)[0][4] == "No acute finding.|"


def test_twice_is_two_reports(emr: Emr, order: Order) -> None:
    """§7.5: a duplicate is a second report and document; a correction one more, status correct."""
    before = reports(emr, order)
    documents = int(emr.value(f"SELECT COUNT(*) FROM documents WHERE foreign_id = {order.pid}"))
    pdf = f"OBX|1|ED|PDF^Report||^^PDF^Base64^{base64.b64encode(PDF).decode()}||||||F"
    for _ in range(2):
        imported(emr, order, oru(order, pdf))
    imported(emr, order, oru(order, status="C"))
    assert reports(emr, order)[len(before) :] == [["1", "final"], ["1", "final"], ["1", "correct"]]
    assert int(emr.value(f"SELECT COUNT(*) FROM documents WHERE foreign_id = {order.pid}")) == documents + 2
    assert emr.value(f"SELECT order_status FROM procedure_order WHERE procedure_order_id = {order.number}") == ""


@pytest.mark.parametrize(("letter", "status"), [("P", "prelim"), ("X", "error")])
def test_status(emr: Emr, order: Order, letter: str, status: str) -> None:
    """§3.4: OBR-25."""
    imported(emr, order, oru(order, status=letter))
    assert reports(emr, order)[-1] == ["1", status]


def test_second_procedure_and_unknown_code(emr: Emr, rest: Rest, admin: Browser) -> None:
    """§3.4, §7.5: the line by its code; an unknown code becomes a line with source 2. Several groups share a file."""
    order = make_order(emr, rest, admin)
    first, second = oru(order), oru(order, code="XRCHEST").split("\r")
    third = [segment.replace("XRCHEST", "NEWCODE") for segment in second]
    assert poll(emr, file_in(emr, "\r".join([first, *second[3:], *third[3:]]))) == (False, [])
    assert reports(emr, order) == [["1", "final"], ["2", "final"], ["3", "final"]]
    assert emr.sql(
        "SELECT procedure_code, procedure_source FROM procedure_order_code "
        f"WHERE procedure_order_id = {order.number} AND procedure_order_seq = 3"
    ) == [["NEWCODE", "2"]]


def test_header_alone(emr: Emr) -> None:
    """§7.5: the file is removed, there are no rows."""
    assert poll(emr, file_in(emr, "MSH|^~\\&|MIRTH|RADLAB|OPENEMR|OEMR|20260110120000||ORU^R01|A1|P|2.3\r")) == (False, [])


def test_truncated_file(emr: Emr, order: Order) -> None:
    """§7.5: imported as far as it goes, and removed."""
    message = oru(order, tx("First line of a long text."), tx("Second line"))
    assert imported(emr, order, message[: message.index("Second") + 3])[0][4] == "First line of a long text.|"


def test_other_character_set(emr: Emr, order: Order) -> None:
    """§7.5: each byte that is not UTF-8 becomes ?."""
    assert imported(emr, order, oru(order, tx("Schädel und Höhle")).encode("latin-1"))[0][4] == "Sch?del und H?hle|"
    assert imported(emr, order, oru(order, tx("Schädel 山田 😀 und mehr")))[0][4] == "Schädel 山田 😀 und mehr|"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(emr: Emr, order: Order, end: str) -> None:
    """§7.5: CR, LF and CRLF."""
    assert imported(emr, order, oru(order).replace("\r", end) + end)[0][4] == "No acute finding.|"


def test_texts(emr: Emr, order: Order) -> None:
    r"""§3.4, §7.5: lines of the same code are joined; up to ten characters go to `result`; \.br\ is ~ in OBX and a line end in NTE; other
    types go to `result`, unless they are longer than 200 characters."""
    rows = imported(
        emr,
        order,
        oru(
            order,
            tx("Line one of it"),
            tx(r"and two \T\ three\.br\four"),
            tx("Short", "S^Short"),
            "NTE|1|L|a note\\.br\\below",
            "OBX|1|NM|N^Number||7.5|mm|1-9|H|||F",
            "OBX|1|CWE|C^Coded||K1^Label^X||||||F",
            "OBX|1|ST|LONG^Long||" + "x" * 201 + "||||||F",
        ),
    )
    assert [row[:5] for row in rows] == [
        ["L", "IMP", "Impression", "", "Line one of it|and two & three~four|"],
        ["L", "S", "Short", "Short", "|a note|below|"],
        ["N", "N", "Number", "7.5", "|"],
        ["C", "C", "Coded", "K1 (Label)", "|"],
        ["L", "LONG", "Long", "", "x" * 201 + "|"],
    ]


def test_allowed_segments(emr: Emr, order: Order) -> None:
    """§3.4: PD1, TQ1, SPM and NTE pass."""
    message = oru(order, "NTE|1|L|of the report", "TQ1|1", "SPM|1|||BLD^Blood", tx("No acute finding.")).replace(
        "\rPV1", "\rPD1|1\rNTE|1|L|of the patient\rPV1"
    )
    imported(emr, order, message)


def test_ammon_strips_the_prefix(emr: Emr, order: Order) -> None:
    """§3.4, §7.5: with the npi AMMON, and only where MSH-6 is the provider's."""
    emr.sql("UPDATE procedure_providers SET npi = 'AMMON' WHERE name = 'Imaging'")
    try:
        imported(emr, order, oru(order, placer=f"OEMR-{order.number:04}"))
        assert poll(emr, file_in(emr, oru(order, head="MIRTH|RADLAB|X|X"))) == (True, None)
    finally:
        emr.sql("UPDATE procedure_providers SET npi = '1234567893' WHERE name = 'Imaging'")


def test_each_poll_has_a_batch_log(emr: Emr) -> None:
    """§7.5: below logs/<NPI>, with nothing to do too."""
    folder = f"{DOCUMENTS}/procedure_results/logs/1234567893"
    emr.container.exec("sh", "-c", f"rm -f {folder}/*")
    assert json.loads(emr.php(POLL))["said"] == ""
    assert emr.container.exec("sh", "-c", f"ls {folder}").startswith("batchrun_")


def test_missing_folder(emr: Emr) -> None:
    """§3.4: said by the return value."""
    emr.sql("UPDATE procedure_providers SET results_path = '/hl7/nowhere' WHERE name = 'Imaging'")
    try:
        assert json.loads(emr.php(POLL))["said"] == "Unable to access directory for lab npi: 1234567893"
    finally:
        emr.sql("UPDATE procedure_providers SET results_path = '/hl7/results' WHERE name = 'Imaging'")


def test_missing_category(emr: Emr, order: Order) -> None:
    """§3.6: lab_results_category_name must name a category."""
    emr.sql("UPDATE globals SET gl_value = 'Nowhere' WHERE gl_name = 'lab_results_category_name'")
    try:
        assert poll(emr, file_in(emr, oru(order))) == (True, ["*Document category for lab results does not exist: Nowhere"])
    finally:
        emr.sql("UPDATE globals SET gl_value = 'Lab Report' WHERE gl_name = 'lab_results_category_name'")


def test_large_pdf(emr: Emr, order: Order, admin: Browser) -> None:
    """§7.5: 15 MB come back byte for byte."""
    pdf = b"%PDF-1.4" + bytes(range(256)) * 60000
    rows = imported(emr, order, oru(order, f"OBX|1|ED|PDF^Report||^^PDF^Base64^{base64.b64encode(pdf).decode()}||||||F"))
    assert admin.get(f"/controller.php?document&retrieve&patient_id={order.pid}&document_id={rows[0][5]}").content == pdf


def test_page_imports_by_get_and_shows_the_latest(emr: Emr, rest: Rest, admin: Browser) -> None:
    """§3.4, §7.5: list_reports.php imports by GET, and shows what was refused; the results page has the latest report of each code, and
    addresses as plain text."""
    order = make_order(emr, rest, admin)
    for text in ("The first of two texts", r"See https://viewer/?study=1\T\x=2 there"):
        name = file_in(emr, oru(order, tx(text)))
        assert admin.get("/interface/orders/list_reports.php", form_process_labs=1, form_lab_id=0, form_max_results=99).status_code == 200
        assert emr.container.try_exec("test", "-e", f"/hl7/results/{name}").returncode == 1
    refused = file_in(emr, oru(order, placer="9999"))
    assert "Procedure order not found: 9999" in admin.get("/interface/orders/list_reports.php", form_process_labs=1, form_lab_id=0).text
    emr.container.exec("rm", f"/hl7/results/{refused}")
    page = admin.get("/interface/orders/single_order_results.php", orderid=order.number).text
    assert "https://viewer/?study=1&amp;x=2" in page
    assert 'href="https://viewer' not in page
    assert "The first of two texts" not in page
    both = admin.post(f"/interface/orders/single_order_results.php?orderid={order.number}", {"form_showall": "1"}).text
    assert "The first of two texts" in both


def test_rejected_file_can_be_deleted_there(emr: Emr, order: Order, admin: Browser) -> None:
    """§3.4: its copy is named .rejected."""
    name = file_in(emr, oru(order, placer="9999"))
    ppid = emr.value("SELECT ppid FROM procedure_providers WHERE name = 'Imaging'")
    admin.post("/interface/orders/list_reports.php", {"form_process_labs": "1", "form_lab_id": ppid, f"delete[Imaging/{ppid}/{name}]": "1"})
    assert emr.container.try_exec("test", "-e", f"/hl7/results/{name}").returncode == 1
    emr.container.exec("test", "-e", f"{DOCUMENTS}/procedure_results/{ppid}-1234567893/{name}.rejected")


def test_a_rolled_back_import_leaves_nothing(emr: Emr, order: Order) -> None:
    """Who calls poll_hl7_results() in a transaction and ends before it commits finds the rows gone; the file is gone too."""
    before = len(reports(emr, order))
    name = file_in(emr, oru(order))
    emr.php("sqlBeginTrans(); " + POLL + " sqlRollbackTrans();")
    assert len(reports(emr, order)) == before
    assert emr.container.try_exec("test", "-e", f"/hl7/results/{name}").returncode == 1


def test_an_unknown_code_commits_what_is_open(emr: Emr, order: Order) -> None:
    """The importer has a transaction of its own around a new line; ADOdb begins it with BEGIN, which commits the caller's."""
    before = len(reports(emr, order))
    file_in(emr, oru(order, code=f"NEW{next(numbers)}"))
    emr.php("sqlBeginTrans(); " + POLL + " sqlRollbackTrans();")
    assert len(reports(emr, order)) == before + 1


def test_a_smart_transaction_holds_all_of_it(emr: Emr, order: Order) -> None:
    """ADOdb's StartTrans() makes the importer's own transaction do nothing, so the caller can take back all rows."""
    before = len(reports(emr, order))
    file_in(emr, oru(order, code=f"NEW{next(numbers)}"))
    emr.php("get_db()->StartTrans(); " + POLL + " get_db()->CompleteTrans(false);")
    assert len(reports(emr, order)) == before
    file_in(emr, oru(order, code=f"NEW{next(numbers)}"))
    emr.php("get_db()->StartTrans(); " + POLL + " get_db()->CompleteTrans();")
    assert len(reports(emr, order)) == before + 1
