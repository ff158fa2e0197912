"""Daily sea-ice extent and area by sea, with uncertainty, and the CSV file that collects them.

Seas are read from `data/seas.csv`. `sea_km2` is the sea area that the land mask leaves of each. An
outline is a ring of "longitude latitude" corners, joined by straight lines on a map whose axes are
degrees. Where outlines overlap, a cell belongs to the sea that comes first in the table.

North: the seas of NSIDC's regional series (Meier, Stroeve and Fetterer 2007, Annals of Glaciology
46), with limits near those of the International Hydrographic Organization (1953, Special
Publication 23), drawn anew for this table. South: the five sectors of Zwally et al. 1983 (NASA
SP-459), which later Antarctic series also use.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from math import floor, isfinite, log10
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely.affinity
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.special import ndtr

from seaice import __version__
from seaice.files import atomic_file, file_lock
from seaice.grid.grid import Grid, Hemisphere, grid_of, hemisphere_of
from seaice.grid.projection import cell_areas, polar_stereographic, project
from seaice.retrieval.flags import Flag

__all__ = [
    "AREA",
    "BLOCK",
    "EDGE",
    "EXTENT",
    "ErrorFactors",
    "ErrorParts",
    "Extent",
    "Sea",
    "SeriesRow",
    "csv_cells",
    "error_parts",
    "extent_by_sea",
    "format_with_uncertainty",
    "read_csv_cells",
    "read_series",
    "sea_numbers",
    "seas",
    "series_path",
    "series_rows",
    "update_series",
    "write_series",
]

EDGE = 0.15  #: concentration from which a cell counts as ice
BLOCK = 100_000.0  #: m, side of the squares within which errors are assumed fully correlated
Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFactors:
    """Factors of the error components, calibrated on simulated days with known truth."""

    regional: float  #: of errors that are independent between squares of `BLOCK`
    common: float  #: of errors that all cells of a map share
    fraction: float  #: of the extent or area itself, for errors outside the cells' uncertainty


#: `common`, and `fraction` of the area, are calibrated by `python -m pipelines.research.amounts`.
#: `fraction` of the extent is the difference of the sea area of 11 seas between this land mask
#: (GSHHG) and NSIDC's of 6.25 km, root mean square: simulated days share one mask with their truth.
EXTENT = ErrorFactors(regional=1.0, common=0.6, fraction=0.003)
AREA = ErrorFactors(regional=1.0, common=0.6, fraction=0.010)


class ErrorParts(NamedTuple):
    """Sums over one sea, km2."""

    amount: float  #: extent or area
    regional: float  #: error if errors are equal within a square and independent between squares
    common: float  #: error if the errors of all cells are equal

    def uncertainty(self, factors: ErrorFactors) -> float:
        """One standard deviation."""
        components = (
            factors.regional * self.regional,
            factors.common * self.common,
            factors.fraction * self.amount,
        )
        return float(np.sqrt(np.square(components).sum()))


class Extent(NamedTuple):
    """Sums over one sea, km2; NaN where nothing of it was observed."""

    extent: float  #: of cells with 15 % ice or more
    extent_uncertainty: float  #: one standard deviation
    area: float  #: of the ice in all observed cells
    area_uncertainty: float  #: one standard deviation
    observed: float  #: of sea cells with a value
    missing: float  #: of sea cells without


def extent_by_sea(
    sic: Array,
    deviation: Array | None,
    sea: NDArray[np.bool_],
    areas: Array,
    numbers: NDArray[np.integer],
    cell: float,
) -> list[Extent]:
    """Extent and area of all sea, and of each numbered sea.

    A cell without a value is missing, never open water.

    Parameters
    ----------
    sic : (y, x) 0-1, NaN where there is no value
    deviation : (y, x) one standard deviation of each cell's error; None where it is unknown
    sea : (y, x) sea mask; values elsewhere are ignored
    areas : (y, x) km2 on the ground, `seaice.grid.projection.cell_areas`
    numbers : (y, x) number of the sea of each cell, 0 outside all named seas
    cell : m, side of a cell on the map

    Returns
    -------
    list of Extent
        All sea first, then seas 1, 2, ... up to the greatest number.

    Notes
    -----
    The uncertainty has three parts, added in quadrature (`EXTENT`, `AREA`): errors that cells
    within one square of `BLOCK` share and that are independent between squares, as of weather;
    errors that all cells of the map share, as of tie points, of training and of the footprint's
    width at the ice edge; and a fraction of the amount itself, for leads and coasts where each
    cell's uncertainty is small. See `error_parts`.
    """
    known = sea & np.isfinite(sic)
    count = int(numbers.max(initial=0)) + 1
    observed = _by_sea(np.bincount(numbers[known], areas[known], count))
    missing = _by_sea(np.bincount(numbers[sea & ~known], areas[sea & ~known], count))
    extent, area = error_parts(sic, deviation, sea, areas, numbers, cell)
    return [_extent(*each) for each in zip(extent, area, observed, missing, strict=True)]


def _extent(extent: ErrorParts, area: ErrorParts, observed: float, missing: float) -> Extent:
    if observed == 0:
        return Extent(np.nan, np.nan, np.nan, np.nan, observed, missing)
    return Extent(
        extent=extent.amount,
        extent_uncertainty=extent.uncertainty(EXTENT),
        area=area.amount,
        area_uncertainty=area.uncertainty(AREA),
        observed=observed,
        missing=missing,
    )


def _by_sea(sums: NDArray[Any]) -> list[float]:
    """Sum over all sea, then of each numbered sea."""
    return [float(sums.sum()), *map(float, sums[1:])]


def error_parts(
    sic: Array,
    deviation: Array | None,
    sea: NDArray[np.bool_],
    areas: Array,
    numbers: NDArray[np.integer],
    cell: float,
) -> tuple[list[ErrorParts], list[ErrorParts]]:
    """Error components of extent and area, of all sea and of each numbered sea.

    Parameters
    ----------
    sic, deviation, sea, areas, numbers, cell : as of `extent_by_sea`

    Returns
    -------
    extent, area : list of ErrorParts
        In the order of `extent_by_sea`; errors are NaN where `deviation` is None.

    Notes
    -----
    A cell's error of area is its deviation times its ground area. Its error of extent is
    sqrt(p (1 - p)) times its ground area, with p the probability that its concentration exceeds
    15 % if errors are normal.
    """
    known = sea & np.isfinite(sic)
    values, weights = sic[known].astype(np.float64), areas[known]
    side = max(1, round(BLOCK / cell))
    down, across = (-(-size // side) for size in sic.shape)
    row, column = (np.arange(size) // side for size in sic.shape)
    count = int(numbers.max(initial=0)) + 1
    shape = count, down * across
    block = np.add.outer(row * across, column)
    place = numbers[known].astype(np.int64) * shape[1] + block[known]

    def totals(each: Array) -> Array:
        sums = np.bincount(place, each, shape[0] * shape[1]).astype(np.float64)
        return sums.reshape(shape)

    amounts = totals(weights * (values >= EDGE)), totals(weights * values)
    errors = (np.full(shape, np.nan), np.full(shape, np.nan))
    if deviation is not None:
        std = np.maximum(deviation[known], 1e-6).astype(np.float64)
        above = ndtr((values - EDGE) / std)
        errors = totals(weights * np.sqrt(above * (1 - above))), totals(weights * std)
    seas = [slice(None), *(slice(n, n + 1) for n in range(1, count))]
    extent, area = (
        [_sum_errors(amount, error, part) for part in seas]
        for amount, error in zip(amounts, errors, strict=True)
    )
    return extent, area


def _sum_errors(amount: Array, error: Array, part: slice) -> ErrorParts:
    """Sum the seas in `part`; amount and error are (sea, block)."""
    blocks = error[part].sum(axis=0)
    regional = float(np.sqrt((blocks**2).sum()))
    return ErrorParts(float(amount[part].sum()), regional, float(blocks.sum()))


def format_with_uncertainty(value: float, uncertainty: float) -> str:
    """A value and its uncertainty, rounded to two significant digits of the uncertainty.

    >>> format_with_uncertainty(7_159_142.0, 48_879.0), format_with_uncertainty(1234.0, 0.5)
    ('7,159,000 ± 49,000', '1,234.00 ± 0.50')
    >>> format_with_uncertainty(5.0, float("nan"))
    '5'
    """
    if not isfinite(value):
        return ""
    if not (isfinite(uncertainty) and uncertainty > 0):
        return f"{value:,.0f}"
    digits = 1 - floor(log10(uncertainty))
    if round(uncertainty, digits) >= 10 ** (2 - digits):  # 99.6 is 100
        digits -= 1
    places = max(digits, 0)
    return f"{round(value, digits):,.{places}f} ± {round(uncertainty, digits):,.{places}f}"


CHART_STEP = 0.05  #: degrees, cell size of the longitude-latitude map of seas: at most 5.6 km
CHART = (3600, 7200)  #: rows and columns of that map


@dataclass(frozen=True, slots=True, kw_only=True)
class Sea:
    """A named sea."""

    name: str  #: identifier in tables
    label: str  #: display name
    km2: float  #: of sea at 1.5625 km, on the whole grid of its hemisphere
    outline: shapely.Polygon  #: degrees, longitude first; may reach beyond 180; empty: all of it


@cache
def seas(hemisphere: Hemisphere) -> tuple[Sea, ...]:
    """All sea of a hemisphere, then its seas; where outlines overlap, the first one has the cell.

    >>> [sea.name for sea in seas("south")][:3]
    ['all', 'weddell', 'indian']
    """
    text = (files("seaice.product") / "data" / "seas.csv").read_text("utf-8")
    lines = csv.DictReader(text.splitlines())
    return tuple(
        Sea(
            name=line["name"],
            label=line["label"],
            km2=float(line["sea_km2"]),
            outline=shapely.Polygon(_corners(line["outline"])),
        )
        for line in lines
        if line["hemisphere"] == hemisphere
    )


def sea_numbers(grid: Grid) -> NDArray[np.uint8]:
    """Number of the sea in which each cell's centre lies.

    Returns
    -------
    (y, x) uint8
        Index into `seas(hemisphere)`; 0 outside all named seas. Land is not masked.

    >>> from seaice.grid.grid import NORTH
    >>> pole = NORTH.crop(slice(936, 937), slice(616, 617))
    >>> seas("north")[int(sea_numbers(pole)[0, 0])].name
    'central_arctic'
    """
    longitude, latitude = _lonlat(grid)
    row = np.floor((90 - latitude) / CHART_STEP).astype(np.int32).clip(0, CHART[0] - 1)
    column = np.floor((longitude + 180) / CHART_STEP).astype(np.int32) % CHART[1]
    numbers: NDArray[np.uint8] = _sea_chart(hemisphere_of(grid))[row, column]
    return numbers


def _lonlat(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of cells on a polar stereographic plane, accurate to metres.

    Meridians are straight lines through the pole; latitude depends only on the distance from it.
    """
    plane = polar_stereographic(grid.crs)
    latitudes = np.linspace(90.0, 0.0, 8192)
    x, y = project(plane.pole * latitudes, np.degrees(plane.meridian), grid.crs)
    distance = np.hypot.outer(grid.y, grid.x)
    latitude = plane.pole * np.interp(distance, np.hypot(x, y), latitudes)
    angle = np.arctan2(grid.x[None, :], -plane.pole * grid.y[:, None])
    return np.degrees(angle + plane.meridian), latitude


