"""Official checkpoints: same numbers, the input layer spread, and nothing is executed."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import WeightsError
from seaice.models.registry import create_model
from seaice.models.weights import load_model, match_weights, read_checkpoint_tensors
from seaice.workflow.model_export import import_weights
from tests.test_network_contract import SMALL


@pytest.fixture
def official(tmp_path):
    """The encoder of a small RepVGG for three colours, as its repository would write it."""
    torch.manual_seed(1)
    network = create_model("repvgg", SMALL["repvgg"] | {"in_channels": 3})
    return network.encoder


def retrieve_world(tmp_path, tensors, suffix="safetensors", **options):
    file, out = tmp_path / f"official.{suffix}", tmp_path / "ours.safetensors"
    if suffix == "safetensors":
        save_file(tensors, file)
    else:
        torch.save(tensors, file)
    return import_weights("repvgg", file, out, "published", SMALL["repvgg"], **options)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_grey_input_is_seen_as_the_official_network_sees_it(tmp_path, official, suffix):
    imported = retrieve_world(tmp_path, official.state_dict(), suffix)
    ours, card = load_model(imported.path, "sic")
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        expected = official.eval().features(grey.expand(-1, 3, -1, -1))
        result = ours.encoder.features(grey.expand(-1, len(card.channels), -1, -1))
    for theirs, mine in zip(expected, result, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    assert imported.fit.adapted
    assert not imported.fit.fresh


def test_a_classifier_is_left_out_and_wrappers_are_taken_off(tmp_path, official):
    tensors = {f"module.{name}": value for name, value in official.state_dict().items()}
    tensors["module.linear.weight"] = torch.zeros(7, 8)
    imported = retrieve_world(tmp_path, {"state_dict": tensors, "epoch": 3}, "pth")
    assert imported.fit.unused == ("linear.weight",)


def test_other_sizes_are_refused(tmp_path, official):
    tensors = official.state_dict()
    name = next(k for k, v in tensors.items() if v.ndim == 4 and v.shape[1] != 3)
    tensors[name] = torch.zeros(5, 5, 3, 3)
    with pytest.raises(WeightsError, match="--size"):
        retrieve_world(tmp_path, tensors)


def test_another_network_is_refused(official):
    with pytest.raises(WeightsError, match="official repository"):
        match_weights(official, {"conv1.weight": torch.zeros(1)})


class Trap:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("held", [Trap(), {"a": Trap()}, [1, 2], {}])
def test_a_file_that_would_run_or_holds_no_tensors_is_refused(tmp_path, held, capsys):
    path = tmp_path / "trap.pth"
    torch.save(held, path)
    with pytest.raises(WeightsError):
        read_checkpoint_tensors(path)
    path.write_bytes(pickle.dumps(held))
    with pytest.raises(WeightsError):
        read_checkpoint_tensors(path)
    assert "executed" not in capsys.readouterr().out


def test_the_command_line_says_what_is_wrong(tmp_path):
    result = CliRunner().invoke(app, ["import-weights", "repvgg", str(tmp_path / "none.pth")])
    assert result.exit_code == 2
    assert "none.pth" in result.output
