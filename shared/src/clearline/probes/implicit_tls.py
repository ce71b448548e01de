"""TLS from the first byte or not at all, as with Redis and Kafka: nobody says which, so a wrong guess is looked into.

A server that expects the other is silent, or cuts the line. One more connection, on which nothing secret is said, tells
a wrong switch in the form from a server that is ill.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.probe import Climb, Evidence, Skipped, StepFailed
from clearline.probes.trust import context_of, trust

PATIENCE_SECONDS = 3.0
"""A Redis without TLS hears a line that never ends, and waits: after this it is asked without, beside the handshake."""
LOOK_SECONDS = 1.0
_CUT = frozenset({"SERVER_CLOSED", "CONNECTION_RESET", "TLS_NOT_SPOKEN"})

Answers = Callable[[Climb], Awaitable[bool]]
"""Whether the server speaks the kind's protocol without encryption, when asked for nothing that is secret."""


async def encrypt(climb: Climb, answers: Answers) -> Evidence | Skipped:
    """The `tls` rung of a kind whose config has `tls`: disable, require or verify-full. Keeps the context."""
    mode = climb.config.tls
    if mode == "disable":
        return Skipped("encryption is switched off in the config")
    context = context_of(climb.config, climb.credentials, verify=mode == "verify-full")
    try:
        evidence = await _unless_silent(climb, context, answers)
    except StepFailed as finding:
        if finding.code not in _CUT or not await _speaks_plainly(climb, answers):
            raise
        raise _not_spoken(climb) from None
    climb.kept["tls"] = context
    return evidence


async def _unless_silent(climb: Climb, context: ssl.SSLContext, answers: Answers) -> Evidence:
    """The handshake, which has all the time of the step; after a while without an end, a look whether TLS is spoken."""
    shaking = asyncio.ensure_future(shake_hands(climb, context, open_streams))
    try:
        await asyncio.wait({shaking}, timeout=PATIENCE_SECONDS)
        if not shaking.done() and await _speaks_plainly(climb, answers):
            raise _not_spoken(climb)
        return await shaking
    finally:
        shaking.cancel()
        await asyncio.wait({shaking})


async def _speaks_plainly(climb: Climb, answers: Answers) -> bool:
    with suppress(OSError, EOFError, StepFailed):
        async with asyncio.timeout(LOOK_SECONDS):
            return await answers(climb)
    return False


def _not_spoken(climb: Climb) -> StepFailed:
    return StepFailed("TLS_NOT_SPOKEN", field=climb.endpoint.tls_field, why="it answers without encryption")


@asynccontextmanager
async def told_from_tls(climb: Climb, expected: str) -> AsyncIterator[None]:
    """Around the first words without encryption: where they are cut or not understood, TLS may be spoken there."""
    try:
        yield
    except (OSError, EOFError, StepFailed) as error:
        other = isinstance(error, StepFailed) and error.code != "PROTOCOL_MISMATCH"
        if other or "tls" in climb.kept or not await speaks_tls(climb):
            raise
        why = "it speaks TLS at this port"
        raise StepFailed(
            "PROTOCOL_MISMATCH", field=climb.endpoint.tls_field, expected=f"{expected} without encryption", why=why
        ) from error


async def speaks_tls(climb: Climb) -> bool:
    """Whether TLS is spoken there, whoever it is."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await shake_hands(climb, trust(verify=False, authorities=None), open_streams)
    except StepFailed as finding:  # it may refuse us: that is TLS as well
        return finding.code not in _CUT
    except (OSError, EOFError):
        return False
    return True
