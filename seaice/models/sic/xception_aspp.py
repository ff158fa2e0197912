"""Xception-ASPP: brightness temperatures at 1.5625 km in, concentration out.

Feng, Liu, Li 2023, IEEE JSTARS, doi 10.1109/JSTARS.2022.3232533: DeepLabv3+ (Chen et al. 2018,
arXiv:1802.02611) with the modified Xception, as a regression. Defaults are the paper's sizes;
layout and parameter names are those of jfzhang95/pytorch-deeplab-xception. Differences, each a
field of `XceptionASPPConfig`: more input channels, a log-variance, image-level features over a
sliding square, and a full-resolution skip. Inputs are padded to 16 k + 1 cells by replication,
which makes the positions of the published corner-aligned upsampling exact.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.convolution import KernelConfig, SeparableConv2d
from seaice.models.layers.decoder import (
    ASPP,
    DeepLabDecoder,
    DeepLabDecoderConfig,
    FullResolutionSkip,
    to_sic,
    upsample_align_corners,
)

__all__ = [
    "XceptionASPP",
    "XceptionASPPConfig",
    "XceptionBlock",
    "XceptionBlockConfig",
    "XceptionEncoder",
]

STRIDE = 16
Shortcut = Literal["raw", "activated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionASPPConfig:
    """Sizes of the network."""

    in_channels: int = 3
    outputs: int = 1  #: 1: concentration; 2: and its log-variance (ours)
    stem: tuple[int, int] = (32, 64)
    entry: tuple[int, int, int] = (128, 256, 728)
    middle_blocks: int = 16
    exit: int = 1024  #: width of the last block
    top: tuple[int, int, int] = (1536, 1536, 2048)  #: separable convolutions after the last block
    rates: tuple[int, int, int] = (2, 4, 8)
    deep: int = 256  #: channels of ASPP and decoder
    low_level: int = 48
    context: int | None = None  #: stride-16 cells of the image-level mean; None: all (published)
    fine: int = 0  #: channels of a full-resolution skip (ours); 0: upsampled from stride 4
    half: int = 0  #: channels of a half-resolution skip (ours); 0: none
    dropout: tuple[float, float, float] = (0.5, 0.5, 0.1)  #: after ASPP, twice in the decoder
    shortcut: Shortcut = "raw"  #: "activated": after the ReLU, as jfzhang95's in-place ReLU has it

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            stem=(16, 24),
            entry=(32, 64, 128),
            middle_blocks=4,
            exit=160,
            top=(160, 160, 192),
            deep=64,
            low_level=24,
            context=9,
            fine=16,
            half=24,
            dropout=(0.0, 0.0, 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionBlockConfig:
    """Repetitions, stride, dilation and shortcut of a residual block of separable convolutions.

    A stride, or `ends="extra"` in the last block of an encoder, adds one undilated convolution.
    """

    reps: int
    stride: int = 1
    dilation: int = 1
    first: Literal["relu", "convolution"] = "relu"
    widens: Literal["first", "last"] = "first"  #: which of `reps` changes the width
    ends: Literal["plain", "extra"] = "plain"
    shortcut: Shortcut = "raw"

    def widths(self, inplanes: int, planes: int) -> list[tuple[int, int]]:
        """(in, out) channels of each of `reps` convolutions."""
        at = 0 if self.widens == "first" else self.reps - 1
        before, after = [(inplanes, inplanes)] * at, [(planes, planes)] * (self.reps - 1 - at)
        return [*before, (inplanes, planes), *after]


class XceptionBlock(nn.Module):
    """Separable convolutions with a shortcut.

    The shortcut is from the raw input, as in TensorFlow's DeepLab, or from the output of the first
    ReLU ("activated"), as in jfzhang95's.
    """

    def __init__(self, inplanes: int, planes: int, steps: XceptionBlockConfig) -> None:
        super().__init__()
        changes = planes != inplanes or steps.stride != 1
        self.skip = nn.Conv2d(inplanes, planes, 1, steps.stride, bias=False) if changes else None
        self.skipbn = nn.BatchNorm2d(planes) if changes else None
        self.activated = steps.shortcut == "activated" and steps.first == "relu"
        taps = KernelConfig(dilation=steps.dilation)
        layers: list[nn.Module] = []
        for width in steps.widths(inplanes, planes):
            layers += [nn.ReLU(), SeparableConv2d(*width, taps), nn.BatchNorm2d(width[1])]
        if steps.stride != 1 or steps.ends == "extra":
            extra = SeparableConv2d(planes, planes, KernelConfig(stride=steps.stride))
            layers += [nn.ReLU(), extra, nn.BatchNorm2d(planes)]
        self.rep = nn.Sequential(*(layers if steps.first == "relu" else layers[1:]))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        shortcut = F.relu(features) if self.activated else features
        if self.skip is not None and self.skipbn is not None:
            shortcut = self.skipbn(self.skip(shortcut))
        deep: Tensor = self.rep(features)
        return deep + shortcut


class XceptionEncoder(nn.Module):
    """The modified Xception encoder, output stride 16."""

    def __init__(self, config: XceptionASPPConfig) -> None:
        super().__init__()
        stem, top = config.stem, config.top
        self.conv1 = nn.Conv2d(config.in_channels, stem[0], 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem[0])
        self.conv2 = nn.Conv2d(stem[0], stem[1], 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem[1])
        for number, block in enumerate(_blocks(config), start=1):
            self.add_module(f"block{number}", block)
        self.depth = 4 + config.middle_blocks
        spread = KernelConfig(dilation=2)
        self.conv3 = SeparableConv2d(config.exit, top[0], spread)
        self.bn3 = nn.BatchNorm2d(top[0])
        self.conv4 = SeparableConv2d(top[0], top[1], spread)
        self.bn4 = nn.BatchNorm2d(top[1])
        self.conv5 = SeparableConv2d(top[1], top[2], spread)
        self.bn5 = nn.BatchNorm2d(top[2])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, in_channels, y, x) -> features at y/16, low-level ones at y/4, stem's at y/2."""
        features = F.relu(self.bn1(self.conv1(image)))
        stem = features = F.relu(self.bn2(self.conv2(features)))
        low_level = features = F.relu(self.get_submodule("block1")(features))
        for number in range(2, self.depth + 1):
            features = self.get_submodule(f"block{number}")(features)
        features = F.relu(self.bn3(self.conv3(F.relu(features))))
        features = F.relu(self.bn4(self.conv4(features)))
        return F.relu(self.bn5(self.conv5(features))), low_level, stem


