"""Login, rights, the patient's chart with its menu, users: what a person meets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from forms import Form

from .support import ADMIN_PASSWORD, DOCUMENTS, ROOT, SELF_SIGNED, Browser, Emr, Rest, only_standin

pytestmark = SELF_SIGNED
MENUS = f"{DOCUMENTS}/custom_menus/patient_menus"
ENTRY = (
    '{"label":"Imaging (OHIF)","menu_id":"ohif_imaging","target":"main","url":"https://ohif.example.org/?mrn=","pid":"true",'
    '"on_click":"window.open(this.href,\'ohif\');return false;","children":[],"requirement":0,"acl_req":["patients","med"]}'
)


@pytest.fixture(scope="module")
def patient(emr: Emr, rest: Rest) -> tuple[int, str]:
    return emr.patient(rest, "Menu", "Max")


@pytest.fixture
def menu(emr: Emr) -> Iterator[None]:
    """Afterwards the administrator has the standard menu again."""
    yield
    emr.sql("UPDATE users SET patient_menu_role = 'standard' WHERE id = 1")


def use_menu(emr: Emr, content: str | None, mode: str = "0700", owner: str = "1000:101", name: str = "Imaging.json") -> None:
    if content is not None:
        emr.put(f"{MENUS}/{name}", content, mode, owner)
    emr.sql(f"UPDATE users SET patient_menu_role = '{name}' WHERE id = 1")


def items(page: str) -> dict[str, tuple[str, str, str]]:
    """menu_id → label, href, onclick of the chart's menu, as a browser reads them."""
    found = re.findall(
        r'<li class="nav-item [^"]*" id="([^"]*)"><a class="nav-link text-dark" +href="([^"]*)" onclick="([^"]*)"> (.*?) </a>', page
    )
    return {menu_id: (label, href, onclick) for menu_id, href, onclick, label in found}


def test_login(emr: Emr) -> None:
    """§7.1: 302 to the main frame with a token, which is good for one call."""
    browser = Browser(emr.url)
    fields = {"new_login_session_management": "1", "authUser": "admin", "clearPass": ADMIN_PASSWORD}
    answer = browser.post("/interface/main/main_screen.php?auth=login&site=default", fields)
    assert answer.status_code == 302
    assert answer.headers["Location"].removeprefix(emr.url).startswith("/interface/main/tabs/main.php?token_main=")
    frame = answer.headers["Location"].removeprefix(emr.url)
    assert "execute_background_services.php" in browser.get(frame).text
    assert "execute_background_services.php" not in browser.get(frame).text


@pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("Admin", ADMIN_PASSWORD), ("nobody", "x"), ("oe-system", "x")])
def test_wrong_login(emr: Emr, user: str, password: str) -> None:
    """§7.1: 200 without Location."""
    browser = Browser(emr.url)
    answer = browser.log_in(user, password)
    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert "login_screen.php" in browser.get("/interface/main/finder/dynamic_finder.php").text


def test_page_without_a_login(emr: Emr) -> None:
    """§2, §3.5b: 200 with a script that opens the login page; without a site in the session just a sentence."""
    browser = Browser(emr.url)
    assert browser.get("/interface/patient_file/summary/demographics.php").text == "Site ID is missing from session data!"
    browser.get("/interface/login/login.php", site="default")
    answer = browser.get("/interface/patient_file/summary/demographics.php", set_pid=1)
    assert answer.status_code == 200
    assert "location.href" in answer.text
    assert "login_screen.php" in answer.text
    assert "Doe" not in answer.text


def test_root_and_session_cookie(emr: Emr) -> None:
    """§1.5, §5: / leads to the login page; documents are denied; HSTS is always sent, on port 80 too (§1.1, §7.1)."""
    answer = Browser(emr.url).get("/")
    assert (answer.status_code, answer.headers["Location"].removeprefix(f"{emr.url}/")) == (302, "interface/login/login.php?site=default")
    assert Browser(emr.url).get("/sites/default/documents/procedure_results/").status_code == 403
    for url in (emr.url, emr.url.replace("https:", "http:")):
        answer = Browser(url).get("/interface/login/login.php", site="default")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_health_addresses_are_absent(emr: Emr) -> None:
    """§1.5, §7.1: they came with a later release."""
    assert Browser(emr.url).get("/meta/health/readyz").status_code == 404


@only_standin
@pytest.mark.parametrize(
    "path",
    [
        "/interface/patient_file/report/patient_report.php",
        "/portal/",
        "/swagger",
        "/apis/default/api/procedure",
        "/oauth2/default/authorize",
    ],
)
def test_what_the_standin_lacks_is_said(emr: Emr, rest: Rest, path: str) -> None:
    """501 and a sentence."""
    answer = rest.session.get(emr.url + path, timeout=60)
    assert answer.status_code == 501
    assert f"has no {path}" in answer.text


