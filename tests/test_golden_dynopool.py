"""Learned resizing against the reference values and an oracle that samples cell by cell."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seaice.models.layers.convolution import DynOPool, dynamic_pool
from seaice.models.registry import create_model
from tests.support.golden_cases import assert_golden, folders, read

CASES = [
    (name, at, tuple(ratio))
    for name in folders("dynopool")
    for at, ratio in enumerate(
        next(v for k, v in read("dynopool", name).config.items() if k.startswith("ratios"))
    )
]


@pytest.mark.parametrize(("name", "at", "ratio"), CASES)
def test_reference(name, at, ratio):
    case = read("dynopool", name)
    result = dynamic_pool(case.io["input"], torch.tensor(ratio))
    assert_golden(result, case.io[f"output_{at}"])


def oracle(line: np.ndarray, ratio: float, cells: int) -> np.ndarray:
    """One row, resized as the paper words it, with cells of 1 / ratio."""
    told = []
    for cell in range(cells):
        centre = (cell + 0.5) / ratio - 0.5
        queries = np.clip([centre - 0.25 / ratio, centre + 0.25 / ratio], 0, len(line) - 1)
        told.append(np.interp(queries, np.arange(len(line)), line).max())
    return np.array(told)


def test_the_example_computed_by_hand():
    row = torch.tensor([0.0, 4.0, 8.0, 2.0]).reshape(1, 1, 1, 4)
    result = dynamic_pool(row, torch.tensor([1.0, 0.75]))
    torch.testing.assert_close(result.flatten(), torch.tensor([2, 22 / 3, 5]))


@pytest.mark.parametrize(("cells", "ratio"), [(9, 0.4), (10, 0.25), (7, 0.9), (3, 0.01)])
def test_any_factor(cells, ratio):
    line = torch.randn(cells, generator=torch.Generator().manual_seed(cells)).double()
    size = max(int(np.floor(cells * ratio + 0.5)), 1)
    expected = oracle(line.numpy(), size / cells, size)
    rows = line.reshape(1, 1, -1, 1).expand(1, 1, cells, 1).float()
    result = dynamic_pool(rows, torch.tensor([ratio, 1.0]))
    np.testing.assert_allclose(result.flatten(), expected, atol=1e-5)


def test_a_half_is_maximum_pooling():
    features = torch.randn(2, 3, 8, 12)
    result = DynOPool()(features)
    torch.testing.assert_close(result, torch.nn.functional.max_pool2d(features, 2))


def test_the_factor_learns_as_if_it_were_not_rounded():
    line = torch.randn(12, generator=torch.Generator().manual_seed(1)).double()
    ratio = torch.tensor([5 / 12, 1.0], requires_grad=True)
    weights = np.arange(1.0, 6.0)
    result = dynamic_pool(line.reshape(1, 1, 12, 1).float(), ratio)
    (result.flatten() * torch.from_numpy(weights)).sum().backward()
    less, more = (weights @ oracle(line.numpy(), 5 / 12 + step, 5) for step in (-1e-5, 1e-5))
    np.testing.assert_allclose(ratio.grad[0], (more - less) / 2e-5, rtol=1e-3)


SMALL = {
    "repvgg": {"blocks": (2, 1, 2), "widths": (0.125, 0.125, 0.0625), "groups": 2},
    "scnet": {"layers": (1, 1, 2), "planes": (4, 6, 8), "stem_width": 6},
}
pools = pytest.mark.parametrize("name", SMALL)


def network(name, **hyper):
    torch.manual_seed(3)
    sizes = {"decoder": 8, "low_level": 4, "fine": 4, "window": 128}
    return create_model(name, SMALL[name] | sizes | hyper)


@pools
@pytest.mark.parametrize("pooling", ["strided", "dynopool"])
def test_the_cost_is_what_is_computed(name, pooling):
    built = network(name, pooling=pooling).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        built(torch.zeros(1, 3, 128, 128))
    assert 2e9 * built.cost(128 * 128).item() == pytest.approx(counter.get_total_flops(), rel=1e-6)


@pools
def test_every_factor_learns_from_the_task_and_from_the_cost(name):
    built = network(name, pooling="dynopool").train()
    result = built(torch.randn(2, 3, 128, 128))
    assert result.shape == (2, 1, 128, 128)
    ratios = {name: p for name, p in built.named_parameters() if name.endswith(".ratio")}
    assert len(ratios) == 4
    for loss in (result.square().sum(), built.cost(128 * 128)):
        for at, gradient in zip(
            ratios, torch.autograd.grad(loss, list(ratios.values())), strict=True
        ):
            assert gradient.all(), at
            assert torch.isfinite(gradient).all(), at


@pools
def test_other_factors_give_maps_of_the_same_size(name):
    built = network(name, pooling="dynopool").eval()
    for at, parameter in built.named_parameters():
        if at.endswith(".ratio"):
            parameter.data = torch.tensor([0.63, 0.41])
    with torch.inference_mode():
        assert built(torch.randn(1, 3, 50, 41)).shape == (1, 1, 50, 41)
