"""Whether a Redis user may run a command on a key, asked without running it.

Between MULTI and DISCARD the server judges each command (`processCommand` in src/server.c: its arguments, the user's
rights, then its own state) and only queues it. `ACL DRYRUN` is for users who may not MULTI: few may ask it, and each
vain try stands in the server's ACL LOG.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from clearline.probes.fields import refuse
from clearline.probes.probe import Climb, StepFailed
from clearline.probes.redis_answers import refusal
from clearline.probes.redis_wire import RedisError, RedisWire, Reply

KEY, CHANNEL, PATTERN = "<key>", "<channel>", "<pattern>"

ARGUMENTS: Mapping[str, str] = {
    "get": KEY,
    "mget": KEY,
    "set": f"{KEY} 1",
    "del": KEY,
    "exists": KEY,
    "expire": f"{KEY} 60",
    "ttl": KEY,
    "incr": KEY,
    "decr": KEY,
    "hget": f"{KEY} field",
    "hgetall": KEY,
    "hset": f"{KEY} field 1",
    "hdel": f"{KEY} field",
    "lpush": f"{KEY} 1",
    "rpush": f"{KEY} 1",
    "lpop": KEY,
    "rpop": KEY,
    "lrange": f"{KEY} 0 0",
    "sadd": f"{KEY} 1",
    "srem": f"{KEY} 1",
    "smembers": KEY,
    "zadd": f"{KEY} 1 1",
    "zrem": f"{KEY} 1",
    "zrange": f"{KEY} 0 0",
    "xadd": f"{KEY} * field 1",
    "xrange": f"{KEY} - + COUNT 1",
    "xread": f"COUNT 1 STREAMS {KEY} 0",
    "xreadgroup": f"GROUP clearline clearline COUNT 1 STREAMS {KEY} >",
    "xack": f"{KEY} clearline 0-1",
    "eval": f"return 1 {KEY}",
    "publish": f"{CHANNEL} 1",
    "subscribe": CHANNEL,
    "psubscribe": PATTERN,
    "scan": "0",
    "info": "server",
    "dbsize": "",
}
"""Command → arguments with which it is asked for: https://redis.io/docs/latest/commands/. `*` of `xadd` is its own."""


def _known(name: str) -> str:
    if name not in ARGUMENTS:
        raise refuse("FIELD_FORMAT", f"Is none of the commands that can be asked for: {', '.join(ARGUMENTS)}.")
    return name


CommandName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*ARGUMENTS]})]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One permission: the command that shows it, its name, and where the form asks for it."""

    words: tuple[str, ...]
    permission: str
    field: str


def keys_wanted(commands: Collection[str]) -> bool:
    """Whether one of these commands works on a key."""
    return any(KEY in ARGUMENTS[name] for name in commands)


def channels_wanted(commands: Collection[str]) -> bool:
    """Whether one of these commands works on a channel."""
    return any(CHANNEL in ARGUMENTS[name] or PATTERN in ARGUMENTS[name] for name in commands)


def wanted(commands: Sequence[str], keys: Sequence[str], channels: Sequence[str]) -> Iterator[Wanted]:
    """Every command on everything that it works on."""
    for index, name in enumerate(commands):
        template = ARGUMENTS[name]
        targets = keys if KEY in template else channels if channels_wanted([name]) else ("",)
        for target in targets:
            words = [_filled(word, target) for word in _words(name, template)]
            permission = f"{name.upper()} on {target}" if target else name.upper()
            yield Wanted((name.upper(), *words), permission, f"/config/commands/{index}")


def _words(name: str, template: str) -> list[str]:
    """A script is one word; everything else falls apart at spaces."""
    return ["return 1", "1", KEY] if name == "eval" else template.split()


def _filled(word: str, target: str) -> str:
    """A key that fits the pattern; PSUBSCRIBE is allowed for the pattern itself."""
    match word:
        case "<pattern>":
            return target
        case "<key>" | "<channel>":
            return target.replace("*", "clearline")
        case _:
            return word


async def granted(wire: RedisWire, asked: Sequence[Wanted], climb: Climb) -> dict[str, Any]:
    """Ask for each on its own; the first that is missing, or cannot be asked for, is the finding."""
    if not asked:
        return {"granted": []}
    opened = await wire.ask("MULTI")
    queued = opened == "OK"
    if isinstance(opened, RedisError) and opened.code != "NOPERM":
        raise refusal(opened, climb, permission="MULTI")
    told: list[str] = []
    for one in asked:
        try:
            await _judge(wire, one, climb, queued=queued)
        except StepFailed as finding:
            finding.evidence = {"granted": told}
            raise
        told.append(one.permission)
    if queued:
        await wire.ask("DISCARD")
    return {"granted": told, "asked_by": "MULTI, DISCARD" if queued else "ACL DRYRUN"}


async def _judge(wire: RedisWire, one: Wanted, climb: Climb, *, queued: bool) -> None:
    if queued:
        _judge_queued(await wire.ask(*one.words), one, climb)
    else:
        user = climb.config.user or "default"
        _judge_dry_run(await wire.ask("ACL", "DRYRUN", user, *one.words), one, climb)


def _judge_queued(reply: Reply, one: Wanted, climb: Climb) -> None:
    if reply == "QUEUED":
        return
    if not isinstance(reply, RedisError):
        why = f"{one.permission} was not answered by QUEUED"
        raise StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="Redis", why=why)
    if reply.code not in {"MOVED", "ASK"}:  # of a cluster: rights are judged before it says where the key lies
        raise refusal(reply, climb, permission=one.permission, field=one.field)


def _judge_dry_run(reply: Reply, one: Wanted, climb: Climb) -> None:
    if reply == "OK":
        return
    if isinstance(reply, RedisError):
        raise StepFailed("PERMISSION_UNKNOWN", field=one.field, permission=one.permission, why=reply.text)
    user = climb.config.user or "default"
    raise StepFailed("PERMISSION_MISSING", field=one.field, permission=one.permission, user=user, why=str(reply))
