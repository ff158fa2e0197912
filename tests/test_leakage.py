"""What networks are scored on shares no days, ground or seeds with what they learn from."""

from calendar import monthrange
from datetime import date
from itertools import chain, combinations

import numpy as np
import pytest
import torch
import zarr

from seaice.errors import NoInputError
from seaice.simulate import samples
from seaice.simulate.samples import MARGIN, SIDE, SPLITS
from seaice.stack import frame_dates
from seaice.train.samples import SampleSet
from seaice.workflow.training.train import SICTraining, SRTraining, train_sic, train_sr
from tests.support import tiny_samples

YEARS = (2018, 2019, 2020)  # the year that is drawn, and what borders a leap day
every_split = pytest.mark.parametrize("split", SPLITS)
#: pairs that may share days and ground: nothing is trained on either of the two, and neither is
#: scored with what the other decided
MAY_SHARE = ({"valid", "doubt"}, {"test", "sealed"})
SCORED = ("test", "sealed")
PAIRS = [pair for pair in combinations(SPLITS, 2) if set(pair) not in MAY_SHARE]
every_pair = pytest.mark.parametrize("pair", PAIRS)


def targets(split):
    first, last = SPLITS[split].days
    months = [(year, month) for year in YEARS for month in range(1, 13)]
    assert last <= min(monthrange(*one)[1] for one in months)
    return [date(*one, day) for one in months for day in range(first, last + 1)]


def ground(split, margin):
    """Columns that worlds of a split cover, `margin` around their samples included."""
    spans = SPLITS[split].columns
    return set(chain(*(range(low - margin, high + margin) for low, high in spans)))


@every_pair
def test_no_day_of_a_stack_is_a_day_of_another_splits_stack(pair):
    """Also over the ends of months, where a stack of 28 February reaches 1 or 2 March."""
    one, other = (set(chain(*map(frame_dates, targets(split)))) for split in pair)
    assert len(one) > 3 * 12
    assert not one & other


@pytest.mark.parametrize("scored", SCORED)
@pytest.mark.parametrize("split", sorted(SPLITS.keys() - set(SCORED)))
def test_scored_samples_lie_outside_every_world_that_is_trained_on(split, scored):
    """Neither split's samples lie where the other's worlds reach to fill broad footprints."""
    assert not ground(scored, 0) & ground(split, MARGIN)
    assert not ground(scored, MARGIN) & ground(split, 0)


def test_seeds_differ():
    assert len({split.seed for split in SPLITS.values()}) == len(SPLITS)


@pytest.fixture(scope="module")
def drawn():
    """300 samples of each split, as if ice lay everywhere: looking for it takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "coarse_concentration", lambda grid, day: np.ones(grid.shape))
        patch.setattr(samples, "_coastal", lambda land: True)
        patch.setattr(samples, "land_mask", lambda grid: np.broadcast_to(0.0, grid.shape))
        return {
            name: [samples.draw(split, index) for index in range(300)]
            for name, split in SPLITS.items()
        }


@every_split
def test_what_is_drawn_stays_in_its_days_and_columns(drawn, split):
    days, columns = set(targets(split)), ground(split, 0)
    for (_, column), day, _ in drawn[split]:
        assert day in days
        assert set(range(column, column + SIDE)) <= columns
    assert {day.month for _, day, _ in drawn[split]} == set(range(1, 13))


def test_no_world_is_drawn_twice(drawn):
    worlds = [(day, seed) for each in drawn.values() for _, day, seed in each]
    assert len(set(worlds)) == len(worlds)


def learn_sr(data, out):
    train_sr(data, out, SRTraining(), torch.device("cpu"), lambda step, loss: None)


def learn_sic(data, out):
    settings = SICTraining(sr_weights=None)
    train_sic(data, out, settings, torch.device("cpu"), lambda step, loss: None)


@pytest.mark.parametrize("learn", [learn_sr, learn_sic])
@pytest.mark.parametrize("wrong", [("train", "test"), ("train", "valid"), ("valid", "train")])
def test_a_set_under_another_splits_name_is_refused(tmp_path, learn, wrong):
    name, text = wrong
    for split in ("train", "valid"):
        tiny_samples.write(tmp_path / f"{split}.zarr")
    zarr.open_group(tmp_path / f"{name}.zarr", mode="a").attrs["split"] = text
    with pytest.raises(
        NoInputError, match=f"{name}.zarr, whose attributes name .*'{text}'; expected"
    ):
        learn(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_set_that_does_not_say_what_it_is_of_is_refused(tmp_path):
    tiny_samples.write(tmp_path / "test.zarr")
    del zarr.open_group(tmp_path / "test.zarr", mode="a").attrs["split"]
    with pytest.raises(NoInputError, match="name the split None"):
        SampleSet.of(tmp_path, "test")
