"""One item's turn: read, plan, send, wait for the verification, activate. Two edits at once are read anew, once."""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from clearline.cli.answers import Connection, Failure, Verification, VerificationQueued
from clearline.cli.applying.difference import Action, Plan, plan
from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.places import FaultsError
from clearline.cli.draft import Draft
from clearline.cli.ends import CommandError, RefusedError
from clearline.cli.naming import find_declared
from clearline.cli.reading import read
from clearline.cli.session import Session
from clearline.cli.waiting import follow

Status = Literal["unchanged", "planned", "done", "pending", "failed"]
_RACES = frozenset({"CONNECTION_CHANGED", "CONNECTION_NAME_TAKEN"})
_FINISHED_WITHOUT_PROOF = frozenset({"failed", "cancelled", "expired"})


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one item."""

    item: Declared
    plan: Plan
    status: Status = "planned"
    connection: Connection | None = None
    verification: Verification | None = None
    problem: CommandError | None = None

    @property
    def failure(self) -> Failure | None:
        """Why the verification that activation waited for failed."""
        return self.verification.failure if self.verification else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the options of the command ask for, the same for every item."""

    replace_credentials: bool = False
    wait: bool = True
    timeout: float = 90.0


@dataclass(slots=True, kw_only=True)
class Turn:
    """Applies one item. `secrets` are those that the plan sends, or more."""

    session: Session
    wishes: Wishes
    outcome: Outcome
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    def take(self) -> Outcome:
        """Do what the plan says. Whatever goes wrong is in the outcome: the other items go on."""
        outcome = self.outcome
        try:
            if outcome.plan.writes:
                self._write()
            outcome.status = "done" if outcome.plan.actions else "unchanged"
            if Action.ACTIVATE in outcome.plan.actions:
                self._activate()
            elif Action.DEACTIVATE in outcome.plan.actions:
                self._act("deactivate", None)
        except CommandError as error:
            outcome.status, outcome.problem = "failed", error
        except KeyboardInterrupt:
            if outcome.status == "done":  # what was sent is; the verification that it waited for goes on
                outcome.status = "pending"
            raise
        return outcome

    def _write(self) -> None:
        """Send it; where somebody else was faster, look again what is left to do, once."""
        try:
            self._send()
        except RefusedError as refused:
            if refused.problem.code not in _RACES:
                raise
            outcome = self.outcome
            outcome.connection = find_declared(self.session.api, outcome.item)
            outcome.plan = plan(outcome.item, outcome.connection, replace=self.wishes.replace_credentials)
            if wrong := [*outcome.plan.faults, *([outcome.plan.refusal] if outcome.plan.refusal else [])]:
                raise FaultsError(wrong, "Somebody else changed it meanwhile.") from None
            if outcome.plan.writes:
                self._send()

    def _send(self) -> None:
        outcome, api = self.outcome, self.session.api
        body = self._draft().to_save()
        if outcome.connection is None:
            reply = api.post("/connections", body)
        else:
            reply = api.put(f"/connections/{outcome.connection.id}", body, etag=f'"{outcome.connection.version}"')
        outcome.connection = read(Connection, reply.body)

    def _draft(self) -> Draft:
        item, planned = self.outcome.item, self.outcome.plan
        return Draft(
            name=item.name,
            environment=item.environment,
            owner=item.owner,
            kind=item.kind.name,
            config=item.config,
            credentials={name: self.secrets[name] for name in sorted(planned.sent)} | dict.fromkeys(planned.removed),
            beat=msgspec.to_builtins(item.beat),
        )

    def _activate(self) -> None:
        """Let the newest revision go live as soon as it is proven; one that is not gets a new verification."""
        outcome = self.outcome
        connection = self._connection()
        outcome.verification = seen = self._verification(connection)
        if seen.status == "pending" and self.wishes.wait:
            path = f"/connections/{connection.id}/verifications/{seen.id}"
            outcome.verification, _ = follow(self.session, path, self.wishes.timeout, lambda _seen: None)
        match outcome.verification.status:
            case "verified":
                self._act("activate", {"revision": connection.revision})
            case "pending":
                outcome.status = "pending"
            case _:
                outcome.status = "failed"

    def _verification(self, connection: Connection) -> Verification:
        """The newest one of the newest revision, or a new one where that proves nothing any more."""
        seen = connection.verification
        if seen is not None and seen.status not in _FINISHED_WITHOUT_PROOF:
            return seen
        reply = self.session.api.post(f"/connections/{connection.id}/verify", {"revision": connection.revision})
        return Verification(id=read(VerificationQueued, reply.body).verification_id, status="pending")

    def _act(self, act: str, body: Any) -> None:
        connection = self._connection()
        self.outcome.connection = read(
            Connection, self.session.api.post(f"/connections/{connection.id}/{act}", body).body
        )

    def _connection(self) -> Connection:
        assert self.outcome.connection is not None, "what is activated has been read or written"
        return self.outcome.connection
