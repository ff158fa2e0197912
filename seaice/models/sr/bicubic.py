"""Bicubic interpolation of the target frame: the baseline without weights.

`bicubic` interpolates 6.25 km cells, the baseline of the literature; `bicubic_3km` interpolates
3.125 km cells. Samples are 4.5 to 5 km apart with footprints of 3 x 5 km, so that 3.125 km cells
hold more detail than 6.25 km cells. Keys 1981, IEEE Trans. ASSP 29(6).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from seaice.models.layers.upsampling import CHANNELS_WITH_3KM, bicubic_upsample

__all__ = ["Bicubic", "Bicubic3km", "Bicubic3kmConfig", "BicubicConfig"]

SCALE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BicubicConfig:
    """Shape of the input."""

    frames: int = 5  #: any odd number; the target is in the middle
    channels: int = 3  #: H, V, valid


class Bicubic(nn.Module):
    """Interpolation of 6.25 km cells."""

    config_class = BicubicConfig

    def __init__(self, config: BicubicConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x) float32, normalized H and V."""
        return bicubic_upsample(stack[:, stack.shape[1] // 2], SCALE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bicubic3kmConfig:
    """Shape of the input."""

    frames: int = 1  #: any odd number; the target is in the middle
    channels: int = CHANNELS_WITH_3KM  #: H, V, valid, and H and V on 3.125 km cells


class Bicubic3km(nn.Module):
    """Interpolation of 3.125 km cells."""

    config_class = Bicubic3kmConfig

    def __init__(self, config: Bicubic3kmConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x) float32, normalized H and V."""
        return bicubic_upsample(stack[:, stack.shape[1] // 2], SCALE)
