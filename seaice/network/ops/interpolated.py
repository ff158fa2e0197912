"""The target frame as plain interpolation has it: what super-resolution adds detail to."""

import torch.nn.functional as F
from torch import Tensor

__all__ = ["interpolated"]

WITH_QUARTERS = 11  # channels of a frame: H, V, valid, four quarters of H, four of V


def interpolated(frame: Tensor, scale: int) -> Tensor:
    """H and V of a frame `scale` times finer, bicubic, from its quarters where it has them.

    Keys 1981, IEEE Trans. ASSP 29(6), with a = -0.75, as PyTorch has it.

    Parameters
    ----------
    frame : (batch, channel, y, x), channels in the order of `seaice.sr.inputs.CHANNELS`

    Returns
    -------
    (batch, 2, scale y, scale x) float32
    """
    if frame.shape[1] < WITH_QUARTERS:
        known = frame[:, :2].float()
    else:
        known, scale = F.pixel_shuffle(frame[:, 3:WITH_QUARTERS].float(), 2), scale // 2
    return F.interpolate(known, scale_factor=scale, mode="bicubic", align_corners=False)
