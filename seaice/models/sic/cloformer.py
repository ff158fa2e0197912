"""CloFormer: context-aware local attention and pooled global attention in parallel.

The heads of every block are divided. Local heads apply depthwise convolutions to queries, keys and
values and turn the product of query and key into a weight between -1 and 1 for each value, without
softmax, which preserves detail. Global heads attend to the whole map, downsampled by average
pooling, and represent its smooth part; a convolutional feed-forward network follows.

Fan et al. 2023, "Rethinking Local Perception in Lightweight Vision Transformer", arXiv:2303.17803.
Defaults are CloFormer-XXS; layout and parameter names are those of qhfan/CloFormer. Differences:
the third stage has no stride at its end, so that features have a stride of 16; the fourth stage is
for classification only; DropKey in the global heads. Group norm and global heads read the whole
input, so that maps are run in windows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import lcm
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.dropout import DropKey, DropShape, linear_decay
from seaice.models.layers.tokens import check_heads

__all__ = [
    "CloBlock",
    "CloFormerEncoder",
    "CloFormerSIC",
    "ConvFFN",
    "EfficientAttention",
]

STRIDE = 4  # of the first stage; each later stage halves the resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionBranches:
    """Division of the heads of an attention into branches."""

    heads: tuple[int, ...]  #: of each local branch, and of the global one, which comes last
    kernels: tuple[int, ...]  #: of each local branch's convolution
    pool: int = 7  #: cells along a side that are averaged for the global branch
    bias: Literal["learned", "none"] = "learned"  #: of all projections
    drops: DropShape = "keys"  #: shape of DropKey masks in the global branch


@dataclass(frozen=True, slots=True, kw_only=True)
class CloFormerStage:
    """Blocks at one resolution; the last one feeds the next stage."""

    width: int
    out: int  #: output channels of the last block
    rates: tuple[float, ...]  #: DropKey rates, by block
    branches: AttentionBranches
    mlp_kernel: int = 5
    mlp_ratio: float = 4.0  #: hidden channels of the feed-forward network per channel of the block
    #: last block: "halves" the resolution and widens; "widens" without stride; "stays" unchanged
    ends: Literal["halves", "widens", "stays"] = "stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloFormerConfig(DecoderConfig):
    """Sizes of the network: one entry a stage, at strides of 4, 8 and 16."""

    widths: tuple[int, int, int, int] = (32, 64, 128, 256)  #: of the stages, then of the output
    depths: tuple[int, int, int] = (2, 2, 6)
    heads: tuple[int, int, int] = (4, 4, 8)  #: in all
    global_heads: tuple[int, int, int] = (1, 2, 4)  #: of these
    kernels: tuple[int, int, int] = (3, 5, 7)  #: of the local heads' convolutions
    pools: tuple[int, int, int] = (8, 4, 2)  #: cells averaged for the global heads, along a side
    mlp_kernel: int = 5
    mlp_ratio: int = 4
    dropkey: float = 0.0  #: DropKey rate of the first block's global heads; decreases to 0
    dropkey_shape: DropShape = "keys"
    window: int = 384  #: side of the input in cells, all of which are attended to

    def __post_init__(self) -> None:
        check_heads(self.widths[:3], self.heads)

    def stages(self) -> list[CloFormerStage]:
        """The stages of the encoder."""
        rates = linear_decay(self.dropkey, sum(self.depths))
        starts = (0, *accumulate(self.depths))
        return [
            CloFormerStage(
                width=self.widths[k],
                out=self.widths[k + 1],
                rates=rates[starts[k] : starts[k + 1]],
                branches=AttentionBranches(
                    heads=(self.heads[k] - self.global_heads[k], self.global_heads[k]),
                    kernels=(self.kernels[k],),
                    pool=self.pools[k],
                    drops=self.dropkey_shape,
                ),
                mlp_kernel=self.mlp_kernel,
                mlp_ratio=self.mlp_ratio,
                ends="halves" if k < 2 else "widens",
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
            widths=(16, 32, 64, 96),
            depths=(2, 2, 4),
            heads=(2, 4, 8),
        )


class AttnMap(nn.Module):
    """Two 1x1 convolutions that turn the product of query and key into logits of weights."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.act_block = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.SiLU(), nn.Conv2d(dim, dim, 1))

    def forward(self, product: Tensor) -> Tensor:
        weights: Tensor = self.act_block(product)
        return weights


