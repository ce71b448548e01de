"""TLS made to keep us busy: large keys, fields and certificates. None may hold the loop; `climbing` measures it."""

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from shared.tests.probes.kind_samples import SECRET
from tests.harness.authority import Authority

from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import serving, silent

PRIMES = (2**4423 - 1, 2**3217 - 1)
"""Of Mersenne: other ones of this size take minutes to find."""
FIELD_BITS = 9_941
"""Another of them; OpenSSL would take a field of up to 10,000 bits."""
FORMS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "tls": ("tls", {}, {}),
    "redis": ("redis", {"tls": "verify-full"}, {}),
    "redis, whoever answers": ("redis", {"tls": "require"}, {}),
    "kafka": ("kafka", {"tls": "verify-full"}, {}),
    "http": ("http", {}, {}),
    "supabase": ("supabase", {"keys": "anon"}, {"anon_key": f"sb_publishable_{SECRET}"}),
}


def large_key() -> rsa.RSAPrivateKey:
    """7,640 bits."""
    p, q = PRIMES
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def finite_field(bits: int) -> str:
    """Parameters of Diffie-Hellman (PKCS #3) with 2**bits - 1, which no tool makes in a test's time."""

    def tagged(tag: int, content: bytes) -> bytes:
        return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content

    numbers = b"".join(tagged(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (2**bits - 1, 3))
    text = base64.encodebytes(tagged(0x30, numbers)).decode()
    return f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n"


async def met(climbing: Any, form: str, context: ssl.SSLContext, authority: str | None) -> Any:
    kind, config, credentials = FORMS[form]
    async with serving(silent, tls=context) as server:
        by_url = {"url": f"https://localhost:{server.port}"}
        place = by_url if kind in {"http", "supabase"} else {"host": "localhost", "port": server.port}
        believed = {"ca_certificate": authority} if authority and config.get("tls") != "require" else {}
        return await climbing(kind, config | place | believed, credentials, limits=Limits(step_seconds=1))


@pytest.mark.parametrize("believed", ["believed", "unknown"])
@pytest.mark.parametrize("form", FORMS)
async def test_a_certificate_with_a_large_key(climbing: Any, form: str, believed: str, tmp_path: Path) -> None:
    authority = Authority()
    context = authority.issue("localhost", key=large_key()).server(tmp_path)
    verdict = await met(climbing, form, context, authority.pem if believed == "believed" else None)
    trusted = believed == "believed" or form == "redis, whoever answers"
    assert verdict.steps[2].status == ("passed" if trusted else "failed"), verdict.failure
    assert verdict.steps[2].evidence["certificate"]["key_bits"] == sum((4423, 3217))


@pytest.mark.parametrize("form", FORMS)
async def test_keys_exchanged_over_a_field_of_the_server_s_choice(climbing: Any, form: str, tmp_path: Path) -> None:
    authority = Authority()
    context = authority.issue("localhost", key=rsa.generate_private_key(65537, 2048)).server(tmp_path)
    parameters = tmp_path / "field.pem"
    parameters.write_text(finite_field(FIELD_BITS))
    context.load_dh_params(str(parameters))
    context.set_ciphers("DHE+AES")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    verdict = await met(climbing, form, context, authority.pem)
    assert (verdict.status, verdict.failure.step) == ("failed", "tls")


@pytest.mark.parametrize("form", FORMS)
async def test_a_certificate_as_long_as_tls_takes(climbing: Any, form: str, tmp_path: Path) -> None:
    authority = Authority()
    issued = authority.issue("localhost", *(f"n{number}.example" for number in range(5_000)))
    verdict = await met(climbing, form, issued.server(tmp_path), authority.pem)
    assert verdict.steps[2].status == "passed", verdict.failure
    assert len(str(verdict.steps[2].evidence)) < 4_000
