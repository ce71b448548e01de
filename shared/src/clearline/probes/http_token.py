"""Client id and secret for an access token (OAuth2 client credentials, RFC 6749 section 4.4).

The token server is a second place that is dialled: under the same policy, with the same trust, and no redirect of its
is followed, because what is sent there is the secret. The token itself is kept out of everything that is told.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

from clearline.probes.http_exchange import Answer, explain_client_error, fetch
from clearline.probes.http_findings import BAD_REQUEST, https_there, not_plain, spoken_plainly
from clearline.probes.http_form import HttpConfig, dialled, place
from clearline.probes.json_object import MAX_JSON, object_in
from clearline.probes.probe import Climb, Evidence, StepFailed
from clearline.probes.trust import context_of

MAX_TOKEN = 16 * 1024
OK, SERVER_FAULT = 200, 500
TOKEN_URL, SECRET = "/config/token_url", "/credentials/client_secret"

_REFUSALS: Mapping[str, tuple[str, str]] = {
    "invalid_client": ("AUTH_REJECTED", SECRET),
    "invalid_grant": ("AUTH_REJECTED", SECRET),
    "invalid_scope": ("PERMISSION_MISSING", "/config/scope"),
    "unauthorized_client": ("PERMISSION_MISSING", "/config/client_id"),
    "access_denied": ("PERMISSION_MISSING", "/config/audience"),
    "invalid_target": ("PERMISSION_MISSING", "/config/audience"),
    "unsupported_grant_type": ("AUTH_METHOD_UNSUPPORTED", TOKEN_URL),
    "temporarily_unavailable": ("SERVER_UNAVAILABLE", TOKEN_URL),
    "server_error": ("SERVER_UNAVAILABLE", TOKEN_URL),
}
"""Errors of RFC 6749 (5.2, 4.1.2.1) and RFC 8707 → code and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What was issued. Its text is for the one header that presents it."""

    text: str
    evidence: Evidence
    lacking: tuple[str, ...]
    """Scopes that were asked for and not granted."""


async def token_for(climb: Climb) -> Token:
    """Ask the token server. Whatever is wrong with it is told at the fields that name it."""
    config: HttpConfig = climb.config
    assert config.token_url is not None, "the form demands it"
    asked, address = climb.endpoint, climb.address
    climb.endpoint = place(config.token_url, TOKEN_URL)  # faults and deadlines are about this place until it is done
    climb.address = climb.endpoint.host  # a name as well: whoever dials it asks the policy
    climb.kept["tls"] = context_of(config, climb.credentials, verify=True)
    token = _read(await _answer(climb, config), climb, config)
    climb.endpoint, climb.address = asked, address
    climb.hide(token.text)
    return token


async def _answer(climb: Climb, config: HttpConfig) -> Answer:
    assert config.token_url is not None, "the form demands it"
    headers, form = _request(climb, config)
    try:
        return await fetch(climb, "POST", dialled(config.token_url), headers, urlencode(form).encode())
    except Exception as error:
        told = explain_client_error(error, climb, "authenticate")
        if (finding := await https_there(told, climb, config.token_url)) is not None:
            raise finding from error
        raise


def _request(climb: Climb, config: HttpConfig) -> tuple[dict[str, str], dict[str, str]]:
    secret, name = climb.credentials.given()["client_secret"], config.client_id or ""
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    form = {"grant_type": "client_credentials", "scope": config.scope or "", "audience": config.audience or ""}
    if config.client_authentication == "post":
        form |= {"client_id": name, "client_secret": secret}
    else:
        pair = b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()  # RFC 6749, section 2.3.1
        climb.hide(pair)
        headers["Authorization"] = f"Basic {pair}"
    return headers, {field: value for field, value in form.items() if value}


def _read(answer: Answer, climb: Climb, config: HttpConfig) -> Token:
    if len(answer.body) > MAX_JSON:
        raise StepFailed("RESPONSE_TOO_LARGE", field=TOKEN_URL, limit=MAX_JSON)
    said = object_in(answer.body)
    if answer.status == BAD_REQUEST and spoken_plainly(config.token_url or "", answer.body):
        raise not_plain(TOKEN_URL, "it says so in its answer")
    if answer.status != OK or ("access_token" not in said and said.get("error")):  # some refuse with 200
        raise _refusal(answer, said, config)
    text, token_type = said.get("access_token"), said.get("token_type")
    if not isinstance(text, str) or not _presentable(text):
        why = "its answer is no JSON object with an access_token that a header can carry"
        raise StepFailed("PROTOCOL_MISMATCH", field=TOKEN_URL, expected="an OAuth2 token answer", why=why)
    if not isinstance(token_type, str):
        climb.hide(text)
        why = "its answer does not say of which type the token is (token_type)"
        raise StepFailed("PROTOCOL_MISMATCH", field=TOKEN_URL, expected="an OAuth2 token answer", why=why)
    if token_type.lower() != "bearer":
        climb.hide(text)
        method = f"tokens of the type {token_type:.40}"
        raise StepFailed("AUTH_METHOD_UNSUPPORTED", field=TOKEN_URL, method=method)
    wanted, granted = config.scope or "", said.get("scope")
    granted = granted if isinstance(granted, str) else wanted  # left out where it is what was asked for
    lacking = tuple(scope for scope in wanted.split() if scope not in granted.split())
    evidence = {
        "token_from": climb.endpoint.host,
        "token_ms": answer.evidence["total_ms"],
        "expires_in": _seconds(said.get("expires_in")),
        "scope": granted,
    }
    return Token(text=text, evidence=evidence, lacking=lacking)


def _seconds(told: object) -> int | None:
    """What a token server says in seconds, as a number (RFC 6749, section 5.1) or, as some do, in digits."""
    text = str(told)
    return int(text) if type(told) in (int, str) and text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004


def _presentable(text: str) -> bool:
    return 0 < len(text) <= MAX_TOKEN and all("!" <= character <= "~" for character in text)


def _refusal(answer: Answer, said: Mapping[str, Any], config: HttpConfig) -> StepFailed:
    """By the protocol's own word, else by the status of somebody who stands before it."""
    status, word = answer.status, said.get("error")
    why = f"{status}: {said.get('error_description') or word or 'it says no more'}"
    if isinstance(word, str):
        code, field = _REFUSALS.get(word, ("OAUTH_TOKEN_REFUSED", TOKEN_URL))
        return _told(code, field, word=word, why=why, status=status, config=config)
    match status:
        case 401:
            return _told("AUTH_REJECTED", SECRET, word="", why=why, status=status, config=config)
        case 429:
            wait = answer.retry_after
            return StepFailed("RATE_LIMITED_BY_REMOTE", field=TOKEN_URL, status=status, retry_after_seconds=wait)
        case _ if status >= SERVER_FAULT:
            return StepFailed("SERVER_UNAVAILABLE", field=TOKEN_URL, why=why)
        case _ if 300 <= status < 400 and answer.location:  # noqa: PLR2004 - the class of redirects
            return StepFailed("REDIRECTED", field=TOKEN_URL, status=status, location=answer.location)
        case _:
            return StepFailed("UNEXPECTED_STATUS", field=TOKEN_URL, status=status, expected="a token with 200")


def _told(code: str, field: str, *, word: str, why: str, status: int, config: HttpConfig) -> StepFailed:
    match code:
        case "AUTH_REJECTED":
            return StepFailed("AUTH_REJECTED", field=field, user=config.client_id, why=why)
        case "PERMISSION_MISSING":
            wanted = {"invalid_scope": config.scope, "unauthorized_client": "the grant client_credentials"}.get(word)
            permission = wanted or f"tokens for {config.audience or 'this audience'}"
            return StepFailed(
                "PERMISSION_MISSING",
                field=field,
                step="authorize",
                permission=permission,
                user=config.client_id,
                why=why,
            )
        case "AUTH_METHOD_UNSUPPORTED":
            return StepFailed("AUTH_METHOD_UNSUPPORTED", field=field, method="another grant than client_credentials")
        case "SERVER_UNAVAILABLE":
            return StepFailed("SERVER_UNAVAILABLE", field=field, why=why)
        case _:
            return StepFailed("OAUTH_TOKEN_REFUSED", field=field, status=status, why=why)