class EfficientAttention(nn.Module):
    """Local branches and a global one, concatenated and mixed."""

    def __init__(self, dim: int, branches: AttentionBranches, rate: float = 0.0) -> None:
        super().__init__()
        self.drop = DropKey(rate, branches.drops)
        self.branches, self.head = branches, dim // sum(branches.heads)
        biased = branches.bias == "learned"
        local = zip(branches.heads[:-1], branches.kernels, strict=True)
        inner = [(heads * self.head, kernel) for heads, kernel in local if heads]
        self.qkvs = nn.ModuleList(nn.Conv2d(dim, 3 * n, 1, bias=biased) for n, _ in inner)
        self.convs = nn.ModuleList(
            nn.Conv2d(3 * n, 3 * n, kernel, padding=kernel // 2, groups=3 * n)
            for n, kernel in inner
        )
        self.act_blocks = nn.ModuleList(AttnMap(n) for n, _ in inner)
        if shared := branches.heads[-1] * self.head:
            self.global_q = nn.Conv2d(dim, shared, 1, bias=biased)
            self.global_kv = nn.Conv2d(dim, 2 * shared, 1, bias=biased)
        self.proj = nn.Conv2d(dim, dim, 1, bias=biased)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, dim, y, x), y and x multiples of the pool -> the same."""
        branches = [*self._local(features), *self._global(features)]
        mixed: Tensor = self.proj(torch.cat(branches, dim=1))
        return mixed

    def _local(self, features: Tensor) -> Iterator[Tensor]:
        for qkv, conv, weigh in zip(self.qkvs, self.convs, self.act_blocks, strict=True):
            query, key, value = conv(qkv(features)).chunk(3, dim=1)
            yield torch.tanh(weigh(query * key) * self.head**-0.5) * value

    def _global(self, features: Tensor) -> Iterator[Tensor]:
        if not self.branches.heads[-1]:
            return
        pooled = F.avg_pool2d(features, self.branches.pool)
        query = self._heads(self.global_q(features))
        key, value = map(self._heads, self.global_kv(pooled).chunk(2, dim=1))
        size = (*query.shape[:3], key.shape[2])
        mask = self.drop.mask(size, query, (pooled.shape[2], pooled.shape[3]))
        attended = F.scaled_dot_product_attention(query, key, value, mask)
        yield attended.transpose(2, 3).reshape(len(features), -1, *features.shape[2:])

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, head * channel, y, x) -> (batch, head, y * x, channel)."""
        batch, cells = len(projected), projected.shape[2] * projected.shape[3]
        return projected.reshape(batch, -1, self.head, cells).transpose(2, 3)


