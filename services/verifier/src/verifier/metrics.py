"""The verifier's own metrics; every label comes from a closed set."""

from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Histogram

from clearline.chassis import tracing
from clearline.probes.ladder import Verdict

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From a port on the same machine to the deadline of a whole verification."""
OTHER = "other"
"""Label of a kind that this version does not know: what a producer sends must not make series."""


class VerifierMetrics:
    """Added to the registry of the process."""

    def __init__(self, registry: CollectorRegistry, kinds: Collection[str]) -> None:
        self._kinds = frozenset(kinds)

        # How verifications end, and why: a reason that grows is a remote outage or a defect of ours.
        self.verifications = Counter(
            "clearline_verifications",
            "Verifications by result (verified, failed, cancelled) and reason (catalogue code, or none).",
            ("kind", "result", "reason"),
            registry=registry,
        )

        # How long people wait for an answer.
        self.seconds = Histogram(
            "clearline_verification_duration_seconds",
            "Time from taking a request to its end.",
            ("kind",),
            buckets=SECONDS,
            registry=registry,
        )

        # Stored credentials sealed anew while a key is rotated out. Failures need a person: a key is missing.
        self.resealed = Counter(
            "clearline_envelopes_resealed",
            "Envelopes of reseal requests by result (renewed, failed).",
            ("result",),
            registry=registry,
        )

    def count(self, kind: str, verdict: Verdict, seconds: float) -> None:
        """One verification has ended."""
        label = kind if kind in self._kinds else OTHER
        reason = verdict.failure.code if verdict.failure else "none"
        self.verifications.labels(label, verdict.status, reason).inc()
        self.seconds.labels(label).observe(seconds, tracing.exemplar())
