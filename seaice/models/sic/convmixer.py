"""ConvMixer: patches mixed by large depthwise convolutions.

One strided convolution embeds patches; each block then mixes space, by a large depthwise
convolution with a skip connection, and channels, by a 1x1 convolution, at constant resolution.
Trockman, Kolter 2022, "Patches Are All You Need?", arXiv:2201.09792; parameter names are those of
locuslab/convmixer, in which batch normalization follows the activation. Difference: the embedded
patches are the low-level features of the common decoder. Defaults are ConvMixer-768/32. The option
`pooling` does not exist here: only the patch embedding has a stride.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Self

from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec

__all__ = ["ConvMixerConfig", "ConvMixerEncoder", "ConvMixerSIC", "ConvMixerSizes"]

STEM_LAYERS = 3  #: layers of the patch embedding in the official sequence; blocks follow


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvMixerConfig(DecoderConfig):
    """Sizes of the network."""

    width: int = 768  #: channels
    depth: int = 32  #: blocks
    kernel: int = 7  #: patches to a side of the depthwise convolutions, odd
    patch: int = 7  #: cells to a side

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2, decoder=64, low_level=24, fine=16, width=96, depth=6, kernel=7, patch=4
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvMixerSizes:
    """Sizes of the encoder."""

    width: int
    depth: int
    kernel: int
    patch: int


class ResidualLayers(nn.Module):
    """Layers with a skip connection."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.fn = layers

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same size."""
        out: Tensor = self.fn(features) + features
        return out


class ConvMixerEncoder(nn.Sequential):
    """The encoder; with `classes` the official classifier, a plain sequence of layers."""

    def __init__(
        self, in_channels: int, mixing: ConvMixerSizes, classes: int | None = None
    ) -> None:
        width, patch = mixing.width, mixing.patch
        head: tuple[nn.Module, ...] = ()
        if classes:
            head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
        super().__init__(
            nn.Conv2d(in_channels, width, patch, patch),
            nn.GELU(),
            nn.BatchNorm2d(width),
            *(_block(width, mixing.kernel) for _ in range(mixing.depth)),
            *head,
        )
        self.depth = mixing.depth

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> embedded patches, and the output of the last block."""
        layers = list(self)
        low_level = _apply_layers(layers[:STEM_LAYERS], image)
        deep = _apply_layers(layers[STEM_LAYERS : STEM_LAYERS + self.depth], low_level)
        return low_level, deep


def _apply_layers(layers: Iterable[nn.Module], features: Tensor) -> Tensor:
    for layer in layers:
        features = layer(features)
    return features


def _block(width: int, kernel: int) -> nn.Sequential:
    space = nn.Sequential(
        nn.Conv2d(width, width, kernel, padding="same", groups=width),
        nn.GELU(),
        nn.BatchNorm2d(width),
    )
    return nn.Sequential(
        ResidualLayers(space), nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width)
    )


class ConvMixerSIC(EncoderDecoder):
    """ConvMixer under the common decoder."""

    config_class = ConvMixerConfig

    def __init__(self, config: ConvMixerConfig) -> None:
        mixing = ConvMixerSizes(
            width=config.width, depth=config.depth, kernel=config.kernel, patch=config.patch
        )
        spec = EncoderSpec(
            low_level=config.width, deep=config.width, multiple_of=config.patch, alignment="center"
        )
        super().__init__(config, partial(ConvMixerEncoder, config.in_channels, mixing), spec)
