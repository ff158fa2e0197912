"""What super-resolution networks share: interpolation, a residual upon it, local anomalies.

Bicubic interpolation: Keys 1981, IEEE Trans. ASSP 29(6), with a = -0.75, as PyTorch has it.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers import autocast_disabled

__all__ = [
    "SCALE",
    "LearnedLinearUpsampler",
    "ResidualUpsampler",
    "append_local_anomaly",
    "bicubic_upsample",
    "local_anomaly",
    "neighbourhood_matrix",
]

CHANNELS_WITH_3KM = 11  # channels of a frame: H, V, valid, four quarters of H, four of V


def bicubic_upsample(frame: Tensor, scale: int) -> Tensor:
    """H and V of a frame `scale` times finer, bicubic, from its quarters where it has them.

    Keys 1981, IEEE Trans. ASSP 29(6), with a = -0.75, as PyTorch has it.

    Parameters
    ----------
    frame : (batch, channel, y, x), channels in the order of `seaice.models.inputs.SR_CHANNELS`

    Returns
    -------
    (batch, 2, scale y, scale x) float32
    """
    if frame.shape[1] < CHANNELS_WITH_3KM:
        known = frame[:, :2].float()
    else:
        known, scale = F.pixel_shuffle(frame[:, 3:CHANNELS_WITH_3KM].float(), 2), scale // 2
    return F.interpolate(known, scale_factor=scale, mode="bicubic", align_corners=False)


class LearnedLinearUpsampler(nn.Module):
    """Bicubic interpolation and the best linear correction of it, found by least squares.

    What blurs a daily map, footprints and gridding, is nearly the same everywhere: one linear
    filter undoes most of what can be undone (a Wiener filter), and is found in half a minute. A
    fresh one is bicubic. Learning does not touch it.
    """

    kernel: Tensor
    offset: Tensor

    def __init__(self, channels: int, scale: int, side: int) -> None:
        super().__init__()
        self.scale, self.side = scale, side
        self.register_buffer("kernel", torch.zeros(2 * scale**2, channels, side, side))
        self.register_buffer("offset", torch.zeros(2 * scale**2))

    def forward(self, frame: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, 2, scale y, scale x) float32.

        Beside cells that were not seen it is bicubic.
        """
        frame = frame.float()
        reach = (self.side // 2,) * 4
        with autocast_disabled(frame):
            padded = F.pad(frame, reach, "replicate")
            correction = F.conv2d(padded, self.kernel, self.offset)
            whole = -F.max_pool2d(-padded[:, 2:3], self.side, stride=1)
            finer = F.pixel_shuffle(correction * whole, self.scale)
        return bicubic_upsample(frame, self.scale) + finer

    def fit(self, products: Tensor, targets: Tensor) -> None:
        """Set the filter from normal equations.

        Parameters
        ----------
        products : (n + 1, n + 1) float64, sums of outer products of `neighbourhood_matrix`
        targets : (n + 1, 2 scale^2) float64, sums of their products with what bicubic lacks
        """
        loading = 1e-6 * products.diagonal().mean() * torch.eye(len(products)).to(products)
        weights = torch.linalg.solve(products + loading, targets).float()
        self.kernel.copy_(weights[:-1].T.reshape(self.kernel.shape))
        self.offset.copy_(weights[-1])


def neighbourhood_matrix(frame: Tensor, side: int) -> Tensor:
    """Every cell's surroundings and a one, (1, channel, y, x) -> (cell, channel side^2 + 1)."""
    padded = F.pad(frame.float(), (side // 2,) * 4, "replicate")
    around = F.unfold(padded, side)[0].T
    return torch.cat((around, torch.ones_like(around[:, :1])), dim=1)


ANOMALY_GAIN = 10.0  # 10 K from the mean are as much as 100 K of a brightness temperature


def local_anomaly(frames: Tensor, side: int) -> Tensor:
    """Every channel's departure from its mean over the cells around that were seen.

    Detail is a few kelvin upon hundreds. A network that is handed both learns the detail at once,
    and from the hundreds alone hardly ever.

    Parameters
    ----------
    frames : (n, channel, y, x), channels in the order of `seaice.models.inputs.SR_CHANNELS`, normalized
    side : cells of the square that is averaged, odd

    Returns
    -------
    (n, channel - 1, y, x) float32, ten times the departures, of all channels but validity; 0
    where nothing was seen
    """
    frames = frames.float()
    seen = frames[:, 2:3]
    shown = frames[:, [channel for channel in range(frames.shape[1]) if channel != 2]]
    sums, cells = _box_mean(shown * seen, side), _box_mean(seen, side)
    return ANOMALY_GAIN * (shown - sums / cells.clamp(min=0.5 / side**2)) * seen


def _box_mean(planes: Tensor, side: int) -> Tensor:
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


def append_local_anomaly(frames: Tensor, side: int) -> Tensor:
    """Channels and their departures, (n, channel, y, x) -> (n, 2 channel - 1, y, x) float32."""
    frames = frames.float()
    return torch.cat((frames, local_anomaly(frames, side)), dim=1)


SCALE = 4
RESIDUAL_SCALE = 0.03  # normalized, 3 K: about the size of what interpolation lacks


class ResidualUpsampler(nn.Module, ABC):
    """The target frame, interpolated as well as a linear filter can, and detail upon it.

    A network of this kind has a `detail` method; at first it tells zeros, so that a fresh one is
    bicubic interpolation.

    Parameters
    ----------
    channels : of a frame
    surroundings : cells along a side that the fitted interpolation looks at
    unit : cells; what `detail` is handed has multiples of it along y and x
    """

    def __init__(self, channels: int, surroundings: int, unit: int) -> None:
        super().__init__()
        self.unit = unit
        self.interpolation = LearnedLinearUpsampler(channels, SCALE, surroundings)

    @abstractmethod
    def detail(self, stack: Tensor) -> Tensor:
        """What interpolation lacks, in units of 3 K.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), y and x multiples of `unit`

        Returns
        -------
        (batch, 2, 4 y, 4 x)
        """

    def forward(self, stack: Tensor) -> Tensor:
        """The target day, four times finer.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), normalized; H and V come first; any y, x

        Returns
        -------
        (batch, 2, 4 y, 4 x) float32, normalized H and V
        """
        rows, columns = stack.shape[3:]
        padding = (0, -columns % self.unit, 0, -rows % self.unit, 0, 0)
        detail = self.detail(F.pad(stack, padding, "replicate"))
        base: Tensor = self.interpolation(stack[:, stack.shape[1] // 2])
        return base + RESIDUAL_SCALE * detail[..., : SCALE * rows, : SCALE * columns].float()
