"""The lab's certificates on the controller: what is wanted, what is there, what is due and why, what the site's own files lack.

Nothing is made here: what is due goes to community.crypto (roles/ca). A CA is due when it could no longer sign a leaf for its whole life,
so nothing outlives what signed it. The root keeps its key and subject when it is signed again: who trusts the older ``ca.pem`` trusts
what the newer one signs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_finding import Finding
from ansible_collections.pacs_emr.lab.plugins.module_utils.preflight_inventory import is_address
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT, ISSUING = "root", "issuing"
#: File of the root certificate, which clients trust.
ROOT_FILE = "ca"
RSA_BITS = 3072
SUBJECT = {"O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
AWAY = "put root.key back beside ca.pem for this run"
USAGES = {"serverAuth": ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH}
#: Networks in which hosts may have any address without a new issuing CA: loopback, private (RFC 1918), unique local (RFC 4193).
NETWORKS = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")]
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")


@dataclass(frozen=True)
class Leaf:
    """A certificate that a service or a client shows. ``file`` is below the folder, without ending; ``names`` are names and addresses."""

    name: str
    file: str
    subject: str
    names: frozenset[str]
    usages: frozenset[str]
    rsa: bool = False


@dataclass(frozen=True)
class Own:
    """Files of the site's own for a service, and the names that must be in them."""

    service: str
    chain: Path
    key: Path
    names: list[str]
    rsa: bool


@dataclass(frozen=True)
class Days:
    """Lifetimes; what has fewer than ``renew`` days left is made anew."""

    root: int
    issuing: int
    leaf: int
    renew: int

    @property
    def signing(self) -> int:
        """Days that a CA must have left to sign leaves."""
        return self.leaf + self.renew


