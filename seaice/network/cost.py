"""What a network costs: its parameters, and the arithmetic of a cell of the map."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from seaice.grid.refined import SCALE
from seaice.network.catalogue import build, find

__all__ = ["Cost", "cost", "input_shape"]

SIDE = {"sr": 16, "sic": 256}  #: cells of the input that costs are counted on, on a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one network."""

    parameters: int
    flops: float  #: of one cell of the refined map; a multiplication and an addition are two


def cost(name: str, hyper: Mapping[str, Any]) -> Cost:
    """Parameters and floating-point operations, counted, not estimated.

    Operations are those of convolutions, matrix products and attention, as PyTorch counts them on
    an input of `SIDE` cells or of the network's window. Sampling, norms and activations are left
    out. What overlapping tiles compute twice is left out as well.

    Parameters
    ----------
    name : as the catalogue lists it
    hyper : fields of its `Hyper` that differ from the published size

    Raises
    ------
    UnknownNameError, WeightsError
        As `seaice.network.catalogue.build`.
    """
    role = find(name).role
    sampled = role == "sr" and "window" not in find(name).load().Hyper.__dataclass_fields__
    with torch.device("cpu" if sampled else "meta"):  # sampling without numbers takes seconds
        network = build(name, hyper).eval()
        shape = input_shape(network)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(shape))
    cells = shape[-1] * shape[-2] * (SCALE**2 if role == "sr" else 1)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters=parameters, flops=counter.get_total_flops() / cells)


def input_shape(network: Any) -> tuple[int, ...]:
    """Of an input of `SIDE` cells to a side, or of the network's window."""
    hyper = network.hyper
    role = "sr" if hasattr(hyper, "frames") else "sic"
    side = getattr(hyper, "window", None) or SIDE[role]
    if role == "sr":
        return 1, hyper.frames, hyper.channels, side, side
    return 1, hyper.in_channels, side, side
