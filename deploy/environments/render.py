"""Renders .env.example and the environments' files from the settings: `python -m deploy.environments.render`."""

import sys
from collections.abc import Iterator, Mapping
from textwrap import wrap

from deploy.environments.processes import COMING, ENVIRONMENTS, EXAMPLE_POSTGRES_HOST, POSTGRES_HOSTS, PROCESSES

from clearline.chassis.settings_render import SettingDoc, describe
from clearline.generated import NOTICE, run

COMMAND = "python -m deploy.environments.render"
WIDTH = 118

Readers = tuple[str, ...]


def rendered() -> dict[str, str]:
    """Path → text of every file."""
    files = {f"deploy/environments/{name}.env": environment_file(name, values) for name, values in ENVIRONMENTS.items()}
    return {".env.example": environment_file("an example", {}), **files}


def environment_file(name: str, values: Mapping[str, str]) -> str:
    """Every variable with its meaning; what may stay as it is stands there as a comment."""
    return "\n".join(_lines(name, values)) + "\n"


def settings_by_variable() -> dict[str, dict[str, SettingDoc]]:
    """Variable → process that reads it → what it means there."""
    found: dict[str, dict[str, SettingDoc]] = {}
    for process, classes in PROCESSES.items():
        for doc in describe(classes):
            found.setdefault(doc.variable, {})[process] = doc
    for doc in COMING:
        if doc.variable in found:
            raise ValueError(f"{doc.variable} is read by a process now: take it out of COMING")
        found[doc.variable] = {"services that come later": doc}
    return found


def _lines(name: str, values: Mapping[str, str]) -> Iterator[str]:
    yield f"# Clearline's settings: {name}."
    yield f"# {NOTICE.format(command=COMMAND)}"
    yield "#"
    yield "# Each process needs only what is listed under its name. Every variable may come from a file instead:"
    yield "# NAME_FILE=/run/secrets/name. Do so for what is marked secret. An assignment in a comment shows the"
    yield "# default, or an example."
    by_readers: dict[Readers, list[dict[str, SettingDoc]]] = {}
    for docs in settings_by_variable().values():
        by_readers.setdefault(tuple(docs), []).append(docs)
    for readers, group in by_readers.items():
        yield f"\n# --- {' · '.join(readers)} ---"
        for docs in group:
            yield from _setting(docs, name, values)


def _setting(docs: Mapping[str, SettingDoc], name: str, values: Mapping[str, str]) -> Iterator[str]:
    told = list(dict.fromkeys(docs.values()))
    yield ""
    if len(told) > 1:
        yield "# Each process has its own value:"
    for position, doc in enumerate(told):
        process = f"{next(key for key in docs if docs[key] == doc)}: " if len(told) > 1 else ""
        marks = [word for word, holds in (("required", doc.required), ("secret", doc.secret)) if holds]
        text = f"{process}{doc.description}" + (f" ({', '.join(marks)})" if marks else "")
        yield from (f"# {line}" for line in wrap(text, WIDTH))
        yield ("# " if position else "") + _assignment(doc, name, values)


def _assignment(doc: SettingDoc, name: str, values: Mapping[str, str]) -> str:
    if doc.variable in values:
        return f"{doc.variable}={values[doc.variable]}"
    if doc.required:
        host = POSTGRES_HOSTS.get(name, EXAMPLE_POSTGRES_HOST)
        return f"{doc.variable}={doc.example.replace(EXAMPLE_POSTGRES_HOST, host)}"
    return f"# {doc.variable}={doc.example if doc.default is None else doc.default}"


def main() -> int:
    return run(COMMAND, rendered(), owned=["deploy/environments/*.env"])


if __name__ == "__main__":
    sys.exit(main())
