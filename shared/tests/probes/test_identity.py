"""The private key of a client certificate: what is taken for one, and that it goes nowhere but into OpenSSL."""

import os
import ssl
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.harness.authority import Authority

from clearline.catalogue import ClearlineError
from clearline.probes.certificate import described_pem
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.identity import Identity, present
from clearline.probes.probe import StepFailed
from clearline.probes.registry import KINDS
from clearline.probes.trust import trust

TLS = KINDS["tls"]
PKCS8, TRADITIONAL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
PLAIN, LOCKED = NoEncryption(), BestAvailableEncryption(b"passphrase")
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())
ISSUED = Authority().issue("clearline")


def pem(key: object, form: PrivateFormat = PKCS8, lock: KeySerializationEncryption = PLAIN) -> str:
    return key.private_bytes(Encoding.PEM, form, lock).decode()  # type: ignore[attr-defined,no-any-return]  # any key


@pytest.mark.parametrize(
    "text",
    [
        pem(RSA), pem(RSA, TRADITIONAL), pem(EC), pem(EC, TRADITIONAL), pem(ed25519.Ed25519PrivateKey.generate()),
        pem(EC).replace("\n", "\r\n"), pem(EC).strip(),
    ],
)  # fmt: skip
def test_a_key_that_can_sign_is_taken(text: str) -> None:
    assert parse_credentials(TLS, {"client_key": text}).given() == {"client_key": text.replace("\r\n", "\n")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (pem(RSA, PKCS8, LOCKED), "passphrase"),
        (pem(RSA, TRADITIONAL, LOCKED), "passphrase"),
        (pem(EC) + pem(RSA), "no single"),
        (ISSUED.certificate, "no single"),
        (ISSUED.key + ISSUED.certificate, "no single"),
        ("hunter2", "no single"),
        ("", "no single"),
        (pem(EC).replace("\n", "\n\0"), "no single"),
        (pem(EC).replace("-----BEGIN", "ü-----BEGIN"), "no single"),
        (pem(RSA)[:300] + "\n-----END PRIVATE KEY-----\n", "cut"),
        (pem(x25519.X25519PrivateKey.generate()), "cut"),
        (pem(RSA) + " " * 20_000, "at most 16384"),
    ],
)
def test_what_is_no_such_key_is_refused_without_being_repeated(text: str, said: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(TLS, {"client_key": text})
    [error] = refused.value.errors
    assert error.pointer == "/credentials/client_key"
    assert said in error.detail
    told = str(refused.value) + str(error) + repr(refused.value.__cause__) + repr(refused.value.__context__)
    assert not any(line in told for line in text.split()[4:] if len(line) > 12)


def rsa_of(p: int, q: int) -> str:
    """A key of these two, which are primes of Mersenne or no primes at all: making real ones takes minutes."""
    public = rsa.RSAPublicNumbers(65537, p * q)
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return pem(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def test_a_large_key_does_not_hold_up_whoever_reads_the_form() -> None:
    """Asking whether its 7,640 bits are made of primes takes seconds, on the loop that answers everybody."""
    large = rsa_of(2**4423 - 1, 2**3217 - 1)
    config = parse_config(TLS, {"host": "a.example", "client_certificate": ISSUED.certificate})
    begun = time.process_time()
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(TLS, {"client_key": large}, config=config)
    assert time.process_time() - begun < 1
    assert [error.code for error in refused.value.errors] == ["CLIENT_CERTIFICATE_MISMATCH"]


def test_a_key_that_takes_half_a_second_to_sign_is_refused() -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(TLS, {"client_key": rsa_of(2**9689 - 1, 2**127 - 1)})
    [error] = refused.value.errors
    assert (error.code, error.detail) == (
        "FIELD_FORMAT", "Has more than 8192 bits; take a smaller key, such as EC P-256."
    )  # fmt: skip


def altered(certificate: str, old: bytes, new: bytes) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate)
    assert old in der
    return ssl.DER_cert_to_PEM_cert(der.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),  # a version that there is not
        (b"\x0c\x18Clearline", b"\x0c\x18\xff\xfeearline"),  # a name that OpenSSL alone looks into
    ],
)
def test_a_certificate_that_one_of_our_readers_cannot_read_is_refused(old: bytes, new: bytes) -> None:
    text = altered(ISSUED.certificate, old, new)
    with pytest.raises(ClearlineError) as refused:
        parse_config(TLS, {"host": "a.example", "ca_certificate": text})
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/config/ca_certificate", "FIELD_FORMAT")
    ]


def test_a_certificate_whose_key_nobody_can_read_is_told_at_its_field() -> None:
    public = x509.load_pem_x509_certificate(ISSUED.certificate.encode()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    text = altered(ISSUED.certificate, point, b"\x04" + b"\x11" * 64)
    config = parse_config(TLS, {"host": "a.example", "client_certificate": text})
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(TLS, {"client_key": ISSUED.key}, config=config)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/config/client_certificate", "FIELD_FORMAT")
    ]


def test_a_certificate_of_ours_whose_subject_nobody_can_read_is_said_to_be_so() -> None:
    text = altered(ISSUED.certificate, b"\x0c\x09clearline", b"\x0c\x09\xff\xfeearline")
    assert described_pem(text, datetime.now(UTC)) == {"unreadable": "ValueError"}


def test_a_certificate_that_openssl_finds_too_weak_is_told_at_its_field() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what OpenSSL's default security level refuses
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak")])
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(weak.public_key())
    builder = builder.serial_number(1).not_valid_before(begins).not_valid_after(ends)
    certificate = builder.sign(weak, SHA256()).public_bytes(Encoding.PEM).decode()
    with pytest.raises(StepFailed) as unusable:
        trust(verify=True, authorities=None, identity=Identity(certificate, pem(weak)))
    assert (unusable.value.code, unusable.value.field) == ("CLIENT_CERTIFICATE_UNUSABLE", "/config/client_certificate")
    assert "TOO_SMALL" in str(unusable.value.variables["why"])


