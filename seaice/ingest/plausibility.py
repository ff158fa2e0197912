"""Checks of one swath's brightness temperatures and positions against what AMSR2 can observe.

A file may be complete and still hold wrong numbers: polarizations swapped, a constant, an offset, a
wrong scale, the positions of horns A and B swapped. `check_plausibility` refuses what cannot be an
observation and returns warnings for what is only unusual. All limits come from 42 639 real AMSR2
samples (Round Robin Data Package, doi 10.6084/m9.figshare.6626549), which cover open water and
closed ice of both hemispheres and all seasons; docs/input_checks.md lists them.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import GranuleError
from seaice.ingest.quality import Quality
from seaice.instrument import BANDS, HIGH_CHANNELS, LOW_BANDS

__all__ = ["OPEN_WATER", "check_plausibility", "flagged_share"]

Array = NDArray[np.float32]

SAMPLES = 60_000  #: samples of a swath that are looked at; more would not change a median
FEWEST = 500  #: samples that a median needs
LEAST_SPREAD = 3.0  #: K between percentiles 1 and 99 of tb89v; the sensor's noise alone gives 5.6
POLAR = 50.0  #: degrees of latitude: nearer to the equator the real samples say nothing of level
MANY_FLAGGED = 0.2  #: share of samples flagged by the instrument from which on a warning is given
ALL_FLAGGED = 0.99  #: share from which on the granule is refused
LAGS = (1, 2, 3)  #: scans by which one horn follows the other: AMSR2's footprints are 1.5 apart
CLEARLY = 1.03  #: ratio of mean differences from which on one order of the horns is the true one
ERRORS = 6.0  #: standard errors by which the mean differences must differ besides
FARTHER = 2.0  #: km by which the positions of the other order must be farther apart


class Level(NamedTuple):
    """Open water is selected by V - H, which an offset does not change; V must then lie between."""

    least_difference: float  #: K, V - H from which on a sample is open water without doubt
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
    """Refuse a swath that cannot be an observation; what is unusual about one that may be.

    Parameters
    ----------
    swath : as `seaice.ingest.read.read_swath` returns it

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


def flagged_share(swath: xr.Dataset) -> float:
    """Share of the 89 GHz samples whose quality byte is not 0."""
    flags = swath["quality_flag"].values
    return float(((flags & Quality.FLAGGED) > 0).mean()) if flags.size else 0.0


def _warnings(swath: xr.Dataset) -> list[str]:
    shares = {
        "89 GHz samples are flagged by the instrument (Pixel Data Quality 89)": flagged_share(
            swath
        ),
        "low-frequency samples are flagged by the instrument (Pixel Data Quality 6 to 36)": float(
            swath.attrs.get("flagged_low", 0.0)
        ),
    }
    return [
        f"{share:.0%} of the {what}; they are used" for what, share in shares.items()
        if share >= MANY_FLAGGED
    ]  # fmt: skip


def _check_flags(swath: xr.Dataset) -> None:
    share = flagged_share(swath)
    if share >= ALL_FLAGGED:
        raise _refused(
            swath,
            f"the instrument flags {share:.0%} of the 89 GHz samples (Pixel Data Quality 89)",
            "samples that the instrument calls good",
            "leave the granule out, or fetch a later processing of it",
        )


def _check_spread(swath: xr.Dataset) -> None:
    values = _thinned(swath["tb89v"].values)
    values = values[np.isfinite(values)]
    if values.size < FEWEST:
        return
    low, high = np.percentile(values, [1, 99])
    if high - low < LEAST_SPREAD:
        raise _refused(
            swath,
            f"tb89v lies between {low:.1f} and {high:.1f} K in 98 of 100 samples",
            f"a spread of more than {LEAST_SPREAD:g} K, as sensor noise alone gives",
        )


