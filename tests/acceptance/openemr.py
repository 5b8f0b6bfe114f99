"""The EMR as people use it: REST for patients and visits, the order form's POST, its pages in a browser.

Sources: openemr.md §4 and §7.9 (REST), §3.2 and §7.4 (order form), §7.1 (login), §7.8 (merge). SQL only where it has no interface (§3.6).
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from forms import Form
from playwright.sync_api import APIResponse, BrowserContext, Page

from .emr_database import EmrDatabase, literal
from .lab import EmrAccess
from .viewer import go

CLIENT = "pacs-emr verification"
SCOPES = "openid offline_access api:oemr user/patient.read user/patient.write user/encounter.read user/encounter.write"
CHART = "/interface/patient_file/summary/demographics.php"
ORDERS = "/sites/default/imaging_orders.php"
ORDER_FORM = "/interface/forms/procedure_order/new.php"
MERGE_FORM = "/interface/patient_file/merge_patients.php"


@dataclass(frozen=True)
class Registered:
    """A patient of the EMR: `pid` is the number that archive and engine know, `uuid` that of REST."""

    pid: int
    uuid: str


@dataclass(frozen=True)
class Document:
    """A document in a chart: the EMR's id, its size, and the patient whose it is."""

    id: int
    bytes: int
    patient: str


@dataclass(frozen=True)
class Report:
    """A report in the chart: `status` is prelim, final, correct or error; `line` the order's line that it belongs to, from 1."""

    line: int
    status: str
    text: str
    notes: str
    documents: tuple[Document, ...]


class OpenEmrCharts:
    """What the charts hold, read from the EMR's tables: nobody has to log in."""

    def __init__(self, database: EmrDatabase) -> None:
        self.database = database

    def reports(self, number: int) -> list[Report]:
        """Return the reports of an order, oldest first."""
        return self.reports_of_many(number, number).get(number, [])

    def reports_of_many(self, first: int, last: int) -> dict[int, list[Report]]:
        """Return the reports of all orders from one number to another that have any, oldest first."""
        columns = {
            "order": "p.procedure_order_id",
            "id": "p.procedure_report_id",
            "line": "p.procedure_order_seq",
            "status": "p.report_status",
            "notes": "p.report_notes",
            "code": "r.result_code",
            "text": "concat(r.result, coalesce(r.comments, ''))",
            "document": "r.document_id",
            "bytes": "d.size",
            "patient": "d.foreign_id",
        }
        rest = (
            "FROM procedure_report AS p LEFT JOIN procedure_result AS r USING (procedure_report_id) "
            "LEFT JOIN documents AS d ON d.id = r.document_id AND r.document_id <> 0 "
            f"WHERE p.procedure_order_id BETWEEN {first} AND {last} ORDER BY r.procedure_result_id"
        )
        results = defaultdict(list)
        for row in self.database.rows(columns, rest):
            results[int(row["id"])].append(row)
        found: dict[int, list[Report]] = defaultdict(list)
        for _, rows in sorted(results.items()):
            # The importer ends each line of a text.
            texts = [
                row["text"].removesuffix("\n")
                for row in rows
                if row["text"] is not None and not row["document"] and row["code"] != "113014"
            ]
            documents = [Document(int(row["document"]), int(row["bytes"]), str(row["patient"])) for row in rows if row["document"]]
            report = Report(int(rows[0]["line"]), rows[0]["status"], "\n".join(texts), rows[0]["notes"] or "", tuple(documents))
            found[int(rows[0]["order"])].append(report)
        return dict(found)

    def images_of(self, number: int) -> dict[str, str]:
        """Return the study of each procedure of an order of which the chart says that images are available, by accession number."""
        return self.images_of_many(number, number).get(number, {})

    def images_of_many(self, first: int, last: int) -> dict[int, dict[str, str]]:
        """Return the same of all orders from one number to another that have images."""
        columns = {"order": "procedure_order_id", "accession": "accession", "study": "study_uid"}
        found: dict[int, dict[str, str]] = defaultdict(dict)
        for row in self.database.rows(columns, f"FROM pacs_emr_images WHERE procedure_order_id BETWEEN {first} AND {last}"):
            found[int(row["order"])][row["accession"]] = row["study"]
        return dict(found)

    def find(self, pubpid: str) -> Registered | None:
        """Return the patient with an external number."""
        found = self.database.rows(
            {"pid": "pid", "uuid": "lower(hex(uuid))"}, f"FROM patient_data WHERE pubpid = {literal(pubpid)} LIMIT 1"
        )
        if not found:
            return None
        (row,), digits = found, found[0]["uuid"]
        uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        return Registered(int(row["pid"]), uuid)


