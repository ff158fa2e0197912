"""Checks of one swath: brightness temperatures, positions of the horns, scan times.

A file may be complete and still contain wrong numbers: swapped polarizations, a constant, an
offset, a wrong scale, swapped positions of horns A and B. `check_plausibility` refuses what cannot
be an observation and returns warnings for what is only unusual. Its limits come from 42 639 real
AMSR2 samples (Round Robin Data Package, doi 10.6084/m9.figshare.6626549), which cover open water
and closed ice of both hemispheres and all seasons; docs/input_checks.md lists them.

One satellite makes one scan at a time. Scans of two files with the same times and positions are the
same observation, for example of a standard granule and of a direct-readout copy that starts a
minute later; `UsedScans` counts them once.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import GranuleError
from seaice.instrument import BANDS, HIGH_CHANNELS, LOW_BANDS
from seaice.io.decoding import Quality
from seaice.io.granules import MAX_DURATION, GranuleName

__all__ = [
    "OPEN_WATER",
    "UsedScans",
    "by_preference",
    "check_plausibility",
    "check_start_time",
    "flagged_fraction",
]

Array = NDArray[np.float32]

MAX_SAMPLES = 60_000  #: samples of a swath that are checked; more would not change a median
MIN_SAMPLES = 500  #: samples needed for a median
MIN_SPREAD = 3.0  #: K between percentiles 1 and 99 of tb89v; sensor noise alone has 5.6
MIN_LATITUDE = 50.0  #: degrees; the real samples behind `OPEN_WATER` are all closer to a pole
#: fraction of samples flagged by the instrument from which on a warning is given
MANY_FLAGGED = 0.2
ALL_FLAGGED = 0.99  #: fraction from which on the granule is refused
LAGS = (1, 2, 3)  #: scans between the horns that are compared; AMSR2's footprints are 1.5 apart
MIN_RATIO = 1.03  #: of the mean differences at both orders, from which on one order is the true one
MIN_STANDARD_ERRORS = 6.0  #: by which the mean differences must differ as well
MIN_EXTRA_DISTANCE = 2.0  #: km by which positions must be farther apart at the true order


class Level(NamedTuple):
    """Range of the median of V over open water, which is selected by V - H, free of offsets."""

    least_difference: float  #: K, V - H from which on a sample is certainly open water
    low: float  #: K, of the median of V
    high: float  #: K, of the median of V


#: Medians of V of real open water, month by month and hemisphere by hemisphere, lie within
#: 160.3-162.4 (6.9 GHz), 169.3-170.9 (10.7), 188.3-191.7 (18.7), 211.3-217.1 (36.5) and
#: 239.8-245.2 K (89); the limits are 6 to 8 K wider.
OPEN_WATER = {
    "6": Level(75.0, 154.0, 168.0),
    "10": Level(72.0, 163.0, 177.0),
    "18": Level(68.0, 181.0, 199.0),
    "36": Level(58.0, 204.0, 224.0),
    "89": Level(45.0, 232.0, 252.0),
}


def check_plausibility(swath: xr.Dataset) -> list[str]:
    """Refuse a swath that cannot be an observation; return warnings about one that can.

    Parameters
    ----------
    swath : as `seaice.io.readers.read_swath` returns it

    Returns
    -------
    list of str
        Warnings, each a clause without the granule's name.

    Raises
    ------
    GranuleError
        If the brightness temperatures are constant, if V is not above H over the sea, if open
        water has an impossible level, if the positions of horns A and B are swapped, or if the
        instrument flags every sample.
    """
    _check_flags(swath)
    _check_spread(swath)
    _check_polarization(swath)
    _check_level(swath)
    _check_horns(swath)
    return _warnings(swath)


def flagged_fraction(swath: xr.Dataset) -> float:
    """Fraction of the 89 GHz samples whose quality byte is not 0."""
    flags = swath["quality_flag"].values
    return float(((flags & Quality.FLAGGED) > 0).mean()) if flags.size else 0.0


def _warnings(swath: xr.Dataset) -> list[str]:
    fractions = {
        "89 GHz samples are flagged by the instrument (Pixel Data Quality 89)": flagged_fraction(
            swath
        ),
        "low-frequency samples are flagged by the instrument (Pixel Data Quality 6 to 36)": float(
            swath.attrs.get("flagged_low", 0.0)
        ),
    }
    return [
        f"{fraction:.0%} of the {what}; they are used" for what, fraction in fractions.items()
        if fraction >= MANY_FLAGGED
    ]  # fmt: skip


def _check_flags(swath: xr.Dataset) -> None:
    fraction = flagged_fraction(swath)
    if fraction >= ALL_FLAGGED:
        raise _error(
            swath,
            f"the instrument flags {fraction:.0%} of the 89 GHz samples (Pixel Data Quality 89)",
            "samples that the instrument does not flag",
            "remove the granule, or fetch a later processing of it",
        )


def _check_spread(swath: xr.Dataset) -> None:
    values = _subsample(swath["tb89v"].values)
    values = values[np.isfinite(values)]
    if values.size < MIN_SAMPLES:
        return
    low, high = np.percentile(values, [1, 99])
    if high - low < MIN_SPREAD:
        raise _error(
            swath,
            f"tb89v lies between {low:.1f} and {high:.1f} K in 98 of 100 samples",
            f"a spread of more than {MIN_SPREAD:g} K, which sensor noise alone exceeds",
        )


def _check_polarization(swath: xr.Dataset) -> None:
    """At 55 degrees incidence the median of V is above that of H over every sea surface."""
    sea = ~(_subsample(swath["land_fraction"].values) > 0)
    pairs = {"89": tuple(_subsample(swath[name].values) for name in HIGH_CHANNELS)}
    pairs |= {band: _low_pair(swath, band) for band in LOW_BANDS if f"tb{band}v" in swath}
    low_sea = ~(_at_low(swath, "land_fraction") > 0)
    for band, (h, v) in pairs.items():
        difference = (v - h)[sea if band == "89" else low_sea]
        difference = difference[np.isfinite(difference)]
        if difference.size >= MIN_SAMPLES and (median := float(np.median(difference))) <= 0:
            raise _error(
                swath,
                f"V is below H at {BANDS[band].label} GHz (median of V - H: {median:.1f} K at sea)",
                "V above H; they may be swapped",
            )


def _check_level(swath: xr.Dataset) -> None:
    """The median of V over open water, selected by V - H, varies by a few kelvins only."""
    for band, limits in OPEN_WATER.items():
        if band == "89":
            h, v = (_subsample(swath[name].values) for name in HIGH_CHANNELS)
            land = _subsample(swath["land_fraction"].values)
            latitude = _subsample(swath["latitude"].values)
        elif f"tb{band}v" in swath:
            h, v = _low_pair(swath, band)
            land, latitude = (_at_low(swath, name) for name in ("land_fraction", "latitude"))
        else:
            continue
        water = (v - h > limits.least_difference) & ~(land > 0) & (np.abs(latitude) >= MIN_LATITUDE)
        if water.sum() < MIN_SAMPLES:
            continue
        median = float(np.median(v[water]))
        if not limits.low <= median <= limits.high:
            raise _error(
                swath,
                f"open water has a median of {median:.1f} K at {BANDS[band].label} GHz V",
                f"{limits.low:g} to {limits.high:g} K; the calibration or scale may be wrong",
            )


def _check_horns(swath: xr.Dataset) -> None:
    """Positions and brightness temperatures must agree on which horn leads.

    Horn B observes a position 1.5 scans later or earlier than horn A. At the lags of best agreement
    between their brightness temperatures their positions must be closest, too.
    """
    if swath.sizes["horn"] != 2 or swath.sizes["scan"] < 8 * LAGS[-1]:
        return
    step = max(1, swath.sizes["pixel"] // 60)
    tb = swath["tb89v"].values[..., ::step]
    latitude, longitude = (swath[name].values[..., ::step] for name in ("latitude", "longitude"))
    both = {sign: _mean_difference(tb, sign) for sign in (1, -1)}
    differences = {sign: mean for sign, (mean, _) in both.items()}
    error = float(np.linalg.norm([error for _, error in both.values()]))
    distances = {sign: _mean_distance(latitude, longitude, sign) for sign in (1, -1)}
    if not all(map(np.isfinite, (*differences.values(), *distances.values()))):
        return
    seen = 1 if differences[1] < differences[-1] else -1
    excess = differences[-seen] - differences[seen]
    clear = excess > max((MIN_RATIO - 1.0) * differences[seen], MIN_STANDARD_ERRORS * error)
    if clear and distances[seen] > distances[-seen] + MIN_EXTRA_DISTANCE:
        raise _error(
            swath,
            "positions of horns A and B that contradict their 89 GHz brightness temperatures "
            f"(mean difference {differences[seen]:.1f} K at {distances[seen]:.0f} km, "
            f"{differences[-seen]:.1f} K at {distances[-seen]:.0f} km)",
            "the smaller difference at the shorter distance; the positions may be swapped",
        )


def _lagged(values: Array, lag: int) -> tuple[Array, Array]:
    """Horn A of a scan, and horn B of the scan that is `lag` later."""
    a, b = values
    return (a[:-lag], b[lag:]) if lag > 0 else (a[-lag:], b[:lag])


def _mean_difference(tb: Array, sign: int) -> tuple[float, float]:
    """Mean of |A - B| in K over `LAGS`, and its standard error; NaN for too few samples."""
    pairs = [_lagged(tb, sign * lag) for lag in LAGS]
    parts = [np.abs(a - b)[np.isfinite(a - b)] for a, b in pairs]
    if any(part.size < MIN_SAMPLES for part in parts):
        return np.nan, np.nan
    errors = [part.std() / np.sqrt(part.size) for part in parts]
    return float(np.mean([part.mean() for part in parts])), float(np.mean(errors))


def _mean_distance(latitude: Array, longitude: Array, sign: int) -> float:
    """Mean distance in km of the positions of both horns, `LAGS` scans apart."""
    means = []
    for lag in LAGS:
        (la, lb), (oa, ob) = _lagged(latitude, sign * lag), _lagged(longitude, sign * lag)
        east = (np.remainder(oa - ob + 180.0, 360.0) - 180.0) * np.cos(np.radians(la))
        distance = 111.2 * np.hypot(la - lb, east)
        known = distance[np.isfinite(distance)]
        means.append(known.mean() if known.size else np.nan)
    return float(np.mean(means))


def _low_pair(swath: xr.Dataset, band: str) -> tuple[Array, Array]:
    """H and V of a low-frequency band, subsampled; NaN for a missing channel."""
    v = _subsample(swath[f"tb{band}v"].values)
    name = f"tb{band}h"
    return (_subsample(swath[name].values) if name in swath else np.full_like(v, np.nan)), v


def _at_low(swath: xr.Dataset, name: str) -> Array:
    """A variable of horn A at the samples of the low frequencies (every second), subsampled."""
    every = swath.sizes["pixel"] // swath.sizes["pixel_low"]
    return _subsample(swath[name].values[0, :, ::every][:, : swath.sizes["pixel_low"]])


def _subsample(values: Array) -> Array:
    """Every n-th scan and pixel, about `MAX_SAMPLES`; n depends on the shape only."""
    step = max(1, int(np.sqrt(values.size / MAX_SAMPLES)))
    return np.asarray(values[..., ::step, ::step])


def _error(
    swath: xr.Dataset,
    found: str,
    expected: str,
    do_next: str = "fetch the granule again, or remove it",
) -> GranuleError:
    return GranuleError(f"{swath.attrs.get('granule', 'a swath')}: {found}", expected, do_next)


MAX_EARLY_START = timedelta(minutes=5)  #: of the first scan before the minute in the file name
HALF_SCAN = np.timedelta64(750, "ms")
MAX_UNREPORTED_REPEATS = 60  #: repeated scans of neighbouring granules dropped without a warning
MAX_DISTANCE = 50.0  #: km between positions of the same scan in two files


def by_preference(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Sort standard granules before direct readout, L1B before L1R; else the order is kept."""
    return tuple(sorted(paths, key=_rank))


