"""The steps of a start that talk to Postgres: the logins' passwords and the administrator's token."""

import asyncio
import http
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
from deploy.local.keys import LOGINS, password_of, read_env, update_env
from deploy.local.places import Places

OWNER_DSN = "CLEARLINE_POSTGRES_MIGRATE_DSN_FILE"

_LOCAL_ADMIN = ("--name", "local-admin", "--role", "admin", "--replace")  # nobody uses the one that the file lost


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
    """Keep the administrator's token in `.clearline/env` unless the gateway refuses it; then make another."""
    env = read_env(places.env_file)
    port = int(env["CLEARLINE_URL"].rsplit(":", 1)[1])
    match session_status(port, env.get("CLEARLINE_TOKEN", "")):
        case http.HTTPStatus.OK:
            return
        case http.HTTPStatus.UNAUTHORIZED:
            update_env(places.env_file, {"CLEARLINE_TOKEN": _new_token(places)})
        case other:
            raise TokenError(f"the gateway answered {other} when asked whether it knows the token")


def session_status(port: int, token: str) -> int:
    """Ask the gateway itself. http.client knows no proxies, which would swallow a request to loopback."""
    sendable = token.isascii() and token.isprintable() and token  # a damaged one could not be put into a header
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1/session", headers={"Authorization": f"Bearer {token}"} if sendable else {})
        return connection.getresponse().status
    finally:
        connection.close()


def _new_token(places: Places) -> str:
    command = [sys.executable, "-m", "gateway", "token", *_LOCAL_ADMIN]
    done = subprocess.run(command, cwd=places.root, capture_output=True, text=True, check=False)  # noqa: S603 - our own service
    try:
        return str(json.loads(done.stdout)["token"])
    except (ValueError, KeyError):
        raise TokenError(
            f"`python -m gateway token` printed no token (exit code {done.returncode}):\n{done.stderr}"
        ) from None
