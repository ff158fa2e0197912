"""The only place where inputs of networks are assembled, in training and in daily runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seaice.errors import WeightsError
from seaice.grid.blocks import QUARTERS, SCALE
from seaice.grid.masks import LAND_FRACTIONS
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.models.card import Card
from seaice.models.registry import find_model
from seaice.stack import NEIGHBOUR_PD_CHANNELS

__all__ = [
    "PUBLISHED_CHANNELS",
    "SIC_CHANNELS",
    "assemble_sic_input",
    "assemble_sr_input",
    "coarse_channels",
    "nearest_upsample",
    "new_sic_card",
    "new_sr_card",
    "to_kelvin",
]

#: a network of N input channels reads the first N of these
SR_CHANNELS = (
    *HIGH_CHANNELS,
    "valid",
    *(f"{name}_{quarter}" for name in HIGH_CHANNELS for quarter in QUARTERS),
)
KELVIN_NORMALIZATION = (200.0, 100.0)  # min-max 100-300 K to -1...1, as published


def new_sr_card(name: str, config: Mapping[str, Any]) -> Card:
    """The card of a super-resolution network that is not trained yet.

    Raises
    ------
    UnknownNameError
        If there is no such network.

    >>> new_sr_card("bicubic", {}).scale
    4
    """
    entry = find_model(name)
    default = entry.config_class()()
    channels = SR_CHANNELS[: config.get("channels", default.channels)]
    return Card(
        architecture=name,
        role="sr",
        config=config,
        scale=SCALE,
        frames=config.get("frames", default.frames),
        channels=channels,
        outputs=HIGH_CHANNELS,
        normalization={
            name: (0.0, 1.0) if name == "valid" else KELVIN_NORMALIZATION for name in channels
        },
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=6250.0,
        window=config.get("window", getattr(default, "window", None)),
    )


def assemble_sr_input(tb: Tensor, quarters: Tensor, card: Card) -> Tensor:
    """The input of a super-resolution network; 0 where H or V is missing.

    Parameters
    ----------
    tb : (..., frame, 2, y, x), K, H then V at 89 GHz, NaN where missing
    quarters : (..., frame, 2, 4, y, x), the same on the four 3.125 km cells of each cell; missing
        ones in an observed cell are interpolated from 6.25 km cells

    Returns
    -------
    (..., frame, channel, y, x) float32, in the card's order; the middle frames, as many as the card
    has

    Raises
    ------
    WeightsError
        If the card has unknown channels, or more frames than the stack.
    """
    tb, quarters = _middle_frames(tb, card, 4), _middle_frames(quarters, card, 5)
    valid = torch.isfinite(tb).all(dim=-3)
    finer = torch.where(torch.isfinite(quarters), quarters, _interpolate_3km(tb))
    planes = (*tb.unbind(-3), valid.float(), *finer.flatten(-4, -3).unbind(-3))
    named = dict(zip(SR_CHANNELS, planes, strict=True))
    unknown = [name for name in card.channels if name not in named]
    if unknown:
        raise WeightsError(
            f"weights that need {', '.join(unknown)}",
            f"channels out of {', '.join(named)}",
            "give weights of a super-resolution network",
        )
    scaled = []
    for name in card.channels:
        offset, scale = card.normalization[name]
        scaled.append(torch.where(valid, (named[name] - offset) / scale, 0.0))
    return torch.stack(scaled, dim=-3).float()


def _interpolate_3km(tb: Tensor) -> Tensor:
    """3.125 km from 6.25 km cells, (..., y, x) -> (..., 4, y, x): bilinear between valid cells."""
    planes = tb.reshape(-1, 1, *tb.shape[-2:])
    known = torch.isfinite(planes)
    sums, weights = (
        F.interpolate(part, scale_factor=2.0, mode="bilinear", align_corners=False)
        for part in (torch.where(known, planes, 0.0), known.to(planes.dtype))
    )
    quarters = F.pixel_unshuffle(sums / weights.clamp(min=1e-6), 2)
    return quarters.reshape(*tb.shape[:-2], 4, *tb.shape[-2:])


def _middle_frames(tb: Tensor, card: Card, axes: int) -> Tensor:
    """The middle frames, as many as the card has; the frame is the last axis but `axes` - 1."""
    frames = tb.shape[-axes]
    if card.frames > frames:
        raise WeightsError(
            f"weights that need {card.frames} frames",
            f"at most {frames}, as a stack has",
            "give weights of a network with fewer frames",
        )
    first = (frames - card.frames) // 2
    return tb.narrow(-axes, first, card.frames)


def to_kelvin(refined: Tensor, card: Card) -> Tensor:
    """A network's output, (..., output, y, x) normalized, converted to kelvin."""
    pairs = torch.tensor([card.normalization[name] for name in card.outputs], device=refined.device)
    offset, scale = pairs.T[:, :, None, None]
    kelvin: Tensor = refined.float() * scale + offset
    return kelvin


