"""A graphics card tells what the CPU tells; rougher arithmetic is only used where it is chosen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seaice.config import RunSettings
from seaice.instrument import LOW_CHANNELS
from seaice.models import inference
from seaice.models.inference import Machine, no_progress, run_tiled
from seaice.models.inputs import SIC_CHANNELS, assemble_sic_input, to_kelvin
from seaice.models.inputs import assemble_sr_input as assemble_stack
from seaice.models.inputs import new_sic_card as blank_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model
from seaice.workflow.methods import machine_of
from tests.test_network_contract import SMALL, lively

CPU = Machine(device=torch.device("cpu"))
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch sees no CUDA device to compare with the CPU"
)


def told(network, card, planes, machine):
    """The network over all of `planes`, (..., y, x), in several tiles where it is large enough."""
    needed = np.ones(planes.shape[-2:], bool)
    cut = lambda rows, columns: planes[..., rows, columns]  # noqa: E731
    machine = replace(machine, tile=0.0)
    return run_tiled(network.to(machine.device), card, cut, needed, machine, no_progress)


def lively_network(card):
    torch.manual_seed(5)
    return lively(create_model(card.architecture, card.config)).eval()


def on_every_device(card, planes):
    network, cuda = lively_network(card), Machine(device=torch.device("cuda"))
    return told(network, card, planes, CPU), told(network, card, planes, cuda)


def scene(side):
    """Brightness temperatures of a wavy edge with a gap, K: H, V."""
    y, x = np.mgrid[:side, :side] / side
    ice = 0.5 + 0.5 * np.tanh(8 * (np.sin(7 * x) / 4 + y - 0.5))
    v = 180 + 60 * ice
    tb = np.stack([v - 45 + 35 * ice, v]).astype(np.float32)
    tb[:, 3:6, 4:9] = np.nan
    return torch.from_numpy(tb)


@needs_cuda
def test_concentration_is_the_cpus_within_one_percent():
    card = blank_sic_card("xception_aspp", SMALL["xception_aspp"], SIC_CHANNELS)
    refined = scene(400)
    low = {name: torch.full((100, 100), 200.0) for name in LOW_CHANNELS}
    planes = assemble_sic_input(refined, low, torch.zeros(400, 400, dtype=torch.bool), card)
    ours, theirs = on_every_device(card, planes)
    assert np.ptp(ours[0]) > 0.01, "a constant map would agree for no reason"
    assert np.abs(ours[0] - theirs[0]).max() < 0.01


@needs_cuda
def test_refined_kelvin_are_the_cpus_within_a_tenth():
    card = blank_sr_card("pmdrnet", SMALL["pmdrnet"])
    stack = assemble_stack(scene(64)[None].repeat(5, 1, 1, 1), card)
    ours, theirs = (
        to_kelvin(torch.from_numpy(each), card) for each in on_every_device(card, stack)
    )
    assert float((ours - theirs).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("wish", "able", "precision"),
    [
        ("auto", {"avx512bf16": True}, "bfloat16"),
        ("auto", {"amx-bf16": True}, "bfloat16"),
        ("auto", {"avx512bf16": False, "avx2": True}, "float32"),
        ("float32", {"avx512bf16": True}, "float32"),
        ("bfloat16", {}, "bfloat16"),
    ],
)
def test_bfloat16_is_chosen_where_the_processor_multiplies_it(monkeypatch, wish, able, precision):
    monkeypatch.setattr(inference, "get_host_cpu_features", lambda: able)
    assert machine_of(RunSettings(precision=wish, device="cpu")).precision == precision


def test_networks_run_without_tf32_and_leave_the_switches_as_they_were():
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, image):
            seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
            return image[:, :1]

    card = blank_sic_card("xception_aspp", {}, ("tb89h",))
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    told(Watching(), card, torch.zeros(1, 16, 16), CPU)
    assert seen == [(False, False)]
    assert before == (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
