"""Before anything is written: every item is compared with what is there, and every secret that is needed is read."""

from collections.abc import Callable, Sequence
from functools import partial

from clearline.catalogue import ClearlineError
from clearline.cli.applying.difference import Plan, plan
from clearline.cli.applying.turn import Outcome, Wishes
from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.places import Fault, FaultsError
from clearline.cli.ends import RefusedError
from clearline.cli.naming import find_declared
from clearline.cli.session import Session
from clearline.probes.forms import parse_credentials

Secrets = dict[str, str]


def compared(session: Session, wishes: Wishes) -> Callable[[Declared], Outcome]:
    """From an item to what would be done. A refusal is that item's problem; silence is everybody's."""
    return partial(_compared, session, wishes)


def _compared(session: Session, wishes: Wishes, item: Declared) -> Outcome:
    try:
        current = find_declared(session.api, item)
    except RefusedError as refused:
        return Outcome(item=item, plan=Plan(), status="failed", problem=refused)
    found = plan(item, current, replace=wishes.replace_credentials)
    outcome = Outcome(item=item, plan=found, connection=current)
    if found.refusal is not None:
        outcome.status, outcome.problem = "failed", FaultsError([found.refusal], "It was left as it is.")
    elif not found.actions:
        outcome.status = "unchanged"
    return outcome


def secrets_of(outcomes: Sequence[Outcome], *, dry_run: bool) -> tuple[list[Secrets], list[Fault]]:
    """The declared secrets of each item, and warnings. Raises `FaultsError` with all that is missing or wrong.

    A dry run only warns of references that it could do without: a pipeline that shows differences need hold no secret.
    """
    read: list[Secrets] = []
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for outcome in outcomes:
        item, sent, wanted = outcome.item, outcome.plan.sent, outcome.plan.wanted
        secrets, unread = item.secrets(frozenset(item.credentials))
        for fault in unread:
            needed = not dry_run or fault.pointer.rpartition("/")[2] in wanted
            (faults if needed else warnings).append(fault)
        faults += [*outcome.plan.faults, *_wrong(outcome, {name: secrets[name] for name in sent & secrets.keys()})]
        read.append(secrets)
    if faults:
        raise FaultsError(faults)
    return read, warnings


def _wrong(outcome: Outcome, sent: Secrets) -> list[Fault]:
    """What the form has against the secrets themselves: too long, a line break …; what is missing is told elsewhere."""
    item = outcome.item
    try:
        parse_credentials(item.kind, sent, stored=frozenset(item.kind.credentials.model_fields) - sent.keys())
    except ClearlineError as error:
        return [item.fault(one.pointer, one.code, one.detail) for one in error.errors]
    return []
