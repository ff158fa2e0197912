"""DynOPool: resizing by a factor that is learned, in place of strides and pooling.

Jang et al. 2022, CVPR, "Pooling Revisited: Your Receptive Field is Suboptimal", arXiv:2205.15254.
Each cell of the output is the largest of four bilinear samples of the input. No official code is
public; what the paper leaves open is chosen so that a factor of 1/2 is `MaxPool2d(2)`: samples lie
a quarter of an output cell off its middle, cells are H_in / H_out wide, halves are rounded up, and
beyond the border its cells go on.
"""

from collections.abc import Iterable
from math import floor
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import SettingsError

__all__ = ["DynOPool", "Pooling", "Work", "check", "giga", "pooled", "shares"]

LEAST, MOST = 1 / 16, 1.0  #: factors that are learned stay between these

#: how a network gets coarser: by strides, or by layers without a stride and `DynOPool` after them
Pooling = Literal["strided", "dynopool"]
Work = Iterable[tuple[nn.Module, Tensor]]  #: modules, and the share of all cells each works on


def pooled(features: Tensor, ratio: Tensor) -> Tensor:
    """Features resized by a factor along either axis.

    Sizes are rounded, which has no gradient; the factor learns from where the samples lie, as if
    it had not been rounded.

    Parameters
    ----------
    features : (batch, channel, y, x)
    ratio : (2,), factors of y and x

    Returns
    -------
    (batch, channel, round(y * ratio[0]), round(x * ratio[1])), at least one cell each
    """
    axes = [_samples(side, factor) for side, factor in zip(features.shape[2:], ratio, strict=True)]
    rows, columns = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack((columns, rows), dim=-1).expand(len(features), -1, -1, -1)
    with torch.autocast(features.device.type, enabled=False):
        sampled = F.grid_sample(
            features.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
    return F.max_pool2d(sampled, 2).to(features.dtype)


def _samples(side: int, factor: Tensor) -> Tensor:
    """Where samples lie along an axis, two to a cell of the output; -1 to 1 over the input."""
    cells = max(floor(side * float(factor.detach()) + 0.5), 1)
    rounded = cells / side
    effective = factor + (rounded - factor).detach()  # straight through the rounding
    middles = torch.arange(2 * cells, device=factor.device) + 0.5
    return middles / (effective * side) - 1


class DynOPool(nn.Module):
    """Resizing by a learned factor along either axis, at first 1/2."""

    def __init__(self, start: float = 0.5) -> None:
        super().__init__()
        self.start = start
        self.ratio = nn.Parameter(torch.full((2,), start))

    @property
    def bounded(self) -> Tensor:
        """Factors of y and x that are used."""
        return self.ratio.clamp(LEAST, MOST)

    @property
    def share(self) -> Tensor:
        """Cells of the output to one of the input."""
        return self.bounded.prod()

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, channel, round(y * ratio), round(x * ratio))."""
        if self.ratio.is_meta:  # counted, not computed
            return F.max_pool2d(features, round(1 / self.start))
        return pooled(features, self.bounded)


def check(pooling: Pooling, window: int | None) -> None:
    """Learned resizing needs a window: where its cells lie depends on the size of the image.

    Raises
    ------
    SettingsError
        If it has none.
    """
    if pooling == "dynopool" and window is None:
        raise SettingsError(
            "pooling = 'dynopool' in a network of any size",
            "one size of window: where its strided cells lie depends on the size of a tile",
            "give it one, for example window = 384",
        )


def shares(pools: Iterable[nn.Module], stages: int) -> list[Tensor]:
    """Cells to one of the image: 1, and those after each stage; without pools each halves sides."""
    one = torch.ones(())
    learned = [pool for pool in pools if isinstance(pool, DynOPool)]
    if not learned:
        return [one / 4**stage for stage in range(stages + 1)]
    found = [one]
    for pool in learned:
        found.append(found[-1].to(pool.ratio.device) * pool.share)
    return found


def giga(work: Work, cells: int) -> Tensor:
    """Multiply-adds of convolutions, in units of 1e9 (GMACs), for an image of so many cells.

    It is the paper's penalty: added to a loss, it lets factors shrink where that costs little
    accuracy. It is differentiable in them, through the shares of cells.
    """
    each = [
        part.weight.numel() * share
        for module, share in work
        for part in module.modules()
        if isinstance(part, nn.Conv2d)
    ]
    device = each[-1].device
    return torch.stack([one.to(device) for one in each]).sum() * (cells / 1e9)
