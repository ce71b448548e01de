"""`Idempotency-Key` on POST: the same request sent again is answered again, and done once."""

import re
from typing import cast

from fastapi import Request

from clearline.catalogue import ClearlineError, FieldError
from gateway.security.fingerprint import Fingerprints
from gateway.security.principal import Attempt

HEADER = "idempotency-key"
POINTER = "/header/idempotency-key"
MAX_LENGTH = 255
CONDITION = "if-match"
"""The one header that says what is to be done: under another version it is another request. The others only say how it
is answered (`Prefer`), who asks (a key belongs to its token) or how it is followed."""
_WELL_FORMED = re.compile(rf"[\x20-\x7e]{{1,{MAX_LENGTH}}}")


async def attempt_of(request: Request) -> Attempt | None:
    """What a POST with a key is known by; None without one. Raises VALIDATION_FAILED for what is no key."""
    given = request.headers.getlist(HEADER)
    if request.method != "POST" or not given:
        return None
    if len(given) > 1 or not _WELL_FORMED.fullmatch(given[0]):
        expected = f"one of 1 to {MAX_LENGTH} printable ASCII characters, for example a UUID"
        fault = FieldError.of(POINTER, "FIELD_FORMAT", expected=expected)
        raise ClearlineError("VALIDATION_FAILED", pointer=POINTER, errors=[fault])
    fingerprints = cast("Fingerprints", request.app.state.fingerprints)
    target = f"{request.url.path}?{request.url.query}"
    conditions = request.headers.getlist(CONDITION)
    return Attempt(given[0], fingerprints.of(request.method, target, await request.body(), conditions))
