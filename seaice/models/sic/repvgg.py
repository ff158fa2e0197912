"""RepVGG: three branches a block in training, one 3x3 convolution in inference.

Each block adds a 3x3 convolution, a 1x1 convolution and, where sizes allow, its own input, each
with batch normalization; one ReLU follows. All three are linear, so that after training they are
fused exactly into one 3x3 convolution (`seaice.models.export`), which is fast on all hardware and
easy to quantize. Ding et al. 2021, CVPR, arXiv:2101.03697; parameter names are those of
DingXiaoH/RepVGG. Differences: stages 0 to 3 under the common decoder, at stride 16 (the official
stage 4 is for classification only), and squeeze-and-excitation over maps of any shape, where the
official code requires square ones. Defaults are RepVGG-A0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.convolution import (
    DynOPool,
    Pooling,
    cell_fractions,
    check_pooling,
    fuse_conv_bn,
    gmacs,
)
from seaice.models.layers.decoder import CellAlignment, DecoderConfig, EncoderDecoder, EncoderSpec

__all__ = [
    "RepVGGBlock",
    "RepVGGBlockConfig",
    "RepVGGConfig",
    "RepVGGEncoder",
    "RepVGGSIC",
    "RepVGGSizes",
]

BASE_WIDTHS = (64, 128, 256, 512)  #: channels of stages 1 to 4 at a width of 1
GROUPED_BLOCKS = range(
    2, 27, 2
)  #: blocks that official variants g2 and g4 group, counted from stage 1
STRIDE = 16
BlockForm = Literal["branches", "one"]  #: three branches for training, or one fused convolution
BlockAttention = Literal["none", "squeeze"]  #: squeeze-and-excitation before the ReLU


@dataclass(frozen=True, slots=True, kw_only=True)
class RepVGGConfig(DecoderConfig):
    """Sizes of the network."""

    blocks: tuple[int, int, int] = (2, 4, 14)  #: in stages 1 to 3
    widths: tuple[float, float, float] = (0.75, 0.75, 0.75)  #: of stages 1 to 3, times 64, 128, 256
    groups: int = 1  #: of every second block
    pooling: Pooling = "strided"  #: "dynopool": factors are learned, and counted by `cost`
    window: int | None = None  #: cells to a side of tiles; None: any

    def __post_init__(self) -> None:
        check_pooling(self.pooling, self.window)

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            outputs=2, decoder=64, low_level=24, fine=16, blocks=(2, 3, 4), widths=(0.5, 0.5, 0.5)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepVGGBlockConfig:
    """Stride, groups and form of a block."""

    stride: int = 1
    dilation: int = 1  #: of the deployed convolution; the official branches never get it
    groups: int = 1
    deployed: BlockForm = "branches"
    attention: BlockAttention = "none"


class SEBlock(nn.Module):
    """Squeeze-and-excitation: channels weighted by means over the whole map."""

    def __init__(self, channels: int, internal: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, internal, 1)
        self.up = nn.Conv2d(internal, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same size."""
        mean = features.mean((2, 3), keepdim=True)
        return features * torch.sigmoid(self.up(F.relu(self.down(mean))))


class ConvBranch(nn.Module):
    """A convolution without bias, batch-normalized."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(conv.out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same size, but for the stride."""
        out: Tensor = self.bn(self.conv(features))
        return out


