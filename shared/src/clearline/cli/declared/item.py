"""From an item's shape to a checked connection, by the rules that the gateway has for a request."""

from datetime import datetime
from typing import Any

from clearline.catalogue import ClearlineError, FieldError
from clearline.cli.declared.declaration import Declared, SecretSource
from clearline.cli.declared.shape import FIELDS, Shape, nearest
from clearline.probes.beats import BeatDraft
from clearline.probes.forms import parse_config
from clearline.probes.naming import canonical_name, name_fault, owner_fault
from clearline.probes.probe import Form, Kind
from clearline.probes.registry import KINDS


def declared_item(shape: Shape, now: datetime) -> Declared | None:
    """The item, or None with its faults in the shape."""
    shape.refuse_unknown("", FIELDS, shape.node.value)
    name, environment, owner = shape.name(), shape.environment(), shape.text("owner", needed=False)
    for found in (name and name_fault(name), None if owner is None else owner_fault(owner)):
        if isinstance(found, FieldError):
            shape.complain(found.pointer, found.code, found.detail)
    if name == "":
        shape.complain("/name", "FIELD_REQUIRED", "Is empty.")
    kind = _kind(shape)
    draft = BeatDraft(**shape.numbers("beat", list(BeatDraft.__dataclass_fields__)))
    for fault in draft.faults():
        shape.complain(fault.pointer, fault.code, fault.detail)
    after, active = shape.moment("credentials_after", now), shape.flag("active")
    if kind is None:
        return None
    config, form = _config(shape, kind)
    credentials = _credentials(shape, kind, form)
    if shape.faults or form is None or name is None or environment is None:
        return None
    return Declared(
        name=canonical_name(name),
        environment=environment,
        kind=kind,
        owner=owner,
        config=config,
        form=form,
        credentials=credentials,
        credentials_after=after,
        beat=draft.policy(),
        active=active,
        node=shape.node,
        file=shape.file,
    )


def _kind(shape: Shape) -> Kind | None:
    name = shape.text("kind", needed=True)
    if name is not None and name not in KINDS:
        shape.complain("/kind", "KIND_UNKNOWN", f"There is no such kind. {nearest(name, list(KINDS))}")
    return KINDS.get(name or "")


def _config(shape: Shape, kind: Kind) -> tuple[dict[str, Any], Form | None]:
    before = len(shape.faults)
    config = shape.config(kind.config.model_json_schema())
    unread = len(shape.faults) > before  # a reference leads nowhere: the form would judge what is not there
    try:
        form = parse_config(kind, config)
    except ClearlineError as error:
        for one in error.errors:
            if not unread or _is_unknown(one):
                shape.complain(one.pointer, one.code, _with_nearest(one, kind))
        return config, None
    return config, None if unread else form


def _is_unknown(error: FieldError) -> bool:
    """Whatever the other fields hold: the kind has no such field."""
    return error.code in ("FIELD_UNKNOWN", "SECRET_IN_PUBLIC_FIELD") and error.pointer.count("/") == len("//")


def _with_nearest(error: FieldError, kind: Kind) -> str:
    parent, _, name = error.pointer.rpartition("/")
    if error.code != "FIELD_UNKNOWN" or parent != "/config":  # what lies deeper has fields of its own
        return error.detail
    return f"There is no such field. {nearest(name, list(kind.config.model_fields))}"


def _credentials(shape: Shape, kind: Kind, form: Form | None) -> dict[str, SecretSource | None]:
    """The references of the secrets; whether they lead anywhere is seen when they are read."""
    nodes = shape.fields("credentials")
    shape.refuse_unknown("/credentials", list(kind.credentials.model_fields), nodes)
    sources: dict[str, SecretSource | None] = {}
    for name, node in nodes.items():
        match node.value:
            case None:
                sources[name] = None
            case str() as text:
                sources[name] = SecretSource(text=text, references=shape.references)
                if form is not None and name in kind.credentials.model_fields.keys() - kind.allowed_credentials(form):
                    shape.complain(f"/credentials/{name}", "FIELD_UNKNOWN", "This config makes no use of it.")
            case _:
                told = "Must be a text such as ${env:NAME}; put quotes around a number."
                shape.complain(f"/credentials/{name}", "FIELD_TYPE", told)
    return sources
