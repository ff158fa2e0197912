"""Five-frame stacks in, brightness temperature four times finer out."""

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.grid.dataset import coordinates, grid_of
from seaice.grid.refined import on_refined
from seaice.instrument import HIGH_CHANNELS
from seaice.network.card import Card
from seaice.network.quantize import backend_of
from seaice.network.run import Machine, Progress, run_tiled
from seaice.sr.inputs import assemble, in_kelvin
from seaice.vocabulary import attrs

__all__ = ["refine"]


def refine(
    stack: xr.Dataset,
    network: nn.Module,
    card: Card,
    machine: Machine,
    weights: str,
    progress: Progress,
    where: NDArray[np.bool_] | None = None,
) -> xr.Dataset:
    """The target day of a stack on the refined grid.

    Parameters
    ----------
    stack : as `seaice.stack.frames.five_frames` makes it
    network, card : as `seaice.network.weights.load` gives them, or
        `without_weights` and `seaice.sr.inputs.blank_card`
    weights : what the weights are known by, for the attributes
    progress : called with the tiles done and their number
    where : (y, x), cells of the stack that are refined, as `near_sea` of the land masks tells;
        left out: all

    Returns
    -------
    Dataset, dims y, x of the refined grid
        `tb89h`, `tb89v`, `pd` (float32, K); NaN where the target frame lacks H or V, and
        elsewhere than `where`. attrs: the stack's, `sr_name`, `sr_weights`,
        `sr_precision`, `sr_form`, `sr_backend`.

    Raises
    ------
    WeightsError
        If the network wants other channels than a stack has.
    """
    tb = np.stack([stack[name].values for name in HIGH_CHANNELS], axis=1)  # frame 2 y x
    quarters = np.stack([stack[f"{name}_quarter"].values for name in HIGH_CHANNELS], axis=1)
    wanted = np.isfinite(tb[len(tb) // 2]).all(axis=0)
    if where is not None:
        wanted &= where

    def cut(rows: slice, columns: slice) -> Tensor:
        here = torch.from_numpy(tb[:, :, rows, columns])
        return assemble(here, torch.from_numpy(quarters[..., rows, columns]), card)

    network.to(machine.device)
    told = run_tiled(network, card, cut, wanted, machine, progress)
    h, v = in_kelvin(torch.from_numpy(told), card).numpy()
    del told
    absent = ~on_refined(wanted, card.scale)
    h[absent] = v[absent] = np.nan
    maps = {"tb89h": h, "tb89v": v, "pd": v - h}
    return xr.Dataset(
        {name: (("y", "x"), values, attrs(name)) for name, values in maps.items()},
        coords=coordinates(grid_of(stack).refine(card.scale)),
        attrs=stack.attrs
        | {
            "sr_name": card.architecture,
            "sr_weights": weights,
            "sr_precision": machine.precision,
            "sr_form": card.form,
            "sr_backend": backend_of(network, machine.device),
        },
    )
