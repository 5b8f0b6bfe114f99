"""What the inventory says, judged without asking any host: names, types, groups, versions, AE titles. Pure checks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pacs_emr.lab.plugins.module_utils import secrets as secrets_file
from ansible_collections.pacs_emr.lab.plugins.module_utils.openemr_tables import MSH_NAME, NAME_LENGTH, OTHER_GENERATORS, folded
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding
from ansible_collections.pacs_emr.lab.plugins.module_utils.services import Service

#: AE titles that upstream's LDAP creates itself, besides the archive's own two (dcm4chee.md §1.2).
RESERVED_AE_TITLES = {
    "AS_RECEIVED",
    "IOCM_EXPIRED",
    "IOCM_PAT_SAFETY",
    "IOCM_QUALITY",
    "IOCM_REGULAR_USE",
    "IOCM_WRONG_MWL",
    "SCHEDULEDSTATION",
    "STORESCP",
}

#: How to put login_ldap_url right.
LDAP_URL = "give ldap:// or ldaps://, servers, /, a base, ?, the attribute of the user's name, ?, one or sub, ?, a filter (docs/login.md)"


def unknown_variables(
    names: Iterable[str], known: Iterable[str], renamed: Mapping[str, Mapping[str, str]], prefixes: Iterable[str]
) -> list[Finding]:
    """Find variables that nobody reads: those with one of our prefixes, and those within two letters of a name that we know.

    :param names: what the inventory and the command line set for a host
    :param renamed: old name → ``{now: new name}`` or ``{gone: what replaces it}``
    """
    names, known = set(names), set(known)
    ours = tuple(prefix + "_" for prefix in prefixes)
    found = []
    for name in sorted(names - known):
        if name in renamed:
            found.append(old_variable(name, renamed[name], names))
        elif name.startswith(ours):
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            found.append(
                Finding(name, "no variable of the lab has this name", f"{hint}docs/variables.md lists them all; remove or correct it")
            )
        else:
            near = [other for other in sorted(known) if within_two(name, other)]
            if near:
                found.append(
                    Finding(
                        name,
                        f"is nearly {near[0]}, and nobody reads it",
                        f"write {near[0]}, or choose another name for a variable of your own",
                    )
                )
    return found


def old_variable(name: str, change: Mapping[str, str], names: set[str]) -> Finding:
    """Describe a variable that had another name, or existed, in an earlier release or in the seed's .env."""
    if "gone" in change:
        return Finding(name, "was removed", change["gone"])
    if change["now"] in names:
        return Finding(name, f"is the old name of {change['now']}, and both are set", f"keep {change['now']}, remove {name}")
    return Finding(name, f"is now {change['now']}", change.get("fix") or f"rename it to {change['now']}")


def within_two(one: str, other: str) -> bool:
    """Whether at most two letters must be put in, left out or changed to turn one name into the other; short names are not compared."""
    if min(len(one), len(other)) < 6 or abs(len(one) - len(other)) > 2:
        return False
    previous = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, against in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != against)))
        previous = current
    return previous[-1] <= 2


