"""ASI of our daily maps is ASI of pyresample's, from the same granules read by h5py alone."""

from datetime import date

import h5py
import numpy as np
import pytest

from seaice.grid.gridding import grid_day
from seaice.grid.regions import region_grid
from seaice.io.readers import read_swath
from seaice.retrieval.classical.algorithms import asi
from seaice.simulate.days import simulate_days

pytestmark = pytest.mark.slow

DAY = date(2018, 3, 10)
GRID = region_grid("-6,78,8,80", "north")  # Fram Strait: closed ice, an edge, open water
OVERLAP = 30  #: scans at each end that neighbours repeat
CUBIC = 1.64001739e-5, -1.61810765e-3, 1.91628476e-2, 0.971030707
FWHM, REACH, NEIGHBOURS = 4000.0, 10_000.0, 400


def samples(path):
    """Longitude, latitude, V and H of both horns of a granule, (sample,) each."""
    parts = []
    with h5py.File(path) as file:
        inner = slice(OVERLAP, -OVERLAP)
        for horn in "AB":
            names = [f"Brightness Temperature (89.0GHz-{horn},{p})" for p in "VH"]
            counts = [file[name][inner] for name in names]
            lon, lat = (
                file[f"{axis} of Observation Point for 89{horn}"][inner]
                for axis in ("Longitude", "Latitude")
            )
            good = (counts[0] < 65534) & (counts[1] < 65534) & (np.abs(lat) <= 90)
            parts.append([lon[good], lat[good], *(0.01 * one[good] for one in counts)])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def theirs(paths):
    """ASI by the published coefficients of a kd-tree Gaussian map of all samples of the day."""
    pyresample = pytest.importorskip("pyresample")
    longitude, latitude, v, h = (
        np.concatenate(columns) for columns in zip(*(samples(path) for path in paths), strict=True)
    )
    left, bottom, right, top = GRID.bounds
    area = pyresample.AreaDefinition(
        "", "", "", GRID.crs, GRID.shape[1], GRID.shape[0], (left, bottom, right, top)
    )
    sigma = pyresample.utils.fwhm2sigma(FWHM)
    result = pyresample.kd_tree.resample_gauss(
        pyresample.SwathDefinition(longitude, latitude),
        np.stack([v, h], -1),
        area,
        radius_of_influence=REACH,
        sigmas=[sigma] * 2,
        neighbours=NEIGHBOURS,
        fill_value=np.nan,
    )
    pd = result[..., 0] - result[..., 1]
    sic = np.polyval(CUBIC, pd)
    return np.where(pd >= 47.0, 0.0, np.where(pd <= 11.7, 1.0, np.clip(sic, 0, 1)))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_chains_agree_within_one_percent(tmp_path):
    paths = simulate_days(DAY, DAY, GRID, 5, tmp_path, lambda done, of: None)
    swaths = (read_swath(path) for path in paths)
    result = grid_day(swaths, GRID, DAY)
    ours = asi((result["tb89v"] - result["tb89h"]).values)
    other = theirs(paths)
    both = np.isfinite(ours) & np.isfinite(other)
    assert both.mean() > 0.5
    assert (np.isfinite(ours) == np.isfinite(other)).mean() > 0.99
    assert (ours[both] > 0.9).mean() > 0.05
    assert (ours[both] < 0.5).mean() > 0.05
    assert np.abs(ours - other)[both].mean() < 0.01