@dataclass
class Site:
    """All that the lab wants, judged at one moment. After ``judge``: what is wrong, what is due in the order of making, and a table."""

    folder: Path
    domain: str
    organization: str
    days: Days
    leaves: list[Leaf]
    own: list[Own]
    own_trust: Path | None
    renew: set[str]
    now: datetime
    findings: list[Finding] = field(default_factory=list)
    due: list[dict[str, Any]] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def judge(self) -> Site:
        """Judge everything.

        :raises OSError: a file is there and cannot be read
        """
        self._names()
        self._own()
        if self.leaves and not self.findings:
            root = self._root()
            issuing = self._issuing(root) if not self.findings else None
            for leaf in self.leaves:
                self._leaf(leaf, issuing)
        return self

    def trust(self) -> bytes | None:
        """Return what the lab's own clients trust: the root, and the CA of the site's own files; ``None`` while the root is not made."""
        root = self.folder / f"{ROOT_FILE}.pem"
        if self.leaves and not root.exists():
            return None
        files = [root] if self.leaves else []
        return b"".join(file.read_bytes().rstrip() + b"\n" for file in [*files, *([self.own_trust] if self.own and self.own_trust else [])])

    def permitted(self) -> list[str]:
        """Return what the issuing CA may sign for: the lab's domain, localhost, and each name and address elsewhere that a leaf needs."""
        names = {name for leaf in self.leaves for name in leaf.names}
        outside = {
            name for name in names if not is_address(name) and not any(within(name, inside) for inside in (self.domain, "localhost"))
        }
        alone = {f"{name}/{ipaddress.ip_address(name).max_prefixlen}" for name in names if is_address(name) and not private(name)}
        return [f"DNS:{name}" for name in sorted({self.domain, "localhost"} | outside)] + [
            f"IP:{network}" for network in [*map(str, NETWORKS), *sorted(alone)]
        ]

    def _names(self) -> None:
        for name in sorted({name for leaf in self.leaves for name in leaf.names}):
            if not is_address(name) and not HOST_NAME.match(name):
                what = f"'{name}' is no host name, and certificates would have to bear it"
                fix = "set lab_address of that host to its address, or to a name with a-z 0-9 . -"
                self.findings.append(Finding("lab_address", what, fix))
        known = ["all", ROOT, ISSUING, *sorted(leaf.name for leaf in self.leaves)]
        for name in sorted(self.renew - set(known)):
            if name in {own.service for own in self.own}:
                self.findings.append(Finding("ca_renew", f"{name} has the site's own files", "renew them where you got them"))
            else:
                self.findings.append(Finding("ca_renew", f"there is no '{name}'", f"use some of {', '.join(known)}"))

    def _own(self) -> None:
        """Judge the site's own files: they are the site's to renew, so what is wrong is said, not made."""
        authorities: list[x509.Certificate] = []
        if self.own and self.own_trust:
            try:
                authorities = certificates(self.own_trust)
            except (OSError, ValueError) as error:
                what = f"{self.own_trust} cannot be read ({error})"
                self.findings.append(Finding("ca_own_trust", what, "give a file with the CA's certificates, PEM"))
                return
        for own in self.own:
            where = f"ca_own_files, {own.service}"
            try:
                chain = certificates(own.chain)
            except (OSError, ValueError) as error:
                self.findings.append(Finding(where, f"{own.chain} cannot be read ({error})", "give the certificate and its chain, PEM"))
                continue
            try:
                key = public(own.key)
            except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
                self.findings.append(Finding(where, f"{own.key} cannot be read ({error})", "give the key, PEM, not encrypted"))
                continue
            self.findings += [Finding(where, f"{own.chain} {what}", fix) for what, fix in self._own_problems(own, chain, key, authorities)]
            self.rows.append(row(own.service, str(own.chain), chain[0], self.now))
            if days_left(chain[0], self.now) < self.days.renew:
                self.warnings.append(f"{own.chain} ({where}) {expiry(days_left(chain[0], self.now))}: get a new one")

    def _own_problems(
        self, own: Own, chain: list[x509.Certificate], key: bytes, authorities: list[x509.Certificate]
    ) -> list[tuple[str, str]]:
        leaf, found = chain[0], []
        if key != spki(leaf):
            found.append((f"does not fit the key {own.key}", "give the key for which it was issued, and the service's certificate first"))
        for certificate in chain:
            whose = "" if certificate is leaf else f"holds {subject_of(certificate).get('CN', 'a certificate')}, which "
            if days_left(certificate, self.now) < 0:
                found.append((f"{whose}expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "get a new one, and put it there"))
            elif certificate.not_valid_before_utc > self.now:
                what = f"{whose}is valid only from {certificate.not_valid_before_utc:%Y-%m-%d} on"
                found.append((what, "wait, or check the controller's clock"))
        there = names_of(leaf)
        if missing := [name for name in own.names if not covered(name, there)]:
            found.append(
                (f"does not bear {', '.join(missing)}", "get one with these names, or set lab_domain or edge_domain to what it bears")
            )
        usages = usages_of(leaf)
        if usages and "serverAuth" not in usages:
            found.append(("is not for servers", "get one with the usage serverAuth"))
        if own.rsa and not isinstance(leaf.public_key(), rsa.RSAPublicKey):
            found.append((f"has no RSA key, and {own.service} takes no other", "get one with an RSA key"))
        valid = [one for one in authorities if one.not_valid_before_utc <= self.now <= one.not_valid_after_utc]
        anchored = chain[-1] in valid or any(issued_by(chain[-1], authority) for authority in valid)
        if not anchored or not all(issued_by(one, other) for one, other in pairwise(chain)):
            fix = "append the certificates in between to it, each after what it signed; or correct ca_own_trust"
            found.append((f"leads to no valid certificate of {self.own_trust}", fix))
        return found

    def _root(self) -> x509.Certificate | None:
        """Return the root that stays, ``None`` where it is to be made."""
        path, key = self.folder / f"{ROOT_FILE}.pem", self.folder / f"{ROOT}.key"
        try:
            root = certificates(path)[0] if path.exists() else None
        except ValueError:
            self.findings.append(Finding(str(path), "is damaged", "restore it: everything that uses the lab trusts it"))
            return None
        if root is None and (self.folder / f"{ISSUING}.pem").exists():
            fix = "restore it: everything that uses the lab trusts it; or, for a new CA, move the whole folder away"
            self.findings.append(Finding(str(path), "is missing, and there are certificates under it", fix))
            return None
        if root and key.exists() and public_or_none(key) != spki(root):
            self.findings.append(Finding(str(key), "does not fit ca.pem", "restore both from the same backup, or take root.key away"))
            return None
        left = days_left(root, self.now) if root else 0.0
        why = "is missing" if not root else "renewal asked for" if ROOT in self.renew else expiry(left) if left < self.days.signing else ""
        if root and why and not key.exists():
            self.findings.append(Finding(str(path), f"is due ({why}), and root.key is away", AWAY))
            return None
        subject = subject_of(root) if root else {"O": self.organization, "CN": f"{self.organization} root CA"}
        if why:
            extra = {"key": f"{ROOT}.key", "key_kept": public_or_none(key) is not None, "issuer": ""}
            self._make(ROOT, ROOT_FILE, why, subject, self.days.root, root, extra)
        self.rows.append(row(ROOT, f"{ROOT_FILE}.pem", root, self.now, why))
        # Signed again with its key and its name it is still the issuer of what it signed.
        return root

    def _issuing(self, root: x509.Certificate | None) -> x509.Certificate | None:
        """Return the issuing CA that stays, ``None`` where it is to be made."""
        chain, why = pair(self.folder / ISSUING)
        issuing = chain[0] if chain else None
        wanted = self.permitted()
        if not why and issuing:
            allowed = permitted_of(issuing)
            lacking = [name for name in wanted if name not in allowed]
            wider = [name for name in allowed if name not in wanted and name.startswith("DNS:") and within(self.domain, name[4:])]
            left = days_left(issuing, self.now)
            if not root or not issued_by(issuing, root):
                why = "was issued by another root"
            elif lacking or wider:
                why = "is to permit other names: " + ", ".join([*(f"+{name}" for name in lacking), *(f"-{name}" for name in wider)])
            elif left < self.days.signing:
                why = expiry(left)
            elif ISSUING in self.renew:
                why = "renewal asked for"
        if why and root and not (self.folder / f"{ROOT}.key").exists():
            self.findings.append(Finding(str(self.folder / f"{ISSUING}.pem"), f"is due ({why}), and root.key is away", AWAY))
            return None
        if why:
            # Not beyond the root's end.
            stays = root and not any(due["name"] == ROOT for due in self.due)
            days = min(self.days.issuing, days_left(root, self.now)) if root and stays else self.days.issuing
            extra = {"permitted": wanted, "issuer": ROOT_FILE, "issuer_key": f"{ROOT}.key"}
            self._make(ISSUING, ISSUING, why, self._subject(f"{self.organization} issuing CA"), days, issuing, extra)
        self.rows.append(row(ISSUING, f"{ISSUING}.pem", issuing, self.now, why))
        return None if why else issuing

    def _leaf(self, leaf: Leaf, issuing: x509.Certificate | None) -> None:
        chain, why = pair(self.folder / leaf.file)
        certificate = chain[0] if chain else None
        if not why and certificate:
            there, usages, left = names_of(certificate), usages_of(certificate), days_left(certificate, self.now)
            if issuing is None:
                why = "the issuing CA is made anew"
            elif chain[1:] != [issuing] or not issued_by(certificate, issuing):
                why = "was issued by another CA"
            elif there != leaf.names:
                changes = [*(f"+{name}" for name in sorted(leaf.names - there)), *(f"-{name}" for name in sorted(there - leaf.names))]
                why = f"is to bear other names: {', '.join(changes)}"
            elif usages != leaf.usages:
                why = f"is to be for {' and '.join(sorted(leaf.usages))}"
            elif key_type(certificate) != wanted_key(leaf.rsa):
                why = f"is to have an {wanted_key(leaf.rsa)} key"
            elif left < self.days.renew:
                why = expiry(left)
            elif self.renew & {"all", leaf.name}:
                why = "renewal asked for"
        if why:
            extra: dict[str, Any] = {"names": [f"{'IP' if is_address(name) else 'DNS'}:{name}" for name in sorted(leaf.names)]}
            extra |= {"usages": sorted(leaf.usages), "rsa": leaf.rsa, "issuer": ISSUING, "issuer_key": f"{ISSUING}.key"}
            self._make(leaf.name, leaf.file, why, self._subject(leaf.subject), self.days.leaf, certificate, extra)
        self.rows.append(row(leaf.name, f"{leaf.file}.pem", certificate, self.now, why, sorted(leaf.names)))

    def _subject(self, name: str) -> dict[str, str]:
        return {"O": self.organization, "CN": name}

    def _make(
        self, name: str, file: str, why: str, subject: dict[str, str], days: float, before: x509.Certificate | None, extra: dict[str, Any]
    ) -> None:
        """Note what is due, as roles/ca/tasks/make.yml takes it."""
        until = self.now + timedelta(days=days)
        due: dict[str, Any] = {"name": name, "file": file, "key": f"{file}.key", "key_kept": False, "why": why, "subject": subject}
        due |= {"names": [], "permitted": [], "usages": [], "rsa": False, "bits": RSA_BITS, "not_after": f"{until:%Y%m%d%H%M%SZ}"} | extra
        after = [f"subject: {', '.join(f'{short}={text}' for short, text in subject.items())}", f"until: {until:%Y-%m-%d}"]
        after += [f"{what}: {', '.join(map(bare, due[what]))}" for what in ("names", "permitted", "usages") if due[what]]
        after += [f"key: {wanted_key(due['rsa'])}", ""]
        self.due.append(due | {"before": described(before) if before else "", "after": "\n".join(after)})


def wanted(
    domain: str, names: Mapping[str, Iterable[str]], how: Mapping[str, Mapping[str, Any]], clients: Iterable[Mapping[str, Any]]
) -> list[Leaf]:
    """Return the leaves of services and clients.

    :param names: service → names and addresses at which it is reached, its own in the lab's domain first
    :param how: service → ``certificate`` of its service.yml
    """
    leaves = []
    for service, reached in names.items():
        own, *_ = reached = [plain(name) for name in reached]
        usages = frozenset(["serverAuth", *(["clientAuth"] if how[service].get("client") else [])])
        leaves.append(Leaf(service, f"services/{service}", own, frozenset(reached), usages, how[service].get("key") == "rsa"))
    for client in clients:
        name, usages = client["name"], frozenset(["clientAuth"])
        # A host name too: OpenSSL holds the common name of a certificate without any against the constraints.
        host = f"{name.lower().replace('_', '-')}.clients.{domain}"
        leaves.append(Leaf(name, f"clients/{name}", name, frozenset([host]), usages, client.get("key") == "rsa"))
    return leaves


def certificates(file: Path) -> list[x509.Certificate]:
    """Read all certificates of a file.

    :raises ValueError: there is none, or one is damaged
    """
    return x509.load_pem_x509_certificates(file.read_bytes())


def public(file: Path) -> bytes:
    """Return the public half of the private key in a file.

    :raises ValueError: it is no key
    :raises TypeError: it is encrypted
    """
    key = load_pem_private_key(file.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_or_none(file: Path) -> bytes | None:
    """Return the public half of a key, ``None`` where there is no readable key."""
    try:
        return public(file)
    except (FileNotFoundError, ValueError, TypeError, UnsupportedAlgorithm):
        return None


def pair(stem: Path) -> tuple[list[x509.Certificate], str]:
    """Return the chain in ``<stem>.pem`` as far as it can be read, and why it is of no use with ``<stem>.key``."""
    try:
        chain = certificates(stem.with_name(f"{stem.name}.pem"))
    except FileNotFoundError:
        return [], "is missing"
    except ValueError:
        return [], "is damaged"
    key = stem.with_name(f"{stem.name}.key")
    if not key.exists():
        return chain, "its key is missing"
    return chain, "" if public_or_none(key) == spki(chain[0]) else "its key does not fit it"


def spki(certificate: x509.Certificate) -> bytes:
    """Return the public key of a certificate."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate bears the name and the signature of an issuer."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def days_left(certificate: x509.Certificate, now: datetime) -> float:
    """Return the days until a certificate expires; negative afterwards."""
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)


def expiry(left: float) -> str:
    """Say when something expires."""
    return f"expires in {left:.0f} days" if left >= 0 else f"expired {-left:.0f} days ago"


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the names and addresses that a certificate bears."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(map(str, [*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.IPAddress)]))


def usages_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return those of our extended usages that a certificate has."""
    try:
        there = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name for name, oid in USAGES.items() if oid in there)


def permitted_of(certificate: x509.Certificate) -> list[str]:
    """Return what the name constraints of a CA permit, as community.crypto writes it."""
    try:
        subtrees = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    except x509.ExtensionNotFound:
        return []
    return [f"{'DNS' if isinstance(subtree, x509.DNSName) else 'IP'}:{subtree.value}" for subtree in subtrees]


def key_type(certificate: x509.Certificate) -> str:
    """Name the type and size of a certificate's key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"ECDSA {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def wanted_key(needs_rsa: bool) -> str:
    """Name the type and size that a key is to have."""
    return f"RSA {RSA_BITS}" if needs_rsa else "ECDSA secp256r1"


def subject_of(certificate: x509.Certificate) -> dict[str, str]:
    """Return organization and common name of a certificate."""
    return {short: str(part.value) for short, oid in SUBJECT.items() for part in certificate.subject.get_attributes_for_oid(oid)}


def described(certificate: x509.Certificate) -> str:
    """Say what a certificate is, for a diff."""
    subject = ", ".join(f"{short}={text}" for short, text in subject_of(certificate).items())
    lines = [f"subject: {subject}", f"until: {certificate.not_valid_after_utc:%Y-%m-%d}"]
    for what, values in (
        ("names", sorted(names_of(certificate))),
        ("permitted", [bare(name) for name in permitted_of(certificate)]),
        ("usages", sorted(usages_of(certificate))),
    ):
        lines += [f"{what}: {', '.join(values)}"] if values else []
    return "\n".join([*lines, f"key: {key_type(certificate)}", ""])


def row(
    name: str, file: str, certificate: x509.Certificate | None, now: datetime, why: str = "", names: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return a row of the table: name, file, days left, names; ``why`` it is due stands in place of what is not to last."""
    left = f"due: {why}" if why else f"{days_left(certificate, now):.0f} days" if certificate else ""
    return name, file, left, " ".join(names or (sorted(names_of(certificate)) if certificate else []))


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines with even columns."""
    rows = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]


def plain(name: str) -> str:
    """Return a name or an address in the one way in which it stands in a certificate."""
    return str(ipaddress.ip_address(name)) if is_address(name) else name.lower()


def private(address: str) -> bool:
    """Whether an address is in one of the networks that every issuing CA permits."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in NETWORKS)


def within(name: str, domain: str) -> bool:
    """Whether a name is a domain or below it, as a name constraint takes it."""
    return name == domain or name.endswith(f".{domain}")


def covered(name: str, there: Iterable[str]) -> bool:
    """Whether one of the names of a certificate is ``name``, or its wildcard."""
    return any(other.lower() in (name, "*." + name.partition(".")[2]) for other in there)


def bare(name: str) -> str:
    """Return a name without the type in front."""
    return name.partition(":")[2] if name.startswith(("DNS:", "IP:")) else name
