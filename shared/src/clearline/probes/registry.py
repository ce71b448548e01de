"""Every connection kind, in the order in which forms offer them: one line each. It imports no client library."""

from collections.abc import Mapping
from types import MappingProxyType

from clearline.catalogue import ClearlineError, FieldError
from clearline.probes.dns import DNS
from clearline.probes.http import HTTP
from clearline.probes.kafka import KAFKA
from clearline.probes.postgres import POSTGRES
from clearline.probes.probe import Kind
from clearline.probes.redis import REDIS
from clearline.probes.supabase import SUPABASE
from clearline.probes.tcp import TCP
from clearline.probes.tls import TLS

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "http": HTTP,
        "supabase": SUPABASE,
        "postgres": POSTGRES,
        "redis": REDIS,
        "kafka": KAFKA,
        "tls": TLS,
        "tcp": TCP,
        "dns": DNS,
    }
)


def kind_named(name: str) -> Kind:
    """The kind of this name, or `VALIDATION_FAILED` at `/kind`."""
    if (kind := KINDS.get(name)) is not None:
        return kind
    detail = f"There is no such kind. Known kinds: {', '.join(KINDS)}."
    raise ClearlineError("VALIDATION_FAILED", pointer="/kind", errors=[FieldError("/kind", "KIND_UNKNOWN", detail)])
