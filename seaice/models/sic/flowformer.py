"""Flowformer: every cell attends to every other at a linear cost, by flows that are conserved.

A pyramid of plain transformer blocks whose attention is flow attention (see
`seaice.models.layers.attention`): what flows into a cell and out of it is fixed at one, so that
cells compete to be heard without any softmax over pairs. Patches are cut without overlap, and a
learned table tells the first stage where they lie. The two linear layers of a block begin quiet.

Wu et al. 2022, "Flowformer: Linearizing Transformers with Conservation Flows", ICML,
arXiv:2202.06258. Defaults are those of its ImageNet training; layout and parameter names are those
of thuml/Flowformer's vision model. Ours: the fourth stage, at a stride of 32, is built for
classification only, and the table of positions is interpolated to inputs of other sizes. Flows are
sums over the whole input, so maps are run in windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.attention import VisionFlowAttention
from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.tokens import (
    Mlp,
    TokenGrid,
    check_heads,
    init_linear,
    map_to_tokens,
    tokens_to_map,
)

__all__ = [
    "FlowformerBlock",
    "FlowformerConfig",
    "FlowformerEncoder",
    "FlowformerSIC",
    "FlowformerStage",
]

PATCH = 4  # stride of the first stage; each later one halves once more
EPS = 1e-6  # of every layer norm


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowformerStage:
    """Blocks at one resolution."""

    width: int
    depth: int = 1
    heads: int = 12
    mlp_ratio: float = 4.0
    quiet: float = 0.001  #: what a fresh block multiplies its two linear layers by


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowformerConfig(DecoderConfig):
    """Sizes of the network: one entry a stage, at strides of 4, 8 and 16."""

    widths: tuple[int, int, int] = (96, 192, 384)
    depths: tuple[int, int, int] = (3, 3, 10)
    heads: int = 12  #: every width is a multiple of it
    mlp_ratio: int = 4
    positions: int = 56  #: along a side of the table of positions
    window: int = 384  #: cells of the input; the network looks at all of it

    def __post_init__(self) -> None:
        check_heads(self.widths, [self.heads] * 3)

    def stages(self) -> list[FlowformerStage]:
        """What the encoder is built of."""
        return [
            FlowformerStage(width=width, depth=depth, heads=self.heads, mlp_ratio=self.mlp_ratio)
            for width, depth in zip(self.widths, self.depths, strict=True)
        ]

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2,
            decoder=64,
            low_level=24,
            widths=(24, 48, 96),
            depths=(2, 2, 6),
            heads=4,
            positions=24,
        )


class FlowformerBlock(nn.Module):
    """Flow attention, then two linear layers scaled by `gamma`, each around a shortcut."""

    def __init__(self, stage: FlowformerStage) -> None:
        super().__init__()
        dim = stage.width
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = VisionFlowAttention(dim, stage.heads)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = Mlp(dim, int(dim * stage.mlp_ratio))
        self.gamma = nn.Parameter(torch.full((dim,), stage.quiet))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, dim) -> the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        out: Tensor = tokens + self.gamma * self.mlp(self.norm2(tokens))
        return out


class PatchEmbed(nn.Module):
    """Patches without overlap, each a token of its own."""

    def __init__(self, inplanes: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inplanes, dim, patch, patch)

    def forward(self, features: Tensor) -> tuple[Tensor, TokenGrid]:
        """(batch, inplanes, y, x), multiples of the patch -> (batch, tokens, dim), their grid."""
        patches = self.proj(features)
        return map_to_tokens(patches), (patches.shape[2], patches.shape[3])


class FlowformerEncoder(nn.Module):
    """The encoder; with `classes`, the classifier of the paper."""

    def __init__(
        self,
        in_channels: int,
        stages: Sequence[FlowformerStage],
        positions: int,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        widths = [in_channels, *(stage.width for stage in stages)]
        self.patch_embed = nn.ModuleList(
            PatchEmbed(widths[k], stage.width, 2 if k else PATCH) for k, stage in enumerate(stages)
        )
        self.pos_embed = nn.Parameter(torch.zeros(1, positions**2, widths[1]))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(FlowformerBlock(stage) for _ in range(stage.depth))) for stage in stages
        )
        if classes is not None:
            self.norm = nn.LayerNorm(widths[-1], eps=EPS)
            self.head = nn.Linear(widths[-1], classes)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(init_linear)

    def maps(self, image: Tensor) -> list[Tensor]:
        """(batch, in_channels, y, x) -> what leaves each stage, (batch, width, y', x')."""
        left = [image]
        for embed, blocks in zip(self.patch_embed, self.blocks, strict=True):
            tokens, grid = embed(left[-1])
            if len(left) == 1:
                tokens = tokens + self.position(grid)
            left.append(tokens_to_map(blocks(tokens), grid))
        return left[1:]

    def position(self, grid: TokenGrid) -> Tensor:
        """The table of positions, (1, y * x, width); bicubic where the grid is not its own."""
        side = round(self.pos_embed.shape[1] ** 0.5)
        if grid == (side, side):
            return self.pos_embed
        table = tokens_to_map(self.pos_embed, (side, side))
        return map_to_tokens(F.interpolate(table, size=grid, mode="bicubic", align_corners=False))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, in_channels, y, x) -> features at y/4, and at the stride of the last stage."""
        maps = self.maps(image)
        return maps[0], maps[-1]

    def forward(self, image: Tensor) -> Tensor:
        """(batch, in_channels, y, x) -> (batch, classes)."""
        logits: Tensor = self.head(self.norm(map_to_tokens(self.maps(image)[-1])).mean(dim=1))
        return logits


class FlowformerSIC(EncoderDecoder):
    config_class = FlowformerConfig

    def __init__(self, config: FlowformerConfig) -> None:
        low_level, _, deep = config.widths
        spec = EncoderSpec(
            low_level=low_level, deep=deep, multiple_of=4 * PATCH, alignment="center"
        )
        super().__init__(
            config,
            lambda: FlowformerEncoder(config.in_channels, config.stages(), config.positions),
            spec,
        )
