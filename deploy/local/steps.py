"""The steps of a start that talk to Postgres: the logins' passwords and the administrator's token."""

import asyncio
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
from deploy.local.keys import LOGINS, password_of, read_env, update_env
from deploy.local.places import Places

HTTP_OK = 200
OWNER_DSN = "CLEARLINE_POSTGRES_MIGRATE_DSN_FILE"


class TokenError(RuntimeError):
    """The gateway's command did not print a token."""


def set_passwords(places: Places) -> None:
    """Migrations make logins without passwords; here they get ours. The same ones each time."""
    passwords = {login: password_of((places.keys / f"{login}.dsn").read_text()) for login in LOGINS}
    asyncio.run(_alter_logins(Path(os.environ[OWNER_DSN]).read_text().strip(), passwords))


async def _alter_logins(dsn: str, passwords: dict[str, str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for login, password in passwords.items():
            statement = await connection.fetchval(
                "select format('alter role %I password %L', $1::text, $2::text)", login, password
            )
            await connection.execute(statement)
    finally:
        await connection.close()


def ensure_token(places: Places) -> None:
    """Keep the administrator's token in `.clearline/env` while the gateway accepts it; else make another."""
    env = read_env(places.env_file)
    port = int(env["CLEARLINE_URL"].rsplit(":", 1)[1])
    if not is_accepted(port, env.get("CLEARLINE_TOKEN", "")):
        update_env(places.env_file, {"CLEARLINE_TOKEN": _new_token(places)})


def is_accepted(port: int, token: str) -> bool:
    """Ask the gateway itself. http.client knows no proxies, which would swallow a request to loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/session", headers={"Authorization": f"Bearer {token}"})
        return bool(token) and connection.getresponse().status == HTTP_OK
    finally:
        connection.close()


def _new_token(places: Places) -> str:
    command = [sys.executable, "-m", "gateway", "token", "--name", "local-admin", "--role", "admin"]
    done = subprocess.run(command, cwd=places.root, capture_output=True, text=True, check=False)  # noqa: S603 - our own service
    try:
        return str(json.loads(done.stdout)["token"])
    except (ValueError, KeyError):
        raise TokenError(
            f"`python -m gateway token` printed no token (exit code {done.returncode}):\n{done.stderr}"
        ) from None
