"""From a training set on disk to weights that run, for both networks."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st

from seaice.errors import NoInputError
from seaice.models.inputs import SIC_CHANNELS, new_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import create_weightless_model, load_model
from seaice.train.samples import SampleSet, Window, add_refined, kelvin, sample_frame_dropout
from seaice.train.trainer import Schedule
from seaice.workflow.training.train import SICTraining, SRTraining, compact, train_sic, train_sr
from tests.support import tiny_samples
from tests.test_network_contract import SMALL

CPU = torch.device("cpu")
QUICK = Schedule(steps=3, batch=1, warm_up=1, ahead=1)
THREE_FRAMES = {**SMALL["pmdrnet"], "frames": 3}  # as five, at less than half the cost


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    tiny_samples.write(folder / "train.zarr", seed=1)
    tiny_samples.write(folder / "valid.zarr", seed=2, samples=1)
    return folder


def silent(step, loss):
    assert math.isfinite(loss)


def test_both_networks_train_and_their_weights_run(data, tmp_path):
    sr = SRTraining(hyper=THREE_FRAMES, schedule=QUICK, crop=8, commit="abc")
    sr_path = train_sr(data, tmp_path, sr, CPU, silent)
    sic = SICTraining(
        sr_weights=sr_path, hyper=SMALL["xception_aspp"], schedule=QUICK, crop=12, commit="abc"
    )
    sic_path = train_sic(data, tmp_path, sic, CPU, silent)
    for path, role, needed in ((sr_path, "sr", "rmse_pd"), (sic_path, "sic", "rmse")):
        network, card = load_model(path, role)
        assert not network.training
        assert math.isfinite(card.scores[needed])
        assert (card.commit, card.training["period"], card.training["steps"]) == ("abc", "made", 3)
    assert load_model(sic_path)[1].channels == SIC_CHANNELS


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(NoInputError, match="no training set at"):
        train_sr(tmp_path, tmp_path, SRTraining(), CPU, silent)


def test_a_set_without_an_array_is_refused(tmp_path):
    tiny_samples.write(tmp_path / "train.zarr")
    del zarr.open_group(tmp_path / "train.zarr", mode="a")["low"]
    with pytest.raises(NoInputError, match="low"):
        SampleSet.open(tmp_path / "train.zarr")


def test_absent_counts_are_masked_before_scaling():
    assert np.isnan(kelvin(np.array([65535], np.uint16))).all()
    assert kelvin(np.array([20000], np.uint16)) == 200


@given(st.integers(0, 3), st.sampled_from([1, -1]), st.integers(0, 5), st.integers(0, 5))
def test_a_window_cuts_the_same_ground_at_both_resolutions(turns, mirror, row, column):
    coarse = np.arange(100.0).reshape(10, 10)
    fine = coarse.repeat(4, 0).repeat(4, 1)
    window = Window(sample=0, row=row, column=column, side=5, turns=turns, mirror=mirror)
    assert np.array_equal(window.of(fine, 4)[::4, ::4], window.of(coarse, 1))


@given(st.integers(0, 10_000))
def test_the_target_stands_in_its_own_place_and_present_days_in_theirs(seed):
    frames = sample_frame_dropout(np.random.default_rng(seed))
    assert frames[2] == 2
    assert all(frames[source] == source for source in frames)


def test_the_small_sizes_are_small():
    sizes = {
        name: sum(p.numel() for p in create_model(name, compact(name)).parameters())
        for name in ("pmdrnet", "xception_aspp")
    }
    assert max(sizes.values()) < 1_500_000


def test_training_is_repeatable(data, tmp_path):
    settings = SRTraining(hyper=THREE_FRAMES, schedule=replace(QUICK, steps=2), crop=8)
    one, two = (load_model(train_sr(data, tmp_path / n, settings, CPU, silent))[0] for n in "ab")
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_samples_are_refined_once_and_again_for_other_weights(tmp_path):
    tiny_samples.write(tmp_path / "train.zarr")
    refiner = create_weightless_model("bicubic"), new_sr_card("bicubic", {})
    calls = []
    counting = refiner[0].register_forward_hook(lambda *_: calls.append(1))
    for weights, expected in (("1" * 64, 3), ("1" * 64, 3), ("2" * 64, 6)):
        steps = list(add_refined(tmp_path / "train.zarr", refiner, weights, CPU))
        assert steps[-1] == (3, 3)
        assert len(calls) == expected
    counting.remove()


def test_refined_samples_are_absent_where_the_target_day_is(tmp_path):
    tiny_samples.write(tmp_path / "train.zarr")
    refiner = create_weightless_model("bicubic"), new_sr_card("bicubic", {})
    for _ in add_refined(tmp_path / "train.zarr", refiner, "0" * 64, CPU):
        pass
    samples = SampleSet.open(tmp_path / "train.zarr")
    window = samples.whole(1)
    absent = np.isnan(samples.tb89(window)[2]).any(axis=0).repeat(4, 0).repeat(4, 1)
    assert absent.any()
    assert np.array_equal(np.isnan(samples.refined(window, "bicubic")[0]), absent)
    error = samples.refined(window, "bicubic") - samples.truth_tb(window)
    assert np.nanmean(np.abs(error)) < 3


def test_a_set_that_was_not_refined_is_refused(data):
    samples = SampleSet.open(data / "valid.zarr")
    with pytest.raises(NoInputError, match="not refined by espcn"):
        samples.refined(samples.whole(0), "espcn")
