"""The one place where the input of a super-resolution network is put together."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seaice.errors import WeightsError
from seaice.grid.gridding.quarters import QUARTERS
from seaice.grid.refined import SCALE
from seaice.instrument import HIGH_CHANNELS
from seaice.network.card import Card
from seaice.network.catalogue import find

__all__ = ["assemble", "blank_card", "in_kelvin", "on_fine_cells"]

#: networks take as many of these as their `channels` says, from the first on
CHANNELS = (
    *HIGH_CHANNELS,
    "valid",
    *(f"{name}_{quarter}" for name in HIGH_CHANNELS for quarter in QUARTERS),
)
KELVIN = (200.0, 100.0)  # min-max 100-300 K to -1...1, as published


def blank_card(name: str, hyper: Mapping[str, Any]) -> Card:
    """The card of a super-resolution network before anything is known of its training.

    Raises
    ------
    UnknownNameError
        If there is no such network.

    >>> blank_card("bicubic", {}).scale
    4
    """
    entry = find(name)
    usual = entry.load().Hyper()
    channels = CHANNELS[: hyper.get("channels", usual.channels)]
    return Card(
        architecture=name,
        role="sr",
        hyper=hyper,
        scale=SCALE,
        frames=hyper.get("frames", usual.frames),
        channels=channels,
        outputs=HIGH_CHANNELS,
        normalization={name: (0.0, 1.0) if name == "valid" else KELVIN for name in channels},
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=6250.0,
        window=hyper.get("window", getattr(usual, "window", None)),
    )


def assemble(tb: Tensor, quarters: Tensor, card: Card) -> Tensor:
    """Frames of 89 GHz as a network wants them; 0 where either polarization is absent.

    Parameters
    ----------
    tb : (..., frame, 2, y, x), K, H then V, NaN where absent
    quarters : (..., frame, 2, 4, y, x), the same on the quarters of each cell; where one is absent
        and its cell is not, it is interpolated between cells

    Returns
    -------
    (..., frame, channel, y, x) float32, in the card's order; as many frames as the card has, those
    around the middle one

    Raises
    ------
    WeightsError
        If the card wants a channel or more frames than the stack has.
    """
    tb, quarters = _around_the_target(tb, card, 4), _around_the_target(quarters, card, 5)
    valid = torch.isfinite(tb).all(dim=-3)
    finer = torch.where(torch.isfinite(quarters), quarters, _interpolated(tb))
    planes = (*tb.unbind(-3), valid.float(), *finer.flatten(-4, -3).unbind(-3))
    named = dict(zip(CHANNELS, planes, strict=True))
    strange = [name for name in card.channels if name not in named]
    if strange:
        raise WeightsError(
            f"weights that want {', '.join(strange)}",
            f"channels out of {', '.join(named)}",
            "give weights of a super-resolution network",
        )
    scaled = []
    for name in card.channels:
        offset, scale = card.normalization[name]
        scaled.append(torch.where(valid, (named[name] - offset) / scale, 0.0))
    return torch.stack(scaled, dim=-3).float()


def _interpolated(tb: Tensor) -> Tensor:
    """Quarters from whole cells, (..., y, x) -> (..., 4, y, x): bilinear between those present."""
    planes = tb.reshape(-1, 1, *tb.shape[-2:])
    known = torch.isfinite(planes)
    sums, weights = (
        F.interpolate(part, scale_factor=2.0, mode="bilinear", align_corners=False)
        for part in (torch.where(known, planes, 0.0), known.to(planes.dtype))
    )
    quarters = F.pixel_unshuffle(sums / weights.clamp(min=1e-6), 2)
    return quarters.reshape(*tb.shape[:-2], 4, *tb.shape[-2:])


def _around_the_target(tb: Tensor, card: Card, axes: int) -> Tensor:
    """The middle frames, as many as the card has; the frame is the last axis but `axes` - 1."""
    frames = tb.shape[-axes]
    if card.frames > frames:
        raise WeightsError(
            f"weights that want {card.frames} frames",
            f"at most {frames}, as a stack has",
            "give weights of a network that looks at fewer days",
        )
    first = (frames - card.frames) // 2
    return tb.narrow(-axes, first, card.frames)


def in_kelvin(refined: Tensor, card: Card) -> Tensor:
    """What a network told, (..., output, y, x) normalized, in kelvin."""
    pairs = torch.tensor([card.normalization[name] for name in card.outputs], device=refined.device)
    offset, scale = pairs.T[:, :, None, None]
    kelvin: Tensor = refined.float() * scale + offset
    return kelvin


def on_fine_cells(coarse: Tensor, scale: int) -> Tensor:
    """(..., y, x) -> (..., scale y, scale x): every fine cell says what its coarse cell says.

    >>> on_fine_cells(torch.tensor([[1, 2]]), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return coarse.repeat_interleave(scale, -2).repeat_interleave(scale, -1)
