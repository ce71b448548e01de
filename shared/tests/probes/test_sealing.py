import base64
import random
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import Envelope
from clearline.probes.sealing import Opener, Sealer, generate_key_pair, key_id, public_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = {"subject": "c1", "kind": "postgres", "field": "password", "destination": "postgres://db:5432?tls=require"}


def sealed(public: str, text: str = "hunter2") -> Envelope:
    return Sealer(public).seal(text, **PLACE, now=NOW)


def test_what_is_sealed_opens_at_its_place_and_says_when_and_for_which_key() -> None:
    private, public = generate_key_pair()
    envelope = sealed(public, "pässword")
    assert Opener([private]).open(envelope, **PLACE) == "pässword"
    assert envelope.changed_at == NOW
    assert envelope.key_id == key_id(public) == key_id(public_of(private))
    assert len(envelope.key_id) == 16
    assert "=" not in envelope.sealed
    assert sealed(public).sealed != sealed(public).sealed


@pytest.mark.parametrize("part", PLACE)
def test_an_envelope_that_was_moved_does_not_open(part: str) -> None:
    private, public = generate_key_pair()
    with pytest.raises(ClearlineError) as refused:
        Opener([private]).open(sealed(public), **(PLACE | {part: PLACE[part] + "x"}))
    assert refused.value.code == "CREDENTIALS_UNREADABLE"
    assert refused.value.pointer is not None
    assert refused.value.pointer.startswith("/credentials/password")


def test_parts_are_bound_apart_from_each_other() -> None:
    private, public = generate_key_pair()
    envelope = Sealer(public).seal("s", subject="a", kind="bc", field="f", destination="d", now=NOW)
    with pytest.raises(ClearlineError):
        Opener([private]).open(envelope, subject="ab", kind="c", field="f", destination="d")


def test_every_altered_character_is_noticed() -> None:
    private, public = generate_key_pair()
    envelope = sealed(public)
    opener = Opener([private])
    for index, character in enumerate(envelope.sealed):
        for other in ("A", "B", "=", "*"):
            if other == character:
                continue
            text = envelope.sealed[:index] + other + envelope.sealed[index + 1 :]
            with pytest.raises(ClearlineError):
                opener.open(msgspec.structs.replace(envelope, sealed=text + "A" * (index % 2)), **PLACE)
    for text in ("", "A", envelope.sealed[:-4], envelope.sealed + "AAAA"):
        with pytest.raises(ClearlineError):
            opener.open(msgspec.structs.replace(envelope, sealed=text), **PLACE)


def test_of_a_thousand_moved_or_altered_envelopes_none_opens() -> None:
    chance = random.Random(20261122)  # noqa: S311 - a replayable choice, not a secret
    private, public = generate_key_pair()
    opener, sealer = Opener([private]), Sealer(public)
    refused = 0
    for number in range(1000):
        place = PLACE | {"subject": f"c{number}"}
        envelope = sealer.seal("hunter2", **place, now=NOW)
        if number % 2:
            part = chance.choice(list(place))
            place |= {part: place[part][:-1] if chance.random() < 0.5 else place[part] + chance.choice("/x0\u0000")}
        else:
            raw = bytearray(base64.urlsafe_b64decode(envelope.sealed + "=" * (-len(envelope.sealed) % 4)))
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
            envelope = msgspec.structs.replace(envelope, sealed=text)
        with pytest.raises(ClearlineError) as error:
            opener.open(envelope, **place)
        refused += error.value.code == "CREDENTIALS_UNREADABLE"
    assert refused == 1000


def test_keys_rotate_and_a_retired_one_opens_nothing() -> None:
    (old_private, old_public), (new_private, new_public) = generate_key_pair(), generate_key_pair()
    both = Opener([new_private, old_private])
    assert both.open(sealed(old_public), **PLACE) == both.open(sealed(new_public), **PLACE) == "hunter2"
    assert both.key_ids == {key_id(old_public), key_id(new_public)}
    with pytest.raises(ClearlineError) as refused:
        Opener([new_private]).open(sealed(old_public), **PLACE)
    assert refused.value.code == "CREDENTIALS_UNREADABLE"


@pytest.mark.parametrize("text", ["", "hunter2", "A" * 43 + "!", "A" * 40])
def test_a_text_that_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="not a sealing key") as refused:
        Opener([text])
    assert not text or text not in str(refused.value)
    with pytest.raises(ValueError, match="not a sealing key"):
        Sealer(text)


def test_a_sealer_holds_nothing_that_opens() -> None:
    private, public = generate_key_pair()
    sealer = Sealer(public)
    assert private not in repr(vars(sealer))
    assert not hasattr(sealer, "open")


def test_sealing_needs_cryptography_and_no_client_library() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('aiohttp', 'asyncpg', 'aiokafka', 'fastapi')));"
        "import clearline.probes.sealing"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter


def test_of_a_thousand_moved_and_altered_envelopes_none_opens() -> None:
    """S2: half are presented at another place, half have one bit of their bytes turned; the untouched ones open."""
    private, public = generate_key_pair()
    opener, chance = Opener([private]), random.Random(4)  # noqa: S311 - repeatable, not secret
    refused = 0
    for number in range(1000):
        place = PLACE | {"subject": f"c{number}"}
        envelope = Sealer(public).seal(f"secret-{number}", **place, now=NOW)
        assert opener.open(envelope, **place) == f"secret-{number}"
        if number % 2:
            part = chance.choice(sorted(PLACE))
            place = place | {part: f"{place[part]}-elsewhere"}
        else:
            raw = bytearray(base64.urlsafe_b64decode(envelope.sealed + "=" * (-len(envelope.sealed) % 4)))
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            envelope = msgspec.structs.replace(envelope, sealed=base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
        with pytest.raises(ClearlineError) as error:
            opener.open(envelope, **place)
        refused += error.value.code == "CREDENTIALS_UNREADABLE"
    assert refused == 1000


def test_resealing_keeps_secret_place_and_time_and_takes_the_first_key() -> None:
    (old, old_public), (new, new_public) = generate_key_pair(), generate_key_pair()
    opener = Opener([new, old])
    assert opener.current_key_id == key_id(new_public)
    again = opener.reseal(sealed(old_public, "hunter2"), **PLACE)
    assert (again.key_id, again.changed_at) == (key_id(new_public), NOW)
    assert Opener([new]).open(again, **PLACE) == "hunter2"
    with pytest.raises(ClearlineError):
        opener.reseal(sealed(old_public, "hunter2"), **(PLACE | {"destination": "postgres://evil:5432?tls=require"}))
