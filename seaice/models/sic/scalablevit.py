"""ScalableViT: attention in windows and attention to a downsampled map, alternating.

Even blocks attend within windows; a depthwise convolution over the values of the whole map connects
neighbouring windows. Odd blocks attend to the whole map, with keys and values downsampled in space
and queries and keys widened in channels. A depthwise convolution after the first block of every
stage encodes positions.

Yang et al. 2022, "ScalableViT: Rethinking the Context-oriented Generalization of Vision
Transformer", ECCV, arXiv:2203.10790. Defaults are ScalableViT-S; layout and parameter names are
those of Yangr116/ScalableViT. Differences: the fourth stage, at a stride of 32, is for
classification only, and DropKey. Odd blocks read the whole input, so that maps are run in windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import lcm, sqrt
from operator import mul
from typing import Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.dropout import DropKey, DropShape, linear_decay
from seaice.models.layers.tokens import (
    Mlp,
    PatchEmbed,
    TokenGrid,
    check_heads,
    init_linear,
    map_to_tokens,
    tokens_to_map,
)

__all__ = [
    "IWSA",
    "SSA",
    "PosCNN",
    "ScalableViTConfig",
    "ScalableViTEncoder",
    "ScalableViTSIC",
    "ScalableViTStage",
]

PATCH = 4  # stride of the first stage; each later stage halves the resolution
WIDE_HEAD = 4096
EPS = 1e-6  # of every layer norm but the one inside SSA


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableViTStage:
    """Blocks at one resolution."""

    width: int
    heads: int
    rates: tuple[float, ...]  #: DropKey rates, by block
    mlp_ratio: float = 4.0
    reduction: int = 1  #: downsampling factor of keys and values
    cells: int = 7  #: of a window, along a side
    channels: float = 1.25  #: channels of queries and keys of odd blocks per channel of the stage
    bias: Literal["learned", "none"] = "learned"  #: of queries, keys and values
    drops: DropShape = "keys"  #: shape of DropKey masks


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableViTConfig(DecoderConfig):
    """Sizes of the network: one entry a stage, at strides of 4, 8 and 16."""

    widths: tuple[int, int, int] = (64, 128, 256)
    heads: tuple[int, int, int] = (2, 4, 8)
    depths: tuple[int, int, int] = (2, 2, 20)
    reductions: tuple[int, int, int] = (8, 4, 2)
    channels: tuple[float, float, float] = (1.25, 1.25, 1.25)
    cells: int = 7  #: of every window, along a side
    mlp_ratio: int = 4
    dropkey: float = 0.0  #: DropKey rate of the first block; decreases to 0 in the last
    dropkey_shape: DropShape = "keys"
    window: int = 448  #: side of the input in cells, all of which are attended to

    def __post_init__(self) -> None:
        check_heads(self.widths, self.heads)
        wide = map(mul, self.widths, self.channels)
        check_heads([int(width) for width in wide], self.heads)

    def stages(self) -> list[ScalableViTStage]:
        """The stages of the encoder."""
        rates = linear_decay(self.dropkey, sum(self.depths))
        starts = (0, *accumulate(self.depths))
        return [
            ScalableViTStage(
                width=self.widths[k],
                heads=self.heads[k],
                rates=rates[starts[k] : starts[k + 1]],
                mlp_ratio=self.mlp_ratio,
                reduction=self.reductions[k],
                cells=self.cells,
                channels=self.channels[k],
                drops=self.dropkey_shape,
            )
            for k in range(3)
        ]

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            decoder=64,
            low_level=24,
            widths=(16, 32, 64),
            heads=(1, 2, 4),
            depths=(2, 2, 6),
            cells=8,
            window=384,
        )


class IWSA(nn.Module):
    """Attention within windows plus a depthwise convolution over all values."""

    def __init__(self, stage: ScalableViTStage, rate: float = 0.0) -> None:
        super().__init__()
        dim, self.heads, self.cells = stage.width, stage.heads, stage.cells
        self.head = dim // self.heads
        self.drop = DropKey(rate, stage.drops)
        self.qkv = nn.Linear(dim, 3 * dim, bias=stage.bias == "learned")
        self.proj = nn.Linear(dim, dim)
        self.lim_func = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """(batch, y * x, dim), y and x multiples of the window -> the same."""
        qkv = self.qkv(tokens)
        query, key, value = (self._split_windows(part, grid) for part in qkv.chunk(3, dim=2))
        mask = self.drop.mask((*query.shape[:3], self.cells**2), query, (self.cells, self.cells))
        attended = F.scaled_dot_product_attention(query, key, value, mask)
        values = tokens_to_map(qkv[..., -tokens.shape[2] :], grid)
        mixed: Tensor = self.proj(
            self._merge_windows(attended, grid) + map_to_tokens(self.lim_func(values))
        )
        return mixed

    def _split_windows(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """(batch, y * x, dim) -> (batch * window, head, cell, channel)."""
        rows, columns = (length // self.cells for length in grid)
        blocks = tokens.reshape(-1, rows, self.cells, columns, self.cells, self.heads, self.head)
        return blocks.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, self.heads, self.cells**2, self.head)

    def _merge_windows(self, windows: Tensor, grid: TokenGrid) -> Tensor:
        rows, columns = (length // self.cells for length in grid)
        blocks = windows.reshape(-1, rows, columns, self.heads, self.cells, self.cells, self.head)
        return blocks.permute(0, 1, 4, 2, 5, 3, 6).reshape(
            -1, grid[0] * grid[1], self.proj.in_features
        )


class SSA(nn.Module):
    """Attention to the downsampled map, with queries and keys widened in channels."""

    def __init__(self, stage: ScalableViTStage, rate: float = 0.0) -> None:
        super().__init__()
        dim, biased = stage.width, stage.bias == "learned"
        self.heads, self.reduces = stage.heads, stage.reduction
        self.scale = (dim // stage.heads * stage.channels) ** -0.5  # also where nothing is widened
        self.drop = DropKey(rate, stage.drops)
        if self.reduces > 1:
            wide = int(dim * stage.channels)
            self.q = nn.Linear(dim, wide, bias=biased)
            self.reduction = nn.Sequential(
                nn.Conv2d(dim, dim, self.reduces, self.reduces, groups=dim),
                nn.Conv2d(dim, wide, 1),
            )
            self.norm_act = nn.Sequential(nn.LayerNorm(wide), nn.GELU())
            self.k = nn.Linear(wide, wide, bias=biased)
            self.v = nn.Linear(wide, dim, bias=biased)
        else:
            self.q = nn.Linear(dim, dim, bias=biased)
            self.kv = nn.Linear(dim, 2 * dim, bias=biased)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """(batch, y * x, dim), y and x multiples of the reduction -> the same."""
        query, key, value = map(self._heads, (self.q(tokens), *self._keys_values(tokens, grid)))
        shrunk = grid[0] // self.reduces, grid[1] // self.reduces
        mask = self.drop.mask((*query.shape[:3], key.shape[2]), query, shrunk)
        attended = F.scaled_dot_product_attention(query, key, value, mask, scale=self.scale)
        mixed: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return mixed

    def _keys_values(self, tokens: Tensor, grid: TokenGrid) -> tuple[Tensor, ...]:
        if self.reduces == 1:
            return tuple(self.kv(tokens).chunk(2, dim=2))
        shrunk = self.norm_act(map_to_tokens(self.reduction(tokens_to_map(tokens, grid))))
        return self.k(shrunk), self.v(shrunk)

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, token, head * channel) -> (batch, head, token, channel)."""
        batch, tokens, _ = projected.shape
        return projected.reshape(batch, tokens, self.heads, -1).transpose(1, 2)


