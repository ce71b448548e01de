"""How one secret is written in what comes back: servers and libraries quote, escape and encode what they were sent."""

import base64
import html
import json
import re
from collections.abc import Iterator
from html.entities import codepoint2name
from itertools import groupby
from urllib.parse import quote, quote_plus

SHORT = 4
"""A secret below this length is only looked for where it stands alone: `a` is in every word."""
MANY = 512
"""Beyond it, escapes are not looked for one by one: tokens and keys of that length need none. Each character of a text
may be looked at once for each of the secret's."""
PIECE = 64
"""Characters of a long secret that are looked for together."""

_UNESCAPED = re.compile(r"[A-Za-z0-9_.~-]")
_LETTERS = {"\n": "n", "\r": "r", "\t": "t"}
_BACKSLASH = r"(?:\\(?:x5c|u005c|134)|%(?:25)*5c|&#(?:92|x5c);|\\(?!x5c|u005c|134))"
_BACKSLASHES = rf"{_BACKSLASH}{{0,16}}(?!{_BACKSLASH})"
"""All there are, up to those of a text quoted three times. No fewer: a hostile text could be cut in so many ways that
to try them takes for ever. (Possessive repeats would say the same; Python 3.11.2 errs in them.)"""
_LOST = "?\ufffd"
"""What stands in the place of characters that an encoding does not have."""


def spellings(secret: str) -> Iterator[str]:
    """Plain, URL-, JSON-, HTML-, SQL- and Python-escaped, hex, and base64 at each of the three alignments."""
    raw = secret.encode()
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield secret.replace("'", "''")
    for both in ("", "'\""):  # beside both quotes, Python escapes one of them
        yield repr(both + secret)[1 + len(both) + both.count("'") : -1]
        yield repr(both.encode() + raw)[2 + len(both) + both.count("'") : -1]
    yield raw.decode("latin-1")
    yield from (line for line in secret.splitlines()[1:-1] if len(line) > SHORT)  # of a key in PEM, each by itself
    if len(raw) >= SHORT:
        yield raw.hex()
        yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """The characters that the secret alone decides, wherever it stands in what was encoded (RFC 4648)."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def patterns_of(secret: str) -> Iterator[str]:
    """Find a secret of which each character may be escaped in a way of its own; a long one piece by piece.

    None where that would find too much or nothing: for a secret of backslashes only, and one that is very long.
    """
    if len(secret) <= MANY:
        for at in range(0, max(len(secret) - PIECE // 2, 1), PIECE):
            end = at + PIECE if len(secret) - at >= PIECE + PIECE // 2 else len(secret)  # no short one is left over
            if secret[at:end].strip("\\"):
                yield _pattern_of(secret[at:end])


def _pattern_of(secret: str) -> str:
    """Backslashes do not count."""
    written = re.findall(r"\\*[^\\]", secret)
    runs = [(kept, list(run)) for kept, run in groupby(written, _kept)]
    lossy = sum(len(run) for kept, run in runs if kept) >= SHORT
    whole = "".join(_run(run, lossy=lossy) for _, run in runs)
    last = f"{_BACKSLASH}{{0,16}}" if secret.endswith("\\") else ""
    # without the first backslashes: a text of many would be looked at from each of them
    return standing(whole.removeprefix(_BACKSLASHES) + last, secret)


def _kept(written: str) -> bool:
    """Whether every encoding has it. A question mark beside a lost one cannot be told from what stands for that."""
    return written.isascii() and written[-1] not in _LOST


def standing(pattern: str, secret: str) -> str:
    """The pattern; of a short secret only where it stands alone."""
    return pattern if len(secret) >= SHORT else rf"(?<!\w)(?:{pattern})(?!\w)"


def _run(run: list[str], *, lossy: bool) -> str:
    """Where some was lost, a question mark for each character or byte: one element for all, so that it fails fast."""
    each, characters = "".join(map(_written, run)), "".join(run)
    if not lossy or characters.isascii():
        return each
    other = "" if characters.strip(_LOST + "\\") else rf"(?![{_LOST}])"  # nothing can be read as both
    lost = rf"[{_LOST}](?:[{_LOST}\\]{{0,{4 * len(characters.encode())}}}[{_LOST}])?"  # it ends in one way only
    return rf"{_BACKSLASHES}(?:{other}{each.removeprefix(_BACKSLASHES)}|{lost})"


def _written(written: str) -> str:
    """A character with the backslashes that stand before it, and more where it may be escaped by one."""
    character = written[-1]
    if not _UNESCAPED.fullmatch(character):
        return f"{_BACKSLASHES}(?:{'|'.join(dict.fromkeys(_ways(character)))})"  # one way twice is two
    escaped = character in "-.~" or len(written) > 1
    return f"{_BACKSLASHES if escaped else ''}{re.escape(character)}"


def _ways(character: str) -> Iterator[str]:
    code, raw = ord(character), character.encode()
    yield rf"&#(?:0*{code}|x0*{code:x});"
    if name := codepoint2name.get(code, {"'": "apos"}.get(character)):
        yield f"&{name};"
    yield "".join(f"%(?:25)*{byte:02x}" for byte in raw)
    yield _escaped(f"x{byte:02x}" for byte in raw)
    yield _escaped(f"{byte:03o}" for byte in raw)
    yield _escaped([f"U{code:08x}"])
    halves = character.encode("utf-16-be").hex()
    yield _escaped(f"u{halves[at : at + 4]}" for at in range(0, len(halves), 4))
    if code < 256:  # noqa: PLR2004 - what one byte holds
        yield _escaped([f"x{code:02x}"])
    if letter := _LETTERS.get(character):
        yield _escaped([letter])
    yield re.escape(character)
    if character == " ":
        yield r"\+"
    if not character.isascii():
        yield re.escape(raw.decode("latin-1"))
        yield re.escape(raw.decode("ascii", "surrogateescape"))


def _escaped(parts: Iterator[str] | list[str]) -> str:
    """After the backslashes that the element begins with, and each further part after its own."""
    return r"(?<=\\)" + r"\\{1,8}".join(parts)
