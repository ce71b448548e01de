"""Kind `redis` on real servers: users, rights, encryption, client certificates, replicas."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness.authority import Authority
from tests.harness.programs import program
from tests.harness.redis import PROGRAM, redis_server, replica_of
from tests.harness.redis_stand import ADMIN_PASSWORD, RedisStand, redis_stand
from tests.harness.signing_in import TOLD_APART, WRONG, found, statuses

from clearline.catalogue import ClearlineError
from clearline.probes.forms import parse_config
from clearline.probes.ladder import Limits
from clearline.probes.redis_rights import ARGUMENTS
from clearline.probes.registry import KINDS
from clearline.testing.hostile_servers import serving

pytestmark = pytest.mark.integration
AT_ONCE = {"repl-diskless-sync-delay": "0"}
"""A new replica is served without waiting five seconds for others."""


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisStand]:
    async with redis_stand(program(**PROGRAM), tmp_path_factory.mktemp("redis")) as made:
        yield made


async def test_a_good_form_is_verified_and_shows_whom_it_met(stand: RedisStand, climbing: Any) -> None:
    verdict = await climbing("redis", *stand.form())
    assert verdict.status == "verified", verdict.failure
    assert statuses(verdict) == ["passed", "passed", "skipped", "passed", "skipped", "passed"]
    told = verdict.steps[3].evidence
    assert (told["user"], told["server"], told["mode"], told["role"]) == ("shop", "redis", "standalone", "master")
    assert told["server_version"][0].isdigit()
    assert told["password_sent"] == "unencrypted"


@pytest.mark.parametrize(
    ("case", "expected"),
    {
        **TOLD_APART,
        "missing permission": ("PERMISSION_MISSING", "authorize", "/config/commands/1"),
    }.items(),
)
async def test_each_thing_that_can_be_wrong_is_told_apart(
    stand: RedisStand, climbing: Any, case: str, expected: tuple[str, str, str]
) -> None:
    limits = Limits(step_seconds=1) if case == "silent server" else None
    verdict = await climbing("redis", *stand.cases[case], limits=limits)
    assert found(verdict) == expected, verdict.failure


async def test_every_case_of_the_table_begins_from_a_form_that_is_good(stand: RedisStand, climbing: Any) -> None:
    verdict = await climbing("redis", *stand.cases["good"])
    assert verdict.status == "verified", verdict.failure
    assert statuses(verdict) == ["passed"] * 6
    assert verdict.steps[2].evidence["verified"]
    assert verdict.steps[3].evidence["password_sent"] == "encrypted"
    assert verdict.steps[4].evidence == {
        "granted": ["GET on orders:*", "SET on orders:*"],
        "asked_by": "MULTI, DISCARD",
    }


async def test_no_password_where_one_is_needed_is_not_a_wrong_one(stand: RedisStand, climbing: Any) -> None:
    config, _ = stand.form()
    del config["user"]
    assert found(await climbing("redis", config))[:2] == ("AUTH_REQUIRED", "authenticate")
    verdict = await climbing("redis", config, {"password": WRONG})
    assert found(verdict) == ("AUTH_REJECTED", "authenticate", "/credentials/password")
    assert WRONG not in str(verdict)
    assert (await climbing("redis", config, {"password": ADMIN_PASSWORD})).status == "verified"


async def test_a_user_that_is_unknown_or_switched_off_is_rejected(stand: RedisStand, climbing: Any) -> None:
    for user in ("nobody", "retired"):
        assert found(await climbing("redis", *stand.form(user=user)))[:2] == ("AUTH_REJECTED", "authenticate")


async def test_a_password_that_the_server_does_not_want_is_told(climbing: Any, tmp_path: Path) -> None:
    async with redis_server(program(**PROGRAM), tmp_path) as server:
        config = {"host": "127.0.0.1", "port": server.port}
        assert (await climbing("redis", config)).status == "verified"
        verdict = await climbing("redis", config, {"password": WRONG})
    assert found(verdict) == ("AUTH_REJECTED", "authenticate", "/credentials/password")
    assert "without any password configured" in verdict.failure.operator_detail


async def test_the_database_must_be_there(stand: RedisStand, climbing: Any) -> None:
    verdict = await climbing("redis", *stand.form(database=3))
    assert verdict.steps[4].evidence == {"granted": ["SELECT 3"]}
    verdict = await climbing("redis", *stand.form(database=16))
    assert found(verdict) == ("DATABASE_MISSING", "authorize", "/config/database")
    assert "16" in verdict.failure.message
    verdict = await climbing("redis", *stand.form(user="narrow", database=3))
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/user")


async def test_each_command_is_asked_on_each_key_and_channel_and_none_is_run(stand: RedisStand, climbing: Any) -> None:
    every = {"commands": ["set", "del", "publish"], "keys": ["orders:1", "orders:*"], "channels": ["news:*"]}
    assert (await climbing("redis", *stand.form(**every))).status == "verified"
    assert await stand.server.does("DBSIZE", password=ADMIN_PASSWORD) == [":0"]
    for changed, field, permission in (
        ({"commands": ["set", "incr"]}, "/config/commands/1", "INCR on orders:1"),
        ({"keys": ["orders:1", "people:*"]}, "/config/commands/0", "SET on people:*"),
        ({"channels": ["alarms"]}, "/config/commands/2", "PUBLISH on alarms"),
    ):
        verdict = await climbing("redis", *stand.form(**(every | changed)))
        assert found(verdict) == ("PERMISSION_MISSING", "authorize", field), verdict.failure
        assert permission in verdict.failure.message
        granted = verdict.steps[4].evidence["granted"]
        assert "SET on orders:1" in granted
        assert permission not in granted


async def test_who_may_not_multi_is_asked_by_a_dry_run(stand: RedisStand, climbing: Any) -> None:
    reads = {"commands": ["get"], "keys": ["orders:*"]}
    verdict = await climbing("redis", *stand.form(user="checker", **reads))
    assert verdict.steps[4].evidence["asked_by"] == "ACL DRYRUN", verdict.failure
    verdict = await climbing("redis", *stand.form(user="checker", commands=["get", "set"], keys=["orders:*"]))
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/commands/1")
    verdict = await climbing("redis", *stand.form(user="narrow", **reads))
    assert found(verdict) == ("PERMISSION_UNKNOWN", "authorize", "/config/commands/0")


async def test_a_user_with_all_it_needs_leaves_no_entry_in_the_servers_log(stand: RedisStand, climbing: Any) -> None:
    await stand.server.does("ACL LOG RESET", password=ADMIN_PASSWORD)
    verdict = await climbing("redis", *stand.form(commands=["get"], keys=["orders:*"], database=1))
    assert verdict.status == "verified", verdict.failure
    assert await stand.server.does("ACL LOG", password=ADMIN_PASSWORD) == ["*0"]


async def test_every_command_of_the_form_is_spelt_as_the_server_wants_it(stand: RedisStand, climbing: Any) -> None:
    config, _ = stand.form(keys=["k"], channels=["c"])
    del config["user"]
    names = list(ARGUMENTS)
    for some in (names[:20], names[20:]):
        verdict = await climbing("redis", config | {"commands": some}, {"password": ADMIN_PASSWORD})
        assert verdict.status == "verified", verdict.failure


async def test_a_command_without_a_key_to_use_it_on_is_refused_before_anything_is_dialled() -> None:
    kind = KINDS["redis"]
    for commands, field in ((["get"], "/config/keys"), (["publish"], "/config/channels")):
        config = parse_config(kind, {"host": "h", "commands": commands})
        assert [one.pointer for one in kind.conflicts(config, kind.credentials(), None)] == [field]
    with pytest.raises(ClearlineError) as refused:
        parse_config(kind, {"host": "h", "commands": ["flushall"]})
    assert refused.value.errors[0].pointer == "/config/commands/0"


async def test_a_write_on_a_read_only_replica_is_told(climbing: Any, tmp_path: Path) -> None:
    binary = program(**PROGRAM)
    async with (
        redis_server(binary, tmp_path / "a", settings=AT_ONCE) as first,
        redis_server(binary, tmp_path / "b") as copy,
    ):
        await replica_of(first, copy)
        config = {"host": "127.0.0.1", "port": copy.port, "keys": ["k"]}
        verdict = await climbing("redis", config | {"commands": ["get"]})
        assert (verdict.status, verdict.steps[3].evidence["role"]) == ("verified", "replica"), verdict.failure
        verdict = await climbing("redis", config | {"commands": ["get", "set"]})
    assert found(verdict) == ("READ_ONLY_REPLICA", "authorize", "/config/host")


async def test_certificates_are_believed_as_the_form_says(stand: RedisStand, climbing: Any) -> None:
    for changed, expected in (
        ({"tls": "require", "ca_certificate": None}, None),
        ({"ca_certificate": None}, ("TLS_UNKNOWN_AUTHORITY", "tls", "/config/tls")),
        ({"host": "127.0.0.1"}, ("TLS_WRONG_HOST", "tls", "/config/host")),
        ({"tls": "disable", "ca_certificate": None}, ("PROTOCOL_MISMATCH", "authenticate", "/config/tls")),
    ):
        verdict = await climbing("redis", *stand.encrypted(**changed))
        assert (found(verdict) if verdict.failure else None) == expected, verdict.failure


async def test_a_client_certificate_is_presented_where_one_is_wanted(stand: RedisStand, climbing: Any) -> None:
    verdict = await climbing("redis", *stand.with_certificate(stand.authority))
    assert verdict.status == "verified", verdict.failure
    verdict = await climbing("redis", *stand.encrypted(port=stand.mutual.tls_port))
    assert found(verdict) == ("TLS_CLIENT_CERTIFICATE_REQUIRED", "tls", "/config/client_certificate")
    verdict = await climbing("redis", *stand.with_certificate(Authority("another")))
    assert found(verdict) == ("TLS_CLIENT_CERTIFICATE_REFUSED", "tls", "/config/client_certificate")


async def test_a_server_that_knows_no_auth_has_not_let_anybody_in(climbing: Any) -> None:
    secret = "the-first-eighteen-and-the-rest"

    async def without_auth(reader: Any, writer: Any, _: Any) -> None:
        await reader.readuntil(secret.encode() + b"\r\n")
        writer.write(f"-ERR unknown command, with args beginning with: 'AUTH' '{secret[:18]}'\r\n".encode())
        await writer.drain()

    async with serving(without_auth) as server:
        verdict = await climbing("redis", {"host": "127.0.0.1", "port": server.port}, {"password": secret})
    assert found(verdict) == ("AUTH_METHOD_UNSUPPORTED", "authenticate", "/credentials/password")
    assert secret[:12] not in str(verdict)
