"""Finds the connection that a person means: `environment/name`, an id, or a bare name if only one fits."""

import unicodedata
from typing import TYPE_CHECKING, Any
from uuid import UUID

from clearline.cli.answers import Connection
from clearline.cli.ends import WrongUseError
from clearline.cli.reading import read
from clearline.contracts.connection import ENVIRONMENTS

if TYPE_CHECKING:
    from clearline.cli.api import Api
    from clearline.cli.declared.declaration import Declared


def find(api: "Api", name: str) -> Connection:
    """The one connection of that name. None or several is wrong use, told with what fits."""
    identifier = _as_id(name)
    if identifier is not None:
        return read(Connection, api.get(f"/connections/{identifier}").body)
    environment, bare = _split(name)
    wanted = unicodedata.normalize("NFC", bare)
    candidates: list[dict[str, Any]] = list(api.items("/connections", environment=environment, name=wanted))
    found = [read(Connection, candidate) for candidate in candidates]
    fitting = [one for one in found if one.name == wanted and one.lifecycle != "retired"]
    match fitting:
        case [one]:
            return one
        case []:
            raise WrongUseError(
                f"There is no connection called {name}.",
                "See what there is: clearline connections list",
                "A retired one is found by its id only.",
            )
        case _:
            raise WrongUseError(
                f"{len(fitting)} connections are called {name}.",
                *(f"Name it {one.argument} (id {one.id})" for one in fitting),
            )


def find_declared(api: "Api", item: "Declared") -> Connection | None:
    """The connection that a file declares, with the version that an edit has to name; None where there is none yet."""
    for candidate in api.items("/connections", environment=item.environment, name=item.name):
        found = read(Connection, candidate)
        if (found.environment, found.name) == (item.environment, item.name) and found.lifecycle != "retired":
            return found
    return None


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _split(name: str) -> tuple[str | None, str]:
    """A slash divides only after an environment: names may contain one."""
    environment, slash, rest = name.partition("/")
    return (environment, rest) if slash and environment in ENVIRONMENTS else (None, name)
