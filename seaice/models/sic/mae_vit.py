"""A plain vision transformer that can be pre-trained as a masked autoencoder.

Patches become tokens with a fixed sine-cosine position embedding; transformer blocks attend to all
tokens. In pre-training on unlabelled maps most patches are hidden, the encoder reads the visible
ones, and a small decoder predicts the hidden ones. He et al. 2022, CVPR, arXiv:2111.06377; layout
and parameter names are those of facebookresearch/mae, with the blocks of timm 0.3.2. Differences:
tokens after the first half of the blocks are the low-level features, position embeddings for maps
of any size, and DropKey. Attention reads the whole input, so that maps are run in windows.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.decoder import DecoderConfig, EncoderDecoder, EncoderSpec
from seaice.models.layers.dropout import DropKey, DropShape, linear_decay
from seaice.models.layers.tokens import (
    Mlp,
    PatchEmbed,
    PatchMask,
    TokenGrid,
    check_heads,
    position_table,
    tokens_to_map,
)

__all__ = ["MAEViTConfig", "MAEViTSIC", "MaskedAutoencoder", "ViTEncoder"]

EPS = 1e-6  # of layer normalization


@dataclass(frozen=True, slots=True, kw_only=True)
class MAEViTConfig(DecoderConfig):
    """Sizes of the network."""

    window: int = 384  #: side of the input in cells, all of which are attended to
    patch: int = 16  #: cells to a side of a patch
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    dropkey: float = 0.0  #: DropKey rate of the first block; decreases to 0 in the last
    dropkey_shape: DropShape = "keys"

    def __post_init__(self) -> None:
        check_heads([self.width], [self.heads])

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores."""
        return cls(outputs=2, decoder=64, low_level=24, patch=12, width=96, depth=6, heads=4)


class ViTAttention(nn.Module):
    """Self-attention of all tokens."""

    def __init__(self, width: int, heads: int, drop: DropKey) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.drop = drop

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, width) -> the same."""
        batch, length, width = tokens.shape
        by_head = self.qkv(tokens).reshape(batch, length, 3, self.heads, -1)
        q, k, v = by_head.permute(2, 0, 3, 1, 4).unbind(0)
        mask = self.drop.mask((batch, self.heads, length, length), q, None)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


class ViTBlock(nn.Module):
    """Attention and an MLP, each after a layer norm and with a skip connection."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop: DropKey) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = ViTAttention(width, heads, drop)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, token, width) -> the same."""
        tokens = tokens + self.attn(self.norm1(tokens))
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class ViTEncoder(nn.Module):
    """The encoder, for all patches or for the visible ones."""

    def __init__(self, config: MAEViTConfig) -> None:
        super().__init__()
        width, side = config.width, config.window // config.patch
        self.patch_embed = PatchEmbed(config.in_channels, width, config.patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.register_buffer("pos_embed", position_table(width, (side, side)))
        drops = (
            DropKey(r, config.dropkey_shape) for r in linear_decay(config.dropkey, config.depth)
        )
        self.blocks = nn.ModuleList(
            ViTBlock(width, config.heads, config.mlp_ratio, drop) for drop in drops
        )
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.apply(_init_weights)

    def embedded(self, image: Tensor) -> tuple[Tensor, TokenGrid]:
        """Tokens of an image with their position embedding, and their grid."""
        tokens, grid = self.patch_embed(image)
        return tokens + _positions(self.get_buffer("pos_embed"), grid)[:, 1:], grid

    def with_class_token(self, tokens: Tensor) -> Tensor:
        """The class token before all others."""
        first = self.cls_token + self.get_buffer("pos_embed")[:, :1]
        return torch.cat((first.expand(len(tokens), -1, -1), tokens), dim=1)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, channel, y, x) -> tokens halfway and at the end, (batch, width, y/p, x/p)."""
        embedded, grid = self.embedded(image)
        tokens = self.with_class_token(embedded)
        half = len(self.blocks) // 2
        for block in self.blocks[:half]:
            tokens = block(tokens)
        low_level = tokens
        for block in self.blocks[half:]:
            tokens = block(tokens)
        return tokens_to_map(low_level[:, 1:], grid), tokens_to_map(self.norm(tokens)[:, 1:], grid)


class MaskedAutoencoder(nn.Module):
    """An encoder of visible patches and a decoder that predicts all patches.

    Parameters
    ----------
    encoder : the network to pre-train
    config : of the encoder
    width, depth, heads : of the decoder, which is discarded after pre-training
    """

    def __init__(
        self, encoder: ViTEncoder, config: MAEViTConfig, width: int, depth: int, heads: int
    ) -> None:
        super().__init__()
        self.encoder, self.patch = encoder, config.patch
        self.decoder_embed = nn.Linear(config.width, width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        side = config.window // config.patch
        self.register_buffer("decoder_pos_embed", position_table(width, (side, side)))
        self.decoder_blocks = nn.ModuleList(
            ViTBlock(width, heads, config.mlp_ratio, DropKey(0.0)) for _ in range(depth)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_pred = nn.Linear(width, config.patch**2 * config.in_channels)
        for part in (self.decoder_embed, self.decoder_blocks, self.decoder_pred):
            part.apply(_init_weights)

    def forward(self, image: Tensor, masking: PatchMask) -> Tensor:
        """The prediction of every patch, visible ones included.

        Parameters
        ----------
        image : (batch, channel, y, x)
        masking : which of its patches are visible

        Returns
        -------
        (batch, patch, cells * channels), in the order of `seaice.models.layers.tokens.patchify`
        """
        embedded, grid = self.encoder.embedded(image)
        tokens = self.encoder.with_class_token(masking.visible(embedded))
        for block in self.encoder.blocks:
            tokens = block(tokens)
        tokens = self.decoder_embed(self.encoder.norm(tokens))
        with_mask = masking.with_mask_tokens(tokens[:, 1:], self.mask_token)
        tokens = torch.cat((tokens[:, :1], with_mask), dim=1)
        tokens = tokens + _positions(self.get_buffer("decoder_pos_embed"), grid)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        out: Tensor = self.decoder_pred(self.decoder_norm(tokens))[:, 1:]
        return out


def _positions(known: Tensor, grid: TokenGrid) -> Tensor:
    """The position embedding of a grid: the stored one if it fits, else a new one."""
    if known.shape[1] == 1 + grid[0] * grid[1] and grid[0] == grid[1]:
        return known
    return position_table(known.shape[2], grid).to(known)


def _init_weights(module: nn.Module) -> None:
    """The official initialization: Xavier, for the patch convolution as a matrix; biases 0."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.data.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class MAEViTSIC(EncoderDecoder):
    config_class = MAEViTConfig

    def __init__(self, config: MAEViTConfig) -> None:
        spec = EncoderSpec(
            low_level=config.width, deep=config.width, multiple_of=config.patch, alignment="center"
        )
        super().__init__(config, lambda: ViTEncoder(config), spec)

    def autoencoder(self) -> MaskedAutoencoder:
        """The encoder as part of the published masked autoencoder."""
        config = self.encoder_hyper()
        width = max(config.width * 2 // 3 // 16 * 16, 16)
        encoder = self.encoder
        if not isinstance(encoder, ViTEncoder):
            raise TypeError(f"an encoder of type {type(encoder).__name__}")
        return MaskedAutoencoder(encoder, config, width, 2, 4)

    def encoder_hyper(self) -> MAEViTConfig:
        """The configuration of the encoder."""
        if not isinstance(self.config, MAEViTConfig):
            raise TypeError(f"sizes of type {type(self.config).__name__}")
        return self.config
