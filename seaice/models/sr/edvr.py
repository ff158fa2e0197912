"""EDVR: every frame aligned with the target by deformable convolution, then weighted and fused.

Wang et al. 2019, CVPRW, arXiv:1905.02716; PMDRNet aligns with the same unit. The features of each
frame are aligned with those of the target in one step, on a pyramid of three resolutions; each is
weighted by its similarity to the target; spatial attention on a pyramid corrects the fused
features, and residual blocks reconstruct. Parameter names are those of
https://github.com/XPixelGroup/BasicSR, whose weights load into `EDVR` (`EDVRUpsampler.body`)
unchanged. Defaults are the sizes of EDVR-M. The official options `hr_in` and `with_predeblur`, for
input at output resolution and for motion blur, are not implemented.

Differences: each channel's local anomaly; a skip connection from the target frame upsampled by a
fitted linear filter, where the official one is bilinear; an output convolution that is initialized
with 0 and predicts H and V in units of 3 K; Kaiming initialization (with it nine tenths of the
signal of the first convolution pass the alignment, with PyTorch's default a hundredth); reflash
dropout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import WeightsError
from seaice.models.layers.alignment import PCDAlignment, TSAFusion, init_kaiming
from seaice.models.layers.dropout import ReflashDropout
from seaice.models.layers.upsampling import SCALE, ResidualUpsampler, append_local_anomaly

__all__ = ["EDVR", "EDVRConfig", "EDVRUpsampler", "OfficialEDVRConfig"]

SLOPE = 0.1  # of every leaky ReLU here
COARSEST_STRIDE = 4  # stride of the coarsest level
RESIDUAL_INIT_SCALE = 0.3  # initial factor of the weights of residual blocks
ATTENTION_INIT_SCALE = 0.01  # of temporal attention; a saturated sigmoid does not recover

Fusion = Literal["attention", "convolution"]
Base = Literal["bilinear", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EDVRConfig:
    """Sizes of the network."""

    frames: int = 5  #: odd; the target is in the middle
    channels: int = 11  #: H, V, valid, and both on 3.125 km cells; or the first 3 of these
    width: int = 64
    groups: int = 8  #: deformable groups
    extract_blocks: int = 5
    reconstruct_blocks: int = 10
    tail: int = 64  #: channels at the fine resolution
    fusion: Fusion = "attention"  #: in time and space; "convolution" is a plain 1x1
    surroundings: int = 5  #: side of the fitted linear filter in cells
    around: int = 9  #: side of the local mean of anomalies in cells
    reflash: float = 0.0  #: fraction of channels dropped before the last convolution

    def __post_init__(self) -> None:
        if self.frames % 2 == 0 or self.width % self.groups:
            raise WeightsError(
                f"an EDVR of {self.frames} frames, width {self.width} in {self.groups} groups",
                "an odd number of frames, and a width that the groups divide",
                "correct the network's sizes",
            )
        if self.fusion not in ("attention", "convolution"):
            raise WeightsError(
                f"fusion {self.fusion!r}",
                "'attention' or 'convolution'",
                "correct the network's sizes",
            )

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(width=20, groups=4, extract_blocks=2, reconstruct_blocks=8, tail=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialEDVRConfig:
    """Sizes of EDVR with official names and defaults, except for those after `with_tsa`."""

    num_in_ch: int = 3
    num_feat: int = 64
    num_frame: int = 5
    deformable_groups: int = 8
    num_extract_block: int = 5
    num_reconstruct_block: int = 10
    center_frame_idx: int | None = None  #: counted from 0; None: the middle
    with_tsa: bool = True
    num_hr: int = 64  #: channels at the fine resolution
    out_chans: int = 3  #: the official `num_out_ch` has no effect
    base: Base = "bilinear"  #: what the output is added to: the upsampled target
    reflash: float = 0.0

    @classmethod
    def official(cls, config: Mapping[str, Any]) -> Self:
        """From arguments of the official class; options not implemented here must be off."""
        left = [name for name in ("hr_in", "with_predeblur") if config.get(name)]
        if left:
            raise WeightsError(
                f"an EDVR with {' and '.join(left)}",
                "the network for super-resolution",
                "use weights made without these",
            )
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in known})


class ResidualBlockNoBN(nn.Module):
    """Two convolutions without batch norm."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, num_feat, y, x) -> the same."""
        out: Tensor = features + self.conv2(F.relu(self.conv1(features)))
        return out


