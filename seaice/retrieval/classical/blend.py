"""The network where it is sure, a formula where the network has no evidence."""

import numpy as np
import xarray as xr

from seaice.retrieval.flags import Flag

__all__ = ["UNSURE", "blend"]

UNSURE = 0.20  #: one standard deviation from which on a network's answer is compared
TAKEN = (
    "sic",
    "sic_raw",
    "sic_uncertainty",
    "sic_uncertainty_95",
    "sic_algorithm_uncertainty",
    "sic_smearing_uncertainty",
    "status_flag",
)


def blend(network: xr.Dataset, classical: xr.Dataset, unsure: float = UNSURE) -> xr.Dataset:
    """One product of two of the same day and grid.

    The formula's value, with its uncertainty and its reasons, is taken where the network lacked
    low frequencies, or where its total uncertainty is `unsure` or more and the formula's is
    smaller; never where the formula has none.

    Parameters
    ----------
    network, classical : as `seaice.retrieval.concentrate.product`

    Returns
    -------
    Dataset
        As `network`, with attrs["tie_points"] of `classical`; cells taken from it are flagged
        `CLASSICAL_FALLBACK`.
    """
    doubt, other = (made["sic_uncertainty"].values for made in (network, classical))
    blind = (network["status_flag"].values & Flag.LOW_FREQUENCY_MISSING) > 0
    doubtful = ~(doubt < unsure) & ~(other >= doubt)
    taken = (blind | doubtful) & np.isfinite(classical["sic"].values)
    made = network.copy()
    for name in TAKEN:
        values = np.where(taken, classical[name].values, network[name].values)
        made[name] = network[name].copy(data=values)
    fallen = made["status_flag"].values | (taken * np.uint16(Flag.CLASSICAL_FALLBACK))
    made["status_flag"] = made["status_flag"].copy(data=fallen)
    return made.assign_attrs(tie_points=classical.attrs["tie_points"])
