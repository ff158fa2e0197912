"""Figures of maps, charts and scenes computed by the same code from real and simulated data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from seaice.grid.blocks import SCALE
from seaice.grid.gridding import LOW_BEAM
from seaice.instrument import BANDS, CHANNELS

__all__ = [
    "BINS",
    "COASTAL_CHANNELS",
    "SCENE_CHANNELS",
    "GriddedScene",
    "chart_fractions",
    "closed_ice_slopes",
    "coastal_regression",
    "detail",
    "from_daily_map",
    "interior_land",
    "mixture_regression",
]

Array = NDArray[np.floating]
#: Bounds of the 12 classes of concentration (0-1) of the chart histograms: exactly 0, ten tenths,
#: exactly 1.
BINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COASTAL_CHANNELS = (
    "tb10h", "tb10v", "tb18h", "tb18v", "tb36h", "tb36v", "tb89h", "tb89v",
)  # fmt: skip
#: Channels whose means AI4Arctic's scenes state.
SCENE_CHANNELS = (
    "tb6h", "tb6v", "tb18h", "tb18v", "tb36h", "tb36v", "tb89h", "tb89v",
)  # fmt: skip
CELL = 6.25  #: km, side of the cells of a gridded scene
LEAST_CHARTED = 0.5  #: charted fraction of the surroundings from which on a cell is used
AROUND = 9  #: coarse cells, side of these surroundings: the 6.9 GHz footprint
CLOSED = 0.98  #: concentration from which on a cell counts as closed ice
LEAST_LAND = 0.03  #: land fraction of a footprint from which on a cell is near a coast
WATER_10H = 130.0  #: K at 10.7 GHz H; land is brighter, uncharted open water is darker
INTERIOR_KM = 40.0  #: km to the nearest sea beyond which no footprint sees it
LEAST_SCENES = 8  #: that three coefficients are fitted to
LEAST_WIDTH = 15.0  #: K, 5th to 95th percentile of 36.5 GHz H from which on slopes are fitted
MIDDLE = (0.05, 0.95)  #: mean concentration where detail is measured
FEWEST = 40  #: cells that a regression needs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GriddedScene:
    """One pass on 6.25 km cells with known land and concentration."""

    tb: Array  #: (14, y, x) K, in the order of `CHANNELS`, NaN where absent
    land: NDArray[np.bool_]  #: (4y, 4x)
    sic: Array  #: (y, x) 0-1, mean over the sea of each cell; NaN where not known

    def channel(self, name: str) -> Array:
        """TB of one channel, (y, x) K."""
        values: Array = self.tb[CHANNELS.index(name)]
        return values

    def footprint_land(self, name: str) -> Array:
        """Land fraction of what a channel sees at each cell, (y, x) 0-1."""
        rows, columns = self.tb.shape[1:]
        return footprint_mean(self.land.reshape(rows, SCALE, columns, SCALE).mean((1, 3)), name)

    def footprint_ice(self, name: str) -> Array:
        """Sea ice fraction of what a channel sees at each cell, (y, x) 0-1; unknown is none."""
        rows, columns = self.tb.shape[1:]
        sea = 1 - self.land.reshape(rows, SCALE, columns, SCALE).mean((1, 3))
        return footprint_mean(sea * np.nan_to_num(self.sic), name)


def footprint_mean(cells: Array, name: str) -> Array:
    """A field of 6.25 km cells as a channel's gridded footprints see it, (y, x).

    The beam counts as wide in all directions as the mean of its widths; for low frequencies the
    weight that joins samples in gridding is added, as in `seaice.grid.masks.land_shares`.
    """
    band = BANDS[name[2:-1]]
    beam = math.sqrt(band.along * band.across) / math.sqrt(8 * math.log(2))
    joined = 0.0 if band.name == "89" else LOW_BEAM.sigma / math.sqrt(2) / 1000
    width = math.hypot(beam, joined) / CELL
    return np.asarray(ndimage.gaussian_filter(cells.astype(float), width, mode="nearest"))


def from_daily_map(daily: xr.Dataset, land: NDArray[np.bool_], sic: Array) -> GriddedScene:
    """A gridded scene of a daily map; land (4y, 4x), concentration (4y, 4x) 0-1 with NaN."""
    tb = np.stack([np.squeeze(daily[name].values) for name in CHANNELS]).astype(float)
    rows, columns = tb.shape[1:]
    sea = np.where(land, np.nan, sic).reshape(rows, SCALE, columns, SCALE)
    known = np.isfinite(sea).sum(axis=(1, 3))
    total = np.nansum(sea, axis=(1, 3))
    return GriddedScene(
        tb=tb, land=land, sic=np.where(known > 0, total / np.maximum(known, 1), np.nan)
    )


def coastal_regression(scene: GriddedScene) -> dict[str, float]:
    """TB near coasts against the land and ice fractions of each channel's own footprint.

    TB = water + (land - water) * land fraction + (ice - water) * ice fraction, fitted by least
    squares to the cells whose footprint has more than 3 % land and whose surroundings are charted.

    Returns
    -------
    dict of float
        For each of `COASTAL_CHANNELS`: `NAME land` TB that the fit gives for a footprint full of
        land, `NAME slope` land minus water, `NAME residual` root mean square, all K. Empty where
        fewer than 40 cells are near a coast.
    """
    charted = ndimage.uniform_filter(np.isfinite(scene.sic).astype(float), AROUND, mode="nearest")
    found: dict[str, float] = {}
    for name in COASTAL_CHANNELS:
        tb, land = scene.channel(name), scene.footprint_land(name)
        chosen = (land > LEAST_LAND) & np.isfinite(tb) & (charted > LEAST_CHARTED)
        if chosen.sum() < FEWEST:
            continue
        ice = scene.footprint_ice(name)[chosen]
        terms = np.stack([np.ones(ice.size), land[chosen], ice], axis=1)
        water, slope, _ = solution = np.linalg.lstsq(terms, tb[chosen], rcond=None)[0]
        found |= {f"{name} land": float(water + slope), f"{name} slope": float(slope)}
        found[f"{name} residual"] = float((tb[chosen] - terms @ solution).std(ddof=3))
    return found


def interior_land(scene: GriddedScene) -> dict[str, float]:
    """Median and spread (half of the 16th to 84th percentile) of TB far inland, K."""
    rows, columns = scene.tb.shape[1:]
    whole = scene.land.reshape(rows, SCALE, columns, SCALE).all(axis=(1, 3))
    inland = 6.25 * ndimage.distance_transform_edt(whole) > INTERIOR_KM
    inland &= scene.channel("tb10h") > WATER_10H
    found: dict[str, float] = {}
    for name in COASTAL_CHANNELS:
        tb = scene.channel(name)[inland]
        tb = tb[np.isfinite(tb)]
        if tb.size >= FEWEST:
            low, middle, high = np.percentile(tb, [16, 50, 84])
            found |= {f"{name} median": float(middle), f"{name} spread": float((high - low) / 2)}
    return found


def closed_ice_slopes(scene: GriddedScene) -> dict[str, float]:
    """How channels fall together where closed ice looks partly like water: thin ice.

    Among cells of 98 % concentration and more away from land, each channel is regressed on 36.5
    GHz H; the slope of thin ice is its contrast to water over that at 36.5 GHz H.

    Returns
    -------
    dict of float
        `NAME slope` (K per K), `tb36h spread` (K, 5th to 95th percentile) and `difference 18`,
        `difference 89`: medians of V - H (K). Empty where fewer than 40 cells are closed ice.
    """
    sea = scene.footprint_land("tb36h") < 0.01
    chosen = (scene.sic >= CLOSED) & sea & np.isfinite(scene.tb).all(axis=0)
    if chosen.sum() < FEWEST:
        return {}
    base = scene.channel("tb36h")[chosen]
    width = float(np.ptp(np.percentile(base, [5, 95])))
    found = {"tb36h spread": width}
    if width > LEAST_WIDTH:
        for name in ("tb18h", "tb18v", "tb36v", "tb89h", "tb89v"):
            found[f"{name} slope"] = float(np.polyfit(base, scene.channel(name)[chosen], 1)[0])
    for band in ("18", "36", "89"):
        difference = scene.channel(f"tb{band}v")[chosen] - scene.channel(f"tb{band}h")[chosen]
        found[f"difference {band}"] = float(np.median(difference))
    return found


def chart_fractions(counts: Array) -> dict[str, float]:
    """How concentration is distributed over one group of charts.

    Parameters
    ----------
    counts : (chart, 12) cells in each class of `BINS`: 0, ten tenths, 1

    Returns
    -------
    dict of float
        `ice-free`: fraction of all cells below 10 %; of the others `partial` (10 to 90 %) and
        `closed` (90 % and more); `partial per chart`: mean over charts with ice of the fraction of
        a chart between 10 and 90 %. Charts count by their cells, the last by itself.
    """
    total = counts.sum(axis=0)
    partial, closed = total[2:10].sum(), total[10:].sum()
    ice = max(partial + closed, 1e-9)
    each = counts[counts[:, 2:].sum(axis=1) > 0]
    share = each[:, 2:10].sum(axis=1) / np.maximum(each.sum(axis=1), 1e-9)
    return {
        "ice-free": float(total[:2].sum() / max(total.sum(), 1e-9)),
        "partial": float(partial / ice),
        "closed": float(closed / ice),
        "partial per chart": float(share.mean()) if len(each) else float("nan"),
    }


def mixture_regression(fractions: Array, tb: Array) -> dict[str, float]:
    """Scene-mean TB as a sum of open water, ice and the rest by their fractions of the scene.

    Parameters
    ----------
    fractions : (scene, 3) open water, ice, and what has no chart (mostly land); rows add up to 1
    tb : (scene, channel) K, means over the scene, in the order of `SCENE_CHANNELS`

    Returns
    -------
    dict of float
        For each channel `NAME water`, `NAME ice`, `NAME rest` and `NAME residual` (root mean
        square), K. Empty for fewer than 8 scenes.
    """
    if len(fractions) < LEAST_SCENES:
        return {}
    found: dict[str, float] = {}
    solution = np.linalg.lstsq(fractions, tb, rcond=None)[0]
    residual = tb - fractions @ solution
    for k, name in enumerate(SCENE_CHANNELS):
        water, ice, rest = (float(x) for x in solution[:, k])
        found |= {f"{name} water": water, f"{name} ice": ice, f"{name} rest": rest}
        found[f"{name} residual"] = float(residual[:, k].std(ddof=3))
    return found


def detail(fine: Array, cell: float, widths: Sequence[float]) -> list[float]:
    """Root mean square of a field below some scales, where its mean at that scale is 5 to 95 %.

    Parameters
    ----------
    fine : (y, x) concentration 0-1
    cell : km
    widths : km, sides of the square means that are subtracted
    """
    found = []
    for width in widths:
        size = max(round(width / cell), 1)
        mean = ndimage.uniform_filter(fine, size, mode="nearest")
        chosen = (mean > MIDDLE[0]) & (mean < MIDDLE[1])
        rest = (fine - mean)[chosen]
        found.append(float(np.sqrt((rest**2).mean())) if rest.size else float("nan"))
    return found
