"""ETag and If-Match (RFC 9110): an edit names the version that it was made from."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from clearline.catalogue import ClearlineError
from gateway.commands.lifecycle import ExpectedVersion

MAX_HEADER = 1000
_STRONG = re.compile(r'"([^"]*)"')
_WEAK = re.compile(r'W/"[^"]*"')

IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the connection as you read it, or `*` for whatever it is now.",
        examples=['"3"'],
    ),
]


def versions_in(header: str) -> ExpectedVersion:
    """The versions that a header names, None for `*`. A weak tag never matches strongly, so it names none."""
    if header.strip() == "*":
        return None
    return frozenset(_STRONG.findall(_WEAK.sub("", header[:MAX_HEADER])))


async def required(request: Request, if_match: IfMatchHeader = None) -> ExpectedVersion:
    """Where a lost update would hurt. Raises IF_MATCH_REQUIRED."""
    if if_match is None:
        raise ClearlineError("IF_MATCH_REQUIRED")
    return versions_in(_whole(request))


async def optional(request: Request, if_match: IfMatchHeader = None) -> ExpectedVersion:
    """Honoured where it is sent."""
    return None if if_match is None else versions_in(_whole(request))


def _whole(request: Request) -> str:
    """Several lines of a header are one list (RFC 9110, 5.3); the framework hands over the first alone."""
    return ", ".join(request.headers.getlist("if-match"))


RequiredVersion = Annotated[ExpectedVersion, Depends(required)]
OptionalVersion = Annotated[ExpectedVersion, Depends(optional)]


def tell_version(response: Response, version: int) -> None:
    """The ETag of a connection: its sequence, in quotes."""
    response.headers["etag"] = f'"{version}"'
