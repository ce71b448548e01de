"""What no committed file may hold: hosts of registries, paths of somebody's machine, and files too long to read."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 300

# Written in pieces, so that this file passes its own test.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.",
    "repo1." + "maven",
    "repo.maven" + ".apache",
    "search.maven" + ".org",
    "proxy.golang" + ".org",
    "crates" + ".io",
    "ghcr" + ".io",
    "quay" + ".io",
    "gcr" + ".io",
    "docker" + ".io",
    "registry." + "hub",
    "arti" + "factory",
    "sona" + "type",
]
REGISTRY = re.compile("|".join(re.escape(host) for host in REGISTRIES), re.IGNORECASE)
INDEX = re.compile(r"index-url[= ]+https?:|https?://(?![\w.-]*\.example\b)[^/\s\"']+\S*/simple\b")
"""An index by its usual path, on whatever host; `.example` is nobody's (RFC 2606)."""
MACHINE_PATH = re.compile(r"(?<![\w.~$}{*-])/(?:work|root|home|Users)/[a-z0-9_.-]{2,}", re.IGNORECASE)
MACHINE_TEMP = re.compile("/tmp/" + r"(?:vt|brief|stack\d|bash_jobs)\b")


MADE_HERE = {".git", ".venv", ".clearline", "__pycache__", "node_modules", ".hypothesis", "dist", "build", "uv.lock"}


def tracked() -> list[str]:
    """What git knows or would know; without git (a narrow CI machine) what was not made by building and testing."""
    if shutil.which("git") is None:
        paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return [str(path) for path in paths if not (MADE_HERE & set(path.parts) or "_cache/" in str(path))]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git as the caller has it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]


def text_of(path: str) -> str:
    return (ROOT / path).read_bytes().decode("utf-8", errors="replace")


def told(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {found.group()}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (found := pattern.search(line))
    ]


def test_files_are_found() -> None:
    assert len(tracked()) > 50


def test_no_file_names_a_registry() -> None:
    assert told(REGISTRY) == []
    assert told(INDEX) == []


def test_no_file_names_a_path_of_a_build_machine() -> None:
    assert told(MACHINE_PATH) == []
    assert told(MACHINE_TEMP) == []


def test_no_python_file_is_too_long_to_read() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in tracked() if path.endswith(".py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (REGISTRY, "https://" + "pypi" + ".org/x"),
        (INDEX, "--index-" + "url https://mirror.example/"),
        (INDEX, "https://" + "mirror.internal/root/pip/simple/"),
        (MACHINE_PATH, 'open("' + "/work" + '/main/x")'),
        (MACHINE_PATH, "cd " + "/home" + "/ann/clearline"),
        (MACHINE_PATH, "/root" + "/.cache"),
    ],
)
def test_a_slip_would_be_found(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize(
    "text", ["/api/v1/work/items", "/home/a b", "$HOME/root/x", "docs/root/y", "the /work of it", "~/work/x"]
)
def test_what_only_looks_like_it_passes(text: str) -> None:
    assert not MACHINE_PATH.search(text)
