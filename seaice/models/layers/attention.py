"""Attention layers: in windows (Swin, HAT), hybrid blocks of HAT, and linear flow attention.

Window attention: Liu et al. 2021, ICCV, arXiv:2103.14030 (Swin). Hybrid blocks and overlapping
cross-attention: Chen et al. 2023, CVPR, arXiv:2205.04437 (HAT); parameter names are those of
https://github.com/XPixelGroup/HAT. Maps are (batch, y, x, channel), y and x multiples of the
window's side.

Flow attention: Wu et al. 2022, "Flowformer: Linearizing Transformers with Conservation Flows",
ICML, arXiv:2202.06258; results and parameter names are those of thuml/Flowformer, general and
vision version. Its cost is linear in the number of tokens. Values flow from sources (keys) to sinks
(queries) through capacities, the products of non-negative queries and keys. The flow into every
sink and out of every source is normalized to one, so that sources compete for sinks as with a
softmax, and no matrix of all pairs is computed. Flows are sums over all tokens and are computed in
float32 at any precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers import autocast_disabled
from seaice.models.layers.dropout import DropKey, DropShape, StochasticDepth
from seaice.models.layers.tokens import Mlp

__all__ = [
    "CAB",
    "HAB",
    "OCAB",
    "RHAG",
    "AttentionIndices",
    "FlowAttention",
    "HybridBlockConfig",
    "OverlapAttention",
    "ResidualConnection",
    "VisionFlowAttention",
    "WindowAttention",
    "WindowAttentionConfig",
    "flow_attention",
    "flow_normalizers",
    "overlap_index",
    "pad_to_windows",
    "residual_connection",
    "shift_mask",
    "window_index",
]

SHIFT_MASK_LOGIT = -100.0  # added to logits of tokens of different regions, as published


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAttentionConfig:
    """Sizes of an attention in windows."""

    dim: int
    heads: int
    window: int  #: cells along a side
    overlap: int = 0  #: cells by which the larger window is larger, even
    qkv_bias: bool = True
    scale: float | None = None  #: of queries; None: one over the root of a head's channels
    dropkey: float = 0.0  #: fraction of keys dropped in training
    dropkey_shape: DropShape = "keys"

    @property
    def extended(self) -> int:
        """Cells along a side of the larger window."""
        return self.window + self.overlap


def _coordinates(side: int) -> Tensor:
    """(side^2, 2) row and column of every cell."""
    return torch.cartesian_prod(torch.arange(side), torch.arange(side))


def window_index(side: int) -> Tensor:
    """Indices into the table of relative positions, (query, key), each window^2."""
    cells = _coordinates(side)
    offset = cells[:, None] - cells[None] + side - 1
    return offset[..., 0] * (2 * side - 1) + offset[..., 1]


def overlap_index(side: int, extended: int) -> Tensor:
    """Indices for keys of the larger window, (side^2, extended^2).

    Some are negative and count from the end of the table, as published weights require.
    """
    offset = _coordinates(extended)[None] - _coordinates(side)[:, None] + side - extended + 1
    return offset[..., 0] * (side + extended - 1) + offset[..., 1]


def shift_mask(size: tuple[int, int], side: int, shift: int, like: Tensor) -> Tensor:
    """Mask of an attention between tokens that only the roll by `shift` puts into one window.

    Returns
    -------
    (window, query, key), 0 or -100, dtype and device of `like`
    """
    bands = []
    for length in size:
        at = torch.arange(length, device=like.device)
        bands.append((at >= length - side).int() + (at >= length - shift).int())
    region = 3 * bands[0][:, None] + bands[1][None]
    tokens = _split_windows(region[None, ..., None], side)[0, ..., 0]
    offset = tokens[:, None, :] != tokens[:, :, None]
    return torch.where(offset, SHIFT_MASK_LOGIT, 0.0).to(like)


def pad_to_windows(image: Tensor, side: int) -> Tensor:
    """(batch, channel, y, x), padded at the lower and right edge to multiples of `side`.

    The padding is a reflection; where the map is too small for it, the last row or column is
    repeated.
    """
    down, across = (-length % side for length in image.shape[2:])
    for frame in ((0, 0, 0, down), (0, across, 0, 0)):
        length = image.shape[2] if frame[3] else image.shape[3]
        image = F.pad(image, frame, "reflect" if max(frame) < length else "replicate")
    return image


def _split_windows(image: Tensor, side: int) -> Tensor:
    """(batch, y, x, channel) -> (batch, window, side^2, channel)."""
    batch, rows, columns, channels = image.shape
    blocks = image.reshape(batch, rows // side, side, columns // side, side, channels)
    return blocks.transpose(2, 3).reshape(batch, -1, side**2, channels)


def _merge_windows(windows: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """(batch, window, side^2, channel) -> (batch, y, x, channel)."""
    batch, _, _, channels = windows.shape
    blocks = windows.reshape(batch, size[0] // side, size[1] // side, side, side, channels)
    return blocks.transpose(2, 3).reshape(batch, *size, channels)


class _WindowedAttention(nn.Module):
    """Common base of both window attentions, with a relative position bias."""

    def __init__(self, sizes: WindowAttentionConfig) -> None:
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

        Windows and heads are merged into one axis, so that the bias broadcasts over the batch.
        """
        windows, heads = q.shape[1], self.sizes.heads
        bias = self.relative_position_bias_table[index].permute(2, 0, 1)[None]
        bias = bias.expand(windows, -1, -1, -1) if mask is None else bias + mask[:, None]
        bias = bias.flatten(0, 1)[None].to(q.dtype)
        q, k, v = (self._by_head(part) for part in (q, k, v))
        side = self.sizes.extended
        size = (*q.shape[:3], k.shape[2])
        dropped = self.dropkey.mask(size, bias, (side, side))
        attended = F.scaled_dot_product_attention(
            q, k, v, bias if dropped is None else bias + dropped, scale=self.sizes.scale
        )
        by_head = attended.reshape(-1, windows, heads, *attended.shape[2:]).transpose(2, 3)
        return by_head.flatten(3)

    def _by_head(self, tokens: Tensor) -> Tensor:
        """(batch, window, token, channel) -> (batch, window * head, token, channel of a head)."""
        parted = tokens.reshape(*tokens.shape[:3], self.sizes.heads, -1).transpose(2, 3)
        return parted.flatten(1, 2)


