"""The form of kind `http`, and the one reading of its URL that everything else uses."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from clearline.probes.addresses import canonical_host, is_host
from clearline.probes.fields import (
    Certificates,
    ClientCertificates,
    Line,
    PrivateKey,
    Secret,
    has_control_characters,
    refuse,
)
from clearline.probes.probe import Credentials, Endpoint, Form
from clearline.probes.trust import authorities_digest

DEFAULT_PORTS = {"http": 80, "https": 443}

_URL_REST = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")
"""RFC 3986, without the fragment: readers disagree about everything else."""
Scope = Annotated[str, Field(max_length=1_024, pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$")]
"""RFC 6749, section 3.3."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}
"""Headers that decide where a request ends or who gets it."""


def plain_url(text: str) -> str:
    """A URL that every reader takes for the same place, or a refusal."""
    if has_control_characters(text):
        raise refuse("CONTROL_CHARACTERS", "Holds a control character or a line break; write it on one plain line.")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        code = "PORT_OUT_OF_RANGE" if "port" in str(error).lower() else "FIELD_FORMAT"
        raise refuse(code, "Is no URL with a host and a port from 1 to 65535.") from None
    if "@" in parts.netloc:
        raise refuse("URL_WITH_CREDENTIALS", "Holds a user or password; choose a way to authenticate instead.")
    if port == 0:
        raise refuse("PORT_OUT_OF_RANGE", "Must name a port from 1 to 65535.")
    plain = _URL_REST.fullmatch(f"{parts.path}?{parts.query}") and not set(text) & set("\\# ")
    if parts.scheme not in DEFAULT_PORTS or not is_host(host) or not plain:
        raise refuse("FIELD_FORMAT", "Is no plain http or https URL, such as https://api.example.com/health.")
    return text


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
        raise refuse("FIELD_FORMAT", "Is no header that can carry a key; X-API-Key is the usual one.")
    return name


Url = Annotated[str, Field(max_length=2_048, json_schema_extra={"format": "uri"}), AfterValidator(plain_url)]


class HttpConfig(Form):
    """What is asked, how, and what the answer must be."""

    url: Annotated[
        Url,
        Field(
            title="URL",
            description="Address that is asked, without user, password or fragment.",
            examples=["https://api.example.com/health"],
        ),
    ]
    method: Annotated[Literal["GET", "HEAD", "OPTIONS", "POST"], Field(title="Method")] = "GET"
    expected_status: Annotated[int, Field(title="Expected status", ge=100, le=599)] = 200
    auth: Annotated[
        Literal["none", "basic", "bearer", "api_key", "oauth2"],
        Field(
            title="Authentication",
            description="How the credential is presented. oauth2: client id and secret are exchanged for a token.",
        ),
    ] = "none"
    username: Annotated[
        Line | None, Field(title="User", description="For basic authentication.", validate_default=True)
    ] = None
    header_name: Annotated[str, Field(title="Header of the API key", max_length=64), AfterValidator(_header_name)] = (
        "X-API-Key"
    )
    token_url: Annotated[
        Url | None,
        Field(
            title="Token URL",
            description="For OAuth2: where the token is issued. The secret goes there, not to the URL.",
            examples=["https://login.example.com/oauth2/token"],
            validate_default=True,
        ),
    ] = None
    client_id: Annotated[Line | None, Field(title="Client id", description="For OAuth2.", validate_default=True)] = None
    client_authentication: Annotated[
        Literal["basic", "post"],
        Field(title="Sign-in at the token server", description="basic: in a header. post: in the request's body."),
    ] = "basic"
    scope: Annotated[
        Scope | None,
        Field(title="Scope", description="For OAuth2: what the token must allow, separated by spaces."),
    ] = None
    audience: Annotated[
        Line | None, Field(title="Audience", description="For OAuth2: the service that the token is for.")
    ] = None
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None

    @field_validator("username", mode="after")
    @classmethod
    def _for_basic(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None and info.data.get("auth") == "basic":
            raise refuse("FIELD_REQUIRED", "Is needed for basic authentication.")
        if name is not None and ":" in name:
            raise refuse("FIELD_FORMAT", "Must not hold a colon: basic authentication could not tell where it ends.")
        return name

    @field_validator("token_url", "client_id", mode="after")
    @classmethod
    def _for_oauth2(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("auth") == "oauth2":
            raise refuse("FIELD_REQUIRED", "Is needed for OAuth2.")
        return value


class HttpCredentials(Credentials):
    """The one that the chosen way to authenticate presents."""

    password: Annotated[Secret | None, Field(title="Password", description="For basic authentication.")] = None
    token: Annotated[Secret | None, Field(title="Token", description="For a bearer token.")] = None
    api_key: Annotated[Secret | None, Field(title="API key", description="For a key in a header.")] = None
    client_secret: Annotated[Secret | None, Field(title="Client secret", description="For OAuth2.")] = None
    client_key: PrivateKey | None = None


def endpoint(config: HttpConfig) -> Endpoint:
    """Where it dials."""
    return place(config.url, "/config/url")


def place(url: str, field: str) -> Endpoint:
    """Host and port of a URL, which stands in a field of the form."""
    parts = urlsplit(url)
    return Endpoint(
        host=canonical_host(parts.hostname or ""),
        port=parts.port or DEFAULT_PORTS[parts.scheme],
        host_field=field,
        port_field=field,
        tls_field=field,
    )


def destination(config: HttpConfig) -> str:
    """The origin, and whose certificates are believed for it."""
    at = endpoint(config)
    scheme = urlsplit(config.url).scheme
    trusted = f"?ca={authorities_digest(config.ca_certificate)}" if scheme == "https" else ""
    return f"{scheme}://{at.host}:{at.port}{trusted}"


def dialled_url(config: HttpConfig) -> str:
    """The URL that is asked."""
    return dialled(config.url)


def dialled(url: str) -> str:
    """A URL with host and port as they were judged, so that no other reader takes it for another place."""
    parts, at = urlsplit(url), place(url, "")
    host = f"[{at.host}]" if ":" in at.host else at.host
    port = "" if at.port == DEFAULT_PORTS[parts.scheme] else f":{at.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}{query}"
