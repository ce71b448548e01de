"""The data file itself: every code is documented, has a way out, and says to users only what users may read."""

import re

import msgspec
import pytest

from clearline.catalogue import Catalogue, Entry, load
from clearline.catalogue.entry import Variable
from clearline.catalogue.render import render
from clearline.catalogue.translator import parse
from clearline.catalogue.wording import NOT_KNOWN, placeholders

CATALOGUE: Catalogue = load()
ENTRIES = [pytest.param(entry, id=entry.code) for entry in CATALOGUE]

JARGON = re.compile(
    r"\b(tls|ssl|tcp|dns|https?|url|uri|json|yaml|sql|api|socket|handshake|timeout|timed out|null|none|exception|"
    r"stack|traceback|payload|schema|regex|header|etag|endpoint|envelope|kafka|postgres|outbox|topic|consumer|"
    r"parse|invalid|errno|string|boolean|integer|localhost)\b",
    re.IGNORECASE,
)
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|://|:\d{2,5}\b")


@pytest.mark.parametrize("entry", ENTRIES)
def test_code_is_a_plain_constant(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z]{2,}(_[A-Z]+)*", entry.code)
    assert len(entry.code) <= 32


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_language_says_what_to_do(entry: Entry) -> None:
    for locale, message in entry.messages.items():
        assert re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", locale)
        assert 3 <= len(message.title) <= 60
        assert not message.title.endswith(".")
        assert 1 <= len(message.remediation) <= 4
        assert all(len(step) > 10 and step.endswith(".") for step in message.remediation)


@pytest.mark.parametrize("entry", ENTRIES)
def test_user_message_is_short_and_ends_with_one_next_step(entry: Entry) -> None:
    for message in entry.messages.values():
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", message.user_message)
        assert len(sentences) == 2, "what happened, then one next step"
        assert len(message.user_message) <= 200
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize("entry", ENTRIES)
def test_user_message_has_no_jargon_and_no_address(entry: Entry) -> None:
    for message in entry.messages.values():
        for text in (message.title, message.user_message):
            assert not JARGON.search(text)
            assert not ADDRESS.search(text)


@pytest.mark.parametrize("entry", ENTRIES)
def test_messages_name_declared_variables_and_no_variable_is_idle(entry: Entry) -> None:
    for_users: set[str] = set()
    for message in entry.messages.values():
        for text in (message.title, message.user_message, *message.remediation):
            for_users |= placeholders(text)
    named = for_users | placeholders(entry.operator_summary)
    assert named == set(entry.variables)
    assert not [name for name in for_users if entry.variables[name].audience != "user"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_braces_are_placeholders_only(entry: Entry) -> None:
    texts = [entry.operator_summary]
    for message in entry.messages.values():
        texts += [message.title, message.user_message, *message.remediation]
    for text in texts:
        assert not re.search(r"[{}]", re.sub(r"\{[a-z_]+\}", "", text))


@pytest.mark.parametrize("entry", ENTRIES)
def test_http_status_fits_what_the_code_says(entry: Entry) -> None:
    status = entry.http_status
    match entry.domain, entry.retry_class:
        case _, "system":
            assert status == 500
            assert entry.fault_owner == "ours"
            assert entry.severity == "critical"
        case "verification", "transient":
            assert status in {409, 502, 503, 504}
        case "verification", "config":
            assert status in {422, 502}
        case "access", _:
            assert status in {401, 403}
        case _, "transient":
            assert status in {408, 409, 429, 503}
        case _:
            assert 400 <= status < 500
    if entry.fault_owner == "remote":
        assert entry.domain == "verification"


@pytest.mark.parametrize("entry", ENTRIES)
def test_examples_pass_their_own_bounds(entry: Entry) -> None:
    examples = {name: variable.example for name, variable in entry.variables.items()}
    told = CATALOGUE.translate(entry.code, examples)
    shown = " ".join([told.title, told.user_message, told.operator_summary, *told.remediation])
    assert NOT_KNOWN not in shown
    for name, example in examples.items():
        assert str(example) in shown, name


def test_operator_only_values_are_what_could_tell_an_address() -> None:
    hidden: dict[str, Variable] = {}
    for entry in CATALOGUE:
        hidden |= {name: variable for name, variable in entry.variables.items() if variable.audience == "operator"}
    assert {"host", "port", "address", "location", "url", "why", "user"} <= set(hidden)


@pytest.mark.parametrize("entry", ENTRIES)
def test_code_is_documented_at_its_anchor(entry: Entry) -> None:
    section = render(CATALOGUE).partition(f'<a id="{entry.code}"></a>')[2].partition("<a id=")[0]
    message = entry.messages["en"]
    for text in (message.title, message.user_message, entry.operator_summary, *message.remediation):
        assert text in section
    assert entry.docs_url == f"/docs/errors#{entry.code}"


GOOD = """
version = 1
[variables.port]
type = "integer"
audience = "operator"
description = "port"
example = 1
[codes.X]
domain = "request"
retry_class = "config"
fault_owner = "ours"
severity = "info"
http_status = 400
title = "T"
user_message = "M"
operator_summary = "S"
remediation = ["R"]
variables = ["port"]
"""


def test_a_good_file_is_read() -> None:
    assert set(parse(GOOD)[1]) == {"X"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('domain = "request"', 'domain = "elsewhere"'),
        ('severity = "info"', 'severity = "loud"'),
        ('remediation = ["R"]\n', ""),
        ('title = "T"', 'title = "T"\nsubtitle = "U"'),
        ('variables = ["port"]', 'variables = ["prot"]'),
        ("http_status = 400", 'http_status = "400"'),
    ],
)
def test_a_file_that_no_reader_would_understand_is_refused(old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises((msgspec.ValidationError, KeyError)):
        parse(GOOD.replace(old, new))
