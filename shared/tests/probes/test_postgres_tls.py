from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from tests.harness.authority import Authority, Issued
from tests.harness.postgres import PostgresServer
from tests.harness.postgres_tls import PASSWORD, secure

Form = tuple[dict[str, Any], dict[str, str]]


def form(dsn: str, **changed: Any) -> Form:
    parts = urlsplit(dsn)
    config = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "user": parts.username}
    password = PASSWORD if "user" in changed else unquote(parts.password or "")
    return config | changed, {"password": password}


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


def statuses(verdict: Any) -> list[str]:
    return [step.status for step in verdict.steps]


@pytest.fixture(scope="module")
async def authority(own_postgres: PostgresServer) -> Authority:
    """Makes the module's own server speak TLS, with a certificate for localhost alone."""
    made = Authority()
    await secure(own_postgres, made)
    return made


async def test_encryption_is_used_as_the_config_says(
    own_postgres: PostgresServer, authority: Authority, climbing: Any
) -> None:
    trusted = {"ca_certificate": authority.pem}
    for changed, passed, verified in (
        ({"tls": "disable"}, "skipped", None),
        ({"tls": "prefer"}, "passed", False),
        ({"tls": "require"}, "passed", False),
        ({"tls": "verify-full", "host": "localhost", **trusted}, "passed", True),
    ):
        verdict = await climbing("postgres", *form(own_postgres.dsn, **changed))
        assert verdict.status == "verified", verdict.failure
        assert verdict.steps[2].status == passed
        assert verdict.steps[2].evidence.get("verified") is verified


async def test_a_wrong_certificate_stops_before_the_password_is_sent(
    own_postgres: PostgresServer, authority: Authority, climbing: Any
) -> None:
    trusted = {"ca_certificate": authority.pem}
    for changed, code in (
        ({"tls": "verify-full", **trusted}, "TLS_WRONG_HOST"),
        ({"tls": "verify-full", "host": "localhost"}, "TLS_UNKNOWN_AUTHORITY"),
    ):
        verdict = await climbing("postgres", *form(own_postgres.dsn, **changed))
        assert found(verdict)[:2] == (code, "tls")
        assert statuses(verdict)[3] == "skipped"


async def test_a_server_that_wants_encryption_is_told_at_the_right_field(
    own_postgres: PostgresServer, authority: Authority, climbing: Any
) -> None:
    assert authority.pem
    verdict = await climbing("postgres", *form(own_postgres.dsn, user="encrypted_only", tls="disable"))
    encrypted = await climbing("postgres", *form(own_postgres.dsn, user="encrypted_only", tls="require"))
    assert found(verdict) == ("AUTH_REJECTED", "authenticate", "/config/tls")
    assert encrypted.status == "verified", encrypted.failure  # the login itself went through TLS


def certified(dsn: str, authority: Authority, ours: Issued | None, **changed: Any) -> Form:
    trusted = {"tls": "verify-full", "host": "localhost", "ca_certificate": authority.pem}
    config, credentials = form(dsn, **trusted, **changed)
    if ours is None:
        return config, credentials
    return config | {"client_certificate": ours.certificate}, credentials | {"client_key": ours.key}


@pytest.mark.parametrize("user", ["with_certificate", "by_certificate"])
async def test_a_user_who_needs_a_certificate_gets_in_with_his_own_alone(
    own_postgres: PostgresServer, authority: Authority, climbing: Any, user: str
) -> None:
    his, others = authority.issue(user), authority.issue("somebody_else")
    forged = Authority("Forger").issue(user)

    async def tried(ours: Issued | None) -> Any:
        return await climbing("postgres", *certified(own_postgres.dsn, authority, ours, user=user))

    good = await tried(his)
    assert good.status == "verified", good.failure
    assert good.steps[2].evidence["client_certificate"]["subject"] == f"CN={user}"
    where = "/config/client_certificate"
    assert found(await tried(None)) == ("TLS_CLIENT_CERTIFICATE_REQUIRED", "authenticate", where)
    assert found(await tried(forged)) == ("TLS_CLIENT_CERTIFICATE_REFUSED", "tls", where)
    refused = await tried(others)
    if user == "by_certificate":
        assert found(refused) == ("TLS_CLIENT_CERTIFICATE_REFUSED", "authenticate", where)
    else:  # the server speaks of the password; the detail tells what differs
        assert found(refused)[:2] == ("AUTH_REJECTED", "authenticate")
        assert "somebody_else" in refused.failure.operator_detail


async def test_a_certificate_without_encryption_is_refused_in_the_form(
    own_postgres: PostgresServer, authority: Authority, climbing: Any
) -> None:
    config, credentials = certified(own_postgres.dsn, authority, authority.issue("with_certificate"))
    with pytest.raises(Exception, match="/config/client_certificate"):
        await climbing("postgres", config | {"tls": "disable"}, credentials)
