"""PMDRnet: five daily frames of 89 GHz H and V in, the target day four times finer out.

Liu et al. 2022, IEEE TGRS 60, 4304118; the SR half of Feng, Liu, Li 2023, IEEE JSTARS, doi
10.1109/JSTARS.2022.3232533. Features are extracted frame by frame, far frames are aligned through
nearer ones with multi-scale deformable convolution, weighted by their likeness to the target,
fused, and reconstructed with a skip from the interpolated target (ours: interpolated as well as a
linear filter can). Block and channel counts are not
published: 64 channels and 8 deformable groups are those of its relatives EDVR and MSDTGP. Ours: a
validity channel beside H and V, each channel's departure from its mean around, alignment as a
change of what is aligned, detail told in units of 3 K, and a narrower tail at the fine resolution.
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
COARSEST_STRIDE = 4  # cells of the finest level under one of the alignment's coarsest
RESIDUAL_INIT_SCALE = 0.3  # of the weights in a fresh residual block
OFFSET_INIT_SCALE = (
    0.03  # of those that move frames, and that liken them: a sigmoid once shut stays shut
)

Pyramid = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class PMDRNetConfig:
    """Sizes of the network."""

    frames: int = 5  #: odd; the target is in the middle
    channels: int = 11  #: H, V, valid, and the quarters of both; or the first 3 of these
    width: int = 64
    groups: int = 8  #: deformable groups
    extract_blocks: int = 5
    reconstruct_blocks: int = 10
    tail: int = 64  #: channels from the sub-pixel convolutions on
    surroundings: int = 5  #: cells along a side that the fitted interpolation looks at
    around: int = 9  #: cells along a side whose mean each cell is compared with
    alignment: Literal["deformable", "none"] = "deformable"  #: "none" is for comparison
    reflash: float = 0.0  #: share of channels dropped before the last convolution

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
    """Two convolutions without batch norm; a fresh one is nearly the identity."""

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
        seen = append_local_anomaly(frames, self.around)
        features: Tensor = self.blocks(_leaky_relu(self.first(seen)))
        return features


class ProgressiveAlignment(nn.Module):
    """Far frames are moved onto nearer ones, and those onto the target: one day at a time.

    The same unit serves every step, since every step bridges one day of drift. It tells what
    moving changes (ours): a fresh one hardly moves anything, so that a network that has learnt
    without alignment goes on with it from where it was.
    """

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.to_half = nn.Conv2d(width, width, 3, 2, 1)
        self.to_quarter = nn.Conv2d(width, width, 3, 2, 1)
        self.unit = PCDAlignment(width, groups)

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """Every frame's features, where the target saw them.

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
        """All but the last of these frames, farthest first, moved step by step onto the last."""
        moved: list[Tensor] = []
        for here, onto in pairwise(inward):
            movers = [*map(self._pyramid, moved), here]
            moved = [mover[0] + self.unit(mover, onto) for mover in movers]
        return moved

    def _pyramid(self, whole: Tensor) -> Pyramid:
        half = _leaky_relu(self.to_half(whole))
        return whole, half, _leaky_relu(self.to_quarter(half))


class NoAlignment(nn.Module):
    """Every frame's features where they were seen: of one frame, or to see what moving brings."""

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """(batch, width, y, x) each -> (batch, frame, width, y, x)."""
        return torch.stack(list(frames), dim=1)


class PixelShuffleTail(nn.Module):
    """Channels shuffled into space twice, then read; a fresh one reads nothing but zeros."""

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
    """Weights that keep the size of what passes through, but for what begins quietly."""
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

    def detail(self, stack: Tensor) -> Tensor:
        """What interpolation lacks; y and x are multiples of 4."""
        features: Tensor = self.extraction(stack.flatten(0, 1))
        by_frame = features.reshape(*stack.shape[:2], *features.shape[1:]).unbind(1)
        fused = self.fusion(self.alignment(by_frame))
        out: Tensor = self.tail(self.reconstruction(fused))
        return out
