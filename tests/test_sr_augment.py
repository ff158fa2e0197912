"""Augmentation leaves alone what it must, stays within what nature does, and repeats itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seaice.models.inputs import new_sr_card
from seaice.train.samples import SampleSet
from seaice.train.super_resolution import (
    BrightnessJitter,
    SRTask,
    missing_swath,
    with_missing_swaths,
)
from tests.support import tiny_samples

seeds = st.integers(0, 10_000)


def seen(seed, shape=(5, 2, 12, 12)):
    """Ice, water and what lies between, with gaps of one or both polarizations."""
    random = np.random.default_rng(seed)
    v = random.uniform(180, 260, shape[:1] + shape[2:])
    tb = np.stack([v - random.uniform(0, 70, v.shape), v], axis=1).astype(np.float32)
    tb[0, 0, 2, 3] = tb[1, :, 4:6] = np.nan
    return tb


def drift(seed):
    return BrightnessJitter.drawn(np.random.default_rng(seed))


@given(seeds)
def test_drift_moves_h_and_v_by_two_kelvin_and_their_difference_by_half_at_most(seed):
    tb = seen(seed)
    moved = drift(seed).on(tb) - tb
    assert np.nanmax(np.abs(moved)) < 2.001
    assert np.nanmax(np.abs(moved[:, 1] - moved[:, 0])) < 0.501


def test_the_difference_drifts_by_less_than_half_of_what_either_does():
    tb = seen(0)
    moved = np.stack([drift(seed).on(tb) - tb for seed in range(200)])
    h, v = (float(np.sqrt(np.nanmean(moved[:, :, n] ** 2))) for n in (0, 1))
    difference = float(np.sqrt(np.nanmean((moved[:, :, 1] - moved[:, :, 0]) ** 2)))
    assert min(h, v) > 0.3
    assert max(h, v) < 1
    assert difference < 0.5 * min(h, v)


@given(seeds)
def test_what_is_absent_stays_absent_and_nothing_else_becomes_so(seed):
    tb = seen(seed)
    either = np.isnan(tb).any(axis=1, keepdims=True)
    assert np.array_equal(np.isnan(drift(seed).on(tb)), np.broadcast_to(either, tb.shape))


@given(seeds, st.sampled_from([0.0, 60.0]))
def test_a_coarse_cell_drifts_by_the_mean_of_its_fine_cells(seed, difference):
    def moved(side):
        v = np.full((side, side), 230.0, np.float32)
        tb = np.stack([v - np.float32(difference), v])
        return drift(seed).on(tb) - tb

    fine = moved(32).reshape(2, 8, 4, 8, 4).mean((2, 4))
    np.testing.assert_allclose(fine, moved(8), atol=1e-4)


def test_ice_and_water_drift_apart():
    def moved(difference):
        v = np.full((200, 4, 4), 230.0, np.float32)
        tb = np.stack([v - np.float32(difference), v], axis=1)
        each = [drift(seed).on(tb[seed]) - tb[seed] for seed in range(200)]
        return np.stack(each)[:, 1, 0, 0]

    assert abs(np.corrcoef(moved(5.0), moved(60.0))[0, 1]) < 0.25


@given(seeds, st.integers(8, 40))
def test_a_missing_swath_is_a_straight_strip_of_bounded_width(seed, side):
    strip = missing_swath(np.random.default_rng(seed), (side, side))
    assert strip.any()
    assert not strip.all()
    rows, columns = np.nonzero(strip)
    places = np.stack([rows, columns]).T - np.array([rows.mean(), columns.mean()])
    directions = np.linspace(0, np.pi, 721)
    spread = places @ np.stack([np.sin(directions), np.cos(directions)])
    assert np.ptp(spread, axis=0).min() <= side / 2 + 0.1


@given(seeds)
def test_missing_swaths_take_both_polarizations_and_touch_nothing_else(seed):
    tb = seen(seed)
    before, result = tb.copy(), with_missing_swaths(np.random.default_rng(seed), tb)
    gone = np.isnan(result) & ~np.isnan(tb)
    assert np.array_equal(tb, before, equal_nan=True)
    assert np.array_equal(result[~gone], tb[~gone], equal_nan=True)
    assert gone.any()
    both = ~np.isnan(tb).any(axis=1)
    assert np.array_equal(gone[:, 0][both], gone[:, 1][both])


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.zarr"
    tiny_samples.write(path)
    samples = SampleSet.open(path)
    return SRTask(
        train=samples,
        valid=samples,
        card=new_sr_card("bicubic", {}),
        crop=16,
        p_brightness_jitter=1,
        p_missing_swath=1,
    )


def batch(lesson, seed=4):
    return lesson.task(torch.nn.Identity()).source(np.random.default_rng(seed), 4)


def test_the_same_seed_draws_the_same_lesson_and_another_another(lesson):
    one, two, other = batch(lesson), batch(lesson), batch(lesson, 5)
    for name, value in one.items():
        assert torch.equal(torch.nan_to_num(value), torch.nan_to_num(two[name]))
        assert not torch.equal(torch.nan_to_num(value), torch.nan_to_num(other[name]))


def test_missing_swaths_leave_the_truth_and_weigh_nothing(lesson):
    """A cell of the target day that no swath saw costs nothing, whatever is told of it."""
    only_gaps = replace(lesson, p_brightness_jitter=0)
    whole, gappy = (batch(replace(only_gaps, p_missing_swath=fraction)) for fraction in (0, 1))
    assert torch.equal(gappy["truth"][0], whole["truth"][0])
    assert gappy["tb"].isfinite().sum() < whole["tb"].isfinite().sum()
    loss = only_gaps.task(torch.nn.Identity()).loss
    absent = ~torch.isfinite(gappy["tb"][:, 2]).all(1, keepdim=True)
    assert absent.any()
    far = absent.repeat_interleave(4, 2).repeat_interleave(4, 3) * 100.0
    wild, calm = (
        loss(lambda _, told=told: told.expand(-1, 2, -1, -1), gappy) for told in (far, 0 * far)
    )
    assert torch.equal(wild, calm)


def test_a_drifting_sample_and_its_truth_stay_each_others(lesson):
    """Bicubic interpolation is as far from the truth as it was before: both drifted alike."""
    errors, truths = [], []
    for drifting in (0, 1):
        result = batch(replace(lesson, p_brightness_jitter=drifting, p_missing_swath=0))
        truths.append(result["truth"][0])
        coarse = torch.nn.functional.avg_pool2d(result["truth"], 4)
        errors.append((result["tb"][:, 2] - coarse).nan_to_num().square().mean().sqrt())
    assert (truths[1] - truths[0]).abs().max() > 0.2
    assert abs(errors[1] - errors[0]) < 0.1