class WindowAttention(_WindowedAttention):
    """Self-attention within windows."""

    def forward(self, image: Tensor, index: Tensor, mask: Tensor | None) -> Tensor:
        """Attention, projected.

        Parameters
        ----------
        image : (batch, y, x, channel)
        index : from `window_index`
        mask : from `shift_mask`, for a rolled map

        Returns
        -------
        (batch, y, x, channel)
        """
        size, side = (image.shape[1], image.shape[2]), self.sizes.window
        q, k, v = _split_windows(self.qkv(image), side).chunk(3, dim=-1)
        output: Tensor = self.proj(self._attend(q, k, v, index, mask))
        return _merge_windows(output, side, size)


class OverlapAttention(_WindowedAttention):
    """Attention from each window to a larger window around it.

    Outside the map keys and values are zero and are not masked.
    """

    def attention(self, image: Tensor, index: Tensor) -> Tensor:
        """Attention, projected; image (batch, y, x, channel), index from `overlap_index`."""
        size, side = (image.shape[1], image.shape[2]), self.sizes.window
        q, around = self.qkv(image).tensor_split((self.sizes.dim,), dim=-1)
        k, v = self._around(around).chunk(2, dim=-1)
        output: Tensor = self.proj(self._attend(_split_windows(q, side), k, v, index, None))
        return _merge_windows(output, side, size)

    def _around(self, image: Tensor) -> Tensor:
        """(batch, y, x, channel) -> (batch, window, extended^2, channel)."""
        side, extended, reach = self.sizes.window, self.sizes.extended, self.sizes.overlap // 2
        padded = F.pad(image, (0, 0, reach, reach, reach, reach))
        blocks = padded.unfold(1, extended, side).unfold(2, extended, side)  # batch y x channel . .
        return blocks.flatten(4).transpose(3, 4).flatten(1, 2)