class PlainFusion(nn.Conv2d):
    """A 1x1 convolution of the channels of all frames."""

    def forward(self, aligned: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, channel, y, x)."""
        return super().forward(aligned.flatten(1, 2))


class EDVR(nn.Module):
    """The official network.

    Parameters
    ----------
    sizes : as its authors name them
    """

    def __init__(self, sizes: OfficialEDVRConfig) -> None:
        super().__init__()
        self.sizes = sizes
        feat, fine, frames = sizes.num_feat, sizes.num_hr, sizes.num_frame
        center = sizes.center_frame_idx
        self.center = frames // 2 if center is None else center
        self.conv_first = nn.Conv2d(sizes.num_in_ch, feat, 3, padding=1)
        self.feature_extraction = _blocks(sizes.num_extract_block, feat)
        self.conv_l2_1 = nn.Conv2d(feat, feat, 3, 2, 1)
        self.conv_l2_2 = nn.Conv2d(feat, feat, 3, padding=1)
        self.conv_l3_1 = nn.Conv2d(feat, feat, 3, 2, 1)
        self.conv_l3_2 = nn.Conv2d(feat, feat, 3, padding=1)
        self.pcd_align = PCDAlignment(feat, sizes.deformable_groups)
        self.fusion: nn.Module = PlainFusion(frames * feat, feat, 1)
        if sizes.with_tsa:
            self.fusion = TSAFusion(feat, frames, self.center)
        self.reconstruction = _blocks(sizes.num_reconstruct_block, feat)
        self.upconv1 = nn.Conv2d(feat, 4 * feat, 3, padding=1)
        self.upconv2 = nn.Conv2d(feat, 4 * fine, 3, padding=1)
        self.conv_hr = nn.Conv2d(fine, fine, 3, padding=1)
        self.reflash = ReflashDropout(sizes.reflash)
        self.conv_last = nn.Conv2d(fine, sizes.out_chans, 3, padding=1)

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x), multiples of 4 -> (batch, out_chans, 4 y, 4 x)."""
        features = self.reconstruction(self.fusion(self._aligned(stack)))
        for up in (self.upconv1, self.upconv2):
            features = _leaky_relu(F.pixel_shuffle(up(features), 2))
        out: Tensor = self.conv_last(self.reflash(_leaky_relu(self.conv_hr(features))))
        if self.sizes.base == "none":
            return out
        target = stack[:, self.center]
        return out + F.interpolate(target, scale_factor=SCALE, mode="bilinear", align_corners=False)

    def _aligned(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, frame, num_feat, y, x), aligned with the target.

        The target is aligned with itself, like every other frame.
        """
        batch, frames = stack.shape[:2]
        pyramid = self._pyramid(stack.flatten(0, 1))
        reference = [
            level.reshape(batch, frames, *level.shape[1:])[:, self.center].repeat_interleave(
                frames, 0
            )
            for level in pyramid
        ]
        aligned: Tensor = self.pcd_align(pyramid, reference)
        return aligned.reshape(batch, frames, *aligned.shape[1:])

    def _pyramid(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, channel, y, x) -> features of each, whole, at a half and a quarter."""
        whole: Tensor = self.feature_extraction(_leaky_relu(self.conv_first(frames)))
        half = _leaky_relu(self.conv_l2_2(_leaky_relu(self.conv_l2_1(whole))))
        return whole, half, _leaky_relu(self.conv_l3_2(_leaky_relu(self.conv_l3_1(half))))


def _leaky_relu(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE)


def _blocks(count: int, num_feat: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlockNoBN(num_feat) for _ in range(count)))


def _init_weights(network: EDVR) -> None:
    """Kaiming initialization, with smaller weights in residual blocks and temporal attention."""
    init_kaiming(network, SLOPE)
    for module in network.modules():
        if isinstance(module, ResidualBlockNoBN):
            module.conv1.weight.data.mul_(RESIDUAL_INIT_SCALE)
            module.conv2.weight.data.mul_(RESIDUAL_INIT_SCALE)
        if isinstance(module, TSAFusion):
            module.temporal_attn2.weight.data.mul_(ATTENTION_INIT_SCALE)
    nn.init.zeros_(network.conv_last.weight)


class EDVRUpsampler(ResidualUpsampler):
    config_class = EDVRConfig

    def __init__(self, config: EDVRConfig) -> None:
        super().__init__(config.channels, config.surroundings, COARSEST_STRIDE)
        self.config = config
        self.body = EDVR(_official_config(config))
        _init_weights(self.body)

    def residual(self, stack: Tensor) -> Tensor:
        """The residual of the upsampled target; y and x are multiples of 4."""
        inputs = append_local_anomaly(stack.flatten(0, 1), self.config.around)
        out: Tensor = self.body(inputs.reshape(*stack.shape[:2], *inputs.shape[1:]))
        return out


def _official_config(config: EDVRConfig) -> OfficialEDVRConfig:
    """Sizes of the official network for a configuration."""
    return OfficialEDVRConfig(
        num_in_ch=2 * config.channels - 1,
        num_feat=config.width,
        num_frame=config.frames,
        deformable_groups=config.groups,
        num_extract_block=config.extract_blocks,
        num_reconstruct_block=config.reconstruct_blocks,
        with_tsa=config.fusion == "attention",
        num_hr=config.tail,
        out_chans=2,
        base="none",
        reflash=config.reflash,
    )
