"""`clearline test -f`: the connections of files, several at a time; each stands for itself."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import typer

from clearline.cli import naming, waiting
from clearline.cli.answers import TestStarted
from clearline.cli.draft import Draft
from clearline.cli.ends import CommandError, ExitCode, RefusedError
from clearline.cli.reading import read
from clearline.cli.session import Session, offline, session
from clearline.cli.surroundings import OutputForm, Surroundings

if TYPE_CHECKING:
    from clearline.cli.declared.declaration import Declared
    from clearline.cli.try_view import Tried

    Wish = tuple[Declared, Draft, str | None]
    """What is tried, and the id of the saved connection whose stored secrets it may use."""

AT_A_TIME = 8
"""The gateway lets one token have 10 tests pending; the rest is for whoever tests something beside it."""


def try_files(
    context: typer.Context, files: Sequence[str], only: Sequence[str], timeout: float, output: OutputForm
) -> ExitCode:
    """Test every connection of the files, show how each ended, and say with which code to exit."""
    # the kinds cost 0.2 s, which `--help` need not pay
    from clearline.cli import try_view  # noqa: PLC0415
    from clearline.cli.applying import many  # noqa: PLC0415
    from clearline.cli.declared.reader import chosen, read_declared  # noqa: PLC0415

    surroundings: Surroundings = context.obj
    with offline(context, output):  # what is wrong with the files is told without any gateway
        items = chosen(read_declared(files, surroundings, secrets_needed=not only), only)
    with session(context, output) as opened:
        with many.stoppable(opened) as (patient, stopped), opened.screen.quiet_progress("testing"):
            wishes = _wishes(patient, items)
            try:
                tried = many.each(partial(_tried, patient, timeout), wishes, AT_A_TIME, stopped)
            except KeyboardInterrupt:
                opened.screen.note("The tests are cancelled; nothing was saved.")
                raise
        if opened.screen.wants_json:
            opened.screen.json([one.as_json() for one in tried])
        else:
            opened.screen.table(try_view.HEADERS, [try_view.row(one) for one in tried])
            for line in try_view.lines(tried, timeout):
                opened.screen.line(line)
        return try_view.exit_code(tried)


def cancel(opened: Session, path: str) -> None:
    """A test that cannot be cancelled now ends by its own deadline."""
    try:
        opened.api.delete(path)
    except CommandError as error:
        opened.screen.note(f"It could not be cancelled and ends by itself: {error.sentence}")


def _tried(opened: Session, timeout: float, wish: "Wish") -> "Tried":
    """One test to its end. Nobody waits for it after that, so what still runs is cancelled."""
    from clearline.cli.try_view import Tried  # noqa: PLC0415

    item, draft, lender = wish
    try:
        started = read(TestStarted, opened.api.post("/connections:test", draft.to_try(lender)).body)
        path = f"/connection-tests/{started.test_id}"
        try:
            seen, shown = waiting.follow(opened, path, timeout, lambda _seen: None)
        except KeyboardInterrupt:
            cancel(opened, path)
            raise
    except RefusedError as refused:
        return Tried(item=item, problem=refused)
    if seen.status == "pending":
        cancel(opened, path)
    return Tried(item=item, seen=seen, shown=shown, correlation_id=started.correlation_id)


def _wishes(opened: Session, items: "Sequence[Declared]") -> "list[Wish]":
    """The draft for each. A declared connection that is saved already lends the secrets that its file does not hold."""
    from clearline.cli.declared.places import FaultsError  # noqa: PLC0415
    from clearline.cli.declared.reader import credentials_of  # noqa: PLC0415

    read_secrets = [item.secrets(frozenset(item.credentials)) for item in items]
    if faults := [fault for _, unread in read_secrets for fault in unread]:
        raise FaultsError(faults)
    wishes = []
    for item, (secrets, _) in zip(items, read_secrets, strict=True):
        saved = None if credentials_of(item)[0] is not None else naming.find_declared(opened.api, item)
        removed = [field for field, source in item.credentials.items() if source is None and saved is not None]
        draft = Draft(
            environment=item.environment,
            kind=item.kind.name,
            config=item.config,
            credentials=secrets | dict.fromkeys(removed),
        )
        wishes.append((item, draft, None if saved is None else saved.id))
    return wishes
