"""Our gridding beside pyresample's, on one made northern granule, both horns, H and V.

The peer is the published method, kd-tree Gaussian with 30 neighbours; EWA is fast, and another
map. What a daily map holds beside the means (quarters, time, spread, counts) is measured too.
"""

import warnings
from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyresample import AreaDefinition, SwathDefinition, kd_tree
from pyresample.ewa import fornav, ll2cr
from tests.granules import make_swath

from benchmarks.measure import Row, Taken, copy_rate, interleaved, peak
from seaice.grid.grid import NORTH
from seaice.grid.gridding import (
    HIGH_BEAM,
    Accumulator,
    accumulate,
    compiled_grid,
    grid_day,
    project_samples,
)
from seaice.instrument import HIGH_CHANNELS

SCANS = 1000  #: of a half orbit's 2000, those that see the northern grid
GRANULES = 29  #: of a day
Maps = dict[str, NDArray[np.float32]]
AREA = AreaDefinition("", "", "", NORTH.crs, *NORTH.shape[::-1], NORTH.bounds)


def ours(swath: xr.Dataset) -> Maps:
    """All that a daily map holds of 89 GHz."""
    day = Accumulator(NORTH, HIGH_CHANNELS)
    day.add(swath)
    result = day.daily_map(date(2020, 3, 3))
    return {name: result[name].values for name in HIGH_CHANNELS}


def means_alone(swath: xr.Dataset) -> Maps:
    """The two means that the others make, by the same kernel."""
    lattice = compiled_grid(NORTH)
    cells = np.zeros((*NORTH.shape, 4), np.float32), np.zeros(NORTH.shape, np.uint16)
    for horn in range(swath.sizes["horn"]):
        part = swath.isel(horn=horn)
        h, v, latitude, longitude = (
            part[name].values for name in (*HIGH_CHANNELS, "latitude", "longitude")
        )
        accumulate(
            (h, v), project_samples((latitude, longitude), lattice), cells, lattice, HIGH_BEAM
        )
    sums = cells[0]
    with np.errstate(invalid="ignore"):  # cells that nothing reaches
        return {
            name: sums[..., 2 * k + 1] / sums[..., 2 * k] for k, name in enumerate(HIGH_CHANNELS)
        }


def kd_tree_gauss(swath: xr.Dataset) -> Maps:
    """The published method; both channels share one search."""
    places = SwathDefinition(swath["longitude"].values.ravel(), swath["latitude"].values.ravel())
    both = np.stack([swath[name].values.ravel() for name in HIGH_CHANNELS], -1)
    result = kd_tree.resample_gauss(
        places,
        both,
        AREA,
        radius_of_influence=10_000,
        sigmas=[HIGH_BEAM.sigma] * 2,
        neighbours=30,
        fill_value=np.nan,
    )
    return {name: result[..., k].astype(np.float32) for k, name in enumerate(HIGH_CHANNELS)}


def elliptical(swath: xr.Dataset) -> Maps:
    """EWA of each horn, all rows one scan, then the mean of the horns."""
    horns = []
    for horn in range(swath.sizes["horn"]):
        part = swath.isel(horn=horn)
        places = SwathDefinition(part["longitude"].values, part["latitude"].values)
        _, columns, rows = ll2cr(places, AREA, fill=np.nan)
        images = [part[name].values for name in HIGH_CHANNELS]
        horns.append(fornav(columns, rows, AREA, images, rows_per_scan=len(images[0]))[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells neither horn reaches
        return {
            name: np.nanmean([horn[k] for horn in horns], axis=0)
            for k, name in enumerate(HIGH_CHANNELS)
        }


def rows(runs: int) -> Iterator[Row]:
    """One granule by every method, and a day."""
    warnings.simplefilter("ignore", UserWarning)
    swath = make_swath(SCANS, phase=740.0)
    sizes = f"{SCANS} scans, 2 horns, H and V, onto {NORTH.shape[0]} x {NORTH.shape[1]}"
    slow = interleaved({"kd": lambda: kd_tree_gauss(swath)}, 1)["kd"]
    fast: dict[str, Callable[[], Maps]] = {
        "all": lambda: ours(swath),
        "means": lambda: means_alone(swath),
        "EWA": lambda: elliptical(swath),
    }
    taken = interleaved(fast, runs)
    maps = {name: way() for name, way in fast.items()}
    published = kd_tree_gauss(swath)
    least = _least_traffic(swath)
    for name, what in (("all", "all of 89 GHz of a daily map"), ("means", "H and V alone")):
        for peer_is, peer, other in (
            ("pyresample kd-tree Gaussian", slow, published),
            ("pyresample EWA", taken["EWA"], maps["EWA"]),
        ):
            yield Row(
                subject="gridding",
                what=what,
                sizes=sizes,
                ours=taken[name],
                peer_is=peer_is,
                peer=peer,
                limit_is="memory that must move, at the rate of a copy",
                limit=least,
                peak=peak(),
                note=_apart(maps[name], other),
            )
    yield _added(swath, runs)
    yield _day(make_swath(SCANS, phase=740.0), runs)


def _added(swath: xr.Dataset, runs: int) -> Row:
    """What a granule costs within a day, whose map is made once."""
    day = Accumulator(NORTH, HIGH_CHANNELS)
    taken = interleaved(
        {"all": lambda: day.add(swath), "EWA": lambda: elliptical(swath)}, max(runs, 3)
    )
    return Row(
        subject="gridding",
        what="all of 89 GHz of a daily map, a granule added to a day",
        sizes=f"{SCANS} scans, 2 horns, H and V, onto {NORTH.shape[0]} x {NORTH.shape[1]}",
        ours=taken["all"],
        peer_is="pyresample EWA, the means of H and V alone",
        peer=taken["EWA"],
        peak=peak(),
        note="quarters, time, spread and counts as well; the map is made once a day",
    )


def _least_traffic(swath: xr.Dataset) -> float:
    """Seconds to read samples and places once, and to read and write every cell's sums once."""
    samples = 4 * swath["tb89v"].nbytes
    cells = NORTH.shape[0] * NORTH.shape[1] * (4 * 4 + 2 + 2 * 4)
    return (samples + cells) / copy_rate()


def _apart(mine: Maps, other: Maps) -> str:
    difference = np.abs(mine["tb89v"] - other["tb89v"])
    holes = int((np.isfinite(other["tb89v"]) & ~np.isfinite(mine["tb89v"])).sum())
    return (
        f"median difference {np.nanmedian(difference):.3f} K, "
        f"99 % {np.nanpercentile(difference, 99):.2f} K, "
        f"{holes} holes that it has not"
    )


def _day(swath: xr.Dataset, runs: int) -> Row:
    """All channels of 29 granules; they lie in one place, which costs no less."""
    whole = interleaved(
        {"day": lambda: grid_day((swath for _ in range(GRANULES)), NORTH, date(2020, 3, 3))},
        max(runs // 5, 1),
    )["day"]
    return Row(
        subject="gridding",
        what="a full day, all channels",
        sizes=f"{GRANULES} granules of {SCANS} northern scans",
        ours=Taken(wall=whole.wall, cpu=whole.cpu, runs=whole.runs),
        peak=peak(),
        note="target 15 s on two free cores; without reading",
    )
