"""What somebody wants a connection to be, checked by the rules of names, beats and the kind's own form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearline.catalogue import ClearlineError, FieldError
from clearline.contracts.connection import BeatPolicy
from clearline.probes.forms import check_addresses, parse_config
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Form, Kind
from clearline.probes.registry import kind_named
from gateway.commands.naming import canonical_name, name_fault, owner_fault

MIN_INTERVAL, MAX_INTERVAL = 5, 86_400
MAX_THRESHOLD = 100
MAX_DEGRADED_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatDraft:
    """A beat policy as given; the timeout's default follows the interval."""

    interval_seconds: int = 30
    timeout_seconds: int | None = None
    failure_threshold: int = 2
    recovery_threshold: int = 2
    degraded_after_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedConfig:
    """A config that its kind accepts and the outbound policy does not refuse outright."""

    kind: Kind
    form: Form
    config: Mapping[str, Any] = field(repr=False)
    """As it is stored and shown: every default written out."""
    destination: str


def check_config(kind_name: str, raw: object, policy: OutboundPolicy) -> CheckedConfig:
    """Raises VALIDATION_FAILED with pointers below `/kind` and `/config`."""
    kind = kind_named(kind_name)
    form = parse_config(kind, raw)
    check_addresses(kind, form, policy)
    return CheckedConfig(kind=kind, form=form, config=form.model_dump(mode="json"), destination=kind.destination(form))


def check_naming(name: str, owner: str | None) -> str:
    """The name in its one spelling. Raises VALIDATION_FAILED for a name or owner that cannot be."""
    faults = [name_fault(name), None if owner is None else owner_fault(owner)]
    refuse(faults)
    return canonical_name(name)


def check_beat(draft: BeatDraft | None) -> BeatPolicy:
    """A beat policy within its bounds: interval 5 s to a day, timeout at most the interval."""
    draft = draft or BeatDraft()
    timeout = min(10, draft.interval_seconds) if draft.timeout_seconds is None else draft.timeout_seconds
    refuse(
        [
            _within("interval_seconds", draft.interval_seconds, MIN_INTERVAL, MAX_INTERVAL),
            _within("timeout_seconds", timeout, 1, max(1, min(draft.interval_seconds, MAX_INTERVAL))),
            _within("failure_threshold", draft.failure_threshold, 1, MAX_THRESHOLD),
            _within("recovery_threshold", draft.recovery_threshold, 1, MAX_THRESHOLD),
            _within("degraded_after_ms", draft.degraded_after_ms, 1, MAX_DEGRADED_MS),
        ]
    )
    return BeatPolicy(
        interval_seconds=draft.interval_seconds,
        timeout_seconds=timeout,
        failure_threshold=draft.failure_threshold,
        recovery_threshold=draft.recovery_threshold,
        degraded_after_ms=draft.degraded_after_ms,
    )


def refuse(faults: list[FieldError | None]) -> None:
    """Raise VALIDATION_FAILED if there is any fault, naming every one."""
    found = [fault for fault in faults if fault is not None]
    if found:
        raise ClearlineError("VALIDATION_FAILED", pointer=found[0].pointer, errors=found)


def _within(name: str, value: int | None, low: int, high: int) -> FieldError | None:
    if value is None or low <= value <= high:
        return None
    return FieldError.of(f"/beat/{name}", "FIELD_RANGE", minimum=low, maximum=high)
