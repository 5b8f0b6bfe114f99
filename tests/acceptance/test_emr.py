"""The EMR: what the engine gives it is imported, its tables are the lab's, its page is closed, nothing of its installer is left."""

from __future__ import annotations

import pytest
from waiting import wait_for

from .emr_database import EmrDatabase
from .inside import Inside
from .lab import Engine, Lab

pytestmark = [pytest.mark.reads, pytest.mark.proves("openemr")]
# What the lab's service in the EMR looks for each openemr_poll_seconds.
RUN_SECONDS = 120
FOLDERS = ("", "/orders", "/orders-done", "/orders-error", "/inbox", "/status", "/results", "/results-error")
MENU = "pacs.json"
# Files that nobody has taken for five minutes.
LEFT = "cd /hl7 && find inbox status -type f ! -name '.*' -cmin +5 | sort"
# Age in minutes, path and first line of the reason.
REFUSED = r"""
cd /hl7 && find results-error -type f ! -name '*.reason' ! -name '.*' -exec sh -c '
for file; do
  reason=$(head -n 1 "$file.reason" 2>/dev/null) || reason="no reason: it was put there by hand"
  printf "%d\t/hl7/%s\t%s\n" $((($(date +%s) - $(stat -c %Z "$file")) / 60)) "$file" "$reason"
done' sh {} +
"""
# Of the processes that root runs, which all others come from: another user's cannot be read without more rights than the container has.
PASSWORDS = """
for process in /proc/[0-9]*; do
  tr '\\0' '\\n' 2>/dev/null <$process/environ | grep -Eo '^(MYSQL_ROOT_PASS|MYSQL_PASS|OE_PASS)=.' | cut -d = -f 1 || :
done | sort -u
[ ! -e /run/secrets ] || ls /run/secrets
"""
PAGE = "https://127.0.0.1/sites/default/imaging_orders.php?site=default&pid=1"


@pytest.fixture(autouse=True)
def _emr(lab: Lab) -> None:
    if lab.host_of("openemr") is None:
        pytest.skip("the lab has no EMR (group openemr)")


def provider(emr_database: EmrDatabase) -> str:
    """Return the id of the procedure provider that writes where the engine reads. Raises AssertionError unless there is one."""
    where = "protocol = 'FS' AND direction = 'B' AND active = 1 AND orders_path = '/hl7/orders' AND results_path = '/hl7/results'"
    found = emr_database.sql(f"SELECT ppid FROM procedure_providers WHERE {where}")
    assert len(found) == 1, f"{len(found)} procedure providers of the EMR exchange files with the engine, not one: run site.yml"
    return found[0]


def test_results_and_status_are_imported(inside: Inside) -> None:
    left = inside.exchange(LEFT, again=True).splitlines()
    assert not left, f"{len(left)} files of the engine that the EMR has not imported for five minutes: {', '.join(left[:10])}"


def test_background_service_runs(emr_database: EmrDatabase) -> None:
    due = "SELECT next_run FROM background_services WHERE name = 'pacs_emr_imaging' AND active = 1"
    before = emr_database.sql(due)
    assert before, "the EMR has no active background service pacs_emr_imaging: run site.yml"
    silent = f"the EMR's background service has not run for {RUN_SECONDS} s: docker compose logs openemr says why"
    wait_for(lambda: silent if emr_database.sql(due) == before else "", RUN_SECONDS, pause=1)


def test_every_user_has_the_menu(emr_database: EmrDatabase) -> None:
    """The form for users posts its own value; the background service sets it again, so it may take a moment."""

    def complaint() -> str:
        other = emr_database.sql(f"SELECT username FROM users WHERE username <> '' AND coalesce(patient_menu_role, '') <> '{MENU}'")
        return f"users of the EMR without the patient menu {MENU}: {', '.join(other)}" if other else ""

    wait_for(complaint, RUN_SECONDS)


def test_compendium_is_the_labs_table(emr_database: EmrDatabase, lab_engine: Engine) -> None:
    where = f"lab_id = {provider(emr_database)} AND procedure_type = 'ord' AND activity = 1"
    found = emr_database.sql(f"SELECT concat(procedure_code, ' ', name) FROM procedure_type WHERE {where}")
    wanted = [f"{row.code} {row.name}" for row in lab_engine.procedures]
    assert sorted(found) == sorted(wanted), "what can be ordered in the EMR is not the table lab_procedures: run site.yml"


def test_installers_passwords_are_gone(inside: Inside) -> None:
    left = inside.output("openemr", "sh", "-c", PASSWORDS, again=True).split()
    assert not left, f"the EMR's container still has passwords of the installer: {', '.join(left)}; run site.yml"


def test_imaging_orders_ask_for_a_login(inside: Inside) -> None:
    page = inside.output("openemr", "curl", "-sSk", "-m", "20", "--noproxy", "*", PAGE, again=True)
    assert "login" in page, f"without a session the page of imaging orders does not lead to the login page: {page[:200]}"
    assert "<h1" not in page, "the page of imaging orders shows itself without a session"


def test_exchange_folders_belong_to_both(inside: Inside) -> None:
    """Uid 1000, and the group keeps what the other one writes."""
    found = inside.exchange("stat -c '%n %u %g %a' \"$@\"", *(f"/hl7{folder}" for folder in FOLDERS), again=True).splitlines()
    wrong = [line for line in found if not line.endswith(" 1000 1000 2770")]
    assert not wrong, f"exchange folders with another owner, group or mode than 1000, 1000 and 2770: {'; '.join(wrong)}"


def test_refused_results_are_listed(inside: Inside, notes: list[str]) -> None:
    """They are no failure of the lab, but somebody has to look."""
    found = sorted((line.split("\t", 2) for line in inside.exchange(REFUSED, again=True).splitlines()), key=lambda row: int(row[0]))
    notes.append(f"files that the EMR refused: {len(found)} (docs/when-something-is-refused.md)")
    for minutes, path, reason in found[:10]:
        back = "inbox" if path.endswith(".hl7") else "status"
        notes += [f"  {path}, {int(minutes) // 60} h {int(minutes) % 60} min ago: {reason}"]
        notes += [f"    → mend its cause, move it back to /hl7/{back} and remove {path.rpartition('/')[2]}.reason; or remove both"]
