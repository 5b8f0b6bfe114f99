"""The page "Imaging orders", and the patient menu that leads to it."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote

import pytest

from .support import ADMIN, NO_RIGHTS, ROOT, SETTINGS, SITE, Emr, Report, rendered

# The certificate is self-signed.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.mark.parametrize("name", sorted(rendered()))
def test_its_php_takes_each_file(emr: Emr, name: str) -> None:
    assert "No syntax errors detected" in emr.container.exec("php", "-l", f"/etc/openemr/{name}")


@pytest.fixture(autouse=True)
def no_orders(emr: Emr) -> None:
    for table in ("procedure_order", "procedure_order_code", "procedure_report", "procedure_result", "pacs_emr_images", "pacs_emr_result"):
        emr.sql(f"DELETE FROM {table}")


def images(emr: Emr, order: str, study: str, code: str = "CTHEAD", accession: str = "") -> None:
    status = {"order": order, "procedure": code, "accession": accession or f"A{order}", "study": study, "images": ["CT"]}
    emr.put(f"{order}-{accession}.json", json.dumps(status).encode(), "status")
    assert emr.run().returncode == 0


def report(emr: Emr, order: str, name: str, **change: object) -> None:
    emr.put(f"{order}-{name}.hl7", Report(order, **change).bytes())  # type: ignore[arg-type]
    assert emr.run().stderr == ""


def rows(emr: Emr, patient: int = 4) -> list[list[str]]:
    """Return the cells of the page's table as texts, with the address of a link in <>."""
    answer = emr.page(f"?pid={patient}", emr.login())
    assert answer.status_code == 200, answer.text
    body = answer.text.split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]
    plain = re.compile(r'<a href="([^"]*)"[^>]*>|<[^>]*>')
    return [[" ".join(html.unescape(plain.sub(lambda m: f" <{m[1]}> " if m[1] else " ", cell)).split()) for cell in row] for row in cells]


def study_link(study: str) -> str:
    source = quote(SETTINGS["openemr_viewer_source"], safe="")
    return f"<{SETTINGS['openemr_viewer_url']}/viewer/{source}?StudyInstanceUIDs={study}>"


def test_from_ordered_to_corrected(emr: Emr) -> None:
    order = emr.order("CTHEAD", "XRCHEST")
    assert [row[3:] for row in rows(emr)] == [["ordered", "no study known yet", ""]] * 2
    images(emr, order, "2.25.1")
    first, second = rows(emr)
    assert first[:4] == [order, "2026-11-01 10:00", "CT head (CTHEAD)", "images available"]
    assert study_link("2.25.1") in first[4]
    assert f"Accession number A{order}" in first[4]
    assert second[3:] == ["ordered", "no study known yet", ""]
    for status, word in (("P", "preliminary"), ("F", "final"), ("C", "corrected")):
        report(emr, order, status, status=status, lines=(f"Text of {word}.",), pdfs=(b"%PDF",))
        first = rows(emr)[0]
        assert first[3] == f"images available, reported: {word}"
        assert f"Text of {word}." in first[5]
        assert re.search(r"</controller\.php\?document&retrieve&patient_id=4&as_file=false&document_id=\d+>", first[5])
    assert "Text of final." not in first[5]
    report(emr, order, "X", status="X", lines=("Text withdrawn.",))
    assert rows(emr)[0][3] == "images available, report withdrawn"


def test_the_same_procedure_twice_in_an_order(emr: Emr) -> None:
    """OpenEMR files both reports under the first; the study tells them apart."""
    order = emr.order("CTHEAD", "CTHEAD")
    report(emr, order, "second", study="2.25.2", lines=("Report of the second.",))
    report(emr, order, "first", study="2.25.1", lines=("Report of the first.",))
    images(emr, order, "2.25.2", accession="A2")
    found = rows(emr)
    assert len(found) == 2
    by_text = {"first" if "Report of the first." in row[5] else "second": row for row in found}
    assert by_text["first"][4] == "no study known yet"
    assert study_link("2.25.2") in by_text["second"][4]


def test_newest_first_cancelled_told_deleted_left_out(emr: Emr) -> None:
    old = emr.order("CTHEAD", date="2026-01-01 10:00:00")
    new = emr.order("CTHEAD", date="2026-10-01 10:00:00")
    gone = emr.order("CTHEAD", date="2026-12-01 10:00:00")
    emr.sql(f"UPDATE procedure_order SET order_status='canceled' WHERE procedure_order_id={old}")
    emr.sql(f"UPDATE procedure_order SET activity=0 WHERE procedure_order_id={gone}")
    images(emr, gone, "2.25.9")
    assert [(row[0], row[3]) for row in rows(emr)] == [(new, "ordered"), (old, "canceled")]


