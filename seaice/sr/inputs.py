"""The one place where the input of a super-resolution network is put together."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seaice.errors import WeightsError
from seaice.grid.refined import SCALE
from seaice.instrument import HIGH_CHANNELS
from seaice.network.card import Card
from seaice.network.catalogue import find

__all__ = ["assemble", "blank_card", "in_kelvin", "on_fine_cells"]

CHANNELS = (*HIGH_CHANNELS, "valid")
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
    usual = entry.load().Hyper().frames
    return Card(
        architecture=name,
        role="sr",
        hyper=hyper,
        scale=SCALE,
        frames=hyper.get("frames", usual),
        channels=CHANNELS,
        outputs=HIGH_CHANNELS,
        normalization={"tb89h": KELVIN, "tb89v": KELVIN, "valid": (0.0, 1.0)},
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        cell=6250.0,
    )


def assemble(tb: Tensor, card: Card) -> Tensor:
    """Frames of 89 GHz as a network wants them; 0 where either polarization is absent.

    Parameters
    ----------
    tb : (..., frame, 2, y, x), K, H then V, NaN where absent

    Returns
    -------
    (..., frame, channel, y, x) float32, in the card's order; as many frames as the card has, those
    around the middle one

    Raises
    ------
    WeightsError
        If the card wants a channel or more frames than the stack has.
    """
    tb = _around_the_target(tb, card)
    named = dict(zip(HIGH_CHANNELS, tb.unbind(-3), strict=True))
    valid = torch.isfinite(tb).all(dim=-3)
    named["valid"] = valid.float()
    strange = [name for name in card.channels if name not in named]
    if strange:
        raise WeightsError(
            f"weights that want {', '.join(strange)}",
            f"channels out of {', '.join(named)}",
            "give weights of a super-resolution network",
        )
    planes = []
    for name in card.channels:
        offset, scale = card.normalization[name]
        planes.append(torch.where(valid, (named[name] - offset) / scale, 0.0))
    return torch.stack(planes, dim=-3).float()


def _around_the_target(tb: Tensor, card: Card) -> Tensor:
    frames = tb.shape[-4]
    if card.frames > frames:
        raise WeightsError(
            f"weights that want {card.frames} frames",
            f"at most {frames}, as a stack has",
            "give weights of a network that looks at fewer days",
        )
    first = (frames - card.frames) // 2
    return tb[..., first : first + card.frames, :, :, :]


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
