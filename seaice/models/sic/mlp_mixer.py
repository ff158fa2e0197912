"""MLP-Mixer: perceptrons mix patches across the window and channels, alternating.

A window is divided into patches; every block first mixes the patches of each channel, then the
channels of each patch, each by two linear layers, so that every cell depends on the whole window.
Tolstikhin et al. 2021, NeurIPS, arXiv:2105.01601; layout and parameter names are those of timm's
`MlpMixer`. The number of patches is fixed: images are run in windows of one size, padded by
replication. Difference: embedded patches and the output of the last block are the features of the
common decoder. Defaults are Mixer-B/16, except for the window; published weights have windows of
224 cells.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

from einops import rearrange
from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.tokens import Mlp, PatchEmbed

__all__ = [
    "MlpMixerConfig",
    "MlpMixerEncoder",
    "MlpMixerSIC",
    "MlpMixerSizes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpMixerConfig(DecoderConfig):
    """Sizes of the network."""

    window: int = 384  #: cells to a side of a window
    patch: int = 16  #: cells to a side of a patch
    width: int = 768  #: channels
    depth: int = 12  #: blocks
    mlp_ratio: tuple[float, float] = (0.5, 4.0)  #: inner widths of both mixings, over `width`

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            decoder=64,
            low_level=24,
            fine=16,
            patch=8,
            width=64,
            depth=4,
            mlp_ratio=(0.5, 4.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpMixerSizes:
    """Sizes of the encoder."""

    window: tuple[int, int]  #: cells
    patch: int
    width: int
    depth: int
    tokens: int  #: inner width where patches are mixed
    channels: int  #: inner width where channels are mixed
    eps: float = 1e-6  #: of layer normalization
    stem: Literal["plain", "normed"] = "plain"  #: whether patches are normalized


class MixerBlock(nn.Module):
    """Patches mixed, then channels, each after a layer norm and with a skip connection."""

    def __init__(self, tokens: int, sizes: MlpMixerSizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.mlp_tokens = Mlp(tokens, sizes.tokens)
        self.norm2 = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.mlp_channels = Mlp(sizes.width, sizes.channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, width) -> the same size."""
        tokens = tokens + self.mlp_tokens(self.norm1(tokens).transpose(1, 2)).transpose(1, 2)
        out: Tensor = tokens + self.mlp_channels(self.norm2(tokens))
        return out


class MlpMixerEncoder(nn.Module):
    """The encoder; with `classes` the official classifier."""

    def __init__(self, in_channels: int, sizes: MlpMixerSizes, classes: int | None = None) -> None:
        super().__init__()
        self.sizes = sizes
        rows, columns = (side // sizes.patch for side in sizes.window)
        self.grid = rows, columns
        self.stem = PatchEmbed(
            in_channels,
            sizes.width,
            sizes.patch,
            norm_eps=sizes.eps if sizes.stem == "normed" else None,
        )
        blocks = (MixerBlock(rows * columns, sizes) for _ in range(sizes.depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.apply(_init_weights)
        self.head = nn.Linear(sizes.width, classes) if classes else nn.Identity()

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded patches, and the output of the last block, computed window by window.

        Parameters
        ----------
        image : (batch, channel, y, x); y and x are multiples of the window's sides

        Returns
        -------
        (batch, width, y / patch, x / patch), twice
        """
        height, width = self.sizes.window
        to_windows = "b c (i y) (j x) -> (b i j) c y x"
        i, j = image.shape[2] // height, image.shape[3] // width
        patches, _ = self.stem(rearrange(image, to_windows, y=height, x=width))
        mixed = self.norm(self.blocks(patches))
        back = "(b i j) (y x) c -> b c (i y) (j x)"
        whole = partial(rearrange, pattern=back, i=i, j=j, y=self.grid[0], x=self.grid[1])
        return whole(patches), whole(mixed)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) of the window's size -> (batch, classes), as the official one."""
        mixed = self.norm(self.blocks(self.stem(image)[0]))
        out: Tensor = self.head(mixed.mean(1))
        return out


def _init_weights(module: nn.Module) -> None:
    """Weights as timm draws them."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.normal_(module.bias, std=1e-6)
    elif isinstance(module, nn.Conv2d) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        nn.init.zeros_(module.bias)


class MlpMixerSIC(EncoderDecoder):
    """MLP-Mixer under the common decoder."""

    config_class = MlpMixerConfig

    def __init__(self, config: MlpMixerConfig) -> None:
        sizes = MlpMixerSizes(
            window=(config.window, config.window),
            patch=config.patch,
            width=config.width,
            depth=config.depth,
            tokens=int(config.mlp_ratio[0] * config.width),
            channels=int(config.mlp_ratio[1] * config.width),
        )
        spec = EncoderSpec(
            low_level=config.width, deep=config.width, multiple_of=config.window, alignment="center"
        )
        super().__init__(config, partial(MlpMixerEncoder, config.in_channels, sizes), spec)
