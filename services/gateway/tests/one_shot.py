"""A one-shot of the gateway, as whoever installs Clearline runs it."""

import asyncio
import os
import sys


async def gateway(*arguments: str, dsn: str | None = None) -> tuple[int | None, str, str]:
    environment = {"PATH": os.environ["PATH"]} | ({"CLEARLINE_POSTGRES_MIGRATE_DSN": dsn} if dsn else {})
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        cwd="/",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await child.communicate()
    return child.returncode, output.decode(), errors.decode()
