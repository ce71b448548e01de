"""What becomes of a batch's rows, by what Kafka said of each. No I/O."""

from aiokafka.errors import ProducerClosed

from clearline.chassis.delivery import ConnectionReplaced, Delivery, Extent, Outgoing, RawRecord, Receipt, receipt_of
from clearline.contracts.topics import CONNECTIONS
from gateway.relay_batch import Row, Settled, row_of, settle

ACK, REFUSED = Receipt(Delivery.ACKNOWLEDGED), Receipt(Delivery.REFUSED, "too large")
HELD, UNKNOWN = Receipt(Delivery.HELD), Receipt(Delivery.UNKNOWN, "timed out")


def settled(keys: str, *receipts: Receipt) -> Settled:
    out = Outgoing(CONNECTIONS, RawRecord(b"k", b"v", ()))
    return settle([Row(number, key, out) for number, key in enumerate(keys, start=1)], receipts)


def deleted(found: Settled) -> list[int]:
    return [row.id for row in found.delete]


def test_what_was_acknowledged_goes() -> None:
    found = settled("ab", ACK, ACK)
    assert (deleted(found), found.park, found.kafka_is_away) == ([1, 2], [], None)


def test_a_refused_one_is_parked_and_its_successors_stay() -> None:
    found = settled("aab", REFUSED, HELD, ACK)
    assert (deleted(found), found.park) == ([3], [(1, "too large")])


def test_an_acknowledged_one_goes_again_when_an_earlier_one_of_its_key_must() -> None:
    found = settled("aab", UNKNOWN, ACK, ACK)
    assert deleted(found) == [3]
    assert found.stuck == {(CONNECTIONS.name, "a"): "timed out"}
    assert (CONNECTIONS.name, "a") not in found.taken
    assert found.kafka_is_away is None, "it took others"


def test_kafka_is_away_when_nothing_was_taken() -> None:
    found = settled("ab", UNKNOWN, UNKNOWN)
    assert (found.kafka_is_away, found.stuck, found.moved) == ("timed out", {}, False)


def test_a_topic_or_a_partition_that_is_not_there_is_stuck_whatever_else_was_taken() -> None:
    no_topic, no_leader = (Receipt(Delivery.UNKNOWN, "no", extent) for extent in (Extent.TOPIC, Extent.PARTITION))
    for others, away in ((ACK, None), (UNKNOWN, "timed out")):
        found = settled("abc", no_topic, no_leader, others)
        assert found.stuck == {(CONNECTIONS.name, None): "no", (CONNECTIONS.name, "b"): "no"}
        assert (found.kafka_is_away, found.moved) == (away, True)


def test_what_fails_while_others_go_is_stuck_and_what_fails_for_another_goes_again_at_once() -> None:
    out = Outgoing(CONNECTIONS, RawRecord(b"k", b"v", ()))
    found = settle([Row(1, "a", out)], [UNKNOWN], others_went=True)
    assert (found.stuck, found.kafka_is_away) == ({(CONNECTIONS.name, "a"): "timed out"}, None)
    for gone in (ConnectionReplaced(), ProducerClosed()):  # under way, or about to be, on what another one cost
        found = settle([Row(1, "a", out)], [receipt_of(gone)], others_went=True)
        assert (found.stuck, found.kafka_is_away, found.delete, found.moved) == ({}, None, [], True)


def test_a_refused_one_behind_an_unknown_one_is_not_parked_yet() -> None:
    assert settled("aa", UNKNOWN, REFUSED).park == []


def test_what_a_newer_version_wrote_goes_out_too() -> None:
    columns = {"id": 1, "topic": "clearline.of-tomorrow", "key": "k", "headers": [["ce_id", "1"]], "value": b"{}"}
    row = row_of(columns, {})
    assert row.outgoing.topic.name == "clearline.of-tomorrow"
    assert row.outgoing.record == RawRecord(b"k", b"{}", (("ce_id", b"1"),))


def test_a_tombstone_has_no_value() -> None:
    columns = {"id": 1, "topic": CONNECTIONS.name, "key": "k", "headers": [], "value": None}
    assert row_of(columns, {CONNECTIONS.name: CONNECTIONS}).outgoing == Outgoing(CONNECTIONS, RawRecord(b"k", None, ()))
