"""What the EMR's tests share: its container with a database, a browser that fills in its forms, and its REST interface.

Sources are sections of openemr.md, the upstream facts. CONTRACT_IMAGE_OPENEMR and CONTRACT_IMAGE_OPENEMR_DB name other images.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import requests
from forms import Form
from waiting import wait_for

from ..conftest import Container, Engine, docker, hardened, image_under_test

IMAGE = image_under_test("openemr")
DATABASE_IMAGE = os.environ.get("CONTRACT_IMAGE_OPENEMR_DB", image_under_test("mariadb"))
is_standin = "standin" in IMAGE
only_standin = pytest.mark.skipif(not is_standin, reason="upstream has what the stand-in lacks")
# Each test module has it: its certificate is self-signed (§1.4).
SELF_SIGNED = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
# §1.5: five to ten minutes are usual upstream.
BOOT_SECONDS = 60 if is_standin else 900
ROOT = "/var/www/localhost/htdocs/openemr"
DOCUMENTS = f"{ROOT}/sites/default/documents"
DATABASE_ROOT, DATABASE_PASSWORD, ADMIN_PASSWORD = "root.Secret_1", "emr.Secret_2", "Admin.Secret_3"
# §1.5: a status alone says nothing.
HEALTH = "curl -fsk 'https://localhost/interface/login/login.php?site=default' | grep -q 'name=\"authUser\"'"
SCOPES = (
    "openid offline_access api:oemr user/patient.read user/patient.write "
    "user/encounter.read user/encounter.write user/document.read user/document.write"
)


def run_database(engine: Engine, network: str, alias: str = "db") -> Container:
    """Start the database as §1.6 says, and wait until it answers by TCP."""
    options = [f"--network={network}", f"--network-alias={alias}", *hardened("openemr_db")]
    flags = [
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_general_ci",
        "--character-set-collations=utf8mb4=utf8mb4_general_ci",
    ]
    database = engine.run(DATABASE_IMAGE, "mariadbd", *flags, options=options, env={"MARIADB_ROOT_PASSWORD": DATABASE_ROOT})
    database.wait_until("healthcheck.sh", "--connect", "--innodb_initialized", seconds=60)
    return database


def sql(database: Container, statement: str, name: str = "openemr") -> list[list[str]]:
    """Run statements as root; return the rows. Raises AssertionError when they are refused."""
    command = [
        "mariadb",
        "--user=root",
        f"--password={DATABASE_ROOT}",
        "--batch",
        "--skip-column-names",
        "--default-character-set=utf8mb4",
        name,
    ]
    lines = database.exec(*command, stdin=statement).splitlines()
    return [line.split("\t") for line in lines]


def run_emr(engine: Engine, network: str, *options: str, command: Sequence[str] = (), **env: str) -> Container:
    """Start the EMR hardened as a role does, with all nine variables (§0); `env` is added, "" takes one away."""
    needed = {
        "MYSQL_HOST": "db",
        "MYSQL_PORT": "3306",
        "MYSQL_ROOT_USER": "root",
        "MYSQL_ROOT_PASS": DATABASE_ROOT,
        "MYSQL_USER": "openemr",
        "MYSQL_PASS": DATABASE_PASSWORD,
        "MYSQL_DATABASE": "openemr",
        "OE_USER": "admin",
        "OE_PASS": ADMIN_PASSWORD,
    }
    merged = {key: value for key, value in {**needed, **env}.items() if value}
    fixed = [f"--network={network}", "--init", *hardened("openemr")]
    return engine.run(IMAGE, *command, options=[*fixed, *options], env=merged)


def wait_until_up(container: Container) -> None:
    """Wait for the login page."""
    container.wait_until("sh", "-c", HEALTH, seconds=BOOT_SECONDS)


class Browser:
    """A user's session."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.verify, self.session.trust_env = False, False

    def get(self, path: str, **query: object) -> requests.Response:
        """GET a page, without following redirects."""
        return self.session.get(
            self.url + path, params={key: str(value) for key, value in query.items()}, timeout=60, allow_redirects=False
        )

    def post(self, path: str, fields: Mapping[str, Any]) -> requests.Response:
        """POST a form, without following redirects."""
        return self.session.post(self.url + path, data=fields, timeout=60, allow_redirects=False)

    def log_in(self, user: str = "admin", password: str = ADMIN_PASSWORD) -> requests.Response:
        """Log in as the login page does (§7.1), and open the main frame."""
        fields = {"new_login_session_management": "1", "languageChoice": "1", "authUser": user, "clearPass": password}
        answer = self.post("/interface/main/main_screen.php?auth=login&site=default", fields)
        if answer.status_code == 302:
            self.session.get(self.url + answer.headers["Location"], timeout=60)
        return answer

    def chart(self, pid: int) -> str:
        """Open a patient's chart."""
        return self.get("/interface/patient_file/summary/demographics.php", set_pid=pid).text

    def open_encounter(self, pid: int, encounter: int) -> str:
        """Open an encounter; a new order belongs to the one that is open."""
        return self.get("/interface/patient_file/encounter/encounter_top.php", set_encounter=encounter, pid=pid).text

    def order(
        self,
        codes: Sequence[tuple[int, str]],
        fields: Mapping[str, str] | None = None,
        *,
        button: str = "bn_xmit",
        number: int = 0,
    ) -> requests.Response:
        """Fill in the order form and press a button; `codes` are procedure_type_id and diagnosis, `number` is a saved order's.

        `fields` are more of the form's, as `form_order_priority`, or `ans0_CODE` for the first procedure's question. The encounter must be
        open.
        """
        path = f"/interface/forms/procedure_order/new.php?id={number}" if number else "/interface/forms/procedure_order/new.php"
        page = self.get(path).text
        fields_there = Form(page).fields
        assert "csrf_token_form" in fields_there, page[:500]
        sent = {name: value for name, value in fields_there.items() if not re.search(r"\[\d*\]$|^bn_|^ans\d", name)}
        sent |= {
            "form_order_psc": "1",
            "form_billing_type": "P",
            "procedure_type_names": "imaging",
            "form_account": "",
            "form_account_facility": "",
        }
        for index, (procedure, diagnosis) in enumerate(codes):
            line = {"type": str(procedure), "type_diag": diagnosis, "order_title": "procedure", "code": "", "type_desc": ""}
            sent |= {f"form_proc_{name}[{index}]": value for name, value in line.items()}
            sent |= {f"form_transport[{index}]": "", f"form_procedure_type[{index}]": "ord"}
        return self.post(path, {**sent, **(fields or {}), button: "1"})

    def merge(self, target: int, source: int) -> str:
        """Merge a patient into another one."""
        path = "/interface/patient_file/merge_patients.php"
        token = Form(self.get(path).text).fields["csrf_token_form"]
        fields = {"csrf_token_form": token, "form_target_pid": str(target), "form_source_pid": str(source), "form_submit": "merge"}
        return self.post(path, fields).text

    def delete(self, **what: int) -> str:
        """Delete for good: patient, encounterid, formid or document (§7.8)."""
        token = self.token()
        answer = self.post(
            "/interface/patient_file/deleter.php", {"csrf_token_form": token, "form_submit": "Yes", **{k: str(v) for k, v in what.items()}}
        )
        return answer.text

    def token(self) -> str:
        """This session's form token, from a page that every administrator may see."""
        return Form(self.get("/interface/patient_file/merge_patients.php").text).fields["csrf_token_form"]

    def delete_form(self, form: int, encounter: int, pid: int) -> None:
        """Delete an order from its encounter; `form` is forms.id."""
        fields = {
            "csrf_token_form": self.token(),
            "confirm": "1",
            "id": str(form),
            "formname": "procedure_order",
            "encounter": str(encounter),
            "pid": str(pid),
        }
        assert self.post("/interface/forms/procedure_order/delete.php", fields).status_code == 200


