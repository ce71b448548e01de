"""An nginx with a page behind a password, and one that nobody may see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.harness.authority import Authority
from tests.harness.nginx import PROGRAM, nginx
from tests.harness.nowhere import NO_SUCH_HOST, unanswered
from tests.harness.programs import program
from tests.verification.case import Cases

USER, PASSWORD = "shop", "s3cret-0f-the-shop"
_LOCATIONS = """
auth_basic "orders"; auth_basic_user_file {users};
location /orders {{ try_files /nothing @answer; }}
location /salaries {{ try_files /nothing @refusal; }}
location @answer {{ return 200 "ok"; }}
location @refusal {{ return 403; }}
"""
"""`return` comes before the password is asked for; behind `try_files` it comes after."""


@asynccontextmanager
async def http_cases(folder: Path) -> AsyncIterator[Cases]:
    authority = Authority()
    users = folder / "users"
    users.write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    locations = _LOCATIONS.format(users=users)
    async with (
        nginx(program(**PROGRAM), folder, locations=locations, certificate=authority.issue("localhost")) as server,
        unanswered() as (closed, mute),
    ):

        def url(port: int, path: str = "/orders", host: str = "localhost") -> dict[str, str]:
            return {"url": f"https://{host}:{port}{path}"}

        good = {"auth": "basic", "username": USER, "ca_certificate": authority.pem} | url(server.tls_port)
        secret = {"password": PASSWORD}
        yield {
            "good": (good, secret),
            "wrong host": (good | url(server.tls_port, host=NO_SUCH_HOST), secret),
            "wrong port": (good | url(closed), secret),
            "wrong TLS": (good | url(server.port), secret),
            "wrong credentials": (good, {"password": "wr0ng"}),
            "missing permission": (good | url(server.tls_port, "/salaries"), secret),
            "silent server": (good | {"url": f"http://127.0.0.1:{mute}", "ca_certificate": None}, secret),
        }