@cache
def _sea_chart(hemisphere: Hemisphere) -> NDArray[np.uint8]:
    """Sea numbers on a longitude-latitude map that starts at 180 west and 90 north."""
    shapes = [
        (shapely.affinity.translate(sea.outline, shift), number)
        for number, sea in reversed(list(enumerate(seas(hemisphere)))[1:])
        for shift in (0, -360)
    ]
    transform = Affine(CHART_STEP, 0, -180, 0, -CHART_STEP, 90)
    chart: NDArray[np.uint8] = rasterize(shapes, CHART, transform=transform, dtype="uint8")
    return chart


def _corners(text: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, corner.split())) for corner in text.split(";") if corner]


class SeriesRow(NamedTuple):
    """One line of the CSV file; areas in km2, NaN (an empty cell) where nothing was observed."""

    date: str  #: the day, UTC
    ground: str  #: what the product covers: all, or its region
    sea: str  #: all, or a name of `seas`
    status: str  #: provisional or final
    extent_km2: float
    extent_uncertainty_km2: float
    area_km2: float
    area_uncertainty_km2: float
    observed_km2: float
    missing_km2: float
    observed_share: float  #: of the whole sea, also outside the product's region
    method: str  #: names of the super-resolution and concentration methods
    version: str


NUMERIC_COLUMNS = tuple(name for name, kind in SeriesRow.__annotations__.items() if kind is float)


