"""Every metric of the chassis, each with the reason it exists; labels are bounded (topics, groups, closed enums)."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, disable_created_metrics

from clearline.chassis.durations import Durations
from clearline.chassis.outcome import DeadReason, Ill
from clearline.chassis.vital_signs import Ailment

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From a projection of one record to the slowest verification."""


class Metrics:
    """The metrics of one process in a registry of its own; a service adds its own ones to `registry`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads

        # Which version runs where: the first question of every incident.
        self.build = Info("clearline_build", "Service, version and installation of this process.", registry=registry)

        # Something could not be handled and waits for a person.
        self.dead_letters = Counter(
            "clearline_dead_letters", "Records written to the dead letters.", ("topic", "reason"), registry=registry
        )

        # How late we are, in the only unit users feel. Zero when nothing waits.
        self.lag_seconds = Gauge(
            "clearline_consumer_lag_seconds",
            "Age of the oldest unprocessed record.",
            ("topic", "group"),
            registry=registry,
        )

        # How much waits: tells a slow consumer from a stopped one when seen beside the seconds.
        self.lag_records = Gauge(
            "clearline_consumer_lag_records", "Records not yet processed.", ("topic", "group"), registry=registry
        )

        # Throughput and its quality; outcome is done, retry_world, retry_record or dead.
        self.handled = Counter(
            "clearline_consumer_records",
            "Records by how their handling ended.",
            ("topic", "outcome"),
            registry=registry,
        )

        # Where time goes, by event type; a batch counts once, under the type `batch`.
        self.handler_seconds = Durations(
            "clearline_handler_duration_seconds",
            "Time one call of a handler took.",
            ("topic", "type"),
            buckets=SECONDS,
            registry=registry,
        )

        # A retry that repeats is the first sign of an ill dependency (world) or a bug (record).
        self.retries = Counter(
            "clearline_consumer_retries", "Handlings that will be tried again.", ("group", "ill"), registry=registry
        )

        # 1 while a consumer waits for an ill dependency: alarm when it stays.
        self.waiting = Gauge(
            "clearline_consumer_waiting", "1 while consumption waits for a dependency.", ("group",), registry=registry
        )

        # 1 after too many dead letters stopped a consumer: only a person starts it again.
        self.stopped = Gauge(
            "clearline_consumer_stopped", "1 when too many dead letters stopped it.", ("group",), registry=registry
        )

        # Saturation of the bounded concurrency.
        self.in_flight = Gauge("clearline_consumer_in_flight", "Handlers running now.", ("group",), registry=registry)

        # At most ten a second and partition (P11); failures show a member that lost its group unawares.
        self.commits = Counter(
            "clearline_consumer_commits",
            "Offset commits by result: ok or failed.",
            ("group", "result"),
            registry=registry,
        )

        # A group that never settles does no work.
        self.rebalances = Counter(
            "clearline_consumer_rebalances", "Times partitions were assigned anew.", ("group",), registry=registry
        )

        # A client that was stuck and was replaced by a new one; a steady rate is a Kafka or a network that is ill.
        self.renewals = Counter(
            "clearline_consumer_renewals",
            "Stuck Kafka clients that were replaced, by what they suffered from.",
            ("group", "ailment"),
            registry=registry,
        )

        # Records that retention took before they were read: a loss, and never silent.
        self.lost = Counter(
            "clearline_consumer_lost_records",
            "Offsets that were gone before they were read, on topics that are not compacted.",
            ("topic", "group"),
            registry=registry,
        )

        # What left this process, and what Kafka did not take.
        self.published = Counter(
            "clearline_producer_records", "Records published, by delivery.", ("topic", "delivery"), registry=registry
        )

        # A producer that keeps being rebuilt has a broker or a topic that refuses it.
        self.producer_rebuilds = Counter(
            "clearline_producer_rebuilds", "Times the producer was replaced after an error.", registry=registry
        )

        # A code that the catalogue does not know was told by its fallback: a defect of ours. The code is no label.
        self.catalogue_misses = Counter(
            "clearline_catalogue_miss", "Codes that the error catalogue does not know.", registry=registry
        )

    def count_catalogue_miss(self, code: str) -> None:  # noqa: ARG002 - the catalogue's hook; a raw code has no bound
        """`load(metrics.count_catalogue_miss)` is the catalogue of a process."""
        self.catalogue_misses.inc()

    def expect_group(self, group: str, topics: Iterable[str]) -> None:
        """Have a consumer's alarming series at zero from its start: `increase()` does not see a series being born."""
        self.stopped.labels(group).set(0)
        for ailment in Ailment:
            self.renewals.labels(group, ailment.value)
        for ill in Ill:
            self.retries.labels(group, ill.value)
        for result in ("ok", "failed"):
            self.commits.labels(group, result)
        for topic in topics:
            self.lost.labels(topic, group)
            for reason in DeadReason:
                self.dead_letters.labels(topic, reason.value)

    def tell_build(self, *, service: str, version: str, installation: str) -> None:
        """Say once who this process is."""
        self.build.info({"service": service, "version": version, "installation": installation})
