"""Tests values that nobody has saved. Nothing of them is kept but how the test went, and that for one hour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import Environment
from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.contracts.verification import REQUESTED
from gateway.commands.contents import plan_credentials, refuse_other
from gateway.commands.draft import CheckedConfig, check_config
from gateway.commands.lifecycle import refuse_retired
from gateway.commands.profile import Contents
from gateway.commands.record import write_audit
from gateway.commands.repeated_secrets import refuse_repeated
from gateway.commands.rows import load_contents, lock_profile
from gateway.commands.seal import seal_all
from gateway.commands.verification_request import request_of
from gateway.commands.work import Work
from gateway.read_model import sql

MOST_PENDING = 10
"""Per principal: enough for every connection of a file at once, too few to occupy the verifier."""


@dataclass(frozen=True, slots=True)
class StartedTest:
    """What to follow."""

    test_id: UUID
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTest:
    """Values as somebody is thinking of saving them; with `connection_id`, as an edit of that connection."""

    connection_id: UUID | None = None
    """Whose stored secrets stand for those that are left out. Only who may edit it may name it."""
    environment: Environment | None = None
    kind: str | None = None
    config: Mapping[str, Any] | None = field(default=None, repr=False)
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)

    async def run(self, work: Work) -> StartedTest:
        """Raises VALIDATION_FAILED, NOT_ALLOWED, TOO_MANY_TESTS, and what an edit of `connection_id` raises."""
        await _refuse_too_many(work)
        draft = await (_Unsaved(self) if self.connection_id is None else _AsEdit(self, self.connection_id)).read(work)
        test_id = work.tools.new_id()
        await _Queue(test_id, self.connection_id, draft).run(work)
        return StartedTest(test_id, work.caller.correlation_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """Checked values and the stored secrets that go with them."""

    environment: Environment
    checked: CheckedConfig
    stored: Contents
    given: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Unsaved:
    wish: StartTest

    async def read(self, work: Work) -> _Draft:
        environment, kind = self.wish.environment, self.wish.kind
        assert environment is not None, "the form asks for it"
        assert kind is not None, "the form asks for it"
        if environment not in work.caller.principal.environments:
            raise ClearlineError("NOT_ALLOWED", pointer="/environment", role="operator", environment=environment)
        checked = check_config(kind, self.wish.config, work.tools.policy)
        nothing = Contents(config={}, destination=checked.destination, credentials={})
        return _Draft(environment=environment, checked=checked, stored=nothing, given=self.wish.credentials)


@dataclass(frozen=True, slots=True)
class _AsEdit:
    wish: StartTest
    connection_id: UUID

    async def read(self, work: Work) -> _Draft:
        profile = await lock_profile(work, self.connection_id)
        refuse_retired(profile)
        refuse_other(profile, kind=self.wish.kind, environment=self.wish.environment)
        stored = await load_contents(work, profile, profile.revision)
        config = stored.config if self.wish.config is None else self.wish.config
        checked = check_config(profile.kind, config, work.tools.policy)
        return _Draft(environment=profile.environment, checked=checked, stored=stored, given=self.wish.credentials)


@dataclass(frozen=True, slots=True)
class _Queue:
    test_id: UUID
    connection_id: UUID | None
    draft: _Draft

    async def run(self, work: Work) -> None:
        draft, kind = self.draft, self.draft.checked.kind.name
        request = request_of(
            self._contents(work),
            verification_id=self.test_id,
            connection_id=self.connection_id,
            revision=None,
            environment=draft.environment,
            kind=kind,
            why="unsaved",
            by=work.by,
            now=work.now,
        )
        await work.connection.execute(
            sql("connection_test_insert"),
            *(self.test_id, draft.environment, kind, self.connection_id),
            *(work.caller.correlation_id, work.now, work.by, request.deadline),
        )
        await work.publish(VERIFICATION_REQUESTS, REQUESTED, self.test_id, request)
        await self._tell_audit(work)

    async def _tell_audit(self, work: Work) -> None:
        """What was dialled. Where a connection's secrets were used, its history says so."""
        about, object_id = ("test", self.test_id) if self.connection_id is None else ("connection", self.connection_id)
        checked = self.draft.checked
        seen = {"test_id": str(self.test_id), "kind": checked.kind.name, "destination": checked.destination}
        await write_audit(work, "connection.tested", about, object_id, environment=self.draft.environment, after=seen)

    def _contents(self, work: Work) -> Contents:
        """What is kept stays sealed for its connection and destination; what is new is sealed for this test alone."""
        checked, stored = self.draft.checked, self.draft.stored
        moved = checked.destination != stored.destination
        plan = plan_credentials(checked.kind, checked.form, self.draft.given, stored.credentials, moved=moved)
        refuse_repeated(checked.config, plan.fresh)
        kept = {name: stored.credentials[name] for name in sorted(plan.kept)}
        fresh = seal_all(
            work,
            subject=self.test_id,
            kind=checked.kind.name,
            destination=checked.destination,
            fresh=plan.fresh,
        )
        return Contents(config=checked.config, destination=checked.destination, credentials={**kept, **fresh})


async def _refuse_too_many(work: Work) -> None:
    """One start of a principal after the other, so that their number is exact."""
    await work.connection.execute(sql("connection_tests_one_by_one"), work.by)
    running = await work.connection.fetchrow(sql("connection_tests_pending"), work.by)
    if running is not None and running["pending"] >= MOST_PENDING:  # when the first one ends at the latest
        raise ClearlineError("TOO_MANY_TESTS", retry_after=max(1.0, running["seconds"]), limit=MOST_PENDING)
