"""A fact that a projection cannot take, by name: whoever hears which one it is need not search for it."""

from clearline.contracts.event import Event


class Unfit(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """Deciding about this event fails, and would whenever it is tried: no database was asked. `__cause__` says why."""

    def __init__(self, event: Event) -> None:
        super().__init__(str(event.id))
        self.event = event