def series_path(out: Path, hemisphere: str) -> Path:
    """Path of the series of a hemisphere.

    >>> series_path(Path("products"), "north").as_posix()
    'products/seaice_series_north.csv'
    """
    return out / f"seaice_series_{hemisphere}.csv"


def update_series(path: Path, rows: Iterable[SeriesRow]) -> None:
    """Add rows to the series at `path`, replacing rows of the same day and region.

    Processes that update the file at the same time wait for each other (file lock).

    Raises
    ------
    OutputError
        If writing fails; the series is then unchanged.
    """
    new = list(rows)
    replaced = {(row.date, row.ground) for row in new}
    with file_lock(path):
        old = [row for row in read_series(path) if (row.date, row.ground) not in replaced]
        write_series(path, [*old, *new])


def write_series(path: Path, rows: Iterable[SeriesRow]) -> None:
    """Write the whole series atomically, sorted by day and region; seas keep their order."""
    ordered = sorted(rows, key=lambda row: (row.date, row.ground))
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(SeriesRow._fields)
        lines.writerows(csv_cells(ordered))


def csv_cells(rows: Iterable[SeriesRow]) -> list[list[str]]:
    """Rows as the text of the CSV cells, in input order."""
    return [[_text(name, row) for name in SeriesRow._fields] for row in rows]


