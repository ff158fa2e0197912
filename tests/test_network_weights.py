"""Wrong files of weights are refused with what was found, expected and to do."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from seaice.errors import SettingsError, WeightsError
from seaice.models.card import Card
from seaice.models.inference import choose_device
from seaice.models.weights import create_weightless_model, load_model, read_card, save_model
from tests.test_network_contract import card, network


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_model(path, network("pmdrnet"), card("pmdrnet"))
    return path


def rewrite(path, tensors=None, metadata=None):
    save_file(
        load_file(path) if tensors is None else tensors,
        path,
        metadata={"card": card("pmdrnet").json()} if metadata is None else metadata,
    )


def test_an_absent_file(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot be read .* expected a whole safetensors file"):
        load_model(tmp_path / "nowhere.safetensors")


def test_a_truncated_file(weights):
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model(weights)


def test_something_else_altogether(weights):
    weights.write_text("no weights at all")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model(weights)


def test_a_number_that_is_none(weights):
    tensors = load_file(weights)
    tensors["tail.read.bias"][0] = torch.nan
    rewrite(weights, tensors)
    with pytest.raises(WeightsError, match=r"tail\.read\.bias is not finite"):
        load_model(weights)


@pytest.mark.parametrize("metadata", [{}, {"cart": "{}"}])
def test_a_file_without_a_card(weights, metadata):
    rewrite(weights, metadata=metadata)
    with pytest.raises(WeightsError, match="has no card"):
        load_model(weights)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"architecture": "pmdrnet"}'])
def test_a_card_that_is_not_ours(weights, text):
    rewrite(weights, metadata={"card": text})
    with pytest.raises(WeightsError, match="card"):
        load_model(weights)


def test_a_card_with_a_key_too_many():
    told = json.loads(card("pmdrnet").json()) | {"favourite_colour": "white"}
    with pytest.raises(WeightsError, match="favourite_colour"):
        Card.from_json(json.dumps(told))


def test_a_card_without_a_normalization():
    with pytest.raises(WeightsError, match="valid"):
        replace(card("pmdrnet"), normalization={"tb89h": (0, 1), "tb89v": (0, 1)})


def test_a_network_for_something_else(weights):
    with pytest.raises(WeightsError, match=r"for 'sr'; expected a network for 'sic'"):
        load_model(weights, "sic")


def test_a_network_nobody_knows(weights):
    told = json.loads(card("pmdrnet").json()) | {"architecture": "pmdr"}
    rewrite(weights, metadata={"card": json.dumps(told)})
    with pytest.raises(WeightsError, match="no network is called 'pmdr'"):
        load_model(weights)


def test_a_tensor_too_few(weights):
    tensors = load_file(weights)
    del tensors["tail.read.bias"]
    rewrite(weights, tensors)
    with pytest.raises(WeightsError, match=r"no tensor tail\.read\.bias"):
        load_model(weights)


def test_sizes_of_another_card(weights):
    small = card("pmdrnet")
    rewrite(weights, metadata={"card": replace(small, config=small.config | {"tail": 8}).json()})
    with pytest.raises(WeightsError, match=r"of shape .* expected .* of shape"):
        load_model(weights)


def test_the_card_can_be_read_alone(weights):
    assert read_card(weights) == card("pmdrnet")


def test_a_network_that_must_learn_does_not_run_untaught():
    with pytest.raises(WeightsError, match="pmdrnet without weights"):
        create_weightless_model("pmdrnet")


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(SettingsError, match="cuda"):
        choose_device("cuda")


@pytest.mark.parametrize("pair", [(0, 0), (float("nan"), 1), (0, float("inf")), (10**400, 1)])
def test_statistics_with_which_every_prediction_would_be_nan(weights, pair):
    told = json.loads(card("pmdrnet").json())
    told["normalization"]["tb89v"] = pair
    rewrite(weights, metadata={"card": json.dumps(told)})
    with pytest.raises(WeightsError, match=r"normalization .* of tb89v|entries of wrong types"):
        load_model(weights)


def test_calibration_that_is_not_finite():
    with pytest.raises(WeightsError, match="calibration_95"):
        replace(card("pmdrnet"), calibration_95=((1.0, float("nan")),))


def test_a_negative_variance(tmp_path):
    """Its square root is NaN, and with it the whole map."""
    path = tmp_path / "weights.safetensors"
    save_model(path, network("xception_aspp"), card("xception_aspp"))
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("running_var"))
    tensors[name][0] = -1.0
    save_file(tensors, path, metadata={"card": card("xception_aspp").json()})
    with pytest.raises(WeightsError, match=r"running_var, a variance, is negative"):
        load_model(path)


def test_cards_of_version_0_1_are_read(weights):
    """Their configuration has the key "hyper"."""
    new = read_card(weights)
    entries = json.loads(new.json())
    entries["hyper"] = entries.pop("config")
    assert Card.from_json(json.dumps(entries)) == new
