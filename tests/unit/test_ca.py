"""The site CA: the role runs for real in a small lab, and what it makes is tried with OpenSSL, Python's ssl and X.509 by the book."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pacs_emr.lab.plugins.action import ca_look, ca_place
from ansible_collections.pacs_emr.lab.plugins.module_utils import certificates, preflight_inventory, services
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .support import ROOT, Run, playbook, the_one

#: What the role reads of the lab; its services in an order of their own.
LAB: dict[str, Any] = {
    "lab_name": "unit",
    "lab_domain": "lab.internal",
    "edge_domain": "{{ lab_domain }}",
    "edge_https_bind": "",
    "edge_http_bind": "",
    "lab_services": ["pacs_db", "arc", "edge"],
    "pacs_db_bind": "",
    "arc_dicom_bind": "0.0.0.0",
    "arc_dicom_port": 11112,
    "arc_http_bind": "",
    "arc_hl7_bind": "",
    "edge_viewer_bind": "192.0.2.7",
    "edge_viewer_port": 3000,
    "edge_archive_bind": "",
    "ca_clients": [{"name": "CT_01"}],
    "ca_leaf_days": 60,
}
#: What certificates bear then. 192.0.2.0/24 and web.example.org are outside of what every issuing CA permits.
NAMES = {
    "services/pacs_db": {"pacs-db.lab.internal", "pacs-db", "10.9.8.7"},
    "services/arc": {"arc.lab.internal", "arc", "web.example.org"},
    "services/edge": {
        *("edge.lab.internal", "edge", "web.example.org", "192.0.2.7"),
        *("lab.internal", "emr.lab.internal", "viewer.lab.internal", "pacs.lab.internal", "localhost", "127.0.0.1", "::1"),
    },
    "clients/CT_01": {"ct-01.clients.lab.internal"},
}
DAYS = certificates.Days(root=3650, issuing=1825, leaf=60, renew=30)


def run(home: Path, *arguments: str, **given: Any) -> Run:
    """Run the role in a lab whose hosts nobody can reach, with its certificates in ``home/inv/certificates``."""
    inventory = home / "inv"
    inventory.mkdir(parents=True, exist_ok=True)
    hosts = {"db": {"lab_address": "10.9.8.7"}, "web": {"ansible_host": "web.example.org"}}
    placed = {"pacs_db": "db", "arc": "web", "edge": "web"}
    groups = {service: {"hosts": {host: hosts[host]}} for service, host in placed.items()}
    out_of_reach = {"ansible_connection": "ssh", "ansible_python_interpreter": "/nowhere/python3", "ansible_become": True}
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"lab": {"children": groups}}, "vars": out_of_reach}}))
    role = {"name": "Certificates", "ansible.builtin.import_role": {"name": "ca", "rolespec_validate": False}}
    (home / "play.yml").write_text(yaml.safe_dump([{"name": "CA", "hosts": "lab", "gather_facts": False, "tasks": [role], "vars": LAB}]))
    paths = {"ANSIBLE_ROLES_PATH": str(ROOT / "roles")}
    return playbook(home, "-i", str(inventory), str(home / "play.yml"), *arguments, variables=given, environment=paths)


def changed(done: Run) -> int:
    assert done.returncode == 0, done.output
    return done.counts("web")["changed"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lab with all its certificates, made once for the module."""
    home = tmp_path_factory.mktemp("original")
    assert changed(run(home)) > 0
    return home


@pytest.fixture
def lab(original: Path, tmp_path: Path) -> Path:
    """Return a copy of the lab."""
    shutil.copytree(original / "inv", tmp_path / "inv")
    return tmp_path


def folder(home: Path) -> Path:
    return home / "inv" / "certificates"


def contents(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder(home))): path.read_bytes() for path in sorted(folder(home).rglob("*")) if path.is_file()}


def chain(home: Path, stem: str) -> list[x509.Certificate]:
    found: list[x509.Certificate] = certificates.certificates(folder(home) / f"{stem}.pem")
    return found


def fits(home: Path, stem: str) -> bool:
    return not certificates.pair(folder(home) / stem)[1]


