"""The import contracts hold, and each of them fails when what it forbids is written into a copy of the tree."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ConfigParser()
CONFIG.read(ROOT / ".importlinter")
CONTRACTS = {name.rpartition(":")[2]: CONFIG[name]["name"] for name in CONFIG.sections() if ":contract:" in name}

# Contract → (module that does it, what it imports). Every contract has at least one.
PLANTED: dict[str, list[tuple[str, str]]] = {
    "layers": [
        ("gateway", "verifier"),
        ("verifier", "gateway"),
        ("verifier", "clearline.cli"),
        ("clearline.cli", "gateway"),
        ("clearline.chassis", "gateway"),
        ("clearline.chassis", "verifier"),
        ("clearline.chassis", "clearline.probes"),
        ("clearline.probes", "gateway"),
        ("clearline.probes", "verifier"),
        ("clearline.catalogue", "clearline.chassis"),
        ("clearline.contracts", "clearline.catalogue"),
        ("clearline.contracts", "clearline.probes"),
    ],
    "pure-kernel": [
        ("clearline.contracts", "aiokafka"),
        ("clearline.contracts", "asyncpg"),
        ("clearline.contracts", "socket"),
        ("clearline.catalogue", "aiohttp"),
        ("clearline.catalogue", "urllib.request"),
    ],
    "pure-decisions": [
        ("clearline.chassis.retry", "asyncpg"),
        ("clearline.chassis.death_rate", "time"),
        ("clearline.probes.addresses", "socket"),
        ("gateway.commands.lifecycle", "random"),
        ("gateway.projections.verification_fold", "asyncpg"),
    ],
    "no-testing-in-production": [
        ("gateway", "clearline.testing"),
        ("verifier", "clearline.testing"),
        ("clearline.chassis", "clearline.testing"),
        ("clearline.probes", "clearline.testing"),
    ],
    "web-framework": [
        ("gateway.commands", "fastapi"),
        ("gateway.queries", "starlette.requests"),
        ("verifier", "fastapi"),
        ("clearline.chassis", "fastapi"),
    ],
    "api": [
        ("gateway.api", "asyncpg"),
        ("gateway.api", "aiokafka"),
        ("gateway.api", "gateway.read_model"),
        ("gateway.api", "gateway.relay"),
    ],
    "projections": [("gateway.projections", "gateway.commands"), ("gateway.projections", "gateway.queries")],
    "commands": [("gateway.commands", "gateway.api"), ("gateway.commands", "gateway.projections")],
    "queries": [("gateway.queries", "gateway.commands"), ("gateway.queries", "gateway.projections")],
    "read-model": [("gateway.read_model", "gateway.commands"), ("gateway.read_model", "gateway.security")],
    "no-dialling-in-gateway": [
        ("gateway.commands", "clearline.probes.dial"),
        ("gateway.api", "clearline.probes.ladder"),
        ("gateway", "aiohttp"),
    ],
    "verifier-keeps-nothing": [("verifier", "asyncpg"), ("verifier", "httpx2")],
}
CASES = [(contract, *pair) for contract, pairs in PLANTED.items() for pair in pairs]


def planted_name(importer: str, imported: str) -> str:
    """The module that is written, or that gets one line more where a contract names single modules."""
    single = importer in CONFIG["importlinter:contract:pure-decisions"]["source_modules"].split()
    return importer if single else f"{importer}.planted_{imported.replace('.', '_')}"


def source_folders(root: Path) -> list[Path]:
    return [root / "shared/src", *sorted(root.glob("services/*/src"))]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """lint-imports on the tree at `root`, whatever is installed."""
    path = os.pathsep.join(str(folder) for folder in source_folders(root))
    return subprocess.run(  # noqa: S603 - our own tool on our own tree
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=root,
        env={"PYTHONPATH": path, "PATH": os.defpath, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_tree(target: Path) -> Path:
    shutil.copy(ROOT / ".importlinter", target)
    for folder in source_folders(ROOT):
        shutil.copytree(
            folder, target / folder.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__", "*.sql")
        )
    return target


def plant(root: Path, importer: str, imported: str) -> None:
    module = planted_name(importer, imported).replace(".", "/") + ".py"
    (folder,) = [folder for folder in source_folders(root) if (folder / importer.partition(".")[0]).is_dir()]
    with (folder / module).open("a") as file:
        file.write(f"import {imported}\n")


def section(output: str, contract: str) -> str:
    """What lint-imports says about one broken contract."""
    _, _, details = output.partition("Broken contracts")
    after = details.partition(CONTRACTS[contract])[2]
    others = [after.find(name) for key, name in CONTRACTS.items() if key != contract and name in after]
    return after[: min(others)] if others else after


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = copy_tree(tmp_path_factory.mktemp("tree"))
    for _, importer, imported in CASES:
        plant(root, importer, imported)
    done = lint(root)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_contracts_hold_in_the_tree() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_contracts_hold_in_a_clean_copy(tmp_path: Path) -> None:
    done = lint(copy_tree(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "importer", "imported"), CASES)
def test_a_forbidden_import_breaks_its_contract(broken: str, contract: str, importer: str, imported: str) -> None:
    assert f"{CONTRACTS[contract]} BROKEN" in broken
    assert f"{planted_name(importer, imported)} -> {imported.partition('.')[0]}" in section(broken, contract)


def test_every_contract_has_been_seen_to_fail() -> None:
    assert set(PLANTED) == set(CONTRACTS)
