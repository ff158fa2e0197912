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

TokenGrid = tuple[int, int]  #: rows, columns that tokens lie on, row by row


def tokens_to_map(tokens: Tensor, grid: TokenGrid) -> Tensor:
    """(batch, y * x, channel) -> (batch, channel, y, x)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, *grid)


def map_to_tokens(features: Tensor) -> Tensor:
    """(batch, channel, y, x) -> (batch, y * x, channel)."""
    return features.flatten(2).transpose(1, 2)


def check_heads(widths: Sequence[float], heads: Sequence[int]) -> None:
    """Refuse widths that cannot be shared out among as many heads.

    Raises
    ------
    WeightsError
        If a width is no multiple of its number of heads.
    """
    if any(count < 1 or width % count for width, count in zip(widths, heads, strict=True)):
        raise WeightsError(
            f"widths {', '.join(map(str, widths))} for {', '.join(map(str, heads))} heads",
            "widths that are multiples of their numbers of heads",
            "correct the network's sizes",
        )


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
    """How vision transformers begin: small weights, no biases (timm's default)."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


EPS = 1e-6  # beside a patch's variance


def patchify(image: Tensor, side: int) -> Tensor:
    """(batch, channel, y, x) -> (batch, patch, side * side * channel), channels fastest."""
    return rearrange(image, "b c (y p) (x q) -> b (y x) (p q c)", p=side, q=side)


def unpatchify(patches: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """The image of `patchify`: `grid` says how many patches there are along y and x."""
    rows, columns = grid
    shape = {"y": rows, "x": columns, "p": side, "q": side}
    return rearrange(patches, "b (y x) (p q c) -> b c (y p) (x q)", **shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchMask:
    """Which patches of each image stay."""

    shuffle: Tensor  #: (batch, patch), patches in the order of their noise
    restore: Tensor  #: (batch, patch), where each patch stands in that order
    kept: int  #: so many from the first on stay

    @classmethod
    def of(cls, noise: Tensor, ratio: float) -> "PatchMask":
        """The patches of the smallest noise stay.

        The number that stays is rounded down as the official code has it, in floating point: of 25
        patches at a ratio of 0.8 that is 4.

        Parameters
        ----------
        noise : (batch, patch)
        ratio : share that is taken away
        """
        shuffle = torch.argsort(noise, dim=1)
        kept = int(noise.shape[1] * (1 - ratio))
        return cls(shuffle=shuffle, restore=torch.argsort(shuffle, dim=1), kept=kept)

    def visible(self, tokens: Tensor) -> Tensor:
        """(batch, patch, channel) -> (batch, kept, channel), in the order of their noise."""
        places = self.shuffle[:, : self.kept, None].expand(-1, -1, tokens.shape[2])
        return torch.gather(tokens, 1, places)

    def completed(self, tokens: Tensor, stand_in: Tensor) -> Tensor:
        """Visible tokens back in place, and `stand_in`, (1, 1, channel), for all others."""
        missing = self.restore.shape[1] - tokens.shape[1]
        others = stand_in.expand(len(tokens), missing, -1)
        places = self.restore[..., None].expand(-1, -1, tokens.shape[2])
        return torch.gather(torch.cat((tokens, others), dim=1), 1, places)

    def removed(self) -> Tensor:
        """(batch, patch) float32, 1 where a patch was taken away."""
        return (self.restore >= self.kept).float()


def normalized_patches(patches: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1."""
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
    return (patches - mean) / (variance + EPS).sqrt()


def masked_mse(told: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean square error of a patch, averaged over what was taken away.

    Parameters
    ----------
    told, wanted : (batch, patch, cells)
    weight : (batch, patch), 1 where a patch was taken away; or (batch, patch, cells), where some
        cells have no truth

    Returns
    -------
    scalar; 0 where nothing was taken away
    """
    error = (told.float() - wanted.float()).square()
    if weight.ndim < error.ndim:
        error = error.mean(-1)
    return (error * weight).sum() / weight.sum().clamp(min=1)


def position_table(channels: int, grid: tuple[int, int]) -> Tensor:
    """Sines and cosines of where a patch lies, below a row of zeros for the class token.

    The first half of the channels tells the column, the second the row; in each, sines come before
    cosines, of frequencies from 1 down to nearly 1/10000 in equal steps of their logarithm.

    Returns
    -------
    (1, 1 + rows * columns, channels) float32
    """
    quarter = channels // 4
    # numpy: on PyTorch's device "meta" these few operations would import half of PyTorch, 5 s
    omega = 10000.0 ** (-np.arange(quarter) / quarter)
    axes = np.meshgrid(*(np.arange(float(n)) for n in grid), indexing="ij")
    halves = []
    for place in reversed(axes):
        angles = place.reshape(-1, 1) * omega
        halves += [np.sin(angles), np.cos(angles)]
    table = np.concatenate(halves, axis=1).astype(np.float32)
    whole = np.concatenate((np.zeros((1, channels), np.float32), table))[None]
    return torch.from_numpy(whole).to(torch.get_default_device())
