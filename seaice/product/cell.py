"""Values and flags of a product at given longitudes and latitudes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer

from seaice.errors import SettingsError
from seaice.grid.grid import Grid, grid_from_centres, grid_of
from seaice.retrieval.flags import Flag

if TYPE_CHECKING:
    import xarray as xr


__all__ = [
    "FLAG_DESCRIPTIONS",
    "Cell",
    "cell_at",
    "cell_at_index",
    "cell_from_store",
    "cell_index",
    "cell_indices",
    "cells_at",
    "select_single_day",
]

FRAME_DAYS = ("two days before", "the day before", "the day", "the day after", "two days after")

#: Meaning of each flag, as in docs/product.md.
FLAG_DESCRIPTIONS: dict[Flag, str] = {
    Flag.LAND: "the cell's centre is land, ice shelf or lake",
    Flag.COAST: "land lies within four cells: the footprint may contain land",
    Flag.NO_INPUT: "not observed on the day, and not filled",
    Flag.OPEN_WATER_FILTERED: "a weather filter changed the value to 0",
    Flag.LAND_SPILLOVER_CORRECTED: "set to 0: land spill-over, not ice",
    Flag.GAP_FILLED: "not observed on the day; filled from other days or cells",
    Flag.SUBSTITUTED_FRAME: "one of the five days is missing; the nearest day is used",
    Flag.OUTSIDE_CLIMATOLOGY: "ice where none has been observed in this month",
    Flag.LAKE: "a lake: no concentration is retrieved",
    Flag.SINGLE_OVERPASS: "observed by one granule on the day",
    Flag.LOW_FREQUENCY_MISSING: "channels of 6.9 to 36.5 GHz are missing",
    Flag.POLE_HOLE: "pole hole: outside the reach of the orbit",
    Flag.WEATHER_DISAGREEMENT: "the network and the weather filters disagree",
    Flag.CLASSICAL_FALLBACK: "value of the classical algorithm; the network had too little input",
    Flag.OUT_OF_RANGE: "brightness temperatures outside the range of water, ice and their mixtures",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Values and flags of one cell of a product."""

    longitude: float  #: degrees east, of the cell's centre
    latitude: float  #: degrees north
    row: int
    column: int
    values: dict[str, float]  #: by variable; NaN where absent
    flags: Flag
    observed: str  #: mean time of observation, UTC; "" if unknown

    @property
    def reasons(self) -> list[str]:
        """Each flag of the cell in words."""
        return [FLAG_DESCRIPTIONS[flag] for flag in Flag if flag in self.flags]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        at = f"{_degrees(self.latitude, 'NS')} {_degrees(self.longitude, 'EW')}"
        yield f"cell of {at} (row {self.row}, column {self.column})"
        yield f"  concentration     {self._percent('sic')}{self._intervals()}"
        raw, final = self.values.get("sic_raw", np.nan), self.values.get("sic", np.nan)
        if np.isfinite(raw) and raw != final:
            yield f"  before filters    {self._percent('sic_raw')}"
        if np.isfinite(final):
            parts = ("algorithm", "smearing")
            stds = (f"{self._percent(f'sic_{part}_uncertainty')} {part}" for part in parts)
            yield f"  uncertainty       {', '.join(stds)}"
        yield f"  89 GHz            {self._kelvin()}"
        yield f"  observed          {self._observations()}"
        for reason in self.reasons or ["none"]:
            yield f"  flag              {reason}"

    def _percent(self, name: str) -> str:
        value = self.values.get(name, np.nan)
        return f"{value * 100:.1f} %" if np.isfinite(value) else "none"

    def _intervals(self) -> str:
        std, half_width = self._percent("sic_uncertainty"), self._percent("sic_uncertainty_95")
        return "" if std == "none" else f" +- {std} (68 % interval), +- {half_width} (95 %)"

    def _kelvin(self) -> str:
        channels = (("tb89h", "H"), ("tb89v", "V"), ("pd", "V - H"))
        texts = (f"{label} {self.values.get(name, np.nan):.1f} K" for name, label in channels)
        return ", ".join(texts).replace("nan K", "none")

    def _observations(self) -> str:
        frames = int(self.values.get("real_frames", 0))
        days = [day for bit, day in enumerate(FRAME_DAYS) if frames >> bit & 1]
        when = f", on average at {self.observed} UTC" if self.observed else ""
        count = f"{int(self.values.get('n_obs', 0))} samples on the day{when}"
        return f"{count}; frames of {', '.join(days) or 'no day'}"