class Rest:
    """The REST interface with a token of the password grant (§4, §7.9)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.verify, self.session.trust_env = False, False

    def register(self, scope: str = SCOPES, **more: object) -> requests.Response:
        """Register a client; it is disabled."""
        body = {
            "application_type": "private",
            "redirect_uris": [f"{self.url}/x"],
            "client_name": "contract",
            "token_endpoint_auth_method": "client_secret_post",
        }
        return self.session.post(
            f"{self.url}/oauth2/default/registration", json={**body, "contacts": ["a@example.org"], "scope": scope, **more}, timeout=60
        )

    def token(self, client: str, user: str = "admin", password: str = ADMIN_PASSWORD, scope: str = SCOPES) -> requests.Response:
        """Ask for a token, and use it from now on."""
        form = {"grant_type": "password", "client_id": client, "scope": scope, "user_role": "users", "username": user, "password": password}
        answer = self.session.post(f"{self.url}/oauth2/default/token", data=form, timeout=60)
        if answer.status_code == 200:
            self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def call(self, method: str, path: str, body: object = None, **more: Any) -> requests.Response:
        """Call /apis/default + path."""
        return self.session.request(method, f"{self.url}/apis/default{path}", json=body, timeout=60, **more)


class Emr:
    """A running EMR with its database."""

    def __init__(self, container: Container, database: Container) -> None:
        self.container, self.database = container, database
        self.url = f"https://{container.address()}"

    def sql(self, statement: str) -> list[list[str]]:
        """Run statements on the EMR's database."""
        return sql(self.database, statement)

    def value(self, statement: str) -> str:
        """The one value that a statement finds."""
        rows = self.sql(statement)
        assert len(rows) == 1, rows
        return rows[0][0]

    def browser(self, user: str = "admin", password: str = ADMIN_PASSWORD) -> Browser:
        """A logged-in browser."""
        browser = Browser(self.url)
        answer = browser.log_in(user, password)
        assert answer.status_code == 302, answer.text
        return browser

    def rest(self) -> Rest:
        """The REST interface, with a token."""
        rest = Rest(self.url)
        client = rest.register().json()["client_id"]
        self.sql(f"UPDATE oauth_clients SET is_enabled = 1 WHERE client_id = '{client}'")
        assert rest.token(client).status_code == 200
        return rest

    def php(self, code: str) -> str:
        """Run PHP as Apache's user after globals.php, at top level (§3.5b)."""
        begin = f"$_GET['site'] = 'default'; $ignoreAuth = 1; $sessionAllowWrite = true; require '{ROOT}/interface/globals.php';"
        return self.container.exec("php", "-r", f"{begin} {code}", user="1000")

    def put(self, path: str, text: str, mode: str = "0644", owner: str = "1000:101") -> None:
        """Write a file in the container."""
        self.container.exec("sh", "-c", f"cat > '{path}' && chmod {mode} '{path}' && chown {owner} '{path}'", stdin=text)

    def log(self, since: int, event: str) -> list[tuple[str, str]]:
        """Comments and patient ids of the log's entries of an event since an id."""
        rows = self.sql(f"SELECT REPLACE(comments, '\\n', ''), patient_id FROM log WHERE id > {since} AND event = '{event}' ORDER BY id")
        return [(base64.b64decode(comments).decode(), pid) for comments, pid in rows]

    def log_end(self) -> int:
        """The newest id of the log."""
        return int(self.value("SELECT IFNULL(MAX(id), 0) FROM log"))

    def patient(
        self, rest: Rest, lname: str = "Doe", fname: str = "Jane", dob: str = "1980-01-02", sex: str = "Female", **more: str
    ) -> tuple[int, str]:
        """Register a patient; return pid and UUID."""
        answer = rest.call("POST", "/api/patient", {"lname": lname, "fname": fname, "DOB": dob, "sex": sex, **more})
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        return int(data["pid"]), str(data["uuid"])

    def encounter(self, rest: Rest, uuid: str, reason: str = "imaging") -> int:
        """Open a visit of a patient; return its number."""
        body = {"date": "2026-01-10", "reason": reason, "pc_catid": "5", "class_code": "AMB", "facility_id": "3", "provider_id": "1"}
        answer = rest.call("POST", f"/api/patient/{uuid}/encounter", body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["data"]["encounter"])


