"""Pure decisions about what a revision holds: which secrets stay, which come new, and whether anything changed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from clearline.catalogue import ClearlineError, FieldError
from clearline.contracts.connection import BeatPolicy
from clearline.probes.forms import parse_credentials
from clearline.probes.probe import Form, Kind
from gateway.commands.draft import refuse
from gateway.commands.profile import Contents, Profile, Sealed

_MARKER = frozenset({"stored", "changed_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds at once and needs no verification."""

    name: str
    owner: str | None
    beat: BeatPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPlan:
    """What becomes of each credential."""

    kept: AbstractSet[str] = frozenset()
    fresh: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Field → secret, still to be sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An edit that changes something."""

    profile: Profile
    revised: bool
    """A new revision is needed, and with it a new verification."""


def plan_credentials(
    kind: Kind, config: Form, given: Mapping[str, Any], stored: Mapping[str, Sealed], *, moved: bool
) -> CredentialPlan:
    """Left out, or sent as it was read: stays. A string replaces. null removes. `moved`: the destination changed.

    A secret never follows to a new destination by itself: else whoever may edit could have it sent to a host of theirs.
    """
    kept_by_name = {name for name, value in given.items() if _says_stored(value)}
    removed = {name for name, value in given.items() if value is None}
    _refuse_unknown(kind, kept_by_name | removed)
    fresh = {name: value for name, value in given.items() if name not in kept_by_name | removed}
    kept = (set(stored) - set(fresh) - removed) & kind.allowed_credentials(config)
    again = (kept if moved else set()) | (kept_by_name - set(stored))
    parsed = parse_credentials(kind, fresh, config=config, stored=kept | again)
    if again:
        raise _wanted_again(again)
    secrets = {name: getattr(parsed, name).get_secret_value() for name in parsed.model_fields_set}
    return CredentialPlan(kept=frozenset(kept), fresh=secrets)


def decide_edit(
    profile: Profile,
    before: Contents,
    settings: Settings,
    config: Mapping[str, Any],
    plan: CredentialPlan,
    *,
    next_revision: int,
) -> Edit | None:
    """The connection after an edit, or None if nothing changes. A new secret always counts as a change.

    `next_revision` is one more than the highest number ever given, discarded revisions included.
    """
    revised = config != before.config or bool(plan.fresh) or plan.kept != set(before.credentials)
    resettled = settings != Settings(name=profile.name, owner=profile.owner, beat=profile.beat)
    if not revised and not resettled:
        return None
    after = replace(
        profile, name=settings.name, owner=settings.owner, beat=settings.beat, sequence=profile.sequence + 1
    )
    if revised:
        after = replace(after, revision=next_revision)
    return Edit(profile=after, revised=revised)


def refuse_other(profile: Profile, *, kind: str | None, environment: str | None) -> None:
    """Kind and environment never change; saying what they are already is fine."""
    pairs = (("kind", kind, profile.kind), ("environment", environment, profile.environment))
    refuse(
        [
            FieldError.of(f"/{name}", "FIELD_FORMAT", expected=f"the {name} that the connection has; it never changes")
            for name, wanted, fixed in pairs
            if wanted is not None and wanted != fixed
        ]
    )


def _says_stored(value: Any) -> bool:
    return isinstance(value, dict) and value.get("stored") is True and set(value) <= _MARKER


def _refuse_unknown(kind: Kind, names: AbstractSet[str]) -> None:
    unknown = sorted(names - set(kind.credentials.model_fields))
    if unknown:
        # The name itself may be anything that somebody typed: it is not repeated.
        errors = [FieldError.of("/credentials", "FIELD_UNKNOWN")]
        raise ClearlineError("VALIDATION_FAILED", pointer="/credentials", errors=errors)


def _wanted_again(names: AbstractSet[str]) -> ClearlineError:
    errors = [FieldError.of(f"/credentials/{name}", "CREDENTIALS_REQUIRED") for name in sorted(names)]
    return ClearlineError("CREDENTIALS_REQUIRED", pointer=errors[0].pointer, errors=errors)
