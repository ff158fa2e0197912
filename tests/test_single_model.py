"""One network trained as the user words it."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import SettingsError, WeightsError
from seaice.models.inputs import SIC_CHANNELS, new_sic_card
from seaice.models.registry import create_model
from seaice.models.weights import save_model
from seaice.retrieval.task import SICTask
from seaice.train.samples import SampleSet
from seaice.train.trainer import Schedule, Task, train
from seaice.workflow.training.fine_tuning import SingleModelSettings, training_of
from seaice.workflow.training.train import SICTraining, _start_with
from tests.support import tiny_samples
from tests.test_network_contract import SMALL, lively

QUICK = Schedule(steps=4, batch=2, rate=1e-2, warm_up=1)
CPU = torch.device("cpu")


def wanted(role="sic", **told):
    return training_of(role, SingleModelSettings.checked(told, "x"))


def test_what_is_not_said_is_as_in_the_recipe():
    usual, changed = wanted(model="xception_aspp"), wanted(model="xception_aspp", steps=9)
    assert isinstance(usual, SICTraining)
    assert changed.schedule.steps == 9
    assert replace(changed, schedule=usual.schedule) == usual


def test_sizes_are_laid_over_the_compact_ones():
    told = wanted(model="xception_aspp", hyper={"middle_blocks": 1})
    assert told.hyper["middle_blocks"] == 1
    assert told.hyper["outputs"] == 2
    assert "outputs" not in wanted(model="xception_aspp", size="published").hyper


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"model": "pmdrnet"}, "pmdrnet"),
        ({"model": "xception_aspp", "stepps": 3}, "stepps"),
        ({"model": "xception_aspp", "encoder": "still"}, "still"),
        ({"model": "xception_aspp", "steps": 0}, "steps"),
        ({"model": "xception_aspp", "cost_weight": 0.1}, "cannot choose"),
    ],
)
def test_what_does_not_fit_is_refused(told, found):
    with pytest.raises(SettingsError, match=found):
        wanted(**told)


def test_a_network_that_learns_nothing_is_refused():
    with pytest.raises(SettingsError, match="bicubic"):
        wanted("sr", model="bicubic")


@pytest.mark.parametrize("given", [["--steps", "3"], ["all", "--model", "espcn"]])
def test_the_command_line_says_what_is_missing(given):
    result = CliRunner().invoke(app, ["train", *given])
    assert result.exit_code == 2
    assert "--model" in result.output


def test_what_a_network_costs_is_part_of_what_it_learns(tmp_path):
    hyper = {
        **SMALL["repvgg"],
        "pooling": "dynopool",
        "window": 64,
        "in_channels": len(SIC_CHANNELS),
    }
    told = wanted(model="repvgg", hyper={**hyper, "outputs": 1}, cost_weight=0.5)
    assert told.cost_weight == 0.5
    torch.manual_seed(0)
    network = create_model("repvgg", hyper)
    card = new_sic_card("repvgg", hyper, SIC_CHANNELS)
    tiny_samples.write(tmp_path / "train.zarr", samples=1)
    samples = SampleSet.open(tmp_path / "train.zarr")
    plain = SICTask(train=samples, valid=samples, card=card, refiner="x", weights=(1.0,) * 10)
    batch = {
        "refined": torch.full((1, 2, 64, 64), 200.0),
        "low": torch.full((1, 12, 16, 16), 200.0),
        "frames": torch.full((1, 5, 2, 16, 16), 200.0),
        "land_shares": torch.zeros(1, 4, 16, 16),
        "truth": torch.zeros(1, 64, 64),
    }
    difference = replace(plain, cost_weight=0.5).loss(network, batch) - plain.loss(network, batch)
    assert difference.item() == pytest.approx(0.5 * network.cost(64 * 64).item(), rel=1e-3)
    difference.backward()
    learnt_factors = [p for name, p in network.named_parameters() if "pools" in name]
    assert learnt_factors
    assert all(factor.grad is not None and factor.grad.any() for factor in learnt_factors)


def learnt(tmp_path, paces):
    torch.manual_seed(0)
    parts = {"encoder": nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))}
    parts["head"] = nn.Conv2d(2, 1, 1)
    network = nn.Sequential()
    for name, part in parts.items():
        network.add_module(name, part)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task = Task(
        network=network,
        loss=lambda network, batch: (network(batch["x"]) - 3).square().mean(),
        source=lambda random, size: {
            "x": torch.from_numpy(random.normal(size=(size, 1, 4, 4))).float()
        },
        evaluate=lambda network: {},
    )
    after, _ = train(
        task, replace(QUICK, lr_multipliers=paces, average=0.0), tmp_path, CPU, lambda *_: None
    )
    return {k: (v - before[k]).abs().max().item() for k, v in after.state_dict().items()}


def test_a_frozen_encoder_keeps_weights_and_statistics(tmp_path):
    moved = learnt(tmp_path, {"encoder": 0.0})
    assert all(not change for name, change in moved.items() if name.startswith("encoder."))
    assert moved["head.weight"]


def test_a_slow_encoder_moves_a_tenth_as_far(tmp_path):
    whole, slow = learnt(tmp_path / "a", {}), learnt(tmp_path / "b", {"encoder": 0.1})
    assert slow["encoder.0.weight"] == pytest.approx(whole["encoder.0.weight"] / 10, rel=0.2)
    assert slow["head.weight"] > 5 * slow["encoder.0.weight"]


def test_weights_of_fewer_channels_go_on_as_they_were(tmp_path):
    """What is new says nothing at first; channels in another order are refused."""
    torch.manual_seed(1)
    fewer = new_sic_card("repvgg", SMALL["repvgg"], SIC_CHANNELS[:-4])
    former = lively(create_model("repvgg", fewer.config)).eval()
    save_model(tmp_path / "fewer.safetensors", former, fewer)
    card = new_sic_card("repvgg", SMALL["repvgg"], SIC_CHANNELS)
    network = create_model("repvgg", card.config).eval()
    _start_with(tmp_path / "fewer.safetensors", network, SIC_CHANNELS)
    image = torch.rand(1, len(SIC_CHANNELS), 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network(image), former(image[:, :-4]), atol=1e-6)
    with pytest.raises(WeightsError, match="taught with"):
        _start_with(tmp_path / "fewer.safetensors", network, SIC_CHANNELS[::-1])
