"""What a frame has of its own: how far each cell lies from the mean around it."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["departures", "with_departures"]

TENFOLD = 10.0  # 10 K from the mean are as much as 100 K of a brightness temperature


def departures(frames: Tensor, side: int) -> Tensor:
    """Every channel's departure from its mean over the cells around that were seen.

    Detail is a few kelvin upon hundreds. A network that is handed both learns the detail at once,
    and from the hundreds alone hardly ever.

    Parameters
    ----------
    frames : (n, channel, y, x), channels in the order of `seaice.sr.inputs.CHANNELS`, normalized
    side : cells of the square that is averaged, odd

    Returns
    -------
    (n, channel - 1, y, x) float32, ten times the departures, of all channels but validity; 0
    where nothing was seen
    """
    frames = frames.float()
    seen = frames[:, 2:3]
    shown = frames[:, [channel for channel in range(frames.shape[1]) if channel != 2]]
    sums, cells = _mean(shown * seen, side), _mean(seen, side)
    return TENFOLD * (shown - sums / cells.clamp(min=0.5 / side**2)) * seen


def _mean(planes: Tensor, side: int) -> Tensor:
    """Over a square around each cell, zeros outside counted: along rows, then along columns."""
    reach = (side // 2,) * 4
    padded = F.pad(planes, reach)
    for axis in (3, 2):
        size = padded.shape[axis] - side + 1
        sums = padded.narrow(axis, 0, size).clone()
        for step in range(1, side):
            sums += padded.narrow(axis, step, size)
        padded = sums
    return padded / side**2


def with_departures(frames: Tensor, side: int) -> Tensor:
    """Channels and their departures, (n, channel, y, x) -> (n, 2 channel - 1, y, x) float32."""
    frames = frames.float()
    return torch.cat((frames, departures(frames, side)), dim=1)
