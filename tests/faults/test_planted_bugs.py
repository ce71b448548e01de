"""Bugs that were made once, or could be, planted in copies of the tree: the tests that guard against them turn red.

A guard that was never seen to fail is not a guard. Without a bug the same tests are green in the same kind of copy.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from services.gateway.tests.migrated import make_template
from tests.faults.planting import ROOT, Bug, Hunk, PatchDoesNotApply, copy_tree, read_bug, sources
from tests.harness import database as databases

PLANTED = sorted((Path(__file__).parent / "planted").glob("*.patch"))
BUGS = [read_bug(path) for path in PLANTED]
GREEN, RED = 0, 1  # pytest's exit codes; the others say that no test was run at all
_AT_ONCE = asyncio.Semaphore(3)  # they wait more than they work


@dataclass(frozen=True, slots=True)
class Servers:
    """The session's, so that a copy starts none of its own."""

    kafka: str
    postgres: str
    schema: str


@pytest.fixture
async def servers(kafka: str, postgres: str) -> AsyncIterator[Servers]:
    template = await make_template(postgres)
    yield Servers(kafka, postgres, template.name)
    await databases.drop(postgres, template)


async def run_tests(tree: Path, tests: tuple[str, ...], servers: Servers) -> tuple[int, str]:
    """Exit code and output of pytest on these tests in `tree`, with the packages of that tree."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sources(tree)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CLEARLINE_TEST_KAFKA": servers.kafka,
        "CLEARLINE_TEST_POSTGRES": servers.postgres,
        "CLEARLINE_TEST_SCHEMA": servers.schema,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=60", *tests]
    child = await asyncio.create_subprocess_exec(
        *command, cwd=tree, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, output.decode()


async def outcome_of(bug: Bug, folder: Path, servers: Servers) -> str | None:
    """What is wrong with the guard against `bug`; None if it turned red as it should."""
    tree = copy_tree(folder / bug.name)
    bug.plant(tree)
    async with _AT_ONCE:
        code, output = await run_tests(tree, bug.caught_by, servers)
    names = [test.rpartition("::")[2] for test in bug.caught_by]
    if code == RED and any(f"FAILED {test}" in output for test in bug.caught_by):
        return None
    what = "stays green" if code == GREEN else f"breaks the run itself (exit {code})"
    return f"{bug.name}: {', '.join(names)} {what}\n{output[-2000:]}"


@pytest.mark.timeout(480)  # twelve copies with tests of their own; 180 s were seen on a busy machine
async def test_every_planted_bug_is_caught_and_none_is_imagined(tmp_path: Path, servers: Servers) -> None:
    control = Bug("control", tuple(dict.fromkeys(test for bug in BUGS for test in bug.caught_by)), ())

    async def sane() -> str | None:
        tree = copy_tree(tmp_path / control.name)
        async with _AT_ONCE:
            code, output = await run_tests(tree, control.caught_by, servers)
        return None if code == GREEN else f"red without any bug:\n{output[-4000:]}"

    problems = await asyncio.gather(sane(), *(outcome_of(bug, tmp_path, servers) for bug in BUGS))
    assert [problem for problem in problems if problem] == []


@pytest.mark.parametrize("path", PLANTED, ids=lambda path: path.stem)
def test_every_patch_says_who_catches_it_and_applies(path: Path) -> None:
    bug = read_bug(path)
    assert bug.caught_by
    assert bug.hunks
    bug.check(ROOT)


def test_a_patch_that_does_not_fit_any_more_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("something else\n")
    bug = Bug("old", ("test",), (Hunk("code.py", "as it was\n", "with a bug\n"),))
    with pytest.raises(PatchDoesNotApply, match=r"old\.patch no longer applies to code\.py"):
        bug.plant(tmp_path)