def _check_polarization(swath: xr.Dataset) -> None:
    """At 55 degrees incidence the median of V is above that of H over every sea surface."""
    sea = ~(_thinned(swath["land_fraction"].values) > 0)
    pairs = {"89": tuple(_thinned(swath[name].values) for name in HIGH_CHANNELS)}
    pairs |= {band: _low_pair(swath, band) for band in LOW_BANDS if f"tb{band}v" in swath}
    low_sea = ~(_at_low(swath, "land_fraction") > 0)
    for band, (h, v) in pairs.items():
        difference = (v - h)[sea if band == "89" else low_sea]
        difference = difference[np.isfinite(difference)]
        if difference.size >= FEWEST and (median := float(np.median(difference))) <= 0:
            raise _refused(
                swath,
                f"V is below H at {BANDS[band].label} GHz (median of V - H: {median:.1f} K at sea)",
                "V above H; the two may be swapped",
            )


def _check_level(swath: xr.Dataset) -> None:
    """Open water, known by V - H, has a level that varies by a few kelvins only."""
    for band, limits in OPEN_WATER.items():
        if band == "89":
            h, v = (_thinned(swath[name].values) for name in HIGH_CHANNELS)
            land = _thinned(swath["land_fraction"].values)
            latitude = _thinned(swath["latitude"].values)
        elif f"tb{band}v" in swath:
            h, v = _low_pair(swath, band)
            land, latitude = (_at_low(swath, name) for name in ("land_fraction", "latitude"))
        else:
            continue
        water = (v - h > limits.least_difference) & ~(land > 0) & (np.abs(latitude) >= POLAR)
        if water.sum() < FEWEST:
            continue
        median = float(np.median(v[water]))
        if not limits.low <= median <= limits.high:
            raise _refused(
                swath,
                f"open water has a median of {median:.1f} K at {BANDS[band].label} GHz V",
                f"{limits.low:g} to {limits.high:g} K; the calibration or scale may be wrong",
            )


def _check_horns(swath: xr.Dataset) -> None:
    """Positions and brightness temperatures must agree on which horn sees a place first.

    Horn B sees 1.5 scans later or earlier what horn A sees. Lags at which the brightness
    temperatures of both agree best are those at which their positions are nearest.
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
    clear = excess > max((CLEARLY - 1.0) * differences[seen], ERRORS * error)
    if clear and distances[seen] > distances[-seen] + FARTHER:
        raise _refused(
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
    if any(part.size < FEWEST for part in parts):
        return np.nan, np.nan
    errors = [part.std() / np.sqrt(part.size) for part in parts]
    return float(np.mean([part.mean() for part in parts])), float(np.mean(errors))


def _mean_distance(latitude: Array, longitude: Array, sign: int) -> float:
    """Mean distance in km of the positions of both horns, `LAGS` scans apart."""
    found = []
    for lag in LAGS:
        (la, lb), (oa, ob) = _lagged(latitude, sign * lag), _lagged(longitude, sign * lag)
        east = (np.remainder(oa - ob + 180.0, 360.0) - 180.0) * np.cos(np.radians(la))
        distance = 111.2 * np.hypot(la - lb, east)
        known = distance[np.isfinite(distance)]
        found.append(known.mean() if known.size else np.nan)
    return float(np.mean(found))


def _low_pair(swath: xr.Dataset, band: str) -> tuple[Array, Array]:
    """H and V of a low-frequency band, thinned; NaN for a channel that is not there."""
    v = _thinned(swath[f"tb{band}v"].values)
    name = f"tb{band}h"
    return (_thinned(swath[name].values) if name in swath else np.full_like(v, np.nan)), v


def _at_low(swath: xr.Dataset, name: str) -> Array:
    """A variable of horn A at the samples of the low frequencies (every second one), thinned."""
    every = swath.sizes["pixel"] // swath.sizes["pixel_low"]
    return _thinned(swath[name].values[0, :, ::every][:, : swath.sizes["pixel_low"]])


def _thinned(values: Array) -> Array:
    """Every n-th scan and pixel, so that about `SAMPLES` are left; the same for equal shapes."""
    step = max(1, int(np.sqrt(values.size / SAMPLES)))
    return np.asarray(values[..., ::step, ::step])


def _refused(
    swath: xr.Dataset,
    found: str,
    expected: str,
    do_next: str = "fetch the granule again, or leave it out",
) -> GranuleError:
    return GranuleError(f"{swath.attrs.get('granule', 'a swath')}: {found}", expected, do_next)