class ScalableViTBlock(nn.Module):
    """Attention of one of the two types, then an MLP, each with a skip connection."""

    def __init__(self, stage: ScalableViTStage, number: int) -> None:
        super().__init__()
        windowed = number % 2 == 0 and stage.cells > 1
        self.norm1 = nn.LayerNorm(stage.width, eps=EPS)
        self.attn = (IWSA if windowed else SSA)(stage, stage.rates[number])
        self.norm2 = nn.LayerNorm(stage.width, eps=EPS)
        self.mlp = Mlp(stage.width, int(stage.width * stage.mlp_ratio))

    def forward(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens), grid)
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class PosCNN(nn.Module):
    """Position encoding by a depthwise convolution, whose zero padding marks the edges."""

    def __init__(self, dim: int, stride: int = 1) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(dim, dim, 3, stride, 1, groups=dim))
        self.stride = stride

    def forward(self, tokens: Tensor, grid: TokenGrid) -> Tensor:
        """(batch, y * x, dim) -> the same, or fewer tokens by the stride."""
        encoded: Tensor = map_to_tokens(self.proj(tokens_to_map(tokens, grid)))
        return encoded + tokens if self.stride == 1 else encoded


def _init_weights(module: nn.Module) -> None:
    init_linear(module)
    if isinstance(module, nn.Conv2d):
        fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ScalableViTEncoder(nn.Module):
    """The encoder; with `classes`, the classifier of the paper."""

    def __init__(
        self,
        in_channels: int,
        stages: Sequence[ScalableViTStage],
        classes: int | None = None,
        head: Literal["wide", "plain"] = "wide",
        patch: int = PATCH,
    ) -> None:
        super().__init__()
        widths = [stage.width for stage in stages]
        first = PatchEmbed(in_channels, widths[0], patch, overlap=3, norm_eps=EPS)
        later = (PatchEmbed(*pair, patch=2, overlap=1, norm_eps=EPS) for pair in pairwise(widths))
        self.patch_embeds = nn.ModuleList([first, *later])
        self.pos_block = nn.ModuleList(map(PosCNN, widths))
        self.stages = nn.ModuleList(
            nn.ModuleList(ScalableViTBlock(stage, number) for number in range(len(stage.rates)))
            for stage in stages
        )
        if classes is not None:
            self.norm = nn.LayerNorm(widths[-1], eps=EPS)
            self.head = _classifier(widths[-1], classes, head)
        self.apply(_init_weights)

    def maps(self, image: Tensor) -> list[Tensor]:
        """(batch, in_channels, y, x) -> outputs of the stages, (batch, width, y', x')."""
        stages_out = [image]
        parts = zip(self.patch_embeds, self.pos_block, self.stages, strict=True)
        for embed, position, blocks in parts:
            tokens, grid = embed(stages_out[-1])
            first, *later = blocks.children()
            tokens = position(first(tokens, grid), grid)
            for block in later:
                tokens = block(tokens, grid)
            stages_out.append(tokens_to_map(tokens, grid))
        return stages_out[1:]

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, in_channels, y, x) -> features at y/4, and at the stride of the last stage."""
        maps = self.maps(image)
        return maps[0], maps[-1]

    def forward(self, image: Tensor) -> Tensor:
        """(batch, in_channels, y, x) -> (batch, classes)."""
        logits: Tensor = self.head(self.norm(map_to_tokens(self.maps(image)[-1])).mean(dim=1))
        return logits


def _classifier(width: int, classes: int, kind: Literal["wide", "plain"]) -> nn.Module:
    if kind == "plain":
        return nn.Linear(width, classes)
    wide = (nn.Linear(width, WIDE_HEAD), nn.LayerNorm(WIDE_HEAD, eps=EPS), nn.GELU())
    return nn.Sequential(*wide, nn.Linear(WIDE_HEAD, classes))


class ScalableViTSIC(EncoderDecoder):
    config_class = ScalableViTConfig

    def __init__(self, config: ScalableViTConfig) -> None:
        stages = config.stages()
        units = (2**k * lcm(stage.cells, stage.reduction) for k, stage in enumerate(stages))
        (low_level, _, deep), unit = config.widths, PATCH * lcm(*units)
        spec = EncoderSpec(low_level=low_level, deep=deep, multiple_of=unit, alignment="first")
        super().__init__(config, lambda: ScalableViTEncoder(config.in_channels, stages), spec)