def read_csv_cells(path: Path) -> dict[tuple[str, str], list[list[str]]]:
    """CSV cells of a series by date and region, unparsed; empty if there is no file.

    Raises
    ------
    ValueError
        If it has other columns, or a line of another length.
    """
    cells: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    if not path.exists():
        return cells
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    if tuple(header) != SeriesRow._fields:
        raise ValueError("other columns")
    for line in lines:
        if len(line) != len(SeriesRow._fields):
            raise ValueError(f"a line of {len(line)} cells")
        cells[line[0], line[1]].append(line)
    return cells


def read_series(path: Path) -> list[SeriesRow]:
    """Rows of a series; empty if there is no file or it has other columns."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.DictReader(file)
        if tuple(lines.fieldnames or ()) != SeriesRow._fields:
            return []
        return [_row(line) for line in lines]


def _row(line: dict[str, str]) -> SeriesRow:
    values = {
        name: (float(text) if text else np.nan) if name in NUMERIC_COLUMNS else text
        for name, text in line.items()
    }
    return SeriesRow(**values)  # type: ignore[arg-type]


def _text(name: str, row: SeriesRow) -> str:
    value = getattr(row, name)
    if name not in NUMERIC_COLUMNS:
        return str(value)
    if not np.isfinite(value):
        return ""
    return f"{value:.4f}" if name == "observed_share" else f"{value:.0f}"


CELLS_PER_COARSE = 4  #: product cells along a 6.25 km cell; each 6.25 km cell belongs to one sea


def series_rows(maps: xr.Dataset, document: Mapping[str, Any]) -> list[SeriesRow]:
    """Extent and area of every sea that a product covers.

    Parameters
    ----------
    maps : `sic`, `sic_uncertainty`, `status_flag` of a product, (y, x)
    document : its provenance

    Returns
    -------
    list of SeriesRow
        All sea first; a named sea only if the product covers some of it.
    """
    grid = grid_of(maps)
    areas, numbers = _areas_and_seas(grid)
    amounts = extent_by_sea(
        maps["sic"].values,
        maps["sic_uncertainty"].values,
        (maps["status_flag"].values & Flag.LAND) == 0,
        areas,
        numbers,
        grid.cell,
    )
    networks = document.get("networks", {})
    method = "+".join(networks[stage]["name"] for stage in ("sr", "sic") if stage in networks)
    return [
        SeriesRow(
            *(document["date"], document["region"], sea.name, document["status"]),
            *sums,
            observed_share=sums.observed / sea.km2,
            method=method,
            version=document.get("code", {}).get("version", __version__),
        )
        for sea, sums in zip(seas(hemisphere_of(grid)), amounts, strict=False)
        if sums.observed + sums.missing > 0
    ]


def _areas_and_seas(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Areas in km2 and sea numbers of all cells, from cells with four times the side."""
    rows, columns = (-(-size // CELLS_PER_COARSE) for size in grid.shape)
    coarse = replace(grid, cell=grid.cell * CELLS_PER_COARSE, shape=(rows, columns))
    areas = (cell_areas(coarse) / (CELLS_PER_COARSE**2 * 1e6)).astype(np.float32)
    wide = (
        each.repeat(CELLS_PER_COARSE, 0).repeat(CELLS_PER_COARSE, 1)
        for each in (areas, sea_numbers(coarse))
    )
    fine, numbers = (each[: grid.shape[0], : grid.shape[1]] for each in wide)
    return fine, numbers  # type: ignore[return-value]
