"""SCNet: a residual network with self-calibrated convolutions.

Each block has two narrow branches: a plain 3x3 convolution, and one gated by pooled features
(`seaice.models.layers.convolution`), which enlarges the receptive field without attention. Liu et
al. 2020, CVPR, "Improving Convolutional Networks with Self-Calibrated Convolutions"; parameter
names are those of MCG-NKU/SCNet. Difference: stages 1 and 3 under the common decoder, at strides 4
and 16 (the official stage 4 is for classification only). Defaults are SCNet-50.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.convolution import (
    DynOPool,
    Pooling,
    SCConv,
    cell_fractions,
    check_pooling,
    gmacs,
)
from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec

__all__ = [
    "SCBlockConfig",
    "SCBottleneck",
    "SCNetConfig",
    "SCNetEncoder",
    "SCNetSIC",
    "SCNetSizes",
]

EXPANSION = 4  #: output channels of a block per `planes`
Stem = Literal["7x7", "3x3"]  #: one 7x7 convolution, or three 3x3 ones ("deep stem")
Stride = Literal["convolution", "mean"]  #: by strided convolutions, or means of 3x3 cells ("avd")
Shortcut = Literal["convolution", "mean"]  #: strided 1x1 convolution, or means before it


@dataclass(frozen=True, slots=True, kw_only=True)
class SCNetConfig(DecoderConfig):
    """Sizes of the network."""

    layers: tuple[int, int, int] = (3, 4, 6)  #: blocks in stages 1 to 3
    planes: tuple[int, int, int] = (64, 128, 256)
    bottleneck_width: int = 32  #: fraction of `planes` in each branch, in 64ths
    stem: Stem = "7x7"
    stem_width: int = 64  #: channels of the stem; half of them before its last 3x3 convolution
    stride: Stride = "convolution"
    shortcut: Shortcut = "convolution"
    pooling: Pooling = "strided"  #: "dynopool": factors are learned, and counted by `cost`
    window: int | None = None  #: cells to a side of tiles; None: any

    def __post_init__(self) -> None:
        check_pooling(self.pooling, self.window)

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            decoder=64,
            low_level=24,
            fine=16,
            layers=(2, 2, 3),
            planes=(16, 32, 64),
            stem_width=24,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SCBlockConfig:
    """Stride, dilation, groups and width of a block."""

    stride: int = 1
    dilation: int = 1
    groups: int = 1
    bottleneck_width: int = 32
    strides_by: Stride = "convolution"


class SCBottleneck(nn.Module):
    """Two branches, plain and self-calibrated, merged by a 1x1 convolution, plus a shortcut.

    `downsample` adapts the shortcut to the size of the branches.
    """

    def __init__(
        self, inplanes: int, planes: int, block: SCBlockConfig, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        width = int(planes * (block.bottleneck_width / 64.0)) * block.groups
        by_mean = block.strides_by == "mean"
        stride = 1 if by_mean else block.stride
        self.conv1_a = nn.Conv2d(inplanes, width, 1, bias=False)
        self.bn1_a = nn.BatchNorm2d(width)
        self.conv1_b = nn.Conv2d(inplanes, width, 1, bias=False)
        self.bn1_b = nn.BatchNorm2d(width)
        taps = partial(nn.Conv2d, padding=block.dilation, dilation=block.dilation, bias=False)
        self.k1 = nn.Sequential(
            taps(width, width, 3, stride, groups=block.groups), nn.BatchNorm2d(width)
        )
        self.scconv = SCConv(width, width, stride, block.dilation, block.groups)
        self.avd_layer = nn.AvgPool2d(3, block.stride, padding=1) if by_mean else nn.Identity()
        self.conv3 = nn.Conv2d(2 * width, EXPANSION * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(EXPANSION * planes)
        self.downsample = downsample

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, 4 planes, ceil(y / stride), ceil(x / stride))."""
        plain = F.relu(self.k1(F.relu(self.bn1_a(self.conv1_a(features)))))
        calibrated = F.relu(self.scconv(F.relu(self.bn1_b(self.conv1_b(features)))))
        both = torch.cat((self.avd_layer(plain), self.avd_layer(calibrated)), dim=1)
        shortcut = features if self.downsample is None else self.downsample(features)
        return F.relu(self.bn3(self.conv3(both)) + shortcut)

    def work(self, before: Tensor, after: Tensor) -> list[tuple[nn.Module, Tensor]]:
        """Layers with their fractions of cells, `before` and `after` the stride."""
        within = after if isinstance(self.avd_layer, nn.Identity) else before
        coarse = before / self.scconv.pooling**2
        own: list[tuple[nn.Module, Tensor]] = [
            (self.conv1_a, before),
            (self.conv1_b, before),
            (self.k1, within),
            (self.scconv.k2, coarse),
            (self.scconv.k3, before),
            (self.scconv.k4, within),
            (self.conv3, after),
        ]
        return own if self.downsample is None else [*own, (self.downsample, after)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SCNetSizes:
    """Sizes and options of the encoder; defaults are the official ones."""

    layers: Sequence[int] = (3, 4, 6, 3)
    planes: Sequence[int] = (64, 128, 256, 512)
    groups: int = 1
    bottleneck_width: int = 32
    dilation: Literal[1, 2, 4] = 1  #: of stage 4; stages that are dilated have no stride
    stem: Stem = "7x7"
    stem_width: int = 64
    stride: Stride = "convolution"
    shortcut: Shortcut = "convolution"
    pooling: Pooling = "strided"

    def spread(self, stage: int) -> tuple[int, int]:
        """Stride and dilation of a stage."""
        dilations = {1: (1, 1, 1, 1), 2: (1, 1, 1, 2), 4: (1, 1, 2, 4)}[self.dilation]
        dilation = dilations[stage - 1]
        strided = stage > 1 and dilation == 1 and self.pooling == "strided"
        return (2 if strided else 1), dilation


class SCNetEncoder(nn.Module):
    """The encoder; with `classes` the official classifier."""

    def __init__(self, in_channels: int, build: SCNetSizes, classes: int | None = None) -> None:
        super().__init__()
        self.conv1 = _make_stem(in_channels, build)
        self.bn1 = nn.BatchNorm2d(build.stem_width)
        self.depth, inplanes = len(build.layers), build.stem_width
        for stage, planes in enumerate(build.planes[: self.depth], start=1):
            self.add_module(f"layer{stage}", _make_stage(inplanes, planes, stage, build))
            inplanes = EXPANSION * planes
        pools = range(self.depth + 1) if build.pooling == "dynopool" else ()
        self.pools = nn.ModuleList(DynOPool() for _ in pools)  # after the stem, in place of its
        # maximum pooling, and after the first block of stages 2, 3, ...
        self.fc = nn.Linear(inplanes, classes) if classes else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage_features(self, image: Tensor) -> list[Tensor]:
        """Outputs of the stem and of stages 1, 2, ..."""
        stem = F.relu(self.bn1(self.conv1(image)))
        if len(self.pools):
            stages_out = [self.pools[1](self.pools[0](stem))]
        else:
            stages_out = [F.max_pool2d(stem, 3, 2, 1)]
        for stage in range(1, self.depth + 1):
            first, *others = self.get_submodule(f"layer{stage}").children()
            features = first(stages_out[-1])
            if stage > 1 and len(self.pools):
                features = self.pools[stage](features)
            for block in others:
                features = block(features)
            stages_out.append(features)
        return stages_out

    def work(self) -> tuple[list[tuple[nn.Module, Tensor]], Tensor, Tensor]:
        """Layers with their fractions of the cells, and the fractions of both features."""
        after = cell_fractions(self.pools, self.depth + 1)
        learned = len(self.pools) > 0
        work: list[tuple[nn.Module, Tensor]] = [(self.conv1, after[0 if learned else 1])]
        for stage in range(1, self.depth + 1):
            layer = self.get_submodule(f"layer{stage}").children()
            first, *others = (block for block in layer if isinstance(block, SCBottleneck))
            before, ends = after[max(stage, 2)], after[stage + 1]
            work += first.work(before, before if learned else ends)
            for block in others:
                work += block.work(ends, ends)
        return work, after[2], after[4]

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> features of stage 1 at y/4, of stage 3 at y/16."""
        stages_out = self._stage_features(image)
        return stages_out[1], stages_out[3]

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, classes), as the official network."""
        out: Tensor = self._stage_features(image)[-1].mean((2, 3))
        return out if self.fc is None else self.fc(out)


def _make_stem(in_channels: int, build: SCNetSizes) -> nn.Module:
    width, stride = build.stem_width, 2 if build.pooling == "strided" else 1
    if build.stem == "7x7":
        return nn.Conv2d(in_channels, width, 7, stride, 3, bias=False)
    half = width // 2
    return nn.Sequential(
        nn.Conv2d(in_channels, half, 3, stride, 1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, half, 3, 1, 1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, width, 3, 1, 1, bias=False),
    )


def _make_stage(inplanes: int, planes: int, stage: int, build: SCNetSizes) -> nn.Sequential:
    """Blocks of a stage; the first has its stride, and half its dilation."""
    stride, dilation = build.spread(stage)
    block_config = partial(
        SCBlockConfig, groups=build.groups, bottleneck_width=build.bottleneck_width
    )
    first_block = block_config(
        stride=stride,
        dilation=max(dilation // 2, 1),
        strides_by=build.stride if stage > 1 else "convolution",
    )
    shortcut = None
    if stride > 1 or inplanes != EXPANSION * planes:
        shortcut = _make_shortcut(inplanes, EXPANSION * planes, stride, build.shortcut)
    other_block = block_config(dilation=dilation)
    return nn.Sequential(
        SCBottleneck(inplanes, planes, first_block, shortcut),
        *(
            SCBottleneck(EXPANSION * planes, planes, other_block)
            for _ in range(build.layers[stage - 1] - 1)
        ),
    )


def _make_shortcut(inplanes: int, planes: int, stride: int, by: Shortcut) -> nn.Sequential:
    """A 1x1 convolution with the stride, or after means of as many cells."""
    if by == "convolution":
        conv = nn.Conv2d(inplanes, planes, 1, stride, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(planes))
    return nn.Sequential(
        nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
        nn.Conv2d(inplanes, planes, 1, bias=False),
        nn.BatchNorm2d(planes),
    )


class SCNetSIC(EncoderDecoder):
    """SCNet under the common decoder."""

    config_class = SCNetConfig

    def __init__(self, config: SCNetConfig) -> None:
        build = SCNetSizes(
            layers=config.layers,
            planes=config.planes,
            bottleneck_width=config.bottleneck_width,
            stem=config.stem,
            stem_width=config.stem_width,
            stride=config.stride,
            shortcut=config.shortcut,
            pooling=config.pooling,
        )
        spec = EncoderSpec(
            low_level=EXPANSION * config.planes[0],
            deep=EXPANSION * config.planes[2],
            multiple_of=64,  # squares of 4 cells that self-calibration averages, at stride 16
            alignment="first" if config.pooling == "strided" else "center",
        )
        super().__init__(config, partial(SCNetEncoder, config.in_channels, build), spec)

    def cost(self, cells: int) -> Tensor:
        """GMACs of an image of so many cells, differentiable in learned factors."""
        work, low_level, deep = self.encoder.work()  # type: ignore[operator]
        head = [(self.reduce, deep), (self.decoder, low_level), (self.fine, torch.ones(()))]
        return gmacs([*work, *head], cells)
