"""Kind `http`: an HTTP endpoint that lets us in and answers as expected. Redirects are told, never followed."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from clearline.contracts.verification import StepName
from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.http_form import HttpConfig, HttpCredentials, destination, dialled_url, endpoint
from clearline.probes.probe import Climb, Evidence, Kind, Permission, Skipped, StepFailed
from clearline.probes.trust import context_of, tls_allowed, tls_conflicts, tls_required

UNAUTHORIZED, FORBIDDEN = 401, 403

_FIELDS: Mapping[str, str] = {"basic": "password", "bearer": "token", "api_key": "api_key"}
"""Way to authenticate → the credential that it presents."""


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
    status = await _status(climb)
    if status == UNAUTHORIZED != config.expected_status:
        raise _rejected(config, f"/credentials/{_FIELDS[config.auth]}", status)
    return {"method": config.auth, "status": status}


async def authorize(climb: Climb) -> Evidence | Skipped:
    """403 says that the credential was taken and is not enough."""
    config: HttpConfig = climb.config
    if config.auth == "none":
        return Skipped("no authentication is configured")
    status = await _status(climb)
    if status == FORBIDDEN != config.expected_status:
        raise _missing_permission(config, f"/credentials/{_FIELDS[config.auth]}")
    return {"status": status}


async def exercise(climb: Climb) -> Evidence:
    """The answer must be the expected one, and complete."""
    config: HttpConfig = climb.config
    status = await _status(climb)
    evidence: dict[str, object] = climb.kept["evidence"]
    if status != config.expected_status:
        finding = _unexpected(config, status, climb)
        finding.evidence = evidence
        raise finding
    return evidence


async def _status(climb: Climb) -> int:
    """One exchange serves three rungs; it happens on the first that needs it."""
    from clearline.probes.http_exchange import exchange  # noqa: PLC0415 - the gateway knows this form without aiohttp

    if "status" not in climb.kept:
        await exchange(climb, dialled_url(climb.config), _headers(climb.config, climb.credentials))
    status: int = climb.kept["status"]
    return status


def _headers(config: HttpConfig, credentials: HttpCredentials) -> dict[str, str]:
    secret = credentials.given().get(_FIELDS.get(config.auth, ""), "")
    match config.auth:
        case "none":
            return {}
        case "basic":
            pair = f"{config.username}:{secret}".encode()  # RFC 7617
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        case "bearer":
            return {"Authorization": f"Bearer {secret}"}
        case "api_key":
            return {config.header_name: secret}


def _unexpected(config: HttpConfig, status: int, climb: Climb) -> StepFailed:
    match status:
        case 401:
            return _rejected(config, "/config/auth", status)
        case 403:
            return _missing_permission(config, "/config/auth")
        case 429:
            wait = climb.kept["retry_after"]
            return StepFailed("RATE_LIMITED_BY_REMOTE", field="/config/url", status=status, retry_after_seconds=wait)
        case 503:
            return StepFailed("SERVER_UNAVAILABLE", field="/config/url", why="it answered 503")
        case _ if 300 <= status < 400 and climb.kept["location"]:  # noqa: PLR2004 - the class of redirects
            location = climb.kept["location"]
            return StepFailed("REDIRECTED", field="/config/url", status=status, location=location)
        case _:
            expected = str(config.expected_status)
            return StepFailed("UNEXPECTED_STATUS", field="/config/expected_status", status=status, expected=expected)


def _rejected(config: HttpConfig, field: str, status: int) -> StepFailed:
    return StepFailed("AUTH_REJECTED", field=field, user=config.username or config.auth, why=f"it answered {status}")


def _missing_permission(config: HttpConfig, field: str) -> StepFailed:
    permission = f"{config.method} on this URL"
    return StepFailed(
        "PERMISSION_MISSING", field=field, permission=permission, user=config.username or config.auth, why="it said no"
    )


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """What the client library says, in the catalogue's terms."""
    from clearline.probes.http_exchange import explain_client_error  # noqa: PLC0415

    return explain_client_error(error, climb, step)


HTTP = Kind(
    name="http",
    title="HTTP API",
    description="Asks an HTTP endpoint, with a credential if there is one, and checks the answer's status.",
    config=HttpConfig,
    credentials=HttpCredentials,
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda config: tls_required(config) | frozenset(filter(None, [_FIELDS.get(config.auth)])),
    allowed_credentials=lambda config: tls_allowed(config) | frozenset(filter(None, [_FIELDS.get(config.auth)])),
    conflicts=tls_conflicts,
    permissions=(Permission("request", "The method on the URL, with the credential."),),
    explain=explain,
)
