"""A credential is sealed on the way in and stands nowhere else: bus, tables, logs, metrics and answers are searched.

A thousand secrets with a mark in common go in by every door (`secret_doors.py`); the mark is looked for in everything
that was written or answered, in every spelling, and the search is seen to find it in each place.
"""

import subprocess
from collections.abc import Iterable
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaProducer
from tests.e2e.collector import Collector
from tests.e2e.local_checkout import Checkout
from tests.e2e.secret_doors import HARD, Doors, Marks, repeating
from tests.e2e.secret_search import Place, files_below, pages, sightings, spellings, table_rows, topic_records
from tests.harness.waiting import until

pytestmark = pytest.mark.timeout(400)
PLANTED = 1000
SERVICES = 3
DECLARED = """
connections:
  - name: declared-{unique}
    environment: development
    kind: http
    config: {{url: "http://127.0.0.1:{port}/", auth: bearer}}
    credentials: {{token: "${{env:PLANTED_TOKEN}}"}}
  - name: declared-too-{unique}
    environment: development
    kind: postgres
    config: {{host: 127.0.0.1, port: {port}, database: d, user: u}}
    credentials: {{password: "${{file:{file}}}"}}
"""


def admin(running: Checkout) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.env()['CLEARLINE_TOKEN']}"}


async def everything(running: Checkout) -> list[Place]:
    """All that the stack has written down and all that it answers."""
    base, env = running.base, running.env()
    lists = ("/connections?limit=200", "/connections?lifecycle=retired", "/audit?limit=200", "/tokens", "/keys")
    found = [place async for place in topic_records(env["CLEARLINE_KAFKA_BOOTSTRAP_SERVERS"])]
    found += [place async for place in table_rows((running.places.keys / "clearline.dsn").read_text().strip())]
    found += files_below(running.places.logs, "log")
    found += pages([f"http://127.0.0.1:{port}/metrics" for port in (base, base + 1, base + 2)], "metrics")
    found += pages([f"{env['CLEARLINE_URL']}/api/v1{path}" for path in lists], "answer", admin(running))
    return found


def by_command_line(running: Checkout, doors: Doors, port: int) -> list[Place]:
    """What the command line prints while secrets go through it, both on stdout and stderr."""
    unique, folder = uuid4().hex[:8], running.folder
    (folder / "planted-secret").write_text(doors.fresh(doors.marks.hard))
    declared = DECLARED.format(unique=unique, port=port, file=folder / "planted-secret")
    (folder / "declared.yaml").write_text(declared)
    token = {"PLANTED_TOKEN": doors.fresh(doors.marks.soft)}
    done = [
        running.command("check", "-f", "declared.yaml", "--timeout", "5", **token),
        running.command("apply", "-f", "declared.yaml", "--dry-run", **token),
        running.command("apply", "-f", "declared.yaml", **token),
        running.command("export"),
        running.command("connections", "show", f"declared-{unique}"),
        running.command(
            *("connections", "edit", f"declared-{unique}", "--secret", "token=-", "--wait"),
            stdin=doors.fresh(doors.marks.soft),
        ),
        running.command("connections", "edit", f"declared-{unique}", "--set", f"token={doors.fresh(doors.marks.hard)}"),
        running.command("connections", "edit", f"declared-{unique}", "--secret", doors.fresh(doors.marks.hard)),
        running.command("connections", "history", f"declared-{unique}"),
        running.command("dead-letters", "list"),
    ]
    assert [each.returncode for each in done[2:5]] == [0, 0, 0], [each.stderr for each in done[2:5]]
    return [Place("command line", " ".join(each.args[1:3]), _printed(each)) for each in done]


def _printed(done: "subprocess.CompletedProcess[str]") -> bytes:
    return (done.stdout + done.stderr).encode()


async def plant(running: Checkout, canary: str) -> None:
    """Write the canary, in every spelling, where a leak would be."""
    env, texts = running.env(), list(spellings(canary).values())
    producer = AIOKafkaProducer(bootstrap_servers=env["CLEARLINE_KAFKA_BOOTSTRAP_SERVERS"])
    await producer.start()
    try:
        for text in texts:
            await producer.send_and_wait("clearline.dead-letters", text, key=b"canary", headers=[("canary", text)])
    finally:
        await producer.stop()
    owner = await asyncpg.connect((running.places.keys / "clearline.dsn").read_text().strip())
    try:
        for text in texts:
            await owner.execute(
                "insert into audit (principal, action, object_type, object_id, correlation_id) "
                "values ('test', 'plant', 'canary', $1, 'canary')",
                text.decode(),
            )
    finally:
        await owner.close()
    with (running.places.logs / "gateway.log").open("ab") as log:
        log.write(b"\n".join(texts) + b"\n")


def services_in(spans: Collector) -> set[bytes]:
    names = (b"gateway", b"gateway-project", b"verifier")
    return {name for name in names if any(name in body for body in spans.bodies)}


def kinds_of(found: Iterable[str], kind: str, name: str) -> set[str]:
    prefix = f"{kind} {name}: "
    return {each.removeprefix(prefix) for each in found if each.startswith(prefix)}


async def test_of_a_thousand_secrets_none_stands_anywhere_in_any_spelling(running: Checkout, spans: Collector) -> None:
    url = f"{running.env()['CLEARLINE_URL']}/api/v1"
    async with (
        repeating() as service,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=admin(running), timeout=30) as client,
    ):
        doors = Doors(client, service.port)
        printed = by_command_line(running, doors, service.port)
        while doors.planted < PLANTED:
            await doors.use_once()
        await doors.settled()
        await doors.look_at_everything()
        heard = [Place("service", "where they belong", service.received)]
    await until(lambda: len(services_in(spans)) == SERVICES, within=30, what="each service has sent spans")
    traces = [Place("traces", "spans", body) for body in spans.bodies]
    places = [*await everything(running), *doors.answers, *printed, *traces]
    kinds = {"topic", "table", "log", "metrics", "answer", "command line", "traces"}
    assert {place.kind for place in places} == kinds
    kept = {door: doors.statuses[door] - {429} for door in ("create", "edit", "test")}
    assert kept == {"create": {201}, "edit": {200}, "test": {202}}
    assert doors.statuses["misplaced"] | doors.statuses["malformed"] == {400, 422}
    leaks = [each for mark in doors.marks.each() for each in sightings(mark, places)]
    assert leaks == []
    assert all(sightings(mark, heard) for mark in (doors.marks.hard, doors.marks.soft)), "they were opened and used"


async def test_the_search_finds_a_canary_in_every_place_and_spelling(running: Checkout) -> None:
    canary = Marks().hard
    assert HARD in canary
    await plant(running, canary)
    found = sightings(canary, await everything(running))
    for kind, name in (("topic", "clearline.dead-letters"), ("table", "audit"), ("log", "gateway.log")):
        assert kinds_of(found, kind, name) == set(spellings(canary)), f"{kind} {name}"
    # A metrics page and an answer are read as they are: what they surely hold is found in them.
    assert sightings("clearline_build_info", pages([f"http://127.0.0.1:{running.base + 2}/metrics"], "metrics"))
    assert sightings(
        "local-admin", pages([f"{running.env()['CLEARLINE_URL']}/api/v1/tokens"], "answer", admin(running))
    )
