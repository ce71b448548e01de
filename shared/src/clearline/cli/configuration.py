"""The draft of a connection to create, edit or try, from a file, options and what is there already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearline.cli.answers import Connection, Problem
from clearline.cli.document import Item
from clearline.cli.draft import Draft
from clearline.cli.ends import RefusedError, WrongUseError
from clearline.cli.secrets_given import asked, secrets_given, secrets_of_document
from clearline.cli.surroundings import Surroundings
from clearline.cli.typed_fields import check_names, typed_fields

if TYPE_CHECKING:
    from clearline.cli.api import Reply
    from clearline.cli.session import Session

_SECRET_POINTER = "/credentials/"  # noqa: S105 - where the gateway says that one is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of one command. None and empty mean: not given."""

    name: str | None = None
    environment: str | None = None
    kind: str | None = None
    owner: str | None = None
    fields: Sequence[str] = ()
    unset: Sequence[str] = ()
    secrets: Sequence[str] = ()
    removed_secrets: Sequence[str] = ()
    beat: Mapping[str, int | None]

    @property
    def beat_changes(self) -> dict[str, int]:
        """The beat settings that were given."""
        return {name: value for name, value in self.beat.items() if value is not None}

    @property
    def nothing(self) -> bool:
        """Whether no option asks for a change."""
        parts = (self.name, self.owner, *self.fields, *self.unset, *self.secrets, *self.removed_secrets)
        return not any(part is not None for part in parts) and not self.beat_changes


@dataclass(frozen=True, slots=True)
class Forms:
    """The two forms of a kind, as JSON Schemas."""

    config: Mapping[str, Any]
    credentials: Mapping[str, Any]

    @classmethod
    def of(cls, kind: Mapping[str, Any]) -> "Forms":
        """From the gateway's answer about a kind."""
        return cls(kind.get("config", {}), kind.get("credentials", {}))

    def typed(self, fields: Sequence[str]) -> dict[str, Any]:
        """The config that `--set` gives."""
        return typed_fields(fields, self.config, frozenset(self.credentials.get("properties", {})))

    def secrets(self, options: Sequence[str], surroundings: Surroundings) -> dict[str, str]:
        """The credentials that `--secret` gives; a wrong name is refused before anybody is asked."""
        check_names([option.partition("=")[0] for option in options], self.credentials)
        return secrets_given(options, surroundings)


def required(value: str | None, option: str) -> str:
    """A value that neither the options nor the file may leave out."""
    if not value:
        raise WrongUseError(f"{option} is missing.", f"Give {option}, or name it in the file (-f).")
    return value


def creation(given: Given, item: Item, forms: Forms, surroundings: Surroundings) -> Draft:
    """A new connection. Options win over the file."""
    return Draft(
        name=given.name or item.name,
        environment=required(given.environment or item.environment, "--environment"),
        owner=given.owner or item.owner or None,
        kind=required(given.kind or item.kind, "--kind"),
        config=item.config | forms.typed(given.fields),
        credentials=_of_document(item, given, surroundings) | forms.secrets(given.secrets, surroundings),
        beat=(item.beat or {}) | given.beat_changes,
    )


def edition(given: Given, item: Item | None, current: Connection, forms: Forms, surroundings: Surroundings) -> Draft:
    """What is there, changed. Stored secrets that are not named stay."""
    if item is not None:
        _refuse_other(item, current)
    check_names(given.unset, forms.config)
    check_names(given.removed_secrets, forms.credentials)
    config = dict(current.config if item is None or not item.config else item.config) | forms.typed(given.fields)
    credentials: dict[str, Any] = _of_document(item, given, surroundings) if item is not None else {}
    credentials |= forms.secrets(given.secrets, surroundings)
    beat = current.beat | ((item.beat or {}) if item is not None else {}) | given.beat_changes
    if beat.get("timeout_seconds", 0) > beat.get("interval_seconds", 0) and given.beat.get("timeout_seconds") is None:
        beat.pop("timeout_seconds")  # its default follows a shorter interval
    owner = given.owner if given.owner is not None else (item.owner if item else None) or current.owner
    return Draft(
        name=given.name or current.name,
        environment=current.environment,
        owner=owner or None,  # `--owner ''` takes it away
        kind=current.kind,
        config={name: value for name, value in config.items() if name not in given.unset},
        credentials=credentials | dict.fromkeys(given.removed_secrets),
        beat=beat,
    )


def send_asking(session: "Session", draft: Draft, send: Callable[[Draft], "Reply"]) -> "Reply":
    """Send; where the gateway misses secrets and a person sits there, ask for those and send once more."""
    try:
        return send(draft)
    except RefusedError as refused:
        missing = missing_secrets(refused.problem)
        if not missing:
            raise
        if not session.surroundings.interactive:
            session.screen.note(f"Secrets are given with --secret, here: --secret {missing[0]}=-")
            raise
        session.screen.note(f"Clearline needs with this: {', '.join(missing)}")
        secrets = {name: asked(name, session.surroundings) for name in missing}
    return send(draft.with_secrets(secrets))


def missing_secrets(problem: Problem) -> list[str]:
    """Fields of the credentials that the gateway wants; empty where something else is wrong too."""
    wanted = [each for each in problem.errors if each.code in ("FIELD_REQUIRED", "CREDENTIALS_REQUIRED")]
    names = [each.pointer.removeprefix(_SECRET_POINTER) for each in wanted if each.pointer.startswith(_SECRET_POINTER)]
    return names if len(names) == len(problem.errors) else []


def _of_document(item: Item, given: Given, surroundings: Surroundings) -> dict[str, str]:
    """The file's secrets, but for those that the options give."""
    named = {option.partition("=")[0] for option in given.secrets}
    left = {name: source for name, source in item.credentials.items() if name not in named}
    return secrets_of_document(left, surroundings)


def _refuse_other(item: Item, current: Connection) -> None:
    about = {"name": current.name, "environment": current.environment, "kind": current.kind}
    for field, value in about.items():
        stated = getattr(item, field)
        if stated is not None and stated != value:
            raise WrongUseError(
                f"The file is about another connection: its {field} is not that of {current.label}.",
                "A new name is given with --name; environment and kind never change.",
            )
