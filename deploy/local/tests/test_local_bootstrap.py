"""What is decided before the virtual environment exists."""

import importlib.util
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deploy.local import bootstrap, doctor, unprivileged
from tests.harness.places import ROOT


def test_the_lock_pins_by_hash_and_names_no_host() -> None:
    lock = (ROOT / "deploy/local/bootstrap.lock").read_text()
    assert "uv==" in lock
    assert lock.count("--hash=sha256:") >= 10  # one per platform
    assert "://" not in lock


@pytest.mark.parametrize("what", ["folder", "interpreter", "version"])
def test_a_moved_checkout_or_another_python_needs_a_new_environment(what: str) -> None:
    wanted = bootstrap.stamp()
    assert bootstrap.same_place(wanted, wanted)
    assert not bootstrap.same_place({**wanted, what: "another"}, wanted)
    assert not bootstrap.same_place(None, wanted)


def test_a_new_lock_is_installed_into_the_environment_that_is_there() -> None:
    wanted = bootstrap.stamp()
    older = {**wanted, "locks": "another"}
    assert older != wanted
    assert bootstrap.same_place(older, wanted)


def test_ctrl_c_ends_what_runs_and_is_told_in_one_line() -> None:
    code = (
        "import sys; from deploy.local import bootstrap\n"
        "sleep = 'import time; print(\"on\", flush=True); time.sleep(60)'\n"
        "bootstrap.build_where_needed = lambda: bootstrap.run(sys.executable, '-c', sleep)\n"
        "bootstrap.main()"
    )
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", heeding + code], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as building:
        assert building.stdout is not None
        assert building.stdout.readline() == "on\n"
        building.send_signal(signal.SIGINT)
        out, err = building.communicate(timeout=30)  # ends with the child, which holds the pipe
    assert (building.returncode, out.strip(), err) == (
        130,
        "Interrupted. The next `make up` builds .venv to its end.",
        "",
    )


def test_pips_index_and_certificates_are_passed_to_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("an authority")
    for name in ("UV_DEFAULT_INDEX", "UV_CACHE_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    monkeypatch.setenv("VIRTUAL_ENV", "/another")
    given = bootstrap.environment()
    assert given["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert given["SSL_CERT_FILE"] == given["REQUESTS_CA_BUNDLE"] == str(bundle)
    assert given["UV_CACHE_DIR"] == str(ROOT / ".clearline/cache/uv")
    assert "VIRTUAL_ENV" not in given


def test_a_python_without_venv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(bootstrap.BootstrapError, match=r"python3.*-venv"):
        bootstrap.check_modules()
    assert doctor.venv_module().verdict is doctor.Verdict.MISSING


@pytest.mark.parametrize("sign", [",", ":", ";"])
def test_a_path_that_would_fall_apart_in_a_list_is_refused(sign: str) -> None:
    with pytest.raises(bootstrap.BootstrapError, match="move the checkout"):
        bootstrap.check_path(Path(f"/home/a{sign}b"))
    bootstrap.check_path(Path("/home/a b/größe"))


@pytest.mark.integration
@pytest.mark.parametrize("script", ["bootstrap", "doctor"])
def test_an_older_python_is_told_in_words(script: str) -> None:
    older = next((found for minor in (10, 9, 8) if (found := _python(minor))), None)
    if older is None:
        pytest.skip("no older Python on this machine")
    done = subprocess.run([older, f"deploy/local/{script}.py"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - an interpreter found on this machine
    assert done.returncode == 1
    assert "3.11" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def _python(minor: int) -> str | None:
    """A Python 3.`minor` that runs (a version manager's stub may not)."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))
    for candidate in [*map(str, pyenv), shutil.which(f"python3.{minor}")]:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:  # noqa: S603 - as above
            return candidate
    return None


@pytest.mark.parametrize(
    ("uid", "named", "namespaces", "way"),
    [
        (1000, True, True, None),
        (1000, True, False, None),
        (0, True, True, "namespace"),
        (0, True, False, "nobody"),
        (1000, False, True, "namespace"),  # docker run --user 1000
        (1000, False, False, None),
    ],
)
def test_a_launcher_is_put_before_commands_of_root_and_of_the_nameless(
    uid: int,
    named: bool,  # noqa: FBT001 - a table
    namespaces: bool,  # noqa: FBT001 - a table
    way: str | None,
) -> None:
    assert unprivileged.prefix(uid, named=named, namespaces=namespaces)[-1:] == ([way] if way else [])


@pytest.mark.integration
@pytest.mark.skipif("os.geteuid() != 0", reason="only root becomes somebody else")
@pytest.mark.parametrize("way", ["namespace", "nobody"])
def test_root_becomes_nobody_with_the_same_pid(way: str) -> None:
    if way == "namespace" and not unprivileged.namespaces_work():
        pytest.skip("user namespaces are refused here")
    code = "import os; print(os.getuid(), os.getgid(), os.getpid())"
    command = [sys.executable, "-P", unprivileged.__file__, way, "/usr/bin/env", "python3", "-c", code]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd="/", env={"PATH": "/usr/bin:/bin"})  # noqa: S603 - our own launcher
    output, _ = child.communicate(timeout=20)
    assert output.decode().split() == ["65534", "65534", str(child.pid)]


@pytest.mark.integration
@pytest.mark.skipif("os.geteuid() != 0", reason="only root's Postgres runs as somebody else")
def test_a_closed_folder_is_noticed_before_anything_is_installed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.chown(home, 1234, 1234)  # another user's, closed
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    checkout = home / "checkout"
    before = unprivileged.launcher()
    assert not unprivileged.can_use(checkout, before)
    home.chmod(0o755)
    assert unprivileged.can_use(checkout, before)
