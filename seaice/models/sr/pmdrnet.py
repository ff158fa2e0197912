"""PMDRnet: five daily frames of 89 GHz H and V in, the target day at four times the resolution out.

Liu et al. 2022, IEEE TGRS 60, 4304118; the SR half of Feng, Liu, Li 2023, IEEE JSTARS, doi
10.1109/JSTARS.2022.3232533. Features are extracted frame by frame; frames are aligned with the
target through the frames between by multi-scale deformable convolution, weighted by their
similarity to the target, fused, and reconstructed, with a skip connection from the interpolated
target (here with a fitted linear filter). The numbers of blocks and channels are not published:
64 channels and 8 deformable groups are those of the related EDVR and MSDTGP. Differences: a
validity channel in addition to H and V, each channel's local anomaly, alignment as a residual of
the aligned features, an output in units of 3 K, and fewer channels at fine resolution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import WeightsError
from seaice.models.layers.alignment import PCDAlignment, TemporalFusion, init_kaiming
from seaice.models.layers.dropout import ReflashDropout
from seaice.models.layers.upsampling import ResidualUpsampler, append_local_anomaly

__all__ = ["PMDRNet", "PMDRNetConfig"]

SLOPE = 0.1  # of every leaky ReLU here
COARSEST_STRIDE = 4  # stride of the coarsest level of alignment
RESIDUAL_INIT_SCALE = 0.3  # initial factor of the weights of residual blocks
OFFSET_INIT_SCALE = 0.03  # of alignment and temporal attention; a saturated sigmoid is stuck

Pyramid = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class PMDRNetConfig:
    """Sizes of the network."""

    frames: int = 5  #: odd; the target is in the middle
    channels: int = 11  #: H, V, valid, and both on 3.125 km cells; or the first 3 of these
    width: int = 64
    groups: int = 8  #: deformable groups
    extract_blocks: int = 5
    reconstruct_blocks: int = 10
    tail: int = 64  #: channels from the sub-pixel convolutions on
    surroundings: int = 5  #: side of the fitted linear filter in cells
    around: int = 9  #: side of the local mean of anomalies in cells
    alignment: Literal["deformable", "none"] = "deformable"  #: "none" is for comparison
    reflash: float = 0.0  #: fraction of channels dropped before the last convolution

    def __post_init__(self) -> None:
        if self.frames % 2 == 0 or self.alignment not in ("deformable", "none"):
            raise WeightsError(
                f"a PMDRnet of {self.frames} frames with alignment {self.alignment!r}",
                "an odd number of frames, and alignment 'deformable' or 'none'",
                "correct the network's sizes",
            )

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(width=24, groups=4, extract_blocks=2, reconstruct_blocks=8, tail=16)


def _leaky_relu(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE, inplace=True)


class ResidualBlock(nn.Module):
    """Two convolutions without batch norm; initialized close to the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, width, y, x) -> the same."""
        out: Tensor = features + self.conv2(F.relu(self.conv1(features), inplace=True))
        return out


class FrameEncoder(nn.Module):
    """Features of one frame."""

    def __init__(self, config: PMDRNetConfig) -> None:
        super().__init__()
        width = config.width
        self.around = config.around
        self.first = nn.Conv2d(2 * config.channels - 1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(config.extract_blocks)))

    def forward(self, frames: Tensor) -> Tensor:
        """(n, channel, y, x) -> (n, width, y, x)."""
        inputs = append_local_anomaly(frames, self.around)
        features: Tensor = self.blocks(_leaky_relu(self.first(inputs)))
        return features


class ProgressiveAlignment(nn.Module):
    """Each frame is aligned with the next one towards the target, one day at a time.

    All steps share one unit, since each step bridges one day of drift. The unit predicts a residual
    (ours) and is initialized close to 0, so that a network trained without alignment can be trained
    further with it.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.to_half = nn.Conv2d(width, width, 3, 2, 1)
        self.to_quarter = nn.Conv2d(width, width, 3, 2, 1)
        self.unit = PCDAlignment(width, groups)

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """The features of every frame, aligned with the target.

        Parameters
        ----------
        frames : (batch, width, y, x) each, y and x multiples of 4; the target is in the middle
            and passes unchanged

        Returns
        -------
        (batch, frame, width, y, x)
        """
        pyramids = [self._pyramid(frame) for frame in frames]
        middle = len(frames) // 2
        early = self._walk(pyramids[: middle + 1])
        late = self._walk(pyramids[middle:][::-1])
        return torch.stack([*early, frames[middle], *late[::-1]], dim=1)

    def _walk(self, inward: Sequence[Pyramid]) -> list[Tensor]:
        """All frames but the last, farthest first, aligned step by step with the last."""
        aligned: list[Tensor] = []
        for here, target in pairwise(inward):
            sources = [*map(self._pyramid, aligned), here]
            aligned = [source[0] + self.unit(source, target) for source in sources]
        return aligned

    def _pyramid(self, whole: Tensor) -> Pyramid:
        half = _leaky_relu(self.to_half(whole))
        return whole, half, _leaky_relu(self.to_quarter(half))


