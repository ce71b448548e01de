"""Whether a connection exists for the caller: lists below one must not tell an empty list from a hidden one."""

from uuid import UUID

from clearline.catalogue import ClearlineError
from gateway.queries.reading import Reading
from gateway.read_model import sql


async def require_connection(reading: Reading, connection_id: UUID) -> None:
    """Raises CONNECTION_NOT_FOUND, also for a connection in an environment that the caller may not see."""
    if not await reading.connection.fetchval(sql("connection_exists"), connection_id):
        raise ClearlineError("CONNECTION_NOT_FOUND", connection_id=str(connection_id))
