"""What a super-resolution network looks at, and what it leaves alone."""

from importlib.resources import files
from pathlib import Path

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import load_file

from seaice.errors import WeightsError
from seaice.models.inputs import assemble_sr_input, new_sr_card
from seaice.models.registry import create_model
from seaice.models.weights import load_model
from seaice.train.samples import SampleSet
from seaice.train.super_resolution import SRTask
from tests.support import tiny_samples
from tests.test_network_contract import SMALL, lively

VARIANTS = {
    "espcn": ("espcn", SMALL["espcn"]),
    "one frame": ("pmdrnet", SMALL["pmdrnet"] | {"frames": 1}),
    "three frames": ("pmdrnet", SMALL["pmdrnet"] | {"frames": 3}),
    "five frames": ("pmdrnet", SMALL["pmdrnet"]),
    "without quarters": ("pmdrnet", SMALL["pmdrnet"] | {"channels": 3}),
    "without alignment": ("pmdrnet", SMALL["pmdrnet"] | {"alignment": "none"}),
    "plain fusion": ("edvr", SMALL["edvr"] | {"fusion": "convolution"}),
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def made(variant):
    name, hyper = VARIANTS[variant]
    torch.manual_seed(3)
    return lively(create_model(name, hyper)).eval(), new_sr_card(name, hyper)


def given(tb, card):
    """Days as a network wants them, their quarters all different from their cells."""
    return assemble_sr_input(tb, tb[..., None, :, :] + torch.arange(4.0)[:, None, None], card)


def told(variant, tb):
    network, card = made(variant)
    with torch.inference_mode():
        return network(given(tb, card)[None])


def days(seed=0, rows=6, columns=9):
    random = torch.Generator().manual_seed(seed)
    return 200 + 30 * torch.randn(5, 2, rows, columns, generator=random)


@every_variant
def test_a_stack_of_five_days_becomes_one_day_four_times_finer(variant):
    assert told(variant, days()).shape == (1, 2, 24, 36)


@every_variant
def test_every_parameter_of_a_variant_learns(variant):
    network, card = made(variant)
    network.train()(given(days(), card)[None]).square().sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(st.sampled_from(sorted(VARIANTS)), st.integers(0, 4), st.integers(1, 99))
def test_a_network_feels_the_days_it_was_made_for_and_no_other(variant, day, seed):
    tb, changed = days(), days()
    changed[day] = days(seed)[day]
    difference = (told(variant, tb) - told(variant, changed)).abs().max()
    felt = abs(day - 2) <= made(variant)[1].frames // 2
    assert bool(difference > 0) is felt


def test_every_variant_is_scored_beside_the_same_bicubic(tmp_path):
    """The yardstick is of the target's cells, whatever frames and quarters a network looks at."""
    tiny_samples.write(tmp_path / "valid.zarr")
    samples = SampleSet.open(tmp_path / "valid.zarr")
    scores = []
    for variant in VARIANTS:
        network, card = made(variant)
        told = SRTask(train=samples, valid=samples, card=card).evaluate(network)
        scores.append({name: value for name, value in told.items() if name.startswith("bicubic")})
    assert all(score == scores[0] for score in scores)
    assert len(scores[0]) == 3


def test_a_stack_of_too_few_days_is_refused():
    with pytest.raises(WeightsError, match="need 5 frames"):
        given(days()[:3], new_sr_card("pmdrnet", {}))


@pytest.mark.parametrize("hyper", [{"frames": 4}, {"alignment": "flow"}])
def test_sizes_that_make_no_network_are_refused(hyper):
    with pytest.raises(WeightsError, match="odd number of frames"):
        create_model("pmdrnet", hyper)


def test_the_weights_that_ship_load_as_they_are():
    path = Path(str(files("seaice") / "models" / "sr" / "weights" / "pmdrnet.safetensors"))
    network, card = load_model(path, "sr")
    stored = load_file(path)
    assert card.frames == network.config.frames == 5
    assert network.config.alignment == "deformable"
    assert stored.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(value, stored[name].float()), name
