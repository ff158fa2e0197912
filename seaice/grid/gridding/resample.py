"""Swaths in, daily maps out.

Every sample is spread over the cells around it with a Gaussian weight of its ground distance
(the published method: Feng, Liu, Li 2023, doi 10.1109/JSTARS.2022.3232533, section II), summed
swath by swath, so that memory does not grow with the number of granules. No neighbour search:
a sample knows which cells it reaches. Maps that share no sums are added to at the same time, and
the next swath is read meanwhile; every sum is still made in the order of the samples, so that the
map is the same to the bit on any number of processors.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date as Date
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import NoInputError
from seaice.grid.dataset import coordinates, hemisphere_of
from seaice.grid.definition import Grid
from seaice.grid.gridding.quarters import quartered
from seaice.grid.gridding.splat import (
    HIGH_BEAM,
    LOW_BEAM,
    QUARTER_BEAM,
    count_inside,
    lattice_of,
    located,
    splat,
)
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_BANDS
from seaice.vocabulary import attrs

__all__ = ["Accumulator", "grid_day", "on_day"]

Samples = NDArray[np.float32]
Horn = tuple[Samples, Samples, NDArray[np.float64], NDArray[np.float64]]
"""tb89h and tb89v, (scan, pixel); seconds, (scan,); where samples lie, as `located` has it."""

MIDDLE = np.float32(200.0)  #: K; squares are summed around it, where float32 still resolves 0.01 K


def on_day(swath: xr.Dataset, date: Date) -> xr.Dataset:
    """The scans of a swath that were made on this UTC day."""
    start = np.datetime64(date.isoformat(), "ns")
    time = swath["time"].values
    inside = (time >= start) & (time < start + np.timedelta64(1, "D"))
    return swath if inside.all() else swath.isel(scan=np.flatnonzero(inside))


def grid_day(swaths: Iterable[xr.Dataset], grid: Grid, date: Date) -> xr.Dataset:
    """The daily map of all samples made on one UTC day.

    Parameters
    ----------
    swaths : iterable of swath datasets
        Taken one after another; a generator keeps memory at two swaths, for it runs in a thread
        of its own, one swath ahead.
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
    for swath in _ahead(swaths):
        day.add(on_day(swath, date))
    return day.daily_map(date)


