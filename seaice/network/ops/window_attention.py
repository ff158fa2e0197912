"""Attention inside square windows, and of windows to larger ones around them.

Liu et al. 2021, ICCV, arXiv:2103.14030 (Swin); Chen et al. 2023, CVPR, arXiv:2205.04437 (HAT:
overlapping cross-attention). Parameter names are HAT's. Maps are (batch, y, x, channel), y and x
multiples of the window's side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.dropkey import DropKey, Shape

__all__ = [
    "AttentionSizes",
    "OverlapAttention",
    "WindowAttention",
    "overlap_index",
    "shift_mask",
    "to_whole_windows",
    "window_index",
]

APART = -100.0  # added to logits of tokens that only the roll has made neighbours, as published


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSizes:
    """Sizes of an attention in windows."""

    dim: int
    heads: int
    window: int  #: cells along a side
    overlap: int = 0  #: cells by which the larger window is larger, even
    qkv_bias: bool = True
    scale: float | None = None  #: of queries; None: one over the root of a head's channels
    dropkey: float = 0.0  #: share of keys dropped in training
    dropkey_shape: Shape = "keys"

    @property
    def extended(self) -> int:
        """Cells along a side of the larger window."""
        return self.window + self.overlap


def _coordinates(side: int) -> Tensor:
    """(side^2, 2) row and column of every cell."""
    return torch.cartesian_prod(torch.arange(side), torch.arange(side))


def window_index(side: int) -> Tensor:
    """Rows of the table of relative positions, (query, key), each window^2."""
    cells = _coordinates(side)
    apart = cells[:, None] - cells[None] + side - 1
    return apart[..., 0] * (2 * side - 1) + apart[..., 1]


def overlap_index(side: int, extended: int) -> Tensor:
    """The same of keys in the larger window, (side^2, extended^2).

    Some are negative and count from the table's end: published weights depend on it.
    """
    apart = _coordinates(extended)[None] - _coordinates(side)[:, None] + side - extended + 1
    return apart[..., 0] * (side + extended - 1) + apart[..., 1]


def shift_mask(size: tuple[int, int], side: int, shift: int, like: Tensor) -> Tensor:
    """What keeps tokens apart that a map rolled by `shift` brings into one window.

    Returns
    -------
    (window, query, key), 0 or -100, dtype and device of `like`
    """
    bands = []
    for length in size:
        at = torch.arange(length, device=like.device)
        bands.append((at >= length - side).int() + (at >= length - shift).int())
    region = 3 * bands[0][:, None] + bands[1][None]
    tokens = _windows(region[None, ..., None], side)[0, ..., 0]
    apart = tokens[:, None, :] != tokens[:, :, None]
    return torch.where(apart, APART, 0.0).to(like)


def to_whole_windows(image: Tensor, side: int) -> Tensor:
    """(batch, channel, y, x), mirrored beyond its lower and right edges to multiples of `side`.

    Where there is less to mirror than is lacking, the last row or column is repeated.
    """
    down, across = (-length % side for length in image.shape[2:])
    for frame in ((0, 0, 0, down), (0, across, 0, 0)):
        length = image.shape[2] if frame[3] else image.shape[3]
        image = F.pad(image, frame, "reflect" if max(frame) < length else "replicate")
    return image


def _windows(image: Tensor, side: int) -> Tensor:
    """(batch, y, x, channel) -> (batch, window, side^2, channel)."""
    batch, rows, columns, channels = image.shape
    cut = image.reshape(batch, rows // side, side, columns // side, side, channels)
    return cut.transpose(2, 3).reshape(batch, -1, side**2, channels)


def _joined(windows: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """(batch, window, side^2, channel) -> (batch, y, x, channel)."""
    batch, _, _, channels = windows.shape
    cut = windows.reshape(batch, size[0] // side, size[1] // side, side, side, channels)
    return cut.transpose(2, 3).reshape(batch, *size, channels)


class _Attention(nn.Module):
    """What both attentions have; a table of relative positions biases the logits."""

    def __init__(self, sizes: AttentionSizes) -> None:
        super().__init__()
        self.sizes = sizes
        span = sizes.window + sizes.extended - 1
        self.relative_position_bias_table = nn.Parameter(torch.empty(span**2, sizes.heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.qkv = nn.Linear(sizes.dim, 3 * sizes.dim, bias=sizes.qkv_bias)
        self.proj = nn.Linear(sizes.dim, sizes.dim)
        self.dropkey = DropKey(sizes.dropkey, sizes.dropkey_shape)

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, index: Tensor, mask: Tensor | None
    ) -> Tensor:
        """(batch, window, token, channel) each -> the same as q.

        Windows and heads are one axis, so that one bias serves the whole batch.
        """
        windows, heads = q.shape[1], self.sizes.heads
        bias = self.relative_position_bias_table[index].permute(2, 0, 1)[None]
        bias = bias.expand(windows, -1, -1, -1) if mask is None else bias + mask[:, None]
        bias = bias.flatten(0, 1)[None].to(q.dtype)
        q, k, v = (self._by_head(part) for part in (q, k, v))
        side = self.sizes.extended
        size = (*q.shape[:3], k.shape[2])
        dropped = self.dropkey.mask(size, bias, (side, side))
        told = F.scaled_dot_product_attention(
            q, k, v, bias if dropped is None else bias + dropped, scale=self.sizes.scale
        )
        parted = told.reshape(-1, windows, heads, *told.shape[2:]).transpose(2, 3)
        return parted.flatten(3)

    def _by_head(self, tokens: Tensor) -> Tensor:
        """(batch, window, token, channel) -> (batch, window * head, token, channel of a head)."""
        parted = tokens.reshape(*tokens.shape[:3], self.sizes.heads, -1).transpose(2, 3)
        return parted.flatten(1, 2)


class WindowAttention(_Attention):
    """Every cell looks at the cells of its window."""

    def forward(self, image: Tensor, index: Tensor, mask: Tensor | None) -> Tensor:
        """Attention, projected.

        Parameters
        ----------
        image : (batch, y, x, channel)
        index : as `window_index` gives it
        mask : as `shift_mask` gives it, of a rolled map

        Returns
        -------
        As image
        """
        size, side = (image.shape[1], image.shape[2]), self.sizes.window
        q, k, v = _windows(self.qkv(image), side).chunk(3, dim=-1)
        told: Tensor = self.proj(self._attend(q, k, v, index, mask))
        return _joined(told, side, size)


class OverlapAttention(_Attention):
    """Every cell looks at a window that reaches beyond its own.

    Beyond the map's edge keys and values are zero, and take part.
    """

    def attention(self, image: Tensor, index: Tensor) -> Tensor:
        """Attention, projected; image (batch, y, x, channel), index as `overlap_index` gives it."""
        size, side = (image.shape[1], image.shape[2]), self.sizes.window
        q, around = self.qkv(image).tensor_split((self.sizes.dim,), dim=-1)
        k, v = self._around(around).chunk(2, dim=-1)
        told: Tensor = self.proj(self._attend(_windows(q, side), k, v, index, None))
        return _joined(told, side, size)

    def _around(self, image: Tensor) -> Tensor:
        """(batch, y, x, channel) -> (batch, window, extended^2, channel)."""
        side, extended, reach = self.sizes.window, self.sizes.extended, self.sizes.overlap // 2
        padded = F.pad(image, (0, 0, reach, reach, reach, reach))
        cut = padded.unfold(1, extended, side).unfold(2, extended, side)  # batch y x channel . .
        return cut.flatten(4).transpose(3, 4).flatten(1, 2)
