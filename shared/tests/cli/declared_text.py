"""Short words for reading declared connections from a text, and for what is wrong with them."""

from dataclasses import replace

import pytest
from shared.tests.cli.fake_gateway import Stream

from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.places import FaultsError
from clearline.cli.declared.reader import read_declared
from clearline.cli.surroundings import Surroundings


def read(text: str, around: Surroundings) -> tuple[Declared, ...]:
    return read_declared(["-"], replace(around, stdin=Stream(text)))


def faults(text: str, around: Surroundings) -> list[tuple[int, str, str, str]]:
    with pytest.raises(FaultsError) as wrong:
        read(text, around)
    return [(fault.place.line, fault.pointer, fault.code, fault.detail) for fault in wrong.value.faults]