def test_one_patient_alone(emr: Emr) -> None:
    order = emr.order("CTHEAD", patient=42, name="Of patient 42")
    images(emr, order, "2.25.42")
    report(emr, order, "R", study="2.25.42", patient="42", lines=("Text of 42.",))
    answer = emr.page("?pid=4", emr.login())
    assert "No imaging was ordered for this patient." in answer.text
    for of_the_other in ("Of patient 42", "Fortytwo", "2.25.42", "Text of 42."):
        assert of_the_other not in answer.text
    emr.sql(f"UPDATE procedure_order SET patient_id=4 WHERE procedure_order_id={order}")  # what a merge does
    assert "Text of 42." in rows(emr)[0][5]


def test_orders_of_other_providers_are_left_out(emr: Emr) -> None:
    order = emr.order("BLOOD")
    emr.sql(f"UPDATE procedure_order SET lab_id=99 WHERE procedure_order_id={order}")
    assert "No imaging was ordered for this patient." in emr.page("?pid=4", emr.login()).text


def test_nothing_is_taken_for_html(emr: Emr) -> None:
    evil = "<script>alert(2)</script>\"><img src=x onerror=alert(3)>'"
    order = emr.order("C<b>", name=evil.replace("'", "''"))
    report(emr, order, "evil", code="C<b>", lines=("<script>alert(4)</script>",), pdfs=(b"%PDF",))
    images(emr, order, "2.25.1", code="C<b>", accession="A<i>")
    answer = emr.page("?pid=4", emr.login())
    assert not re.search(r"<(script|img|b|i)\b", answer.text)
    assert "&lt;script&gt;alert(1)" in answer.text, "the patient's name"
    assert "&lt;script&gt;alert(2)" in answer.text, "the procedure"
    assert "&lt;script&gt;alert(4)" in answer.text, "the report"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'target="_blank" rel="noopener"' in answer.text
    assert study_link("2.25.1") in rows(emr)[0][4]


def test_without_login_nothing(emr: Emr) -> None:
    order = emr.order("CTHEAD", name="Secret procedure")
    for text in (emr.page("?pid=4").text, emr.page("?pid=4&site=default").text):
        assert "Secret procedure" not in text
        assert order not in text
        assert "Imaging orders" not in text


def test_without_rights_403(emr: Emr) -> None:
    emr.order("CTHEAD", name="Secret procedure")
    answer = emr.page("?pid=4", emr.login(NO_RIGHTS))
    assert (answer.status_code, answer.text) == (403, "You may not see medical records.\n")


@pytest.mark.parametrize("query", ["", "?pid=", "?pid=4x", "?pid=-4", "?pid[]=4", "?pid=4%20OR%201=1", "?pid=99999999999999999999"])
def test_a_pid_is_a_number(emr: Emr, query: str) -> None:
    assert emr.page(query, emr.login()).status_code == 400


def test_an_unknown_patient_404(emr: Emr) -> None:
    assert emr.page("?pid=5", emr.login()).status_code == 404


def test_the_service_is_not_reached_over_http(emr: Emr) -> None:
    session = emr.login()
    url = f"https://{emr.container.address()}/sites/default/documents/local/imaging.php"
    assert session.get(url, timeout=30).status_code == 403


def test_the_menu_is_the_images_own_and_two_entries(emr: Emr) -> None:
    folder = f"{SITE}/documents/custom_menus/patient_menus"
    menu = json.loads(emr.shell(f"cat {folder}/pacs.json"))
    standard = json.loads(emr.shell(f"cat {ROOT}/interface/main/tabs/menu/menus/patient_menus/standard.json"))
    assert menu[:-2] == standard
    viewer, orders = menu[-2:]
    assert viewer["url"] == SETTINGS["openemr_viewer_url"].rstrip("/") + "/?datasources=o%27%24n%5Ce&mrn="
    assert viewer["on_click"] == "window.open(this.href,'_blank','noopener');return false;"
    assert orders["url"] == "sites/default/imaging_orders.php?pid="
    for entry in (viewer, orders):
        assert (entry["pid"], entry["children"], entry["acl_req"]) == ("true", [], ["patients", "med"])
    assert emr.shell(f"stat -c '%a %u' {folder}/pacs.json").split() == ["700", "1000"]
    assert emr.shell(f"ls -A {folder}").split().count(".pacs.json") == 0


def test_the_menu_in_the_chart(emr: Emr) -> None:
    assert emr.run().returncode == 0
    session = emr.login(ADMIN)
    url = f"https://{emr.container.address()}/interface/patient_file/summary/demographics.php?set_pid=4"
    chart = html.unescape(session.get(url, timeout=30).text)
    assert 'href="/sites/default/imaging_orders.php?pid=4"' in chart
    assert '&mrn=4"' in chart
    assert "JSON ERROR" not in chart
