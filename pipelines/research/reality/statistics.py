"""Statistics of samples, maps and scenes: the same code for real and for simulated data."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.research.reality.comparison import figure_key
from pipelines.research.reality.samples import Figures, Points, describe_samples
from seaice.grid.blocks import SCALE
from seaice.grid.gridding import LOW_BEAM
from seaice.instrument import BANDS, CHANNELS

__all__ = [
    "BANDS_KM",
    "BINS",
    "COASTAL_CHANNELS",
    "SCENE_CHANNELS",
    "SEASONS",
    "SIDE",
    "GriddedScene",
    "Maps",
    "chart_fractions",
    "closed_ice_slopes",
    "coastal_regression",
    "detail",
    "from_daily_map",
    "interior_land",
    "map_figures",
    "mixture_regression",
    "noise",
    "pack_or_edge",
    "point_figures",
    "spectrum",
    "spectrum_scalars",
    "weight_like_real",
    "windows",
    "windows_with_position",
]

Array = NDArray[np.floating]
SIDE = 32  #: cells of a window, 200 km on the 6.25 km grid
BANDS_KM = (12.5, 25.0, 50.0, 100.0)  #: middle wavelength of each band, an octave wide
TINY = 1e-30  #: power of a wavelength that a made field lacks
FIT_KM = (12.5, 120.0)  #: wavelengths between which a slope is fitted


def windows(field: Array, stride: int = SIDE // 2) -> Iterator[Array]:
    """Square pieces of a map without gaps, half overlapping, (SIDE, SIDE)."""
    for _, _, piece in windows_with_position(field, stride):
        yield piece


def windows_with_position(field: Array, stride: int) -> Iterator[tuple[int, int, Array]]:
    """Square pieces of a map without gaps, each with its first row and column."""
    for row in range(0, field.shape[0] - SIDE + 1, stride):
        for column in range(0, field.shape[1] - SIDE + 1, stride):
            piece = field[row : row + SIDE, column : column + SIDE]
            if np.isfinite(piece).all():
                yield row, column, piece


def spectrum_scalars(pieces: Iterable[Array], cell: float, topic: str) -> dict[str, float]:
    """Slope and spread by band of a spectrum, by the keys of the reality check.

    Parameters
    ----------
    pieces : windows of one kind
    cell : km
    topic : `brightness spectra` or `concentration spectra KIND`
    """
    result = spectrum(pieces, cell)
    if not result:
        return {}
    group, _, kind = topic.partition(" spectra")
    place, unit = (kind.strip() or "V - H of open water", "K" if group == "brightness" else "1")
    group = f"{group} spectra"
    scalars = {figure_key(group, place, "slope", ""): float(cast(float, result["slope"]))}
    for band, value in zip(BANDS_KM, cast(list[float], result["spread"]), strict=True):
        scalars[figure_key(group, place, f"standard deviation near {band:g} km", unit)] = float(
            value
        )
    return scalars


def pack_or_edge(sic: Array) -> str:
    """What a window of concentration (0-1) shows: `pack`, `edge` or `neither`.

    >>> pack_or_edge(np.full((32, 32), 0.99))
    'pack'
    """
    if sic.mean() > 0.93 and (sic > 0.9).mean() > 0.8:
        return "pack"
    middle, low = ((sic > 0.15) & (sic < 0.8)).mean(), (sic < 0.15).mean()
    return "edge" if middle > 0.1 and low > 0.1 else "neither"


def spectrum(pieces: Iterable[Array], cell: float) -> Figures | None:
    """Standard deviation by wavelength and the slope of the power spectrum.

    Parameters
    ----------
    pieces : windows of one kind
    cell : km

    Returns
    -------
    dict or None
        `windows`; `spread`: root of the variance within each band of `BANDS_KM`, in the map's unit
        (mean over the windows); `typical`: the same of the median window; `slope` of power
        against wavenumber, two-dimensional density, between the wavelengths of `FIT_KM`.
    """
    powers = [_power(piece) for piece in pieces]
    if not powers:
        return None
    wavenumber = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) / cell
    with np.errstate(divide="ignore"):
        length = 1 / wavenumber
    rings = [(length >= band / 2**0.5) & (length < band * 2**0.5) for band in BANDS_KM]
    bands = np.array([[power[ring].sum() for ring in rings] for power in powers])
    fit = (length >= FIT_KM[0]) & (length <= FIT_KM[1])
    mean = np.mean(powers, axis=0)
    slope = np.polyfit(np.log(wavenumber[fit]), np.log(np.maximum(mean[fit], TINY)), 1)[0]
    return {
        "windows": len(powers),
        "spread": [float(f"{x:.3g}") for x in np.sqrt(bands.mean(axis=0))],
        "typical": [float(f"{x:.3g}") for x in np.sqrt(np.median(bands, axis=0))],
        "slope": round(float(slope), 2),
    }


def _power(piece: Array) -> Array:
    """Share of the variance at each wavenumber, tapered against the jump between borders."""
    taper = np.hanning(SIDE)[:, None] * np.hanning(SIDE)[None]
    level = (piece * taper).sum() / taper.sum()
    tapered = (piece - level) * taper / np.sqrt((taper**2).mean())
    power: Array = np.abs(np.fft.fft2(tapered)) ** 2 / SIDE**4
    return power


def noise(pieces: Iterable[Array]) -> float | None:
    """Cell-to-cell roughness of the quarter of the windows with least of it, in the map's unit.

    Second differences along rows and columns over the root of six: what white noise of one
    standard deviation would give.
    """
    rough: list[float] = []
    second: Callable[[Array, int], Array] = lambda x, axis: np.diff(x, 2, axis=axis)  # noqa: E731
    for piece in pieces:
        both = [np.median(np.abs(second(piece, axis))) * 1.4826 / np.sqrt(6) for axis in (0, 1)]
        rough.append(float(np.mean(both)))
    return round(float(np.quantile(rough, 0.25)), 2) if rough else None


#: Months of the real closed-ice samples of the north, all of 2017. It has none of the others.
SEASONS: Mapping[str, tuple[int, ...]] = {
    "ice winter": (1, 2, 3, 10, 12),
    "ice spring": (5,),
    "ice summer": (7, 8),
}
MONTHS = np.arange(1.0, 14.0)  #: borders of the classes by which simulated ice is weighted
VAPOURS = np.arange(0.0, 34.0, 2.0)  #: kg m-2, likewise of simulated open water


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Maps whose spectra are compared; NaN where land or ice is in the way."""

    sea: list[Array] = field(default_factory=list)  #: V, H (2, y, x) K of open water at 89 GHz
    sea_cell: float = 6.25  #: km
    sic: list[Array] = field(default_factory=list)  #: concentration on 6.25 km cells, 0-1
    asi: list[Array] = field(default_factory=list)  #: what ASI makes of simulated concentration


