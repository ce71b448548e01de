"""How kind `redis` gets in: encryption from the first byte, then the password, then what the server says of itself."""

from typing import TYPE_CHECKING

from clearline.probes import implicit_tls
from clearline.probes.probe import Climb, Evidence, Skipped, StepFailed
from clearline.probes.redis_answers import demand, refusal
from clearline.probes.redis_wire import RedisError, RedisWire, Reply, open_wire

if TYPE_CHECKING:
    from clearline.probes.redis import RedisConfig

FACTS = {"server": "server", "version": "server_version", "mode": "mode", "role": "role"}
"""Of what `HELLO` tells, what people want to know."""


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """Redis speaks TLS from the first byte or not at all."""
    return await implicit_tls.encrypt(climb, _answers)


async def _answers(climb: Climb) -> bool:
    wire = await open_wire(climb)
    return isinstance(await wire.ask("PING"), str | RedisError)


async def log_in(climb: Climb) -> tuple[RedisWire, Evidence]:
    """A connection that the server has let in, and what it says of itself."""
    async with implicit_tls.told_from_tls(climb, "Redis"):
        return await _let_in(climb)


async def _let_in(climb: Climb) -> tuple[RedisWire, Evidence]:
    config: RedisConfig = climb.config
    wire = await open_wire(climb)
    password = climb.credentials.given().get("password")
    if password is not None:
        named = (config.user,) if config.user else ()
        _demand_let_in(await wire.ask("AUTH", *named, password), climb)
    evidence = {"user": config.user or "default", **await _facts(wire, climb)}
    if password is not None:
        evidence["password_sent"] = "encrypted" if "tls" in climb.kept else "unencrypted"
    return wire, evidence


def _demand_let_in(answer: Reply, climb: Climb) -> None:
    """AUTH that is renamed, switched off or not allowed has let nobody in: no permission of the user's is missing."""
    try:
        demand(answer, "OK", climb, permission="AUTH")
    except StepFailed as finding:
        if finding.code != "PERMISSION_MISSING":
            raise
        method = "signing in without AUTH"
        raise StepFailed("AUTH_METHOD_UNSUPPORTED", field="/credentials/password", method=method) from None


async def _facts(wire: RedisWire, climb: Climb) -> dict[str, str]:
    """`HELLO` needs no permission, and tells since 6.0 what only `INFO` told before; without it PING has to do."""
    hello = await wire.ask("HELLO", "2")
    if isinstance(hello, list):
        pairs = dict(zip(map(str, hello[::2]), hello[1::2], strict=False))
        return {FACTS[name]: str(value) for name, value in pairs.items() if name in FACTS and isinstance(value, str)}
    if isinstance(hello, RedisError) and not _unknown(hello):
        raise refusal(hello, climb, permission="HELLO")
    _demand_pong(await wire.ask("PING"), climb)
    return {}


def _unknown(error: RedisError) -> bool:
    return error.code in {"ERR", "NOPROTO"} and "max number of clients" not in error.text


def _demand_pong(pong: Reply, climb: Climb) -> None:
    """Whoever may not PING has been let in all the same."""
    if not (isinstance(pong, RedisError) and pong.code == "NOPERM"):
        demand(pong, "PONG", climb, permission="PING")
