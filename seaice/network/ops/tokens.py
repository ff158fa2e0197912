"""Maps as tokens and back, and the two linear layers that follow every attention."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.errors import WeightsError

__all__ = ["Grid", "Mlp", "as_map", "as_tokens", "check_heads", "start_linear"]

Grid = tuple[int, int]  #: rows, columns that tokens lie on, row by row


def as_map(tokens: Tensor, grid: Grid) -> Tensor:
    """(batch, y * x, channel) -> (batch, channel, y, x)."""
    batch, _, channels = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, channels, *grid)


def as_tokens(features: Tensor) -> Tensor:
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


def start_linear(module: nn.Module) -> None:
    """How vision transformers begin: small weights, no biases (timm's default)."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