def point_figures(surfaces: Mapping[str, Points]) -> Figures:
    """Figures of each surface, and of northern ice by season.

    Parameters
    ----------
    surfaces : keys begin with `water` or `ice`; `ice north` is also split by season
    """
    every = dict(surfaces)
    for season, months in SEASONS.items():
        every[season] = surfaces["ice north"][np.isin(surfaces["ice north"].month, months)]
    result: Figures = {
        name: describe_samples(points, float(name.startswith("ice")))
        for name, points in every.items()
        if points.weight.size > 1 and points.weight.sum() > 0
    }
    result["months"] = _shares(surfaces["ice north"].month, MONTHS)
    result["vapours"] = _shares(surfaces["water"].vapour, VAPOURS)
    return result


def weight_like_real(surfaces: Mapping[str, Points], real: Mapping[str, Any]) -> dict[str, Points]:
    """Simulated samples weighted so that they stand for the months and the vapour of the real.

    Parameters
    ----------
    surfaces : `water` and `ice north`
    real : figures of the real samples
    """
    ice, water = surfaces["ice north"], surfaces["water"]
    months = _ratio(ice.month, MONTHS, real["months"])
    vapours = _ratio(water.vapour, VAPOURS, real["vapours"])
    return {"ice north": ice.weighted(months), "water": water.weighted(vapours)}


def map_figures(maps: Maps) -> Figures:
    """Spectra of open-water V - H and of concentration in the pack and at its edge; roughness."""
    result: Figures = {}
    if maps.sea:
        v_minus_h = [tb[0] - tb[1] for tb in maps.sea]
        result["sea"] = spectrum(_pieces(v_minus_h, stride=4), maps.sea_cell)
        names = {"V": [tb[0] for tb in maps.sea], "H": [tb[1] for tb in maps.sea], "P": v_minus_h}
        result["noise"] = {name: noise(_pieces(tb, stride=4)) for name, tb in names.items()}
    for name, sics in (("sic", maps.sic), ("asi", maps.asi)):
        pieces = list(_pieces(sics, stride=16))
        for kind in ("pack", "edge"):
            table = spectrum([x for x in pieces if pack_or_edge(x) == kind], 6.25)
            result |= {f"{name} {kind}": table} if table else {}
    return result


def _pieces(fields: Iterable[Array], stride: int) -> Iterable[Array]:
    return (piece for one in fields for piece in windows(one, stride))


def _shares(values: NDArray[np.generic], edges: Array) -> list[float]:
    counts = np.bincount(_class(values, edges), minlength=len(edges) - 1)
    return [round(float(n) / max(values.size, 1), 5) for n in counts]


def _ratio(values: NDArray[np.generic], edges: Array, target: list[float]) -> Array:
    """Weights that give values the target fraction in each class."""
    have = np.array(_shares(values, edges))
    factor = np.array(target) / np.maximum(have, 1e-9) * (have > 0)
    weight: Array = factor[_class(values, edges)]
    return weight


