"""The certificate of a class, for https in the local network.

Owns: making one once, signed by itself. Leaves to others: serving with it.

A browser cannot know this certificate, so it warns the first time; `docs/class.md` says what to press. A
school that has a certificate of its own gives that instead, and nobody is warned.

Files: `<workspace>/class/certificate.pem`, `key.pem` (readable by the owner alone).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from translearn_core.atomic import write_atomically
from translearn_core.errors import SettingsError
from translearn_core.i18n import _

VALID_DAYS = 397
"""The longest that browsers accept."""
RENEW_DAYS = 7


def own_certificate(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """The certificate and key of this machine; made where there is none, or it runs out soon.

    Args:
        folder: where they are kept.
        hosts: the names and addresses that it is for.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (key.is_file() and _holds(certificate)):
        folder.mkdir(parents=True, exist_ok=True)
        _make(certificate, key, hosts)
    return certificate, key


def check_given(certificate: Path, key: Path) -> None:
    """Refuse a certificate that cannot be served.

    Raises:
        SettingsError: a file is missing, is no PEM, or they do not belong together.
    """
    try:
        given = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            _(
                "The certificate {certificate} or its key {key} cannot be read: {cause}. Both must be "
                "PEM files, the key without a password."
            ).format(certificate=certificate, key=key, cause=error)
        ) from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if given.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise SettingsError(
            _("The key {key} does not belong to the certificate {certificate}.").format(
                key=key, certificate=certificate
            )
        )


def _holds(certificate: Path) -> bool:
    """Whether a certificate can be read and is valid for a while."""
    try:
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return made.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEW_DAYS)


def _make(certificate: Path, key: Path, hosts: Sequence[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TransLearn")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name_of(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(private, hashes.SHA256())
    )
    data = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with suppress(FileNotFoundError):
        key.unlink()
    handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    write_atomically(certificate, made.public_bytes(serialization.Encoding.PEM))


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
