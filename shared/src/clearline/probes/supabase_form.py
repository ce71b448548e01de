"""The form of kind `supabase`: the project, the keys that are in use, and what each of them must be allowed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from clearline.catalogue import FieldError
from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Line, PrivateKey, Secret, refuse
from clearline.probes.http_form import plain_url
from clearline.probes.probe import Credentials, Form
from clearline.probes.supabase_keys import has_expired, project_of, role_of
from clearline.probes.trust import tls_allowed, tls_required, url_tls_conflicts

HOSTED = ".supabase.co"
KEYS = ("anon_key", "service_key")

_WRONG_KEY = {
    ("anon_key", "service"): "Is the service key, which passes every row-level policy; whoever uses it as the anon key"
    " opens the whole project. Enter the anon (publishable) key here, and replace the service key if it was published.",
    ("service_key", "anon"): "Is the anon (publishable) key; enter the service (secret) key here.",
    ("anon_key", "user"): "Is the token of a signed-in user; enter the anon (publishable) key of the project.",
    ("service_key", "user"): "Is the token of a signed-in user; enter the service (secret) key of the project.",
}


def _project(text: str) -> str:
    parts = urlsplit(plain_url(text))
    if parts.path not in ("", "/") or parts.query:
        raise refuse("FIELD_FORMAT", "Is more than the project's URL; leave out what follows the host.")
    return text


Name = Annotated[Line, Field(max_length=127)]
"""A schema, a table, or both: PostgreSQL's names have at most 63 bytes."""


class SupabaseConfig(Form):
    """Which project, which of its keys, and what they must reach."""

    url: Annotated[
        str,
        Field(
            title="Project URL",
            description="URL of the project, without a path.",
            max_length=2_048,
            examples=["https://abcdefghijklmnopqrst.supabase.co"],
            json_schema_extra={"format": "uri"},
        ),
        AfterValidator(_project),
    ]
    keys: Annotated[
        Literal["both", "anon", "service"],
        Field(title="Keys", description="Which keys of the project are in use, and therefore needed and checked."),
    ] = "both"
    schemas: Annotated[
        tuple[Name, ...],
        Field(title="Schemas", description="Schemas that the REST API must expose.", min_length=1, max_length=10),
    ] = ("public",)
    anon_tables: Annotated[
        tuple[Name, ...],
        Field(
            title="Tables of the anon key",
            description="Tables that the anon key must read, as table (of the first schema) or schema.table.",
            max_length=20,
        ),
    ] = ()
    service_tables: Annotated[
        tuple[Name, ...],
        Field(title="Tables of the service key", description="Likewise for the service key.", max_length=20),
    ] = ()
    auth: Annotated[bool, Field(title="Auth", description="Whether the Auth service must be healthy.")] = True
    storage: Annotated[bool, Field(title="Storage", description="Whether Storage must list its buckets.")] = True
    storage_buckets: Annotated[
        tuple[Annotated[Line, Field(max_length=100)], ...],
        Field(title="Buckets", description="Buckets that must exist and be visible to the key.", max_length=10),
    ] = ()
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None

    @field_validator("anon_tables", "service_tables", mode="after")
    @classmethod
    def _key_in_use(cls, tables: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        asked = str(info.field_name).removesuffix("_tables")
        if tables and info.data.get("keys", "both") not in ("both", asked):
            raise refuse("FIELD_FORMAT", f"Needs the {asked} key, which is not among the keys in use.")
        return tables

    @field_validator("storage_buckets", mode="after")
    @classmethod
    def _storage_in_use(cls, buckets: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if buckets and not info.data.get("storage", True):
            raise refuse("FIELD_FORMAT", "Needs Storage, which is switched off here.")
        return buckets


class SupabaseCredentials(Credentials):
    """The project's API keys, of the newer kind (sb_…) or as JWTs."""

    anon_key: Annotated[Secret | None, Field(title="Anon key", description="Anon or publishable key.")] = None
    service_key: Annotated[
        Secret | None, Field(title="Service key", description="Service role or secret key; it passes every policy.")
    ] = None
    client_key: PrivateKey | None = None


def keys_in_use(config: SupabaseConfig) -> tuple[str, ...]:
    """The credentials that the config asks for, the weaker one first."""
    return KEYS if config.keys == "both" else (f"{config.keys}_key",)


def place_of(table: str, config: SupabaseConfig) -> tuple[str, str]:
    """Schema and name of a table."""
    schema, dot, name = table.partition(".")
    return (schema, name) if dot else (config.schemas[0], table)


def required(config: SupabaseConfig) -> frozenset[str]:
    return tls_required(config) | frozenset(keys_in_use(config))


def allowed(config: SupabaseConfig) -> frozenset[str]:
    return tls_allowed(config) | frozenset(keys_in_use(config))


def conflicts(config: SupabaseConfig, credentials: Any, now: datetime | None) -> Iterator[FieldError]:
    """Keys that were swapped, belong to another project or have expired: told before they are stored or sent."""
    yield from url_tls_conflicts(config, credentials, now, urls=[config.url])
    for name, key in credentials.given().items():
        if name in KEYS and (fault := _fault_of(name, key, config, now)) is not None:
            yield fault


def _fault_of(name: str, key: str, config: SupabaseConfig, now: datetime | None) -> FieldError | None:
    at = f"/credentials/{name}"
    host = canonical_host(urlsplit(config.url).hostname or "")
    if (wrong := _WRONG_KEY.get((name, str(role_of(key))))) is not None:
        return FieldError(at, "KEY_SWAPPED", wrong)
    if host.endswith(HOSTED) and host != f"{project_of(key) or host.removesuffix(HOSTED)}{HOSTED}":
        return FieldError(at, "KEY_OF_ANOTHER_PROJECT", "Was issued for another project than that of the URL.")
    if now is not None and has_expired(key, now):
        return FieldError(at, "KEY_EXPIRED", "Has expired; take the key that the project shows now.")
    return None
