"""Which operations a cluster lets us do on a topic or group: it tells them itself (KIP-430), nothing is tried."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clearline.probes.kafka_messages import UNTOLD, Cluster, Group, Topic
from clearline.probes.kafka_wire import mismatch
from clearline.probes.probe import StepFailed

BITS: Mapping[str, int] = {
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "describe_configs": 10,
    "alter_configs": 11,
}
"""org.apache.kafka.common.acl.AclOperation; an authorized operation is the bit of its code."""

LEADER_NOT_AVAILABLE = 5
NOT_NOW = frozenset({5, 7, 9, 14, 15, 16})
"""No leader, timed out, replica away, coordinator loading, not there, elsewhere: the same may work later."""
HIDDEN = "the user may not see it, and so cannot be told whether it exists"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One permission, and where the form asks for it."""

    topic: str
    operation: str
    field: str

    @property
    def permission(self) -> str:
        return f"{self.operation.upper()} on topic {self.topic}"


def judge_topics(cluster: Cluster, wanted: Iterable[Wanted], user: str) -> dict[str, Any]:
    """Evidence of each topic. Raises the first finding, with the evidence of all."""
    topics = {topic.name: topic for topic in cluster.topics}
    evidence: dict[str, Any] = {}
    findings: list[StepFailed] = []
    for one in wanted:
        topic = topics.get(one.topic)
        if topic is None:
            raise mismatch(f"it told nothing of the topic {one.topic}")
        finding = _judge(topic, one, user)
        told = evidence.setdefault(one.topic, {"granted": [], "missing": []})
        told["missing" if finding else "granted"].append(one.operation)
        findings += [finding] if finding else []
    for finding in findings[:1]:
        finding.evidence = {"topics": evidence}
        raise finding
    return evidence


def _judge(topic: Topic, one: Wanted, user: str) -> StepFailed | None:
    if finding := _not_there(topic, one, user):
        return finding
    if one.operation == "describe":  # whoever is told of it may see it
        return None
    told = {"field": one.field, "permission": one.permission, "user": user}
    if topic.operations == UNTOLD:
        return StepFailed("PERMISSION_UNKNOWN", why="the broker tells no permissions", **told)  # type: ignore[arg-type]  # text to text
    if not topic.operations >> BITS[one.operation] & 1:
        return StepFailed("PERMISSION_MISSING", why="it is not granted", **told)  # type: ignore[arg-type]
    return None


def _not_there(topic: Topic, one: Wanted, user: str) -> StepFailed | None:
    match topic.error:
        case 0:
            return None
        case 3 | 17:
            return StepFailed("TOPIC_MISSING", field=one.field.rsplit("/", 2)[0] + "/topic", resource=topic.name)
        case 29:
            return StepFailed("PERMISSION_MISSING", field=one.field, permission=one.permission, user=user, why=HIDDEN)
        case error if error in NOT_NOW:
            return unavailable(error, f"the topic {topic.name}")
        case error:
            return mismatch(f"the topic {topic.name} has Kafka's error {error}")


def judge_group(name: str, group: Group, user: str) -> dict[str, Any]:
    """Evidence of the group, or what is missing."""
    if group.error:
        raise group_refused(name, group.error, user)
    permission = f"READ on group {name}"
    field = "/config/consumer_group"
    if group.operations == UNTOLD:
        why = "the broker tells no permissions"
        raise StepFailed("PERMISSION_UNKNOWN", field=field, permission=permission, user=user, why=why)
    if not group.operations >> BITS["read"] & 1:
        raise StepFailed("PERMISSION_MISSING", field=field, permission=permission, user=user, why="it is not granted")
    return {"name": name, "state": group.state, "members": group.members, "granted": ["read"]}


def group_refused(name: str, error: int, user: str) -> StepFailed:
    """What an error about the group, or about finding its coordinator, means."""
    match error:
        case 30:
            permission = f"READ on group {name}"
            return StepFailed(
                "PERMISSION_MISSING", field="/config/consumer_group", permission=permission, user=user, why=HIDDEN
            )
        case _ if error in NOT_NOW:
            return unavailable(error, f"the coordinator of the group {name}")
        case _:
            return mismatch(f"the group {name} has Kafka's error {error}")


def unavailable(error: int, what: str) -> StepFailed:
    """The cluster cannot serve this at the moment."""
    return StepFailed("SERVER_UNAVAILABLE", field="/config/host", why=f"{what} is away (Kafka's error {error})")
