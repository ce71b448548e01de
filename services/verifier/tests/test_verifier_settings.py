from pathlib import Path

import pytest

from clearline.chassis.settings import WrongSettings, read
from clearline.probes.sealing import generate_key_pair, key_id
from verifier.settings import VerifierSettings

PRIVATE, PUBLIC = generate_key_pair()
OTHER, OTHER_PUBLIC = generate_key_pair()


def test_several_keys_and_networks_are_read() -> None:
    settings = read(
        VerifierSettings,
        {
            "CLEARLINE_SEALING_PRIVATE_KEYS": f"{PRIVATE}, {OTHER}",
            "CLEARLINE_OUTBOUND_ALLOW": "127.0.0.0/8,::1/128",
        },
    )
    assert settings.opener().key_ids == {key_id(PUBLIC), key_id(OTHER_PUBLIC)}
    assert len(settings.policy().allow) == 2
    assert PRIVATE not in repr(settings)


def test_keys_come_from_a_file_with_one_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "sealing"
    path.write_text(f"{PRIVATE}\n{OTHER}\n")
    settings = read(VerifierSettings, {"CLEARLINE_SEALING_PRIVATE_KEYS_FILE": str(path)})
    assert len(settings.opener().key_ids) == 2


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "CLEARLINE_SEALING_PRIVATE_KEYS"),
        ({"CLEARLINE_SEALING_PRIVATE_KEYS": "hunter2"}, "CLEARLINE_SEALING_PRIVATE_KEYS"),
        (
            {"CLEARLINE_SEALING_PRIVATE_KEYS": PRIVATE, "CLEARLINE_OUTBOUND_ALLOW": "10.0.0.0/40"},
            "CLEARLINE_OUTBOUND_ALLOW",
        ),
    ],
)
def test_a_wrong_setting_names_its_variable_and_shows_no_key(environ: dict[str, str], named: str) -> None:
    with pytest.raises(WrongSettings) as wrong:
        read(VerifierSettings, environ)
    assert named in str(wrong.value)
    assert "hunter2" not in str(wrong.value)
    assert PRIVATE not in str(wrong.value)