class OpenEmr(OpenEmrCharts):
    """A user's session with the EMR, in a browser of its own."""

    def __init__(self, browser: BrowserContext, access: EmrAccess, password: str, database: EmrDatabase) -> None:
        super().__init__(database)
        self._browser, self._access, self._password = browser, access, password
        self.pdf_max_mb = access.pdf_max_mb
        self._token = ""

    # --- session ----------------------------------------------------------------------------------------------------------------

    def log_in(self) -> None:
        """Log in by the login page. Raises AssertionError when user or password are refused."""
        fields = {"new_login_session_management": "1", "languageChoice": "1", "authUser": self._access.user, "clearPass": self._password}
        answer = self._browser.request.post(
            f"{self._access.url}/interface/main/main_screen.php?auth=login&site=default", form={**fields}, max_redirects=0
        )
        assert answer.status == 302, (
            f"the EMR refuses the user {self._access.user}: LAB_EMR_USER and LAB_EMR_PASSWORD name another one, where the password of the "
            "first boot (openemr_admin_password in the lab's secrets) holds no more"
        )
        where = answer.headers["location"]
        self._get(where if where.startswith("/") else "/" + where.split("/", 3)[3])

    def _get(self, path: str) -> str:
        return self._checked(self._browser.request.get(self._access.url + path, max_redirects=5), path)

    def _post(self, path: str, fields: Mapping[str, str]) -> str:
        return self._checked(self._browser.request.post(self._access.url + path, form={**fields}, max_redirects=5, timeout=60_000), path)

    @staticmethod
    def _checked(answer: APIResponse, path: str) -> str:
        text = answer.text()
        assert answer.ok, f"the EMR's page {path} answers {answer.status}: {text[:300]}"
        return text

    def close(self) -> None:
        """Leave no client behind that may do anything."""
        self.database.sql(f"UPDATE oauth_clients SET is_enabled = 0 WHERE client_name = {literal(CLIENT)}")

    # --- REST -------------------------------------------------------------------------------------------------------------------

    def _rest(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self._token:
            self._token = self._authorize()
        answer = self._browser.request.fetch(
            f"{self._access.url}/apis/default/api{path}", method=method, data=body, headers={"Authorization": f"Bearer {self._token}"}
        )
        assert answer.status in (200, 201), f"the EMR answers {method} {path} with {answer.status}: {answer.text()[:300]}"
        data: dict[str, Any] = answer.json()["data"]
        return data

    def _authorize(self) -> str:
        """Return an access token; the client is registered once, and enabled while a run lasts, for which there is no interface."""
        known = f"SELECT client_id FROM oauth_clients WHERE client_name = {literal(CLIENT)} LIMIT 1"
        if not self.database.sql(known):
            body = {
                "application_type": "private",
                "client_name": CLIENT,
                "redirect_uris": [f"{self._access.url}/"],
                "token_endpoint_auth_method": "client_secret_post",
                "contacts": ["verify@example.org"],
                "scope": SCOPES,
            }
            answer = self._browser.request.post(f"{self._access.url}/oauth2/default/registration", data=body)
            assert answer.ok, f"the EMR registers no client: {answer.status} {answer.text()[:300]}"
        self.database.sql(f"UPDATE oauth_clients SET is_enabled = 1 WHERE client_name = {literal(CLIENT)}")
        (client,) = self.database.sql(known)
        form = {
            "grant_type": "password",
            "client_id": client,
            "scope": SCOPES,
            "user_role": "users",
            "username": self._access.user,
            "password": self._password,
        }
        answer = self._browser.request.post(f"{self._access.url}/oauth2/default/token", form={**form})
        assert answer.ok, f"the EMR gives no token: {answer.status} {answer.text()[:300]}"
        return str(answer.json()["access_token"])

    def register(self, name: str, born: str, sex: str, pubpid: str = "") -> Registered:
        """Register a patient; `name` is family^given^middle, `born` YYYY-MM-DD, `sex` Male or Female."""
        body = self._demographics(name) | {"DOB": born, "sex": sex} | ({"pubpid": pubpid} if pubpid else {})
        data = self._rest("POST", "/patient", body)
        return Registered(int(data["pid"]), str(data["uuid"]))

    def rename(self, patient: Registered, name: str) -> None:
        """Give a patient another name."""
        kept = self.database.rows({"DOB": "DOB", "sex": "sex"}, f"FROM patient_data WHERE pid = {patient.pid}")[0]
        self._rest("PUT", f"/patient/{patient.uuid}", self._demographics(name) | kept)

    @staticmethod
    def _demographics(name: str) -> dict[str, Any]:
        family, given, middle = [*name.split("^"), "", ""][:3]
        return {"lname": family, "fname": given, "mname": middle}

    def visit(self, patient: Registered, day: str) -> int:
        """Open a visit; return its number (encounter)."""
        body = {"date": day, "reason": "imaging", "pc_catid": "5", "class_code": "AMB", "facility_id": "3", "provider_id": "1"}
        return int(self._rest("POST", f"/patient/{patient.uuid}/encounter", body)["encounter"])

    # --- orders -----------------------------------------------------------------------------------------------------------------

    def order(self, patient: Registered, encounter: int, codes: Sequence[str], diagnosis: str, reason: str, question: str) -> int:
        """Fill in the order form and press Transmit; return the order's number. The reason is the first procedure's answer."""
        self._open(patient, encounter)
        sent = self._form(ORDER_FORM)
        for index, code in enumerate(codes):
            kind = self._procedure(code)
            line = {"type": kind, "type_diag": diagnosis, "order_title": "procedure", "code": code, "type_desc": ""}
            sent |= {f"form_proc_{name}[{index}]": content for name, content in line.items()}
            sent |= {f"form_transport[{index}]": "", f"form_procedure_type[{index}]": "ord"}
        sent |= {f"ans0_{question}": reason} if reason else {}
        before = self._newest(patient)
        self._post(ORDER_FORM, sent | {"bn_xmit": "1"})
        number = self._newest(patient)
        assert number > before, "the EMR's order form saved no order"
        self._assert_transmitted(number)
        return number

    def transmit_again(self, patient: Registered, encounter: int, number: int) -> None:
        """Open a saved order and press Transmit once more."""
        self._open(patient, encounter)
        path = f"{ORDER_FORM}?id={number}"
        sent = self._form(path, keep=True)
        self._post(path, sent | {"bn_xmit": "1"})

    def _open(self, patient: Registered, encounter: int) -> None:
        self._get(f"{CHART}?set_pid={patient.pid}")
        self._get(f"/interface/patient_file/encounter/encounter_top.php?set_encounter={encounter}&pid={patient.pid}")

    def _form(self, path: str, keep: bool = False) -> dict[str, str]:
        """Fields of the order form, for a patient service centre, billed to the facility; without its lines unless `keep`."""
        page = Form(self._get(path))
        assert "csrf_token_form" in page.fields, f"the EMR's page {path} is no order form"
        fields = {
            name: value
            for name, value in page.fields.items()
            if not name.startswith("bn_") and (keep or not re.search(r"\[\d*\]$|^ans\d", name))
        }
        return fields | {
            "form_order_psc": "1",
            "form_billing_type": "P",
            "procedure_type_names": "imaging",
            "form_order_abn": "not_required",
        }

    def _procedure(self, code: str) -> str:
        where = f"procedure_code = {literal(code)} AND procedure_type = 'ord' AND activity = 1"
        found = self.database.sql(f"SELECT procedure_type_id FROM procedure_type WHERE {where}")
        assert len(found) == 1, f"the EMR's catalogue has the code {code} {len(found)} times"
        return found[0]

    def _newest(self, patient: Registered) -> int:
        return int(
            self.database.sql(f"SELECT coalesce(max(procedure_order_id), 0) FROM procedure_order WHERE patient_id = {patient.pid}")[0]
        )

    def _assert_transmitted(self, number: int) -> None:
        found = self.database.sql(f"SELECT date_transmitted IS NOT NULL FROM procedure_order WHERE procedure_order_id = {number}")
        assert found == ["1"], f"the EMR did not transmit order {number}"

    def document(self, patient: Registered, number: int) -> bytes:
        """Return a document of the chart as the EMR gives it out."""
        path = f"/controller.php?document&retrieve&patient_id={patient.pid}&document_id={number}&as_file=true"
        answer = self._browser.request.get(self._access.url + path)
        assert answer.ok, f"the EMR answers {path} with {answer.status}"
        return bytes(answer.body())

    # --- pages ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def page(self, path: str) -> Iterator[Page]:
        """A tab on a page of the EMR."""
        tab = self._browser.new_page()
        try:
            go(tab, self._access.url + path)
            yield tab
        finally:
            tab.close()

    def chart(self, patient: Registered) -> str:
        """Path of a patient's chart."""
        return f"{CHART}?set_pid={patient.pid}"

    def imaging_orders(self, patient: Registered) -> str:
        """Path of the page of a patient's imaging orders."""
        return f"{ORDERS}?pid={patient.pid}"

    def text_of(self, path: str) -> str:
        """Return the words of a page."""
        return html.unescape(re.sub(r"<[^>]+>", " ", self._get(path)))

    # --- what production never sees ---------------------------------------------------------------------------------------------

    def merge(self, source: Registered, target: Registered) -> None:
        """Merge a patient into another; both must have the same birth date."""
        token = Form(self._get(MERGE_FORM)).fields["csrf_token_form"]
        fields = {"csrf_token_form": token, "form_target_pid": str(target.pid), "form_source_pid": str(source.pid), "form_submit": "merge"}
        self._post(MERGE_FORM, fields)
        assert self.database.sql(f"SELECT count(*) FROM patient_data WHERE pid = {source.pid}") == ["0"], "the EMR did not merge"

    def cancel(self, number: int) -> None:
        """Cancel an order, of which the form sets the status alone (openemr.md §7.8)."""
        self.database.sql(f"UPDATE procedure_order SET order_status = 'canceled' WHERE procedure_order_id = {number}")
