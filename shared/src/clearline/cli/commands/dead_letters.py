"""`clearline dead-letters`: what could not be handled, why, and once its cause is mended the way back to its topic."""

import getpass
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clearline.cli import bus, letter_view
from clearline.cli.commands.options import Output
from clearline.cli.ends import CommandError, ExitCode, WrongUseError
from clearline.cli.expiry import ago
from clearline.cli.lines import Line
from clearline.cli.moments import moment
from clearline.cli.session import offline
from clearline.cli.surroundings import OutputForm, Surroundings

if TYPE_CHECKING:
    from clearline.chassis.dead_letter_office import DeadLetterOffice, Found
    from clearline.chassis.letters import DeadLetter
    from clearline.cli.screen import Screen

app = typer.Typer(help="What could not be handled: look at it, and send it again. Reads Kafka.", no_args_is_help=True)
SHORTEST_ID = 8
MOST = 10_000

Topic = Annotated[str | None, typer.Option("--topic", metavar="TOPIC", help="Only letters from this topic.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="REASON", help="Only those dead for this reason.")]
Since = Annotated[str | None, typer.Option("--since", metavar="WHEN", help="30m, 12h, 7d ago, or a time.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MOST, metavar="N", help="At most so many, the newest.")]


@app.command("list")
def list_letters(
    context: typer.Context,
    *,
    topic: Topic = None,
    reason: Reason = None,
    since_when: Since = None,
    limit: Limit = 100,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that were sent again.")] = False,
    output: Output = OutputForm.TABLE,
) -> None:
    """List what waits, the oldest first. Shows no contents."""
    with offline(context, output) as screen:
        wanted = _filter(topic, reason)
        since = _ms(since_when, context.obj)
        found = bus.run(_office(context.obj).find(wanted, limit=limit, since_ms=since, sent_again=all_of_them))
        if screen.wants_json:
            items = [letter_view.as_json(each, found.replayed) for each in found.letters]
            screen.json({"items": items, "total": found.matching})
            return
        screen.table(letter_view.HEADERS, [letter_view.row(each, found.replayed) for each in found.letters])
        if not found.letters:
            screen.note("No dead letter fits." if topic or reason or since_when else "No dead letter waits.")
        _tell_rest(screen, found, "older")


@app.command()
def show(
    context: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first eight characters of it.")],
    *,
    raw: Annotated[
        Path | None,
        typer.Option("--raw", metavar="FILE", help="Write the body as it came to a new file, for you alone."),
    ] = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Show one letter: origin, reason, headers, and its body with the texts left out."""
    with offline(context, output) as screen:
        office = _office(context.obj)
        found = bus.run(office.find(_by_id(letter_id), limit=MOST))
        letter = _only(found, letter_id)
        value = bus.run(_body(office, letter))
        if screen.wants_json:
            screen.json(letter_view.as_json(letter, found.replayed) | {"body": letter_view.body_view(value)})
        else:
            for line in letter_view.lines(letter, found.replayed, letter_view.body_view(value)):
                screen.line(line)
        if raw is not None:
            _write(context.obj.folder / raw, value)
            screen.note(f"{raw} holds the body as it came. It may hold secrets: delete it when you are done.")


@app.command()
def replay(
    context: typer.Context,
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Which; or choose by options.")
    ] = None,
    *,
    topic: Topic = None,
    reason: Reason = None,
    since_when: Since = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST, metavar="N", help="At most so many, the oldest.")
    ] = 1_000,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, max=1_000, metavar="N", help="At most so many a second.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were sent again before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Send letters to their topics again, the oldest first, each once Kafka has the one before."""
    with offline(context, OutputForm.TABLE) as screen:
        if not letter_ids and not any((topic, reason, since_when)):
            raise WrongUseError("Say which: by their ids, or with --topic, --reason or --since.")
        office, since = _office(context.obj), _ms(since_when, context.obj)
        if letter_ids:
            found = bus.run(office.find(_any_id(letter_ids), limit=limit, since_ms=since))
            chosen = _chosen_by_id(found, letter_ids, screen, again=again)
        else:
            wanted = _filter(topic, reason)
            found = bus.run(office.find(wanted, limit=limit, since_ms=since, oldest=True, sent_again=again))
            chosen = list(found.letters)
        if dry_run or not chosen:
            screen.table(letter_view.HEADERS, [letter_view.row(each, found.replayed) for each in chosen])
            screen.note(f"{len(chosen)} would be sent again." if dry_run else "There is nothing to send again.")
            _tell_rest(screen, found, "newer")
            return
        _confirm(context.obj, len(chosen), asked=not (yes or letter_ids))
        failed = bus.run(_replay(office, chosen, context.obj, screen, 1 / rate))
        sent = len(chosen) - failed
        screen.line(f"{sent} of {len(chosen)} {'was' if sent == 1 else 'were'} sent again.")
        if cut := found.matching - len(chosen):
            screen.note(f"{cut} newer ones wait still: call it again.")
        raise typer.Exit(ExitCode.FAILED if failed else ExitCode.FINE)


def _chosen_by_id(found: "Found", letter_ids: list[str], screen: "Screen", *, again: bool) -> "list[DeadLetter]":
    for each in letter_ids:
        _only(found, each)
    chosen = [each for each in found.letters if again or each.id not in found.replayed]
    for letter in found.letters:
        if letter not in chosen:
            sent = found.replayed[letter.id]
            screen.note(f"{letter.id} was sent again at {moment(sent.at)} by {sent.by}; --again sends it once more.")
    return chosen


async def _replay(
    office: "DeadLetterOffice", chosen: "list[DeadLetter]", surroundings: Surroundings, screen: "Screen", pause: float
) -> int:
    import asyncio  # noqa: PLC0415 - with the rest below, not for --help

    from clearline.chassis.clock import SystemClock  # noqa: PLC0415
    from clearline.chassis.dead_letter_office import NotReplayed  # noqa: PLC0415
    from clearline.chassis.metrics import Metrics  # noqa: PLC0415
    from clearline.chassis.producer import Producer  # noqa: PLC0415

    settings, failed = bus.kafka_settings(surroundings), 0
    producer = Producer(settings=settings, metrics=Metrics(), clock=SystemClock(), client_id="clearline-replay")
    try:
        async with office.opened() as scan:
            for number, letter in enumerate(chosen):
                if number:
                    await asyncio.sleep(pause)
                try:
                    await office.replay(scan, letter, producer, _person())
                except NotReplayed as why:
                    failed += 1
                    screen.line(Line(f"{letter.id} was not sent: {why}", glyph="failed"))
                else:
                    screen.line(Line(f"{letter.id} to {letter.origin_topic}", glyph="passed"))
    finally:
        await producer.stop()
    return failed


async def _body(office: "DeadLetterOffice", letter: "DeadLetter") -> bytes | None:
    async with office.opened() as scan:
        return (await office.record_of(scan, letter)).value


def _office(surroundings: Surroundings) -> "DeadLetterOffice":
    settings = bus.kafka_settings(surroundings)
    from clearline.chassis.clock import SystemClock  # noqa: PLC0415 - not for --help
    from clearline.chassis.dead_letter_office import DeadLetterOffice  # noqa: PLC0415 - as above

    return DeadLetterOffice(settings, SystemClock())


def _filter(topic: str | None, reason: str | None) -> "Callable[[DeadLetter], bool]":
    from clearline.chassis.outcome import DeadReason  # noqa: PLC0415 - not for --help

    if reason not in (None, *DeadReason):
        raise WrongUseError(f"{reason} is no reason.", f"There are: {', '.join(DeadReason)}.")
    return lambda each: topic in (None, each.origin_topic) and reason in (None, each.reason)


def _by_id(given: str) -> "Callable[[DeadLetter], bool]":
    if len(given) < SHORTEST_ID:
        raise WrongUseError(f"An id has at least its first {SHORTEST_ID} characters.")
    return lambda each: each.id.startswith(given.lower())


def _any_id(given: list[str]) -> "Callable[[DeadLetter], bool]":
    tests = [_by_id(each) for each in given]
    return lambda letter: any(fits(letter) for fits in tests)


def _only(found: "Found", given: str) -> "DeadLetter":
    fitting = [each for each in found.letters if _by_id(given)(each)]
    if len(fitting) != 1:
        raise WrongUseError(
            f"{len(fitting) or 'No'} dead letters have an id that begins with {given}.",
            "See them: clearline dead-letters list --all",
        )
    return fitting[0]


def _ms(when: str | None, surroundings: Surroundings) -> int | None:
    return None if when is None else int(ago(when, surroundings.now(), "--since").timestamp() * 1000)


def _confirm(surroundings: Surroundings, count: int, *, asked: bool) -> None:
    if not asked:
        return
    if not surroundings.interactive:
        raise WrongUseError(f"{count} letters would be sent again.", "Look with --dry-run, then say --yes.")
    if surroundings.ask(f"Send {count} letters to their topics again? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise WrongUseError("Nothing was sent.")


def _tell_rest(screen: "Screen", found: "Found", which: str) -> None:
    if found.left_out:
        screen.note(f"{found.left_out} more were sent again: see them with --all.")
    if cut := found.matching - len(found.letters):
        screen.note(f"{cut} {which} ones are left out: take more with --limit.")


def _write(path: Path, value: Any) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise WrongUseError(f"{path} is there already.", "Name a file that is not.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(value or b"")


def _person() -> str:
    """Who is told to have sent it: the login here, which proves nothing; Kafka's own log knows the Kafka user."""
    with suppress(OSError, KeyError):
        return f"{getpass.getuser()}@{platform.node()}"
    return "unknown"