class NoAlignment(nn.Module):
    """No alignment: for a single frame, or for comparison."""

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """(batch, width, y, x) each -> (batch, frame, width, y, x)."""
        return torch.stack(list(frames), dim=1)


class PixelShuffleTail(nn.Module):
    """Two sub-pixel convolutions, then the output convolution, which is initialized with 0."""

    def __init__(self, width: int, tail: int, reflash: float) -> None:
        super().__init__()
        self.up1 = nn.Conv2d(width, 4 * tail, 3, padding=1)
        self.up2 = nn.Conv2d(tail, 4 * tail, 3, padding=1)
        self.smooth = nn.Conv2d(tail, tail, 3, padding=1)
        self.reflash = ReflashDropout(reflash)
        self.read = nn.Conv2d(tail, 2, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, width, y, x) -> (batch, 2, 4 y, 4 x)."""
        for up in (self.up1, self.up2):
            features = F.pixel_shuffle(_leaky_relu(up(features)), 2)
        out: Tensor = self.read(self.reflash(_leaky_relu(self.smooth(features))))
        return out


def _alignment(config: PMDRNetConfig) -> nn.Module:
    if config.frames == 1 or config.alignment == "none":
        return NoAlignment()
    return ProgressiveAlignment(config.width, config.groups)


def _init_weights(network: nn.Module) -> None:
    """Kaiming initialization, with smaller weights in residual blocks, alignment and fusion."""
    init_kaiming(network, SLOPE)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            module.conv1.weight.data.mul_(RESIDUAL_INIT_SCALE)
            module.conv2.weight.data.mul_(RESIDUAL_INIT_SCALE)
        if isinstance(module, PCDAlignment):
            module.cas_dcnpack.weight.data.mul_(OFFSET_INIT_SCALE)
        if isinstance(module, TemporalFusion):
            module.temporal_attn1.weight.data.mul_(RESIDUAL_INIT_SCALE)
            module.temporal_attn2.weight.data.mul_(OFFSET_INIT_SCALE)
        if isinstance(module, PixelShuffleTail):
            nn.init.zeros_(module.read.weight)


class PMDRNet(ResidualUpsampler):
    config_class = PMDRNetConfig

    def __init__(self, config: PMDRNetConfig) -> None:
        super().__init__(config.channels, config.surroundings, COARSEST_STRIDE)
        self.config = config
        self.extraction = FrameEncoder(config)
        self.alignment = _alignment(config)
        self.fusion = TemporalFusion(config.width, config.frames, config.frames // 2)
        blocks = (ResidualBlock(config.width) for _ in range(config.reconstruct_blocks))
        self.reconstruction = nn.Sequential(*blocks)
        self.tail = PixelShuffleTail(config.width, config.tail, config.reflash)
        _init_weights(self)

    def residual(self, stack: Tensor) -> Tensor:
        """The residual of the upsampled target; y and x are multiples of 4."""
        features: Tensor = self.extraction(stack.flatten(0, 1))
        by_frame = features.reshape(*stack.shape[:2], *features.shape[1:]).unbind(1)
        fused = self.fusion(self.alignment(by_frame))
        out: Tensor = self.tail(self.reconstruction(fused))
        return out
