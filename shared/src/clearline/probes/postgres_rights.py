"""What a user may do in a PostgreSQL database, asked of its own catalogue: nothing is changed, nothing is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from clearline.probes.postgres_answers import said_by
from clearline.probes.postgres_form import PostgresConfig
from clearline.probes.probe import Evidence, StepFailed

if TYPE_CHECKING:
    from asyncpg import Connection

_ASK = (
    "select {test}(to_reg{what}($1), privilege) from unnest($2::text[]) with ordinality as _(privilege, n) order by n"
)
"""Null where there is no such object, or none that this user may know of."""
_OF_DATABASE = (
    "select has_database_privilege(current_database(), privilege)"
    " from unnest($1::text[]) with ordinality as _(privilege, n) order by n"
)
_RULES = "42"
"""Class of PostgreSQL's errors about names and access rules."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Privileges on one object, asked for by one query, and where the form names it."""

    query: str
    arguments: tuple[Any, ...]
    privileges: Sequence[str]
    on: str
    field: str


def wanted(config: PostgresConfig) -> Iterator[Wanted]:
    """In the order in which a user would grant them."""
    of_database = config.database_privileges
    yield Wanted(_OF_DATABASE, (), of_database, config.database, "/config/database_privileges")
    for field, names, what, privileges in (
        ("schemas", config.schemas, "namespace", config.schema_privileges),
        ("tables", config.tables, "class", config.privileges),
        ("sequences", config.sequences, "class", ("usage",)),
        ("functions", config.functions, "procedure", ("execute",)),
    ):
        test = f"has_{field.removesuffix('s')}_privilege"
        for index, name in enumerate(names):
            yield Wanted(_ASK.format(test=test, what=what), (name,), privileges, name, f"/config/{field}/{index}")


async def judged(connection: "Connection[Any]", config: PostgresConfig) -> Evidence:
    """Evidence with each permission by name, granted or missing. The first missing one is the finding."""
    granted: list[str] = []
    missing: list[tuple[str, str, str]] = []
    for one in wanted(config):
        answers = await _asked(connection, one)
        for privilege, answer in zip(one.privileges, answers, strict=True):
            name = f"{privilege.upper()} on {one.on}"
            if answer is True:
                granted.append(name)
            else:
                missing.append((name, one.field, answer or "it is not granted"))
    names = [name for name, _, _ in missing]
    evidence = {"checked": len(granted) + len(missing), "granted": granted, "missing": names}
    if missing:
        name, field, why = missing[0]
        raise StepFailed(
            "PERMISSION_MISSING",
            field=field,
            detail=f"Missing in all: {', '.join(names)}.",
            evidence=evidence,
            permission=name,
            user=config.user,
            why=why,
        )
    return evidence


async def _asked(connection: "Connection[Any]", one: Wanted) -> list[bool | str | None]:
    """True, or false, or why it cannot be said; for each privilege."""
    try:
        rows = await connection.fetch(one.query, *one.arguments, [*one.privileges])
    except asyncpg.PostgresError as error:
        if not str(error.sqlstate or "").startswith(_RULES):
            raise
        return [f"{error.sqlstate}: {said_by(error)}"] * len(one.privileges)
    unseen = "there is no such object, or it cannot be seen"
    return [unseen if row[0] is None else row[0] for row in rows]
