"""The guide of kinds says what the registry holds, and its examples can be used as they stand."""

import re
from pathlib import Path

import pytest
import yaml

from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.registry import KINDS
from clearline.probes.render import PAGE, page

GUIDE = page(KINDS)
EXAMPLES = {
    entry["kind"]: entry
    for block in re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for entry in yaml.safe_load(block)["connections"]
}


def test_the_guide_is_current() -> None:
    assert (Path(__file__).parents[3] / PAGE).read_text() == GUIDE


def test_every_kind_has_an_example() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_an_example_is_a_form_that_is_accepted(name: str) -> None:
    kind, entry = KINDS[name], EXAMPLES[name]
    config = parse_config(kind, entry["config"])
    given = entry.get("credentials", {})
    assert all(re.fullmatch(r"\$\{env:[A-Z0-9_]+\}", reference) for reference in given.values())
    parse_credentials(kind, given, config=config)


@pytest.mark.parametrize("name", KINDS)
def test_every_field_and_permission_is_told(name: str) -> None:
    kind = KINDS[name]
    section = GUIDE.partition(f'<a id="{name}"></a>')[2].partition("<a id=")[0]
    for field in (*kind.config.model_fields, *kind.credentials.model_fields):
        assert f"| `{field}` |" in section
    for permission in kind.permissions:
        assert permission.description.replace("|", "\\|") in section
