"""The environments' files hold every setting of every process, and a process starts with them."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from deploy.environments.processes import ENVIRONMENTS, PROCESSES
from deploy.environments.render import COMMAND, environment_file, rendered, settings_by_variable

from clearline.chassis.environment import WrongSettings, read
from clearline.chassis.settings import Settings
from clearline.generated import run
from clearline.probes.sealing import generate_key_pair

ROOT = Path(__file__).parents[3]
FILES = [".env.example", *(f"deploy/environments/{name}.env" for name in ENVIRONMENTS)]
LINE = re.compile(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)")


def assigned(text: str) -> dict[str, str]:
    """What a shell, compose or a pod would take from the file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.partition("=") for line in lines]
    assert len({name for name, _, _ in pairs}) == len(pairs), "a variable is assigned twice"
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("path", FILES)
def test_file_is_current(path: str) -> None:
    assert (ROOT / path).read_text() == rendered()[path]


@pytest.mark.parametrize("path", FILES)
def test_file_names_every_setting(path: str) -> None:
    named = {match[1] for line in (ROOT / path).read_text().splitlines() if (match := LINE.fullmatch(line))}
    assert set(settings_by_variable()) <= named


@pytest.mark.parametrize("path", FILES)
def test_every_environment_says_where_evidence_goes(path: str) -> None:
    assert assigned((ROOT / path).read_text())["DIAGNOSTICS_BUCKET"]


def started(path: str, without: str = "") -> None:
    """Read every process' settings from a file, with real keys in place of the placeholders."""
    values = assigned((ROOT / path).read_text())
    private, public = generate_key_pair()
    values |= {"CLEARLINE_SEALING_PRIVATE_KEYS": private, "CLEARLINE_SEALING_PUBLIC_KEY": public}
    values |= {"CLEARLINE_INSTALLATION_KEY": "x" * 32}
    values.pop(without, None)
    for classes in PROCESSES.values():
        for settings_class in classes:
            read(settings_class, values)


@pytest.mark.parametrize("path", FILES)
def test_every_process_starts_with_the_file(path: str) -> None:
    started(path)


def test_a_process_does_not_start_without_a_required_line() -> None:
    with pytest.raises(WrongSettings, match="CLEARLINE_POSTGRES_DSN"):
        started(FILES[0], without="CLEARLINE_POSTGRES_DSN")


@pytest.mark.parametrize("path", FILES)
def test_secrets_are_placeholders(path: str) -> None:
    values = assigned((ROOT / path).read_text())
    for variable, docs in settings_by_variable().items():
        if any(doc.secret for doc in docs.values()) and variable in values:
            assert re.search(r"change-me|base64url-of", values[variable]), variable


def test_environments_differ_where_they_must() -> None:
    values = [assigned((ROOT / path).read_text()) for path in FILES[1:]]
    for variable in ("CLEARLINE_INSTALLATION", "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS", "DIAGNOSTICS_BUCKET"):
        assert len({each[variable] for each in values}) == len(values)
    assert "CLEARLINE_OUTBOUND_ALLOW" not in values[2], "production says itself which private networks it looks after"


def test_no_settings_class_of_a_service_is_forgotten() -> None:
    known = {settings_class.__name__ for classes in PROCESSES.values() for settings_class in classes}
    found = set()
    for path in ROOT.glob("services/*/src/*/settings.py"):
        spec = spec_from_file_location(f"settings_of_{path.parent.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        own = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
        found |= {each.__name__ for each in own if issubclass(each, Settings)}
    assert found
    assert found <= known


def test_an_edited_file_and_a_stale_one_fail_the_check(tmp_path: Path) -> None:
    arguments = ["--root", str(tmp_path)]
    assert run(COMMAND, rendered(), ["deploy/environments/*.env"], arguments) == 0
    assert run(COMMAND, rendered(), ["deploy/environments/*.env"], [*arguments, "--check"]) == 0
    (tmp_path / FILES[1]).write_text(environment_file("development", {}))
    assert run(COMMAND, rendered(), ["deploy/environments/*.env"], [*arguments, "--check"]) == 1