#: the layer before the residual connection of a group
ResidualConnection = Literal["1conv", "identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionIndices:
    """Position indices and the shift mask, shared by all blocks."""

    own: Tensor  #: from `window_index`
    around: Tensor  #: from `overlap_index`
    mask: Tensor  #: from `shift_mask`


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridBlockConfig:
    """Sizes of the blocks of one group."""

    attention: WindowAttentionConfig
    compress_ratio: int = 3
    squeeze_factor: int = 30
    conv_scale: float = 0.01
    mlp_ratio: float = 4.0


class CAB(nn.Module):
    """Channel attention block: two convolutions, then `ChannelAttention`."""

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
    """Each channel times a weight in 0-1 computed from the means of all channels."""

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
    """Hybrid attention block: (shifted) window attention plus channel attention, then an MLP."""

    def __init__(self, sizes: HybridBlockConfig, shift: int = 0, drop_path: float = 0.0) -> None:
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
        """(batch, y, x, channel) -> the same; the mask is used if the block shifts."""
        normed = self.norm1(image)
        weighted = self.conv_block(normed.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        rolled = normed.roll((-self.shift, -self.shift), (1, 2))
        attended = self.attn(rolled, index, mask if self.shift else None)
        attended = attended.roll((self.shift, self.shift), (1, 2))
        image = image + self.drop_path(attended) + self.conv_scale * weighted
        out: Tensor = image + self.drop_path(self.mlp(self.norm2(image)))
        return out


class OCAB(OverlapAttention):
    """Overlapping cross-attention block."""

    def __init__(self, sizes: HybridBlockConfig) -> None:
        super().__init__(sizes.attention)
        self.norm1 = nn.LayerNorm(sizes.attention.dim)
        self.norm2 = nn.LayerNorm(sizes.attention.dim)
        self.mlp = Mlp(sizes.attention.dim, int(sizes.attention.dim * sizes.mlp_ratio))

    def forward(self, image: Tensor, index: Tensor) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        image = image + self.attention(self.norm1(image), index)
        out: Tensor = image + self.mlp(self.norm2(image))
        return out


class HybridGroup(nn.Module):
    """Hybrid blocks, every second one shifted, then an overlapping cross-attention."""

    def __init__(
        self, sizes: HybridBlockConfig, shift: int, rates: Sequence[tuple[float, float]]
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            HAB(_with_dropkey(sizes, dropkey), shift * (block % 2), drop_path)
            for block, (dropkey, drop_path) in enumerate(rates)
        )
        self.overlap_attn = OCAB(_with_dropkey(sizes, rates[-1][0]))

    def forward(self, image: Tensor, guides: AttentionIndices) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        for block in self.blocks:
            image = block(image, guides.own, guides.mask)
        out: Tensor = self.overlap_attn(image, guides.around)
        return out


class RHAG(nn.Module):
    """Residual group: hybrid blocks, a convolution, and a skip connection.

    Parameters
    ----------
    shift : cells, of every second block
    rates : of DropKey and of stochastic depth, block by block
    """

    def __init__(
        self,
        sizes: HybridBlockConfig,
        shift: int,
        rates: Sequence[tuple[float, float]],
        residual: ResidualConnection,
    ) -> None:
        super().__init__()
        self.residual_group = HybridGroup(sizes, shift, rates)
        self.conv = residual_connection(sizes.attention.dim, residual)

    def forward(self, image: Tensor, guides: AttentionIndices) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        grouped = self.residual_group(image, guides).permute(0, 3, 1, 2)
        out: Tensor = image + self.conv(grouped).permute(0, 2, 3, 1)
        return out


def residual_connection(dim: int, residual: ResidualConnection) -> nn.Module:
    """The layer before a residual connection."""
    return nn.Identity() if residual == "identity" else nn.Conv2d(dim, dim, 3, padding=1)


def _with_dropkey(sizes: HybridBlockConfig, rate: float) -> HybridBlockConfig:
    return replace(sizes, attention=replace(sizes.attention, dropkey=rate))


FLOW_EPS = 1e-6
COMPETITION_CLAMP = 1.0  #: largest absolute value of a conserved source flow before the softmax


def flow_normalizers(
    query: Tensor, key: Tensor, eps: float = FLOW_EPS, after: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Normalizers of the flow into every sink and out of every source.

    Parameters
    ----------
    query : (batch, head, sink, channel), >= 0
    key : (batch, head, source, channel), >= 0
    eps : added to both factors of every product
    after : added to every sum of products

    Returns
    -------
    1 / incoming flow, (batch, head, sink, 1), and 1 / outgoing flow, (batch, head, source, 1)
    """
    incoming = _dot(query + eps, key.sum(2, keepdim=True) + eps) + after
    outgoing = _dot(key + eps, query.sum(2, keepdim=True) + eps) + after
    return 1 / incoming, 1 / outgoing


def flow_attention(
    query: Tensor, key: Tensor, value: Tensor, eps: float = FLOW_EPS, after: float = 0.0
) -> Tensor:
    """Flow attention, at a cost linear in the number of tokens.

    Parameters
    ----------
    query, key, eps, after : as in `flow_normalizers`
    value : (batch, head, source, channel')

    Returns
    -------
    (batch, head, sink, channel')
    """
    sinks, sources = query.shape[2], key.shape[2]
    into, out_of = flow_normalizers(query, key, eps, after)
    sink = _dot(query + eps, (key * out_of).sum(2, keepdim=True) + eps) + after
    source = _dot(key + eps, (query * into).sum(2, keepdim=True) + eps) + after
    competition = source.clamp(-COMPETITION_CLAMP, COMPETITION_CLAMP).softmax(dim=2) * sources
    allocation = torch.sigmoid(sink * (sinks / sources))
    return (query * into) @ (key.transpose(2, 3) @ (value * competition)) * allocation


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=-1, keepdim=True)


class FlowAttention(nn.Module):
    """The general version: queries, keys and values from anywhere."""

    def __init__(
        self, d_input: int, d_model: int, d_output: int, heads: int, dropout: float = 0.05
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query_projection = nn.Linear(d_input, d_model)
        self.key_projection = nn.Linear(d_input, d_model)
        self.value_projection = nn.Linear(d_input, d_model)
        self.out_projection = nn.Linear(d_model, d_output)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(batch, sink, d_input), twice (batch, source, d_input) -> (batch, sink, d_output)."""
        query, key, value = (
            _split_heads(projection(tokens), self.heads)
            for projection, tokens in (
                (self.query_projection, queries),
                (self.key_projection, keys),
                (self.value_projection, values),
            )
        )
        with autocast_disabled(queries):
            output = self._flow(query.float().sigmoid(), key.float().sigmoid(), value.float())
        out: Tensor = self.dropout(self.out_projection(output.transpose(1, 2).flatten(2)))
        return out

    def _flow(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return flow_attention(query, key, value)


class VisionFlowAttention(nn.Module):
    """The vision version: self-attention, with a further constant added to every sum."""

    def __init__(self, dim: int, heads: int = 12) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, dim) -> the same."""
        tokens_out = self.qkv(tokens)
        with autocast_disabled(tokens):
            query, key, value = (
                _split_heads(part, self.heads) for part in tokens_out.float().chunk(3, dim=2)
            )
            tokens_out = flow_attention(query.sigmoid(), key.sigmoid(), value, after=FLOW_EPS)
        out: Tensor = self.proj(tokens_out.transpose(1, 2).flatten(2))
        return out


def _split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(batch, token, head * channel) -> (batch, head, token, channel)."""
    batch, length, _ = tokens.shape
    return tokens.reshape(batch, length, heads, -1).transpose(1, 2)
