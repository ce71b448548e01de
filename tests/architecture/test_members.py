"""Every member of the workspace is known to every tool that must know it: a forgotten one would go unchecked."""

import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def import_linter() -> ConfigParser:
    config = ConfigParser()
    config.read(ROOT / ".importlinter")
    return config


def listed(section: str, option: str) -> list[str]:
    return [name.strip(" |") for line in import_linter()[section][option].splitlines() for name in line.split("|")]


def layers() -> set[str]:
    return {name.strip() for name in listed("importlinter:contract:layers", "layers") if name.strip()}


def package_of(service: str) -> str:
    (package,) = [path.name for path in (ROOT / "services" / service / "src").iterdir() if path.is_dir()]
    return package


def kernel_parts() -> list[str]:
    entries = (ROOT / "shared/src/clearline").iterdir()
    return sorted(f"clearline.{path.stem}" for path in entries if path.stem not in {"__init__", "__pycache__"})


def test_there_are_services() -> None:
    assert {"gateway", "verifier"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_held_by_the_import_contracts(service: str) -> None:
    package = package_of(service)
    assert package == service.replace("-", "_")
    assert package in listed("importlinter", "root_packages")
    assert package in layers()
    assert package in listed("importlinter:contract:no-testing-in-production", "source_modules")
    assert package in listed("importlinter:contract:web-framework", "source_modules")


@pytest.mark.parametrize("part", kernel_parts())
def test_part_of_the_kernel_has_its_layer(part: str) -> None:
    assert part in layers()
    if part != "clearline.testing":
        assert part in listed("importlinter:contract:no-testing-in-production", "source_modules")


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_linted_typed_and_installed(service: str) -> None:
    source = f"services/{service}/src"
    assert source in PROJECT["tool"]["ruff"]["src"]
    assert source in PROJECT["tool"]["mypy"]["mypy_path"].split(":")
    assert PROJECT["tool"]["uv"]["sources"][f"clearline-{service}"] == {"workspace": True}
    assert f"clearline-{service}" in PROJECT["project"]["dependencies"]


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_a_page(service: str) -> None:
    assert (ROOT / "services" / service / "README.md").is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_service_starts_by_its_name_and_says_what_it_lacks(service: str) -> None:
    starter = ROOT / "services" / service / "src" / package_of(service) / "__main__.py"
    assert len([line for line in starter.read_text().splitlines() if line.strip()]) <= 15
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", package_of(service)], env={}, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode in {1, 2}
    assert "CLEARLINE_" in done.stderr or "Usage" in done.stderr
    assert "Traceback" not in done.stderr