def _blocks(config: XceptionASPPConfig) -> list[XceptionBlock]:
    """Three entry blocks that halve the resolution, the middle blocks, and the exit block."""
    one, two, three = config.entry
    first_blocks = XceptionBlockConfig(reps=2, stride=2, first="convolution")
    strided = XceptionBlockConfig(reps=2, stride=2, shortcut=config.shortcut)
    middle = XceptionBlockConfig(reps=3, shortcut=config.shortcut)
    last = XceptionBlockConfig(reps=2, widens="last", ends="extra", shortcut=config.shortcut)
    return [
        XceptionBlock(config.stem[1], one, first_blocks),
        XceptionBlock(one, two, first_blocks),
        XceptionBlock(two, three, strided),
        *(XceptionBlock(three, three, middle) for _ in range(config.middle_blocks)),
        XceptionBlock(three, config.exit, last),
    ]


class HalfSkip(nn.Module):
    """Upsampled decoder features combined with the stem's at half resolution."""

    def __init__(self, decoded: int, stem: int, width: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(decoded + stem, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, decoded: Tensor, stem: Tensor) -> Tensor:
        """(batch, decoded, y/4, x/4), (batch, stem, y/2, x/2) -> (batch, width, y/2, x/2)."""
        concatenated = torch.cat((upsample_align_corners(decoded, stem.shape[2:]), stem), dim=1)
        out: Tensor = F.relu(self.bn(self.join(concatenated)))
        return out


class XceptionASPP(nn.Module):
    config_class = XceptionASPPConfig

    def __init__(self, config: XceptionASPPConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = XceptionEncoder(config)
        self.aspp = ASPP(
            config.top[2], config.deep, config.rates, config.context, config.dropout[0]
        )
        widths = DeepLabDecoderConfig(
            deep=config.deep,
            low_level_in=config.entry[0],
            low_level=config.low_level,
            out=config.fine or config.outputs,
        )
        self.decoder = DeepLabDecoder(widths, config.dropout[1:])
        if config.fine:
            coarser = config.half or config.fine
            self.fine = FullResolutionSkip(config.in_channels, coarser, config.fine, config.outputs)
        if config.half:
            self.half_skip = HalfSkip(config.fine, config.stem[1], config.half)

    def logits(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, outputs, y, x), before any sigmoid or padding."""
        deep, low_level, stem = self.backbone(image)
        decoded = self.decoder(self.aspp(deep), low_level)
        if self.config.half:
            decoded = self.half_skip(decoded, stem)
        if self.config.fine:
            out: Tensor = self.fine(decoded, image)
            return out
        return upsample_align_corners(decoded, image.shape[2:])

    def forward(self, image: Tensor) -> Tensor:
        """Concentration, and its log-variance where offered.

        Parameters
        ----------
        image : (batch, channel, y, x), normalized; any y, x

        Returns
        -------
        (batch, outputs, y, x) float32: concentration 0-1; log-variance in [-10, 1]
        """
        rows, columns = image.shape[2:]
        padded = F.pad(image, (0, (1 - columns) % STRIDE, 0, (1 - rows) % STRIDE), "replicate")
        return to_sic(self.logits(padded)[..., :rows, :columns])
