"""The weights that come with the package: whole, small, and each with its card."""

from pathlib import Path

import pytest

from pipelines.model_pages import index
from seaice.models.registry import list_models
from seaice.models.weights import load_model
from seaice.workflow.model_table import SIZES, data_file, list_model_rows, shipped, write_sizes

PAGES = Path(__file__).parents[1] / "docs" / "models"
LEARNING = {name: entry for name, entry in list_models().items() if entry.has_weights}


def test_every_network_that_learns_can_run_at_once():
    assert {path.stem for path in shipped()} == LEARNING.keys()


def test_they_are_at_most_forty_megabytes_in_all():
    assert sum(path.stat().st_size for path in shipped()) <= 40e6


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_each_loads_and_says_what_it_is(path):
    network, card = load_model(path)
    assert card.architecture == path.stem
    assert card.role == path.parent.parent.name
    assert card.training["steps"] > 0
    assert card.training["split"] == "train"
    assert any(name.startswith("rmse") for name in card.scores)
    assert sum(parameter.numel() for parameter in network.parameters())


def test_the_list_says_which_ship_and_how_good_they_are():
    lines = {line[1]: line for line in list_model_rows()}
    for name in LEARNING:
        assert lines[name][5] == f"{name}.safetensors"
        assert int(lines[name][2].replace(",", "")) > 1000


def test_the_table_of_sizes_is_that_of_the_networks(tmp_path):
    """`make model-pages` writes it anew."""
    write_sizes(tmp_path / SIZES)
    assert (tmp_path / SIZES).read_text() == data_file(SIZES).read_text()


def test_the_docs_and_the_listing_agree():
    assert (PAGES / "README.md").read_text() == index()
    for line in list_model_rows():
        if line[1] in LEARNING:
            page = (PAGES / f"{line[1]}.md").read_text()
            assert f"| {line[2]} | {line[3]} |" in page, line[1]
