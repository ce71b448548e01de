"""The first walk of an operations lead: configure, see why it does not work, mend it, prove it, let it go live."""

import json
import subprocess
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from tests.e2e.local_checkout import Checkout
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(300)
VERIFIED_WITHIN = 15.0  # seconds, the command's own start included; two on an idle machine, seven on a busy one


def show(running: Checkout, name: str) -> Any:
    return running.clearline("connections", "show", name)


def configure(running: Checkout, name: str, password: str) -> subprocess.CompletedProcess[str]:
    """The stack's own PostgreSQL as the service that is looked after."""
    place = urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"])
    return running.command(
        *("connections", "create", "--name", name, "--environment", "development", "--kind", "postgres"),
        *("--set", f"host={place.hostname}", "--set", f"port={place.port}", "--set", "database=clearline"),
        *("--set", f"user={place.username}", "--secret", "password=-", "--wait"),
        stdin=password + "\n",
    )


@pytest.fixture
def password(running: Checkout) -> str:
    return urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"]).password or ""


@pytest.fixture
def name(running: Checkout) -> str:
    del running  # only so that a name is made for a stack that is up
    return f"warehouse-{uuid4().hex[:8]}"


def test_a_working_connection_is_verified_and_activated(running: Checkout, name: str, password: str) -> None:
    began = time.monotonic()
    created = configure(running, name, password)
    took = time.monotonic() - began
    assert created.returncode == 0, created.stdout + created.stderr
    assert took < VERIFIED_WITHIN
    connection = show(running, name)
    assert connection["verification"]["status"] == "verified"
    steps = [step["name"] for step in connection["verification"]["steps"]]
    assert steps == ["resolve", "connect", "tls", "authenticate", "authorize", "exercise"]
    assert connection["lifecycle"] == "inactive"
    assert running.command("activate", name).returncode == 0
    assert show(running, name)["lifecycle"] == "active"


def test_a_wrong_password_is_told_at_its_field_and_closes_activation(
    running: Checkout, name: str, password: str
) -> None:
    assert configure(running, name, "not-the-password").returncode == 1
    failure = show(running, name)["verification"]["failure"]
    assert (failure["code"], failure["field"]) == ("AUTH_REJECTED", "/credentials/password")
    assert failure["message"]
    assert failure["remediation"]

    refused = running.command("activate", name)
    assert refused.returncode == 1
    assert "CONNECTION_NOT_VERIFIED" in refused.stdout + refused.stderr

    mended = running.command("connections", "edit", name, "--secret", "password=-", "--wait", stdin=password)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert running.command("activate", name).returncode == 0
    assert show(running, name)["live_revision"] == 2


def test_an_edit_of_a_live_connection_is_staged_and_the_live_revision_stays(
    running: Checkout, name: str, password: str
) -> None:
    configure(running, name, password)
    assert running.command("activate", name).returncode == 0
    assert running.command("connections", "edit", name, "--set", "database=nowhere", "--wait").returncode == 1
    connection = show(running, name)
    assert (connection["lifecycle"], connection["live_revision"], connection["staged_revision"]) == ("active", 1, 2)
    assert connection["verification"]["failure"]["code"] == "DATABASE_MISSING"
    assert connection["live"]["config"]["database"] == "clearline"
    assert running.command("activate", name).returncode == 1
    assert show(running, name)["live_revision"] == 1


async def test_one_id_is_followed_through_the_logs_of_every_service(running: Checkout, name: str) -> None:
    env, followed = running.env(), f"followed-{uuid4().hex}"
    headers = {"authorization": f"Bearer {env['CLEARLINE_TOKEN']}", "x-correlation-id": followed}
    config = {"host": "127.0.0.1", "port": running.base}
    draft = {"name": name, "environment": "development", "kind": "tcp", "config": config}
    async with httpx2.AsyncClient(trust_env=False, headers=headers) as client:
        created = await client.post(f"{env['CLEARLINE_URL']}/api/v1/connections", json=draft)
    assert created.status_code == 201, created.text
    await until(lambda: len(told_under(running, followed)) >= 2, within=20)
    command, end = told_under(running, followed)
    assert (command["service"], command["event"], command["status"]) == ("gateway", "command", "done")
    assert command["connection_id"] == created.json()["id"]
    assert (end["service"], end["event"], end["kind"]) == ("verifier", "verification ended", "tcp")
    assert end["verification_id"] == created.json()["verification"]["id"]


def told_under(running: Checkout, correlation_id: str) -> list[dict[str, Any]]:
    """Log lines of all services that carry this id."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(running.places.logs.glob("*.log"))]
    return [json.loads(line) for text in texts for line in text.splitlines() if correlation_id in line]
