"""A product in, its cells without observation told otherwise out, flagged and less sure."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.blocks import repeat_to_fine_grid
from seaice.sic.flags import Flag
from seaice.sic.smearing import smearing

__all__ = ["missing", "put"]

Values = NDArray[np.floating]
Mask = NDArray[np.bool_]


def missing(product: xr.Dataset) -> Mask:
    """Sea cells without a value, (4y, 4x)."""
    return np.asarray((product["status_flag"].values & Flag.NO_INPUT) > 0)


def put(product: xr.Dataset, share: Values, doubt: Values, why: Flag) -> xr.Dataset:
    """Give missing cells a value where there is one.

    `sic_raw` stays NaN, and brightness temperatures, counts and times stay as they are: nothing
    was observed.

    Parameters
    ----------
    share, doubt : (y, x) concentration of 6.25 km cells, and one standard deviation without
        smearing; NaN where nothing is known
    why : flags that take the place of `NO_INPUT`
    """
    where = missing(product) & repeat_to_fine_grid(np.isfinite(share))
    if not where.any():
        return product
    sic = product["sic"].values.copy()
    sic[where] = repeat_to_fine_grid(share)[where]
    algorithm, smeared = repeat_to_fine_grid(doubt)[where].clip(0, 1), smearing(sic)[where]
    total = np.hypot(algorithm, smeared)
    told = {
        "sic_algorithm_uncertainty": algorithm,
        "sic_smearing_uncertainty": smeared,
        "sic_uncertainty": total.clip(0, 1),
        "sic_uncertainty_95": (2 * total).clip(0, 1),
        "status_flag": product["status_flag"].values[where] & ~np.uint16(Flag.NO_INPUT) | why,
    }
    filled = product.assign(sic=product["sic"].copy(data=sic))
    for name, values in told.items():
        field = product[name].values.copy()
        field[where] = values
        filled[name] = product[name].copy(data=field)
    return filled
