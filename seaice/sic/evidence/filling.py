"""A product in, its cells without observation told otherwise out, flagged and less sure."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.sic.flags import Flag
from seaice.sic.smearing import smearing

__all__ = ["missing", "put"]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


def missing(product: xr.Dataset) -> Mask:
    """Sea cells without a value, (4y, 4x)."""
    return np.asarray((product["status_flag"].values & Flag.NO_INPUT) > 0)


def put(product: xr.Dataset, share: Map, doubt: Map, why: Flag) -> xr.Dataset:
    """Give missing cells a value where there is one.

    `sic_raw` stays NaN, and brightness temperatures, counts and times stay as they are: nothing
    was observed.

    Parameters
    ----------
    share, doubt : (4y, 4x) concentration, and one standard deviation without smearing; NaN where
        nothing is known
    why : flags that take the place of `NO_INPUT`
    """
    where = missing(product) & np.isfinite(share)
    sic = np.where(where, share, product["sic"].values).astype(np.float32)
    flags = product["status_flag"].values
    told = {
        "sic": sic,
        "sic_algorithm_uncertainty": doubt.clip(0, 1),
        "sic_smearing_uncertainty": smearing(sic),
        "status_flag": (flags & ~np.uint16(Flag.NO_INPUT)) | np.uint16(why),
    }
    total = np.hypot(told["sic_algorithm_uncertainty"], told["sic_smearing_uncertainty"])
    told |= {"sic_uncertainty": total.clip(0, 1), "sic_uncertainty_95": (2 * total).clip(0, 1)}
    filled = product.copy()
    for name, values in told.items():
        former = product[name]
        kind = former.dtype
        filled[name] = former.copy(data=np.where(where, values, former.values).astype(kind))
    return filled
