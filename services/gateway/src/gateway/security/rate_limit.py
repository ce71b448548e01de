"""How many of something a caller may do: a bucket that holds a minute's worth and fills evenly (GCRA).

State is one number per key, the moment at which the bucket will be full again; so a key that was idle for the window is
the same as one that was never seen, and forgetting it changes nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_KEYS = 20_000
"""About 3 MB. Past it whoever was quiet longest is forgotten, which only ever allows them more."""
_ROUNDING = 1e-6
"""A sum of intervals must not cost the last one."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `amount` at once, and as many in each `seconds` from then on."""

    name: str
    amount: int
    seconds: float = 60.0

    @property
    def interval(self) -> float:
        """Seconds in which one comes back."""
        return self.seconds / self.amount


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one more."""

    quota: Quota
    allowed: bool
    left: int
    """How many more may come at once."""
    full_in: float
    """Seconds until the bucket is full again."""
    retry_after: float
    """Seconds until one more is allowed; 0 where it is now."""


def judge(quota: Quota, full_at: float, now: float) -> Verdict:
    """Whether one more may be taken from a bucket that will be full at `full_at`."""
    full_in = max(full_at - now, 0.0)
    over = full_in + quota.interval - quota.seconds
    allowed = over <= _ROUNDING
    left = max(int((quota.seconds - full_in) / quota.interval + _ROUNDING), 0)
    return Verdict(quota, allowed, left, full_in, 0.0 if allowed else over)


class Meter:
    """One quota for many keys, in memory: each process counts for itself."""

    def __init__(self, quota: Quota, monotonic: Callable[[], float], max_keys: int = MAX_KEYS) -> None:
        self.quota = quota
        self._monotonic = monotonic
        self._max_keys = max_keys
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def look(self, key: Hashable) -> Verdict:
        """What would become of one more; nothing is taken."""
        return judge(self.quota, self._full_at.get(key, 0.0), self._monotonic())

    def take(self, key: Hashable) -> Verdict:
        """Take one if it is allowed. What is refused is not counted: waiting as long as told is always enough."""
        now = self._monotonic()
        verdict = judge(self.quota, self._full_at.get(key, 0.0), now)
        if not verdict.allowed:
            return verdict
        self._full_at[key] = now + verdict.full_in + self.quota.interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)
        return Verdict(self.quota, True, verdict.left - 1, verdict.full_in + self.quota.interval, 0.0)

    def __len__(self) -> int:
        return len(self._full_at)
