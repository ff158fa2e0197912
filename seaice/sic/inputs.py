"""The one place where the input of a concentration network is put together.

Training and the daily run both come here, so that a network is asked what it was taught.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seaice.errors import WeightsError
from seaice.grid.masks.footprint_land import LAND_SHARES
from seaice.grid.refined import SCALE
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.network.card import Card
from seaice.network.catalogue import find
from seaice.sr.inputs import on_fine_cells
from seaice.stack.frames import OTHER_DAYS

__all__ = ["CHANNELS", "PUBLISHED_CHANNELS", "assemble", "blank_card", "coarse_wanted"]

PUBLISHED_CHANNELS = (*HIGH_CHANNELS, "pd")
#: what networks are taught with unless told otherwise, in this order
CHANNELS = (*PUBLISHED_CHANNELS, "valid", *LOW_CHANNELS, "land", *OTHER_DAYS, *LAND_SHARES)
NORMALIZATION = {
    **{name: (200.0, 100.0) for name in (*HIGH_CHANNELS, *LOW_CHANNELS)},  # K, as published
    **{name: (25.0, 25.0) for name in ("pd", *OTHER_DAYS)},  # K
    **{name: (0.0, 1.0) for name in ("valid", "land", *LAND_SHARES)},
}


def blank_card(name: str, hyper: Mapping[str, Any], channels: Sequence[str]) -> Card:
    """The card of a concentration network before anything is known of its training.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsError
        If there is no such channel.

    >>> blank_card("xception_aspp", {"outputs": 1}, ("tb89h", "tb89v", "pd")).hyper["in_channels"]
    3
    """
    entry = find(name)
    _check(channels)
    usual = entry.load().Hyper()
    return Card(
        architecture=name,
        role="sic",
        hyper={**hyper, "in_channels": len(channels)},
        scale=1,
        frames=1,
        channels=tuple(channels),
        outputs=("sic", "log_variance")[: hyper.get("outputs", 1)],
        normalization={channel: NORMALIZATION[channel] for channel in channels},
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=1562.5,
        window=hyper.get("window", getattr(usual, "window", None)),
    )


def coarse_wanted(card: Card) -> tuple[str, ...]:
    """What a network was taught with beside the refined map, on cells of the daily map."""
    coarse = (*LOW_CHANNELS, *OTHER_DAYS, *LAND_SHARES)
    return tuple(name for name in card.channels if name in coarse)


def assemble(refined: Tensor, coarse: Mapping[str, Tensor], land: Tensor, card: Card) -> Tensor:
    """Named maps as one tensor; what is absent is 0 after normalization.

    Parameters
    ----------
    refined : (..., 2, y, x), K, H then V, NaN where absent
    coarse : (..., y / 4, x / 4) each, NaN where absent: low frequencies and `OTHER_DAYS` in K, and
        `LAND_SHARES`; any may be missing altogether
    land : (..., y, x) bool
    card : whose channels, order and normalization are kept

    Returns
    -------
    (..., channel, y, x) float32

    Raises
    ------
    WeightsError
        If the card wants a channel that this package does not know.
    """
    _check(card.channels)
    h, v = refined.unbind(-3)
    named = {"tb89h": h, "tb89v": v, "pd": v - h, "land": land.float()}
    named["valid"] = torch.isfinite(named["pd"]).float()
    fine = (*h.shape[:-2], h.shape[-2] // SCALE, h.shape[-1] // SCALE)
    nothing = torch.zeros(fine, device=h.device)
    pairs = [
        (coarse.get(name, nothing), card.normalization[name]) for name in card.channels
    ]  # those of the refined map are laid over what stands for them here
    together = torch.stack([_normalized(values, pair) for values, pair in pairs], -3)
    absent = ~torch.stack([torch.isfinite(values) for values, _ in pairs], -3)
    planes = _enlarged(together, absent)
    for place, name in enumerate(card.channels):
        if name in named:
            planes[..., place, :, :] = _normalized(named[name], card.normalization[name])
        elif name not in coarse:
            planes[..., place, :, :] = 0.0
    return planes


def _check(channels: Sequence[str]) -> None:
    strange = [name for name in channels if name not in NORMALIZATION]
    if strange:
        raise WeightsError(
            f"weights that want {', '.join(strange)}",
            f"channels out of {', '.join(NORMALIZATION)}",
            "give weights of a concentration network made by this package",
        )


def _normalized(values: Tensor, pair: tuple[float, float]) -> Tensor:
    return torch.where(torch.isfinite(values), (values - pair[0]) / pair[1], 0.0)


def _enlarged(planes: Tensor, absent: Tensor) -> Tensor:
    """Bilinear between observed cells; absent where the coarse cell itself is.

    Parameters
    ----------
    planes : (..., channel, y, x), normalized, 0 where absent
    absent : bool of the same shape

    Returns
    -------
    (..., channel, 4 y, 4 x)
    """
    sums = _fine(planes)
    for channel in absent.flatten(-2).any(-1).reshape(-1, absent.shape[-3]).any(0).nonzero()[:, 0]:
        known = ~absent[..., channel, None, :, :]
        weights = _fine(known.to(planes.dtype))
        here = on_fine_cells(known, SCALE)
        between = sums[..., channel, None, :, :] / weights.clamp(min=1e-6)
        sums[..., channel, None, :, :] = torch.where(here, between, 0.0)
    return sums


def _fine(planes: Tensor) -> Tensor:
    """(..., channel, y, x) -> (..., channel, 4 y, 4 x), bilinear."""
    batch = planes.reshape(-1, *planes.shape[-3:]).contiguous(memory_format=torch.channels_last)
    fine = F.interpolate(batch, scale_factor=SCALE, mode="bilinear", align_corners=False)
    return fine.reshape(*planes.shape[:-2], *fine.shape[-2:])
