"""What has to be done so that a connection is as its file declares it. Pure: state and declaration in, plan out.

A stored secret can be compared with nothing (see docs/decisions/0060), so it never makes a revision by itself unless it
is missing or somebody says that it has been replaced. A revision that is made anyway is made of what the file says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from clearline.catalogue import ClearlineError
from clearline.cli.answers import Connection
from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.places import Fault
from clearline.cli.moments import moment_of
from clearline.contracts.connection import BeatPolicy
from clearline.probes.forms import parse_config
from clearline.probes.probe import Form


class Action(StrEnum):
    """What is done to a connection, in the order in which it is done."""

    CREATE = "create"
    EDIT = "edit"
    """A new revision, which is verified."""
    SETTINGS = "settings"
    """Owner or beat, which hold at once."""
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs. Of a secret, before and after are words."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What applying an item means; nothing to do is no action at all."""

    actions: tuple[Action, ...] = ()
    changes: tuple[Change, ...] = ()
    wanted: frozenset[str] = frozenset()
    """Credentials that cannot be done without: missing, replaced, or on their way to another place."""
    sent: frozenset[str] = frozenset()
    """Credentials that are sent: those, and all that are declared where a revision is made anyway."""
    removed: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    """Credentials that are stored and declared and stay: whether they are the same nobody can tell."""
    faults: tuple[Fault, ...] = ()
    """What the file lacks; nothing is applied before it is mended."""
    refusal: Fault | None = None
    """Why this one item cannot be applied to what is there."""

    @property
    def writes(self) -> bool:
        """Whether config, credentials or settings are sent."""
        return not {Action.CREATE, Action.EDIT, Action.SETTINGS}.isdisjoint(self.actions)


def plan(item: Declared, current: Connection | None, *, replace: bool) -> Plan:
    """The plan for one item. `replace`: send every declared credential, whatever is stored."""
    if current is None:
        return _creation(item)
    if current.kind != item.kind.name:
        told = (
            f"The connection is of the kind {current.kind}, which never changes. Retire it and apply again "
            f"(clearline connections retire {current.argument}), or declare this one under another name."
        )
        return Plan(refusal=item.fault("/kind", "FIELD_FORMAT", told))
    return _edition(item, current, replace=replace)


def _creation(item: Declared) -> Plan:
    given = _given(item)
    changes = [Change(f"/config/{name}", None, value) for name, value in item.config.items()]
    changes += [Change(f"/credentials/{name}", None, "sent") for name in sorted(given)]
    changes += [] if item.owner is None else [Change("/owner", None, item.owner)]
    changes += [Change(one.field, None, one.after) for one in _beat(msgspec.to_builtins(BeatPolicy()), item)]
    actions = (Action.CREATE, Action.ACTIVATE) if item.active else (Action.CREATE,)
    faults = _missing(item, given)
    return Plan(actions=actions, changes=tuple(changes), wanted=given, sent=given, faults=tuple(faults))


def _edition(item: Declared, current: Connection, *, replace: bool) -> Plan:
    before = _form_of(item, current)
    stored = frozenset(current.credentials)
    given = _given(item)
    kept = stored & item.kind.allowed_credentials(item.form)
    moved = before is None or item.kind.destination(before) != item.kind.destination(item.form)
    old = frozenset(name for name in given & stored if _older(item, current.credentials[name]))
    wanted = (given - stored) | (given if moved or replace else old)
    removed = stored & {name for name, source in item.credentials.items() if source is None} | (stored - kept)
    config = list(_differences("/config", before.as_json() if before else current.config, item.form.as_json()))
    revised = bool(config or wanted or removed)
    sent = given if revised else frozenset()
    secrets = [Change(f"/credentials/{name}", "stored" if name in stored else None, "sent") for name in sorted(sent)]
    secrets += [Change(f"/credentials/{name}", "stored", None) for name in sorted(removed)]
    settings = list(_settings(item, current))
    faults = _missing(item, given | (kept - removed))
    if moved:
        faults += [_wanted_again(item, name) for name in sorted(kept - given - removed)]
    return Plan(
        actions=tuple(_actions(item, current, revised=revised, resettled=bool(settings))),
        changes=(*config, *secrets, *settings),
        wanted=wanted,
        sent=sent,
        removed=removed,
        unknown=(given & stored) - sent,
        faults=tuple(faults),
    )


def _actions(item: Declared, current: Connection, *, revised: bool, resettled: bool) -> Iterator[Action]:
    if revised:
        yield Action.EDIT
    elif resettled:
        yield Action.SETTINGS
    active = current.lifecycle == "active"
    if item.active and (revised or not active or current.live_revision != current.revision):
        yield Action.ACTIVATE
    elif item.active is False and active:
        yield Action.DEACTIVATE


def _given(item: Declared) -> frozenset[str]:
    return frozenset(name for name, source in item.credentials.items() if source is not None)


def _older(item: Declared, stored: Any) -> bool:
    """Stored before the moment that the file names."""
    after = item.credentials_after
    changed = moment_of(stored.get("changed_at")) if isinstance(stored, dict) else None
    return after is not None and (changed is None or changed < after)


def _missing(item: Declared, there: frozenset[str]) -> list[Fault]:
    missing = item.kind.required_credentials(item.form) - there
    told = "Is needed with this config; name it as ${env:NAME} or ${file:PATH}."
    return [item.fault(f"/credentials/{name}", "FIELD_REQUIRED", told) for name in sorted(missing)]


def _wanted_again(item: Declared, name: str) -> Fault:
    told = "The edit changes where this secret is sent, so it is wanted anew; name it as ${env:NAME} or ${file:PATH}."
    return item.fault(f"/credentials/{name}", "CREDENTIALS_REQUIRED", told)


def _form_of(item: Declared, current: Connection) -> Form | None:
    """What is stored, as this version reads it: fields that it knows beside those of then have their default."""
    try:
        return parse_config(item.kind, dict(current.config))
    except ClearlineError:
        return None


def _settings(item: Declared, current: Connection) -> Iterator[Change]:
    if (current.owner or None) != item.owner:
        yield Change("/owner", current.owner, item.owner)
    yield from _beat(current.beat, item)


def _beat(before: Mapping[str, Any], item: Declared) -> Iterator[Change]:
    after: dict[str, Any] = msgspec.to_builtins(item.beat)
    return _differences("/beat", {name: before.get(name) for name in after}, after)


def _differences(at: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield Change(f"{at}/{name}", before.get(name), after.get(name))