# §3.6, with the names of the first example of §7.4.
SEEDS = """
UPDATE users SET npi = '1234567893', fname = 'Greg', lname = 'House', authorized = 1 WHERE id = 1;
INSERT INTO users SET username = '', organization = 'Imaging', abook_type = 'ord_img', npi = '1234567893';
INSERT INTO procedure_providers SET name = 'Imaging', npi = '1234567893', send_app_id = 'OPENEMR', send_fac_id = 'OEMR',
  recv_app_id = 'MIRTH', recv_fac_id = 'RADLAB', DorP = 'P', direction = 'B', protocol = 'FS', orders_path = '/hl7/orders',
  results_path = '/hl7/results', lab_director = LAST_INSERT_ID();
SET @lab = LAST_INSERT_ID();
INSERT INTO procedure_type SET name = 'Imaging', procedure_type = 'grp', lab_id = @lab;
SET @group = LAST_INSERT_ID();
INSERT INTO procedure_type (parent, name, lab_id, procedure_code, procedure_type, procedure_type_name, activity) VALUES
  (@group, 'CT Head w/o contrast', @lab, 'CTHEAD', 'ord', 'imaging', 1),
  (@group, 'X-Ray Chest 2 views', @lab, 'XRCHEST', 'ord', 'imaging', 1);
INSERT INTO procedure_questions SET lab_id = @lab, procedure_code = 'CTHEAD', question_code = 'REASON', question_text = 'Reason for exam',
  fldtype = 'T';
"""


def prepare(emr: Emr) -> None:
    """Seed an imaging provider (§3.6) and its exchange folders."""
    emr.sql(SEEDS)
    # Mode before owner: without the capability FSETID a chmod of a folder of another group drops the setgid bit.
    folders = "/hl7/orders /hl7/results"
    emr.container.exec("sh", "-c", f"mkdir -p {folders} && chmod 2770 {folders} && chown 1000:1000 {folders}")


def installed(engine: Engine, **env: str) -> Iterator[Emr]:
    """An installed EMR with interfaces, prepared for imaging, until the engine is cleaned."""
    network = engine.network()
    database = run_database(engine, network)
    settings = {f"OPENEMR_SETTING_{name}": "1" for name in ("rest_api", "rest_fhir_api", "oauth_password_grant", "allow_pat_delete")}
    container = run_emr(engine, network, f"--volume={engine.volume()}:/hl7", **settings, **env)
    wait_until_up(container)
    emr = Emr(container, database)
    prepare(emr)
    yield emr


def wait_for_log(container: Container, text: str, seconds: float = BOOT_SECONDS, times: int = 1) -> None:
    """Wait until the container's log holds a text so many times."""
    wait_for(lambda: "" if container.logs().count(text) >= times else f"no {text!r} yet:\n{container.logs()}", seconds)


def mode(container: Container, path: str) -> str:
    """Mode and owner of a file."""
    return container.exec("stat", "-c", "%a %u:%g", path).strip()


def remove(container: Container) -> None:
    """Remove a container but not its named volumes."""
    docker("rm", "--force", container.name)
