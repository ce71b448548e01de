"""Options that several commands share, said once."""

from pathlib import Path
from typing import Annotated

import typer

from clearline.cli.surroundings import OutputForm

Name = Annotated[str, typer.Argument(metavar="NAME", help="environment/name, an id, or a bare name if only one fits.")]
Output = Annotated[OutputForm, typer.Option("--output", "-o", help="What to print on standard output.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the verification step by step and wait for its end.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, max=3600, metavar="SECONDS", help="How long --wait waits.")]
DEFAULT_TIMEOUT = 90.0
"""Seconds: the ladder takes at most 60, the queue before it is short."""

Environment = Annotated[
    str | None, typer.Option("--environment", metavar="ENVIRONMENT", help="development, staging or production.")
]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="See: clearline kinds.")]
SetFields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A config field, typed by the kind's form. Repeatable."),
]
Unset = Annotated[list[str] | None, typer.Option("--unset", metavar="FIELD", help="Back to its default. Repeatable.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="FIELD[=SOURCE]",
        help="A secret: asked for without echo, or from - (standard input), ${env:NAME} or ${file:PATH}. Repeatable.",
    ),
]
File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="A connection in YAML or JSON, as in the guide.")
]
Files = Annotated[
    list[str],
    typer.Option(
        "--file", "-f", metavar="FILE", help="Connections in YAML or JSON: a file, a folder, or - (stdin). Repeatable."
    ),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="Only this one of the files. Repeatable.")
]
Owner = Annotated[str | None, typer.Option("--owner", metavar="OWNER", help="Who is paged for it: one word.")]
BeatInterval = Annotated[int | None, typer.Option("--beat-interval", metavar="SECONDS", help="Time between beats.")]
BeatTimeout = Annotated[int | None, typer.Option("--beat-timeout", metavar="SECONDS", help="Longest time for a beat.")]
FailureThreshold = Annotated[
    int | None, typer.Option("--failure-threshold", metavar="N", help="Failed beats in a row that open an incident.")
]
RecoveryThreshold = Annotated[
    int | None, typer.Option("--recovery-threshold", metavar="N", help="Good beats in a row that end it.")
]
