"""The DeepLabv3+ decoder, atrous pooling, upsampling, and the encoder-decoder of SIC networks.

Chen et al. 2018, "DeepLabv3+", ECCV, arXiv:1802.02611, section 3.1, with full 3x3 convolutions.
Parameter names are those of jfzhang95/pytorch-deeplab-xception, so that its weights load. All SIC
networks but `xception_aspp` are an encoder under the same decoder (`EncoderDecoder`), so that two
of them differ in their encoders only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers import autocast_disabled

__all__ = [
    "ASPP",
    "ASPPModule",
    "CellAlignment",
    "DecoderConfig",
    "DeepLabDecoder",
    "DeepLabDecoderConfig",
    "Encoder",
    "EncoderDecoder",
    "EncoderSpec",
    "FullResolutionSkip",
    "ImagePool",
    "to_sic",
    "upsample",
    "upsample_align_corners",
]

#: position of a strided cell: on the first of its input cells ("first", 3x3 convolutions padded by
#: one) or at the centre of its patch ("center")
CellAlignment = Literal["first", "center"]


def upsample_align_corners(features: Tensor, size: torch.Size) -> Tensor:
    """Bilinear upsampling with corner cells on corner cells.

    Positions are exact for sizes of 16 k + 1, whose strided cells begin at the first and end at the
    last cell.
    """
    return F.interpolate(features, size=size, mode="bilinear", align_corners=True)


def upsample(features: Tensor, size: torch.Size, alignment: CellAlignment) -> Tensor:
    """Bilinear upsampling that preserves positions, for multiples of the features' own size.

    Parameters
    ----------
    features : (batch, channel, y, x)
    size : (stride y, stride x); fractional strides are allowed for "center"
    alignment : position of strided cells

    Returns
    -------
    (batch, channel, stride y, stride x)
    """
    if alignment == "center":
        return F.interpolate(features, size=size, mode="bilinear", align_corners=False)
    beyond = F.pad(features, (0, 1, 0, 1), "replicate")
    padded_size = torch.Size(fine + 1 for fine in size)
    return upsample_align_corners(beyond, padded_size)[..., :-1, :-1]


class ASPPModule(nn.Module):
    """Atrous convolution, batch norm, ReLU. Rate 0 is a 1x1 convolution."""

    def __init__(self, inplanes: int, planes: int, rate: int) -> None:
        super().__init__()
        size = 3 if rate else 1
        self.atrous_conv = nn.Conv2d(
            inplanes, planes, size, padding=rate, dilation=max(rate, 1), bias=False
        )
        self.bn = nn.BatchNorm2d(planes)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, y, x)."""
        return F.relu(self.bn(self.atrous_conv(features)))


class ImagePool(nn.Module):
    """The mean over the whole input, as published, or over a square around each cell.

    The mean of the whole input differs between tiles and makes their seams visible; a mean over
    `context` x `context` cells (odd) does not.
    """

    def __init__(self, context: int | None) -> None:
        super().__init__()
        self.context = context

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same, or (batch, channel, 1, 1) without `context`."""
        if self.context is None:
            return features.mean(dim=(2, 3), keepdim=True)
        reach = self.context // 2
        return F.avg_pool2d(features, self.context, 1, reach, count_include_pad=False)


class ASPP(nn.Module):
    """A 1x1 convolution, one atrous convolution a rate, image-level features; a 1x1 convolution."""

    def __init__(
        self,
        inplanes: int,
        planes: int,
        rates: tuple[int, int, int],
        context: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.aspp1, self.aspp2, self.aspp3, self.aspp4 = (
            ASPPModule(inplanes, planes, rate) for rate in (0, *rates)
        )
        self.global_avg_pool = nn.Sequential(
            ImagePool(context),
            nn.Conv2d(inplanes, planes, 1, bias=False),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
        )
        self.conv1 = nn.Conv2d(5 * planes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, y, x)."""
        branches = [self.aspp1, self.aspp2, self.aspp3, self.aspp4]
        branches_out = [branch(features) for branch in branches]
        image = self.global_avg_pool(features).expand_as(branches_out[0])
        mixed: Tensor = self.conv1(torch.cat([*branches_out, image], dim=1))
        out: Tensor = self.dropout(F.relu(self.bn1(mixed)))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepLabDecoderConfig:
    """Numbers of channels of the decoder."""

    deep: int  #: of the encoder's deep features, and of the two convolutions
    low_level_in: int  #: of the encoder's low-level features
    low_level: int  #: low-level channels after reduction
    out: int


