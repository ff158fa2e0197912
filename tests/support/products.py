"""Small made products, with every kind of cell: ice, water, land, coast and no observation."""

import json

import numpy as np
import xarray as xr

from seaice.cf import attrs
from seaice.grid.grid import HEMISPHERES, coordinates
from seaice.retrieval.flags import Flag


def made_product(hemisphere="north", side=(40, 60), date="2020-03-03"):
    """A product on 4 x as many cells as `side`: ice above, an ice edge, a square island."""
    grid = HEMISPHERES[hemisphere].crop(slice(600, 600 + side[0]), slice(500, 500 + side[1]))
    grid = grid.refine(4)
    rows, columns = np.indices(grid.shape)
    sic = np.clip(1.2 - 1.4 * rows / grid.shape[0] + 0.05 * np.sin(columns), 0, 1)
    flags = np.zeros(grid.shape, np.uint16)
    flags[20:60, 30:90] = Flag.LAND
    flags[60, 30:90] = Flag.COAST
    flags[100:110, 100:120] = Flag.NO_INPUT
    absent = (flags & (Flag.LAND | Flag.NO_INPUT)) > 0
    n_obs = np.where(flags & Flag.NO_INPUT, 0, 5).astype(np.uint16)
    time = np.full(grid.shape, np.datetime64(f"{date}T11:30:00", "ns"))
    time[n_obs == 0] = np.datetime64("NaT")
    raw = np.where(absent, np.nan, np.clip(sic + 0.02, 0, 1)).astype(np.float32)
    uncertainty = np.where(absent, np.nan, 0.05 + 0.2 * sic * (1 - sic)).astype(np.float32)
    values = {
        "sic": np.where(absent, np.nan, sic).astype(np.float32),
        "sic_raw": raw,
        "sic_uncertainty": uncertainty,
        "sic_uncertainty_95": np.float32(2.5) * uncertainty,
        "sic_algorithm_uncertainty": np.float32(0.8) * uncertainty,
        "sic_smearing_uncertainty": np.float32(0.6) * uncertainty,
        "status_flag": flags,
        "tb89h": (150 + 50 * sic).astype(np.float32),
        "tb89v": (190 + 20 * sic).astype(np.float32),
        "pd": (40 - 30 * sic).astype(np.float32),
        "n_obs": n_obs,
        "real_frames": np.where(n_obs > 0, 0b11111, 0b11011).astype(np.uint8),
        "obs_time": time,
    }
    return xr.Dataset(
        {name: (("y", "x"), array, attrs(name)) for name, array in values.items()},
        coords=coordinates(grid),
        attrs={
            "crs": grid.crs,
            "hemisphere": hemisphere,
            "region": "all",
            "date": date,
            "status": "final",
            "granules": ["GW1AM2_202003030123_035A_L1SGBTBR_2220220"],
            "n_granules": 1,
            "sr_name": "bicubic",
            "sic_name": "asi",
            "tie_points": json.dumps({"open water": 47.0, "ice": 7.5, "how": "published"}),
            "provenance": json.dumps({"warnings": ["made, not observed"]}),
        },
    )
