"""Whether somebody listens: how the harness knows that a server has started."""

import asyncio


async def accepts(port: int) -> bool:
    """Whether a connection to this port of 127.0.0.1 is taken."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
