"""HAT: attention in windows, attention over channels, and overlapping cross-attention.

Chen et al. 2023, CVPR, arXiv:2205.04437. Hybrid blocks add a convolution with channel attention to
attention in shifted windows; an overlapping cross-attention at the end of every group of blocks
connects neighbouring windows, which enlarges the receptive field. Parameter names are those of
https://github.com/XPixelGroup/HAT, whose weights load into `HAT` (`HATUpsampler.body`) unchanged.

Differences: frames as channels, with each channel's local anomaly; a skip connection from the
target frame upsampled by a fitted linear filter; an output convolution that is initialized with 0
and predicts H and V in units of 3 K; DropKey; reflash dropout. Channel attention averages the whole
map, so that maps are run in windows of one size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import log2
from typing import Any, Self

import torch
from torch import Tensor, nn

from seaice.errors import WeightsError
from seaice.models.layers.attention import (
    RHAG,
    AttentionIndices,
    HybridBlockConfig,
    ResidualConnection,
    WindowAttentionConfig,
    overlap_index,
    residual_connection,
    shift_mask,
    window_index,
)
from seaice.models.layers.dropout import DropShape, ReflashDropout, linear_decay
from seaice.models.layers.upsampling import SCALE, ResidualUpsampler, append_local_anomaly

__all__ = ["HAT", "HATConfig", "HATUpsampler", "OfficialHATConfig"]

RGB = (
    0.4488,
    0.4371,
    0.4040,
)  # means that the official network subtracts from images of 3 channels


@dataclass(frozen=True, slots=True, kw_only=True)
class HATConfig:
    """Sizes of the network."""

    frames: int = 1  #: odd; stacked as channels, the target is in the middle
    channels: int = 11  #: H, V, valid, and both on 3.125 km cells; or the first 3 of these
    width: int = 180
    depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6)  #: hybrid blocks in each group
    heads: int = 6
    attention_window: int = 16  #: cells along a side
    squeeze: int = 3  #: channels to one between a block's convolutions
    attention_squeeze: int = 30  #: channels to one in channel attention
    mlp_ratio: float = 2.0
    tail: int = 64  #: channels from the sub-pixel convolutions on
    surroundings: int = 5  #: side of the fitted linear filter in cells
    around: int = 9  #: side of the local mean of anomalies in cells
    window: int = 64  #: cells along a side of the map that channel attention averages
    depth_dropout: float = 0.1  #: stochastic depth rate of the last block
    dropkey: float = 0.0  #: DropKey rate of the first block; decreases to 0 in the last
    dropkey_shape: DropShape = "keys"
    reflash: float = 0.0  #: fraction of channels dropped before the last convolution

    def __post_init__(self) -> None:
        if self.frames % 2 == 0 or self.window % self.attention_window or self.width % self.heads:
            raise WeightsError(
                f"a HAT of {self.frames} frames, width {self.width} in {self.heads} heads, "
                f"attention in {self.attention_window} of {self.window} cells",
                "an odd number of frames, a width that heads divide, windows that divide the map",
                "correct the network's sizes",
            )

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(
            frames=5,
            width=48,
            depths=(2, 2),
            heads=4,
            attention_window=8,
            attention_squeeze=8,
            tail=16,
            depth_dropout=0.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialHATConfig:
    """Sizes of HAT with official names and defaults, except for those after `num_feat`."""

    img_size: int = 64  #: of training; windows are not shifted if there is but one
    in_chans: int = 3
    embed_dim: int = 96
    depths: tuple[int, ...] = (6, 6, 6, 6)
    num_heads: tuple[int, ...] = (6, 6, 6, 6)
    window_size: int = 7
    compress_ratio: int = 3
    squeeze_factor: int = 30
    conv_scale: float = 0.01
    overlap_ratio: float = 0.5
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    qk_scale: float | None = None
    drop_path_rate: float = 0.1
    ape: bool = False
    patch_norm: bool = True
    upscale: int = 2
    img_range: float = 1.0
    resi_connection: ResidualConnection = "1conv"
    num_feat: int = 64
    out_chans: int = 3
    mean: tuple[float, ...] = ()  #: of every input channel; none: 0
    dropkey: float = 0.0
    dropkey_shape: DropShape = "keys"
    reflash: float = 0.0

    @classmethod
    def official(cls, config: Mapping[str, Any]) -> Self:
        """From arguments of the official class; those without effect in eval mode are ignored."""
        known = {field.name for field in fields(cls)}
        named = {name.split(" ")[0]: value for name, value in config.items()}
        arguments = {name: value for name, value in named.items() if name in known}
        channels = arguments.get("in_chans", 3)
        return cls(**arguments | {"out_chans": channels, "mean": RGB if channels == 3 else ()})

    def blocks(self, heads: int) -> HybridBlockConfig:
        """Of the blocks of a group."""
        attention = WindowAttentionConfig(
            dim=self.embed_dim,
            heads=heads,
            window=self.window_size,
            overlap=int(self.overlap_ratio * self.window_size),
            qkv_bias=self.qkv_bias,
            scale=self.qk_scale,
            dropkey_shape=self.dropkey_shape,
        )
        return HybridBlockConfig(
            attention=attention,
            compress_ratio=self.compress_ratio,
            squeeze_factor=self.squeeze_factor,
            conv_scale=self.conv_scale,
            mlp_ratio=self.mlp_ratio,
        )


class PatchNorm(nn.Module):
    """A layer norm over channels, or the identity."""

    def __init__(self, dim: int, norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim) if norm else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """(batch, y, x, channel) -> the same."""
        out: Tensor = self.norm(image)
        return out


class HAT(nn.Module):
    """The official network.

    Parameters
    ----------
    sizes : as its authors name them
    """

    relative_position_index_SA: Tensor
    relative_position_index_OCA: Tensor
    mean: Tensor

    def __init__(self, sizes: OfficialHATConfig) -> None:
        super().__init__()
        self.sizes = sizes
        dim, side, feat = sizes.embed_dim, sizes.window_size, sizes.num_feat
        extended = side + int(sizes.overlap_ratio * side)
        self.register_buffer("relative_position_index_SA", window_index(side))
        self.register_buffer("relative_position_index_OCA", overlap_index(side, extended))
        mean = torch.tensor(sizes.mean or (0.0,)).reshape(1, -1, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.conv_first = nn.Conv2d(sizes.in_chans, dim, 3, padding=1)
        self.patch_embed = PatchNorm(dim, sizes.patch_norm)
        if sizes.ape:
            self.absolute_pos_embed = nn.Parameter(torch.zeros(1, sizes.img_size**2, dim))
        self.layers = nn.ModuleList(_groups(sizes))
        self.norm = nn.LayerNorm(dim)
        self.conv_after_body = residual_connection(dim, sizes.resi_connection)
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(dim, feat, 3, padding=1), nn.LeakyReLU()
        )
        self.upsample = _upsample(sizes.upscale, feat)
        self.reflash = ReflashDropout(sizes.reflash)
        self.conv_last = nn.Conv2d(feat, sizes.out_chans, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x), multiples of the window -> (batch, out, scale y, scale x)."""
        shallow = self.conv_first((image - self.mean) * self.sizes.img_range).float()
        deep = shallow + self.conv_after_body(self._deep(shallow))
        fine = self.upsample(self.conv_before_upsample(deep))
        out: Tensor = self.conv_last(self.reflash(fine))
        return out / self.sizes.img_range + self.mean

    def _deep(self, shallow: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same."""
        side = self.sizes.window_size
        size = (shallow.shape[2], shallow.shape[3])
        guides = AttentionIndices(
            own=self.relative_position_index_SA,
            around=self.relative_position_index_OCA,
            mask=shift_mask(size, side, side // 2, shallow),
        )
        image = self.patch_embed(shallow.permute(0, 2, 3, 1))
        if self.sizes.ape:
            image = image + self.absolute_pos_embed.reshape(image.shape[1:])
        for layer in self.layers:
            image = layer(image, guides)
        out: Tensor = self.norm(image).permute(0, 3, 1, 2)
        return out


def _groups(sizes: OfficialHATConfig) -> list[RHAG]:
    """Groups of blocks, with decreasing DropKey and increasing stochastic depth rates."""
    total = sum(sizes.depths)
    rising = (sizes.drop_path_rate * block / max(total - 1, 1) for block in range(total))
    rates = iter(zip(linear_decay(sizes.dropkey, total), rising, strict=True))
    shift = sizes.window_size // 2 if sizes.img_size > sizes.window_size else 0
    return [
        RHAG(sizes.blocks(heads), shift, [next(rates) for _ in range(depth)], sizes.resi_connection)
        for heads, depth in zip(sizes.num_heads, sizes.depths, strict=True)
    ]


def _upsample(scale: int, feat: int) -> nn.Sequential:
    """Convolutions and shuffles: of 3, or of 2 as often as needed."""
    steps = (3,) if scale == 3 else (2,) * int(log2(scale))
    layers: list[nn.Module] = []
    for step in steps:
        layers += [nn.Conv2d(feat, step**2 * feat, 3, padding=1), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)


class HATUpsampler(ResidualUpsampler):
    config_class = HATConfig

    def __init__(self, config: HATConfig) -> None:
        super().__init__(config.channels, config.surroundings, config.attention_window)
        self.config = config
        self.body = HAT(_official_config(config))
        for parameter in self.body.conv_last.parameters():
            nn.init.zeros_(parameter)

    def residual(self, stack: Tensor) -> Tensor:
        """The residual of the upsampled target; y and x are multiples of an attention window."""
        inputs = append_local_anomaly(stack.flatten(0, 1), self.config.around)
        out: Tensor = self.body(inputs.reshape(len(stack), -1, *stack.shape[3:]))
        return out


def _official_config(config: HATConfig) -> OfficialHATConfig:
    """Sizes of the official network for a configuration."""
    return OfficialHATConfig(
        img_size=config.window,
        in_chans=config.frames * (2 * config.channels - 1),
        embed_dim=config.width,
        depths=config.depths,
        num_heads=(config.heads,) * len(config.depths),
        window_size=config.attention_window,
        compress_ratio=config.squeeze,
        squeeze_factor=config.attention_squeeze,
        mlp_ratio=config.mlp_ratio,
        drop_path_rate=config.depth_dropout,
        upscale=SCALE,
        num_feat=config.tail,
        out_chans=2,
        dropkey=config.dropkey,
        dropkey_shape=config.dropkey_shape,
        reflash=config.reflash,
    )
