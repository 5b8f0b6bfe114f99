"""No password that everybody knows opens anything (design rule 6; the defaults are those of dcm4chee.md §5)."""

from __future__ import annotations

import pytest

from .inside import Inside
from .lab import Lab

pytestmark = pytest.mark.reads
WELL_KNOWN = ["secret", "changeit", "admin", "password", "pacs", "postgres", "root", "user", "verysecret"]
# ldapwhoami ends with the LDAP result code (RFC 4511): 49 is "invalid credentials", so the server was asked and refused.
INVALID_CREDENTIALS = 49


def tried(inside: Inside, service: str, login: str, accounts: list[tuple[str, str]]) -> list[tuple[tuple[str, str], int, str]]:
    """Run a shell's command inside a service for each `$user` and `$password`; return each account with exit code and what was said."""
    script = f"while read -r user && read -r password; do said=$({login} 2>&1 </dev/null); echo $? $said; done"
    done = inside.run(service, "sh", "-c", script, stdin="".join(f"{user}\n{password}\n" for user, password in accounts).encode())
    answers = [line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return [(account, int(code), said) for account, (code, _, said) in zip(accounts, answers, strict=True)]


@pytest.mark.proves("ldap")
def test_ldap_takes_no_well_known_password(inside: Inside, lab: Lab) -> None:
    if lab.host_of("ldap") is None:
        pytest.skip("no host of the lab runs LDAP")
    search = ("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", "ldap://127.0.0.1")
    base = next(
        line.split(": ", 1)[1]
        for line in inside.output("ldap", *search, "-s", "base", "-b", "", "namingContexts").splitlines()
        if ": " in line[4:]
    )
    users = [
        line.removeprefix("dn: ")
        for line in inside.output("ldap", *search, "-b", base, "(uid=*)", "dn").splitlines()
        if line.startswith("dn: ")
    ]
    built_in = {dn.partition(",")[0] for dn in users}
    assert {"uid=root", "uid=admin", "uid=user"} <= built_in, f"LDAP has not the three built-in users but {sorted(built_in)}"
    accounts = [(dn, password) for dn in [f"cn=admin,{base}", "cn=admin,cn=config", *users] for password in WELL_KNOWN]
    for (dn, password), code, said in tried(inside, "ldap", 'ldapwhoami -x -H ldap://127.0.0.1 -D "$user" -w "$password"', accounts):
        assert code != 0, f"LDAP lets {dn} in with the well-known password {password!r}"
        assert code == INVALID_CREDENTIALS, f"cannot try passwords of {dn} on LDAP: {said}"


def assert_no_login(inside: Inside, service: str, login: str, refusal: str, users: set[str], *more: str) -> None:
    """Try the users of a database server. Raises AssertionError when one gets in, or could not be tried.

    :param login: the client's command; `$address` is the server's
    :param refusal: what it says then
    :param more: passwords to try besides those that everybody knows
    """
    # By the container's own address: over loopback and the socket PostgreSQL's image asks for no password.
    address = next(iter(inside.inspect(service)["NetworkSettings"]["Networks"].values()))["IPAddress"]
    accounts = [(user, password) for user in sorted(users) for password in sorted({*WELL_KNOWN, user, f"{user}db", *more})]
    for (user, password), code, said in tried(inside, service, login.replace("$address", address), accounts):
        assert code != 0, f"{service} lets {user} in with the well-known password {password!r}"
        assert refusal in said, f"cannot try passwords of {user} on {service}: {said}"


def assert_no_login_to_postgresql(inside: Inside, service: str, users: set[str], database: str) -> None:
    """Try the users of a PostgreSQL. Raises AssertionError."""
    login = f'psql --no-psqlrc "host=$address dbname={database} user=$user password=$password connect_timeout=10" --command "select 1"'
    assert_no_login(inside, service, login, "password authentication failed", users)


@pytest.mark.proves("pacs-db")
def test_database_takes_no_well_known_password(inside: Inside, lab: Lab) -> None:
    if lab.host_of("pacs-db") is None:
        pytest.skip("no host of the lab runs the archive's database")
    settings = dict(line.partition("=")[::2] for line in inside.output("pacs-db", "env").splitlines())
    users = {settings.get("POSTGRES_USER", "pacs"), "pacs", "postgres"}
    assert_no_login_to_postgresql(inside, "pacs-db", users, settings.get("POSTGRES_DB", "pacsdb"))


@pytest.mark.proves("mirth-db")
def test_databases_of_the_engine_take_no_well_known_password(inside: Inside, lab: Lab) -> None:
    """mirthdb is the product's example (mirth.md §1), filler the orders' owner."""
    if lab.host_of("mirth-db") is None:
        pytest.skip("no host of the lab runs the engine's databases")
    settings = dict(line.partition("=")[::2] for line in inside.output("mirth-db", "env").splitlines())
    users = {settings.get("POSTGRES_USER", "mirth"), "mirth", "mirthdb", "postgres", "filler"}
    assert_no_login_to_postgresql(inside, "mirth-db", users, settings.get("POSTGRES_DB", "mirth"))
    assert_no_login_to_postgresql(inside, "mirth-db", {"filler"}, "filler")


@pytest.mark.proves("mirth")
def test_engine_takes_no_well_known_password(inside: Inside, lab: Lab) -> None:
    if lab.host_of("mirth") is None:
        pytest.skip("no host of the lab runs the engine")
    login = (
        "curl -sk --noproxy '*' -m 20 -o /dev/null -w '%{http_code}' -H 'X-Requested-With: verify' --data-urlencode \"username=$user\""
        ' --data-urlencode "password=$password" https://127.0.0.1:8443/api/users/_login'
    )
    for (user, password), code, said in tried(inside, "mirth", login, [("admin", password) for password in [*WELL_KNOWN, "mirth", ""]]):
        assert said != "200", f"the engine lets {user} in with the well-known password {password!r}"
        assert (code, said) == (0, "401"), f"cannot try passwords of {user} on the engine: it answers {said!r}"


@pytest.mark.proves("openemr-db")
def test_database_of_the_emr_takes_no_well_known_password(inside: Inside, lab: Lab) -> None:
    """The names are those of the product's example (openemr.md §5), and the engine's account."""
    if lab.host_of("openemr-db") is None:
        pytest.skip("no host of the lab runs the EMR's database")
    login = 'MYSQL_PWD="$password" mariadb --host=$address --user="$user" --skip-ssl-verify-server-cert --execute="select 1"'
    assert_no_login(inside, "openemr-db", login, "Access denied", {"root", "openemr", "imaging_ro"}, "openemr")


@pytest.mark.proves("openemr")
def test_emr_takes_no_well_known_password(inside: Inside, lab: Lab) -> None:
    """The product's own alone: the EMR locks an account after twenty failures in an hour (openemr.md §5)."""
    if lab.host_of("openemr") is None:
        pytest.skip("no host of the lab runs the EMR")
    login = (
        "curl -sk --noproxy '*' -m 20 -o /dev/null -w '%{http_code}' -d new_login_session_management=1 -d languageChoice=1"
        ' --data-urlencode "authUser=$user" --data-urlencode "clearPass=$password"'
        " 'https://localhost/interface/main/main_screen.php?auth=login&site=default'"
    )
    for (user, password), code, said in tried(inside, "openemr", login, [("admin", "pass")]):
        assert said != "302", f"the EMR lets {user} in with the well-known password {password!r}"
        assert (code, said) == (0, "200"), f"cannot try passwords of {user} on the EMR: it answers {said!r}"
