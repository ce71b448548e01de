"""A private certificate authority: server and client certificates, right ones and wrong ones, for real TLS in tests.

No pytest in here: whoever needs servers outside of a test (the table of verification) uses it too.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: str
    """The certificate itself first, then the chain that a server or client sends with it."""
    key: str

    def written(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Certificate and key as files, the key for its owner alone."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text(self.certificate)
        key.touch(mode=0o600)
        key.write_text(self.key)
        return certificate, key

    def server(self, folder: Path, *, clients: "Authority | None" = None) -> ssl.SSLContext:
        """A server's context; with `clients` it lets in only those that this authority has issued."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.written(folder, f"server-{id(self)}"))
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients.pem)
        return context


class Authority:
    """Issues certificates; `pem` is what those who trust it need. An authority may have one above it."""

    def __init__(self, name: str = "Clearline test authority", *, above: "Authority | None" = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._above = above
        self._name = _named(name)
        issuer, signing = (above._name, above._key) if above else (self._name, self._key)
        begins = datetime.now(UTC) - DAY
        builder = _builder(self._name, issuer, self._key.public_key(), begins, begins + 3650 * DAY)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = builder.add_extension(usage, critical=True).sign(signing, hashes.SHA256())

    @property
    def pem(self) -> str:
        """Its certificate."""
        return _pem(self._certificate)

    def issue(
        self,
        *names: str,
        days: float = 30,
        expired: bool = False,
        self_signed: bool = False,
        with_chain: bool = True,
        key: PrivateKey | None = None,
    ) -> Issued:
        """For a server of these names and addresses (wrong ones make a wrong host), or a client of that name.

        `expired` ended yesterday; `self_signed` vouches for itself; without `with_chain` an intermediate is left out.
        Its key is made for it, unless there is a `key` already.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        begins, ends = (now - 30 * DAY, now - DAY) if expired else (now - DAY, now + days * DAY)
        subject = _named(names[0])
        issuer, signing = (subject, key) if self_signed else (self._name, self._key)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(subject, issuer, key.public_key(), begins, ends)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        text = _pem(builder.sign(signing, hashes.SHA256()))
        chain = self._chain() if with_chain and not self_signed else ""
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Issued(text + chain, private)

    def _chain(self) -> str:
        """Up to the root, without it: whoever trusts has that."""
        return "" if self._above is None else self.pem + self._above._chain()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