def judged(
    home: Path, *, days: certificates.Days = DAYS, ahead: float = 0, renew: str = "", domain: str = "", **more: Any
) -> certificates.Site:
    """Judge the lab's files as the role does, ``ahead`` days from now."""
    names = {stem.partition("/")[2]: sorted(wanted, key=lambda name: not name.endswith(".lab.internal")) for stem, wanted in NAMES.items()}
    if domain:
        names = {service: [name.replace("lab.internal", domain) for name in wanted] for service, wanted in names.items()}
    how = {name: service.certificate for name, service in services.load_all(LAB["lab_services"]).items()}
    leaves = certificates.wanted(domain or "lab.internal", {name: names[name] for name in how}, how, LAB["ca_clients"])
    given: dict[str, Any] = {"domain": domain or "lab.internal", "leaves": leaves, "own": [], "own_trust": None} | more
    now = datetime.now(UTC) + timedelta(days=ahead)
    site = certificates.Site(folder(home), organization="unit", days=days, renew=set(renew.split(",")) - {""}, now=now, **given)
    return site.judge()


def reasons(site: certificates.Site) -> dict[str, str]:
    assert site.findings == []
    return {due["name"]: due["why"] for due in site.due}


# --- what is made ----------------------------------------------------------------------------------------------------


def test_everything_bears_its_names_and_nothing_else(original: Path) -> None:
    for stem, names in NAMES.items():
        leaf, *above = chain(original, stem)
        assert certificates.names_of(leaf) == names
        assert above == chain(original, "issuing")
        assert fits(original, stem)
        assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == 60
        assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificates.key_type(chain(original, "services/arc")[0]) == "RSA 3072"
    assert certificates.key_type(chain(original, "services/edge")[0]) == "ECDSA secp256r1"


def test_servers_that_are_clients_too_and_clients_have_their_usages(original: Path) -> None:
    assert certificates.usages_of(chain(original, "services/pacs_db")[0]) == {"serverAuth"}
    assert certificates.usages_of(chain(original, "services/arc")[0]) == {"serverAuth", "clientAuth"}
    assert certificates.usages_of(chain(original, "clients/CT_01")[0]) == {"clientAuth"}


def test_the_issuing_ca_can_sign_for_the_lab_only(original: Path) -> None:
    (issuing,) = chain(original, "issuing")
    basic = issuing.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert basic.value.path_length == 0
    assert issuing.extensions.get_extension_for_class(x509.NameConstraints).critical
    permitted = certificates.permitted_of(issuing)
    assert [name for name in permitted if name.startswith("DNS:")] == [
        f"DNS:{name}" for name in ("arc", "edge", "lab.internal", "localhost", "pacs-db", "web.example.org")
    ]
    assert {"IP:127.0.0.0/8", "IP:::1/128", "IP:10.0.0.0/8", "IP:192.0.2.7/32"} <= set(permitted)