def test_standard_menu(emr: Emr, admin: Browser, patient: tuple[int, str]) -> None:
    """§2: addresses become those of the web root; with pid "true" the internal number is added; only that of this chart."""
    shown = items(admin.chart(patient[0]))
    assert shown["documents"][1] == f"/controller.php?document&list&patient_id={patient[0]}".replace("&", "&amp;")
    assert shown["dashboard"][1:] == ("/interface/patient_file/summary/demographics.php", "top.restoreSession()")


def test_custom_menu(emr: Emr, admin: Browser, patient: tuple[int, str], menu: None) -> None:
    """§2, §7.3: an address with :// is left as it is; on_click is raw."""
    use_menu(emr, f"[{ENTRY}]")
    assert items(admin.chart(patient[0])) == {
        "ohif_imaging": ("Imaging (OHIF)", f"https://ohif.example.org/?mrn={patient[0]}", "window.open(this.href,'ohif');return false;")
    }


def test_menu_made_of_the_standard_one(emr: Emr, admin: Browser, patient: tuple[int, str], menu: None) -> None:
    """§2: the standard menu's file is a JSON array, a base for one's own."""
    standard = emr.container.exec("cat", f"{ROOT}/interface/main/tabs/menu/menus/patient_menus/standard.json")
    made = json.dumps([*json.loads(standard), json.loads(ENTRY)])
    use_menu(emr, made)
    assert {"dashboard", "documents", "ohif_imaging"} <= set(items(admin.chart(patient[0])))


@pytest.mark.parametrize(
    ("requirement", "shown"),
    [
        ('"acl_req":["patients","nothing"]', True),
        ('"acl_req":[["squads","x"],["patients","med"]]', True),
        ('"global_req":["rest_portal_api","rest_api"]', True),
        ('"global_req":["rest_portal_api"]', False),
        ('"global_req_strict":["rest_api","rest_portal_api"]', False),
        ('"global_req_strict":["rest_api","!rest_portal_api"]', True),
    ],
)
def test_menu_requirements(emr: Emr, admin: Browser, patient: tuple[int, str], menu: None, requirement: str, shown: bool) -> None:
    """§2: acl_req, global_req (any), global_req_strict (all), ! turns round. Who may do admin/super may do all."""
    use_menu(
        emr,
        "["
        + re.sub(r'"acl_req".*?\]', requirement, ENTRY)
        + ', {"label":"x","menu_id":"x","url":"x","pid":"false","on_click":"","children":[]}]',
    )
    assert ("ohif_imaging" in items(admin.chart(patient[0]))) == shown


@pytest.mark.parametrize(
    ("content", "mode", "owner"),
    [(None, "", ""), ("[{broken", "0700", "1000:101"), (f"[{ENTRY}]", "0700", "0:0")],
    ids=["missing", "no-json", "unreadable"],
)
def test_dead_menu(emr: Emr, admin: Browser, patient: tuple[int, str], menu: None, content: str | None, mode: str, owner: str) -> None:
    """§7.3: 200, and the page ends there."""
    use_menu(emr, content, mode, owner, name="Dead.json")
    page = admin.get("/interface/patient_file/summary/demographics.php", set_pid=patient[0])
    assert page.status_code == 200
    assert page.text.rstrip().endswith("JSON ERROR: 4")
    emr.container.exec("rm", "-f", f"{MENUS}/Dead.json")


def test_new_user_gets_the_menu_of_the_form(emr: Emr, admin: Browser) -> None:
    """§2: the form posts its own patient_menu_role; the user's rights are those of the groups."""
    page = Form(admin.get("/interface/usergroup/usergroup_admin_add.php").text)
    assert page.fields["patient_menu_role"] == "standard"
    fields = {
        **page.fields,
        "rumple": "clerk",
        "stiltskin": "Clerk.Secret_4",
        "adminPass": ADMIN_PASSWORD,
        "fname": "Cleo",
        "lname": "Clerk",
        "access_group[]": "Front Office",
    }
    emr.sql("ALTER TABLE users ALTER patient_menu_role SET DEFAULT 'Other.json'")
    try:
        assert admin.post("/interface/usergroup/usergroup_admin.php", fields).status_code == 200
    finally:
        emr.sql("ALTER TABLE users ALTER patient_menu_role SET DEFAULT 'standard'")
    assert emr.sql("SELECT patient_menu_role, active FROM users WHERE username = 'clerk'") == [["standard", "1"]]
    clerk = emr.browser("clerk", "Clerk.Secret_4")
    # The front office sees charts, not results.
    refused = clerk.get("/interface/orders/single_order_results.php", orderid=1).text
    assert "not authorized" in refused.lower()
    assert emr.php("$_SESSION['authUser'] = 'clerk'; foreach ([['patients', 'demo'], ['patients', 'med'], ['admin', 'super']] as [$a, $b]) "
                   "echo (int)OpenEMR\\Common\\Acl\\AclMain::aclCheckCore($a, $b);") == "100"  # fmt: skip


