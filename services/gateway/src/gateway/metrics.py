"""Every metric that the gateway adds to the chassis' own, each with the reason it exists; labels are bounded."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from clearline.chassis.consumer import ConsumerStatus

UNPROVEN = ("failed", "cancelled", "expired")
"""How the newest verification of a live revision may stand when it proves nothing."""


class GatewayMetrics:
    """The gateway's own metrics, in the registry of its process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Commands that were accepted and that no service has heard of yet.
        self.outbox_pending = Gauge("clearline_outbox_pending", "Events waiting for Kafka.", registry=registry)

        # How late they are: the alarm, because a busy outbox is not a stuck one.
        self.outbox_oldest = Gauge(
            "clearline_outbox_oldest_seconds", "Age of the oldest event waiting for Kafka.", registry=registry
        )

        # Kafka refused them for good, or they wait behind such a one: a person has to look.
        self.outbox_parked = Gauge(
            "clearline_outbox_parked", "Events that Kafka refused and their key's successors.", registry=registry
        )

        # Exactly one process of an installation should say 1.
        self.relay_leads = Gauge("clearline_relay_leads", "1 where the outbox relay works.", registry=registry)
        self.relayed = Counter("clearline_relay_events", "Events brought to Kafka.", ("topic",), registry=registry)

        # A topic is missing, forbidden or partly without a leader: its commands wait while all others go.
        self.relay_stuck = Gauge(
            "clearline_relay_stuck",
            "1 while Kafka does not take every event of a topic.",
            ("topic",),
            registry=registry,
        )

        # How late the read models are. Zero when there is nothing to project, so that a quiet night alarms nobody.
        self.position_age = Gauge(
            "clearline_projection_position_age_seconds",
            "Age of the oldest fact that has not had its effect; 0 when caught up.",
            registry=registry,
        )

        # A projector that lost its partition unawares was stopped from writing.
        self.fenced = Counter(
            "clearline_projection_fenced", "Batches that did not begin at the position.", registry=registry
        )

        # Repeats are normal after a kill; a steady stream of them is a producer that repeats itself.
        self.repeats = Counter("clearline_projection_repeats", "Facts that had had their effect.", registry=registry)

        # A fact about something that this database does not know is kept by Kafka only.
        self.unknown = Counter(
            "clearline_projection_unknown",
            "Facts about rows that do not exist.",
            ("projection",),
            registry=registry,
        )

        # Facts that came after the end of what they are about.
        self.late = Counter(
            "clearline_projection_late", "Facts about what had ended already.", ("projection",), registry=registry
        )

        # A relay slept and woke: the newest state was published again.
        self.republished = Counter(
            "clearline_connections_republished",
            "Connections published again because a lower sequence followed a higher one.",
            registry=registry,
        )

        # For ClearlineVerificationFailing: what is live and would not be let go live today.
        self.unproven = Gauge(
            "clearline_connections_unproven",
            "Active connections whose live revision's newest verification failed, was cancelled or expired.",
            ("environment", "status"),
            registry=registry,
        )

        # Grows while no verifier answers; a minute past its deadline the clock ends what waits.
        self.oldest_pending = Gauge(
            "clearline_verifications_oldest_pending_seconds",
            "How long the oldest pending verification or test has waited; 0 where none is.",
            registry=registry,
        )

        # What the clock did, by duty; a duty that fails is tried again at the next turn.
        self.clock_done = Counter("clearline_clock_duties", "Things the clock did.", ("duty",), registry=registry)
        self.clock_failed = Counter(
            "clearline_clock_failures", "Turns of a duty that failed.", ("duty",), registry=registry
        )

    def follow(self, status: Callable[[], ConsumerStatus]) -> None:
        """Tell the projection's age from its consumer."""
        self.position_age.set_function(lambda: status().lag_seconds)