@pytest.mark.parametrize("kind", ["postgres", "redis", "kafka"])
def test_an_authority_that_nobody_would_ask_is_refused(kind: str) -> None:
    """Somebody who enters it means that the server is checked; `require` believes whoever answers."""
    names = {"database": "d", "user": "u"} if kind == "postgres" else {}
    password = {"password": "secret"} if kind == "postgres" else {}
    for mode in ("disable", "require", "verify-full"):
        raw = {"host": "a.example", "tls": mode, "ca_certificate": Authority().pem} | names
        config = parse_config(KINDS[kind], raw)
        if mode == "verify-full":
            parse_credentials(KINDS[kind], password, config=config)
            continue
        with pytest.raises(ClearlineError) as refused:
            parse_credentials(KINDS[kind], password, config=config)
        assert [(error.pointer, error.code) for error in refused.value.errors] == [
            ("/config/ca_certificate", "FIELD_UNKNOWN")
        ]


PLAIN_FORMS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("http", {"url": "http://a.example"}, {}),
    ("http", {"url": "HTTP://a.example", "token_url": "https://b.example/token"}, {}),  # without OAuth2 nobody asks it
    (
        "http",
        {"url": "http://a.example", "auth": "oauth2", "token_url": "http://b.example/token", "client_id": "c"},
        {"client_secret": "s3cret"},
    ),
    ("supabase", {"url": "http://a.example", "keys": "anon"}, {"anon_key": "sb_publishable_1"}),
    *(
        (kind, {"host": "a.example", "tls": "disable"} | names, password)
        for kind, names, password in (
            ("postgres", {"database": "d", "user": "u"}, {"password": "s3cret"}),
            ("redis", {}, {}),
            ("kafka", {}, {}),
        )
    ),
]


def refused_fields(kind: str, raw: dict[str, str], credentials: dict[str, str]) -> list[tuple[str, str]]:
    try:
        parse_credentials(KINDS[kind], credentials, config=parse_config(KINDS[kind], raw))
    except ClearlineError as refused:
        return [(error.pointer, error.code) for error in refused.errors]
    return []


@pytest.mark.parametrize(("kind", "raw", "credentials"), PLAIN_FORMS)
def test_no_certificate_is_taken_that_no_encryption_would_use(
    kind: str, raw: dict[str, str], credentials: dict[str, str]
) -> None:
    ours = {"client_certificate": ISSUED.certificate}
    with_key = credentials | {"client_key": ISSUED.key}
    assert refused_fields(kind, raw, credentials) == []
    assert refused_fields(kind, raw | ours, with_key) == [("/config/client_certificate", "FIELD_UNKNOWN")]
    theirs = {"ca_certificate": Authority().pem}
    assert refused_fields(kind, raw | theirs, credentials) == [("/config/ca_certificate", "FIELD_UNKNOWN")]


@pytest.mark.parametrize("encrypted", ["url", "token_url"])
def test_one_encrypted_place_is_enough_to_use_certificates(encrypted: str) -> None:
    raw = {"url": "http://a.example", "auth": "oauth2", "token_url": "http://b.example/token", "client_id": "c"}
    raw |= {"client_certificate": ISSUED.certificate, "ca_certificate": Authority().pem}
    raw[encrypted] = raw[encrypted].replace("http:", "https:")
    assert refused_fields("http", raw, {"client_secret": "s3cret", "client_key": ISSUED.key}) == []


def test_every_kind_with_certificates_is_tried_without_encryption() -> None:
    asking = {name for name, kind in KINDS.items() if "ca_certificate" in kind.config.model_fields}
    assert asking == {kind for kind, _, _ in PLAIN_FORMS} | {"tls"}  # kind tls always encrypts


@pytest.mark.parametrize("field", ["ca_certificate", "client_certificate"])
def test_certificates_hold_nothing_else(field: str) -> None:
    config = {"host": "a.example"}
    for text, code in (
        (ISSUED.key, "SECRET_IN_PUBLIC_FIELD"),
        (ISSUED.certificate + ISSUED.key, "SECRET_IN_PUBLIC_FIELD"),
        (ISSUED.certificate[:200], "FIELD_FORMAT"),
        (ISSUED.certificate.replace("M", "!", 3), "FIELD_FORMAT"),
        ("x", "FIELD_FORMAT"),
    ):
        with pytest.raises(ClearlineError) as refused:
            parse_config(TLS, config | {field: text})
        assert [(error.pointer, error.code) for error in refused.value.errors] == [(f"/config/{field}", code)]


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_a_key_is_shown_to_openssl_alone_and_left_nowhere(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[tuple[str, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def noting(context: ssl.SSLContext, path: str, **given: str) -> None:
        assert given == {"password": ""}, "OpenSSL would ask on the terminal for the password of an encrypted key"
        opened.append((path, os.stat(path).st_mode & 0o077))  # noqa: PTH116 - it may be a descriptor's
        load(context, path, **given)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", noting)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if place == "folder":
        monkeypatch.delattr(os, "memfd_create")
    present(ssl.create_default_context(), Identity(ISSUED.certificate, ISSUED.key))
    [(path, others_may)] = opened
    assert path.startswith("/proc/self/fd/" if place == "memory" else str(tmp_path))
    assert place == "memory" or not others_may
    assert not Path(path).exists()
    assert not list(tmp_path.iterdir())


def test_an_identity_does_not_show_its_key() -> None:
    assert "PRIVATE KEY" not in repr(Identity(ISSUED.certificate, ISSUED.key))