def _class(values: NDArray[np.generic], edges: Array) -> NDArray[np.intp]:
    result = np.searchsorted(edges, values, side="right") - 1
    return np.asarray(np.clip(result, 0, len(edges) - 2), np.intp)


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
CELL_KM = 6.25  #: km, side of the cells of a gridded scene
LEAST_CHARTED = 0.5  #: charted fraction of the surroundings from which on a cell is used
AROUND = 9  #: coarse cells, side of these surroundings: the 6.9 GHz footprint
CLOSED_ICE = 0.98  #: concentration from which on a cell counts as closed ice
LEAST_LAND = 0.03  #: land fraction of a footprint from which on a cell is near a coast
WATER_10H = 130.0  #: K at 10.7 GHz H; land is brighter, uncharted open water is darker
INTERIOR_KM = 40.0  #: km to the nearest sea beyond which no footprint sees it
LEAST_SCENES = 8  #: that three coefficients are fitted to
LEAST_WIDTH = 15.0  #: K, 5th to 95th percentile of 36.5 GHz H from which on slopes are fitted
PARTIAL_ICE = (0.05, 0.95)  #: mean concentration where detail is measured
LEAST_CELLS = 40  #: cells that a regression needs


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
    concatenate_samples = 0.0 if band.name == "89" else LOW_BEAM.sigma / math.sqrt(2) / 1000
    width = math.hypot(beam, concatenate_samples) / CELL_KM
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
    result: dict[str, float] = {}
    for name in COASTAL_CHANNELS:
        tb, land = scene.channel(name), scene.footprint_land(name)
        chosen = (land > LEAST_LAND) & np.isfinite(tb) & (charted > LEAST_CHARTED)
        if chosen.sum() < LEAST_CELLS:
            continue
        ice = scene.footprint_ice(name)[chosen]
        terms = np.stack([np.ones(ice.size), land[chosen], ice], axis=1)
        water, slope, _ = solution = np.linalg.lstsq(terms, tb[chosen], rcond=None)[0]
        result |= {f"{name} land": float(water + slope), f"{name} slope": float(slope)}
        result[f"{name} residual"] = float((tb[chosen] - terms @ solution).std(ddof=3))
    return result


def interior_land(scene: GriddedScene) -> dict[str, float]:
    """Median and spread (half of the 16th to 84th percentile) of TB far inland, K."""
    rows, columns = scene.tb.shape[1:]
    whole = scene.land.reshape(rows, SCALE, columns, SCALE).all(axis=(1, 3))
    inland = 6.25 * ndimage.distance_transform_edt(whole) > INTERIOR_KM
    inland &= scene.channel("tb10h") > WATER_10H
    result: dict[str, float] = {}
    for name in COASTAL_CHANNELS:
        tb = scene.channel(name)[inland]
        tb = tb[np.isfinite(tb)]
        if tb.size >= LEAST_CELLS:
            low, middle, high = np.percentile(tb, [16, 50, 84])
            result |= {f"{name} median": float(middle), f"{name} spread": float((high - low) / 2)}
    return result


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
    chosen = (scene.sic >= CLOSED_ICE) & sea & np.isfinite(scene.tb).all(axis=0)
    if chosen.sum() < LEAST_CELLS:
        return {}
    base = scene.channel("tb36h")[chosen]
    width = float(np.ptp(np.percentile(base, [5, 95])))
    result = {"tb36h spread": width}
    if width > LEAST_WIDTH:
        for name in ("tb18h", "tb18v", "tb36v", "tb89h", "tb89v"):
            result[f"{name} slope"] = float(np.polyfit(base, scene.channel(name)[chosen], 1)[0])
    for band in ("18", "36", "89"):
        difference = scene.channel(f"tb{band}v")[chosen] - scene.channel(f"tb{band}h")[chosen]
        result[f"difference {band}"] = float(np.median(difference))
    return result


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
    fraction = each[:, 2:10].sum(axis=1) / np.maximum(each.sum(axis=1), 1e-9)
    return {
        "ice-free": float(total[:2].sum() / max(total.sum(), 1e-9)),
        "partial": float(partial / ice),
        "closed": float(closed / ice),
        "partial per chart": float(fraction.mean()) if len(each) else float("nan"),
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
    result: dict[str, float] = {}
    solution = np.linalg.lstsq(fractions, tb, rcond=None)[0]
    residual = tb - fractions @ solution
    for k, name in enumerate(SCENE_CHANNELS):
        water, ice, rest = (float(x) for x in solution[:, k])
        result |= {f"{name} water": water, f"{name} ice": ice, f"{name} rest": rest}
        result[f"{name} residual"] = float(residual[:, k].std(ddof=3))
    return result


def detail(fine: Array, cell: float, widths: Sequence[float]) -> list[float]:
    """Root mean square of a field below some scales, where its mean at that scale is 5 to 95 %.

    Parameters
    ----------
    fine : (y, x) concentration 0-1
    cell : km
    widths : km, sides of the square means that are subtracted
    """
    result = []
    for width in widths:
        size = max(round(width / cell), 1)
        mean = ndimage.uniform_filter(fine, size, mode="nearest")
        chosen = (mean > PARTIAL_ICE[0]) & (mean < PARTIAL_ICE[1])
        rest = (fine - mean)[chosen]
        result.append(float(np.sqrt((rest**2).mean())) if rest.size else float("nan"))
    return result
