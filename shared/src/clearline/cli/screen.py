"""Everything that a command prints: for people on a terminal, as clean lines in a pipe, or as JSON."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from clearline.cli.lines import ASCII_GLYPHS, GLYPHS, STYLES, Line
from clearline.cli.plain_text import plain, plain_json
from clearline.cli.surroundings import OutputForm, Surroundings


class Progress:
    """Lines that grow while something goes on."""

    def __init__(self, screen: "Screen", live: Live | None, waiting: str) -> None:
        self._screen = screen
        self._live = live
        self._spinner = Spinner("dots" if screen.unicode else "line", waiting, style="cyan") if live else None
        self._shown = 0

    def show(self, lines: Sequence[Line], *, over: bool = False) -> None:
        """All lines so far. In a pipe only those are printed that are new."""
        if self._live is None:
            for line in lines[self._shown :]:
                self._screen.line(line)
            self._shown = len(lines)
        else:
            parts = [self._screen.rendered(line) for line in lines]
            self._live.update(Group(*parts) if over or not self._spinner else Group(*parts, self._spinner))


class Screen:
    """Results go to stdout, everything said beside them to stderr."""

    def __init__(self, surroundings: Surroundings, form: OutputForm) -> None:
        self.form = form
        for stream in (surroundings.stdout, surroundings.stderr):
            _never_fail_on_a_character(stream)
        environ = dict(surroundings.environ)
        self._out = _console(surroundings.stdout, environ)
        self._err = _console(surroundings.stderr, environ)
        self.unicode = (getattr(surroundings.stdout, "encoding", None) or "utf-8").lower().startswith("utf")

    @property
    def wants_json(self) -> bool:
        """Whether stdout is for a program."""
        return self.form is OutputForm.JSON

    def line(self, line: Line | str = "") -> None:
        """Print one line of the result."""
        self._print(self._out, Line(line) if isinstance(line, str) else line)

    def note(self, line: Line | str) -> None:
        """Say something beside the result, on stderr."""
        self._print(self._err, Line(line) if isinstance(line, str) else line)

    def json(self, body: Any, *, error: bool = False) -> None:
        """Print one JSON document."""
        stream = self._err.file if error else self._out.file
        stream.write(plain_json(body, ascii_only=not self.unicode) + "\n")
        stream.flush()

    def raw(self, text: str) -> None:
        """Print a text that was made for files: nothing in it is folded or replaced."""
        self._out.file.write(text)
        self._out.file.flush()

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows under headers: folded to the width on a terminal, one row a line in a pipe."""
        cells = [[plain(cell) for cell in row] for row in rows]
        if not self._out.is_terminal:
            for aligned in _aligned([list(headers), *cells]):
                self._print(self._out, Line(aligned))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        self._out.print(table)

    @contextmanager
    def progress(self, waiting: str) -> Iterator[Progress]:
        """Lines that grow; on a terminal with a sign of life under them."""
        if self._out.is_terminal and not self._out.is_dumb_terminal:
            with Live(console=self._out, refresh_per_second=10) as live:
                yield Progress(self, live, waiting)
        else:
            yield Progress(self, None, waiting)

    @contextmanager
    def quiet_progress(self, waiting: str) -> Iterator[None]:
        """A sign of life on a terminal, and nothing in a pipe, while all is done at once."""
        if self.wants_json:
            yield
            return
        with self.progress(waiting) as progress:
            progress.show([])
            yield
            progress.show([], over=True)

    def rendered(self, line: Line) -> Padding:
        """The line for a terminal: wrapped under its own indentation."""
        return Padding(self._text(line), (0, 0, 0, line.indent), expand=False)

    def _print(self, console: Console, line: Line) -> None:
        if console.is_terminal:
            console.print(self.rendered(line))
        else:
            console.file.write(" " * line.indent + self._text(line).plain + "\n")
            console.file.flush()

    def _text(self, line: Line) -> Text:
        if line.glyph is None:
            return Text(plain(line.text), style=line.style)
        glyph = (GLYPHS if self.unicode else ASCII_GLYPHS)[line.glyph]
        return Text.assemble((glyph, STYLES[line.glyph]), " ", (plain(line.text), line.style))


def _console(stream: TextIO, environ: dict[str, str]) -> Console:
    return Console(file=stream, markup=False, emoji=False, highlight=False, _environ=environ)


def _never_fail_on_a_character(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
