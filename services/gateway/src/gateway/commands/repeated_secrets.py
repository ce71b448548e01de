"""A secret that was just given must not stand in the public config as well: everybody who reads may read it there.

Only secrets that come with the request can be looked for; those that are stored already nobody here can open.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from clearline.catalogue import FieldError
from gateway.commands.draft import refuse

SHORTEST = 8
"""Characters; shorter secrets are words that stand in hosts and names by chance."""
USER_FIELDS = ("user", "username")


def refuse_repeated(config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    """Raises VALIDATION_FAILED at each field of `config` that holds one of `secrets`.

    A secret that is the user's own name is public by its owner's choice (a local `postgres`/`postgres`) and let be.
    """
    users = {config.get(name) for name in USER_FIELDS}
    sought = [secret for secret in secrets.values() if len(secret) >= SHORTEST and secret not in users]
    refuse(
        [
            FieldError(at, "SECRET_IN_PUBLIC_FIELD", "Repeats a secret of the credentials; everybody may read config.")
            for at, text in _texts(config, "/config")
            if any(secret in text or secret in unquote(text) for secret in sought)
        ]
    )


def _texts(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every text in a checked config with its pointer; a form's own field names need no escaping."""
    match value:
        case str():
            yield at, value
        case Mapping():
            for name, inner in value.items():
                yield from _texts(inner, f"{at}/{name}")
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _texts(inner, f"{at}/{index}")
        case _:
            return
