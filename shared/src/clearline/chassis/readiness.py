"""When a consumer counts as ready: assigned, restored, moving."""

from clearline.chassis.consumer import ConsumerStatus, Phase
from clearline.chassis.outage import Outage
from clearline.chassis.progress import Progress

POLL_AGE_SECONDS = 5.0

_WORDS = {
    Phase.STARTING: "waiting for Kafka, for its topics and for partitions",
    Phase.RESTORING: "reading the positions of its partitions",
    Phase.STOPPED: "stopped",
    Phase.HALTED: "more than 20 % of its last 1,000 records went to the dead letters: look at them "
    "(clearline dead-letters list), mend the cause, then restart this process",
}


def judge(
    phase: Phase, progress: Progress, *, outage: Outage, partitions: int, in_flight: int, session: float
) -> ConsumerStatus:
    """The status of a consumer. A member without partitions is healthy: there may be more members than partitions."""
    shown = Phase.WAITING if outage.on and phase is Phase.RUNNING else phase
    trouble = _WORDS.get(shown) or _trouble(progress, outage=outage, in_flight=in_flight, session=session)
    return ConsumerStatus(
        phase=shown,
        partitions=partitions,
        in_flight=in_flight,
        poll_age=progress.poll_age,
        commit_age=progress.last_commit_age,
        lag_seconds=progress.lag_seconds,
        detail=trouble or f"{partitions} partitions",
        healthy=trouble is None,
    )


def _trouble(progress: Progress, *, outage: Outage, in_flight: int, session: float) -> str | None:
    if outage.on:
        return f"waiting for a dependency ({outage.reason})"
    if progress.commit_age > session:
        return f"no commit has succeeded for {progress.commit_age:.0f} s: the group may have given its partitions away"
    if progress.past_the_end:
        first = progress.past_the_end[0]
        return (
            f"its position in {first.topic} {first.number} points past the end of the log, which became shorter: "
            "python -m gateway positions"
        )
    if progress.stalled:
        return "records wait and nothing has been finished for a minute"
    if not in_flight and progress.poll_age > POLL_AGE_SECONDS:
        return f"the last poll returned {progress.poll_age:.0f} s ago"
    return None