def cell_at(product: "xr.Dataset", longitude: float, latitude: float) -> Cell:
    """Values and flags of the cell at a place, from a product (y, x).

    Parameters
    ----------
    longitude, latitude : degrees east and north

    Raises
    ------
    SettingsError
        If the coordinates are impossible, or the place lies outside the product.
    """
    return cell_at_index(product, *cell_index(product, longitude, latitude))


def cells_at(product: "xr.Dataset", longitude: ArrayLike, latitude: ArrayLike) -> "xr.Dataset":
    """Values of the cells at given places.

    Parameters
    ----------
    product : (y, x), or (time, y, x)
    longitude, latitude : degrees east and north, numbers or arrays of one dimension and one length

    Returns
    -------
    xr.Dataset
        The product's variables, (point,), or (time, point); without `point` for single numbers.
        Coordinates: `longitude` and `latitude` as asked for, and `x` and `y` of the cell's centre.

    Raises
    ------
    SettingsError
        If the arrays do not match, coordinates are impossible, or a place lies outside the product.
    """
    import xarray as xr

    east, north = np.asarray(longitude, float), np.asarray(latitude, float)
    if east.shape != north.shape or east.ndim > 1:
        raise SettingsError(
            f"longitudes of shape {east.shape} and latitudes of shape {north.shape}",
            "two numbers, or two arrays of one dimension and one length",
            "give one latitude for each longitude",
        )
    rows, columns = cell_indices(product, east, north)
    dims = ("point",)[: east.ndim]
    without = product.drop_vars(("longitude", "latitude"), errors="ignore")
    cells = without.isel(y=xr.DataArray(rows, dims=dims), x=xr.DataArray(columns, dims=dims))
    coordinates = (("longitude", "degrees_east", east), ("latitude", "degrees_north", north))
    return cells.assign_coords(
        {
            name: (dims, angles, {"standard_name": name, "units": unit})
            for name, unit, angles in coordinates
        }
    )


def cell_at_index(product: "xr.Dataset", row: int, column: int) -> Cell:
    """Values and flags of the cell in a row and column of a product (y, x)."""
    here = product.isel(y=row, x=column).drop_vars("crs", errors="ignore").load()
    time = str(here["obs_time"].values) if "obs_time" in here else "NaT"
    numbers = (name for name, one in here.data_vars.items() if one.dtype.kind in "fiu")
    values = {str(name): float(here[name]) for name in numbers}
    return _cell(grid_of(product), (row, column), values, time)


def cell_from_store(store: Path, longitude: float, latitude: float) -> Cell:
    """As `cell_at`, from a product's Zarr store, without importing xarray, which takes a second.

    Raises
    ------
    SettingsError
        As `cell_at`.
    """
    import zarr

    arrays: dict[str, Any] = dict(zarr.open_group(store, mode="r").arrays())
    attrs = zarr.open_group(store, mode="r").attrs.asdict()
    grid = grid_from_centres(str(attrs["crs"]), arrays["x"][:], arrays["y"][:])
    rows, columns = _grid_indices(grid, attrs, np.asarray(longitude), np.asarray(latitude))
    row, column = int(rows), int(columns)
    maps = {name: array for name, array in arrays.items() if array.ndim == 3}
    values = {name: float(array[0, row, column]) for name, array in maps.items()}
    seconds, time = values.pop("obs_time", np.nan), "NaT"
    if np.isfinite(seconds):
        epoch = str(arrays["obs_time"].attrs["units"]).removeprefix("seconds since ")
        time = str(np.datetime64(epoch, "ns") + np.timedelta64(round(seconds * 1e9), "ns"))
    return _cell(grid, (row, column), values, time)


