"""The product manual lists every variable and flag."""

from pathlib import Path

import pytest

from seaice.product.metadata import MAP_VARIABLES
from seaice.retrieval.flags import Flag

PAGE = Path(__file__).parents[1] / "docs" / "product.md"


@pytest.mark.parametrize("flag", Flag)
def test_every_flag_is_in_the_table(flag):
    assert f"| {flag.value} | `{str(flag.name).lower()}` |" in PAGE.read_text()


@pytest.mark.parametrize("name", MAP_VARIABLES)
def test_every_variable_is_in_the_table(name):
    table = PAGE.read_text().split("## Flags")[0]
    assert f"`{name}`" in table
