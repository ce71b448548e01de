import pytest
from tests.harness.programs import program


def test_a_program_that_is_there_is_found() -> None:
    assert program("sh", package="dash").endswith("/sh")


def test_an_absent_one_skips_the_test_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install nothing-like-it"):
        program("no-such-program", package="nothing-like-it")


def test_in_ci_absence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"\.ci/run should have"):
        program("no-such-program", package="nothing-like-it")
