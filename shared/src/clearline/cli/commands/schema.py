"""`clearline schema`: the JSON Schema of connections in files, of this version and its kinds."""

import typer

from clearline.cli.session import offline
from clearline.cli.surroundings import OutputForm


def schema(context: typer.Context) -> None:
    """Print the JSON Schema of connections in files, for editors. Needs no stack."""
    # the kinds cost 0.2 s, which `--help` need not pay
    from clearline.cli.declared.schema import connections_schema  # noqa: PLC0415
    from clearline.probes.registry import KINDS  # noqa: PLC0415

    with offline(context, OutputForm.JSON) as screen:
        screen.json(connections_schema(KINDS))