def nearest_upsample(coarse: Tensor, scale: int) -> Tensor:
    """(..., y, x) -> (..., scale y, scale x): each value repeated (nearest neighbour).

    >>> nearest_upsample(torch.tensor([[1, 2]]), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return coarse.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


PUBLISHED_CHANNELS = (*HIGH_CHANNELS, "pd")
#: default input channels in training, in this order
SIC_CHANNELS = (
    *PUBLISHED_CHANNELS,
    "valid",
    *LOW_CHANNELS,
    "land",
    *NEIGHBOUR_PD_CHANNELS,
    *LAND_FRACTIONS,
)
SIC_NORMALIZATION = {
    **{name: (200.0, 100.0) for name in (*HIGH_CHANNELS, *LOW_CHANNELS)},  # K, as published
    **{name: (25.0, 25.0) for name in ("pd", *NEIGHBOUR_PD_CHANNELS)},  # K
    **{name: (0.0, 1.0) for name in ("valid", "land", *LAND_FRACTIONS)},
}


def new_sic_card(name: str, config: Mapping[str, Any], channels: Sequence[str]) -> Card:
    """The card of a concentration network that is not trained yet.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsError
        If there is no such channel.

    >>> card = new_sic_card("xception_aspp", {"outputs": 1}, ("tb89h", "tb89v", "pd"))
    >>> card.config["in_channels"]
    3
    """
    entry = find_model(name)
    _check_channels(channels)
    default = entry.config_class()()
    return Card(
        architecture=name,
        role="sic",
        config={**config, "in_channels": len(channels)},
        scale=1,
        frames=1,
        channels=tuple(channels),
        outputs=("sic", "log_variance")[: config.get("outputs", 1)],
        normalization={channel: SIC_NORMALIZATION[channel] for channel in channels},
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=1562.5,
        window=config.get("window", getattr(default, "window", None)),
    )


def coarse_channels(card: Card) -> tuple[str, ...]:
    """Channels of a card that come from the daily map, on 6.25 km cells."""
    coarse = (*LOW_CHANNELS, *NEIGHBOUR_PD_CHANNELS, *LAND_FRACTIONS)
    return tuple(name for name in card.channels if name in coarse)


def assemble_sic_input(
    refined: Tensor, coarse: Mapping[str, Tensor], land: Tensor, card: Card
) -> Tensor:
    """The input of a concentration network; missing values are 0 after normalization.

    Parameters
    ----------
    refined : (..., 2, y, x), K, H then V, NaN where missing
    coarse : (..., y / 4, x / 4) each, NaN where missing: low frequencies and
        `NEIGHBOUR_PD_CHANNELS` in K, and `LAND_FRACTIONS`; any of them may be left out
    land : (..., y, x) bool
    card : defines channels, their order and normalization

    Returns
    -------
    (..., channel, y, x) float32

    Raises
    ------
    WeightsError
        If the card has an unknown channel.
    """
    _check_channels(card.channels)
    h, v = refined.unbind(-3)
    named = {"tb89h": h, "tb89v": v, "pd": v - h, "land": land.float()}
    named["valid"] = torch.isfinite(named["pd"]).float()
    fine = (*h.shape[:-2], h.shape[-2] // SCALE, h.shape[-1] // SCALE)
    nothing = torch.zeros(fine, device=h.device)
    pairs = [
        (coarse.get(name, nothing), card.normalization[name]) for name in card.channels
    ]  # channels of the refined map are overwritten below
    normalized = torch.stack([_normalize(values, pair) for values, pair in pairs], -3)
    absent = ~torch.stack([torch.isfinite(values) for values, _ in pairs], -3)
    planes = _upsample_valid(normalized, absent)
    for place, name in enumerate(card.channels):
        if name in named:
            planes[..., place, :, :] = _normalize(named[name], card.normalization[name])
        elif name not in coarse:
            planes[..., place, :, :] = 0.0
    return planes


def _check_channels(channels: Sequence[str]) -> None:
    unknown = [name for name in channels if name not in SIC_NORMALIZATION]
    if unknown:
        raise WeightsError(
            f"weights that need {', '.join(unknown)}",
            f"channels out of {', '.join(SIC_NORMALIZATION)}",
            "give weights of a concentration network made by this package",
        )


def _normalize(values: Tensor, pair: tuple[float, float]) -> Tensor:
    return torch.where(torch.isfinite(values), (values - pair[0]) / pair[1], 0.0)


def _upsample_valid(planes: Tensor, absent: Tensor) -> Tensor:
    """Bilinear upsampling between valid cells; 0 where the coarse cell is missing.

    Parameters
    ----------
    planes : (..., channel, y, x), normalized, 0 where missing
    absent : (..., channel, y, x) bool, missing values

    Returns
    -------
    (..., channel, 4 y, 4 x)
    """
    sums = _upsample_bilinear(planes)
    for channel in absent.flatten(-2).any(-1).reshape(-1, absent.shape[-3]).any(0).nonzero()[:, 0]:
        known = ~absent[..., channel, None, :, :]
        weights = _upsample_bilinear(known.to(planes.dtype))
        here = nearest_upsample(known, SCALE)
        between = sums[..., channel, None, :, :] / weights.clamp(min=1e-6)
        sums[..., channel, None, :, :] = torch.where(here, between, 0.0)
    return sums


def _upsample_bilinear(planes: Tensor) -> Tensor:
    """(..., channel, y, x) -> (..., channel, 4 y, 4 x), bilinear."""
    batch = planes.reshape(-1, *planes.shape[-3:]).contiguous(memory_format=torch.channels_last)
    fine = F.interpolate(batch, scale_factor=SCALE, mode="bilinear", align_corners=False)
    return fine.reshape(*planes.shape[:-2], *fine.shape[-2:])
