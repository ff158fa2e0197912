"""Encoders learn from maps without truth; what is hidden is never seen."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError, SettingsError
from seaice.models.inputs import new_sr_card
from seaice.models.layers.tokens import PatchMask
from seaice.models.registry import create_model
from seaice.models.weights import load_model, save_model
from seaice.retrieval.pretraining import autoencoder_of
from seaice.workflow.training.fine_tuning import SingleModelSettings, training_of
from seaice.workflow.training.pretrain import MaskConfig, pretrain, unlabelled_days
from tests.support import tiny_samples
from tests.support.days import run, write_five_days
from tests.test_network_contract import SMALL

CPU = torch.device("cpu")
TRANSFORMERS = ("mae_vit", "cloformer", "scalablevit", "flowformer")


def network(name):
    torch.manual_seed(3)
    return create_model(name, SMALL[name] | {"in_channels": 3, "outputs": 1})


@pytest.mark.parametrize("name", [*TRANSFORMERS, "repvgg", "convmixer"])
def test_what_is_hidden_is_never_seen(name):
    autoencoder = autoencoder_of(network(name), 16).eval()
    side = autoencoder.patch
    image = torch.randn(1, 3, 4 * side, 4 * side)
    masking = PatchMask.of(torch.rand(1, 16), 0.75)
    hidden = masking.hidden().reshape(4, 4).repeat_interleave(side, 0).repeat_interleave(side, 1)
    changed = torch.where(hidden > 0, torch.randn_like(image), image)
    with torch.inference_mode():
        told = autoencoder(image, masking)
        assert torch.equal(told, autoencoder(changed, masking))
        assert not torch.equal(told, autoencoder(image + (hidden == 0), masking))
    assert told.shape == (1, 16, 3 * side**2)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_every_parameter_of_the_encoder_learns(name):
    autoencoder = autoencoder_of(network(name), 16).train()
    image = torch.randn(2, 3, 64, 64)
    patches = (64 // autoencoder.patch) ** 2
    autoencoder(image, PatchMask.of(torch.rand(2, patches), 0.5)).square().sum().backward()
    for parameter_name, parameter in autoencoder.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "valid"):
        tiny_samples.write(folder / f"{split}.zarr", samples=2, seed=len(split))
    hyper = SMALL["pmdrnet"]
    save_model(
        folder / "sr.safetensors", create_model("pmdrnet", hyper), new_sr_card("pmdrnet", hyper)
    )
    return folder


def told(data, name="mae_vit", **more):
    hyper = SMALL[name] | {"window": 32}
    table = {"model": name, "hyper": hyper, "steps": 3, "batch": 1}
    return SingleModelSettings.checked(table | {"sr_weights": data / "sr.safetensors"} | more, "x")


def learnt(data, out, hiding=None, **more):
    return pretrain(data, out, told(data, **more), hiding or MaskConfig(), CPU, lambda *_: None)


@pytest.mark.slow
def test_pre_training_gives_weights_to_go_on_from(data, tmp_path):
    path = learnt(data, tmp_path)
    result, card = load_model(path, "sic")
    assert card.training["lesson"] == "masked maps"
    assert card.scores["masked_error"] > 0
    torch.manual_seed(0)
    fresh = create_model("mae_vit", card.config).state_dict()
    moved = {k for k, v in result.state_dict().items() if not torch.equal(v, fresh[k])}
    assert moved
    assert all(name.startswith("encoder.") for name in moved)
    assert training_of("sic", told(data, start=path)).start == path
    again = learnt(data, tmp_path / "again")
    assert path.read_bytes() == again.read_bytes()


def test_shares_out_of_reach_are_refused(data, tmp_path):
    with pytest.raises(SettingsError, match="40% to 80%"):
        learnt(data, tmp_path, MaskConfig(ratio=0.9))


def test_a_network_without_an_encoder_of_its_own_is_refused():
    with pytest.raises(SettingsError, match="mae_vit"):
        autoencoder_of(create_model("xception_aspp", SMALL["xception_aspp"]), 16)


def test_a_folder_without_maps_is_refused(tmp_path):
    with pytest.raises(NoInputError, match="make daily"):
        list(unlabelled_days(tmp_path))


@pytest.mark.slow
def test_daily_maps_are_learnt_from_as_they_lie(data, tmp_path):
    write_five_days(tmp_path / "granules")
    assert run("daily", tmp_path / "granules", tmp_path / "out").exit_code == 0
    (day,) = unlabelled_days(tmp_path / "out")
    assert day.refined.shape[1:] == tuple(4 * length for length in day.low.shape[1:])
    assert np.isfinite(day.refined).any()
    assert np.isfinite(day.frames).any(axis=(1, 2, 3)).all()
    result = learnt(tmp_path / "out", tmp_path / "weights")
    assert load_model(result, "sic")[1].training["data"] == "out"


def test_the_command_line_explains(tmp_path):
    result = CliRunner().invoke(app, ["pretrain", "mae", "--data", str(tmp_path), "--mask", "0.5"])
    assert result.exit_code == 2
    assert "make daily" in result.output
