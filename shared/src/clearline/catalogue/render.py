"""Renders `docs/errors` from the catalogue, one anchor per code: `python -m clearline.catalogue.render [--check]`."""

import sys
from collections.abc import Iterator
from typing import get_args

from clearline.catalogue.entry import SOURCE_LOCALE, Domain, Entry, Variable
from clearline.catalogue.translator import Catalogue, load
from clearline.catalogue.wording import number
from clearline.generated import NOTICE, run

COMMAND = "python -m clearline.catalogue.render"
DOMAIN_TITLES: dict[Domain, str] = {
    "verification": "Verification: a connection does not work",
    "connection": "Connections",
    "request": "Input and requests",
    "access": "Access",
    "platform": "Clearline itself",
}
RETRY_WORDS = {
    "config": "after something has been changed",
    "transient": "the same may work later",
    "system": "no; Clearline's operators have to act",
}
OWNER_WORDS = {"ours": "our side (what was entered, or Clearline)", "remote": "the connected service"}


def render(catalogue: Catalogue) -> str:
    """The page of all codes, by domain."""
    return "\n".join(_page(catalogue)) + "\n"


def _page(catalogue: Catalogue) -> Iterator[str]:
    yield "# Errors\n"
    yield f"<!-- {NOTICE.format(command=COMMAND)} -->\n"
    yield f"Version {catalogue.version} of the catalogue, {len(catalogue.entries)} codes.\n"
    yield "Every problem that Clearline tells anyone about has one of these codes. Users read the sentence in bold;"
    yield "operators read the summary beside it and follow the steps. What stands in braces is filled in.\n"
    for domain in get_args(Domain):
        yield f"- [{DOMAIN_TITLES[domain]}](#{domain})"
    for domain in get_args(Domain):
        yield f'\n<a id="{domain}"></a>\n\n## {DOMAIN_TITLES[domain]}'
        for entry in catalogue:
            if entry.domain == domain:
                yield from _section(entry)


def _section(entry: Entry) -> Iterator[str]:
    message = entry.messages[SOURCE_LOCALE]
    yield f'\n<a id="{entry.code}"></a>\n\n### {entry.code}: {message.title}\n'
    yield f"**{message.user_message}**\n"
    yield f"For operators: {entry.operator_summary}\n"
    yield "| fault lies with | try again? | severity | HTTP status |\n|---|---|---|---|"
    owner, retry = OWNER_WORDS[entry.fault_owner], RETRY_WORDS[entry.retry_class]
    yield f"| {owner} | {retry} | {entry.severity} | {entry.http_status} |\n"
    yield from (f"{number}. {step}" for number, step in enumerate(message.remediation, 1))
    if entry.variables:
        yield "\n| value | is | who reads it |\n|---|---|---|"
        yield from (
            f"| `{name}` | {_meaning(variable)} | {variable.audience} |" for name, variable in entry.variables.items()
        )


def _meaning(variable: Variable) -> str:
    return f"{variable.description} ({_bound(variable)}), such as `{variable.example}`"


def _bound(variable: Variable) -> str:
    if variable.type == "text":
        return f"at most {variable.max_length} characters"
    limits = (("from", variable.minimum), ("to", variable.maximum))
    return " ".join([variable.type, *(f"{word} {number(limit)}" for word, limit in limits if limit is not None)])


def main() -> int:
    return run(COMMAND, {"docs/errors/README.md": render(load())}, owned=["docs/errors/*"])


if __name__ == "__main__":
    sys.exit(main())
