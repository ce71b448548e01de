"""The session's servers are the same whatever event loop a test runs on."""

import asyncpg

SEEN: list[str] = []


async def test_one_server_serves_every_loop(postgres: str) -> None:
    connection = await asyncpg.connect(postgres)
    assert await connection.fetchval("select true")
    await connection.close()
    SEEN.append(postgres)


def test_it_was_asked_from_both_loops_and_started_once(postgres: str) -> None:
    assert len(SEEN) == 2
    assert set(SEEN) == {postgres}
