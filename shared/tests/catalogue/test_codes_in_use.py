"""The catalogue and the code name the same codes: none idle, none unknown, no value passed that no message names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearline.catalogue import load

ROOT = Path(__file__).parents[3]
OWN = ROOT / "shared/src/clearline/catalogue"
CATALOGUE = load()
CODE_AT = {"ClearlineError": 0, "StepFailed": 0, "refuse": 0, "translate": 0, "FieldError": 1}
"""What takes a code, and at which position."""
OPTIONS = {
    "ClearlineError": {"pointer", "errors", "retry_after", "operator_detail"},
    "StepFailed": {"field", "detail", "step", "evidence"},
    "FieldError": {"detail"},
}
"""Keywords that are no variables; all others must be named by the code's messages."""


def sources() -> Iterator[Path]:
    for folder in (ROOT / "shared/src", *ROOT.glob("services/*/src")):
        yield from sorted(folder.rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Calls by the last part of what is called, with `FieldError.of` told apart from other `of`s."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                yield name, node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="FieldError"), attr="of")):
                yield "FieldError", node
            case ast.Call(func=ast.Attribute(attr=name)):
                yield name, node


def codes_named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """String constants that stand where only a code may stand, with their lines."""
    for name, call in calls(tree):
        position = CODE_AT.get(name)
        given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        if position is not None and len(call.args) > position:
            given.append(call.args[position])
        for value in given:
            match value:
                case ast.Constant(value=str(code)):
                    yield code, value.lineno


def unknown_in(text: str) -> list[str]:
    return [f"{line}: {code}" for code, line in codes_named(ast.parse(text)) if code not in CATALOGUE]


def undeclared_in(text: str) -> list[str]:
    found = []
    for name, call in calls(ast.parse(text)):
        if name not in OPTIONS or len(call.args) <= CODE_AT[name]:
            continue
        match call.args[CODE_AT[name]]:
            case ast.Constant(value=str(code)):
                passed = {keyword.arg for keyword in call.keywords if keyword.arg} - OPTIONS[name]
                known = set(CATALOGUE.entry(code).variables)
                found += [f"{call.lineno}: {code} has no {variable}" for variable in sorted(passed - known)]
    return found


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in sources()])
def test_code_names_only_what_the_catalogue_has(path: Path) -> None:
    text = path.read_text()
    assert not unknown_in(text)
    assert not undeclared_in(text)


def test_no_code_is_idle() -> None:
    used: set[str] = {"UNEXPECTED"}  # the fallback: the translator itself tells it
    for path in sources():
        if OWN not in path.parents:
            used |= {node.value for node in ast.walk(ast.parse(path.read_text())) if is_text(node)}  # type: ignore[attr-defined]  # is_text says Constant
    idle = sorted(set(CATALOGUE.entries) - used)
    assert not idle, f"nothing tells {', '.join(idle)}: use them or take them out of the catalogue"


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize(
    "text",
    [
        "raise ClearlineError('NO_SUCH')",
        "FieldError('/a', 'NO_SUCH', 'detail')",
        "FieldError.of('/a', 'NO_SUCH')",
        "catalogue.translate('NO_SUCH', {})",
        "Failure(code='NO_SUCH')",
        "raise StepFailed('NO_SUCH', field='/config/host')",
        "raise refuse('NO_SUCH', 'detail')",
    ],
)
def test_an_unknown_code_would_be_found(text: str) -> None:
    assert unknown_in(text)


def test_a_value_that_no_message_names_would_be_found() -> None:
    assert undeclared_in("ClearlineError('UNKNOWN_HOST', host='h', prot=1)") == ["1: UNKNOWN_HOST has no prot"]
    assert undeclared_in("StepFailed('UNKNOWN_HOST', field='/f', seconds=1)") == ["1: UNKNOWN_HOST has no seconds"]
    assert not undeclared_in("ClearlineError('UNKNOWN_HOST', host='h', why='w', operator_detail='d')")