def test_keys_are_their_owners_alone(original: Path) -> None:
    for path in [folder(original), *folder(original).rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600 if path.suffix == ".key" else 0o644
        assert path.stat().st_mode & 0o777 == wanted, path
    assert not list(folder(original).rglob("*.new"))


@pytest.mark.parametrize(("stem", "purpose"), [*((stem, "sslserver") for stem in list(NAMES)[:3]), ("clients/CT_01", "sslclient")])
def test_openssl_takes_them_by_its_strict_rules(original: Path, stem: str, purpose: str) -> None:
    done = verify(original, folder(original) / f"{stem}.pem", "-purpose", purpose)
    assert done.returncode == 0, done.stderr


def verify(home: Path, leaf: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-CAfile",
        str(folder(home) / "ca.pem"),
        "-untrusted",
        str(folder(home) / "issuing.pem"),
    ]
    return subprocess.run([*command, *more, str(leaf)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["www.example.org", "xlab.internal", "internal", "8.8.8.8", "192.0.2.8", "2001:4860:4860::8888"])
def test_openssl_refuses_what_the_constraints_do_not_permit(original: Path, tmp_path: Path, name: str) -> None:
    leaf = forged(original, tmp_path, name)
    assert "permitted subtree violation" in verify(original, leaf).stderr


@pytest.mark.parametrize("name", ["new.lab.internal", "10.99.1.1", "fd00::17"])
def test_openssl_takes_a_new_name_of_the_lab_and_a_private_address(original: Path, tmp_path: Path, name: str) -> None:
    assert verify(original, forged(original, tmp_path, name)).returncode == 0


def forged(home: Path, where: Path, name: str, days: float = 10) -> Path:
    """Let the lab's issuing CA sign for any name, with any lifetime; returns the chain, with its key beside it."""
    (issuing,) = chain(home, "issuing")
    signer = load_pem_private_key((folder(home) / "issuing.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return issue(where, "forged", [name], days, issuing, signer)


def issue(
    where: Path,
    stem: str,
    names: list[str],
    days: float = 10,
    issuer: x509.Certificate | None = None,
    signer: ec.EllipticCurvePrivateKey | None = None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Path:
    """Make a certificate and write it with its issuer's, and its key, below ``where``; without an issuer it is a CA's."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem)])
    begin, end = datetime.now(UTC) - timedelta(days=30), datetime.now(UTC) + timedelta(days=days)
    by = issuer.subject if issuer else subject
    signer = signer or (key if isinstance(key, ec.EllipticCurvePrivateKey) else None)
    assert signer
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.BasicConstraints(issuer is None, None), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    if not issuer:
        # Python 3.13 and newer ask a CA for it.
        signs = {"key_cert_sign", "crl_sign"}
        every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        rights = {right: right in signs for right in (*every, *signs, "encipher_only", "decipher_only")}
        builder = builder.add_extension(x509.KeyUsage(**rights), True)
    else:
        bears = [x509.IPAddress(certificates.ipaddress.ip_address(n)) if certificates.is_address(n) else x509.DNSName(n) for n in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(bears), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    made = builder.sign(signer, hashes.SHA256())
    file = where / f"{stem}.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM) + (issuer.public_bytes(Encoding.PEM) if issuer else b""))
    file.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


# --- in use ----------------------------------------------------------------------------------------------------------


def handshake(trust: Path, server: Path, name: str, client: Path | None = None) -> str:
    """Let a client meet a server; returns why the client, or the server at the first message, refuses, or ``ok``."""
    ours, theirs = socket.socketpair()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(server, server.with_suffix(".key"))
    calling = ssl.create_default_context(cafile=str(trust))
    if client:
        serving.verify_mode = ssl.CERT_REQUIRED
        serving.load_verify_locations(trust)
        calling.load_cert_chain(client, client.with_suffix(".key"))

    def serve() -> None:
        try:
            with serving.wrap_socket(theirs, server_side=True) as secured:
                secured.sendall(secured.recv(5))
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with calling.wrap_socket(ours, server_hostname=name) as secured:
            secured.sendall(b"hello")
            return "ok" if secured.recv(5) == b"hello" else "closed"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (ssl.SSLError, OSError) as error:
        return str(error)
    finally:
        ours.close()
        thread.join(10)


@pytest.mark.parametrize("name", ["lab.internal", "viewer.lab.internal", "edge", "localhost", "127.0.0.1", "::1", "192.0.2.7"])
def test_a_client_takes_the_edge_by_each_of_its_names(original: Path, name: str) -> None:
    assert handshake(folder(original) / "trust.pem", folder(original) / "services/edge.pem", name) == "ok"


def test_a_client_certificate_opens_and_a_servers_alone_does_not(original: Path) -> None:
    ca, arc = folder(original) / "ca.pem", folder(original) / "services/arc.pem"
    assert handshake(ca, arc, "arc.lab.internal", folder(original) / "clients/CT_01.pem") == "ok"
    assert handshake(ca, arc, "arc.lab.internal", folder(original) / "services/pacs_db.pem") != "ok"
    assert handshake(ca, folder(original) / "clients/CT_01.pem", "ct-01.clients.lab.internal") == "unsuitable certificate purpose"


def test_a_client_refuses_other_names_other_domains_and_what_expired(original: Path, tmp_path: Path) -> None:
    ca = folder(original) / "ca.pem"
    assert "Hostname mismatch" in handshake(ca, folder(original) / "services/arc.pem", "pacs-db.lab.internal")
    assert handshake(ca, forged(original, tmp_path, "www.example.org"), "www.example.org") == "permitted subtree violation"
    assert handshake(ca, forged(original, tmp_path, "arc.lab.internal", days=-1), "arc.lab.internal") == "certificate has expired"


def test_a_client_refuses_a_lab_of_another_ca(original: Path, tmp_path: Path) -> None:
    other = issue(tmp_path, "other", [])
    assert "unable to get" in handshake(other, folder(original) / "services/arc.pem", "arc.lab.internal")


# --- run again -------------------------------------------------------------------------------------------------------


def test_the_second_run_looks_once_and_makes_nothing(lab: Path) -> None:
    before = contents(lab)
    done = run(lab)
    assert changed(done) == 0
    assert done.counts("web")["ok"] == 1
    assert contents(lab) == before


def test_check_mode_says_what_it_would_make_and_makes_nothing(tmp_path: Path, lab: Path) -> None:
    virgin = tmp_path / "virgin"
    done = run(virgin, "--check", "--diff")
    assert changed(done) == 1
    assert not folder(virgin).exists()
    assert "certificate arc: is missing" in done.output
    assert "+subject: O=unit, CN=arc.lab.internal" in done.output
    assert "+names: arc, arc.lab.internal, web.example.org" in done.output
    assert f"+until: {datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}" in done.output

    before = contents(lab)
    assert changed(run(lab, "--check", ca_renew="arc")) == 1
    assert contents(lab) == before


def test_what_nears_its_end_is_made_anew_without_the_root_key(lab: Path) -> None:
    """And nothing of a key is in the most talkative output."""
    (folder(lab) / "root.key").rename(lab / "taken-away")
    before = contents(lab)
    done = run(lab, "-vvv", "--diff", ca_leaf_days=397, ca_renew_days=90, lab_services=["arc"])
    assert changed(done) > 0
    assert "certificate arc: expires in 60 days" in done.output
    assert f"+until: {datetime.now(UTC) + timedelta(days=397):%Y-%m-%d}" in done.output
    assert "PRIVATE KEY" not in done.output
    after = contents(lab)
    secrets = [line for name, text in after.items() if name.endswith(".key") for line in text.decode().splitlines() if "-" not in line]
    assert [line for line in secrets if line in done.output] == []
    renewed = ("services/arc", "clients/CT_01")
    assert {name for name in after if after[name] != before[name]} == {f"{stem}.{ending}" for stem in renewed for ending in ("key", "pem")}
    for stem in renewed:
        assert fits(lab, stem)
        assert certificates.names_of(chain(lab, stem)[0]) == NAMES[stem]
        assert verify(lab, folder(lab) / f"{stem}.pem").returncode == 0
        assert (folder(lab) / f"{stem}.key").stat().st_mode & 0o777 == 0o600


def test_another_domain_changes_all_but_the_root(lab: Path) -> None:
    before = contents(lab)
    assert changed(run(lab, lab_domain="rad.lab.internal", lab_services=["edge"], ca_clients=[])) > 0
    after = contents(lab)
    assert {name for name in after if after[name] != before[name]} == {
        "issuing.key",
        "issuing.pem",
        "services/edge.key",
        "services/edge.pem",
    }
    permitted = certificates.permitted_of(chain(lab, "issuing")[0])
    assert "DNS:rad.lab.internal" in permitted
    assert "DNS:lab.internal" not in permitted
    assert handshake(folder(lab) / "ca.pem", folder(lab) / "services/edge.pem", "pacs.rad.lab.internal") == "ok"


def test_the_root_is_signed_again_with_its_key_and_old_trust_goes_on(original: Path, lab: Path) -> None:
    assert changed(run(lab, ca_renew="root", ca_organization="renamed")) > 0
    assert (folder(lab) / "root.key").read_bytes() == (folder(original) / "root.key").read_bytes()
    (new,), (old,) = chain(lab, "ca"), chain(original, "ca")
    assert new != old
    assert new.subject == old.subject
    assert (folder(lab) / "trust.pem").read_bytes() == (folder(lab) / "ca.pem").read_bytes()
    assert verify(lab, folder(original) / "services/arc.pem").returncode == 0


def test_a_run_that_died_is_made_good_by_the_next(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies after the new key is in place and before its certificate is, and leaves half of another key."""
    with monkeypatch.context() as broken:
        broken.setattr(ca_place, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        fresh = issue(lab, "fresh", [])
        shutil.copy(fresh.with_suffix(".key"), folder(lab) / "services/edge.key.new")
        (due,) = judged(lab, renew="edge").due
        with pytest.raises(KeyboardInterrupt):
            ca_place.place(folder(lab), due, fresh.read_text())
    (folder(lab) / "clients/CT_01.key.new").write_bytes(fresh.with_suffix(".key").read_bytes()[:99])
    (folder(lab) / "clients/CT_01.key").unlink()
    assert reasons(judged(lab)) == {"edge": "its key does not fit it", "CT_01": "its key is missing"}
    assert changed(run(lab)) > 0
    assert reasons(judged(lab)) == {}
    assert not list(folder(lab).rglob("*.new"))
    assert handshake(folder(lab) / "ca.pem", folder(lab) / "services/edge.pem", "lab.internal") == "ok"


def test_a_run_that_died_between_root_key_and_root_keeps_the_key(tmp_path: Path) -> None:
    folder(tmp_path).mkdir(parents=True)
    key = issue(folder(tmp_path), "root", []).with_suffix(".key").read_bytes()
    (folder(tmp_path) / "root.pem").unlink()
    (due, *_) = judged(tmp_path).due
    assert due["key_kept"]
    assert certificates.public(folder(tmp_path) / "root.key")
    assert (folder(tmp_path) / "root.key").read_bytes() == key


def test_a_key_that_was_opened_to_others_is_closed_again(lab: Path) -> None:
    site = judged(lab)
    (folder(lab) / "services/arc.key").chmod(0o644)
    folder(lab).chmod(0o755)
    assert ca_look.housekeeping(site, check_mode=True)
    assert folder(lab).stat().st_mode & 0o777 == 0o755
    assert ca_look.housekeeping(site, check_mode=False)
    assert folder(lab).stat().st_mode & 0o777 == 0o700
    assert (folder(lab) / "services/arc.key").stat().st_mode & 0o777 == 0o600
    assert not ca_look.housekeeping(site, check_mode=False)


# --- what is due, and why --------------------------------------------------------------------------------------------


def test_nothing_is_due_in_a_lab_that_has_all(lab: Path) -> None:
    assert reasons(judged(lab)) == {}
    assert reasons(judged(lab, ahead=29.9)) == {}


def test_leaves_are_due_near_their_end(lab: Path) -> None:
    assert set(reasons(judged(lab, ahead=31)).values()) == {"expires in 29 days"}
    assert set(reasons(judged(lab, ahead=62)).values()) == {"expired 2 days ago"}


def test_a_ca_is_due_when_it_can_no_longer_sign_a_leaf_for_its_life(lab: Path) -> None:
    found = reasons(judged(lab, ahead=1825 - 89))
    assert found["issuing"] == "expires in 89 days"
    assert found["arc"] == "the issuing CA is made anew"
    assert "root" not in found
    site = judged(lab, ahead=3650 - 800)
    until = {due["name"]: due["not_after"] for due in site.due}
    assert until["issuing"][:8] == f"{chain(lab, 'ca')[0].not_valid_after_utc:%Y%m%d}", "not beyond the root's end"
    assert "expires in 89 days" in reasons(judged(lab, ahead=3650 - 89))["root"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda stem: stem.with_suffix(".pem").unlink(), "is missing"),
        (lambda stem: stem.with_suffix(".pem").write_text("no certificate"), "is damaged"),
        (lambda stem: stem.with_suffix(".pem").write_bytes(stem.with_suffix(".pem").read_bytes()[:300]), "is damaged"),
        (lambda stem: stem.with_suffix(".key").unlink(), "its key is missing"),
        (lambda stem: stem.with_suffix(".key").write_text("no key"), "its key does not fit it"),
    ],
)
def test_files_that_are_of_no_use(lab: Path, spoil: Any, why: str) -> None:
    spoil(folder(lab) / "services/arc")
    assert reasons(judged(lab)) == {"arc": why}
    spoil(folder(lab) / "issuing")
    found = reasons(judged(lab))
    assert found["issuing"] == why
    assert found["edge"] == "the issuing CA is made anew"


def test_a_leaf_of_another_lab_is_due(lab: Path, tmp_path: Path) -> None:
    other = issue(tmp_path, "other", [])
    signer = load_pem_private_key(other.with_suffix(".key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    leaf = issue(tmp_path, "leaf", sorted(NAMES["services/edge"]), 300, certificates.certificates(other)[0], signer)
    for suffix in (".pem", ".key"):
        shutil.copy(leaf.with_suffix(suffix), folder(lab) / f"services/edge{suffix}")
    assert reasons(judged(lab)) == {"edge": "was issued by another CA"}


def test_other_names_usages_and_keys_are_due(lab: Path) -> None:
    leaves = {leaf.name: leaf for leaf in judged(lab).leaves}
    for change, why in (
        ({"names": frozenset(["arc.lab.internal", "arc", "10.0.0.1"])}, "is to bear other names: +10.0.0.1, -web.example.org"),
        ({"usages": frozenset(["serverAuth"])}, "is to be for serverAuth"),
        ({"rsa": False}, "is to have an ECDSA secp256r1 key"),
    ):
        wanted = certificates.Leaf(**(vars(leaves["arc"]) | change))
        assert reasons(judged(lab, leaves=[wanted, leaves["edge"]])) == {"arc": why}


def test_a_host_outside_of_what_the_issuing_ca_permits_makes_it_due(lab: Path) -> None:
    leaf = certificates.Leaf("arc", "services/arc", "arc", frozenset(["arc.lab.internal", "198.51.100.1"]), frozenset(["serverAuth"]), True)
    assert reasons(judged(lab, leaves=[leaf]))["issuing"] == "is to permit other names: +IP:198.51.100.1/32"


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ("arc", ["arc"]),
        ("arc,CT_01", ["arc", "CT_01"]),
        ("all", ["pacs_db", "arc", "edge", "CT_01"]),
        ("issuing", ["issuing", "pacs_db", "arc", "edge", "CT_01"]),
        ("root", ["root"]),
    ],
)
def test_what_is_asked_for_is_due(lab: Path, asked: str, due: list[str]) -> None:
    assert list(reasons(judged(lab, renew=asked))) == due


# --- what no renewal cures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "say"),
    [
        ({"domain": "other.org"}, "issuing.pem: is due (is to permit other names: +DNS:other.org"),
        ({"ahead": 1800}, "issuing.pem: is due (expires in 25 days), and root.key is away"),
        ({"ahead": 3640}, "ca.pem: is due (expires in 10 days), and root.key is away"),
        ({"renew": "root"}, "ca.pem: is due (renewal asked for), and root.key is away"),
    ],
)
def test_without_the_root_key_what_it_signs_cannot_be_made(lab: Path, how: dict[str, Any], say: str) -> None:
    (folder(lab) / "root.key").unlink()
    found = the_one(judged(lab, **how).findings)
    assert say in found
    assert "put root.key back beside ca.pem" in found


def test_a_lost_or_changed_root_is_never_replaced_in_silence(lab: Path) -> None:
    (folder(lab) / "root.key").write_bytes((folder(lab) / "issuing.key").read_bytes())
    assert "root.key: does not fit ca.pem" in the_one(judged(lab).findings)
    (folder(lab) / "ca.pem").write_text("nothing")
    assert "ca.pem: is damaged" in the_one(judged(lab).findings)
    (folder(lab) / "ca.pem").unlink()
    assert "is missing, and there are certificates under it" in the_one(judged(lab).findings)
    assert "restore it" in the_one(judged(lab).findings)


def test_another_name_of_the_entrance_concerns_the_edge_alone(lab: Path) -> None:
    """The issuing CA may sign for names below localhost anyway (RFC 5280, 4.2.1.10)."""
    before = contents(lab)
    assert changed(run(lab, edge_domain="lab.localhost")) > 0
    after = contents(lab)
    assert {path for path in after if after[path] != before.get(path)} == {"services/edge.key", "services/edge.pem"}
    leaf = chain(lab, "services/edge")[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "viewer.lab.localhost" in leaf.get_values_for_type(x509.DNSName)


def test_the_role_stops_with_all_of_it_before_it_changes_anything(lab: Path) -> None:
    (folder(lab) / "root.key").unlink()
    before = contents(lab)
    done = run(lab, lab_domain="other.org")
    assert done.returncode != 0
    assert "No certificate was changed. Put right 1 thing(s) first" in done.output
    assert "root.key is away" in done.output
    assert contents(lab) == before


def test_what_cannot_be_meant(lab: Path) -> None:
    assert "there is no 'acr'" in the_one(judged(lab, renew="acr").findings)
    leaf = certificates.Leaf("arc", "services/arc", "arc", frozenset(["lab_1"]), frozenset(["serverAuth"]))
    found = the_one(judged(lab, leaves=[leaf]).findings)
    assert "'lab_1' is no host name" in found
    assert "lab_address" in found


# --- the site's own files --------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    file = issue(tmp_path, "hospital", [], days=1000)
    key = load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return certificates.certificates(file)[0], key


Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def own(where: Path, chain_file: Path, service: str = "edge", needs_rsa: bool = False) -> dict[str, Any]:
    """Return what ``judged`` takes of own files for a service, with the hospital's CA as trust."""
    names = ["lab.internal", "emr.lab.internal"]
    files = certificates.Own(service, chain_file, chain_file.with_suffix(".key"), names, needs_rsa)
    return {"own": [files], "own_trust": where / "hospital.pem", "leaves": []}


def test_own_files_take_the_place_of_made_ones(lab: Path, authority: Authority) -> None:
    file = issue(lab, "own", ["lab.internal", "*.lab.internal"], 300, *authority)
    given = {
        "ca_own_files": {"edge": {"chain": str(file), "key": str(file.with_suffix(".key"))}},
        "ca_own_trust": str(lab / "hospital.pem"),
    }
    before = contents(lab)
    assert changed(run(lab, **given)) == 1
    after = contents(lab)
    assert {name for name in after if after[name] != before[name]} == {"trust.pem"}
    assert handshake(folder(lab) / "trust.pem", file, "viewer.lab.internal") == "ok"
    assert handshake(folder(lab) / "trust.pem", folder(lab) / "services/arc.pem", "arc.lab.internal") == "ok"
    assert changed(run(lab, **given)) == 0


def test_own_files_that_are_right(lab: Path, authority: Authority) -> None:
    site = judged(lab, **own(lab, issue(lab, "own", ["lab.internal", "*.lab.internal"], 20, *authority)))
    assert site.findings == []
    assert "expires in 20 days" in site.warnings[0]
    assert "edge has the site's own files" in the_one(judged(lab, renew="edge", **own(lab, lab / "own.pem")).findings)


@pytest.mark.parametrize(
    ("how", "say"),
    [
        ({"days": -3}, "own.pem expired on"),
        ({"names": ["*.lab.internal"]}, "own.pem does not bear lab.internal"),
        ({"names": ["lab.internal", "*.emr.lab.internal"]}, "own.pem does not bear emr.lab.internal"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "own.pem is not for servers"),
    ],
)
def test_own_certificates_that_do_not_serve(lab: Path, authority: Authority, how: dict[str, Any], say: str) -> None:
    issuer, signer = authority
    given: dict[str, Any] = {"names": ["lab.internal", "emr.lab.internal"], "days": 300} | how
    found = the_one(judged(lab, **own(lab, issue(lab, "own", issuer=issuer, signer=signer, **given))).findings)
    assert "ca_own_files, edge" in found
    assert say in found


def test_own_files_that_do_not_fit_each_other(lab: Path, authority: Authority) -> None:
    names = ["lab.internal", "emr.lab.internal"]
    file = issue(lab, "own", names, 300, *authority)
    assert "edge takes no other" in the_one(judged(lab, **own(lab, file, needs_rsa=True)).findings)
    shutil.copy(folder(lab) / "services/arc.key", file.with_suffix(".key"))
    assert f"does not fit the key {file.with_suffix('.key')}" in the_one(judged(lab, **own(lab, file)).findings)
    file.with_suffix(".key").write_text("nothing")
    assert "own.key cannot be read" in the_one(judged(lab, **own(lab, file)).findings)
    file.unlink()
    assert "own.pem cannot be read" in the_one(judged(lab, **own(lab, file)).findings)
    issue(lab, "own", names, 300, *authority)
    issue(lab, "hospital", [])
    assert "leads to no valid certificate of" in the_one(judged(lab, **own(lab, file)).findings)
    (lab / "hospital.pem").unlink()
    assert "ca_own_trust" in the_one(judged(lab, **own(lab, file)).findings)


# --- the verb --------------------------------------------------------------------------------------------------------


def verb(home: Path, *arguments: str, **given: Any) -> Run:
    return playbook(
        home, "-i", "inventory/multi", "playbooks/certs.yml", *arguments, variables={"ca_folder": str(home / "certificates"), **given}
    )


def test_the_verb_lists_every_service_and_client_and_asks_no_host(tmp_path: Path) -> None:
    done = verb(tmp_path, "--check", ca_clients=[{"name": "CT01", "key": "rsa"}], lab_secrets_file=str(tmp_path / "secrets.yml"))
    assert done.returncode == 0, done.output
    for stem in ("ca", "issuing", "services/pacs_db", "services/openemr", "clients/CT01"):
        assert re.search(rf"{stem}\.pem +due: is missing", done.output), stem
    assert not (tmp_path / "certificates").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lab_domain": "lab"}, "lab_domain: 'lab' cannot be taken"),
        ({"lab_domain": "Lab_1.internal"}, "lab_domain: 'Lab_1.internal' cannot be taken"),
        ({"edge_domain": "viewer"}, "edge_domain: 'viewer' cannot be taken"),
        ({"lab_domain": "10.20.30.40"}, "lab_domain: '10.20.30.40' cannot be taken"),
        ({"ca_leaf_days": 400}, "give 397 days at most"),
        ({"ca_leaf_days": 30}, "ca_leaf_days, ca_renew_days: a certificate of 30 days, renewed 30 before its end"),
        ({"ca_issuing_days": 400}, "ca_issuing_days: 400 days are too few"),
        ({"ca_root_days": 1000}, "ca_root_days: 1000 days: it has to outlive the issuing CA"),
        ({"ca_clients": [{"name": "../CT"}]}, "ca_clients, ../CT: is no name of a client"),
        ({"ca_clients": [{"name": "CT_1"}, {"name": "ct-1"}]}, "ca_clients, ct-1: is also a client, CT_1"),
        ({"ca_clients": [{"name": "pacs-db"}]}, "is also a service, pacs_db"),
        ({"ca_own_files": {"edge": {"chain": "/a"}}, "ca_own_trust": "/b"}, "ca_own_files, edge: has not exactly chain and key"),
        ({"ca_own_files": {"edgy": {}}, "ca_own_trust": "/b"}, "ca_own_files, edgy: there is no such service"),
        ({"ca_own_files": {"edge": {"chain": "/a", "key": "/k"}}}, "ca_own_trust: '' is no file"),
    ],
)
def test_preflight_judges_what_certificates_are_made_of(given: dict[str, Any], said: str) -> None:
    days = {"ca_root_days": 3650, "ca_issuing_days": 1825, "ca_leaf_days": 397, "ca_renew_days": 30}
    right = {
        **LAB,
        **days,
        "edge_domain": "lab.internal",
        "ca_organization": "unit",
        "ca_clients": [],
        "ca_own_files": {},
        "ca_own_trust": "",
    }
    assert preflight_inventory.certificates(right) == []
    assert said in the_one(preflight_inventory.certificates(right | given))


def test_the_verb_stops_at_a_wrong_domain_before_anything_changes(tmp_path: Path) -> None:
    done = verb(tmp_path, lab_domain="lab", ca_leaf_days=30, lab_secrets_file=str(tmp_path / "secrets.yml"))
    assert done.returncode != 0
    assert "Put right 2 thing(s) first" in done.output
    assert not (tmp_path / "certificates").exists()
