"""Changes a connection. Settings hold at once; config or credentials make a new revision, staged beside a live one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from clearline.contracts.connection import CONFIGURED
from clearline.probes.beats import BeatDraft
from gateway.commands.contents import CredentialPlan, Edit, Settings, decide_edit, plan_credentials, refuse_other
from gateway.commands.draft import CheckedConfig, check_beat, check_config, check_naming
from gateway.commands.lifecycle import ExpectedVersion, refuse_retired
from gateway.commands.profile import Contents, Profile
from gateway.commands.record import difference, picture, record_change
from gateway.commands.repeated_secrets import refuse_repeated
from gateway.commands.rows import insert_revision, load_contents, lock_profile, next_revision
from gateway.commands.seal import seal_all
from gateway.commands.verification import cancel_forgotten, queue_verification
from gateway.commands.work import Work


class _Unchanged:
    """Marks a field that the caller left out: it stays as it is."""


UNCHANGED = _Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditConnection:
    """A connection as somebody wants it from now on; what is left out stays."""

    connection_id: UUID
    expected: ExpectedVersion
    name: str | None = None
    owner: str | _Unchanged | None = UNCHANGED
    environment: str | None = None
    kind: str | None = None
    beat: BeatDraft | None = None
    config: Mapping[str, Any] | None = field(default=None, repr=False)
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)

    async def run(self, work: Work) -> UUID:
        """The id. Raises CONNECTION_CHANGED, VALIDATION_FAILED, CREDENTIALS_REQUIRED and what create raises."""
        profile = await lock_profile(work, self.connection_id, self.expected)
        refuse_retired(profile)
        refuse_other(profile, kind=self.kind, environment=self.environment)
        before = await load_contents(work, profile, profile.revision)
        checked = self._check_config(work, profile, before)
        moved = checked.destination != before.destination
        plan = plan_credentials(checked.kind, checked.form, self.credentials, before.credentials, moved=moved)
        refuse_repeated(checked.config, plan.fresh)
        number = await next_revision(work, profile)
        edit = decide_edit(profile, before, self._settings(profile), checked.config, plan, next_revision=number)
        if edit is not None:
            await _Store(profile, before, edit, checked, plan).run(work)
        return profile.id

    def _check_config(self, work: Work, profile: Profile, before: Contents) -> CheckedConfig:
        return check_config(profile.kind, before.config if self.config is None else self.config, work.tools.policy)

    def _settings(self, profile: Profile) -> Settings:
        owner = profile.owner if isinstance(self.owner, _Unchanged) else self.owner
        name = check_naming(profile.name if self.name is None else self.name, owner)
        return Settings(name=name, owner=owner, beat=profile.beat if self.beat is None else check_beat(self.beat))


@dataclass(frozen=True, slots=True)
class _Store:
    """Writes a decided edit."""

    profile: Profile
    before: Contents
    edit: Edit
    checked: CheckedConfig
    plan: CredentialPlan

    async def run(self, work: Work) -> None:
        after = self.edit.profile
        contents = self._contents(work) if self.edit.revised else self.before
        if self.edit.revised:
            await insert_revision(work, after, contents)
        seen_before, seen_after = difference(
            picture(self.profile, self.before), picture(after, contents, self.plan.fresh)
        )
        await record_change(
            work, after, CONFIGURED, action="connection.edited", seen_before=seen_before, seen_after=seen_after
        )
        if self.edit.revised:
            await cancel_forgotten(work, after)
            await queue_verification(work, after, after.revision, contents, "edited")

    def _contents(self, work: Work) -> Contents:
        kept = {name: self.before.credentials[name] for name in sorted(self.plan.kept)}
        fresh = seal_all(
            work,
            subject=self.profile.id,
            kind=self.profile.kind,
            destination=self.checked.destination,
            fresh=self.plan.fresh,
        )
        return Contents(config=self.checked.config, destination=self.checked.destination, credentials={**kept, **fresh})
