"""A histogram for what happens many thousand times a second: prometheus_client's takes two locks for each observation.

One event loop observes and serves it, so nothing needs a lock; that was 1.4 of 11 µs per consumed record.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Exemplar


class Series:
    """The durations seen under one set of labels."""

    __slots__ = ("_bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, seconds: float, exemplar: Mapping[str, str] | None = None) -> None:
        """One more; the newest exemplar of each bucket is kept."""
        bucket = bisect_left(self._bounds, seconds)
        self.counts[bucket] += 1
        self.sum += seconds
        if exemplar is not None:
            self.exemplars[bucket] = Exemplar(dict(exemplar), seconds, time.time())


class Durations(Collector):
    """`labels(…).observe(…)` as on a `Histogram`."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str], *, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._bounds = tuple(buckets)
        self._names = [*map(str, map(float, buckets)), "+Inf"]
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def labels(self, *values: str) -> Series:
        """The series of these values, one for each name in order."""
        if (series := self._series.get(values)) is None:
            series = self._series[values] = Series(self._bounds)
        return series

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The family without samples."""
        return [HistogramMetricFamily(self._name, self._meaning, labels=self._labels)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The family as it is now."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(list(values), self._told(series), series.sum)
        return [family]

    def _told(self, series: Series) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        totals = zip(self._names, accumulate(series.counts), strict=True)
        return [
            (name, total) if (exemplar := series.exemplars.get(bucket)) is None else (name, total, exemplar)
            for bucket, (name, total) in enumerate(totals)
        ]
