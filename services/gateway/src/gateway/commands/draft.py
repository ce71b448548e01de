"""What somebody wants a connection to be, checked by the rules of names, beats and the kind's own form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clearline.catalogue import ClearlineError, FieldError
from clearline.contracts.connection import BeatPolicy
from clearline.probes.beats import BeatDraft
from clearline.probes.forms import check_addresses, parse_config
from clearline.probes.naming import canonical_name, name_fault, owner_fault
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Form, Kind
from clearline.probes.registry import kind_named


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
    """A beat policy within its bounds. Raises VALIDATION_FAILED."""
    draft = draft or BeatDraft()
    refuse([*draft.faults()])
    return draft.policy()


def refuse(faults: list[FieldError | None]) -> None:
    """Raise VALIDATION_FAILED if there is any fault, naming every one."""
    found = [fault for fault in faults if fault is not None]
    if found:
        raise ClearlineError("VALIDATION_FAILED", pointer=found[0].pointer, errors=found)
