"""Blocks of HAT: attention in windows beside attention of channels, and overlapping windows.

Chen et al. 2023, CVPR, arXiv:2205.04437; parameter names are those of its authors' repository,
https://github.com/XPixelGroup/HAT. Maps are (batch, y, x, channel) but for the convolutions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from seaice.network.ops.stochastic_depth import StochasticDepth
from seaice.network.ops.tokens import Mlp
from seaice.network.ops.window_attention import AttentionSizes, OverlapAttention, WindowAttention

__all__ = ["CAB", "HAB", "OCAB", "RHAG", "BlockSizes", "Guides", "Residual", "residual_end"]

#: what a group's features pass before they are added to what entered it
Residual = Literal["1conv", "identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guides:
    """What all blocks look up."""

    own: Tensor  #: as `window_index` gives it
    around: Tensor  #: as `overlap_index` gives it
    mask: Tensor  #: as `shift_mask` gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSizes:
    """Sizes of the blocks of one group."""

    attention: AttentionSizes
    compress_ratio: int = 3
    squeeze_factor: int = 30
    conv_scale: float = 0.01
    mlp_ratio: float = 4.0


class CAB(nn.Module):
    """Two convolutions, whose channels are then weighed by their means over the map."""

    def __init__(self, num_feat: int, compress_ratio: int, squeeze_factor: int) -> None:
        super().__init__()
        inner = num_feat // compress_ratio
        self.cab = nn.Sequential(
            nn.Conv2d(num_feat, inner, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(inner, num_feat, 3, padding=1),
            ChannelAttention(num_feat, squeeze_factor),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same."""
        out: Tensor = self.cab(image)
        return out


class ChannelAttention(nn.Module):
    """Every channel times a share that the means of all decide."""

    def __init__(self, num_feat: int, squeeze_factor: int) -> None:
        super().__init__()
        inner = num_feat // squeeze_factor
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(num_feat, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, num_feat, 1),
            nn.Sigmoid(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same."""
        out: Tensor = image * self.attention(image)
        return out


class HAB(nn.Module):
    """Hybrid attention: of windows, shifted or not, and of channels, on the same normed map."""

    def __init__(self, sizes: BlockSizes, shift: int = 0, drop_path: float = 0.0) -> None:
        super().__init__()
        dim = sizes.attention.dim
        self.shift, self.conv_scale = shift, sizes.conv_scale
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(replace(sizes.attention, overlap=0))
        self.conv_block = CAB(dim, sizes.compress_ratio, sizes.squeeze_factor)
        self.drop_path = StochasticDepth(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, int(dim * sizes.mlp_ratio))

    def forward(self, image: Tensor, index: Tensor, mask: Tensor | None) -> Tensor:
        """(batch, y, x, channel) -> the same; the mask is left aside if nothing is shifted."""
        normed = self.norm1(image)
        weighed = self.conv_block(normed.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        rolled = normed.roll((-self.shift, -self.shift), (1, 2))
        attended = self.attn(rolled, index, mask if self.shift else None)
        attended = attended.roll((self.shift, self.shift), (1, 2))
        image = image + self.drop_path(attended) + self.conv_scale * weighed
        out: Tensor = image + self.drop_path(self.mlp(self.norm2(image)))
        return out


class OCAB(OverlapAttention):
    """Attention of windows to what lies around them."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__(sizes.attention)
        self.norm1 = nn.LayerNorm(sizes.attention.dim)
        self.norm2 = nn.LayerNorm(sizes.attention.dim)
        self.mlp = Mlp(sizes.attention.dim, int(sizes.attention.dim * sizes.mlp_ratio))

    def forward(self, image: Tensor, index: Tensor) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        image = image + self.attention(self.norm1(image), index)
        out: Tensor = image + self.mlp(self.norm2(image))
        return out


class Group(nn.Module):
    """Hybrid blocks, every other one shifted, and an overlapping attention."""

    def __init__(self, sizes: BlockSizes, shift: int, rates: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            HAB(_with_dropkey(sizes, dropkey), shift * (block % 2), drop_path)
            for block, (dropkey, drop_path) in enumerate(rates)
        )
        self.overlap_attn = OCAB(_with_dropkey(sizes, rates[-1][0]))

    def forward(self, image: Tensor, guides: Guides) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        for block in self.blocks:
            image = block(image, guides.own, guides.mask)
        out: Tensor = self.overlap_attn(image, guides.around)
        return out


class RHAG(nn.Module):
    """A group, a convolution, and a skip around both.

    Parameters
    ----------
    shift : cells, of every other block
    rates : of DropKey and of stochastic depth, block by block
    """

    def __init__(
        self,
        sizes: BlockSizes,
        shift: int,
        rates: Sequence[tuple[float, float]],
        residual: Residual,
    ) -> None:
        super().__init__()
        self.residual_group = Group(sizes, shift, rates)
        self.conv = residual_end(sizes.attention.dim, residual)

    def forward(self, image: Tensor, guides: Guides) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        grouped = self.residual_group(image, guides).permute(0, 3, 1, 2)
        out: Tensor = image + self.conv(grouped).permute(0, 2, 3, 1)
        return out


def residual_end(dim: int, residual: Residual) -> nn.Module:
    """What features pass before they are added to what they began as."""
    return nn.Identity() if residual == "identity" else nn.Conv2d(dim, dim, 3, padding=1)


def _with_dropkey(sizes: BlockSizes, rate: float) -> BlockSizes:
    return replace(sizes, attention=replace(sizes.attention, dropkey=rate))
