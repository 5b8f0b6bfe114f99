"""OpenEMR with the PHP that the role installs: its files rendered, one provider, exchange folders, patients and orders."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import jinja2
import requests

from ..conftest import REPOSITORY, Container, docker

TEMPLATES = REPOSITORY / "roles" / "openemr" / "templates"
ROOT = "/var/www/localhost/htdocs/openemr"
SITE = f"{ROOT}/sites/default"
ADMIN, PASSWORD = "admin", "Contract.1"
NO_RIGHTS = "norights"
SETTINGS: dict[str, Any] = {
    "openemr_provider_name": "Imaging",
    "openemr_pdf_max_mb": 2,
    "openemr_log_days": 30,
    # Everything that PHP or HTML could take for something else.
    "openemr_viewer_url": "https://ohif.example.org/it's/$x/{$y}/\"<b>/ä",
    "openemr_viewer_source": "o'$n\\e",
}
# What start.sh does with each file: owner 1000, mode, place.
PLACES = {"imaging.php": ("0700", f"{SITE}/documents/local"), "imaging_orders.php": ("0400", SITE)}
SEEDS = """
INSERT INTO procedure_providers SET name='Imaging', npi='1234567893', send_app_id='OPENEMR', send_fac_id='OEMR', recv_app_id='MIRTH',
  recv_fac_id='RADLAB', direction='B', protocol='FS', orders_path='/hl7/orders', results_path='/hl7/results', active=1;
CREATE TABLE pacs_emr_images (accession varchar(64) PRIMARY KEY, procedure_order_id bigint NOT NULL, procedure_code varchar(64) NOT NULL,
  study_uid varchar(64) NOT NULL, at datetime NOT NULL);
CREATE TABLE pacs_emr_result (name varchar(255) COLLATE utf8mb4_bin PRIMARY KEY, at datetime NOT NULL);
INSERT INTO background_services (name, title, active, running, next_run, execute_interval, function, require_once)
  VALUES ('pacs_emr_imaging', 'Imaging', 1, 0, NOW(), 1, 'pacs_emr_imaging', '/sites/default/documents/local/imaging.php');
INSERT INTO users SET username='norights', fname='No', lname='Rights', active=1, authorized=0;
INSERT INTO users_secure (id, username, password, last_update_password) SELECT n.id, n.username, s.password, NOW()
  FROM users AS n JOIN users_secure AS s ON s.username='admin' WHERE n.username='norights';
INSERT INTO `groups` SET name='Default', user='norights';
INSERT INTO gacl_aro (id, section_value, value, order_value, name, hidden)
  SELECT MAX(id) + 1, 'users', 'norights', 10, 'No Rights', 0 FROM gacl_aro;
INSERT INTO gacl_groups_aro_map (group_id, aro_id)
  SELECT g.id, a.id FROM gacl_aro_groups AS g JOIN gacl_aro AS a WHERE g.value='back' AND a.value='norights';
INSERT INTO patient_data SET pid=4, pubpid='4', fname='Ann', lname='<script>alert(1)</script>', DOB='1980-01-02', sex='Female',
  uuid=unhex('04');
INSERT INTO patient_data SET pid=42, pubpid='42', fname='Bo', lname='Fortytwo', DOB='1981-01-02', sex='Male', uuid=unhex('42');
"""


def stranger() -> requests.Session:
    """Return a session of nobody, which takes the self-signed certificate."""
    session = requests.Session()
    # Else the variables of a proxy or a bundle of authorities would count.
    session.trust_env = session.verify = False
    return session


def rendered() -> dict[str, str]:
    """Return the role's PHP files by name, as Ansible writes them."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    return {
        path.name.removesuffix(".j2"): environment.from_string(path.read_text(encoding="utf-8")).render(SETTINGS)
        for path in TEMPLATES.glob("*.php.j2")
    }


@dataclass
class Report:
    """A result file as the engine writes it."""

    order: str
    encounter: str = "9"
    code: str = "CTHEAD"
    status: str = "F"
    lines: tuple[str, ...] = ("No acute finding in this examination.",)
    study: str = "2.25.1"
    pdfs: tuple[bytes, ...] = ()
    patient: str = "4"
    sender: str = "MIRTH|RADLAB|OPENEMR|OEMR"
    kind: str = "ORU^R01"
    more: tuple[str, ...] = field(default=())

    def bytes(self) -> bytes:
        """Return the message."""
        observations = [f"TX|18782-3^Radiology study observation^LN||{line}" for line in self.lines]
        observations.append(f"ST|113014^DICOM Study^DCM||{self.study}")
        observations += [f"ED|11528-7^Radiology report^LN||^Application^PDF^Base64^{base64.b64encode(pdf).decode()}" for pdf in self.pdfs]
        segments = [
            f"MSH|^~\\&|{self.sender}|20261101120000||{self.kind}|R1|P|2.3.1||||||UNICODE UTF-8",
            f"PID|1||{self.patient}^^^OPENEMR^MR||Doe^Ann||19800102|F",
            f"PV1|1|O|||||||||||||||||{self.encounter}",
            f"ORC|RE|{self.order}|ACC{self.order}||CM",
            f"OBR|1|{self.order}|ACC{self.order}|{self.code}^Name|||20261101110000|||||||||||||||20261101115500|||{self.status}",
            *(f"OBX|{n}|{text}||||||{self.status}|||20261101115500" for n, text in enumerate(observations, 1)),
            *self.more,
        ]
        return ("\r".join(segments) + "\r").encode()


