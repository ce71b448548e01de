"""Finds the connection that a person means: `environment/name`, an id, or a bare name if only one fits."""

import unicodedata
from typing import TYPE_CHECKING
from uuid import UUID

from clearline.cli.answers import Connection
from clearline.cli.ends import RefusedError, WrongUseError
from clearline.cli.reading import read
from clearline.contracts.connection import ENVIRONMENTS

if TYPE_CHECKING:
    from clearline.cli.api import Api
    from clearline.cli.declared.declaration import Declared

NOT_FOUND = 404
LONGEST_NAME = 100
LONGEST = max(map(len, ENVIRONMENTS)) + len("/") + LONGEST_NAME
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def find(api: "Api", name: str) -> Connection:
    """The one connection of that name. None or several is wrong use, told with what fits.

    A name may look like an id or hold a slash itself; what the text says in full comes first, a bare name last.
    """
    _refuse_what_no_name_can_be(name)
    fitting = _by_id(api, name) or _by_label(api, name) or _called(api, name, environment=None)
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


def _refuse_what_no_name_can_be(text: str) -> None:
    """Before anything is asked: an empty variable in a script, a pasted line break, a whole file."""
    if not text.strip():
        raise WrongUseError("The name is empty.", "Say which: environment/name, an id, or a name.")
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        raise WrongUseError("No connection can be called so: the name holds characters that cannot be seen.")
    if len(unicodedata.normalize("NFC", text)) > LONGEST:
        raise WrongUseError(f"No connection can be called so: a name has at most {LONGEST_NAME} characters.")


def find_declared(api: "Api", item: "Declared") -> Connection | None:
    """The connection that a file declares, with the version that an edit has to name; None where there is none yet."""
    return next(iter(_called(api, item.name, environment=item.environment)), None)


def _by_id(api: "Api", text: str) -> list[Connection]:
    try:
        identifier = UUID(text)
    except ValueError:
        return []
    try:
        return [read(Connection, api.get(f"/connections/{identifier}").body)]
    except RefusedError as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        return []


def _by_label(api: "Api", text: str) -> list[Connection]:
    """A slash divides only after an environment: names may contain one."""
    environment, slash, bare = text.partition("/")
    return _called(api, bare, environment=environment) if slash and environment in ENVIRONMENTS else []


def _called(api: "Api", name: str, *, environment: str | None) -> list[Connection]:
    wanted = unicodedata.normalize("NFC", name)
    found = [read(Connection, one) for one in api.items("/connections", environment=environment, name=wanted)]
    return [one for one in found if one.name == wanted and one.lifecycle != "retired"]
