"""Aligned Xception 41, 65 and 71: the encoder of DeepLabv3+ in TensorFlow's published weights.

Modules have three separable convolutions and a shortcut; the third convolution has the stride, and
the shortcut reads the raw input. Chen et al. 2018, ECCV, arXiv:1802.02611. It differs from the
encoder of `xception_aspp`, which is that of another repository: another epsilon of batch norms,
strides within the three convolutions, a ReLU after every depthwise convolution of the last module,
and low-level features of the second module before its stride. Parameter names are those of timm
(`timm/models/xception_aligned.py`), to which TensorFlow's weights were converted.

Differences: the exit flow has stride 16 by dilation, as DeepLabv3+ has it for maps; the common
decoder, without spatial pyramid pooling (`xception_aspp` has it). Defaults are Xception-65; fields
`entry`, `strides` and `middle_blocks` select 41 (8 middle blocks) and 71 (entry (128, 256, 256,
728, 728), strides (2, 1, 2, 1, 2)).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import WeightsError
from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec

__all__ = [
    "XceptionAlignedConfig",
    "XceptionAlignedEncoder",
    "XceptionAlignedSIC",
    "XceptionModuleConfig",
    "dilated",
]

EPS = 1e-3  # of TensorFlow's batch norms
STRIDE = 16
Widths = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionAlignedConfig(DecoderConfig):
    """Sizes of the network."""

    stem: tuple[int, int] = (32, 64)
    entry: tuple[int, ...] = (128, 256, 728)  #: widths of the entry flow's modules
    strides: tuple[int, ...] = (2, 2, 2)  #: of these modules; together 8
    middle_blocks: int = 16
    exit: Widths = (728, 1024, 1024)  #: widths of the module that has a stride in classification
    top: Widths = (1536, 1536, 2048)  #: of the last module

    def __post_init__(self) -> None:
        halvings = [stride for stride in self.strides if stride == 2]
        others = [stride for stride in self.strides if stride not in (1, 2)]
        if len(self.entry) != len(self.strides) or len(halvings) != 3 or others:
            raise WeightsError(
                f"an entry flow of widths {self.entry} and strides {self.strides}",
                "a stride for every module, three of them 2, all others 1",
                "correct the network's sizes",
            )

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            decoder=64,
            low_level=24,
            stem=(16, 24),
            entry=(32, 64, 128),
            middle_blocks=4,
            exit=(128, 160, 160),
            top=(160, 160, 192),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class XceptionModuleConfig:
    """Widths, stride, dilation and type of a module."""

    widths: Widths  #: after each of its separable convolutions
    stride: int = 1  #: of the third
    dilation: int = 1
    kind: Literal["residual", "plain"] = "residual"  #: "plain": no shortcut, and ReLUs last


class ConvBn(nn.Module):
    """A convolution without bias, batch-normalized."""

    def __init__(self, inplanes: int, planes: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inplanes, planes, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(planes, EPS)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        out: Tensor = self.bn(self.conv(features))
        return out


class AlignedSeparableConv2d(nn.Module):
    """Each channel convolved by itself, then channels mixed, a batch norm after either.

    `after` stands behind both norms: a ReLU, or nothing.
    """

    def __init__(
        self, inplanes: int, planes: int, stride: int, dilation: int, after: type[nn.Module]
    ) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(
            inplanes, inplanes, 3, stride, dilation, dilation, groups=inplanes, bias=False
        )
        self.bn_dw = nn.BatchNorm2d(inplanes, EPS)
        self.act_dw = after()
        self.conv_pw = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn_pw = nn.BatchNorm2d(planes, EPS)
        self.act_pw = after()

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        filtered = self.act_dw(self.bn_dw(self.conv_dw(features)))
        mixed: Tensor = self.act_pw(self.bn_pw(self.conv_pw(filtered)))
        return mixed


class XceptionModule(nn.Module):
    """Three separable convolutions, and a shortcut from the raw input."""

    def __init__(self, inplanes: int, unit: XceptionModuleConfig) -> None:
        super().__init__()
        self.unit, planes = unit, unit.widths[-1]
        residual = unit.kind == "residual"
        changes = residual and (planes != inplanes or unit.stride != 1)
        self.shortcut = ConvBn(inplanes, planes, 1, unit.stride) if changes else None
        self.stack = nn.Sequential()
        for number, width in enumerate(unit.widths, start=1):
            if residual:
                self.stack.add_module(f"act{number}", nn.ReLU())
            stride = unit.stride if number == len(unit.widths) else 1
            after: type[nn.Module] = nn.Identity if residual else nn.ReLU
            conv = AlignedSeparableConv2d(inplanes, width, stride, unit.dilation, after)
            self.stack.add_module(f"conv{number}", conv)
            inplanes = width

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the input of the third convolution: features before the stride.

        Parameters
        ----------
        features : (batch, inplanes, y, x)

        Returns
        -------
        (batch, widths[2], ceil(y / stride), ceil(x / stride)) and (batch, widths[1], y, x)
        """
        before: Tensor = self.stack[:-1](features)
        output: Tensor = self.stack[-1](before)
        if self.unit.kind == "residual":
            output = output + (features if self.shortcut is None else self.shortcut(features))
        return output, before


