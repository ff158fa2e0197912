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
    sums, cells = (
        F.avg_pool2d(part, side, 1, side // 2, count_include_pad=True)
        for part in (shown * seen, seen)
    )
    return TENFOLD * (shown - sums / cells.clamp(min=0.5 / side**2)) * seen


def with_departures(frames: Tensor, side: int) -> Tensor:
    """Channels and their departures, (n, channel, y, x) -> (n, 2 channel - 1, y, x) float32."""
    frames = frames.float()
    return torch.cat((frames, departures(frames, side)), dim=1)
