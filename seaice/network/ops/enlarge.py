"""Coarse features laid under fine ones: where a strided cell lies decides how it is enlarged."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Lie", "enlarged", "from_corners"]

#: where the first cell of strided features lies: on the first cell of the input, as 3x3
#: convolutions padded by one leave it, or in the middle of its patch
Lie = Literal["first", "middle"]


def from_corners(features: Tensor, size: torch.Size) -> Tensor:
    """Bilinear, corner cells on corner cells.

    Exact in place where the encoder met sizes of 16 k + 1, whose strided cells begin at the first
    and end at the last cell.
    """
    return F.interpolate(features, size=size, mode="bilinear", align_corners=True)


def enlarged(features: Tensor, size: torch.Size, lie: Lie) -> Tensor:
    """Bilinear, every cell where it lies, for sizes that are multiples of the features' own.

    Parameters
    ----------
    features : (batch, channel, y, x)
    size : (stride y, stride x); of a fractional stride as well, where cells lie in the middle
    lie : where a strided cell lies

    Returns
    -------
    (batch, channel, stride y, stride x)
    """
    if lie == "middle":
        return F.interpolate(features, size=size, mode="bilinear", align_corners=False)
    beyond = F.pad(features, (0, 1, 0, 1), "replicate")
    whole = torch.Size(fine + 1 for fine in size)
    return from_corners(beyond, whole)[..., :-1, :-1]
