"""Configures a new connection and queues its first verification in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import CONFIGURED, Environment
from clearline.probes.beats import BeatDraft
from gateway.commands.contents import plan_credentials
from gateway.commands.draft import check_beat, check_config, check_naming
from gateway.commands.profile import Contents, Profile
from gateway.commands.record import picture, tell_connection, write_audit
from gateway.commands.repeated_secrets import refuse_repeated
from gateway.commands.rows import insert_profile, insert_revision
from gateway.commands.seal import seal_all
from gateway.commands.verification import queue_verification
from gateway.commands.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateConnection:
    """A connection as somebody wants it."""

    name: str
    environment: Environment
    owner: str | None
    kind: str
    config: Mapping[str, Any] = field(repr=False)
    credentials: Mapping[str, Any] = field(repr=False)
    beat: BeatDraft | None = None

    async def run(self, work: Work) -> UUID:
        """Its id. Raises VALIDATION_FAILED, NOT_ALLOWED or CONNECTION_NAME_TAKEN."""
        if self.environment not in work.caller.principal.environments:
            raise ClearlineError("NOT_ALLOWED", pointer="/environment", role="operator", environment=self.environment)
        name, beat = check_naming(self.name, self.owner), check_beat(self.beat)
        checked = check_config(self.kind, self.config, work.tools.policy)
        plan = plan_credentials(checked.kind, checked.form, self.credentials, {}, moved=False)
        refuse_repeated(checked.config, plan.fresh)
        profile = Profile(
            id=work.tools.new_id(),
            name=name,
            environment=self.environment,
            owner=self.owner,
            kind=checked.kind.name,
            beat=beat,
            lifecycle="inactive",
            revision=1,
            sequence=1,
        )
        contents = Contents(
            config=checked.config,
            destination=checked.destination,
            credentials=seal_all(
                work,
                subject=profile.id,
                kind=profile.kind,
                destination=checked.destination,
                fresh=plan.fresh,
            ),
        )
        await _store(work, profile, contents)
        return profile.id


async def _store(work: Work, profile: Profile, contents: Contents) -> None:
    await insert_profile(work, profile)
    await insert_revision(work, profile, contents)
    await tell_connection(work, profile, CONFIGURED)
    seen = picture(profile, contents)
    await write_audit(work, "connection.created", "connection", profile.id, environment=profile.environment, after=seen)
    await queue_verification(work, profile, profile.revision, contents, "created")
