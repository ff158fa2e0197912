"""Flowformer: attention of every cell to every other at linear cost, by conserved flows.

A pyramid of transformer blocks with flow attention (`seaice.models.layers.attention`): the flow
into a cell and out of it is normalized to one, so that cells compete without a softmax over pairs.
Patches do not overlap; a learned position embedding is added in the first stage. The MLP branch of
a block is initialized with a small scale.

Wu et al. 2022, "Flowformer: Linearizing Transformers with Conservation Flows", ICML,
arXiv:2202.06258. Defaults are those of its ImageNet training; layout and parameter names are those
of thuml/Flowformer's vision model. Differences: the fourth stage, at a stride of 32, is for
classification only, and the position embedding is interpolated to inputs of other sizes. Flows are
sums over the whole input, so that maps are run in windows.
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
    PatchEmbed,
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

PATCH = 4  # stride of the first stage; each later stage halves the resolution
EPS = 1e-6  # of every layer norm


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowformerStage:
    """Blocks at one resolution."""

    width: int
    depth: int = 1
    heads: int = 12
    mlp_ratio: float = 4.0
    init_scale: float = 0.001  #: initial factor of a block's MLP


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowformerConfig(DecoderConfig):
    """Sizes of the network: one entry a stage, at strides of 4, 8 and 16."""

    widths: tuple[int, int, int] = (96, 192, 384)
    depths: tuple[int, int, int] = (3, 3, 10)
    heads: int = 12  #: every width is a multiple of it
    mlp_ratio: int = 4
    positions: int = 56  #: side of the position embedding
    window: int = 384  #: side of the input in cells, all of which are attended to

    def __post_init__(self) -> None:
        check_heads(self.widths, [self.heads] * 3)

    def stages(self) -> list[FlowformerStage]:
        """The stages of the encoder."""
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
    """Flow attention, then an MLP scaled by `gamma`, each with a skip connection."""

    def __init__(self, stage: FlowformerStage) -> None:
        super().__init__()
        dim = stage.width
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = VisionFlowAttention(dim, stage.heads)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = Mlp(dim, int(dim * stage.mlp_ratio))
        self.gamma = nn.Parameter(torch.full((dim,), stage.init_scale))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, dim) -> the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        out: Tensor = tokens + self.gamma * self.mlp(self.norm2(tokens))
        return out


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
        """(batch, in_channels, y, x) -> outputs of the stages, (batch, width, y', x')."""
        stages_out = [image]
        for embed, blocks in zip(self.patch_embed, self.blocks, strict=True):
            tokens, grid = embed(stages_out[-1])
            if len(stages_out) == 1:
                tokens = tokens + self.position(grid)
            stages_out.append(tokens_to_map(blocks(tokens), grid))
        return stages_out[1:]

    def position(self, grid: TokenGrid) -> Tensor:
        """The position embedding, (1, y * x, width); interpolated (bicubic) to other grids."""
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
