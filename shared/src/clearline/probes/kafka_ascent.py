"""The upper rungs of kind `kafka`: signing in, each permission, and the brokers that have to be reached."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clearline.probes.kafka_brokers import MAX_BROKERS, reach, reach_each
from clearline.probes.kafka_login import log_in
from clearline.probes.kafka_messages import Broker, Cluster, coordinator, described_group, metadata
from clearline.probes.kafka_rights import (
    LEADER_NOT_AVAILABLE,
    NOT_NOW,
    Wanted,
    group_refused,
    judge_group,
    judge_topics,
    unavailable,
)
from clearline.probes.kafka_wire import KafkaWire
from clearline.probes.probe import Climb, Evidence, Skipped

if TYPE_CHECKING:
    from clearline.probes.kafka import KafkaConfig

TRIES, PAUSE_SECONDS = 10, 0.3
"""The first question for any group makes the cluster create the topic of offsets, which takes it a second or two."""


async def authenticate(climb: Climb) -> Evidence:
    """Sign in at the bootstrap server. The connection is kept for the rungs above."""
    config: KafkaConfig = climb.config
    wire, version, cluster = await log_in(climb)
    climb.kept |= {"wire": wire, "version": version, "cluster": cluster}
    told = {"cluster_id": cluster.id, "brokers": len(cluster.brokers), "mechanism": config.sasl_mechanism}
    if config.sasl_mechanism == "none":
        return told
    sent = "encrypted" if "tls" in climb.kept else "unencrypted"
    return {"user": config.user, **told, "password_sent": sent if config.sasl_mechanism == "PLAIN" else "as a proof"}


async def authorize(climb: Climb) -> Evidence | Skipped:
    """Each operation on each topic, then the group."""
    config: KafkaConfig = climb.config
    wire: KafkaWire = climb.kept["wire"]
    if not (config.topic_permissions or config.consumer_group):
        return Skipped("the config names no topic and no group")
    names = [one.topic for one in config.topic_permissions]
    cluster = await metadata(wire, climb.kept["version"], names)
    climb.kept["cluster"] = cluster
    evidence: dict[str, Any] = {"topics": judge_topics(cluster, _wanted(config), _user(config))} if names else {}
    if config.consumer_group:
        evidence["group"] = await _group(climb, wire, config.consumer_group)
    return evidence


async def exercise(climb: Climb) -> Evidence:
    """Every broker that leads a partition of a wanted topic; without topics every broker."""
    cluster: Cluster = climb.kept["cluster"]
    begun = climb.clock.monotonic()
    brokers = sorted(_needed(cluster), key=lambda broker: broker.node)
    reached = await reach_each(climb, brokers[:MAX_BROKERS], cluster.id)
    return {
        "brokers": len(cluster.brokers),
        "needed": len(brokers),
        "reached": [f"{one.broker.node}: {one.broker.host}:{one.broker.port} ({one.address})" for one in reached],
        "reached_in_ms": round((climb.clock.monotonic() - begun) * 1000, 3),
    }


def _wanted(config: "KafkaConfig") -> Iterator[Wanted]:
    for at, one in enumerate(config.topic_permissions):
        for index, operation in enumerate(one.operations):
            yield Wanted(one.topic, operation, f"/config/topic_permissions/{at}/operations/{index}")


def _needed(cluster: Cluster) -> set[Broker]:
    leaders = {leader for topic in cluster.topics for leader in topic.leaders}
    known = {broker.node: broker for broker in cluster.brokers}
    if not leaders:
        return set(cluster.brokers)
    if not leaders <= known.keys():
        raise unavailable(LEADER_NOT_AVAILABLE, "a partition without a leader, or its leader,")
    return {known[leader] for leader in leaders}


async def _group(climb: Climb, wire: KafkaWire, name: str) -> dict[str, Any]:
    """Its coordinator is a broker like any other: found, judged, dialled and signed in to."""
    user, error = _user(climb.config), 0
    for _ in range(TRIES):
        error, broker = await coordinator(wire, name)
        if not error:
            reached = await reach(climb, broker, climb.kept["cluster"].id)
            group = await described_group(reached.wire, name)
            reached.wire.close()
            if (error := group.error) not in NOT_NOW:
                told = judge_group(name, group, user)
                return told | {"coordinator": f"{broker.node}: {broker.host}:{broker.port}"}
        elif error not in NOT_NOW:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    raise group_refused(name, error, user)


def _user(config: "KafkaConfig") -> str:
    return config.user or ("the client's certificate" if config.client_certificate else "anybody")
