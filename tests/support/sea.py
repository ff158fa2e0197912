"""Swaths of a sea with ice, brightness as real open water and closed ice have it in the median."""

from datetime import datetime

import numpy as np

from tests.support.granules import land_percent, make_swath

#: V and H of open water, then of closed ice, K: medians of Round Robin samples
MEDIANS = {
    "6": (161, 81, 257, 233),
    "7": (162, 82, 257, 234),
    "10": (170, 89, 258, 233),
    "18": (189, 112, 255, 234),
    "23": (205, 142, 253, 235),
    "36": (214, 150, 245, 229),
    "89": (242, 190, 220, 208),
}
NOISE = 1.2  #: K


def ice(latitude, longitude):
    """Concentration: bands of ice and water, 120 km from one to the next, sharp edges."""
    north = latitude * 111.2
    east = longitude * 111.2 * np.cos(np.radians(latitude))
    return 1 / (1 + np.exp(-8 * (np.sin(north / 19) + 0.4 * np.cos(east / 31))))


def sea_swath(scans=160, start=datetime(2020, 3, 3, 10), phase=1350.0, seed=0, land=True):
    """A swath of this sea; bands, horns and polarizations at their own places."""
    swath = make_swath(scans, start=start, phase=phase)
    rng = np.random.default_rng(seed)
    for band, (water_v, water_h, ice_v, ice_h) in MEDIANS.items():
        if band == "89":
            fraction = ice(swath["latitude"].values, swath["longitude"].values)
        else:
            places = (swath[f"{axis}_low"].sel(band=band) for axis in ("latitude", "longitude"))
            fraction = ice(*(place.values for place in places))
        for pol, water, closed in (("v", water_v, ice_v), ("h", water_h, ice_h)):
            kelvin = water + fraction * (closed - water) + rng.normal(0, NOISE, fraction.shape)
            swath[f"tb{band}{pol}"] = swath[f"tb{band}{pol}"].copy(data=kelvin.astype(np.float32))
    if land:
        percent = land_percent(swath["latitude"].values, swath["longitude"].values)
        swath["land_fraction"] = swath["land_fraction"].copy(data=percent / np.float32(100))
    return swath


def changed(swath, change, pattern="tb"):
    """A swath whose variables of some prefix are changed."""
    names = [name for name in swath.variables if str(name).startswith(pattern)]
    return swath.assign({name: swath[name].copy(data=change(swath[name].values)) for name in names})
