"""Result files of the engine become reports in the chart: each once, or refused with its reason."""

from __future__ import annotations

import os
import random
import re
import threading
import time

import pytest
from waiting import wait_for

from .support import SITE, Emr, Report, install

# The certificate is self-signed.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


def test_text_and_pdf_become_one_report(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    pdf = os.urandom(100_000)
    emr.put("0000000001-R1.hl7", Report(order, lines=("No bleeding.", "Dieses é und 山田."), pdfs=(pdf,)).bytes())
    done = emr.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert [row[1:] for row in emr.reports(order)] == [["final", "No bleeding. Dieses é und 山田."]]
    documents = emr.sql(
        "SELECT d.foreign_id, d.size FROM documents AS d JOIN procedure_result AS v ON v.document_id = d.id"
        f" JOIN procedure_report AS r USING (procedure_report_id) WHERE r.procedure_order_id={order}"
    )
    assert documents == [["4", "100000"]]
    assert (emr.files("inbox"), emr.files("results"), emr.files("results/.importing"), emr.files("results-error")) == (
        [],
        [".importing"],
        [],
        [],
    )


def test_preliminary_final_and_corrected_in_the_order_of_their_names(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    for name, status in (("0000000012-R3.hl7", "C"), ("0000000009-R1.hl7", "P"), ("0000000010-R2.hl7", "F")):
        emr.put(name, Report(order, status=status).bytes())
    assert emr.run().returncode == 0
    assert [row[1] for row in emr.reports(order)] == ["prelim", "final", "correct"]


def test_a_file_of_a_name_that_was_imported_is_not_imported_again(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    for _ in range(2):
        emr.put("0000000020-R1.hl7", Report(order).bytes())
        assert emr.run().returncode == 0
    assert len(emr.reports(order)) == 1
    assert emr.files("inbox") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"more": ("ZXX|1",)}, "'ZXX' is misplaced or unknown"),
        ({"order": "9999"}, "Procedure order not found: 9999"),
        ({"order": "OEMR-0007"}, "Procedure order not found: 0"),
        ({"encounter": "77"}, "does not match the PV1 encounter number '77'"),
        ({"sender": "A|B|C|D"}, "MSH-3, MSH-4 and MSH-6 are none of the procedure provider's: MIRTH, RADLAB, OEMR"),
        ({"encounter": "", "patient": "42"}, 'is of patient 4, and the report is of "42"'),
        ({"kind": "MDM^T02"}, "it is not one report (ORU)"),
        ({"pdfs": (b"x" * 2_100_000,)}, "its PDF: 2.1 MB, and the chart takes 2 MB (openemr_pdf_max_mb)"),
        ({"pdfs": (b"x" * 1_100_000,) * 2}, "its PDFs together: 2.2 MB, and the chart takes 2 MB (openemr_pdf_max_mb)"),
        ({"pdfs": (b"x" * 16_000_000,)}, "it: 16.0 MB, and the chart takes 2 MB (openemr_pdf_max_mb)"),
        ({"lines": ("x" * 66_000,)}, "a text is longer than the 65535 bytes that the chart can hold"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_chart_cannot_take_is_refused(emr: Emr, change: dict[str, object], reason: str) -> None:
    order = emr.order("CTHEAD")
    emr.put("1-refused.hl7", Report(**{"order": order} | change).bytes())  # type: ignore[arg-type]
    emr.put("2-good.hl7" + order, Report(order).bytes())
    done = emr.run()
    assert reason in emr.reason("1-refused.hl7")
    assert done.returncode == 0
    assert "refused 1-refused.hl7: " in done.stderr
    assert len(emr.reports(order)) == 1, "the one behind it is imported, and it alone"
    assert emr.sql(f"SELECT control_id FROM procedure_order WHERE procedure_order_id={order}") == [[f"ACC{order}"]]


def test_a_pdf_of_just_the_limit_is_taken(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    emr.put("1-limit.hl7", Report(order, pdfs=(b"x" * 1_990_000,)).bytes())
    assert (emr.run().returncode, len(emr.reports(order)), emr.files("results-error")) == (0, 1, [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello\n", "it is not HL7"),
        (b"", "it is empty"),
        (Report("1", lines=("a # b",)).bytes().replace(b"#", b"\xe9"), "it is not UTF-8"),
        (Report("1").bytes().split(b"\r")[0] + b"\r", "it has no OBR"),
    ],
)
def test_what_is_no_report_is_refused(emr: Emr, content: bytes, reason: str) -> None:
    emr.put("1-refused.hl7", content)
    assert emr.run().returncode == 0
    assert reason in emr.reason("1-refused.hl7")


def test_a_file_of_another_user_is_refused(emr: Emr) -> None:
    emr.put("1-refused.hl7", Report("1").bytes())
    emr.shell("chown 0:0 /hl7/inbox/1-refused.hl7; chmod 600 /hl7/inbox/1-refused.hl7")
    assert emr.run().returncode == 0
    assert "it cannot be read" in emr.reason("1-refused.hl7")


def test_half_a_file_is_waited_for_and_refused_after_a_minute(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    emr.put("1-half.hl7", Report(order).bytes()[:-20])
    assert emr.run().returncode == 0
    assert emr.files("inbox") == ["1-half.hl7"]
    emr.shell("touch -d '2 minutes ago' /hl7/inbox/1-half.hl7")
    assert emr.run().returncode == 0
    assert "its last line has no end" in emr.reason("1-half.hl7")
    assert emr.reports(order) == []


def test_each_report_once_whatever_is_killed_when(emr: Emr) -> None:
    """SIGKILL at random moments between half of what a run without files takes and 0.05 s more than that, until all is done."""
    began = time.monotonic()
    assert emr.run().returncode == 0
    idle = time.monotonic() - began
    began = time.monotonic()
    emr.shell("true")
    idle -= time.monotonic() - began
    order, many = emr.order("CTHEAD"), 60
    for n in range(many):
        # An added procedure is where the importer has a transaction of its own.
        code, line, pdf = "ADDED" if n % 10 == 3 else "CTHEAD", f"The text of number {n:03d}.", os.urandom(100_000)
        emr.put(f"{order}-{n:03d}.hl7", Report(order, code=code, lines=(line,), pdfs=(pdf,)).bytes())
    moments = random.Random(5)
    killed = in_the_middle = 0
    while left := emr.files("inbox"):
        assert killed < 300, f"no end: {left}"
        done = emr.run("timeout", "--signal=KILL", f"{moments.uniform(idle / 2, idle + 0.05):.3f}")
        assert done.returncode in (0, 137), done.stderr
        killed += done.returncode == 137
        in_the_middle += bool([name for name in emr.files("results/.importing") if name[0] != "."])
        if killed % 4 == 3:
            # Of a file with which five runs were killed the service would think that it is what kills them.
            emr.run("timeout", "--signal=KILL", f"{idle + 0.1:.3f}")
    print(f"{killed} runs were killed, {in_the_middle} of them with a file in the importer")
    assert in_the_middle >= 3, "nothing was killed in the middle, so nothing was shown"
    assert [row[2] for row in emr.reports(order)] == [f"The text of number {n:03d}." for n in range(many)]
    assert emr.files("results-error") == []
    assert emr.sql(f"SELECT COUNT(*) FROM pacs_emr_result WHERE name LIKE '{order}-%'") == [[str(many)]]


def test_runners_exclude_each_other(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    for n in range(20):
        emr.put(f"{order}-{n:03d}.hl7", Report(order, lines=(f"The text of number {n:03d}.",)).bytes())
    said: list[tuple[int, str]] = []

    def run() -> None:
        done = emr.run()
        said.append((done.returncode, done.stderr))

    runners = [threading.Thread(target=run) for _ in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert said == [(0, "")] * 4
    wait_for(lambda: emr.run().stderr or ", ".join(emr.files("inbox")), 30)
    assert [row[2] for row in emr.reports(order)] == [f"The text of number {n:03d}." for n in range(20)]


def test_what_ends_the_whole_run_is_refused_at_the_sixth(emr: Emr) -> None:
    """Here a table is missing, for which OpenEMR prints an error and exits."""
    order = emr.order("CTHEAD")
    emr.put("1-ends.hl7", Report(order).bytes())
    emr.sql("RENAME TABLE procedure_result TO away")
    try:
        for _ in range(5):
            done = emr.run()
            assert done.returncode == 1
            assert "doesn't exist" in done.stderr
    finally:
        emr.sql("RENAME TABLE away TO procedure_result")
    assert emr.run().returncode == 0
    assert emr.reason("1-ends.hl7").count(" tried\n") == 5
    assert "doesn't exist" in emr.reason("1-ends.hl7")


def test_the_browser_of_whoever_is_logged_in_runs_it_too(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    emr.put("1-browser.hl7", Report(order).bytes())
    emr.sql("UPDATE background_services SET next_run = NOW() - INTERVAL 5 MINUTE WHERE name = 'pacs_emr_imaging'")
    session = emr.login()
    frame = session.get(session.headers["Referer"], timeout=30).text
    token = re.search(r'csrf_token\w*\s*[:=]\s*"(\w+)"', frame)
    assert token, frame
    url = f"https://{emr.container.address()}/library/ajax/execute_background_services.php"
    answer = session.post(url, data={"skip_timeout_reset": "1", "ajax": "1", "csrf_token_form": token[1]}, timeout=60)
    assert answer.status_code == 200
    assert len(emr.reports(order)) == 1
    assert emr.files("inbox") == []


def test_while_one_runs_another_does_nothing(emr: Emr) -> None:
    """Whoever holds the lock is alive, so the service is not marked as free."""
    order = emr.order("CTHEAD")
    emr.put("1-waits.hl7", Report(order).bytes())
    emr.sql("UPDATE background_services SET running = 1 WHERE name = 'pacs_emr_imaging'")
    lock = f"{SITE}/documents/local/imaging.lock"
    done = emr.container.try_exec("flock", lock, "php", "/etc/openemr/background.php", user="1000:1000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (emr.files("inbox"), emr.sql("SELECT running FROM background_services WHERE name = 'pacs_emr_imaging'")) == (
        ["1-waits.hl7"],
        [["1"]],
    )
    assert emr.run().returncode == 0
    assert len(emr.reports(order)) == 1


def test_a_dead_run_is_healed(emr: Emr) -> None:
    emr.sql("UPDATE background_services SET running = 1 WHERE name = 'pacs_emr_imaging'")
    assert emr.run().returncode == 0
    assert emr.sql("SELECT running FROM background_services WHERE name = 'pacs_emr_imaging'") == [["0"]]


def test_a_service_that_is_switched_off_is_told(emr: Emr) -> None:
    emr.sql("UPDATE background_services SET active = 0 WHERE name = 'pacs_emr_imaging'")
    done = emr.run()
    emr.sql("UPDATE background_services SET active = 1 WHERE name = 'pacs_emr_imaging'")
    assert (done.returncode, "the service did not run" in done.stderr) == (1, True)


def test_a_missing_provider_is_told_and_the_file_stays(emr: Emr) -> None:
    emr.put("1-waits.hl7", Report("1").bytes())
    emr.sql("UPDATE procedure_providers SET name = 'Other' WHERE name = 'Imaging'")
    done = emr.run()
    emr.sql("UPDATE procedure_providers SET name = 'Imaging' WHERE name = 'Other'")
    assert (done.returncode, 'OpenEMR has no procedure provider "Imaging"' in done.stderr) == (1, True)
    assert emr.files("inbox") == ["1-waits.hl7"]


def test_images_available(emr: Emr) -> None:
    order = emr.order("CTHEAD")
    said = '{"order":"%s","procedure":"CTHEAD","accession":"A%s","study":"%s","images":["CT"]}'
    emr.put(f"{order}-A{order}.json", (said % (order, order, "2.25.1")).encode(), "status")
    assert emr.run().returncode == 0
    emr.put(f"{order}-A{order}.json", (said % (order, order, "2.25.2")).encode(), "status")
    assert emr.run().returncode == 0
    columns = "accession, procedure_order_id, procedure_code, study_uid"
    assert emr.sql(f"SELECT {columns} FROM pacs_emr_images WHERE accession='A{order}'") == [[f"A{order}", order, "CTHEAD", "2.25.2"]]
    assert emr.files("status") == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON object"),
        ('"x"', "no JSON object"),
        ('{"order":"7x","procedure":"C","accession":"A","study":"1.2"}', '"order"'),
        ('{"order":"7","procedure":"C","accession":"A","study":"1.2<b>"}', '"study"'),
        ('{"order":"7","procedure":"C","accession":["A"],"study":"1.2"}', '"accession"'),
    ],
)
def test_a_bad_status_file_is_refused(emr: Emr, content: str, reason: str) -> None:
    emr.put("bad.json", content.encode(), "status")
    assert emr.run().returncode == 0
    assert reason in emr.reason("bad.json")


def test_each_user_keeps_the_menu_and_old_logs_go(emr: Emr) -> None:
    logs = f"{SITE}/documents/procedure_results/logs/1234567893"
    emr.sql("UPDATE users SET patient_menu_role = 'standard'")
    emr.shell(f"mkdir -p {logs}; touch -d '31 days ago' {logs}/batchrun_old.log {logs}/other.log; touch {logs}/batchrun_new.log")
    emr.shell(f"chown -R 1000 {logs}; touch -d '1 hour ago' {SITE}/documents/local/pruned")
    assert emr.run().returncode == 0
    assert emr.sql("SELECT DISTINCT patient_menu_role FROM users WHERE username <> ''") == [["pacs.json"]]
    assert {"batchrun_new.log", "other.log"} <= set(emr.shell(f"ls {logs}").split())
    assert "batchrun_old.log" not in emr.shell(f"ls {logs}")


def test_without_the_menu_file_no_user_is_given_it(emr: Emr) -> None:
    emr.sql("UPDATE users SET patient_menu_role = 'standard'")
    emr.shell(f"rm {SITE}/documents/custom_menus/patient_menus/pacs.json")
    done = emr.run()
    assert (done.returncode, "pacs.json, the patient menu, is missing" in done.stderr) == (1, True)
    assert emr.sql("SELECT DISTINCT patient_menu_role FROM users WHERE username <> ''") == [["standard"]]
    install(emr)
    assert emr.run().returncode == 0
