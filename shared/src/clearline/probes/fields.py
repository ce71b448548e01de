"""The types that forms are built from: each refuses what would not be what it says, with a code of the catalogue."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from clearline.probes.addresses import MAX_HOST, is_host
from clearline.probes.pem import MAX_RSA_BITS, readable_certificates, signing_key

MAX_PORT = 65_535
MAX_TEXT = 255
MAX_SECRET = 8_192
MAX_PEM = 32_768
MAX_KEY = 16_384
"""Characters of a private key: RSA with 8,192 bits, the largest that is taken, has 6,500."""


def refuse(code: str, detail: str) -> PydanticCustomError:
    """What a validator raises: a catalogue code, and a sentence that never holds the value."""
    return PydanticCustomError(code, "{detail}", {"detail": detail})


def has_control_characters(text: str) -> bool:
    """C0, DEL, C1, line and paragraph separators, and marks that turn the direction of reading."""
    return any(
        ord(character) < 0x20  # noqa: PLR2004 - the space
        or 0x7F <= ord(character) <= 0x9F  # noqa: PLR2004
        or character in "\u2028\u2029\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
        for character in text
    )


def has_surrogates(text: str) -> bool:
    """Half of a UTF-16 pair: JSON can spell it, UTF-8 cannot."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _one_line(text: str) -> str:
    if has_control_characters(text):
        raise refuse("CONTROL_CHARACTERS", "Holds a control character or a line break; write it on one plain line.")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise refuse("FIELD_REQUIRED", "Is empty; fill it in.")
    return text


def _host(text: str) -> str:
    if any(mark in text for mark in "@/\\?#") or text.strip() != text or not is_host(text):
        raise refuse("FIELD_FORMAT", "Is no host; write a name such as db.example.com or an address, nothing else.")
    return text


def _port(number: int) -> int:
    if not 1 <= number <= MAX_PORT:
        raise refuse("PORT_OUT_OF_RANGE", f"Must be a port from 1 to {MAX_PORT}.")
    return number


def _secret(secret: SecretStr) -> SecretStr:
    _one_line(_filled(secret.get_secret_value()))
    return secret


def _certificates(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise refuse("SECRET_IN_PUBLIC_FIELD", "Holds a private key; give certificates only.")
    if not text.strip().startswith("-----BEGIN CERTIFICATE-----") or not _one_line_each(text):
        raise refuse("FIELD_FORMAT", "Is no PEM certificate; it begins with -----BEGIN CERTIFICATE-----.")
    if not readable_certificates(text):
        raise refuse("FIELD_FORMAT", "Is no certificate that can be read; was it cut or changed on the way?")
    return text


def _one_line_each(text: str) -> bool:
    return text.isascii() and not has_control_characters(text.replace("\n", ""))


def _private_key(secret: SecretStr) -> SecretStr:
    """Plain PEM that can sign. Why it cannot be read is not told: a reader's words may hold parts of it."""
    text = secret.get_secret_value().replace("\r\n", "\n")
    if "ENCRYPTED" in text:
        raise refuse("FIELD_FORMAT", "Is protected by a passphrase; give it without, it is sealed at once.")
    if text.count("PRIVATE KEY-----") != 2 or "CERTIFICATE" in text or not _one_line_each(text):  # noqa: PLR2004 - begin, end
        raise refuse("FIELD_FORMAT", "Is no single PEM private key; it begins with -----BEGIN PRIVATE KEY-----.")
    if (key := signing_key(text)) is None:
        raise refuse("FIELD_FORMAT", "Is no RSA, EC, Ed25519 or Ed448 key that can be read; was it cut on the way?")
    if getattr(key, "key_size", 0) > MAX_RSA_BITS:
        raise refuse("FIELD_FORMAT", f"Has more than {MAX_RSA_BITS} bits; take a smaller key, such as EC P-256.")
    return SecretStr(text)


Line = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_one_line), AfterValidator(_filled)]
"""Any text on one line."""

Host = Annotated[
    str,
    Field(title="Host", max_length=MAX_HOST, examples=["db.example.com"]),
    AfterValidator(_one_line),
    AfterValidator(_filled),
    AfterValidator(_host),
]
Port = Annotated[
    int,
    Field(title="Port", json_schema_extra={"minimum": 1, "maximum": MAX_PORT}),
    AfterValidator(_port),
]
Secret = Annotated[SecretStr, Field(max_length=MAX_SECRET), AfterValidator(_secret)]

_PEM = {"contentMediaType": "application/x-pem-file"}
"""For whoever draws the form: a text of many lines, or a file."""

Certificates = Annotated[
    str,
    Field(
        title="Certificate authority",
        description="Certificates (PEM) to trust beside the public authorities, for services with a private one. Only"
        " with encryption that proves the server.",
        max_length=MAX_PEM,
        json_schema_extra={**_PEM},
    ),
    AfterValidator(lambda text: text.replace("\r\n", "\n")),
    AfterValidator(_certificates),
]
ClientCertificates = Annotated[
    str,
    Field(
        title="Client certificate",
        description="Certificate (PEM) to show to a service that asks for one, followed by its chain. Only with"
        " encryption.",
        max_length=MAX_PEM,
        json_schema_extra={**_PEM},
    ),
    AfterValidator(lambda text: text.replace("\r\n", "\n")),
    AfterValidator(_certificates),
]
PrivateKey = Annotated[
    SecretStr,
    Field(
        title="Key of the client certificate",
        description="Private key (PEM, without a passphrase) of the client certificate.",
        max_length=MAX_KEY,
        json_schema_extra={**_PEM},
    ),
    AfterValidator(_private_key),
]
