"""`clearline version`: of this command, and of the gateway where one answers."""

import typer

from clearline.cli.commands.options import Output
from clearline.cli.ends import CommandError
from clearline.cli.surroundings import OutputForm, Surroundings
from clearline.cli.target import find_target
from clearline.cli.versions import installed_version


def print_and_end(shown: bool) -> None:  # noqa: FBT001 - the framework calls it
    """For `clearline --version`."""
    if shown:
        typer.echo(f"clearline {installed_version()}")
        raise typer.Exit


def version(context: typer.Context, *, output: Output = OutputForm.TABLE) -> None:
    """Print the versions of this command and of the gateway, if one answers."""
    from clearline.cli.screen import Screen  # noqa: PLC0415 - rich comes with it

    screen = Screen(context.obj, output)
    gateway, why_not = _of_gateway(context.obj)
    if screen.wants_json:
        screen.json({"clearline": installed_version(), "gateway": gateway})
    else:
        screen.line(f"clearline {installed_version()}")
        screen.line(f"gateway   {gateway or f'not known: {why_not}'}")


def _of_gateway(surroundings: Surroundings) -> tuple[str | None, str]:
    from clearline.cli.api import Api  # noqa: PLC0415 - httpx2 comes with it

    try:
        target = find_target(surroundings.environ, surroundings.folder, surroundings.uid)
        api = Api(target, f"cli-{surroundings.new_id()}", surroundings.transport)
        try:
            return str(api.get("/version").body.get("version", "unknown")), ""
        finally:
            api.close()
    except CommandError as error:
        return None, error.sentence