class ConvFFN(nn.Module):
    """A feed-forward network with a depthwise convolution inside, which may have a stride."""

    def __init__(self, dim: int, hidden: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(dim, hidden, 1)
        self.dwconv = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden)
        self.fc2 = nn.Conv2d(hidden, out, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, dim, y, x) -> (batch, out, ceil(y / stride), ceil(x / stride))."""
        out: Tensor = self.fc2(self.dwconv(F.gelu(self.fc1(features))))
        return out


class CloBlock(nn.Module):
    """Attention, then the feed-forward network, each around a shortcut."""

    def __init__(self, stage: CloFormerStage, rate: float = 0.0) -> None:
        super().__init__()
        dim, kernel, ends = stage.width, stage.mlp_kernel, stage.ends
        stride = 2 if ends == "halves" else 1
        out = dim if ends == "stays" else stage.out
        self.norm1 = nn.GroupNorm(1, dim)
        self.attn = EfficientAttention(dim, stage.branches, rate)
        self.norm2 = nn.GroupNorm(1, dim)
        self.downsample = nn.Sequential()
        if ends != "stays":
            self.downsample.append(nn.Conv2d(dim, dim, kernel, stride, kernel // 2))
            self.downsample.append(nn.BatchNorm2d(dim)).append(nn.Conv2d(dim, out, 1))
        self.mlp = ConvFFN(dim, int(dim * stage.mlp_ratio), out, kernel, stride)

    def attended(self, features: Tensor) -> Tensor:
        """(batch, dim, y, x) -> the same; the first half of the block."""
        out: Tensor = features + self.attn(self.norm1(features))
        return out

    def fed(self, features: Tensor) -> Tensor:
        """(batch, dim, y, x) -> (batch, out, y / stride, x / stride); the second half."""
        out: Tensor = self.downsample(features) + self.mlp(self.norm2(features))
        return out

    def forward(self, features: Tensor) -> Tensor:
        return self.fed(self.attended(features))


class CloLayer(nn.Module):
    """The blocks of a stage."""

    def __init__(self, stage: CloFormerStage) -> None:
        super().__init__()
        within = replace(stage, ends="stays")
        self.blocks = nn.ModuleList(CloBlock(within, rate) for rate in stage.rates[:-1])
        self.blocks.append(CloBlock(stage, stage.rates[-1]))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The output of the stage, and the last features at its own resolution."""
        *blocks, last = self.blocks
        for block in blocks:
            features = block(features)
        finest = last.attended(features)  # type: ignore[operator]
        return last.fed(finest), finest  # type: ignore[operator]


class Conv2dBN(nn.Module):
    """A 3x3 convolution, batch norm, ReLU."""

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        convolution = nn.Conv2d(inplanes, planes, 3, stride, 1)
        self.conv = nn.Sequential(convolution, nn.BatchNorm2d(planes), nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.conv(features)
        return out


class ConvStem(nn.Module):
    """The stem: four convolutions, two of which halve the resolution."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = Conv2dBN(in_channels, width // 2, 2)
        self.conv2 = Conv2dBN(width // 2, width, 2)
        self.conv3 = Conv2dBN(width, width, 1)
        self.conv4 = Conv2dBN(width, width, 1)
        self.conv5 = nn.Conv2d(width, width, 1)
        self.layernorm = nn.GroupNorm(1, width)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, in_channels, y, x) -> (batch, width, y / 4, x / 4)."""
        stem = self.conv4(self.conv3(self.conv2(self.conv1(image))))
        out: Tensor = self.layernorm(self.conv5(stem))
        return out


class CloFormerEncoder(nn.Module):
    """The encoder; with `classes`, the classifier of the paper."""

    def __init__(
        self, in_channels: int, stages: Sequence[CloFormerStage], classes: int | None = None
    ) -> None:
        super().__init__()
        self.patch_embed = ConvStem(in_channels, stages[0].width)
        self.layers = nn.ModuleList(CloLayer(stage) for stage in stages)
        if classes is not None:
            self.norm = nn.GroupNorm(1, stages[-1].out)
            self.head = nn.Linear(stages[-1].out, classes)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, in_channels, y, x) -> features at y/4, and those that leave the last stage."""
        first, *later = self.layers
        deep, low_level = first(self.patch_embed(image))
        for layer in later:
            deep, _ = layer(deep)
        return low_level, deep

    def forward(self, image: Tensor) -> Tensor:
        """(batch, in_channels, y, x) -> (batch, classes)."""
        _, deep = self.features(image)
        logits: Tensor = self.head(self.norm(deep).mean(dim=(2, 3)))
        return logits


class CloFormerSIC(EncoderDecoder):
    config_class = CloFormerConfig

    def __init__(self, config: CloFormerConfig) -> None:
        low_level, *_, deep = config.widths
        unit = lcm(*(STRIDE * 2**k * pool for k, pool in enumerate(config.pools)))
        spec = EncoderSpec(low_level=low_level, deep=deep, multiple_of=unit, alignment="first")
        super().__init__(
            config, lambda: CloFormerEncoder(config.in_channels, config.stages()), spec
        )
