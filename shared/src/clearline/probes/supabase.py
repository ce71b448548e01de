"""Kind `supabase`: a project whose REST API, Auth and Storage answer, each asked with each key that is in use.

The root of the REST API is no place to ask: the platform shows it to the service key alone, and it may be megabytes. A
table that nobody has is answered to every good key alike, by PostgREST itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from clearline.contracts.verification import StepName
from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.http_findings import BAD_REQUEST, https_there, not_plain, spoken_plainly
from clearline.probes.http_form import destination, dialled_url, endpoint
from clearline.probes.json_object import object_in
from clearline.probes.probe import Climb, Evidence, Kind, Permission, Skipped, StepFailed
from clearline.probes.supabase_answers import OK, URL, Asked, Said, refusal
from clearline.probes.supabase_form import (
    SupabaseConfig,
    SupabaseCredentials,
    allowed,
    conflicts,
    keys_in_use,
    place_of,
    required,
)
from clearline.probes.supabase_keys import headers_of
from clearline.probes.trust import context_of

if TYPE_CHECKING:
    from clearline.probes.http_exchange import Answer

NOBODYS_TABLE = "clearline_check"
ABSENT = {"PGRST205", "42P01"}
"""PostgREST, since version 13 and before: there is no such table. Whoever hears it was let in."""
WORDS: Mapping[str, str] = {"anon_key": "anon key", "service_key": "service key"}


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """For https: the certificate must be right."""
    if urlsplit(climb.config.url).scheme == "http":
        return Skipped("the URL is http: what is sent can be read on the way")
    climb.kept["tls"] = context_of(climb.config, climb.credentials, verify=True)
    return await shake_hands(climb, climb.kept["tls"], open_streams)


async def authenticate(climb: Climb) -> Evidence:
    """Show each key to the REST API; it must be taken."""
    for key in keys_in_use(climb.config):
        await _schema_is_exposed(climb, key, 0)
    return {WORDS[key]: "accepted" for key in keys_in_use(climb.config)}


async def authorize(climb: Climb) -> Evidence:
    """Ask for each permission on its own, and name the first that is missing."""
    granted = [f"schema {climb.config.schemas[0]} with the {WORDS[key]}" for key in keys_in_use(climb.config)]
    for key in keys_in_use(climb.config):
        for index, schema in enumerate(climb.config.schemas[1:], 1):
            await _schema_is_exposed(climb, key, index)
            granted.append(f"schema {schema} with the {WORDS[key]}")
    for question in _questions(climb.config):
        answer = await _ask(climb, question.path, question.key, question.schema)
        if answer.status != OK:
            raise refusal(_said(answer), question.asked)
        granted.append(question.asked.permission)
    return {"granted": granted}


async def exercise(climb: Climb) -> Evidence | Skipped:
    """Auth says that it is well, and which version it is."""
    if not climb.config.auth:
        return Skipped("Auth is not in use by this config")
    key = keys_in_use(climb.config)[0]
    answer = await _ask(climb, "/auth/v1/health", key, climb.config.schemas[0])
    asked = Asked(
        credential=f"/credentials/{key}", permission="the health of Auth", field="/config/auth", step="exercise"
    )
    if answer.status != OK:
        raise refusal(_said(answer), asked)
    health = object_in(answer.body)
    if health.get("name") != "GoTrue":
        raise StepFailed("PROTOCOL_MISMATCH", field=URL, expected="Supabase Auth", why="its health is told by another")
    return {"auth": "healthy", "auth_version": str(health.get("version", ""))} | dict(answer.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Something that must be answered by 200."""

    path: str
    key: str
    schema: str
    asked: Asked


def _questions(config: SupabaseConfig) -> Iterator[_Question]:
    """Tables with the key that reads them; Storage with the strongest key in use."""
    for key, tables in (("anon_key", config.anon_tables), ("service_key", config.service_tables)):
        for index, table in enumerate(tables):
            schema, name = place_of(table, config)
            path = f"/rest/v1/{quote(name, safe='')}?select=*&limit=0"
            permission = f"SELECT on {schema}.{name} with the {WORDS[key]}"
            field = f"/config/{key.removesuffix('_key')}_tables/{index}"
            yield _question(path, key, schema, permission, field)
    strongest = keys_in_use(config)[-1]
    if config.storage:
        permission = f"listing buckets with the {WORDS[strongest]}"
        yield _question("/storage/v1/bucket?limit=1", strongest, config.schemas[0], permission, "/config/storage")
    for index, bucket in enumerate(config.storage_buckets):
        path = f"/storage/v1/bucket/{quote(bucket, safe='')}"
        permission = f"bucket {bucket} with the {WORDS[strongest]}"
        yield _question(path, strongest, config.schemas[0], permission, f"/config/storage_buckets/{index}")


def _question(path: str, key: str, schema: str, permission: str, field: str) -> _Question:
    asked = Asked(credential=f"/credentials/{key}", permission=permission, field=field, step="authorize")
    return _Question(path=path, key=key, schema=schema, asked=asked)


async def _schema_is_exposed(climb: Climb, key: str, index: int) -> None:
    schema = climb.config.schemas[index]
    answer = await _ask(climb, f"/rest/v1/{NOBODYS_TABLE}?limit=0", key, schema)
    said = _said(answer)
    if answer.status == OK or said.code in ABSENT:
        return
    permission = f"schema {schema} with the {WORDS[key]}"
    field = f"/config/schemas/{index}"
    raise refusal(said, Asked(credential=f"/credentials/{key}", permission=permission, field=field, step="authorize"))


async def _ask(climb: Climb, path: str, key: str, schema: str) -> "Answer":
    from clearline.probes.http_exchange import fetch  # noqa: PLC0415 - the gateway knows this form without aiohttp

    url = dialled_url(climb.config).rstrip("/") + path
    try:
        answer = await fetch(climb, "GET", url, headers_of(climb.credentials.given()[key], schema))
    except Exception as error:
        if (finding := await https_there(explain(error, climb, "authenticate"), climb, climb.config.url)) is not None:
            raise finding from error
        raise
    if answer.status == BAD_REQUEST and spoken_plainly(climb.config.url, answer.body):
        raise not_plain(URL, "it says so in its answer")
    return answer


def _said(answer: "Answer") -> Said:
    return Said(
        status=answer.status,
        body=object_in(answer.body),
        location=answer.location,
        retry_after=answer.retry_after,
    )


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """What the client library says, in the catalogue's terms."""
    from clearline.probes.http_exchange import explain_client_error  # noqa: PLC0415

    return explain_client_error(error, climb, step)


SUPABASE = Kind(
    name="supabase",
    title="Supabase project",
    description="Shows each key to a project's REST API, checks schemas, tables and buckets one by one, and asks Auth"
    " for its health.",
    config=SupabaseConfig,
    credentials=SupabaseCredentials,
    libraries=("clearline.probes.http_exchange",),
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=required,
    allowed_credentials=allowed,
    conflicts=conflicts,
    permissions=(
        Permission("schemas", "Each schema that the config names is exposed by the REST API, for each key in use."),
        Permission("anon-tables", "SELECT on each table that the config names for the anon key."),
        Permission("service-tables", "SELECT on each table that the config names for the service key."),
        Permission("storage", "Listing buckets, with the service key if it is in use."),
        Permission("buckets", "Each bucket that the config names."),
        Permission("auth", "The health of Auth."),
    ),
    explain=explain,
)
