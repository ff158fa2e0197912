"""Fine-tuning on samples of charted scenes, here simulated ones, from given weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError, WeightsError
from seaice.files import sha256
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.models.registry import create_model
from seaice.models.weights import load_model, read_card, save_model
from seaice.workflow.training.fine_tuning import (
    FineTuning,
    data_hash,
    default_weights,
    fine_tune,
    train_and_valid,
)
from seaice.workflow.training.scene_samples import write_scene_samples
from tests.support.synthetic_scenes import half_ice, scene_of
from tests.test_network_contract import SMALL

CPU = torch.device("cpu")
SHAPE = (60, 60)


def silent(_done, _loss):
    pass


def write_scenes(folder, count):
    """Scenes with an ice edge each elsewhere, and exact charts."""
    folder.mkdir()
    for number in range(count):
        sic = np.roll(half_ice(*SHAPE), 8 * number, axis=1)
        chart = {
            "sic_chart": (("y", "x"), 100 * sic),
            "sic_uncertainty": (("y", "x"), 5 + 0 * sic),
        }
        scene_of(sic).assign(chart).to_netcdf(folder / f"scene_{number}.nc", engine="h5netcdf")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Samples of five scenes."""
    place = tmp_path_factory.mktemp("fine_tuning")
    list(write_scene_samples(write_scenes(place / "scenes", 5), place / "train.zarr", side=32))
    return place / "train.zarr"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A network that learnt nothing yet, with what a card of trained weights has."""
    torch.manual_seed(0)
    hyper = SMALL["xception_aspp"]
    card = new_sic_card("xception_aspp", hyper, SIC_CHANNELS)
    normalization = {name: (180.0, 90.0) if offset == 200 else (offset, scale)
                     for name, (offset, scale) in card.normalization.items()}  # fmt: skip
    card = replace(card, normalization=normalization, training={"offset_kelvin": 1.5})
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    save_model(path, create_model("xception_aspp", card.config), card)
    return path


def settings(start, data, **changed):
    usual = {"steps": 40, "rate": 1e-2, "crop": 16, "batch": 4}
    return FineTuning(start=start, data=data, **{**usual, **changed})


@pytest.fixture(scope="module")
def run(start, data, tmp_path_factory):
    """The weights after training, and the loss of every step."""
    losses = []

    def note(_done, loss):
        losses.append(loss)

    out = tmp_path_factory.mktemp("tuned")
    return fine_tune(settings(start, data), out, CPU, note), losses


@pytest.fixture(scope="module")
def tuned(run):
    return run[0]


def test_the_loss_falls_and_validation_improves(run):
    tuned, losses = run
    assert len(losses) == 40
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.05
    scores = read_card(tuned).scores
    assert scores["rmse"] < 0.7 * scores["start_rmse"]
    assert scores["mae"] < scores["start_mae"]


def test_the_card_tells_data_and_start(tuned, start, data):
    card, before = read_card(tuned), read_card(start)
    training = card.training
    assert training["start_sha256"] == sha256(start)
    assert training["data_sha256"] == data_hash(data)
    assert (training["physics"], training["scenes"], training["steps"]) == ("observed", 5, 40)
    assert training["offset_kelvin"] == 1.5  # as the start weights were trained
    for kept in ("architecture", "config", "channels", "normalization", "outputs"):
        assert getattr(card, kept) == getattr(before, kept)
    assert card.calibration
    assert card.calibration_95


def test_the_weights_are_others_and_can_be_loaded(tuned, start):
    one, two = load_model(start, "sic")[0].state_dict(), load_model(tuned, "sic")[0].state_dict()
    assert one.keys() == two.keys()
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_a_frozen_encoder_stays(start, data, tmp_path):
    path = fine_tune(settings(start, data, steps=3, encoder="frozen"), tmp_path, CPU, silent)
    one, two = load_model(start, "sic")[0].state_dict(), load_model(path, "sic")[0].state_dict()
    same = {name for name in one if torch.equal(one[name], two[name])}
    assert same
    assert same != set(one)


def test_finished_runs_are_not_run_again_and_others_do_not_go_on_from_them(start, data, tmp_path):
    steps = []

    def count(done, _loss):
        steps.append(done)

    fine_tune(settings(start, data, steps=4), tmp_path, CPU, count)
    assert steps == [1, 2, 3, 4]
    fine_tune(settings(start, data, steps=4), tmp_path, CPU, count)
    assert steps == [1, 2, 3, 4]  # the checkpoint is that of the same settings and data
    other = tmp_path / "other.zarr"
    copied(data, other, lambda sic: np.where(sic == 255, 255, 200 - sic.clip(0, 200)))
    fine_tune(settings(start, other, steps=4), tmp_path, CPU, count)
    assert steps == [1, 2, 3, 4] * 2


def copied(path, target, change=lambda sic: sic):
    """A copy of a set with other labels."""
    old, new = zarr.open_group(path, mode="r"), zarr.open_group(target, mode="w")
    for name, array in old.arrays():
        values = change(array[:]).astype(array.dtype) if name == "truth_sic" else array[:]
        new.create_array(name, data=values, chunks=(1, *array.shape[1:]))
    new.attrs.update(dict(old.attrs))
    return target


def test_the_hash_is_of_the_content(data, tmp_path):
    same = copied(data, tmp_path / "same.zarr")
    group = zarr.open_group(same, mode="a")
    group.create_array("refined_espcn", data=np.zeros((3, 2), np.uint16))
    assert data_hash(same) == data_hash(data)

    def one_more(sic):
        sic[0, 0, 0] = 7 if sic[0, 0, 0] != 7 else 8
        return sic

    assert data_hash(copied(data, tmp_path / "other.zarr", one_more)) != data_hash(data)


def test_no_scene_is_in_both_sets(data):
    scenes = np.asarray(zarr.open_group(data, mode="r")["scene"][:])
    train, valid = train_and_valid(data, None)
    assert len(train) + len(valid) == scenes.size
    assert len(valid) == (scenes == 4).sum()  # the fifth of five
    labels = np.asarray(zarr.open_group(data, mode="r")["truth_sic"][:])
    for number in range(len(valid)):
        own = valid.arrays["truth_sic"][number]
        assert np.array_equal(own, labels[scenes == 4][number])
    for number in range(len(train)):
        assert np.array_equal(train.arrays["truth_sic"][number], labels[scenes != 4][number])
    assert valid.truth_sic(valid.whole(0)).shape == (128, 128)


def test_one_scene_needs_a_second_set(start, data, tmp_path):
    list(write_scene_samples(write_scenes(tmp_path / "one", 1), tmp_path / "one.zarr", side=32))
    with pytest.raises(NoInputError, match="one scene"):
        fine_tune(settings(start, tmp_path / "one.zarr"), tmp_path, CPU, silent)
    path = fine_tune(
        settings(start, tmp_path / "one.zarr", valid=data, steps=2), tmp_path, CPU, silent
    )
    assert read_card(path).training["valid_sha256"] == data_hash(data)


def test_weights_for_another_role_are_refused(data, tmp_path):
    sr = default_weights().parents[2] / "sr" / "weights" / "pmdrnet.safetensors"
    with pytest.raises(WeightsError, match="'sr'"):
        fine_tune(settings(sr, data), tmp_path, CPU, silent)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sic", "--data", "x.zarr"], "--start"),
        (["sr", "--start", "default", "--data", "x.zarr"], "step 'sr'"),
        (["sic", "--start", "default", "--valid", "x.zarr"], "--valid without --data"),
        (["sic", "--start", "default", "--data", "x.zarr", "--model", "repvgg"], "--model"),
        (["sic", "--start", "default", "--data", "x.zarr", "--encoder", "still"], "still"),
        (["sic", "--start", "default", "--data", "x.zarr"], "x.zarr"),
    ],
)
def test_the_command_line_says_what_is_wrong(words, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["train", *words])
    assert result.exit_code == 2
    assert found in result.output


@pytest.mark.slow
def test_the_default_is_fine_tuned_from_the_command_line(data, tmp_path):
    """The labels are half of what the default predicts: training must find that."""
    half = copied(
        data, tmp_path / "train.zarr", lambda sic: np.where(sic == 255, 255, sic.clip(0, 200) // 2)
    )
    words = ["train", "sic", "--start", "default", "--data", str(half), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*words, "--steps", "60", "--rate", "1e-3", "--crop", "32"])
    assert result.exit_code == 0, result.output
    path = tmp_path / "out" / f"{read_card(default_weights()).architecture}.safetensors"
    assert str(path) in result.output
    scores = read_card(path).scores
    assert scores["rmse"] < 0.6 * scores["start_rmse"]
    assert f"{100 * scores['rmse']:.2f} % after" in result.output
    assert read_card(path).training["start_sha256"] == sha256(default_weights())
