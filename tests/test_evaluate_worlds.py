"""Methods on truth-known worlds: all on the same cells, and as plain arithmetic has it."""

import csv
from datetime import date

import numpy as np
import pytest
import torch
import zarr

from seaice.errors import SeaIceError, SettingsError
from seaice.retrieval.classical.algorithms import asi
from seaice.simulate.samples import SPLITS, draw
from seaice.train.samples import SampleSet
from seaice.workflow.evaluation import worlds
from seaice.workflow.evaluation.methods import standard, ways, world_of
from seaice.workflow.stages import silent
from tests.support import tiny_samples

METHODS = ["bicubic:asi-unfiltered", "bicubic:asi"]
SIDE = 32


def made_set(path, count=4):
    """A tiny set; the second world is one pass that stands in for all frames."""
    tiny_samples.write(path, samples=count, side=SIDE)
    group = zarr.open_group(path, mode="r+")
    tb = group["tb89"][:]
    if "tb89_half" not in group:
        group.create_array("tb89_half", data=tb.repeat(2, -1).repeat(2, -2))
    group["tb89"][1] = np.broadcast_to(tb[1, 2], tb[1].shape)
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder of a report on four tiny worlds, and the set."""
    folder = tmp_path_factory.mktemp("worlds")
    store = made_set(folder / "training" / "test.zarr")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worlds, "write_samples", lambda split, count, store: iter((count,)))
        result = worlds.evaluate_worlds(
            store, 4, METHODS, folder / "out", torch.device("cpu"), silent
        )
    assert result == folder / "out" / "report.html"
    return folder / "out", store


def lines(folder):
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def value(folder, **wanted):
    """The one score that has these columns."""
    (result,) = [line for line in lines(folder) if wanted.items() <= line.items()]
    return float(result["value"])


def test_unfiltered_asi_scores_what_plain_arithmetic_says(report):
    """Bicubic by torch, ASI's cubic, the truth: on cells that were seen and are no land."""
    folder, store = report
    errors = []
    samples = SampleSet.open(store)
    for index in range(4):
        window = samples.whole(index)
        target = torch.from_numpy(samples.tb89(window)[2])
        seen = torch.isfinite(target).all(0)
        filled = torch.where(seen, (target - 200) / 100, 0.0)[None]
        fine = torch.nn.functional.interpolate(filled, scale_factor=4, mode="bicubic")[0] * 100
        sic = asi((fine[1] - fine[0]).numpy())
        known = seen.numpy().repeat(4, 0).repeat(4, 1)
        error = np.where(known, sic, np.nan) - samples.truth_sic(window)
        errors.append(error[np.isfinite(error)])
    every = np.concatenate(errors)
    rmse = value(
        folder,
        method="bicubic + asi-unfiltered",
        cell_km="1.5625",
        subset="all",
        group="all",
        metric="rmse",
    )
    assert rmse == pytest.approx(100 * np.sqrt(np.mean(every**2)), rel=1e-3)


def test_every_method_is_measured_on_the_same_cells(report):
    folder, _ = report
    counts = {}
    for line in lines(folder):
        if line["metric"] == "rmse":
            place = line["cell_km"], line["subset"], line["group"]
            counts.setdefault(place, set()).add(line["cells"])
    assert all(len(result) == 1 for result in counts.values())
    assert {cell for cell, *_ in counts} == {"1.5625", "3.125", "6.25", "12.5"}


def test_seasons_and_kinds_of_day_share_the_worlds_out(report):
    folder, _ = report
    needed = {"metric": "rmse", "cell_km": "1.5625", "group": "all", "method": "bicubic + asi"}
    result = {line["subset"]: line for line in lines(folder) if needed.items() <= line.items()}
    days = [draw(SPLITS["test"], index)[1] for index in range(4)]
    assert set(result) == {"all", "five days", "single pass"} | {worlds.season(day) for day in days}
    every = float(result["all"]["cells"])
    kinds = [float(result[name]["cells"]) for name in ("five days", "single pass")]
    assert sum(kinds) == every
    assert sum(float(result[s]["cells"]) for s in worlds.SEASONS if s in result) == every
    assert result["single pass"]["units"] == "1"
    assert result["single pass"]["low"] == "nan"  # one world says nothing of its kind's scatter


def test_the_report_shows_the_methods_their_brightness_and_one_world(report):
    folder, _ = report
    text = (folder / "report.md").read_text()
    for words in (
        "Cells of 6.25 km",
        "published: SR + network",
        "half power P, km",
        "whole worlds",
        "One world",
        "1 of them seen by a single pass",
    ):
        assert words in text, words
    pictures = {path.name for path in folder.glob("*.png")}
    assert {"maps.png", "classes.png", "uncertainty.png", "spectra.png"} <= pictures


@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_has_its_season(month):
    assert worlds.season(date(2018, month, 27)) == ["DJF", "MAM", "JJA", "SON"][(month % 12) // 3]


def test_truth_of_brightness_is_absent_on_land(tmp_path):
    samples = SampleSet.open(made_set(tmp_path / "test.zarr"))
    world = world_of(samples, 0, (900, 720))
    land = np.isnan(world.sic)
    assert land.any()
    np.testing.assert_array_equal(np.isnan(world.tb).any(0), land)


@pytest.mark.parametrize("told", ["bicubic", "bicubic:", "a:b:c", ":asi"])
def test_a_method_that_is_no_pair_is_refused(told, tmp_path):
    with pytest.raises(SettingsError, match="--method SR:SIC"):
        ways([told], tmp_path / "hashes.json")


@pytest.mark.parametrize("told", ["bicubik:asi", "bicubic:absent.safetensors", "asi:bicubic"])
def test_a_method_that_nobody_knows_is_refused(told, tmp_path):
    with pytest.raises(SeaIceError) as error:
        ways([told], tmp_path / "hashes.json")
    assert error.value.hint


def test_the_default_pair_is_among_the_standard_methods():
    assert len(standard()) >= 4
    assert len(set(standard())) == len(standard())


def test_what_cannot_be_named_apart_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="twice"):
        ways(["bicubic:asi", "bicubic:asi"], tmp_path / "hashes.json")