def typed(options: Mapping[str, Any], variables: Mapping[str, Any], role: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return variables in the types of a role's argument specs (the command line gives texts), and what does not fit them."""
    given = {name: variables[name] for name in options if name in variables}
    result = ArgumentSpecValidator(dict(options)).validate(given)
    found = [
        Finding(
            f"variable of role {role}",
            message.rstrip("."),
            "correct it in inventory/<lab>/group_vars/all/lab.yml; docs/variables.md says what it takes",
        )
        for message in result.error_messages
    ]
    found += [
        Finding(name, "has no value", 'give it one ("" is an empty text), or remove it to get its default')
        for name, value in given.items()
        if value is None
    ]
    return {name: result.validated_parameters[name] for name in given}, found


def groups(hosts: Mapping[str, list[str]], services: Iterable[str]) -> list[Finding]:
    """Check that each service is placed on exactly one host of the group ``lab``."""
    found = []
    lab = set(hosts.get("lab") or [])
    for service in services:
        placed = hosts.get(service) or []
        if len(placed) != 1:
            say = "has no host" if not placed else f"has {len(placed)} hosts ({', '.join(placed)})"
            found.append(
                Finding(f"inventory group {service}", f"{say}; the lab has one {service}", f"put exactly one host into the group {service}")
            )
        elif placed[0] not in lab:
            found.append(
                Finding(
                    f"inventory group {service}",
                    f"its host {placed[0]} is not in the group lab",
                    "make the group a child of lab (inventory/single/hosts.yml)",
                )
            )
    return found


def tags(option: str, asked: Iterable[str], known: Iterable[str]) -> list[Finding]:
    """Check --tags and --skip-tags: an unknown one would run nothing, or skip nothing, and report success."""
    special = {"all", "always", "never", "tagged", "untagged"}
    return [
        Finding(f"{option} {tag}", "no task has this tag", f"use one of {', '.join(sorted(known))}")
        for tag in asked
        if tag not in special | set(known)
    ]


def basics(variables: Mapping[str, Any], described: Iterable[str]) -> list[Finding]:
    """Check what everything else is made of: the lab's services, its folders, and its name in Compose.

    :param described: services that have a role
    """
    found = [
        Finding("lab_services", f"there is no service '{name}'", f"use some of {', '.join(described)}")
        for name in sorted(set(variables.get("lab_services") or []) - set(described))
    ]
    shapes = {
        "lab_root": (r"/+[^/].*", "give a folder of the lab's own, from / on"),
        "lab_project": (r"[a-z0-9][a-z0-9_-]*", "use small letters, digits, _ and -"),
        "arc_storage_path": (r"(/+[^/].*)?", "give a folder from / on, or an empty text for the volume pacs-storage"),
    }
    return found + misshapen(variables, {name: shape for name, shape in shapes.items() if name in variables})


def misshapen(variables: Mapping[str, Any], shapes: Mapping[str, tuple[str, str]]) -> list[Finding]:
    """Find variables whose text is not of the shape that it must have; ``shapes`` is name → (regular expression, how to put it right)."""
    return [
        Finding(name, f"'{variables[name]}' cannot be taken", fix)
        for name, (shape, fix) in shapes.items()
        if not re.fullmatch(shape, str(variables[name]))
    ]


def binds(variables: Mapping[str, Any], here: Mapping[str, Service], host: str) -> list[Finding]:
    """Check that everything is published on an address, or not at all.

    What clients on other hosts need is published on the host's lab_address, unless the lab says otherwise.
    """
    wrong: dict[str, list[str]] = {}
    for service in here.values():
        for name in service.publishes:
            bind = str(variables.get(f"{name}_bind") or "")
            if bind and not is_address(bind):
                wrong.setdefault(bind, []).append(f"{name}_bind")
    return [
        Finding(
            f"lab_address of {host}",
            f"'{bind}' is a name; what is published for other hosts ({', '.join(names)}) needs an IP address of the host",
            f"set lab_address (or ansible_host) of {host} to that address, or set {', '.join(names)}",
        )
        if bind == variables.get("lab_address")
        else Finding(
            ", ".join(names),
            f"'{bind}' is no address",
            "give an address of the host, 0.0.0.0 for all, or an empty text to publish nothing",
        )
        for bind, names in wrong.items()
    ]


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def matching_versions(arc: str, ldap: str, pacs_db: str) -> list[Finding]:
    """Check the trio (dcm4chee.md §0 trap 1): LDAP's suffix is the archive's minor.patch, the database's suffix its minor."""
    parts = re.match(r"5\.(\d+)\.(\d+)(-secure|-secure-ui)?\Z", arc)
    if not parts:
        return [Finding("arc_tag", f"{arc} is no release of the archive", "use a tag like 5.34.2")]
    minor, patch = parts[1], parts[2]
    found = []
    if not ldap.endswith(f"-{minor}.{patch}"):
        found.append(
            Finding(
                "ldap_tag",
                f"{ldap} does not belong to the archive {arc}",
                f"use an LDAP tag that ends in -{minor}.{patch} (docs/images.md)",
            )
        )
    if pacs_db.rpartition("-")[2] != minor:
        found.append(
            Finding(
                "pacs_db_tag",
                f"{pacs_db} does not belong to the archive {arc}",
                f"use a database tag that ends in -{minor} (docs/images.md)",
            )
        )
    return found


def ae_table(table: list[Mapping[str, Any]], own: Iterable[str]) -> list[Finding]:
    """Check the AE table: well-formed titles (DICOM PS3.5: at most 16 characters, no backslash), unique, not the archive's own.

    LDAP does not tell upper from lower case, so titles that differ in nothing else are the same.
    """
    found = []
    seen: set[str] = set()
    taken = {title.upper() for title in own} | RESERVED_AE_TITLES
    for row in table:
        title = str(row.get("ae_title", ""))
        where = f"lab_ae_table, {title or row}"
        if not re.match(r"[!-\[\]-~]{1,16}\Z", title):
            found.append(Finding(where, "is no AE title", "use 1 to 16 printable characters without blanks and backslash"))
        elif title.upper() in taken:
            found.append(Finding(where, "is an AE title of the archive itself", "choose another one"))
        elif title.upper() in seen:
            found.append(Finding(where, "stands twice", "keep one row for each AE title"))
        seen.add(title.upper())
        if not row.get("host") or not 0 < int(row.get("port") or 0) < 65536:
            found.append(Finding(where, "lacks host or port", "give the address and port at which this AE takes associations"))
    return found


def procedures(table: list[Mapping[str, Any]], stations: Iterable[str], group: str) -> list[Finding]:
    """Check the table of procedures: what goes into a worklist row must be legal DICOM (code and scheme SH, name LO, modality CS), and
    the EMR, whose names are shorter, tells a procedure by its code and finds it by its name.

    :param stations: AE titles of lab_ae_table
    :param group: name of the EMR's group of these procedures
    """
    found = []
    codes: set[str] = set()
    names = {folded(group): "openemr_provider_name"}
    stations = set(stations)
    text = r"[^\\\x00-\x1f]"
    for row in table:
        code = str(row.get("code", ""))
        where = f"lab_procedures, {code or row}"
        if not re.fullmatch(r"[!-\[\]-~]{1,16}", code):
            found.append(Finding(where, "is no code", "use 1 to 16 printable characters without blanks and backslash"))
        elif folded(code) in codes:
            found.append(Finding(where, "stands twice (capitals and accents aside)", "keep one row for each code"))
        codes.add(folded(code))
        name = str(row.get("name") or "")
        if not name.strip() or not re.fullmatch(rf"{text}{{1,{NAME_LENGTH}}}", name):
            what = f"has no name that DICOM and the EMR can carry: it has {len(name)} characters"
            found.append(Finding(where, what, f"give 1 to {NAME_LENGTH} without backslash, and not blanks alone"))
        elif folded(name) in names:
            what = f"'{name}' is also the name of {names[folded(name)]}"
            found.append(Finding(where, what, "give each its own: the EMR finds procedures by it"))
        names.setdefault(folded(name), where)
        if not re.fullmatch(r"[!-\[\]-~]{1,16}", str(row.get("scheme") or "99LAB")):
            found.append(
                Finding(where, f"'{row['scheme']}' is no coding scheme", "use 1 to 16 printable characters, or leave it out for 99LAB")
            )
        if not re.fullmatch(r"[A-Z0-9_]{1,16}", str(row.get("modality") or "")):
            found.append(
                Finding(where, f"'{row.get('modality')}' is no modality", "use DICOM's code, CT say: capital letters, digits and _")
            )
        if row.get("station") not in stations:
            found.append(Finding(where, f"its station {row.get('station')} is not in lab_ae_table", "add the station there, or correct it"))
        if row.get("minutes") is not None and not 0 < int(row["minutes"]) <= 1440:
            found.append(Finding(where, f"{row['minutes']} minutes are no duration", "give 1 to 1440, or leave it out for 30"))
    return found


def hl7_names(variables: Mapping[str, Any]) -> list[Finding]:
    """Check the names that stand in every HL7 message: no delimiter of HL7 may be in them. And the times of the archive's updates, of
    the worklist and of the looks at the EMR.

    And the names of the engine's database, which stand in its settings unquoted.
    """
    name = (r"[A-Za-z0-9_.-]{1,20}", "use 1 to 20 characters out of A-Z a-z 0-9 _ . -")
    period = (r"P(?!T?$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", "give an ISO 8601 duration, PT1M say")
    poll = (r"[1-9]\d{3,6}", "give milliseconds, 1000 to 9999999")
    identifier = (r"[a-z_][a-z0-9_]{0,62}", "use small letters, digits and _, 63 at most")
    shapes = {
        "lab_facility": name,
        "arc_hl7_application": name,
        "mirth_hl7_application": name,
        "lab_assigning_authority": (r"[A-Za-z0-9_. -]{1,64}", "use 1 to 64 characters out of A-Z a-z 0-9 _ . - and the blank"),
        "lab_assigning_authority_oid": (
            r"(?=.{3,64}$)[0-2](\.(0|[1-9]\d*))+",
            "give an OID: numbers with dots between them, 64 characters at most",
        ),
        "mirth_emr_msh": (r"[^|^~\\&]{1,20}(\|[^|^~\\&]{0,20}){3}", "give four names with | between them"),
        "mirth_worklist_days": (r"\d{1,4}", "give a number of days, or 0 for never"),
        "mirth_patients_poll_ms": poll,
        "mirth_orders_poll_ms": poll,
        "mirth_db_name": identifier,
        "mirth_db_user": identifier,
        "arc_psu_delay": period,
        "arc_psu_poll": period,
    }
    found = misshapen(variables, shapes)
    if variables["arc_hl7_application"] == variables["mirth_hl7_application"]:
        found.append(Finding("mirth_hl7_application", "is also arc_hl7_application", "choose two different names"))
    return found


def emr(variables: Mapping[str, Any]) -> list[Finding]:
    """Check the EMR's settings: names that stand unquoted in its start script, in SQL and in file names, and what its order form refuses.

    Sources: openemr.md §3.2 and §3.6 (names of laboratories that another generator serves, facility as part of file names).
    """
    identifier = (r"[a-z_][a-z0-9_]{0,31}", "use small letters, digits and _, 32 at most")
    shapes = {
        "openemr_db_name": identifier,
        "openemr_db_user": identifier,
        "openemr_admin_user": (r"[A-Za-z0-9._-]{1,64}", "use A-Z a-z 0-9 . _ -"),
        "openemr_provider_name": (
            rf"(?i)(?!.*({'|'.join(OTHER_GENERATORS)}))(?=.*\S)[^\x00-\x1f]{{1,{NAME_LENGTH}}}",
            f"give a name of 1 to {NAME_LENGTH} characters without {', '.join(OTHER_GENERATORS)} in it: those get other messages",
        ),
        "openemr_provider_npi": (r"[0-9]{10}", "give 10 digits in quotes"),
        "openemr_order_msh": (
            r"\|".join([MSH_NAME] * 4),
            "give four names with | between them, each of 1 to 20 characters out of A-Z a-z 0-9 . _ -",
        ),
        "openemr_report_category": (r"[A-Za-z0-9 ]{1,60}", "use letters, digits and blanks"),
        "openemr_viewer_url": (r"(https?://[^\s\"'<>?#]+[^\s\"'<>?#/])?", "give the viewer's address, from http on, without / at its end"),
        "openemr_viewer_source": (r"[A-Za-z0-9_-]{1,32}", "use A-Z a-z 0-9 _ -"),
    }
    found = misshapen(variables, shapes)
    found += [
        Finding(name, f"{variables[name]} is too little", "give 1 or more")
        for name in ("openemr_pdf_max_mb", "openemr_poll_seconds", "openemr_log_days")
        if int(variables[name]) < 1
    ]
    # What the importer allows itself (imaging.php), and as much for the rest.
    needed = int(variables["openemr_pdf_max_mb"]) * 12 + 128 + 512
    if needed > int(variables["openemr_memory_mb"]):
        what = f"takes {needed} MiB, and openemr_memory_mb is {variables['openemr_memory_mb']}"
        found.append(Finding("openemr_pdf_max_mb", what, "lower it, or raise openemr_memory_mb"))
    return found


def login(variables: Mapping[str, Any]) -> list[Finding]:
    """Check the login's settings: they stand in quotes in Apache's configuration, to which 0 seconds mean for ever."""
    quoted = (r"[^\"\\\x00-\x1f]+", "give a DN without quotes, backslashes and line breaks")
    found = misshapen(
        variables,
        {
            "login_backend": (r"http://[A-Za-z0-9.-]+(:\d+)?", "give http://, a name or an IPv4 address, and a port where it is not 80"),
            "login_session_seconds": (r"[1-9]\d*", "give 1 or more"),
            "login_ldap_url": (r"ldaps?://[^\"\\\x00-\x1f?]+\?[A-Za-z0-9-]+\?(one|sub)(\?[^\"\\\x00-\x1f]*)?", LDAP_URL),
            "login_ldap_reader": quoted,
            "login_clinicians_group": quoted,
            "login_admins_group": quoted,
        },
    )
    seen: set[str] = set()
    for row in variables["login_accounts"]:
        where, name = f"login_accounts, {row['name']}", row["name"]
        if not re.fullmatch(r"[a-z][a-z0-9._-]{0,30}", name):
            found.append(Finding(where, "is no name of an account", "begin with a small letter; go on with a-z 0-9 . _ -, 31 at most"))
        if name in seen:
            found.append(Finding(where, "is there twice", "remove one of the rows"))
        if not str(row.get("display_name") or name).strip():
            found.append(Finding(where, "display_name is blank", "give a name, or leave it out"))
        seen.add(name)
    if variables["login_accounts"] and f"/{variables['login_ldap_base']}?" not in variables["login_ldap_url"]:
        what = "are for the lab's own directory, and login_ldap_url is another one"
        found.append(Finding("login_accounts", what, "leave them out, and put people into that directory's groups"))
    return found


def certificates(variables: Mapping[str, Any]) -> list[Finding]:
    """Check what certificates are made of: the lab's domain, lifetimes that fit into each other, clients, the site's own files."""
    domain = (
        r"(?=.{3,45}$)([a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])",
        "give a DNS name with a dot in it, of small letters, digits and -, 45 characters at most",
    )
    found = misshapen(
        variables,
        {
            "lab_domain": domain,
            "edge_domain": domain,
            # The common name, with "issuing CA" behind it, has 64 characters at most (X.520).
            "ca_organization": (r"(?=.*\S)[^\x00-\x1f]{1,50}", "give 1 to 50 characters, and not blanks alone"),
        },
    )
    days = {name: int(variables[f"ca_{name}_days"]) for name in ("root", "issuing", "leaf", "renew")}
    if not 1 <= days["renew"] < days["leaf"] <= 397:
        what = f"a certificate of {days['leaf']} days, renewed {days['renew']} before its end, cannot be"
        found.append(
            Finding("ca_leaf_days, ca_renew_days", what, "give 397 days at most (browsers refuse more), and 1 or more, but fewer, to renew")
        )
    elif days["issuing"] <= days["leaf"] + days["renew"]:
        what = f"{days['issuing']} days are too few: it has to outlive certificates of {days['leaf']} days until the next are signed"
        found.append(Finding("ca_issuing_days", what, f"give more than {days['leaf'] + days['renew']}"))
    if not days["issuing"] <= days["root"] <= 10950:
        what = f"{days['root']} days: it has to outlive the issuing CA"
        found.append(Finding("ca_root_days", what, f"give {days['issuing']} to 10950 (30 years)"))
    taken = {name.replace("_", "-"): f"a service, {name}" for name in variables["lab_services"]}
    taken |= {word: f"a word of ca_renew, {word}" for word in ("all", "issuing", "root")}
    for row in variables["ca_clients"]:
        name = str(row.get("name") or "")
        where = f"ca_clients, {name or row}"
        folded_name = name.lower().replace("_", "-")
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?", name):
            found.append(
                Finding(where, "is no name of a client", "use 1 to 32 letters, digits, _ and -, the first and last a letter or digit")
            )
        elif folded_name in taken:
            found.append(Finding(where, f"is also {taken[folded_name]} (capitals and _ aside)", "choose another one"))
        taken.setdefault(folded_name, f"a client, {name}")
    for service, files in variables["ca_own_files"].items():
        where = f"ca_own_files, {service}"
        if service not in variables["lab_services"]:
            found.append(Finding(where, "there is no such service", f"use some of {', '.join(variables['lab_services'])}"))
        elif not isinstance(files, dict) or set(files) != {"chain", "key"} or not all(str(path).startswith("/") for path in files.values()):
            found.append(Finding(where, "has not exactly chain and key", "give both, paths from / on, on the controller"))
    if variables["ca_own_files"] and not str(variables["ca_own_trust"]).startswith("/"):
        what = f"'{variables['ca_own_trust']}' is no file, and ca_own_files are there to be trusted"
        found.append(Finding("ca_own_trust", what, "give the CA's certificates, a path from / on, on the controller"))
    return found


def neighbours(hosts: Mapping[str, list[str]]) -> list[Finding]:
    """Check that EMR and engine are on one host: they exchange files in one volume."""
    emr_host, engine_host = hosts["openemr"][0], hosts["mirth"][0]
    if emr_host == engine_host:
        return []
    return [
        Finding(
            "inventory groups openemr and mirth",
            f"are on {emr_host} and {engine_host}, and orders and results are files in a folder of one host",
            "put both on the same host",
        )
    ]


def own_ae_titles(archive: str, worklist: str) -> list[Finding]:
    """Check the archive's own AE titles: they become part of URLs and DNs, and LDAP holds each once."""
    found = []
    for name, title in (("arc_ae_title", archive), ("arc_worklist_ae_title", worklist)):
        if not re.match(r"[A-Za-z0-9_.-]{1,16}\Z", title):
            found.append(Finding(name, f"'{title}' cannot be the archive's AE title", "use 1 to 16 characters out of A-Z a-z 0-9 _ . -"))
        elif title.upper() in RESERVED_AE_TITLES:
            found.append(Finding(name, f"{title} is another AE title of the archive itself", "choose another one"))
    if archive.upper() == worklist.upper():
        found.append(Finding("arc_worklist_ae_title", f"{worklist} is also arc_ae_title", "choose two different titles"))
    return found


def secret_length(length: int) -> list[Finding]:
    """Check that the next run takes the secrets that this one makes."""
    if secrets_file.SHORTEST <= length <= secrets_file.LONGEST:
        return []
    return [
        Finding("lab_secret_length", f"{length} is no length of a secret", f"give one of {secrets_file.SHORTEST} to {secrets_file.LONGEST}")
    ]