class XceptionAlignedEncoder(nn.Module):
    """The encoder; with `classes` the official classifier.

    Parameters
    ----------
    in_channels : of the image
    stem : widths of the two first convolutions
    units : the modules; two of them or more have a stride
    classes : of the official classifier; None: there is none
    """

    def __init__(
        self,
        in_channels: int,
        stem: tuple[int, int],
        units: Sequence[XceptionModuleConfig],
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvBn(in_channels, stem[0], 3, 2), ConvBn(*stem, 3))
        before = (stem[1], *(unit.widths[-1] for unit in units))
        self.blocks = nn.Sequential(
            *(XceptionModule(*sizes) for sizes in zip(before, units, strict=False))
        )
        self.low_level = _low_level_module(units)
        self.head = nn.ModuleDict({"fc": nn.Linear(before[-1], classes)}) if classes else None

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> features at y/4, and at the output stride."""
        features = image
        for conv in self.stem:
            features = F.relu(conv(features))
        low_level = features
        for number, block in enumerate(self.blocks):
            features, before = block(features)
            low_level = before if number == self.low_level else low_level
        return low_level, features

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, classes), as the official network."""
        mean: Tensor = self.features(image)[1].mean((2, 3))
        return mean if self.head is None else self.head["fc"](mean)


def dilated(
    units: Sequence[XceptionModuleConfig], output_stride: int
) -> list[XceptionModuleConfig]:
    """Modules with strides beyond the output stride replaced by dilation of later modules.

    A module whose stride is removed has the dilation of the modules before it.
    """
    stride, dilation, configs = 2, 1, []
    for unit in units:
        fits = stride * unit.stride <= output_stride
        configs.append(replace(unit, stride=unit.stride if fits else 1, dilation=dilation))
        stride, dilation = (
            (stride * unit.stride, dilation) if fits else (stride, dilation * unit.stride)
        )
    return configs


def _low_level_module(units: Sequence[XceptionModuleConfig]) -> int:
    """Index of the second module with a stride: its third convolution reads low-level features."""
    return [number for number, unit in enumerate(units) if unit.stride > 1][1]


def _module_configs(config: XceptionAlignedConfig) -> list[XceptionModuleConfig]:
    """Entry, middle and exit flow, at an output stride of 16."""
    entry = [
        XceptionModuleConfig(widths=(width,) * 3, stride=stride)
        for width, stride in zip(config.entry, config.strides, strict=True)
    ]
    middle = [XceptionModuleConfig(widths=(config.entry[-1],) * 3)] * config.middle_blocks
    exit_flow = [
        XceptionModuleConfig(widths=config.exit, stride=2),
        XceptionModuleConfig(widths=config.top, kind="plain"),
    ]
    return dilated([*entry, *middle, *exit_flow], STRIDE)


class XceptionAlignedSIC(EncoderDecoder):
    """Aligned Xception under the common decoder."""

    config_class = XceptionAlignedConfig

    def __init__(self, config: XceptionAlignedConfig) -> None:
        units = _module_configs(config)
        spec = EncoderSpec(
            low_level=units[_low_level_module(units)].widths[1],
            deep=config.top[-1],
            multiple_of=STRIDE,
            alignment="first",
        )
        encoder = partial(XceptionAlignedEncoder, config.in_channels, config.stem, units)
        super().__init__(config, encoder, spec)
