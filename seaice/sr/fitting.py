"""The linear part of super-resolution, fitted before anything is learnt."""

import torch
import torch.nn.functional as F
from torch import nn

from seaice.grid.gridding.quarters import quartered
from seaice.network.card import Card
from seaice.network.ops.interpolated import FittedInterpolation, interpolated, neighbourhoods
from seaice.sr.inputs import assemble, on_fine_cells
from seaice.sr.samples import SampleSet

__all__ = ["fit_interpolation"]

LOOKED_AT = 160  #: samples; more change nothing that can be seen


@torch.inference_mode()
def fit_interpolation(network: nn.Module, samples: SampleSet, card: Card) -> None:
    """Fit the network's `FittedInterpolation`, where it has one, to what bicubic lacks.

    Parameters
    ----------
    network : changed in place
    samples : of the training split
    card : of the network
    """
    fitted = getattr(network, "interpolation", None)
    if not isinstance(fitted, FittedInterpolation):
        return
    size, outputs = fitted.kernel[0].numel() + 1, len(fitted.kernel)
    products = torch.zeros(size, size, dtype=torch.float64)
    targets = torch.zeros(size, outputs, dtype=torch.float64)
    for index in range(min(LOOKED_AT, len(samples))):
        around, lacking = _pairs(samples, index, card, fitted)
        products += (around.T @ around).double()
        targets += (around.T @ lacking).double()
    fitted.fit(products, targets)


def _pairs(
    samples: SampleSet, index: int, card: Card, fitted: FittedInterpolation
) -> tuple[torch.Tensor, torch.Tensor]:
    """Surroundings of every cell that is known, and what bicubic lacks there."""
    window = samples.whole(index)
    tb = torch.from_numpy(samples.tb89(window))[None]
    quarters = torch.from_numpy(quartered(samples.halves(window)))[None]
    truth = torch.from_numpy(samples.truth_tb(window))[None]
    frames = assemble(tb, quarters, card)
    target = frames[:, frames.shape[1] // 2]
    pairs = torch.tensor([card.normalization[name] for name in card.outputs])
    offset, scale = pairs.T[:, :, None, None]
    lacking = (truth - offset) / scale - interpolated(target, fitted.scale)
    seen = on_fine_cells(target[:, 2:3] > 0, fitted.scale)
    known = (torch.isfinite(truth).all(1, keepdim=True) & seen).float()
    whole = F.avg_pool2d(known, fitted.scale).flatten() == 1
    wanted = F.pixel_unshuffle(lacking, fitted.scale)[0].flatten(1).T
    return neighbourhoods(target, fitted.side)[whole], wanted[whole]
