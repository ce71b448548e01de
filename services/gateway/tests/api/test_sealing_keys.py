"""`/keys`: what is under which key, and that a rotation is begun once, by whoever may, for the key that is current."""

from datetime import timedelta

from services.gateway.tests.api_stand import ApiStand
from services.gateway.tests.migrated import add_connection, add_verification

from gateway.queries.sealing_keys import REQUESTS_KEPT


async def test_keys_and_a_rotation_are_told_and_asking_twice_begins_one(stand: ApiStand) -> None:
    await add_connection(stand.owner)
    admin = await stand.client_of("admin")
    seen = (await admin.get("/keys")).json()
    current = seen["current_key_id"]
    assert [(each["key_id"], each["envelopes"], each["current"]) for each in seen["items"]] == [
        ("k1", 1, False),
        (current, 0, True),
    ]
    assert seen["items"][0]["last_named_at"], "a stored envelope names it now, whether or not the clock has looked"
    assert (seen["envelopes_left"], seen["rotation"]) == (1, None)
    first = await admin.post("/keys:rotate", json={"key_id": current})
    assert first.status_code == 202, first.text
    again = await admin.post("/keys:rotate")
    assert first.json()["rotation"]["status"] == "running"
    assert again.json()["rotation"]["id"] == first.json()["rotation"]["id"]
    actions = await stand.owner.fetch("select action, object_type, environment from audit")
    assert [tuple(row) for row in actions] == [("keys.rotation_requested", "key_rotation", None)]
    shown = (await admin.get("/audit", params={"action": "keys.rotation_requested"})).json()["items"]
    assert shown[0]["before"] == {"envelopes": {"k1": 1}}


async def test_what_a_verification_could_not_open_is_told_until_it_opens(stand: ApiStand) -> None:
    connection_id = await add_connection(stand.owner)
    admin = await stand.client_of("admin")

    async def unreadable() -> int:
        [key] = [each for each in (await admin.get("/keys")).json()["items"] if each["key_id"] == "k1"]
        return int(key["unreadable"])

    assert await unreadable() == 0
    failed = await add_verification(stand.owner, connection_id)
    await stand.end_verification(str(failed), "failed")
    assert await unreadable() == 0, "it failed for another reason"
    lost = await add_verification(stand.owner, connection_id)
    await stand.end_verification(str(lost), "failed", code="CREDENTIALS_UNREADABLE")
    assert await unreadable() == 1
    await stand.end_verification(str(await add_verification(stand.owner, connection_id)))
    assert await unreadable() == 0


async def test_nothing_to_do_begins_nothing(stand: ApiStand) -> None:
    admin = await stand.client_of("admin")
    answered = await admin.post("/keys:rotate")
    assert (answered.status_code, answered.json()["rotation"]) == (202, None)
    assert await stand.owner.fetchval("select count(*) from audit") == 0


async def test_a_gateway_with_another_key_refuses(stand: ApiStand) -> None:
    admin = await stand.client_of("admin")
    refused = await admin.post("/keys:rotate", json={"key_id": "0123456789abcdef"})
    assert (refused.status_code, refused.json()["code"]) == (409, "SEALING_KEY_CHANGED")


async def test_only_an_admin_of_the_whole_installation_rotates(stand: ApiStand) -> None:
    await add_connection(stand.owner)
    operator = await stand.client_of("operator")
    assert (await operator.get("/keys")).status_code == 403
    assert (await operator.post("/keys:rotate")).status_code == 403
    partly = await stand.client_of("admin", ("development",))
    assert (await partly.get("/keys")).status_code == 200
    refused = await partly.post("/keys:rotate")
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")


async def test_a_key_may_go_a_topics_retention_after_the_last_row_that_named_it(stand: ApiStand) -> None:
    async def told(age: timedelta) -> tuple[bool, bool]:
        await stand.owner.execute(
            "insert into sealing_keys values ('k0', now() - interval '9 days', clock_timestamp() - $1::interval) "
            "on conflict (key_id) do update set last_named_at = excluded.last_named_at",
            age,
        )
        admin = await stand.client_of("admin")
        [key] = [each for each in (await admin.get("/keys")).json()["items"] if each["key_id"] == "k0"]
        return key["removable"], key["removable_at"] is not None

    assert await told(REQUESTS_KEPT - timedelta(minutes=1)) == (False, True)
    assert await told(REQUESTS_KEPT + timedelta(minutes=1)) == (True, True)
    insert = "insert into outbox (topic, key, headers, value, created_at) values ('t', 'k', '[]', '', $1)"
    await stand.owner.execute(insert, await stand.owner.fetchval("select now() - interval '8 days'"))
    assert await told(REQUESTS_KEPT + timedelta(minutes=1)) == (False, False), "an event that Kafka did not take yet"
