"""MLP-Mixer: patches mixed by perceptrons, across the window and across channels in turn.

A window is cut into patches; every block first mixes what one channel holds in all patches, then
what one patch holds in all channels, each by two linear layers, so that every cell sees the whole
window at once. Tolstikhin et al. 2021, NeurIPS, arXiv:2105.01601; layout and parameter names are
those of timm's `MlpMixerEncoder`, and `from_lucidrains` converts weights of lucidrains/mlp-mixer-pytorch.
The number of patches is fixed: images are run in windows of one size, padded by replication. Ours:
patches and what the last block makes of them serve the common decoder. Defaults are Mixer-B/16,
but for the window; the published weights were made for windows of 224 cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isqrt
from typing import Literal, Self

from einops import rearrange
from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.tokens import Mlp

__all__ = [
    "MlpMixerConfig",
    "MlpMixerEncoder",
    "MlpMixerSIC",
    "MlpMixerSizes",
    "from_lucidrains",
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


class PatchEmbed(nn.Module):
    """Patches of an image, in rows, as tokens."""

    def __init__(self, in_channels: int, sizes: MlpMixerSizes) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, sizes.width, sizes.patch, sizes.patch)
        normed = sizes.stem == "normed"
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.eps) if normed else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, token, width)."""
        out: Tensor = self.norm(self.proj(image).flatten(2).transpose(1, 2))
        return out


class MixerBlock(nn.Module):
    """Patches mixed, then channels, each after a normalization and around a shortcut."""

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
        self.stem = PatchEmbed(in_channels, sizes)
        blocks = (MixerBlock(rows * columns, sizes) for _ in range(sizes.depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.apply(_init_weights)
        self.head = nn.Linear(sizes.width, classes) if classes else nn.Identity()

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Patches, and what the last block makes of them, window by window.

        Parameters
        ----------
        image : (batch, channel, y, x); y and x are multiples of the window's sides

        Returns
        -------
        (batch, width, y / patch, x / patch), twice
        """
        height, width = self.sizes.window
        cut = "b c (i y) (j x) -> (b i j) c y x"
        i, j = image.shape[2] // height, image.shape[3] // width
        patches = self.stem(rearrange(image, cut, y=height, x=width))
        mixed = self.norm(self.blocks(patches))
        back = "(b i j) (y x) c -> b c (i y) (j x)"
        whole = partial(rearrange, pattern=back, i=i, j=j, y=self.grid[0], x=self.grid[1])
        return whole(patches), whole(mixed)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) of the window's size -> (batch, classes), as the official one."""
        mixed = self.norm(self.blocks(self.stem(image)))
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


#: layers of a lucidrains block by timm's names
LUCIDRAINS = {
    "0.norm": "norm1",
    "0.fn.0": "mlp_tokens.fc1",
    "0.fn.3": "mlp_tokens.fc2",
    "1.norm": "norm2",
    "1.fn.0": "mlp_channels.fc1",
    "1.fn.3": "mlp_channels.fc2",
}


def from_lucidrains(state: Mapping[str, Tensor], in_channels: int) -> dict[str, Tensor]:
    """Weights of lucidrains/mlp-mixer-pytorch under the names and in the order of this file.

    That network is a sequence: patches, a linear layer, blocks, a normalization, a mean and a
    head. Its patches hold their channels innermost, a convolution's outermost; it mixes patches
    by 1x1 convolutions, which here are linear layers. Its `expansion_factor` sizes the mixing of
    patches and its `expansion_factor_token` that of channels, and its normalizations have an eps
    of 1e-5; `MlpMixerSizes` must say so.

    Parameters
    ----------
    state : the official `state_dict()`
    in_channels : of the image
    """
    depth = max(int(key.split(".")[0]) for key in state) - 4
    names = {"1": "stem.proj", f"{depth + 2}": "norm", f"{depth + 4}": "head"}
    for block in range(depth):
        names |= {f"{block + 2}.{k}": f"blocks.{block}.{name}" for k, name in LUCIDRAINS.items()}
    told = {}
    for key, value in state.items():
        layer, kind = key.rsplit(".", 1)
        told[f"{names[layer]}.{kind}"] = value.squeeze(-1) if value.ndim == 3 else value
    flat = told["stem.proj.weight"]
    patch = isqrt(flat.shape[1] // in_channels)
    order = "out (y x c) -> out c y x"
    told["stem.proj.weight"] = rearrange(flat, order, y=patch, x=patch).contiguous()
    return told


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
