"""Makes docs/quality/verification.md: `python -m tests.verification.table [--check]` climbs every cell for real."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.verification.case import COLUMNS, Form
from tests.verification.stands import STANDS

from clearline.chassis.clock import SystemClock
from clearline.contracts.verification import Step
from clearline.generated import NOTICE, run
from clearline.probes import dial
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.registry import KINDS

COMMAND = "python -m tests.verification.table"
PAGE = "docs/quality/verification.md"
LOCAL = OutboundPolicy.parse(["127.0.0.0/8", "::1/128"])
PATIENCE = Limits(step_seconds=2.0)
"""For a server that says nothing; the others have the usual time, however loaded the machine is."""

Cells = Mapping[str, str]

_INTRODUCTION = """\
What a verification of each kind says of a server that is right, and of one thing at a time that is not: the code of the
[catalogue](../errors/README.md), the step that failed, the field that is pointed at. Each cell is what the real ladder
gave on a real server, not what somebody wrote down; a test climbs them all again and compares.
"""

_EXPLANATIONS = """
- *wrong host*: a name that does not exist. *wrong port*: nobody listens there.
- *wrong TLS*: encryption is expected and the port speaks plainly; for `tls`, the server's authority is not the one that
  is trusted.
- *wrong credentials*: a wrong password or key; for `tls`, a client certificate of an authority that the server does not
  know.
- *missing permission*: the credentials are right, and one thing that the config names is not allowed; for `dns`, a name
  server that does not answer for the zone.
- *silent server*: it accepts the connection (or the datagram) and never says a word. `tcp` asks for no more than that.
"""


async def climbed(kind_name: str, form: Form, *, limits: Limits | None = None) -> Verdict:
    """One climb, as the verifier does it."""
    kind = KINDS[kind_name]
    config = parse_config(kind, form[0])
    credentials = parse_credentials(kind, form[1], config=config)
    return await climb(kind, config, credentials, policy=LOCAL, clock=SystemClock(), on_step=_unheard, limits=limits)


async def cells_of(kind_name: str, folder: Path) -> Cells:
    """What each column gave."""
    cells: dict[str, str] = {}
    async with STANDS[kind_name].cases(folder) as cases:
        for column in COLUMNS:
            match cases[column]:
                case str(reason):
                    cells[column] = f"—: {reason}"
                case form:
                    limits = PATIENCE if column == "silent server" else None
                    cells[column] = _cell(await climbed(kind_name, form, limits=limits))
    return cells


async def _unheard(_number: int, _step: Step) -> None:
    return


def _cell(verdict: Verdict) -> str:
    if (failure := verdict.failure) is None:
        return verdict.status
    return f"`{failure.code}`<br>{failure.step or 'not dialled'}<br>`{failure.field}`"


def page(rows: Mapping[str, Cells]) -> str:
    """The table, for people."""
    return "\n".join(_lines(rows)) + "\n"


def _lines(rows: Mapping[str, Cells]) -> Iterator[str]:
    yield "# Verification on real servers\n"
    yield f"<!-- {NOTICE.format(command='make verification-table')} -->\n"
    yield _INTRODUCTION
    yield f"| kind | server | {' | '.join(COLUMNS)} |"
    yield f"|---|---|{'---|' * len(COLUMNS)}"
    for kind, cells in rows.items():
        yield f"| `{kind}` | {STANDS[kind].server} | {' | '.join(cells[column] for column in COLUMNS)} |"
    yield _EXPLANATIONS.rstrip()


@contextmanager
def folder_for_servers() -> Iterator[Path]:
    """Gone afterwards; open to others, because PostgreSQL runs as a user of its own."""
    with tempfile.TemporaryDirectory(prefix="clearline-table-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def _all_rows() -> dict[str, Cells]:
    rows: dict[str, Cells] = {}
    for kind in STANDS:
        with folder_for_servers() as folder:
            rows[kind] = await cells_of(kind, folder)
    return rows


def main() -> int:
    os.environ["CI"] = "true"  # a server that is absent must not leave a hole
    try:
        rows = dial.run(_all_rows())
    except pytest.fail.Exception as absent:
        sys.stderr.write(f"{absent}\n")
        return 1
    return run(COMMAND, {PAGE: page(rows)})


if __name__ == "__main__":
    sys.exit(main())
