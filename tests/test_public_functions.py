"""`import seaice`: every public function works in one line, and agrees with the daily run."""

import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
import torch

import seaice
from seaice.errors import NoInputError, SettingsError, UnknownNameError
from seaice.grid.regions import region_grid
from seaice.models.registry import shipped_weights
from seaice.retrieval.classical.corrections import blend
from tests.support.days import DAY, REGION, write_five_days


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    return folder, write_five_days(folder)


@pytest.fixture(scope="module")
def product(granules, tmp_path_factory):
    out = tmp_path_factory.mktemp("products")
    options = {"region": REGION, "fill": "none", "device": "cpu"}
    return seaice.run_day(DAY, granules[0], out, sr="bicubic", sic="asi", **options)


@pytest.fixture(scope="module")
def daily_maps(granules, product):
    grid = region_grid(REGION, "north")
    dates = [DAY + timedelta(days=n) for n in range(-2, 3)]
    return {
        day: seaice.grid_day([seaice.read_swath(path)], grid, day)
        for day, path in zip(dates, granules[1], strict=True)
    }


def test_the_steps_one_by_one_give_the_product_of_the_run(product, daily_maps):
    """On cells well inside the region: the run grids and super-resolves a margin around it."""
    refined = seaice.refine(daily_maps, DAY, model="bicubic", device="cpu")
    retrieved = seaice.retrieve(refined, daily_maps, DAY, model="asi")
    inside = {"y": slice(24, -24), "x": slice(24, -24)}
    ours, theirs = (each["sic"].isel(inside).values for each in (retrieved, product))
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.mean() > 0.3
    assert np.array_equal(np.isfinite(ours), np.isfinite(theirs))
    assert np.allclose(ours[both], theirs[both], atol=0.006)  # the product is stored in percent


def test_a_network_by_name_and_by_file_is_the_same(daily_maps):
    refined = seaice.refine(daily_maps[DAY], model="bicubic_3km", device="cpu")
    steps = []
    by_name = seaice.retrieve(
        refined, daily_maps[DAY], device="cpu", progress=lambda done, of: steps.append((done, of))
    )
    path = shipped_weights("sic", "xception_aspp")
    by_file = seaice.retrieve(refined, daily_maps[DAY], model=path, device="cpu")
    assert np.array_equal(by_name["sic"], by_file["sic"], equal_nan=True)
    assert steps
    assert steps[-1][0] == steps[-1][1]


def test_the_blend_is_of_the_network_and_asi(daily_maps):
    refined = seaice.refine(daily_maps[DAY], model="bicubic_3km", device="cpu")
    network, by_asi, mixed = (
        seaice.retrieve(refined, daily_maps[DAY], model=name, device="cpu")
        for name in ("xception_aspp", "asi", "blend")
    )
    assert blend(network, by_asi)["sic"].equals(mixed["sic"])


def test_wrong_arguments_are_named(daily_maps):
    with pytest.raises(SettingsError, match="no day"):
        seaice.refine(daily_maps, model="bicubic")
    with pytest.raises(NoInputError, match="no daily map of 2020-03-13"):
        seaice.refine(daily_maps, DAY + timedelta(days=10), model="bicubic")
    with pytest.raises(UnknownNameError, match="'xception_aspp' is a network for 'sic'"):
        seaice.refine(daily_maps[DAY], model="xception_aspp")
    with pytest.raises(AttributeError, match=r"use seaice\.run_day"):
        _ = seaice.daily


def test_models_are_torch_modules():
    model = seaice.create_model("espcn", {})
    assert isinstance(model, torch.nn.Module)
    loaded, card = seaice.load_model(shipped_weights("sr", "pmdrnet"))
    assert isinstance(loaded, torch.nn.Module)
    assert card.architecture == "pmdrnet"


def test_every_public_name_is_there_and_importing_costs_nothing():
    assert all(callable(getattr(seaice, name)) for name in seaice.__all__ if name[0] != "_")
    program = "import sys, seaice; print(any(m in sys.modules for m in ('torch', 'xarray')))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
