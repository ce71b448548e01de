"""A line of output before anybody decides how it is printed; building one needs no terminal library."""

from dataclasses import dataclass

GLYPHS = {"passed": "✓", "failed": "✕", "skipped": "○", "pending": "…", "warning": "!"}
ASCII_GLYPHS = {"passed": "+", "failed": "x", "skipped": "-", "pending": ".", "warning": "!"}
STYLES = {
    "passed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "pending": "cyan",
    "warning": "yellow",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; the text is made plain when it is printed, whoever wrote it."""

    text: str
    style: str = ""
    indent: int = 0
    glyph: str | None = None
    """A key of GLYPHS."""
