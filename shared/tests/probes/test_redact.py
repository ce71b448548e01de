import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearline.probes.redact import LOOKED_INTO, MASK, PART, Redactor

SECRET = 'p4ss/w&rd "ü" <+>'


def spellings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        html.escape(secret),
        repr(secret),
        repr(raw),
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]


def traces(secret: str) -> list[str]:
    """What gives a secret away: half of it is enough."""
    raw = secret.encode()
    return [secret[: len(secret) // 2], raw.hex()[: len(raw)], base64.b64encode(raw).decode()[:10]]


@pytest.mark.parametrize("spelling", spellings(SECRET))
def test_every_spelling_of_a_secret_is_masked(spelling: str) -> None:
    text = Redactor([SECRET]).scrub(f"before {spelling} after")
    assert MASK in text
    assert not [trace for trace in traces(SECRET) if trace.lower() in text.lower()]
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize("user", ["u", "us", "use", "user"])
def test_basic_authentication_is_masked_at_every_alignment(user: str) -> None:
    header = base64.b64encode(f"{user}:hunter2secret".encode()).decode()
    scrubbed = Redactor(["hunter2secret"]).scrub(f"Authorization: Basic {header}")
    assert MASK in scrubbed
    assert "aHVudGVyMnNlY3JldA"[2:-3] not in scrubbed
    left = scrubbed.partition("Basic ")[2].replace(MASK, "")
    assert len(left) <= len(user) + 8


def test_a_cut_text_was_scrubbed_before_it_was_cut() -> None:
    line = Redactor(["hunter2secret"]).line("x" * 30 + "hunter2secret", 36)
    assert "hun" not in line
    assert len(line) <= 36


@pytest.mark.parametrize("spell", [str, quote, lambda text: base64.b64encode(text.encode()).decode()])
def test_what_a_server_repeats_of_a_long_secret_and_cuts_is_masked(spell: Callable[[str], str]) -> None:
    """Redis: unknown command 'AUTH', with args beginning with: '…', of which it shows 128 characters."""
    token = "eyJhbGciOiJSUzI1NiJ9." + "c2VjcmV0LW9mLWxhc3Rz" * 20
    scrubbed = Redactor([token]).scrub(f"beginning with: '{spell(token)[:128]}' 'x'")
    assert scrubbed == f"beginning with: '{MASK}' 'x'"


@pytest.mark.parametrize("length", [65, 200, 512])
def test_a_long_passphrase_is_masked_though_it_was_quoted_twice(length: int) -> None:
    secret = ('"a\'b" é+c/ d=\\' * 64)[:length]
    for written in (repr(json.dumps(secret)), json.dumps(json.dumps(secret)), quote(quote(secret))):
        left = Redactor([secret]).scrub(f"«{written}»").removeprefix("«").removesuffix("»").replace(MASK, "")
        assert set(left) <= set("\\'\""), left


def test_of_a_secret_that_was_cut_behind_its_first_piece_nothing_is_left() -> None:
    secret = "".join(map(chr, range(33, 127)))
    for end in range(PART, len(secret)):
        assert Redactor([secret]).scrub(secret[:end]) == MASK


def test_a_short_secret_is_masked_where_it_stands_alone() -> None:
    assert Redactor(["a"]).scrub("a bad day, a=a") == f"{MASK} bad day, {MASK}={MASK}"


def test_evidence_is_bounded_scrubbed_and_plain() -> None:
    evidence = Redactor(["hunter2"]).evidence(
        {"a": "hunter2\r\nforged", "b": ["x"] * 100, "c": {"d": {"e": {"f": {"g": 1}}}}, "n": 1.5, "hunter2": object()}
    )
    assert evidence["a"] == f"{MASK} forged"
    assert evidence["b"] == ["x"] * 23 + ["and 77 more"]
    assert Redactor([]).evidence(["x"] * 24) == ["x"] * 24
    assert "hunter2" not in json.dumps(evidence)
    assert len(json.dumps(Redactor([]).evidence({str(n): "x" * 10_000 for n in range(1000)}))) < 20_000


def test_each_line_of_a_secret_of_many_lines_is_masked() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAwEHBG0wawIBAQQg7c1x\n-----END PRIVATE KEY-----\n"
    redactor = Redactor([key])
    assert redactor.scrub("line 2: AwEHBG0wawIBAQQg7c1x, stopped") == "line 2: [redacted], stopped"
    assert redactor.scrub("MIGHAgEAMBMGByqGSM49") == "[redacted]"


def test_a_secret_that_comes_up_on_the_way_is_masked_from_then_on() -> None:
    redactor = Redactor(["first"])
    assert redactor.scrub("first second") == "[redacted] second"
    redactor.add("second")
    assert redactor.scrub("first second") == "[redacted] [redacted]"


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "repr": lambda text: repr(f"Bearer {text}"),
    "repr beside both quotes": lambda text: repr(f"Bearer ' \" {text}"),
    "repr of bytes": lambda text: repr(f"Bearer {text}".encode()),
    "repr of bytes beside both quotes": lambda text: repr(f"Bearer ' \" {text}".encode()),
    "repr of a repr": lambda text: repr(repr(f"Bearer ' \" {text}".encode())),
    "unicode_escape": lambda text: text.encode("unicode_escape").decode(),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "URL": quote,
    "form": quote_plus,
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex(),
}
ODD = st.text(st.sampled_from("'\"\\%&<> +/=ü€😀xun0aZ;"), max_size=12)
MARK = "Kw7Qz9Rv4Yt2Bn"


@pytest.mark.parametrize("written", WRITTEN)
@given(before=ODD, after=ODD)
@settings(max_examples=40, deadline=None)
def test_no_secret_is_left_however_a_library_or_a_server_writes_it(written: str, before: str, after: str) -> None:
    secret = f"{before}{MARK}{after}"
    scrubbed = Redactor([secret]).scrub(f"«{WRITTEN[written](secret)}»")
    left = scrubbed.removeprefix("«").removesuffix("»").replace("Bearer", "").replace(MASK, "")
    assert set(left) <= set("b'\"\\ "), scrubbed


@given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=20, max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_part_of_a_secret_is_left_where_a_server_shows_a_part(secret: str) -> None:
    for part in (secret[:18], secret[-18:]):
        assert Redactor([secret]).scrub(f"«{part}»") == f"«{MASK}»"


# Who chooses the secret may own the server that answers: each text can be cut in as many ways as the secret be written.
HOSTILE = [
    "\\'\"ü %" * 50,
    "é" * 64 + "abcd",
    "&amp;" * 50,
    "\\" * 50,
    "\\x5c" * 30 + "Z",
    "ü?" * 40 + "Zabc",
    "-.~" * 60,
    "\n" * 60 + "Z",
    '"' * 60 + "Z",
    "1\ufffd" * 60 + "Z",
    "1?\ufffdü" * 60 + "Z",
    "ä\\" * 30 + "Zabc",
    "." * 127 + "Z",
    "!" * 127 + "Z",
    *("".join(f"{unit * 63}{end}" for end in "ABCDEFGH") for unit in (".", "!", "\x83")),
]
REPEATED = ["\\", "'", "?", "\ufffd", "&amp;", "&amp;amp;", "\\x5c", "\\x0a", "\\x22", "%5c", "-"]
QUOTED = ["\\" * 15 + ".", "\\" * 15 + "x21", "%5c" * 15 + "."]


@pytest.mark.parametrize("secret", HOSTILE)
def test_looking_for_a_secret_takes_no_time_whatever_the_text_is(secret: str) -> None:
    redactor = Redactor([secret])
    begun = time.process_time()
    for text in (*REPEATED, *QUOTED, secret[:-1]):
        redactor.line(text * (1_000_000 // len(text)))
    assert time.process_time() - begun < 4  # a single text took longer


def test_the_bound_on_what_is_looked_into_leaves_no_part_of_a_secret() -> None:
    long, short = "0123456789" * 12, "hunter2!x"
    for cut in range(len(short)):  # the masks are so short that the end of what is looked into would be shown
        repeated = (long * 40)[: LOOKED_INTO - cut]
        assert "h" not in Redactor([long, short]).line(f"{repeated}{short} and more")


def test_a_question_mark_in_a_secret_is_found_where_others_stand_for_what_was_lost() -> None:
    secret = "pä?ß-wörd?"
    for encoding in ("ascii", "latin-1", "cp1252"):
        assert Redactor([secret]).scrub(secret.encode(encoding, "replace").decode(encoding)) == MASK
    assert Redactor(["????"]).scrub("Who? ????") == f"Who? {MASK}"
