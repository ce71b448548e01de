"""`make sealing-key` and `make restart` as the guide tells them: a new key is taken into use while the stack runs."""

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from tests.e2e.local_checkout import Checkout

from clearline.probes.sealing import key_id, public_of

pytestmark = pytest.mark.timeout(300)


def kept_keys(running: Checkout) -> list[str]:
    """Ids of the private keys, the current one first."""
    return [key_id(public_of(each)) for each in (running.places.keys / "sealing").read_text().split()]


def test_a_new_sealing_key_is_taken_into_use_and_what_is_stored_follows(running: Checkout) -> None:
    place, name = urlsplit(running.env()["CLEARLINE_POSTGRES_DSN"]), f"sealed-{uuid4().hex[:8]}"
    created = running.command(
        *("connections", "create", "--name", name, "--environment", "development", "--kind", "postgres"),
        *("--set", f"host={place.hostname}", "--set", f"port={place.port}", "--set", "database=clearline"),
        *("--set", f"user={place.username}", "--secret", "password=-", "--wait"),
        stdin=place.password or "",
    )
    assert created.returncode == 0, created.stderr
    before, pids = kept_keys(running), running.pids()
    made = running.make("sealing-key")
    assert made.returncode == 0, made.stderr
    new, *others = kept_keys(running)
    assert others == before
    assert new in made.stdout
    assert {each for each, pid in running.pids().items() if pids[each] != pid} == {"gateway", "verifier"}

    rotated = running.command("keys", "rotate", "--wait", "--timeout", "50")
    assert rotated.returncode == 0, rotated.stdout + rotated.stderr
    told = running.clearline("keys", "status")
    assert (told["current_key_id"], told["envelopes_left"]) == (new, 0)
    assert running.command("verify", name, "--wait").returncode == 0, "it opens with the new key"


def test_a_process_that_does_not_run_is_not_restarted(running: Checkout) -> None:
    pids = running.pids()
    done = running.make("restart", "SERVICE=nobody")
    assert done.returncode != 0
    assert "no process nobody runs; there are" in done.stderr
    assert "Traceback" not in done.stderr
    assert running.pids() == pids
