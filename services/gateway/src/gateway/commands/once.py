"""Idempotency keys: a command that is sent again under its key is not done again, and gets the answer of then.

What it brought is written by its own transaction, so that a crash between commit and answer changes nothing. Only what
was done is kept: a refusal had no effect, and the same key may try again.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from clearline.catalogue import ClearlineError
from gateway.commands.work import Command, ToldOnce, Work
from gateway.read_model import sql
from gateway.security.principal import Attempt

R = TypeVar("R")
KEPT_FOR = timedelta(hours=24)
RETRY_AFTER_SECONDS = 1


@cache
def brings(command: type[Command[R]]) -> type[R]:
    """What its `run` returns, to read it back as."""
    returned: type[R] = get_type_hints(command.run)["return"]
    return returned


async def once(work: Work, form: type[R], do: Callable[[], Awaitable[R]]) -> tuple[R, bool]:
    """What `do` brings, or brought when it was done under this key, and whether it was done before.

    Raises IDEMPOTENCY_KEY_IN_USE while another request does it, IDEMPOTENCY_KEY_REUSED for another request.
    """
    attempt = work.caller.attempt
    if attempt is None:
        return await do(), False
    token = work.caller.principal.id
    if not await work.connection.fetchval(sql("idempotency_hold"), token, attempt.key):
        raise ClearlineError("IDEMPOTENCY_KEY_IN_USE", retry_after=RETRY_AFTER_SECONDS)
    known = await work.connection.fetchrow(sql("idempotency_find"), token, attempt.key, work.now - KEPT_FOR)
    if known is not None:
        return _again(attempt, form, known["fingerprint"], known["result"]), True
    brought = await do()
    kept = None if isinstance(brought, ToldOnce) else brought
    await work.connection.execute(sql("idempotency_keep"), token, attempt.key, attempt.fingerprint, kept)
    return brought, False


def _again(attempt: Attempt, form: type[R], fingerprint: bytes, result: Any) -> R:
    if fingerprint != attempt.fingerprint:
        raise ClearlineError("IDEMPOTENCY_KEY_REUSED")
    plain: type = get_origin(form) or form  # of dict[str, Any] the dict: what is no class has no ancestors
    if issubclass(plain, ToldOnce):
        raise ClearlineError(plain.code)
    return msgspec.convert(result, form)
