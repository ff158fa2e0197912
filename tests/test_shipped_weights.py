"""The weights that come with the package: whole, small, and each with its card."""

import pytest

from pipelines.networks.models import models_known, shipped
from seaice.network.catalogue import architectures
from seaice.network.weights import load

LEARNING = {name: entry for name, entry in architectures().items() if entry.learns == "weights"}


def test_every_network_that_learns_can_run_at_once():
    assert {path.stem for path in shipped()} == LEARNING.keys()


def test_they_are_at_most_forty_megabytes_in_all():
    assert sum(path.stat().st_size for path in shipped()) <= 40e6


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_each_loads_and_says_what_it_is(path):
    network, card = load(path)
    assert card.architecture == path.stem
    assert card.role == path.parent.parent.name
    assert card.training["steps"] > 0
    assert card.training["split"] == "train"
    assert any(name.startswith("rmse") for name in card.scores)
    assert sum(parameter.numel() for parameter in network.parameters())


def test_the_list_says_which_ship_and_how_good_they_are():
    lines = {line[1]: line for line in models_known()}
    for name in LEARNING:
        assert lines[name][5] == f"{name}.safetensors"
        assert int(lines[name][2].replace(",", "")) > 1000