def test_user_by_sql_without_a_group_of_rights_cannot_log_in(emr: Emr) -> None:
    """AuthUtils.php, confirmUserPassword(): rows of users, users_secure and groups are not enough."""
    hashed = emr.php("$p = 'Sql.Secret_5'; echo (new OpenEMR\\Common\\Auth\\AuthHash('auth'))->passwordHash($p);")
    emr.sql(
        "INSERT INTO users SET username = 'bysql', authorized = 1, active = 1; SET @id = LAST_INSERT_ID(); "
        f"INSERT INTO users_secure SET id = @id, username = 'bysql', password = '{hashed}', last_update_password = NOW(); "
        "INSERT INTO `groups` SET name = 'Default', user = 'bysql'"
    )
    with pytest.raises(AssertionError, match="login_screen"):
        emr.browser("bysql", "Sql.Secret_5")
    may = "$_SESSION['authUser'] = 'bysql'; echo (int)OpenEMR\\Common\\Acl\\AclMain::aclCheckCore('patients', 'med');"
    assert emr.php(may) == "0"
    emr.sql(
        "INSERT INTO gacl_aro SET id = 900, section_value = 'users', value = 'bysql', name = 'By SQL'; "
        "INSERT INTO gacl_groups_aro_map SELECT id, 900 FROM gacl_aro_groups WHERE value = 'doc'"
    )
    assert emr.php(may) == "1"
    emr.browser("bysql", "Sql.Secret_5")


def test_password_is_changed_by_php(emr: Emr) -> None:
    """§7.7: updatePassword() refuses a wrong old password, a weak and a recent one; by SQL the hash is enough."""
    hashed = emr.php("$p = 'First.Secret_6'; echo (new OpenEMR\\Common\\Auth\\AuthHash('auth'))->passwordHash($p);")
    emr.sql(
        "INSERT INTO users SET username = 'changer', active = 1; SET @id = LAST_INSERT_ID(); "
        f"INSERT INTO users_secure SET id = @id, username = 'changer', password = '{hashed}', last_update_password = NOW(); "
        "INSERT INTO `groups` SET name = 'Default', user = 'changer'; "
        "INSERT INTO gacl_aro SET id = 901, section_value = 'users', value = 'changer', name = 'Changer'; "
        "INSERT INTO gacl_groups_aro_map SELECT id, 901 FROM gacl_aro_groups WHERE value = 'front'"
    )
    number = emr.value("SELECT id FROM users WHERE username = 'changer'")

    def change(old: str, new: str) -> str:
        return emr.php(
            f"$old = '{old}'; $new = '{new}'; "
            f"echo (int)(new OpenEMR\\Common\\Auth\\AuthUtils())->updatePassword({number}, {number}, $old, $new);"
        )

    assert change("wrong", "Second.Secret_7") == "0"
    assert change("First.Secret_6", "Short_1") == "0"
    assert change("First.Secret_6", "withoutclasses") == "0"
    assert change("First.Secret_6", "Second.Secret_7") == "1"
    assert change("Second.Secret_7", "First.Secret_6") == "0"
    emr.browser("changer", "Second.Secret_7")


def test_own_page_below_the_site(emr: Emr, admin: Browser, patient: tuple[int, str]) -> None:
    """§3.5: a page of one's own below sites/default has session, patient, rights and escaping; documents/local answers 403."""
    emr.put(
        f"{ROOT}/sites/default/own_page.php",
        "<?php require_once '../../interface/globals.php'; use OpenEMR\\Common\\Acl\\AclMain; use OpenEMR\\Core\\Header;\n"
        "if (!AclMain::aclCheckCore('patients', 'med')) { die('no'); } Header::setupHeader();\n"
        "$row = sqlQuery('SELECT lname FROM patient_data WHERE pid = ?', [$pid]); "
        "echo '<p title=\"' . attr('\"') . '\">', text($row['lname'] . '<'), xlt('Done'), '</p>';",
        "0400",
    )
    admin.chart(patient[0])
    assert '<p title="&quot;">Menu&lt;Done</p>' in admin.get("/sites/default/own_page.php").text
    other = Browser(emr.url)
    other.get("/interface/login/login.php", site="default")
    assert "login_screen.php" in other.get("/sites/default/own_page.php").text
    emr.container.exec("install", "-d", "-o", "1000", "-g", "101", f"{DOCUMENTS}/local")
    emr.put(f"{DOCUMENTS}/local/own.php", "<?php echo 1;", "0700")
    assert other.get("/sites/default/documents/local/own.php").status_code == 403
