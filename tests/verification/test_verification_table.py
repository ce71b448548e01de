"""The published table of verification says what the ladder says today."""

from pathlib import Path

import pytest
from tests.verification.case import COLUMNS
from tests.verification.stands import STANDS
from tests.verification.table import PAGE, cells_of, folder_for_servers, page

from clearline.probes.registry import KINDS

PUBLISHED = (Path(__file__).parents[2] / PAGE).read_text()


def published(kind: str) -> dict[str, str]:
    (row,) = (line for line in PUBLISHED.splitlines() if line.startswith(f"| `{kind}` |"))
    return dict(zip(COLUMNS, row.strip("| ").split(" | ")[2:], strict=True))


def test_every_kind_is_in_the_table_and_its_frame_is_current() -> None:
    assert STANDS.keys() == KINDS.keys()
    assert page({kind: published(kind) for kind in STANDS}) == PUBLISHED


@pytest.mark.integration
@pytest.mark.parametrize("kind", STANDS)
async def test_each_cell_is_what_a_real_server_gives(kind: str) -> None:
    with folder_for_servers() as folder:
        assert await cells_of(kind, folder) == published(kind)


@pytest.mark.parametrize("kind", STANDS)
def test_a_good_server_is_verified_and_an_ill_one_points_at_a_field(kind: str) -> None:
    cells = published(kind)
    assert cells.pop("good") == "verified"
    allowed = {"silent server"} if KINDS[kind].steps == ("resolve", "connect") else set()
    for column, cell in cells.items():
        assert cell.startswith(("—: ", "`")) or column in allowed, (column, cell)
        assert "VERIFIER_FAILED" not in cell
        assert "UNEXPECTED`" not in cell
