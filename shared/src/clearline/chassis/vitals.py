"""Observes one member of a group while it lives: asks the broker now and then, and collects the signs of its health."""

from clearline.chassis.clock import Clock
from clearline.chassis.group_member import GroupMember
from clearline.chassis.progress import Progress
from clearline.chassis.vital_signs import Ailment, Signs, Unfetched, ailment_of

LOOK_LIMIT_SECONDS = 5.0


class Vitals:
    """What `ailment_of` is asked with. A new membership begins with a clean sheet."""

    def __init__(self, member: GroupMember, progress: Progress, clock: Clock, session: float) -> None:
        self._member = member
        self._progress = progress
        self._clock = clock
        self._session = session
        self._unfetched = Unfetched()
        self._assigned_at = self._beat_at = clock.monotonic()

    def begin(self) -> None:
        """A new client: nothing is known of it."""
        self._unfetched = Unfetched()
        self._assigned_at = self._beat_at = self._clock.monotonic()

    async def watch(self) -> None:
        """Ask the broker twice a session where the partitions end; until cancelled.

        What a client that no longer fetches believes about their ends is what it was told last: no lag at all.
        """
        while True:
            await self._clock.sleep(self._session / 2)
            reaches = await self._member.look(LOOK_LIMIT_SECONDS)
            self._unfetched.look(reaches, self._clock.monotonic())

    def ailment(self, *, busy: bool) -> Ailment | None:
        """What only a new client mends. `busy`: a handler keeps the poll loop, so nothing is fetched on purpose."""
        now = self._clock.monotonic()
        if not self._member.waits:
            self._assigned_at = now
        if self._member.heart_beats:
            self._beat_at = now
        if busy:
            self._unfetched = Unfetched()
        return ailment_of(
            Signs(
                session=self._session,
                client_runs=self._member.runs,
                heart_stopped_for=now - self._beat_at,
                unassigned_for=now - self._assigned_at,
                commit_age=self._progress.commit_age,
                poll_age=0.0 if busy or not self._member.owned else self._progress.poll_age,
                unfetched_for=self._unfetched.seconds(now),
            )
        )
