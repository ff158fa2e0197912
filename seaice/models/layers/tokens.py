"""Tokens of transformers: patch embedding, masking of patches, position tables, the MLP.

Masking follows He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", CVPR,
arXiv:2111.06377; the order of cells in a token and of tokens after masking is that of
facebookresearch/mae.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from seaice.errors import WeightsError

__all__ = [
    "Mlp",
    "PatchEmbed",
    "PatchMask",
    "TokenGrid",
    "check_heads",
    "init_linear",
    "map_to_tokens",
    "masked_mse",
    "normalized_patches",
    "patchify",
    "position_table",
    "tokens_to_map",
    "unpatchify",
]

TokenGrid = tuple[int, int]  #: rows and columns of a map of tokens, in row-major order


def tokens_to_map(tokens: Tensor, grid: TokenGrid) -> Tensor:
    """(batch, y * x, channel) -> (batch, channel, y, x)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, *grid)


def map_to_tokens(features: Tensor) -> Tensor:
    """(batch, channel, y, x) -> (batch, y * x, channel)."""
    return features.flatten(2).transpose(1, 2)


def check_heads(widths: Sequence[float], heads: Sequence[int]) -> None:
    """Refuse widths that are not divisible by their numbers of heads.

    Raises
    ------
    WeightsError
        If a width is not a multiple of its number of heads.
    """
    if any(count < 1 or width % count for width, count in zip(widths, heads, strict=True)):
        raise WeightsError(
            f"widths {', '.join(map(str, widths))} for {', '.join(map(str, heads))} heads",
            "widths that are multiples of their numbers of heads",
            "correct the network's sizes",
        )


class PatchEmbed(nn.Module):
    """Patches of a map as tokens: a strided convolution, and a layer norm where `norm_eps` is set.

    Parameters
    ----------
    patch : stride, cells
    overlap : by how many cells patches overlap their neighbours
    norm_eps : epsilon of the layer norm; None: no norm
    """

    def __init__(
        self,
        in_channels: int,
        dim: int,
        patch: int,
        *,
        overlap: int = 0,
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, patch + overlap, patch, overlap)
        self.norm = nn.Identity() if norm_eps is None else nn.LayerNorm(dim, eps=norm_eps)

    def forward(self, features: Tensor) -> tuple[Tensor, TokenGrid]:
        """(batch, in_channels, y, x), multiples of the patch -> (batch, token, dim), their grid."""
        patches = self.proj(features)
        return self.norm(map_to_tokens(patches)), (patches.shape[2], patches.shape[3])


class Mlp(nn.Module):
    """Two linear layers with GELU between them, on the last axis."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., dim) -> the same."""
        out: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return out


def init_linear(module: nn.Module) -> None:
    """Initialization of vision transformers: small weights, biases 0 (timm's default)."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


EPS = 1e-6  # added to the variance of a patch


def patchify(image: Tensor, side: int) -> Tensor:
    """(batch, channel, y, x) -> (batch, patch, side * side * channel), channels fastest."""
    return rearrange(image, "b c (y p) (x q) -> b (y x) (p q c)", p=side, q=side)


def unpatchify(patches: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """The inverse of `patchify`; `grid` is the number of patches along y and x."""
    rows, columns = grid
    shape = {"y": rows, "x": columns, "p": side, "q": side}
    return rearrange(patches, "b (y x) (p q c) -> b c (y p) (x q)", **shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchMask:
    """Which patches of each image are visible and which are hidden."""

    shuffle: Tensor  #: (batch, patch), patches in the order of their noise
    restore: Tensor  #: (batch, patch), position of each patch in that order
    n_visible: int  #: number of visible patches, the first in that order

    @classmethod
    def of(cls, noise: Tensor, ratio: float) -> "PatchMask":
        """Hide all but the patches of the smallest noise.

        The number of visible patches is rounded down in floating point, as in the official code:
        4 of 25 patches at a ratio of 0.8.

        Parameters
        ----------
        noise : (batch, patch)
        ratio : fraction of hidden patches
        """
        shuffle = torch.argsort(noise, dim=1)
        n_visible = int(noise.shape[1] * (1 - ratio))
        return cls(shuffle=shuffle, restore=torch.argsort(shuffle, dim=1), n_visible=n_visible)

    def visible(self, tokens: Tensor) -> Tensor:
        """(batch, patch, channel) -> (batch, visible, channel), in the order of their noise."""
        index = self.shuffle[:, : self.n_visible, None].expand(-1, -1, tokens.shape[2])
        return torch.gather(tokens, 1, index)

    def with_mask_tokens(self, tokens: Tensor, mask_token: Tensor) -> Tensor:
        """Visible tokens at their positions, `mask_token`, (1, 1, channel), at all others."""
        hidden = self.restore.shape[1] - tokens.shape[1]
        others = mask_token.expand(len(tokens), hidden, -1)
        index = self.restore[..., None].expand(-1, -1, tokens.shape[2])
        return torch.gather(torch.cat((tokens, others), dim=1), 1, index)

    def hidden(self) -> Tensor:
        """(batch, patch) float32, 1 where a patch is hidden."""
        return (self.restore >= self.n_visible).float()


def normalized_patches(patches: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1."""
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
    return (patches - mean) / (variance + EPS).sqrt()


def masked_mse(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean square error of a patch, averaged over hidden patches.

    Parameters
    ----------
    prediction, target : (batch, patch, cells)
    weight : (batch, patch), 1 where a patch is hidden; or (batch, patch, cells), where some cells
        have no target

    Returns
    -------
    scalar; 0 where nothing is hidden
    """
    error = (prediction.float() - target.float()).square()
    if weight.ndim < error.ndim:
        error = error.mean(-1)
    return (error * weight).sum() / weight.sum().clamp(min=1)


def position_table(channels: int, grid: tuple[int, int]) -> Tensor:
    """Sine-cosine position embedding of patches, after a row of zeros for the class token.

    The first half of the channels encodes the column, the second the row; in each, sines
    come before cosines, with frequencies from 1 to nearly 1/10000, equally spaced in logarithm.

    Returns
    -------
    (1, 1 + rows * columns, channels) float32
    """
    quarter = channels // 4
    # numpy, because on the meta device these operations import much of PyTorch (5 s)
    omega = 10000.0 ** (-np.arange(quarter) / quarter)
    axes = np.meshgrid(*(np.arange(float(n)) for n in grid), indexing="ij")
    parts = []
    for coordinate in reversed(axes):
        angles = coordinate.reshape(-1, 1) * omega
        parts += [np.sin(angles), np.cos(angles)]
    table = np.concatenate(parts, axis=1).astype(np.float32)
    with_class_token = np.concatenate((np.zeros((1, channels), np.float32), table))[None]
    return torch.from_numpy(with_class_token).to(torch.get_default_device())
