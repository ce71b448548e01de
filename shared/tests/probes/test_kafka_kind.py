"""Kind `kafka` on a real broker: SASL, TLS, client certificates, ACLs, and listeners that announce another address."""

from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from tests.harness.authority import Authority
from tests.harness.kafka_stand import KafkaStand
from tests.harness.signing_in import TOLD_APART, WRONG, found, statuses

from clearline.probes.ladder import Limits

pytestmark = pytest.mark.integration


async def test_a_good_form_is_verified_with_each_permission_and_broker(secured: KafkaStand, climbing: Any) -> None:
    verdict = await climbing("kafka", *secured.cases["good"])
    assert verdict.status == "verified", verdict.failure
    assert statuses(verdict) == ["passed"] * 6
    assert verdict.steps[2].evidence["verified"]
    assert verdict.steps[3].evidence.items() >= {"user": "shop", "brokers": 1, "password_sent": "as a proof"}.items()
    assert verdict.steps[4].evidence["topics"] == {"orders": {"granted": ["read", "write"], "missing": []}}
    assert verdict.steps[4].evidence["group"]["granted"] == ["read"]
    assert verdict.steps[5].evidence["reached"] == [f"1: localhost:{secured.ports['SECURE']} (127.0.0.1)"]


@pytest.mark.parametrize(
    ("case", "expected"),
    {
        **TOLD_APART,
        "missing permission": ("PERMISSION_MISSING", "authorize", "/config/topic_permissions/0/operations/1"),
        "forbidden second broker": ("ADVERTISED_ADDRESS_FORBIDDEN", "exercise", "/config/host"),
        "unreachable second broker": ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise", "/config/host"),
    }.items(),
)
async def test_each_thing_that_can_be_wrong_is_told_apart(
    secured: KafkaStand, climbing: Any, case: str, expected: tuple[str, str, str]
) -> None:
    limits = Limits(step_seconds=1) if case == "silent server" else None
    verdict = await climbing("kafka", *secured.cases[case], limits=limits)
    assert found(verdict) == expected, verdict.failure


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_each_mechanism_signs_in_and_tells_a_wrong_password(
    secured: KafkaStand, climbing: Any, mechanism: str
) -> None:
    config, credentials = secured.form(mechanism)
    verdict = await climbing("kafka", config, credentials)
    assert verdict.status == "verified", verdict.failure
    sent = verdict.steps[3].evidence["password_sent"]
    assert sent == ("unencrypted" if mechanism == "PLAIN" else "as a proof")
    for wrong in (({}, {"password": WRONG}), ({"user": "nobody"}, credentials)):
        verdict = await climbing("kafka", config | wrong[0], wrong[1])
        assert found(verdict) == ("AUTH_REJECTED", "authenticate", "/credentials/password")
        assert WRONG not in str(verdict)


async def test_a_way_of_signing_in_that_the_listener_does_not_have_is_told(secured: KafkaStand, climbing: Any) -> None:
    verdict = await climbing("kafka", *secured.encrypted("SCRAM-SHA-512"))
    assert found(verdict) == ("AUTH_METHOD_UNSUPPORTED", "authenticate", "/config/sasl_mechanism")
    assert "SCRAM-SHA-256" in verdict.failure.operator_detail
    verdict = await climbing("kafka", *secured.form(port=secured.ports["PLAINTEXT"]))
    assert found(verdict) == ("AUTH_METHOD_UNSUPPORTED", "authenticate", "/config/sasl_mechanism")
    verdict = await climbing("kafka", *secured.unsecured("OPEN"))
    assert found(verdict) == ("AUTH_REQUIRED", "authenticate", "/config/sasl_mechanism")
    assert "SCRAM-SHA-512" in verdict.failure.operator_detail


async def test_each_operation_on_each_topic_is_judged_on_its_own(secured: KafkaStand, climbing: Any) -> None:
    def asked(*operations: str, topic: str = "orders") -> dict[str, Any]:
        return {"topic": topic, "operations": list(operations)}

    verdict = await climbing("kafka", *secured.form(topic_permissions=[asked("write", "delete", "describe", "create")]))
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/topic_permissions/0/operations/1")
    assert "DELETE on topic orders" in verdict.failure.message
    assert verdict.steps[4].evidence["topics"] == {
        "orders": {"granted": ["write", "describe"], "missing": ["delete", "create"]}
    }
    for topic, code, field in (
        ("not-there", "TOPIC_MISSING", "/config/topic_permissions/1/topic"),
        ("secrets", "PERMISSION_MISSING", "/config/topic_permissions/1/operations/0"),
        ("nowhere", "PERMISSION_MISSING", "/config/topic_permissions/1/operations/0"),
    ):
        verdict = await climbing("kafka", *secured.form(topic_permissions=[asked("read"), asked("read", topic=topic)]))
        assert found(verdict) == (code, "authorize", field), verdict.failure
        assert topic in verdict.failure.message
    assert "whether it exists" in verdict.failure.operator_detail  # hidden and absent look the same, and it says so