class RepVGGBlock(nn.Module):
    """ReLU of the sum of three branches, or of the equivalent convolution."""

    def __init__(self, inplanes: int, planes: int, form: RepVGGBlockConfig) -> None:
        super().__init__()
        self.inplanes, self.planes, self.form = inplanes, planes, form
        squeezed = form.attention == "squeeze"
        self.se = SEBlock(planes, planes // 16) if squeezed else nn.Identity()
        conv = partial(nn.Conv2d, inplanes, planes, stride=form.stride, groups=form.groups)
        if form.deployed == "one":
            self.rbr_reparam = conv(3, padding=form.dilation, dilation=form.dilation)
            return
        itself = inplanes == planes and form.stride == 1
        self.rbr_identity = nn.BatchNorm2d(inplanes) if itself else None
        self.rbr_dense = ConvBranch(conv(3, padding=1, bias=False))
        self.rbr_1x1 = ConvBranch(conv(1, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        if self.form.deployed == "one":
            return F.relu(self.se(self.rbr_reparam(features)))
        out: Tensor = self.rbr_dense(features) + self.rbr_1x1(features)
        if self.rbr_identity is not None:
            out = out + self.rbr_identity(features)
        return F.relu(self.se(out))

    def equivalent(self) -> tuple[Tensor, Tensor]:
        """Kernel (planes, inplanes / groups, 3, 3) and bias (planes,) of the sum of all branches.

        Float64, so that fusing adds no rounding beyond float32; differentiable.
        """
        kernel, bias = fuse_conv_bn(self.rbr_dense.conv.weight, None, self.rbr_dense.bn)
        point, offset = fuse_conv_bn(self.rbr_1x1.conv.weight, None, self.rbr_1x1.bn)
        kernel, bias = kernel + F.pad(point, (1, 1, 1, 1)), bias + offset
        if self.rbr_identity is not None:
            within = self.inplanes // self.form.groups
            ones = torch.eye(within, device=kernel.device).repeat(self.form.groups, 1)
            same, offset = fuse_conv_bn(ones[:, :, None, None], None, self.rbr_identity)
            kernel, bias = kernel + F.pad(same, (1, 1, 1, 1)), bias + offset
        return kernel, bias

    @torch.no_grad()
    def fused(self) -> nn.Module:
        """The fused block: one 3x3 convolution with bias, exact in eval mode."""
        if self.form.deployed == "one":
            return self
        kernel, bias = self.equivalent()
        form = replace(self.form, deployed="one", dilation=1)
        block = RepVGGBlock(self.inplanes, self.planes, form).to(kernel.device)
        block.rbr_reparam.weight.copy_(kernel)
        if block.rbr_reparam.bias is not None:
            block.rbr_reparam.bias.copy_(bias)
        block.se = self.se
        return block.train(self.training)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepVGGSizes:
    """Blocks, widths and forms of stages 1, 2, ...; each stage halves the resolution."""

    blocks: Sequence[int]
    widths: Sequence[float]  #: times 64, 128, 256, 512
    groups: Mapping[int, int] = field(default_factory=dict)  #: by block; the first of stage 1 is 1
    deployed: BlockForm = "branches"
    attention: BlockAttention = "none"
    pooling: Pooling = "strided"

    def form(self, number: int, stride: int) -> RepVGGBlockConfig:
        """The configuration of block `number`; 0 is stage 0."""
        return RepVGGBlockConfig(
            stride=stride if self.pooling == "strided" else 1,
            groups=self.groups.get(number, 1),
            deployed=self.deployed,
            attention=self.attention,
        )


class RepVGGEncoder(nn.Module):
    """The encoder; with `classes` the official classifier."""

    def __init__(self, in_channels: int, stages: RepVGGSizes, classes: int | None = None) -> None:
        super().__init__()
        planes, number = min(64, int(64 * stages.widths[0])), 0
        self.stage0 = RepVGGBlock(in_channels, planes, stages.form(0, stride=2))
        self.depth = len(stages.blocks)
        sizes = zip(stages.blocks, BASE_WIDTHS, stages.widths, strict=False)
        for stage, (blocks, base, width) in enumerate(sizes, start=1):
            built = nn.ModuleList()
            for at in range(blocks):
                number += 1
                form = stages.form(number, stride=1 if at else 2)
                built.append(RepVGGBlock(planes, int(base * width), form))
                planes = int(base * width)
            self.add_module(f"stage{stage}", built)
        pools = range(self.depth + 1) if stages.pooling == "dynopool" else ()
        self.pools = nn.ModuleList(DynOPool() for _ in pools)  # each after a stage's first block
        self.linear = nn.Linear(planes, classes) if classes else None

    def _stages(self) -> list[list[nn.Module]]:
        """Blocks of stages 0, 1, ..."""
        named = (self.get_submodule(f"stage{stage}") for stage in range(1, self.depth + 1))
        return [[self.stage0], *(list(stage.children()) for stage in named)]

    def _stage_features(self, image: Tensor) -> list[Tensor]:
        """Outputs of stages 0, 1, ..."""
        stages_out = [image]
        for (first, *others), pool in zip_longest(self._stages(), self.pools):
            features = first(stages_out[-1])
            features = features if pool is None else pool(features)
            for block in others:
                features = block(features)
            stages_out.append(features)
        return stages_out[1:]

    def work(self) -> tuple[list[tuple[nn.Module, Tensor]], Tensor, Tensor]:
        """Blocks with their fractions of the cells, and the fractions of both features."""
        after = cell_fractions(self.pools, self.depth + 1)
        work = []
        for stage, (first, *others) in enumerate(self._stages()):
            work.append((first, after[stage if len(self.pools) else stage + 1]))
            work += [(block, after[stage + 1]) for block in others]
        return work, after[2], after[4]

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> features of stage 1 at y/4, of stage 3 at y/16."""
        stages_out = self._stage_features(image)
        return stages_out[1], stages_out[3]

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, classes), as the official network."""
        out: Tensor = self._stage_features(image)[-1].mean((2, 3))
        return out if self.linear is None else self.linear(out)


class RepVGGSIC(EncoderDecoder):
    """RepVGG under the common decoder."""

    config_class = RepVGGConfig

    def __init__(self, config: RepVGGConfig) -> None:
        stages = RepVGGSizes(
            blocks=config.blocks,
            widths=config.widths,
            groups=dict.fromkeys(GROUPED_BLOCKS, config.groups),
            pooling=config.pooling,
        )
        low_level, deep = (int(BASE_WIDTHS[stage] * config.widths[stage]) for stage in (0, 2))
        alignment: CellAlignment = "first" if config.pooling == "strided" else "center"
        spec = EncoderSpec(low_level=low_level, deep=deep, multiple_of=STRIDE, alignment=alignment)
        super().__init__(config, partial(RepVGGEncoder, config.in_channels, stages), spec)

    def cost(self, cells: int) -> Tensor:
        """GMACs of an image of so many cells, differentiable in learned factors."""
        work, low_level, deep = self.encoder.work()  # type: ignore[operator]
        head = [(self.reduce, deep), (self.decoder, low_level), (self.fine, torch.ones(()))]
        return gmacs([*work, *head], cells)
