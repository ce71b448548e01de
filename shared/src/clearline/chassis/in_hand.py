"""How much is being worked on now, and a bounded wait until it is nothing."""

import asyncio


class InHand:
    """`with in_hand:` around whatever a hand-over gives time to end."""

    __slots__ = ("_none", "count")

    def __init__(self) -> None:
        self.count = 0
        self._none = asyncio.Event()

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if not self.count:
            self._none.set()

    async def until_none(self, limit: float) -> bool:
        """Whether nothing was left within `limit` seconds."""
        if self.count:
            self._none.clear()
            waiting = asyncio.create_task(self._none.wait())
            await asyncio.wait({waiting}, timeout=limit)
            waiting.cancel()
        return not self.count