def _rank(path: Path) -> tuple[bool, bool]:
    try:
        name = GranuleName.parse(path)
    except GranuleError:
        return (False, False)
    return name.receipt != "SG", name.level != "L1B"


def check_start_time(swath: xr.Dataset, path: Path) -> None:
    """Compare the time of the first scan with the start in the file's name.

    Raises
    ------
    GranuleError
        If the scans start 5 minutes or more before it, or an hour or more after it.
    """
    time = swath["time"].values
    known = time[~np.isnat(time)]
    try:
        start = GranuleName.parse(path).start
    except GranuleError:
        return
    if not known.size:
        return
    first, last = known.min(), known.max()
    named = np.datetime64(start, "ns")
    if not named - np.timedelta64(MAX_EARLY_START) <= first < named + np.timedelta64(MAX_DURATION):
        raise GranuleError(
            f"{path.name}: scans from {_minute(first)} to {_minute(last)} UTC",
            f"scans from {_minute(named)} on, as in its name",
            "fetch the granule again, or restore the name that JAXA distributes",
        )


@dataclass(slots=True)
class UsedScans:
    """Times and positions of the scans that are already used."""

    names: list[str] = field(default_factory=list)
    times: list[NDArray[np.datetime64]] = field(default_factory=list)
    positions: list[NDArray[np.float64]] = field(default_factory=list)

    def new_scans(self, swath: xr.Dataset) -> tuple[xr.Dataset, str]:
        """The scans of a swath that are not in earlier ones, and a note if many were dropped.

        Raises
        ------
        GranuleError
            If no scan is new, or scans with the same times have other positions.
        """
        time, name = swath["time"].values, str(swath.attrs.get("granule", "unnamed"))
        position = _middle_positions(swath)
        repeated = np.zeros(time.size, bool)
        others: list[str] = []
        for other, seen, where in zip(self.names, self.times, self.positions, strict=True):
            same = (time >= seen[0] - HALF_SCAN) & (time <= seen[-1] + HALF_SCAN)
            if not same.any():
                continue
            nearest = np.clip(np.searchsorted(seen, time[same]), 0, seen.size - 1)
            _check_distance(name, other, _distance(position[same], where[nearest]))
            repeated |= same
            others.append(other)
        fresh = ~repeated
        if others and not fresh.any():
            raise GranuleError(
                f"{name}: all of its {time.size} scans are also in {', '.join(others)}",
                "scans that no other file contains",
                "nothing; one of the copies is enough",
            )
        self._remember(name, time[fresh], position[fresh])
        if not others:
            return swath, ""
        dropped = int(repeated.sum())
        note = f"{dropped} of its scans are also in {', '.join(others)} and counted once"
        return swath.isel(
            scan=np.flatnonzero(fresh)
        ), note if dropped > MAX_UNREPORTED_REPEATS else ""

    def _remember(
        self, name: str, time: NDArray[np.datetime64], position: NDArray[np.float64]
    ) -> None:
        known = ~np.isnat(time)
        if known.any():
            order = np.argsort(time[known])
            self.names.append(name)
            self.times.append(time[known][order])
            self.positions.append(position[known][order])


def _middle_positions(swath: xr.Dataset) -> NDArray[np.float64]:
    """Latitude and longitude of the middle sample of horn A, (scan, 2) degrees."""
    middle = swath.sizes["pixel"] // 2
    columns = [swath[name].values[0, :, middle] for name in ("latitude", "longitude")]
    return np.stack(columns, -1).astype(np.float64)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Median distance, km; NaN where no position is known."""
    a, b = np.radians(one), np.radians(other)
    inner = np.sin(a[:, 0]) * np.sin(b[:, 0])
    inner += np.cos(a[:, 0]) * np.cos(b[:, 0]) * np.cos(a[:, 1] - b[:, 1])
    known = inner[np.isfinite(inner)]
    return float(6371.0 * np.median(np.arccos(np.clip(known, -1, 1)))) if known.size else np.nan


def _check_distance(name: str, other: str, distance: float) -> None:
    if distance > MAX_DISTANCE:
        raise GranuleError(
            f"{name}: scans at the same times as in {other}, {distance:.0f} km away",
            "one position of the satellite at a time; one of the two has wrong times or positions",
            "compare both with the archive, and remove the wrong one",
        )


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