class Emr:
    """The EMR, its database, and what the tests do with both."""

    def __init__(self, container: Container, database: Container) -> None:
        self.container = container
        self.database = database
        self._orders = 100

    def sql(self, statement: str) -> list[list[str]]:
        """Run statements; return the rows of the last ones as texts. Raises AssertionError when one is refused."""
        client = ["mariadb", "--user=openemr", "--password=Emr.1", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        out = self.database.exec(*client, "openemr", stdin=statement)
        return [line.split("\t") for line in out.splitlines()]

    def order(self, *codes: str, patient: int = 4, name: str = "CT head", date: str = "2026-11-01 10:00:00") -> str:
        """Make an order of these procedures with encounter 9; return its number."""
        self._orders += 1
        self.sql(
            f"INSERT INTO procedure_order SET procedure_order_id={self._orders}, patient_id={patient}, encounter_id=9, lab_id=1,"
            f" date_ordered='{date}', order_status='pending', activity=1;"
            + "".join(
                f"INSERT INTO procedure_order_code SET procedure_order_id={self._orders}, procedure_order_seq={n}, procedure_code='{code}',"
                f" procedure_name='{name}';"
                for n, code in enumerate(codes, 1)
            )
        )
        return str(self._orders)

    def put(self, name: str, content: bytes, folder: str = "inbox") -> None:
        """Write a file into an exchange folder as the engine does: complete under another name, then renamed."""
        part, whole = shlex.quote(f"/hl7/{folder}/.{name}.tmp"), shlex.quote(f"/hl7/{folder}/{name}")
        script = f"cat >{part} && mv {part} {whole}"
        command = ["docker", "exec", "--interactive", "--user=1000:1000", self.container.name, "sh", "-c", script]
        subprocess.run(command, input=content, check=True, timeout=60)

    def shell(self, script: str) -> str:
        """Run a script inside as root; return what it printed."""
        return self.container.exec("sh", "-c", script)

    def files(self, folder: str) -> list[str]:
        """Return the names in an exchange folder, hidden ones included."""
        return self.shell(f"ls -A /hl7/{folder}").split()

    def reason(self, name: str) -> str:
        """Return the reason that stands beside a refused file."""
        assert {name, f"{name}.reason"} <= set(self.files("results-error"))
        return self.shell(f"cat /hl7/results-error/{name}.reason")

    def run(self, *before: str) -> subprocess.CompletedProcess[str]:
        """Run the background service once, as the container's own loop does."""
        return self.container.try_exec(*before, "php", "/etc/openemr/background.php", user="1000:1000")

    def reports(self, order: str) -> list[list[str]]:
        """Return id, status and text of each report of an order, in the order of their import."""
        return self.sql(
            "SELECT r.procedure_report_id, r.report_status, TRIM(CONCAT(v.result, REPLACE(v.comments, '\\n', ' ')))"
            f" FROM procedure_report AS r JOIN procedure_result AS v USING (procedure_report_id) WHERE r.procedure_order_id={order}"
            " AND v.result_code='18782-3' ORDER BY r.procedure_report_id, v.procedure_result_id"
        )

    def login(self, user: str = ADMIN) -> requests.Session:
        """Return a session of a user who has logged in."""
        session = stranger()
        address = f"https://{self.container.address()}"
        form = {"new_login_session_management": "1", "authUser": user, "clearPass": PASSWORD, "languageChoice": "1"}
        session.get(f"{address}/interface/login/login.php?site=default", timeout=30)
        url = f"{address}/interface/main/main_screen.php?auth=login&site=default"
        answer = session.post(url, data=form, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text
        # The main frame, from which its pages call.
        session.headers["Referer"] = urljoin(address, answer.headers["Location"])
        return session

    def page(self, query: str, session: requests.Session | None = None) -> requests.Response:
        """Return the page "Imaging orders"."""
        url = f"https://{self.container.address()}/sites/default/imaging_orders.php{query}"
        return (session or stranger()).get(url, timeout=30)


def install(emr: Emr) -> None:
    """Put the rendered files where the role's start wrapper puts them, and run menu.php."""
    emr.shell("mkdir -p /etc/openemr")
    for name, text in rendered().items():
        docker("exec", "--interactive", emr.container.name, "sh", "-c", f"cat >/etc/openemr/{name}", stdin=text)
    for name, (mode, folder) in PLACES.items():
        emr.shell(f"install -d -o 1000 -m 0700 {SITE}/documents/local; install -o 1000 -m {mode} /etc/openemr/{name} {folder}/{name}")
    emr.container.exec("php", "/etc/openemr/menu.php", user="1000")
