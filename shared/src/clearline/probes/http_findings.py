"""What an answer, or none, says about a connection of kind `http`, in the catalogue's terms."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from clearline.probes.faults import CLIENT_CERTIFICATE_FIELD
from clearline.probes.http_form import HttpConfig
from clearline.probes.implicit_tls import speaks_tls
from clearline.probes.probe import Climb, StepFailed

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = 400, 401, 403

CREDENTIALS: Mapping[str, str] = {
    "basic": "password",
    "bearer": "token",
    "api_key": "api_key",
    "oauth2": "client_secret",
}
"""Way to authenticate → the credential that it needs."""


_PLAIN_TO_TLS = (
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"HTTP request to an HTTPS server",  # Go, and with it Caddy, Traefik and Kubernetes
    b"speaking plain HTTP to an SSL-enabled",  # Apache
)
_CUT = frozenset({"SERVER_CLOSED", "CONNECTION_RESET"})
TLS_ALARM = "it answered with an alarm of TLS"


async def https_there(finding: StepFailed | None, climb: Climb, url: str) -> StepFailed | None:
    """After plain HTTP was cut or answered by noise: is it because TLS is spoken there? Nothing is said to find out."""
    if finding is None or urlsplit(url).scheme != "http":
        return None
    if finding.variables.get("why") == TLS_ALARM or (finding.code in _CUT and await speaks_tls(climb)):
        return not_plain(climb.endpoint.port_field, "it speaks TLS at this port")
    return None


def not_plain(field: str, why: str) -> StepFailed:
    """A URL with http:// where encryption is spoken."""
    return StepFailed("PROTOCOL_MISMATCH", field=field, expected="http, but https", why=why)


def spoken_plainly(url: str, said: bytes) -> bool:
    """Whether a server complains that it was not spoken to in TLS. Behind https:// a proxy made that mistake."""
    return urlsplit(url).scheme == "http" and any(words in said for words in _PLAIN_TO_TLS)


def complaint(config: HttpConfig, climb: Climb) -> StepFailed | None:
    """What servers find wrong with the encryption and tell in an answer: https://nginx.org/r/ssl_verify_client."""
    if climb.kept["status"] != BAD_REQUEST or config.expected_status == BAD_REQUEST:
        return None
    said, why = climb.kept["said"], "it says so in its answer"
    if b"No required SSL certificate was sent" in said:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REQUIRED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    if b"The SSL certificate error" in said:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REFUSED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    return not_plain("/config/url", why) if spoken_plainly(config.url, said) else None


def unauthorized(config: HttpConfig, status: int) -> StepFailed:
    """401, though a credential was presented."""
    if config.auth == "oauth2":
        return StepFailed("OAUTH_TOKEN_NOT_ACCEPTED", field="/config/audience", status=status)
    return _rejected(config, f"/credentials/{CREDENTIALS[config.auth]}", status)


def forbidden(config: HttpConfig) -> StepFailed:
    """403: the credential was taken and is not enough."""
    if config.auth == "oauth2":
        return _missing_permission(config, "/config/scope")
    return _missing_permission(config, f"/credentials/{CREDENTIALS[config.auth]}")


def lacking(config: HttpConfig, scopes: tuple[str, ...], why: str) -> StepFailed:
    """Scopes that the token server left out, all of them named."""
    return StepFailed(
        "PERMISSION_MISSING", field="/config/scope", permission=" ".join(scopes), user=config.client_id, why=why
    )


def unexpected(config: HttpConfig, status: int, climb: Climb) -> StepFailed:
    """Any other answer than the expected one."""
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
    who = config.username or config.client_id or config.auth
    return StepFailed(
        "PERMISSION_MISSING", field=field, permission=f"{config.method} on this URL", user=who, why="it said no"
    )
