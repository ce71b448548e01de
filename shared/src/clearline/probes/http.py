"""Kind `http`: an HTTP endpoint that lets us in and answers as expected. Redirects are told, never followed."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clearline.catalogue import FieldError
from clearline.contracts.verification import StepName
from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.http_findings import (
    CREDENTIALS,
    FORBIDDEN,
    UNAUTHORIZED,
    complaint,
    forbidden,
    https_there,
    lacking,
    unauthorized,
    unexpected,
)
from clearline.probes.http_form import HttpConfig, HttpCredentials, dialled, dialled_url, endpoint, place
from clearline.probes.http_form import destination as origin
from clearline.probes.probe import Climb, Credentials, Endpoint, Evidence, Kind, Permission, Skipped, StepFailed
from clearline.probes.trust import authorities_digest, context_of, tls_allowed, tls_required, url_tls_conflicts

if TYPE_CHECKING:
    from clearline.probes.http_token import Token


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """For https: the certificate must be right."""
    config: HttpConfig = climb.config
    if urlsplit(config.url).scheme == "http":
        return Skipped("the URL is http: what is sent can be read on the way")
    climb.kept["tls"] = context_of(config, climb.credentials, verify=True)
    return await shake_hands(climb, climb.kept["tls"], open_streams)


async def authenticate(climb: Climb) -> Evidence | Skipped:
    """Present the credential; 401 says that it was not taken."""
    config: HttpConfig = climb.config
    if config.auth == "none":
        return Skipped("no authentication is configured")
    issued: Evidence = (await _token(climb)).evidence if config.auth == "oauth2" else {}
    status = await _status(climb)
    if status == UNAUTHORIZED != config.expected_status:
        finding = unauthorized(config, status)
        finding.evidence = issued
        raise finding
    return {"method": config.auth, **issued, "status": status}


async def authorize(climb: Climb) -> Evidence | Skipped:
    """403 says that the credential was taken and is not enough. Of a token, each scope is asked for on its own."""
    config: HttpConfig = climb.config
    if config.auth == "none":
        return Skipped("no authentication is configured")
    evidence: dict[str, object] = {"status": await _status(climb)}
    if config.auth == "oauth2":
        missing = (await _token(climb)).lacking
        if config.scope:
            evidence["scopes"] = {scope: scope not in missing for scope in config.scope.split()}
        if missing:
            finding = lacking(config, missing, "the token server left it out")
            finding.evidence = evidence
            raise finding
    if evidence["status"] == FORBIDDEN != config.expected_status:
        raise forbidden(config)
    return evidence


async def exercise(climb: Climb) -> Evidence:
    """The answer must be the expected one, and complete."""
    config: HttpConfig = climb.config
    status = await _status(climb)
    evidence: dict[str, object] = climb.kept["evidence"]
    if status != config.expected_status:
        finding = unexpected(config, status, climb)
        finding.evidence = evidence
        raise finding
    return evidence


async def _status(climb: Climb) -> int:
    """One exchange serves three rungs; it happens on the first that needs it."""
    if "status" not in climb.kept:
        await _exchange(climb, await _headers(climb))
        if (finding := complaint(climb.config, climb)) is not None:
            raise finding
    status: int = climb.kept["status"]
    return status


async def _exchange(climb: Climb, headers: dict[str, str]) -> None:
    from clearline.probes.http_exchange import exchange  # noqa: PLC0415 - the gateway knows this form without aiohttp

    try:
        await exchange(climb, dialled_url(climb.config), headers)
    except Exception as error:
        if (finding := await https_there(explain(error, climb, "exercise"), climb, climb.config.url)) is not None:
            raise finding from error
        raise


async def _headers(climb: Climb) -> dict[str, str]:
    config: HttpConfig = climb.config
    secret = climb.credentials.given().get(CREDENTIALS.get(config.auth, ""), "")
    match config.auth:
        case "none":
            return {}
        case "basic":
            pair = b64encode(f"{config.username}:{secret}".encode()).decode()  # RFC 7617
            climb.hide(pair)
            return {"Authorization": f"Basic {pair}"}
        case "bearer":
            return {"Authorization": f"Bearer {secret}"}
        case "oauth2":
            return {"Authorization": f"Bearer {(await _token(climb)).text}"}
        case "api_key":
            return {config.header_name: secret}


async def _token(climb: Climb) -> "Token":
    """One token serves the whole climb."""
    from clearline.probes.http_token import token_for  # noqa: PLC0415 - the gateway knows this form without aiohttp

    if "token" not in climb.kept:
        climb.kept["token"] = await token_for(climb)
    token: Token = climb.kept["token"]
    return token


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """What the client library says, in the catalogue's terms."""
    from clearline.probes.http_exchange import explain_client_error  # noqa: PLC0415

    return explain_client_error(error, climb, step)


def destination(config: HttpConfig) -> str:
    """The origin, the token server, and whose certificates are believed for them."""
    if config.auth != "oauth2" or config.token_url is None:
        return origin(config)
    trusted = authorities_digest(config.ca_certificate)
    return f"{origin(config)} token={dialled(config.token_url)} ca={trusted}"


def further(config: HttpConfig) -> tuple[Endpoint, ...]:
    """The token server."""
    return (place(config.token_url, "/config/token_url"),) if config.token_url else ()


def conflicts(config: HttpConfig, credentials: Credentials, now: datetime | None) -> Iterator[FieldError]:
    """Certificates are looked at by the URL and, with OAuth2, by the token server."""
    asked = [config.url, config.token_url] if config.auth == "oauth2" else [config.url]
    yield from url_tls_conflicts(config, credentials, now, urls=filter(None, asked))


def _needed(config: HttpConfig) -> frozenset[str]:
    return frozenset(filter(None, [CREDENTIALS.get(config.auth)]))


HTTP = Kind(
    name="http",
    title="HTTP API",
    description="Asks an HTTP endpoint, with a credential if there is one, and checks the answer's status.",
    config=HttpConfig,
    credentials=HttpCredentials,
    libraries=("clearline.probes.http_exchange", "clearline.probes.http_token"),
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    further=further,
    destination=destination,
    required_credentials=lambda config: tls_required(config) | _needed(config),
    allowed_credentials=lambda config: tls_allowed(config) | _needed(config),
    conflicts=conflicts,
    permissions=(
        Permission("request", "The method on the URL, with the credential."),
        Permission("scope", "With OAuth2: each scope that the config names."),
    ),
    explain=explain,
)
