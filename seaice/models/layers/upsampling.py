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

CHANNELS_WITH_3KM = 11  # H, V, valid, and the four 3.125 km cells of H and of V


def bicubic_upsample(frame: Tensor, scale: int) -> Tensor:
    """H and V of a frame, upsampled `scale` times from 3.125 km cells if it has them.

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
    """Bicubic interpolation plus a linear correction fitted by least squares (a Wiener filter).

    The blur of a daily map by footprints and gridding is nearly uniform, so that one linear filter
    corrects most of it; fitting takes half a minute. Before `fit` it is bicubic interpolation. Its
    buffers are not trained.
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

        Next to cells without valid input it is bicubic.
        """
        frame = frame.float()
        reach = (self.side // 2,) * 4
        with autocast_disabled(frame):
            padded = F.pad(frame, reach, "replicate")
            correction = F.conv2d(padded, self.kernel, self.offset)
            all_valid = -F.max_pool2d(-padded[:, 2:3], self.side, stride=1)
            finer = F.pixel_shuffle(correction * all_valid, self.scale)
        return bicubic_upsample(frame, self.scale) + finer

    def fit(self, products: Tensor, targets: Tensor) -> None:
        """Set the filter from normal equations.

        Parameters
        ----------
        products : (n + 1, n + 1) float64, sums of outer products of `neighbourhood_matrix`
        targets : (n + 1, 2 scale^2) float64, sums of their products with the bicubic residual
        """
        loading = 1e-6 * products.diagonal().mean() * torch.eye(len(products)).to(products)
        weights = torch.linalg.solve(products + loading, targets).float()
        self.kernel.copy_(weights[:-1].T.reshape(self.kernel.shape))
        self.offset.copy_(weights[-1])


def neighbourhood_matrix(frame: Tensor, side: int) -> Tensor:
    """The neighbourhood of every cell and a 1, (1, channel, y, x) -> (cell, channel side^2 + 1)."""
    padded = F.pad(frame.float(), (side // 2,) * 4, "replicate")
    around = F.unfold(padded, side)[0].T
    return torch.cat((around, torch.ones_like(around[:, :1])), dim=1)


ANOMALY_GAIN = 10.0  # 10 K from the mean are as much as 100 K of a brightness temperature


def local_anomaly(frames: Tensor, side: int) -> Tensor:
    """Each channel minus its local mean over valid cells, times `ANOMALY_GAIN`.

    Fine structure is a few kelvin on a background of hundreds. With the anomaly as an input a
    network learns it quickly, and without hardly at all.

    Parameters
    ----------
    frames : (n, channel, y, x), normalized, channels in the order of
        `seaice.models.inputs.SR_CHANNELS`
    side : side of the averaged square in cells, odd

    Returns
    -------
    (n, channel - 1, y, x) float32, all channels but validity; 0 where not valid
    """
    frames = frames.float()
    valid = frames[:, 2:3]
    planes = frames[:, [channel for channel in range(frames.shape[1]) if channel != 2]]
    sums, cells = _box_mean(planes * valid, side), _box_mean(valid, side)
    return ANOMALY_GAIN * (planes - sums / cells.clamp(min=0.5 / side**2)) * valid


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
    """Channels and their anomalies, (n, channel, y, x) -> (n, 2 channel - 1, y, x) float32."""
    frames = frames.float()
    return torch.cat((frames, local_anomaly(frames, side)), dim=1)


SCALE = 4
RESIDUAL_SCALE = 0.03  # normalized, 3 K: about the size of what interpolation lacks


class ResidualUpsampler(nn.Module, ABC):
    """Base class: the linearly upsampled target frame plus a residual by the network.

    Subclasses implement `residual`, which is initialized to 0, so that an untrained network is
    bicubic interpolation.

    Parameters
    ----------
    channels : of a frame
    surroundings : side of the fitted linear filter in cells
    unit : cells; y and x of the input of `residual` are multiples of it
    """

    def __init__(self, channels: int, surroundings: int, unit: int) -> None:
        super().__init__()
        self.unit = unit
        self.interpolation = LearnedLinearUpsampler(channels, SCALE, surroundings)

    @abstractmethod
    def residual(self, stack: Tensor) -> Tensor:
        """The residual of the upsampled target, in units of 3 K.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), y and x multiples of `unit`

        Returns
        -------
        (batch, 2, 4 y, 4 x)
        """

    def forward(self, stack: Tensor) -> Tensor:
        """The target day at four times the resolution.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), normalized; H and V come first; any y, x

        Returns
        -------
        (batch, 2, 4 y, 4 x) float32, normalized H and V
        """
        rows, columns = stack.shape[3:]
        padding = (0, -columns % self.unit, 0, -rows % self.unit, 0, 0)
        residual = self.residual(F.pad(stack, padding, "replicate"))
        base: Tensor = self.interpolation(stack[:, stack.shape[1] // 2])
        return base + RESIDUAL_SCALE * residual[..., : SCALE * rows, : SCALE * columns].float()
