"""What is served where TLS is spoken: the lab's certificate of that service, under the name by which it is called, for long enough."""

from __future__ import annotations

import ssl
import time
from socket import create_connection
from urllib.parse import urlsplit

import pytest

from .lab import Address, Lab

pytestmark = pytest.mark.reads
ANSWER_SECONDS = 10


def served(where: Address, context: ssl.SSLContext) -> tuple[bytes, int]:
    """Return the certificate that is served (DER), and how many days it has left. Raises AssertionError where the context refuses it."""
    try:
        with (
            create_connection((where.host, where.port), ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=where.host) as connection,
        ):
            until = ssl.cert_time_to_seconds(str((connection.getpeercert() or {})["notAfter"]))
            return connection.getpeercert(binary_form=True) or b"", int(until - time.time()) // 86400
    except OSError as error:
        raise AssertionError(f"{where}: {error}") from error


def speaks_tls(url: str | None, published: str) -> Address:
    """Return where an HTTPS address leads; skips where there is none."""
    if not url or not url.startswith("https:"):
        pytest.skip(f"not published ({published})")
    parts = urlsplit(url)
    return Address(parts.hostname or "", parts.port or 443)


@pytest.fixture
def where(lab: Lab, service: str) -> Address:
    """Where a service speaks TLS."""
    if service == "edge":
        return speaks_tls(lab.portal, "edge_https_bind")
    # Behind the edge the certificate is that of the edge.
    own = lab.emr.url if lab.emr and urlsplit(lab.emr.url).hostname not in lab.names else None
    return speaks_tls(own, "openemr_bind")


def each_service() -> pytest.MarkDecorator:
    """Run a test for each service of which TLS is to be seen."""
    return pytest.mark.parametrize("service", [pytest.param(name, marks=pytest.mark.proves(name)) for name in ("edge", "openemr")])


@each_service()
def test_lab_certificate_is_served(lab: Lab, service: str, where: Address, notes: list[str]) -> None:
    """Verified as a client does that trusts the lab's CA; it is the one that the controller has, so a renewal was taken up."""
    known = lab.certificates
    der, days = served(where, ssl.create_default_context(cafile=str(known.trust)))
    first, end, _ = known.chains[service].read_text(encoding="ascii").partition("-----END CERTIFICATE-----")
    wanted = ssl.PEM_cert_to_DER_cert(first + end)
    assert der == wanted, f"{where} serves another certificate than {known.chains[service]}: run site.yml, which brings the new one"
    assert days >= known.days, f"the certificate at {where} ends in {days} days, and {known.days} are wanted: run site.yml"
    notes.append(f"certificate of {service}: {days} days left")


@each_service()
def test_nobody_else_vouches_for_it(where: Address) -> None:
    with pytest.raises(AssertionError, match="certificate verify failed"):
        served(where, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@each_service()
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"])
def test_old_tls_is_refused(lab: Lab, where: Address, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(lab.certificates.trust))
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    # Debian's OpenSSL does not offer it otherwise, and the refusal would be our own.
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(AssertionError, match=r"(?i)alert protocol version"):
        served(where, context)
