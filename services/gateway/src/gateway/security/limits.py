"""The limits of one gateway process: commands and tests per token, failed sign-ins per address.

A failed sign-in costs a look into the database, which is what is protected: 256 random bits are not found by trying. An
address that failed too often is refused before that look, except with a token that was good a short while ago, so that
nobody can lock out those who share an address with them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakValueDictionary

from clearline.catalogue import ClearlineError
from gateway.security.addresses import Network
from gateway.security.rate_limit import Meter, Quota, Verdict
from gateway.security.tokens import hash_token

MAX_KNOWN = 10_000
KNOWN_SECONDS = 3600.0
AT_ONCE = 4
"""Looks for one address: a burst would be through before its first failure counts."""
TURN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """How many a minute."""

    commands: int = 600
    tests: int = 60
    failed_sign_ins: int = 10
    trusted_proxies: tuple[Network, ...] = ()


class Limits:
    """Counts for this process alone: with n gateways behind one address a caller may get n times as much."""

    def __init__(self, allowances: Allowances, monotonic: Callable[[], float]) -> None:
        self.trusted_proxies = allowances.trusted_proxies
        self._commands = Meter(Quota("commands", allowances.commands), monotonic)
        self._tests = Meter(Quota("tests", allowances.tests), monotonic)
        self._failures = Meter(Quota("failed sign-ins", allowances.failed_sign_ins), monotonic)
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, address: str, token: str) -> AsyncIterator[None]:
        """Where an unknown token is tried: those of one address wait for each other.

        Raises RATE_LIMITED as `let_sign_in` does, and STORE_UNAVAILABLE where those before take too long.
        """
        turns = self._turns.setdefault(address, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise ClearlineError("STORE_UNAVAILABLE", retry_after=TURN_SECONDS, why="sign-ins take long") from None
        try:
            self.let_sign_in(address, token)
            yield
        finally:
            turns.release()

    def let_sign_in(self, address: str, token: str) -> None:
        """Raises RATE_LIMITED for an address that failed too often with a token that is not known to be good."""
        verdict = self._failures.look(address)
        if not verdict.allowed and not self.knows(token):
            raise refusal(verdict)

    def knows(self, token: str) -> bool:
        """Whether this token was good a short while ago; such ones wait for nobody."""
        seen = self._known.get(hash_token(token))
        return seen is not None and self._monotonic() - seen < KNOWN_SECONDS

    def note_failure(self, address: str) -> None:
        """A token that nobody holds was presented from there."""
        self._failures.take(address)

    def note_success(self, token: str) -> None:
        """This token was good now. Whether it still is, the database is asked each time."""
        digest = hash_token(token)
        self._known[digest] = self._monotonic()
        self._known.move_to_end(digest)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def take(self, token_id: UUID, *, is_test: bool) -> Verdict:
        """One command or test of a token; the verdict says whether it may be."""
        return (self._tests if is_test else self._commands).take(token_id)


def refusal(verdict: Verdict) -> ClearlineError:
    """What whoever asked too much is told."""
    quota = verdict.quota
    return ClearlineError("RATE_LIMITED", retry_after=verdict.retry_after, quota=quota.name, limit=quota.amount)
