"""What EUMETSAT OSI SAF's flags say of a map: OSI-450-a and its kin, OSI-401, OSI-408.

Source: OSI SAF product user manuals; attributes `flag_masks` (or `flag_values`) and
`flag_meanings` of `status_flag`, and `confidence_level` (0 unprocessed, 1 erroneous, 2 unreliable,
3 acceptable, 4 good, 5 excellent) of the operational products.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["observed"]

#: Meanings of cells that nobody observed as sea on the day. Filtered cells stay: 0 is their value.
ABSENT = frozenset(
    {
        *("land", "lake", "coast", "spatial_interpolation", "temporal_interpolation"),
        *("interpolated", "missing", "missing_data", "no_data", "unprocessed", "erroneous"),
        *("background", "computation_failed"),
    }
)
ERRONEOUS = 1  #: confidence level, and below


def observed(dataset: xr.Dataset) -> xr.Dataset:
    """The map of one day without land, lakes, failed and interpolated cells."""
    if "ice_conc" not in dataset:
        return dataset
    kept = np.ones(dataset["ice_conc"].shape, bool)
    if "status_flag" in dataset:
        kept &= ~_absent(dataset["status_flag"])
    if "confidence_level" in dataset:
        level = dataset["confidence_level"].values.astype(float)
        kept &= ~(level <= ERRONEOUS)
    return dataset.assign(ice_conc=dataset["ice_conc"].where(kept))


def _absent(flags: xr.DataArray) -> NDArray[np.bool_]:
    """Where a flag says so; flags are single bits (`flag_masks`), or single values."""
    meanings = str(flags.attrs.get("flag_meanings", "")).split()
    held = np.nan_to_num(flags.values.astype(float)).astype(np.int64)
    absent = np.zeros(held.shape, bool)
    for kind in ("flag_masks", "flag_values"):
        for meaning, code in zip(meanings, _codes(flags.attrs.get(kind, ())), strict=False):
            if meaning in ABSENT:
                absent |= (held & code) != 0 if kind == "flag_masks" else held == code
    return absent


def _codes(told: object) -> list[int]:
    """Of an attribute, which some files write as text.

    >>> _codes("1 2, 4"), _codes(np.array([0, 1], "i1"))
    ([1, 2, 4], [0, 1])
    """
    if isinstance(told, str):
        return [int(word.rstrip("bBs")) for word in told.replace(",", " ").split()]
    return [int(code) for code in np.atleast_1d(np.asarray(told))]
