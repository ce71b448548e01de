"""The gateway's HTTP API as the commands use it: every answer is JSON or one of three errors for people."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec

from clearline.catalogue import translate
from clearline.cli import again
from clearline.cli.answers import Problem
from clearline.cli.ends import NoAnswerError, RefusedError, WrongUseError
from clearline.cli.plain_text import plain
from clearline.cli.target import FILE, TOKEN, Target
from clearline.cli.versions import installed_version

PREFIX = "/api/v1"
TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
"""The gateway's own limits are shorter; without an answer after this it has none."""
UNAUTHORIZED = 401
PAGE = 100
MAX_PAGES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One good answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        """The state that was read; goes back as If-Match."""
        return self.headers.get("etag", "")

    @property
    def correlation_id(self) -> str | None:
        """Under this id operators find everything that the request caused."""
        return self.headers.get("x-correlation-id")


class Api:
    """One conversation with one gateway."""

    def __init__(
        self,
        target: Target,
        correlation_id: str,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self._pause = pause
        self._run, self._posts = correlation_id, count(1)  # `next` is safe where several threads post
        headers = {
            "accept": "application/json",
            "user-agent": f"clearline-cli/{installed_version()}",
            "x-correlation-id": correlation_id,
        }
        if target.token:
            headers["authorization"] = f"Bearer {target.token}"
        self._client = httpx2.Client(
            base_url=target.url,
            headers=headers,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not _is_loopback(target.url),  # a proxy of the environment cannot reach this machine's loopback
        )
        self._sleep: Callable[[float], None] | None = None

    def wait_when_limited(self, sleep: Callable[[float], None]) -> None:
        """From now on wait as long as a 429 says and send again, instead of ending the command with it."""
        self._sleep = sleep

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def get(self, path: str, **query: str | int | None) -> Reply:
        """Read one thing below /api/v1."""
        return self.send("GET", PREFIX + path, query={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None) -> Reply:
        """Ask for something, under a key of its own: sent again it is not done again."""
        key = f"{self._run}-{next(self._posts)}"
        return self.send("POST", PREFIX + path, body=body, headers={again.HEADER: key})

    def put(self, path: str, body: Any, *, etag: str) -> Reply:
        """Replace what was read under `etag`."""
        return self.send("PUT", PREFIX + path, body=body, headers={"if-match": etag})

    def delete(self, path: str, *, etag: str | None = None) -> Reply:
        """Remove it; with `etag` only if it is still as it was read."""
        return self.send("DELETE", PREFIX + path, headers={"if-match": etag} if etag else {})

    def items(self, path: str, limit: int | None = None, **query: str | None) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page, at most `limit`."""
        cursor: str | None = None
        left = limit
        for _ in range(MAX_PAGES):
            page = self.get(path, limit=min(PAGE, left) if left else PAGE, cursor=cursor, **query).body
            yield from page["items"][:left]
            left = left - len(page["items"]) if left is not None else None
            cursor = page.get("next_cursor")
            if not cursor or (left is not None and left <= 0):
                return

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (),
    ) -> Reply:
        """Send one request. A status in `accepted` is a good answer too, for example a body that says `not ready`."""
        return again.when_allowed(
            lambda: self._send(method, path, query=query, body=body, headers=headers, accepted=accepted), self._sleep
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        accepted: tuple[int, ...],
    ) -> Reply:
        try:
            request = self._client.build_request(method, path, params=query, json=body, headers=headers)
            response = again.send_again(self._client, request, self._pause)
        except httpx2.TransportError as error:
            raise self._no_answer(method, error) from error
        content = _content(response)
        if not (response.is_success or response.status_code in accepted):
            raise self._refusal(response, content)
        if content is None and response.content:
            raise self._stranger(response.status_code)
        return Reply(status=response.status_code, body=content, headers=response.headers)

    def _no_answer(self, method: str, error: httpx2.TransportError) -> NoAnswerError:
        reason = plain(error, 200) or type(error).__name__
        told = translate("CLEARLINE_UNREACHABLE", {"url": self.target.url, "why": reason})
        steps = [f"The address is {self.target.url} (from {self.target.origin}).", *told.remediation]
        if method != "GET" and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            steps.insert(0, "The request may have been carried out: look before you send it again.")
        return NoAnswerError(f"{told.user_message} ({reason})", *steps, code=told.code, docs_url=told.docs_url)

    def _refusal(self, response: httpx2.Response, content: Any) -> RefusedError | NoAnswerError:
        if response.is_redirect:
            return NoAnswerError(
                f"{self.target.url} sends requests elsewhere; they are not followed, for they carry your token.",
                f"Set CLEARLINE_URL to the address that answers itself ({TOKEN} goes only there).",
            )
        try:
            problem = msgspec.convert(content, Problem, strict=False)
        except msgspec.ValidationError:
            return self._stranger(response.status_code)
        if problem.retry_after_seconds is None and (header := response.headers.get("retry-after", "")).isdecimal():
            problem = msgspec.structs.replace(problem, retry_after_seconds=float(header))
        if not problem.correlation_id:
            reference = response.headers.get("x-correlation-id")
            problem = msgspec.structs.replace(problem, correlation_id=reference)
        if problem.status == UNAUTHORIZED:
            problem = msgspec.structs.replace(problem, remediation=self._about_the_token(problem))
        return RefusedError(problem, content, response.headers.get("etag"))

    def _about_the_token(self, problem: Problem) -> tuple[str, ...]:
        """Where it comes from. The header, which comes first for programs, nobody writes at the command line."""
        kept = problem.remediation[1:] if problem.code == "NOT_AUTHENTICATED" else problem.remediation
        if (file := self.target.token_file) is not None:
            return f"The token comes from {file}: if it is not of this Clearline, run `make up` again.", *kept
        told = f"The token comes from the variable {TOKEN}: give it one of this Clearline, or remove it"
        return f"{told} (`unset {TOKEN}`) where a {FILE} holds one.", *kept

    def _stranger(self, status: int) -> NoAnswerError:
        return NoAnswerError(
            f"{self.target.url} answered {status}, but not as Clearline does.",
            "Check CLEARLINE_URL: another server, or a proxy in between, may be answering.",
            "If Clearline is behind a proxy, see whether Clearline itself is up: `clearline doctor`.",
        )


def need_token(target: Target) -> None:
    """A sentence before the request instead of a 401 after it."""
    if not target.token:
        raise WrongUseError(
            f"There is no token to talk to {target.url} with.",
            *(["Run `make up`: it writes the token where it wrote the address."] if target.from_file else []),
            f"Set {TOKEN}; an admin makes one with `clearline tokens create`.",
        )


def _content(response: httpx2.Response) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError:
        return None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
