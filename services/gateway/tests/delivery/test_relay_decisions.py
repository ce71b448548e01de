"""What becomes of a batch's rows, by what Kafka said of each. No I/O."""

from clearline.chassis.delivery import Delivery, Outgoing, RawRecord, Receipt
from clearline.contracts.topics import CONNECTIONS
from gateway.relay import Row, settle

ACK, REFUSED = Receipt(Delivery.ACKNOWLEDGED), Receipt(Delivery.REFUSED, "too large")
HELD, UNKNOWN = Receipt(Delivery.HELD), Receipt(Delivery.UNKNOWN, "timed out")


def rows(keys: str) -> list[Row]:
    out = Outgoing(CONNECTIONS, RawRecord(b"k", b"v", ()))
    return [Row(number, CONNECTIONS.name, key, out) for number, key in enumerate(keys, start=1)]


def test_what_was_acknowledged_goes() -> None:
    settled = settle(rows("ab"), {1: ACK, 2: ACK})
    assert (settled.delete, settled.park, settled.kafka_is_away) == ([1, 2], [], None)


def test_a_refused_one_is_parked_and_its_successors_stay() -> None:
    settled = settle(rows("aab"), {1: REFUSED, 2: HELD, 3: ACK})
    assert (settled.delete, settled.park) == ([3], [(1, "too large")])


def test_an_acknowledged_one_goes_again_when_an_earlier_one_of_its_key_must() -> None:
    settled = settle(rows("aab"), {1: UNKNOWN, 2: ACK, 3: ACK})
    assert settled.delete == [3]
    assert settled.kafka_is_away == "timed out"


def test_a_refused_one_behind_an_unknown_one_is_not_parked_yet() -> None:
    assert settle(rows("aa"), {1: UNKNOWN, 2: REFUSED}).park == []


def test_an_event_for_a_topic_that_nobody_knows_is_parked() -> None:
    settled = settle([Row(1, "clearline.gone", "a", None), *rows("a")[:0]], {})
    assert settled.park == [(1, "no topic 'clearline.gone' is known")]