async def test_a_topic_that_does_not_exist_is_not_made_by_asking(secured: KafkaStand, climbing: Any) -> None:
    asked = [{"topic": "nowhere", "operations": ["read"]}]
    verdict = await climbing("kafka", *secured.unsecured("PLAINTEXT", topic_permissions=asked))
    assert found(verdict) == ("TOPIC_MISSING", "authorize", "/config/topic_permissions/0/topic")
    admin = AIOKafkaAdminClient(bootstrap_servers=secured.server.bootstrap)
    await admin.start()
    try:
        assert "nowhere" not in await admin.list_topics()
        assert "orders" in await admin.list_topics()
    finally:
        await admin.close()


async def test_the_consumer_group_must_be_allowed_to_read(secured: KafkaStand, climbing: Any) -> None:
    for group in ("lookers", "strangers"):
        verdict = await climbing("kafka", *secured.form(consumer_group=group))
        assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/consumer_group")
        assert f"READ on group {group}" in verdict.failure.message


async def test_a_client_certificate_is_presented_where_one_is_wanted(secured: KafkaStand, climbing: Any) -> None:
    rights = {"topic_permissions": [{"topic": "orders", "operations": ["read"]}]}
    verdict = await climbing("kafka", *secured.with_certificate(secured.authority, **rights))
    assert verdict.status == "verified", verdict.failure
    config, _ = secured.with_certificate(secured.authority)
    verdict = await climbing("kafka", config | {"client_certificate": None})
    assert found(verdict) == ("TLS_CLIENT_CERTIFICATE_REQUIRED", "tls", "/config/client_certificate")
    verdict = await climbing("kafka", *secured.with_certificate(Authority("another")))
    assert found(verdict) == ("TLS_CLIENT_CERTIFICATE_REFUSED", "tls", "/config/client_certificate")


async def test_certificates_are_believed_as_the_form_says(secured: KafkaStand, climbing: Any) -> None:
    for changed, expected in (
        ({"tls": "require", "ca_certificate": None}, None),
        ({"ca_certificate": None}, ("TLS_UNKNOWN_AUTHORITY", "tls", "/config/tls")),
        ({"host": "127.0.0.1"}, ("TLS_WRONG_HOST", "tls", "/config/host")),
        ({"tls": "disable", "ca_certificate": None}, ("PROTOCOL_MISMATCH", "authenticate", "/config/tls")),
    ):
        verdict = await climbing("kafka", *secured.encrypted(**changed))
        assert (found(verdict) if verdict.failure else None) == expected, verdict.failure


async def test_no_broker_is_dialled_that_the_policy_refuses(secured: KafkaStand, climbing: Any) -> None:
    verdict = await climbing("kafka", *secured.unsecured("ELSEWHERE"))
    assert found(verdict)[0] == "ADVERTISED_ADDRESS_FORBIDDEN"
    assert "127.0.0.2" in verdict.failure.operator_detail
    assert "127.0.0.2" not in verdict.failure.message
    assert secured.canary.connections == 0
    allowed = ("127.0.0.1/32", "::1/128", "127.0.0.2/32")  # the canary does count whoever may come
    verdict = await climbing("kafka", *secured.unsecured("ELSEWHERE"), allow=allowed)
    assert found(verdict)[0] == "ADVERTISED_ADDRESS_UNREACHABLE"
    assert secured.canary.connections == 1


async def test_a_broker_announced_by_a_name_that_nobody_knows_is_told(secured: KafkaStand, climbing: Any) -> None:
    verdict = await climbing("kafka", *secured.unsecured("NAMELESS"))
    assert found(verdict) == ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise", "/config/host")
    assert "kafka-2.no-such-host.invalid:9092 (broker 1)" in verdict.failure.operator_detail
    assert "UNKNOWN_HOST" in verdict.failure.operator_detail


async def test_a_certificate_that_does_not_name_the_announced_address_is_told(
    secured: KafkaStand, climbing: Any
) -> None:
    trusted = {"tls": "verify-full", "ca_certificate": secured.authority.pem}
    verdict = await climbing("kafka", *secured.unsecured("MISNAMED", **trusted))
    assert found(verdict) == ("ADVERTISED_ADDRESS_UNREACHABLE", "exercise", "/config/host")
    assert "TLS_WRONG_HOST" in verdict.failure.operator_detail


async def test_a_groups_coordinator_is_judged_like_every_broker(secured: KafkaStand, climbing: Any) -> None:
    before = secured.canary.connections
    verdict = await climbing("kafka", *secured.unsecured("ELSEWHERE", consumer_group="order-service"))
    assert found(verdict)[:2] == ("ADVERTISED_ADDRESS_FORBIDDEN", "authorize")
    assert secured.canary.connections == before