def _cell(grid: Grid, place: tuple[int, int], values: dict[str, float], time: str) -> Cell:
    """A `Cell` from the values in a row and column."""
    row, column = place
    to_lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_lonlat.transform(float(grid.x[column]), float(grid.y[row]))
    return Cell(
        longitude=longitude,
        latitude=latitude,
        row=row,
        column=column,
        values=values,
        flags=Flag(int(values["status_flag"])),
        observed="" if time == "NaT" else time[: len("2020-03-03T11:30")],
    )


def cell_index(product: "xr.Dataset", longitude: float, latitude: float) -> tuple[int, int]:
    """Row and column of the cell at a place.

    Raises
    ------
    SettingsError
        If the coordinates are impossible, or the place lies outside the product.
    """
    rows, columns = cell_indices(product, np.asarray(longitude, float), np.asarray(latitude, float))
    return int(rows), int(columns)


def cell_indices(
    product: "xr.Dataset", longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cells at given places, in arrays of the same shape.

    Raises
    ------
    SettingsError
        If coordinates are impossible, or a place lies outside the product.
    """
    return _grid_indices(grid_of(product), product.attrs, longitude, latitude)


def _grid_indices(
    grid: Grid,
    attrs: Mapping[str, Any],
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """As `cell_indices`, for a grid."""
    impossible = ~((np.abs(longitude) <= 360) & (np.abs(latitude) <= 90))
    if impossible.any():
        raise SettingsError(
            f"longitude {_first(longitude, impossible)}, latitude {_first(latitude, impossible)}",
            "degrees east (-180 to 360) and degrees north (-90 to 90), longitude first",
            "give them in this order",
        )
    to_map = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = (np.asarray(axis) for axis in to_map.transform(longitude, latitude))
    left, bottom, right, top = grid.bounds
    outside = ~((left <= x) & (x < right) & (bottom < y) & (y <= top))
    if outside.any():
        ground = f"{attrs.get('hemisphere', grid.crs)}, {attrs.get('id', 'map')}"
        north, east = _first(latitude, outside), _first(longitude, outside)
        others = f", and {outside.sum() - 1} more of them" if outside.sum() > 1 else ""
        raise SettingsError(
            f"{north:g} degrees north, {east:g} east, which lies outside ({ground}){others}",
            "a place inside the map",
            "give longitude before latitude, or open the product that holds the place",
        )
    rows, columns = (top - y) / grid.cell, (x - left) / grid.cell
    return rows.astype(np.intp), columns.astype(np.intp)


def select_single_day(product: "xr.Dataset", method: str) -> "xr.Dataset":
    """The product without a dimension time.

    Parameters
    ----------
    method : name of the calling method, for the error message

    Raises
    ------
    SettingsError
        If it holds several days, or none.
    """
    if "time" not in product.dims:
        return product
    days = [str(time)[:10] for time in product["time"].values]
    if len(days) == 1:
        return product.isel(time=0)
    count = f"{len(days)} days, {days[0]} to {days[-1]}," if days else "no day"
    day = days[0] if days else "2020-03-03"
    raise SettingsError(
        f"{count} passed to `{method}`",
        "one day",
        f"select one, as product.sel(time={day!r}) in Python, or name the product of one day",
    )


def _first(angles: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(np.atleast_1d(angles)[np.atleast_1d(where)][0])


def _degrees(angle: float, sides: str) -> str:
    """An angle with its direction.

    >>> _degrees(-15.25, "EW")
    '15.25°W'
    """
    return f"{abs(angle):.2f}°{sides[angle < 0]}"
