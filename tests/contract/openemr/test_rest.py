"""The REST interface (§4, §7.9)."""

from __future__ import annotations

import pytest

from .support import SCOPES, SELF_SIGNED, Emr, Rest

pytestmark = SELF_SIGNED


def test_registration_and_token(emr: Emr) -> None:
    """A client with user scopes is registered disabled; enabled, the password grant works, and no secret is asked for."""
    rest = Rest(emr.url)
    answer = rest.register()
    assert answer.status_code == 200
    client = answer.json()["client_id"]
    assert emr.value(f"SELECT is_enabled FROM oauth_clients WHERE client_id = '{client}'") == "0"
    assert rest.token(client).status_code in (400, 401)
    emr.sql(f"UPDATE oauth_clients SET is_enabled = 1 WHERE client_id = '{client}'")
    assert rest.token(client, password="wrong").status_code in (400, 401)
    token = rest.token(client)
    assert token.status_code == 200
    assert token.json()["expires_in"] == 3600
    assert rest.call("GET", "/api/patient").status_code == 200


def test_refused_registrations(emr: Emr) -> None:
    """§4: redirect_uris is mandatory, user scopes need a private client, an unknown scope is an error."""
    rest = Rest(emr.url)
    assert rest.register(redirect_uris=[]).status_code == 400
    assert rest.register(application_type="web").status_code == 400
    assert rest.register(scope="openid user/nothing.read").status_code == 400


def test_without_a_token(emr: Emr) -> None:
    """§4: 401; FHIR's metadata need none."""
    assert Rest(emr.url).call("GET", "/api/patient").status_code == 401
    answer = Rest(emr.url).call("GET", "/fhir/metadata")
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "CapabilityStatement")


def test_scope_is_needed(emr: Emr) -> None:
    """§4: what the token does not name is refused."""
    rest = Rest(emr.url)
    scope = "openid api:oemr user/patient.read"
    client = rest.register(scope).json()["client_id"]
    emr.sql(f"UPDATE oauth_clients SET is_enabled = 1 WHERE client_id = '{client}'")
    assert rest.token(client, scope=SCOPES).status_code == 400
    assert rest.token(client, scope=scope).status_code == 200
    assert rest.call("GET", "/api/patient").status_code == 200
    assert rest.call("POST", "/api/patient", {"fname": "A", "lname": "Bb", "sex": "Male", "DOB": "2000-01-01"}).status_code == 401


def test_patient(emr: Emr, rest: Rest) -> None:
    """§4, §7.9: 201 with pid and uuid; pubpid is pid when it is not given; GET gives the pid."""
    pid, uuid = emr.patient(rest, "Rest", "Rita", street="1 Main St")
    row = rest.call("GET", f"/api/patient/{uuid}").json()["data"]
    assert (int(row["pid"]), row["pubpid"], row["fname"], row["DOB"], row["street"]) == (pid, str(pid), "Rita", "1980-01-02", "1 Main St")
    _, other = emr.patient(rest, "Rest", "Rudi", pubpid="EXT-1")
    assert rest.call("GET", f"/api/patient/{other}").json()["data"]["pubpid"] == "EXT-1"
    found = rest.call("GET", "/api/patient", params={"fname": "Rit"}).json()["data"]
    assert [each["uuid"] for each in found] == [uuid]
    assert rest.call("GET", "/api/patient/00000000-0000-4000-8000-000000000000").status_code in (400, 404)


@pytest.mark.parametrize(
    "wrong", [{"fname": None}, {"lname": "X"}, {"sex": "M"}, {"DOB": "01/02/1980"}], ids=["fname", "lname", "sex", "DOB"]
)
def test_refused_patient(emr: Emr, rest: Rest, wrong: dict[str, str | None]) -> None:
    """§4: first and last name, birth date and sex are required, with their forms."""
    body = {"fname": "Val", "lname": "Idate", "sex": "Male", "DOB": "2000-01-01", **wrong}
    answer = rest.call("POST", "/api/patient", {name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["validationErrors"]


def test_encounter(emr: Emr, rest: Rest) -> None:
    """§4, §7.9: 201; pc_catid and a known class_code are required; encounters and documents share one sequence."""
    pid, uuid = emr.patient(rest)
    answer = rest.call(
        "POST",
        f"/api/patient/{uuid}/encounter",
        {"pc_catid": "5", "class_code": "AMB", "reason": "visit", "provider_id": "1", "date": "2026-01-10"},
    )
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert emr.sql(f"SELECT pid, reason, provider_id, date FROM form_encounter WHERE encounter = {data['encounter']}") == [
        [str(pid), "visit", "1", "2026-01-10 00:00:00"]
    ]
    assert emr.value(f"SELECT formdir FROM forms WHERE encounter = {data['encounter']}") == "newpatient"
    assert rest.call("POST", f"/api/patient/{uuid}/encounter", {"pc_catid": "5", "class_code": "NOPE"}).status_code == 400
    assert rest.call("POST", f"/api/patient/{uuid}/encounter", {"class_code": "AMB"}).status_code == 400
    listed = rest.call("GET", f"/api/patient/{uuid}/encounter").json()["data"]
    assert [int(each["eid"]) for each in listed] == [int(data["encounter"])]


@pytest.mark.parametrize(("path", "category"), [("/Lab_Report", [["2"]]), ("/Nowhere", [])])
def test_document(emr: Emr, rest: Rest, path: str, category: list[list[str]]) -> None:
    """§4, §7.9: 200 true; the category by its name with _ for blanks; an unknown one stores it without any."""
    pid, _ = emr.patient(rest)
    files = {"document": ("report.txt", b"a text", "text/plain")}
    answer = rest.call("POST", f"/api/patient/{pid}/document", params={"path": path}, files=files)
    assert (answer.status_code, answer.text.strip()) == (200, "true")
    number, name = emr.sql(f"SELECT id, name FROM documents WHERE foreign_id = {pid}")[0]
    assert name == "report.txt"
    assert emr.sql(f"SELECT category_id FROM categories_to_documents WHERE document_id = {number}") == category
    assert rest.call("GET", f"/api/patient/{pid}/document/{number}").content == b"a text"


def test_calls_are_logged_whole(emr: Emr, rest: Rest) -> None:
    """§5: api_log_option 2."""
    emr.patient(rest, "Logged", "Lou")
    rows = emr.sql(
        "SELECT a.method, a.request_body LIKE '%Logged%', l.event FROM api_log a JOIN log l ON l.id = a.log_id ORDER BY a.id DESC LIMIT 1"
    )
    assert rows == [["POST", "1", "api"]]


def test_all_interfaces_off(emr: Emr) -> None:
    """§4: /oauth2 answers 404, the interfaces 501."""
    emr.sql("UPDATE globals SET gl_value = '0' WHERE gl_name IN ('rest_api', 'rest_fhir_api')")
    try:
        assert Rest(emr.url).register().status_code == 404
        assert Rest(emr.url).call("GET", "/fhir/metadata").status_code in (404, 501)
    finally:
        emr.sql("UPDATE globals SET gl_value = '1' WHERE gl_name IN ('rest_api', 'rest_fhir_api')")
