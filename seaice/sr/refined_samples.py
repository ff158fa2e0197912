"""Training samples in, the same with what a super-resolution network makes of them.

Concentration learns from refined maps. Each sample is refined once, with the frames of one kind of
day (whole, provisional, single scene ...), and kept in the set, because refining costs many times
what learning from the result does.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import nn

from seaice.grid.gridding.quarters import quartered
from seaice.grid.refined import SCALE
from seaice.network.card import Card
from seaice.network.weights import without_weights
from seaice.sr.inputs import assemble, blank_card, in_kelvin, on_fine_cells
from seaice.sr.samples import ABSENT, FRAMES, SampleSet, Window, standing_in

__all__ = ["INTERPOLATED", "add_refined", "frames_of", "interpolated_map"]

INTERPOLATED = "bicubic_3km"  #: interpolated when it is read, not kept in the set
TARGET = FRAMES // 2
SEED = 7  #: of which kind of day a sample becomes


def add_refined(
    path: Path, network: tuple[nn.Module, Card], weights: str, device: torch.device
) -> Iterator[tuple[int, int]]:
    """Refine every sample of a set that was not refined with these weights yet.

    Parameters
    ----------
    path : of the set; gains arrays `refined_NETWORK` (n, 2, 4 y, 4 x), uint16, hundredths of a
        kelvin, and `weights_NETWORK` (n,), the first digits of the weights' hash
    network : super-resolution network and its card
    weights : what the weights are known by, a hexadecimal hash

    Yields
    ------
    (done, of) : samples

    Raises
    ------
    NoInputError
        If there is no set at `path`.
    """
    samples = SampleSet.open(path)
    refined, by = _arrays(path, samples, network[1].architecture)
    mark = np.uint64(1 + int(weights[:15], 16))  # 0 is what a fresh array holds
    for index in range(len(samples)):
        yield index, len(samples)
        if by[index] != mark:
            refined[index] = _refined(samples, index, network, device)
            by[index] = mark
    yield len(samples), len(samples)


def frames_of(index: int) -> list[int]:
    """Which frame stands where in the refined map of a sample."""
    return list(standing_in(np.random.default_rng((SEED, index))))


def _arrays(path: Path, samples: SampleSet, network: str) -> tuple[zarr.Array, zarr.Array]:  # type: ignore[type-arg]
    """The two arrays, as long as the set."""
    group = zarr.open_group(path, mode="a")
    length, *shape = samples.arrays["truth_tb"].shape
    kinds = {f"refined_{network}": (tuple(shape), "uint16"), f"weights_{network}": ((), "uint64")}
    for name, (size, dtype) in kinds.items():
        if name not in group:
            group.create_array(name, shape=(length, *size), chunks=(1, *size), dtype=dtype)
        group[name].resize((length, *size))  # type: ignore[union-attr]
    refined, by = (group[name] for name in kinds)
    return refined, by  # type: ignore[return-value]


@torch.inference_mode()
def _refined(
    samples: SampleSet, index: int, network: tuple[nn.Module, Card], device: torch.device
) -> NDArray[np.uint16]:
    """One sample refined, (2, 4 y, 4 x) hundredths of a kelvin."""
    refine, card = network
    frames = frames_of(index)
    window = samples.whole(index)
    tb = torch.from_numpy(samples.tb89(window)[frames])[None].to(device)
    quarters = torch.from_numpy(quartered(samples.halves(window)[frames]))[None].to(device)
    with torch.autocast(device.type, torch.bfloat16):
        told = refine(assemble(tb, quarters, card))
    kelvin = in_kelvin(told, card)[0]
    seen = on_fine_cells(torch.isfinite(tb[0, tb.shape[1] // 2]).all(0), SCALE)
    counts = torch.where(seen, (100 * kelvin).round().clamp(0, ABSENT - 1), ABSENT)
    return counts.cpu().numpy().astype(np.uint16)


def interpolated_map(samples: SampleSet, window: Window) -> NDArray[np.float32]:
    """H and V of the target frame, bicubic from its quarters, as `INTERPOLATED` gives them.

    Returns
    -------
    (2, 4 y, 4 x) float32, K; NaN where the coarse cell lacks H or V
    """
    card = blank_card(INTERPOLATED, {})
    tb = torch.from_numpy(samples.tb89(window)[TARGET])[None]
    quarters = torch.from_numpy(quartered(samples.halves(window))[TARGET])[None]
    with torch.inference_mode():
        network = without_weights(INTERPOLATED)
        fine = in_kelvin(network(assemble(tb, quarters, card)[None])[0], card)
        seen = on_fine_cells(torch.isfinite(tb[0]).all(0), SCALE)
    return np.where(seen.numpy(), fine.numpy(), np.float32("nan"))