class DeepLabDecoder(nn.Module):
    """Low-level features reduced, concatenated with deep ones, two convolutions, a 1x1 one."""

    def __init__(
        self,
        widths: DeepLabDecoderConfig,
        dropout: tuple[float, float],
        upsampling: Callable[[Tensor, torch.Size], Tensor] = upsample_align_corners,
    ) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.conv1 = nn.Conv2d(widths.low_level_in, widths.low_level, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths.low_level)
        concatenated = widths.deep + widths.low_level
        self.last_conv = nn.Sequential(
            nn.Conv2d(concatenated, widths.deep, 3, padding=1, bias=False),
            nn.BatchNorm2d(widths.deep),
            nn.ReLU(),
            nn.Dropout(dropout[0]),
            nn.Conv2d(widths.deep, widths.deep, 3, padding=1, bias=False),
            nn.BatchNorm2d(widths.deep),
            nn.ReLU(),
            nn.Dropout(dropout[1]),
            nn.Conv2d(widths.deep, widths.out, 1),
        )

    def forward(self, deep: Tensor, low_level: Tensor) -> Tensor:
        """(batch, deep, y/16, x/16), (batch, low_level_in, y/4, x/4) -> (batch, out, y/4, x/4)."""
        reduced = F.relu(self.bn1(self.conv1(low_level)))
        concatenated = torch.cat((self.upsampling(deep, reduced.shape[2:]), reduced), dim=1)
        out: Tensor = self.last_conv(concatenated)
        return out


Upsample = Callable[[Tensor, torch.Size], Tensor]


class FullResolutionSkip(nn.Module):
    """Upsampled decoder features combined with the input at full resolution.

    Without it the sharpest edges are those of an interpolated 6.25 km map.
    """

    def __init__(
        self,
        in_channels: int,
        decoded: int,
        width: int,
        outputs: int,
        upsampling: Upsample = upsample_align_corners,
    ) -> None:
        super().__init__()
        self.look = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.join = nn.Conv2d(decoded + width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.read = nn.Conv2d(width, outputs, 1)
        self.upsampling = upsampling

    def forward(self, decoded: Tensor, image: Tensor) -> Tensor:
        """(batch, decoded, y/4 or y/2, x/4 or x/2), (batch, in_channels, y, x) -> outputs."""
        skip = F.relu(self.bn1(self.look(image)))
        concatenated = torch.cat((self.upsampling(decoded, image.shape[2:]), skip), dim=1)
        read = F.relu(self.bn2(self.join(concatenated)))
        with autocast_disabled(image):  # bfloat16 is too coarse for 0-1
            out: Tensor = self.read(read.float())
        return out


def to_sic(logits: Tensor) -> Tensor:
    """Decoder outputs, (batch, 1 or 2, y, x), as concentration 0-1 and log-variance."""
    logits = logits.float()
    return torch.cat((torch.sigmoid(logits[:, :1]), logits[:, 1:].clamp(-10.0, 1.0)), dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """What the configuration of every such network begins with."""

    in_channels: int = 3
    outputs: int = 1  #: 1: concentration; 2: and its log-variance (ours)
    decoder: int = 256  #: channels of the decoder
    low_level: int = 48  #: low-level channels after reduction
    fine: int = 16  #: channels of the full-resolution skip (ours)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """Channels, padding and cell positions of an encoder's features."""

    low_level: int  #: channels of its finest features, at a stride of about 4
    deep: int  #: channels of its deepest features, at a stride of 4 to 16
    multiple_of: int  #: cells; images are padded to it, by replication
    alignment: CellAlignment  #: position of strided cells


class Encoder(Protocol):
    """A network with features for the decoder."""

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> low-level and deep features, each (batch, channel, y', x')."""
        ...


class EncoderDecoder(nn.Module):
    """An encoder, a 1x1 convolution, the decoder, and the skip at full resolution."""

    def __init__(
        self, config: DecoderConfig, encoder: Callable[[], nn.Module], spec: EncoderSpec
    ) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        upsampling = partial(upsample, alignment=spec.alignment)
        self.encoder = encoder()
        self.reduce = nn.Sequential(
            nn.Conv2d(spec.deep, config.decoder, 1, bias=False),
            nn.BatchNorm2d(config.decoder),
            nn.ReLU(),
        )
        widths = DeepLabDecoderConfig(
            deep=config.decoder,
            low_level_in=spec.low_level,
            low_level=config.low_level,
            out=config.fine,
        )
        self.decoder = DeepLabDecoder(widths, (0.0, 0.0), upsampling)
        self.fine = FullResolutionSkip(
            config.in_channels, config.fine, config.fine, config.outputs, upsampling
        )

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
        unit = self.spec.multiple_of
        padded = F.pad(image, (0, -columns % unit, 0, -rows % unit), "replicate")
        low_level, deep = self.encoder.features(padded)  # type: ignore[operator]
        decoded = self.decoder(self.reduce(deep), low_level)
        return to_sic(self.fine(decoded, padded)[..., :rows, :columns])
