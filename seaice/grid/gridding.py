"""Swaths in, daily maps out.

Every sample contributes to the cells around it with a Gaussian weight of its ground distance
(the published method: Feng, Liu, Li 2023, doi 10.1109/JSTARS.2022.3232533, section II). Sums are
accumulated swath by swath, so that memory does not grow with the number of granules. No neighbour
search is needed: the cells within reach follow from a sample's position. Maps with separate sums
are processed in parallel while the next swath is read; every sum is made in the order of the
samples, so that the map has the same bits on any number of processors.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date as Date
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.cf import attrs
from seaice.compiled import compiled
from seaice.errors import NoInputError
from seaice.grid.blocks import QUARTERS, space_to_depth
from seaice.grid.grid import HEMISPHERES, Grid, coordinates, hemisphere_of
from seaice.grid.projection import PolarStereographic, polar_stereographic, project_point
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.io.nsidc import read_au_si6

__all__ = [
    "HIGH_BEAM",
    "LOW_BEAM",
    "QUARTER_BEAM",
    "Accumulator",
    "Beam",
    "CellSums",
    "CompiledGrid",
    "accumulate",
    "compiled_grid",
    "count_inside",
    "daily_map_from_au_si6",
    "grid_day",
    "project_samples",
    "scans_of_day",
]

CellSums = tuple[NDArray[np.floating], NDArray[np.uint16]]


class Beam(NamedTuple):
    """Gaussian weight of a sample at ground distance d: exp(-d^2 / sigma^2) up to `radius`."""

    sigma: float  #: m
    radius: float  #: m


def _beam(fwhm: float, radius: float) -> Beam:
    """From the full width at half maximum, as pyresample's `fwhm2sigma` defines sigma.

    >>> round(_beam(4000.0, 10_000.0).sigma, 3)
    2402.245
    """
    return Beam(fwhm / (2 * math.sqrt(math.log(2))), radius)


#: 89 GHz: the mean of the beam's 3 and 5 km, up to twice the longer width. Half a percent is added
#: for the difference between ellipsoid and sphere: every cell that a spherical search fills is
#: filled.
HIGH_BEAM = _beam(4000.0, 10_050.0)
#: 89 GHz on the quarters of a cell: as narrow as samples spaced 5 by 10 km allow without gaps.
QUARTER_BEAM = _beam(3000.0, 6030.0)
#: 6.9 to 36.5 GHz: samples are spaced 10 km, less than any of these footprints (12 to 62 km), so
#: the footprint has already smoothed the field: the weight only averages neighbouring samples.
LOW_BEAM = _beam(10_000.0, 15_075.0)


class CompiledGrid(NamedTuple):
    """A grid as compiled code takes it."""

    plane: PolarStereographic
    left: float  #: m
    top: float  #: m
    cell: float  #: m
    edge: float  #: degrees of latitude; samples closer to the equator reach no cell


@lru_cache(maxsize=16)
def compiled_grid(grid: Grid) -> CompiledGrid:
    """The grid for compiled code.

    Raises
    ------
    UnknownNameError
        If the grid's CRS is not one of `seaice.grid.projection.PROJECTIONS`.
    """
    left, bottom, right, top = grid.bounds
    plane = polar_stereographic(grid.crs)
    to_geographic = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners = to_geographic.transform([left, right, left, right], [top, top, bottom, bottom])
    farthest = float(np.abs(corners[1]).min())
    return CompiledGrid(plane, grid.left, grid.top, grid.cell, max(farthest - 0.2, 0.0))


@compiled
def _gaussian_and_ratio(steepness: float, start: float) -> tuple[float, float]:
    """exp(steepness start^2), and the ratio of the value one cell further to it.

    The ratio changes by exp(2 steepness) per cell: two exponentials per axis instead of one per
    cell.
    """
    return math.exp(steepness * start * start), math.exp(steepness * (2 * start + 1))


@compiled
def _add_sample(
    sample: NDArray[np.float64],
    position: tuple[float, float, float],
    cells: CellSums,
    like: tuple[NDArray[np.float32], ...],
    beam: Beam,
) -> int:
    """Add one sample to every cell whose centre is within the beam's radius; number of cells.

    Parameters
    ----------
    sample : for each quantity 1 and its value, or 0 and 0 where it is missing
    position : column, row, and metres on the ground per cell
    like : one array per quantity; the length of a tuple is known at compile time
    """
    sums, count = cells
    across, down, cell = position
    reach = beam.radius / cell
    row0, row1 = max(math.ceil(down - reach), 0), min(math.floor(down + reach), count.shape[0] - 1)
    if row0 > row1 or across + reach < 0 or across - reach > count.shape[1] - 1:
        return 0
    steepness = -((cell / beam.sigma) ** 2)
    bend = math.exp(2 * steepness)
    first = max(math.ceil(across - reach), 0)  # of the widest row
    edge, edge_ratio = _gaussian_and_ratio(steepness, first - across)
    line, line_ratio = _gaussian_and_ratio(steepness, row0 - down)
    pairs = 0
    for row in range(row0, row1 + 1):
        half = math.sqrt(max(reach * reach - (row - down) ** 2, 0.0))
        last = min(math.floor(across + half), count.shape[1] - 1)
        begin = across - half
        weight, ratio = line * edge, edge_ratio
        for column in range(first, last + 1):
            if column >= begin:
                pairs += 1
                count[row, column] += 1
                for k in range(2 * len(like)):
                    sums[row, column, k] += weight * sample[k]
            weight *= ratio
            ratio *= bend
        line *= line_ratio
        line_ratio *= bend
    return pairs


@compiled
def project_samples(
    position: tuple[NDArray[np.float32], NDArray[np.float32]], grid: CompiledGrid
) -> NDArray[np.float64]:
    """Positions of samples in the projection: (x, y, scale), m, m, projected per ground length.

    Parameters
    ----------
    position : latitude and longitude, (scan, pixel) float32, degrees

    Returns
    -------
    (scan, pixel, 3) float64; NaN where a position is missing or too far away to reach any cell
    """
    latitude, longitude = position
    points = np.empty((*latitude.shape, 3))
    for scan in range(latitude.shape[0]):
        for pixel in range(latitude.shape[1]):
            point = (math.nan, math.nan, math.nan)
            if latitude[scan, pixel] * grid.plane.pole > grid.edge:  # false for NaN
                point = project_point(latitude[scan, pixel], longitude[scan, pixel], grid.plane)
            points[scan, pixel, 0], points[scan, pixel, 1] = point[0], point[1]
            points[scan, pixel, 2] = point[2]
    return points


@compiled
def count_inside(
    values: tuple[NDArray[np.float32], NDArray[np.float32]],
    points: NDArray[np.float64],
    shape: tuple[int, int],
    grid: CompiledGrid,
) -> int:
    """Number of samples with a value inside a grid.

    Parameters
    ----------
    values : two quantities at the same positions, (scan, pixel); one of them suffices
    points : from `project_samples`
    shape : rows and columns
    """
    first, second = values
    inside = 0
    for scan in range(points.shape[0]):
        for pixel in range(points.shape[1]):
            across = (points[scan, pixel, 0] - grid.left) / grid.cell
            down = (grid.top - points[scan, pixel, 1]) / grid.cell
            here = (across >= 0) & (across < shape[1]) & (down >= 0) & (down < shape[0])
            absent = math.isnan(first[scan, pixel]) & math.isnan(second[scan, pixel])
            inside += 1 if here & (not absent) else 0
    return inside


@compiled
def accumulate(
    values: tuple[NDArray[np.float32], ...],
    points: NDArray[np.float64],
    cells: CellSums,
    grid: CompiledGrid,
    beam: Beam,
) -> int:
    """Add samples to the weighted sums of the cells within their reach.

    Distances are on the ground: projected lengths divided by the scale at the sample.

    Parameters
    ----------
    values : quantities at the same positions, each (scan, pixel) float32
        NaN contributes nothing to its own quantity and does not affect the others.
    points : from `project_samples`; samples without a position contribute nothing
    cells : sums (y, x, 2 * quantity) and count (y, x), changed in place
        Weight and weight times value of each quantity; samples with any quantity present.
    grid, beam : the grid and the weights

    Returns
    -------
    int
        Number of (sample, cell) pairs.
    """
    sample = np.empty(2 * len(values), np.float64)
    pairs = 0
    for scan in range(points.shape[0]):
        for pixel in range(points.shape[1]):
            x, y, scale = points[scan, pixel, 0], points[scan, pixel, 1], points[scan, pixel, 2]
            if math.isnan(x):
                continue
            present = 0
            for quantity in range(len(values)):
                value = values[quantity][scan, pixel]
                seen = 0 if math.isnan(value) else 1
                sample[2 * quantity] = seen
                sample[2 * quantity + 1] = value if seen else 0.0
                present += seen
            if present:
                across = (x - grid.left) / grid.cell - 0.5
                down = (grid.top - y) / grid.cell - 0.5
                offset = across, down, grid.cell / scale
                pairs += _add_sample(sample, offset, cells, values, beam)
    return pairs


Samples = NDArray[np.float32]
Horn = tuple[Samples, Samples, NDArray[np.float64], NDArray[np.float64]]
"""tb89h and tb89v, (scan, pixel); seconds, (scan,); positions from `project_samples`."""

#: K, subtracted from tb89v before squares are summed, so that float32 resolves 0.01 K
TB_OFFSET = np.float32(200.0)


def scans_of_day(swath: xr.Dataset, date: Date) -> xr.Dataset:
    """The scans of a swath that were measured on this UTC day."""
    start = np.datetime64(date.isoformat(), "ns")
    time = swath["time"].values
    inside = (time >= start) & (time < start + np.timedelta64(1, "D"))
    return swath if inside.all() else swath.isel(scan=np.flatnonzero(inside))


def grid_day(swaths: Iterable[xr.Dataset], grid: Grid, date: Date) -> xr.Dataset:
    """The daily map of all samples measured on one UTC day.

    Parameters
    ----------
    swaths : iterable of swath datasets
        Read one ahead in a thread; with a generator, at most two swaths are in memory.
    grid : whole hemisphere or a crop of it
    date : UTC day

    Returns
    -------
    Dataset
        The daily map of docs/architecture.md.

    Raises
    ------
    NoInputError
        If no sample of that day reaches the grid.
    """
    day = Accumulator(grid, CHANNELS)
    for swath in _prefetch(swaths):
        day.add(scans_of_day(swath, date))
    return day.daily_map(date)


def _prefetch(swaths: Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    """Each swath, while the next is being read."""
    source = iter(swaths)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, None)
        while (swath := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield swath


class Accumulator:
    """Sums of weights and of weighted brightness temperatures on a grid, to which swaths are added.

    Parameters
    ----------
    grid : of the map
    channels : names of `seaice.instrument.CHANNELS`
        Low-frequency bands without a named channel take no memory.
    """

    def __init__(self, grid: Grid, channels: Sequence[str] = CHANNELS) -> None:
        self.grid = grid
        self.channels = tuple(channels)
        self.granules: list[str] = []
        self.samples: dict[str, int] = {}  #: of 89 GHz, on the grid, by granule
        self.origin = "observed"
        self._target = compiled_grid(grid)
        quarters = grid.refine(2)
        self._quarter_target = compiled_grid(quarters)
        self._epoch = np.datetime64("NaT", "ns")
        # tb89h, tb89v, its square, time
        self._high = np.zeros((*grid.shape, 8)), np.zeros(grid.shape, np.uint16)
        # tb89h, tb89v
        self._quarters = (
            np.zeros((*quarters.shape, 4), np.float32),
            np.zeros(quarters.shape, np.uint16),
        )
        self._low = {
            band: (np.zeros((*grid.shape, 4), np.float32), np.zeros(grid.shape, np.uint16))
            for band in LOW_BANDS
            if {f"tb{band}h", f"tb{band}v"} & set(channels)
        }

    def add(self, swath: xr.Dataset) -> None:
        """Add all samples of a swath, whatever their day."""
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            seconds = self._seconds(swath)
            horns = list(
                workers.map(partial(self._horn, swath, seconds), range(swath.sizes["horn"]))
            )
            tasks: list[Callable[[], int]] = [
                partial(self._add_quarters, horns),
                partial(self._add_cells, horns),
                *(partial(self._add_band, swath, band) for band in self._low),
            ]
            pairs = sum(workers.map(lambda task: task(), tasks))
        if pairs:
            name = str(swath.attrs.get("granule", "unnamed"))
            inside = (
                count_inside((h, v), p, self.grid.shape, self._target) for h, v, _, p in horns
            )
            # a sample outside the grid may contribute to its outermost cells
            self.samples[name] = self.samples.get(name, 0) + max(sum(inside), 1)
            self.granules.append(name)
            if swath.attrs.get("origin") == "simulated":
                self.origin = "simulated"

    def _horn(self, swath: xr.Dataset, seconds: NDArray[np.float64], horn: int) -> Horn:
        part = swath.isel(horn=horn)
        h, v = (_samples(part[name]) for name in HIGH_CHANNELS)
        points = project_samples(_position(part, "latitude", "longitude"), self._target)
        return h, v, seconds, points

    def _add_quarters(self, horns: Sequence[Horn]) -> int:
        for h, v, _, points in horns:
            accumulate((h, v), points, self._quarters, self._quarter_target, QUARTER_BEAM)
        return 0  # cells count the same samples

    def _add_cells(self, horns: Sequence[Horn]) -> int:
        pairs = 0
        for h, v, seconds, points in horns:
            time = np.where(np.isnan(h) & np.isnan(v), np.nan, seconds[:, None])
            values = h, v, np.square(v - TB_OFFSET), time.astype(np.float32)
            pairs += accumulate(values, points, self._high, self._target, HIGH_BEAM)
        return pairs

    def _add_band(self, swath: xr.Dataset, band: str) -> int:
        names = [f"tb{band}{pol}" for pol in "hv"]
        if not any(name in swath for name in names):
            return 0
        positions = swath[["latitude_low", "longitude_low"]].sel(band=band)
        points = project_samples(
            _position(positions, "latitude_low", "longitude_low"), self._target
        )
        absent = np.full(points.shape[:2], np.nan, np.float32)
        h, v = (_samples(swath[name]) if name in swath else absent for name in names)
        return accumulate((h, v), points, self._low[band], self._target, LOW_BEAM)

    def _seconds(self, swath: xr.Dataset) -> NDArray[np.float64]:
        """Seconds since the first scan ever added, (scan,); NaN for NaT."""
        time = swath["time"].values
        if np.isnat(self._epoch) and time.size:
            self._epoch = np.nanmin(time)
        return np.asarray((time - self._epoch) / np.timedelta64(1, "s"))

    def daily_map(self, date: Date) -> xr.Dataset:
        """The map of all swaths added so far, with this date.

        Raises
        ------
        NoInputError
            If no added sample reaches the grid.
        """
        if not self.granules:
            raise NoInputError(
                f"no sample of {date} on the {hemisphere_of(self.grid)}ern grid",
                "at least one granule with scans of that UTC day over it",
                "check the date, the region, and that the folder contains that day's granules",
            )
        variables = self._variables()
        missing = [name for name in self.channels if np.isnan(variables[name]).all()]
        dated = {"time": np.datetime64(f"{date.isoformat()}T12:00", "ns")}
        maps = {name: (("y", "x"), values, attrs(name)) for name, values in variables.items()}
        return xr.Dataset(
            maps | self._quarter_maps(),
            coords=coordinates(self.grid) | dated,
            attrs={
                "crs": self.grid.crs,
                "hemisphere": hemisphere_of(self.grid),
                "date": date.isoformat(),
                "granules": sorted(self.granules),
                "samples": [self.samples[name] for name in sorted(self.granules)],
                "n_granules": len(self.granules),
                "origin": self.origin,
                "rejected": [],
                "missing_channels": missing,
            },
        )

    def _variables(self) -> dict[str, NDArray[np.generic]]:
        sums, count = self._high
        h, v, square, seconds = (_mean(sums, quantity) for quantity in range(4))
        means = {"tb89h": h, "tb89v": v}
        for band, (low, _) in self._low.items():
            means |= {f"tb{band}{pol}": _mean(low, "hv".index(pol)) for pol in "hv"}
        variance = square - (v - TB_OFFSET) ** 2
        return {
            **{name: means[name].astype(np.float32) for name in self.channels},
            "n_obs": count.copy(),
            "obs_time": self._time(seconds),
            "spread": np.sqrt(np.maximum(variance, 0)).astype(np.float32),
        }

    def _quarter_maps(self) -> dict[str, tuple[tuple[str, ...], NDArray[np.floating], object]]:
        return {
            f"{name}_quarter": (
                ("quarter", "y", "x"),
                space_to_depth(_mean(self._quarters[0], index)),
                attrs(f"{name}_quarter"),
            )
            for index, name in enumerate(HIGH_CHANNELS)
        }

    def _time(self, seconds: NDArray[np.floating]) -> NDArray[np.datetime64]:
        """Seconds since the epoch as datetime64[ns]; NaT for NaN."""
        whole = np.where(np.isnan(seconds), 0, seconds * 1e9).astype("timedelta64[ns]")
        whole[np.isnan(seconds)] = np.timedelta64("NaT")
        return np.asarray(self._epoch + whole, "datetime64[ns]")


def _samples(values: xr.DataArray) -> Samples:
    """Contiguous float32, for compiled code."""
    return np.ascontiguousarray(values.values, np.float32)


def _position(part: xr.Dataset, latitude: str, longitude: str) -> tuple[Samples, Samples]:
    return _samples(part[latitude]), _samples(part[longitude])


def _mean(sums: NDArray[np.floating], quantity: int) -> NDArray[np.floating]:
    """Weighted mean of one quantity; NaN where the weight is 0."""
    weight, total = sums[..., 2 * quantity], sums[..., 2 * quantity + 1]
    mean = np.full(weight.shape, np.nan, sums.dtype)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean


def daily_map_from_au_si6(path: str | Path, grid: Grid) -> xr.Dataset:
    """The daily map of an NSIDC AU_SI6 file, on a hemisphere's 6.25 km grid or a crop of it.

    Variables that the file lacks are missing: low frequencies, quarters and spread are NaN, times
    NaT; `n_obs` is 1 where there is a brightness temperature, the least number of samples.

    Raises
    ------
    GranuleError
        If the file is missing, damaged, of another format, undated, or empty.
    NoInputError
        If it has no brightness temperature on this grid.
    ValueError
        If the grid is not a crop of NORTH or SOUTH.
    """
    hemisphere = hemisphere_of(grid)
    rows, columns = grid.within(HEMISPHERES[hemisphere])
    source = read_au_si6(path, hemisphere).isel(y=rows, x=columns)
    seen = np.isfinite(source["tb89h"].values) | np.isfinite(source["tb89v"].values)
    if not seen.any():
        raise NoInputError(
            f"no brightness temperature of {source.attrs['granule']} on this grid",
            "a file that covers the grid",
            "choose another region or another day",
        )
    absent = np.full(grid.shape, np.nan, np.float32)
    variables = {
        **{name: source[name].values for name in HIGH_CHANNELS},
        **{name: absent for name in LOW_CHANNELS},
        "n_obs": seen.astype(np.uint16),
        "obs_time": np.full(grid.shape, np.datetime64("NaT", "ns")),
        "spread": absent,
    }
    unknown = np.full((len(QUARTERS), *grid.shape), np.nan, np.float32)
    variables |= {f"{name}_quarter": unknown for name in HIGH_CHANNELS}
    maps = {
        name: (("quarter", "y", "x")[-values.ndim :], values, attrs(name))
        for name, values in variables.items()
    }
    date = source.attrs["date"]
    dated = {"time": np.datetime64(f"{date}T12:00", "ns")}
    return xr.Dataset(
        maps,
        coords=coordinates(grid) | dated,
        attrs={
            "crs": grid.crs,
            "hemisphere": hemisphere,
            "date": date,
            "granules": [source.attrs["granule"]],
            "n_granules": 1,
            "rejected": [],
            "missing_channels": list(LOW_CHANNELS),
        },
    )
