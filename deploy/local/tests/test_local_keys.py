"""Secrets of the local stack: made once, readable by one user, each process with its own and no others."""

import stat
from pathlib import Path

import pytest
from deploy.local import keys
from deploy.local.places import Places
from deploy.local.ports import Ports
from deploy.local.processes import Process, Stack, processes

from clearline.probes import sealing


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    made = Stack(Places(tmp_path), Ports(9000), {"PATH": "/bin", "http_proxy": "http://proxy", "CLEARLINE_TOKEN": "t"})
    made.places.make()
    return made


def by_name(stack: Stack, name: str) -> Process:
    return next(each for each in processes(stack) if each.name == name)


def test_passwords_outlive_a_move_to_other_ports(stack: Stack) -> None:
    first = keys.ensure_dsns(stack.places, stack.cluster())
    moved = Stack(stack.places, Ports(9500), {})
    second = keys.ensure_dsns(stack.places, moved.cluster())
    assert {name: keys.password_of(dsn) for name, dsn in first.items()} == {
        name: keys.password_of(dsn) for name, dsn in second.items()
    }
    assert ":9512/" in second["clearline_api"]
    assert len({keys.password_of(dsn) for dsn in second.values()}) == 5


def test_the_sealing_pair_is_made_once(stack: Stack) -> None:
    keys.ensure_sealing_keys(stack.places)
    private = (stack.places.keys / "sealing").read_text()
    keys.ensure_sealing_keys(stack.places)
    assert (stack.places.keys / "sealing").read_text() == private
    assert (stack.places.keys / "sealing.pub").read_text() != private


def test_a_new_sealing_key_stands_before_the_old_one_and_is_sealed_for_last(stack: Stack) -> None:
    keys.ensure_sealing_keys(stack.places)
    old, old_public = ((stack.places.keys / name).read_text() for name in ("sealing", "sealing.pub"))
    key_id, public = keys.add_sealing_key(stack.places)
    assert (stack.places.keys / "sealing.pub").read_text() == old_public, "not before a verifier can open it"
    keys.set_public_key(stack.places, public)
    first, second = (stack.places.keys / "sealing").read_text().split()
    assert (second, sealing.public_of(first), sealing.key_id(public)) == (old, public, key_id)
    keys.ensure_sealing_keys(stack.places)
    assert keys.missing_keys(stack.places)[1:] == [], "the next `make up` keeps both"
    assert {stat.S_IMODE(path.stat().st_mode) for path in stack.places.keys.iterdir()} == {0o600}


def test_every_secret_is_for_this_user_alone(stack: Stack) -> None:
    keys.ensure_dsns(stack.places, stack.cluster())
    keys.ensure_sealing_keys(stack.places)
    keys.update_env(stack.places.env_file, {"CLEARLINE_TOKEN": "secret"})
    files = [*stack.places.keys.iterdir(), stack.places.env_file]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(stack.places.keys.stat().st_mode) == 0o700


def test_the_env_file_is_shell_and_keeps_what_others_wrote(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# mine\nEDITOR='vi -R'\nCLEARLINE_URL=old\n")
    keys.update_env(path, {"CLEARLINE_URL": "http://127.0.0.1:1", "CLEARLINE_TOKEN": "a'b c"})
    assert keys.read_env(path) == {"EDITOR": "vi -R", "CLEARLINE_URL": "http://127.0.0.1:1", "CLEARLINE_TOKEN": "a'b c"}


def test_only_the_verifier_is_told_where_the_private_key_lies(stack: Stack) -> None:
    private = str(stack.places.keys / "sealing")
    told = {each.name for each in processes(stack) if private in each.environment.values()}
    assert told == {"verifier"}


def test_each_process_gets_its_own_login_and_no_other(stack: Stack) -> None:
    logins = {
        each.name: sorted(Path(value).stem for value in each.environment.values() if value.endswith(".dsn"))
        for each in processes(stack)
    }
    assert logins == {
        "kafka": [],
        "postgres": [],
        "migrate": ["clearline"],
        "logins": ["clearline"],
        "topics": [],
        "gateway": ["clearline_api", "clearline_relay"],
        "projector": ["clearline_projector"],
        "verifier": [],
        "token": ["clearline"],
    }


def test_nothing_of_the_users_shell_reaches_a_process_but_what_any_program_needs(stack: Stack) -> None:
    for each in processes(stack):
        assert "http_proxy" not in each.environment
        assert "CLEARLINE_TOKEN" not in each.environment


def test_the_settings_that_a_user_may_change_are_passed_on(tmp_path: Path) -> None:
    shell = {
        "CLEARLINE_LOG_LEVEL": "DEBUG",
        "CLEARLINE_OUTBOUND_ALLOW": "10.0.0.0/8",
    }
    validity = {"CLEARLINE_VERIFICATION_VALIDITY": "1h"}
    stack = Stack(Places(tmp_path), Ports(9000), shell | validity)
    assert shell.items() <= by_name(stack, "gateway").environment.items()
    assert validity.items() <= by_name(stack, "projector").environment.items()
    assert by_name(stack, "verifier").environment["CLEARLINE_OUTBOUND_ALLOW"] == "10.0.0.0/8"