def _ahead(swaths: Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    """Each swath, while the next is being read."""
    source = iter(swaths)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, source, None)
        while (swath := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield swath


class Accumulator:
    """Sums of weights and of weighted temperatures on a grid, to which swaths are added.

    Parameters
    ----------
    grid : where the map will be
    channels : names of `seaice.instrument.CHANNELS`
        Low-frequency bands of which no channel is named take no memory.
    """

    def __init__(self, grid: Grid, channels: Sequence[str] = CHANNELS) -> None:
        self.grid = grid
        self.channels = tuple(channels)
        self.granules: list[str] = []
        self.samples: dict[str, int] = {}  #: of 89 GHz, on the grid, by granule
        self.origin = "observed"
        self._lattice = lattice_of(grid)
        halves = grid.refine(2)
        self._quarter_lattice = lattice_of(halves)
        self._epoch = np.datetime64("NaT", "ns")
        # tb89h, tb89v, its square, time
        self._high = np.zeros((*grid.shape, 8)), np.zeros(grid.shape, np.uint16)
        # tb89h, tb89v
        self._quarters = (
            np.zeros((*halves.shape, 4), np.float32),
            np.zeros(halves.shape, np.uint16),
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
            given = sum(workers.map(lambda task: task(), tasks))
        if given:
            name = str(swath.attrs.get("granule", "unnamed"))
            inside = (
                count_inside((h, v), p, self.grid.shape, self._lattice) for h, v, _, p in horns
            )
            # a sample beside the grid may reach its outermost cells
            self.samples[name] = self.samples.get(name, 0) + max(sum(inside), 1)
            self.granules.append(name)
            if swath.attrs.get("origin") == "simulated":
                self.origin = "simulated"

    def _horn(self, swath: xr.Dataset, seconds: NDArray[np.float64], horn: int) -> Horn:
        part = swath.isel(horn=horn)
        h, v = (_samples(part[name]) for name in HIGH_CHANNELS)
        points = located(_position(part, "latitude", "longitude"), self._lattice)
        return h, v, seconds, points

    def _add_quarters(self, horns: Sequence[Horn]) -> int:
        for h, v, _, points in horns:
            splat((h, v), points, self._quarters, self._quarter_lattice, QUARTER_BEAM)
        return 0  # cells count the same samples

    def _add_cells(self, horns: Sequence[Horn]) -> int:
        given = 0
        for h, v, seconds, points in horns:
            time = np.where(np.isnan(h) & np.isnan(v), np.nan, seconds[:, None])
            values = h, v, np.square(v - MIDDLE), time.astype(np.float32)
            given += splat(values, points, self._high, self._lattice, HIGH_BEAM)
        return given

    def _add_band(self, swath: xr.Dataset, band: str) -> int:
        names = [f"tb{band}{pol}" for pol in "hv"]
        if not any(name in swath for name in names):
            return 0
        place = swath[["latitude_low", "longitude_low"]].sel(band=band)
        points = located(_position(place, "latitude_low", "longitude_low"), self._lattice)
        absent = np.full(points.shape[:2], np.nan, np.float32)
        h, v = (_samples(swath[name]) if name in swath else absent for name in names)
        return splat((h, v), points, self._low[band], self._lattice, LOW_BEAM)

    def _seconds(self, swath: xr.Dataset) -> NDArray[np.float64]:
        """Seconds since the first scan ever added, (scan,); NaN for NaT."""
        time = swath["time"].values
        if np.isnat(self._epoch) and time.size:
            self._epoch = np.nanmin(time)
        return np.asarray((time - self._epoch) / np.timedelta64(1, "s"))

    def daily_map(self, date: Date) -> xr.Dataset:
        """The map of what was added so far, stamped with this day.

        Raises
        ------
        NoInputError
            If nothing that was added reaches the grid.
        """
        if not self.granules:
            raise NoInputError(
                f"no sample of {date} on the {hemisphere_of(self.grid)}ern grid",
                "at least one granule with scans of that UTC day over it",
                "check the date, the region, and that the folder holds that day's granules",
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
        variance = square - (v - MIDDLE) ** 2
        return {
            **{name: means[name].astype(np.float32) for name in self.channels},
            "n_obs": count.copy(),
            "obs_time": self._moment(seconds),
            "spread": np.sqrt(np.maximum(variance, 0)).astype(np.float32),
        }

    def _quarter_maps(self) -> dict[str, tuple[tuple[str, ...], NDArray[np.floating], object]]:
        return {
            f"{name}_quarter": (
                ("quarter", "y", "x"),
                quartered(_mean(self._quarters[0], index)),
                attrs(f"{name}_quarter"),
            )
            for index, name in enumerate(HIGH_CHANNELS)
        }

    def _moment(self, seconds: NDArray[np.floating]) -> NDArray[np.datetime64]:
        """Seconds since the epoch as datetime64[ns]; NaT for NaN."""
        whole = np.where(np.isnan(seconds), 0, seconds * 1e9).astype("timedelta64[ns]")
        whole[np.isnan(seconds)] = np.timedelta64("NaT")
        return np.asarray(self._epoch + whole, "datetime64[ns]")


def _samples(values: xr.DataArray) -> Samples:
    """As compiled code wants them: float32, in one piece."""
    return np.ascontiguousarray(values.values, np.float32)


def _position(part: xr.Dataset, latitude: str, longitude: str) -> tuple[Samples, Samples]:
    return _samples(part[latitude]), _samples(part[longitude])


def _mean(sums: NDArray[np.floating], quantity: int) -> NDArray[np.floating]:
    """Weighted mean of one quantity where it has weight, else NaN."""
    weight, total = sums[..., 2 * quantity], sums[..., 2 * quantity + 1]
    mean = np.full(weight.shape, np.nan, sums.dtype)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean
