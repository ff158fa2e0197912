"""Open products as xarray datasets, one day or several along time, with the accessor `.seaice`."""

from collections import Counter
from collections.abc import Hashable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import rasterio
import xarray as xr
import zarr
from numpy.typing import ArrayLike, NDArray

from seaice.errors import NoInputError, SettingsError, UnknownNameError
from seaice.grid.grid import Grid, coordinates, grid_of
from seaice.grid.projection import cell_areas
from seaice.product.cell import Cell, cell_at, cells_at, select_single_day
from seaice.product.folder import add_suffix, read_provenance
from seaice.product.season_store import DAY_STATUS, open_season
from seaice.product.vectors import EDGE, ice_edge
from seaice.retrieval.flags import Flag

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["ProductAccessor", "open_product", "open_products", "read_maps"]

STORES = (".zarr", ".nc")  #: suffixes of the files that can be opened, in order of preference

#: Encoding that an opened variable keeps: how numbers are stored. Chunks, shards and compression
#: describe the file that was read and do not fit the dimensions of the opened dataset.
NUMBER_ENCODING = ("_FillValue", "dtype", "units", "calendar", "scale_factor", "add_offset")

#: `day_status` of a product by its status, as in a season store
STATUS_CODES = {"provisional": 1, "final": 2}


def open_product(path: str | Path) -> xr.Dataset:
    """Open a product or a season store; values are read lazily.

    Parameters
    ----------
    path : the folder of a product, its Zarr store or NetCDF file, or the Zarr store of a season

    Returns
    -------
    xr.Dataset
        Variables of docs/product.md, (y, x) of one day, or (time, y, x) of a season. Concentration
        is a fraction, temperature K; x and y are m on the plane of attrs["crs"]. The accessor
        `.seaice` draws it, finds cells by longitude and latitude, and explains their flags.

    Raises
    ------
    NoInputError
        If nothing at `path` is a product with all its variables.

    Examples
    --------
    >>> open_product("nowhere")
    Traceback (most recent call last):
    ...
    seaice.errors.NoInputError: nowhere, which is not there; expected ...
    """
    path = Path(path)
    store = _store_of(path)
    if store is None:
        why = "is not there" if not path.exists() else "holds no product as Zarr or NetCDF"
        raise NoInputError(
            f"{path}, which {why}",
            "a folder such as products/seaice_sic_north_20200303_v0.1, or the .zarr or .nc inside",
            "name one of them; `make daily` makes one",
        )
    if _is_season(store):
        return _clean(open_season(store).chunk(time=1))
    opened = xr.open_zarr(store) if store.suffix == ".zarr" else xr.open_dataset(store, chunks={})
    return _clean(opened).isel(time=0)


def open_products(paths: str | Path | Iterable[str | Path]) -> xr.Dataset:
    """Open products of several days as one dataset along time; values are read lazily.

    Parameters
    ----------
    paths : a list of products, each as `open_product` takes it; or a folder of products, of which
        all are opened; or the Zarr store of a season

    Returns
    -------
    xr.Dataset
        As `open_product`, (time, y, x), in order of time. `day_status` (time,) is 1 for a
        provisional day and 2 for a final one. Attributes are those that all days share.

    Raises
    ------
    NoInputError
        If there is no product.
    SettingsError
        If the products lie on different grids, or two are of one day.

    Examples
    --------
    >>> open_products([])
    Traceback (most recent call last):
    ...
    seaice.errors.NoInputError: no products; expected ...
    """
    listed = _list_products(paths)
    if not listed:
        raise NoInputError(
            "no products",
            "folders such as products/seaice_sic_north_20200303_v0.1",
            "name some of them, or the folder that holds them",
        )
    opened = [_with_time(open_product(path)) for path in listed]
    _check_same_grid(opened, listed)
    products = [_shared_variables(each, opened) for each in opened]
    concatenated = xr.concat(
        products,
        dim="time",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="drop_conflicts",
    )
    return concatenated.sortby("time")


def _list_products(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The paths of the products: those of a list, or those in a folder."""
    if not isinstance(paths, str | Path):
        return [Path(path) for path in paths]
    path = Path(paths)
    if _store_of(path) is not None or not path.is_dir():
        return [path]
    return sorted(each for each in path.iterdir() if each.is_dir() and _store_of(each) is not None)


def _with_time(product: xr.Dataset) -> xr.Dataset:
    """The product with a dimension time and the status of each day."""
    if "time" in product.dims:
        return product
    status = np.uint8(STATUS_CODES.get(str(product.attrs.get("product_status")), 0))
    days = product.expand_dims("time")
    return days.assign({DAY_STATUS: ("time", np.full(days.sizes["time"], status))})


def _check_same_grid(opened: list[xr.Dataset], paths: list[Path]) -> None:
    """Refuse products that cannot be concatenated along time.

    Raises
    ------
    SettingsError
        If they lie on different grids, or two are of one day.
    """
    grids = [grid_of(each) for each in opened]
    for path, grid in zip(paths, grids, strict=True):
        if grid != grids[0]:
            raise SettingsError(
                f"products on different grids, as {paths[0].name} and {path.name}",
                "products of one region and hemisphere",
                "give a list of those, as sorted(Path(FOLDER).glob('seaice_sic_north_2*'))",
            )
    days = Counter(str(time)[:10] for each in opened for time in each["time"].values)
    day, count = days.most_common(1)[0] if days else ("", 0)
    if count > 1:
        raise SettingsError(
            f"{count} products of {day}",
            "one product a day",
            "give a list with one of them",
        )


def _shared_variables(product: xr.Dataset, others: list[xr.Dataset]) -> xr.Dataset:
    """Drop variables that not all products have, such as longitude and latitude of NetCDF files."""
    shared: set[Hashable] = set.intersection(*(set(each.variables) for each in others))
    return product.drop_vars(set(product.variables) - shared)


def _clean(opened: xr.Dataset) -> xr.Dataset:
    """Make `crs` a coordinate and drop the encoding of the file's layout.

    rioxarray, odc-geo and other xarray extensions expect the grid mapping among the coordinates.
    """
    product = opened.drop_vars("time_bnds", errors="ignore").set_coords("crs")
    product["time"].attrs.pop("bounds", None)
    for variable in product.variables.values():
        encoding = variable.encoding.items()
        variable.encoding = {key: value for key, value in encoding if key in NUMBER_ENCODING}
    product.encoding = {}
    return product


def _is_season(store: Path) -> bool:
    return store.suffix == ".zarr" and DAY_STATUS in zarr.open_group(store, mode="r")


def _store_of(path: Path) -> Path | None:
    """The Zarr store or NetCDF file of a product."""
    candidates = (add_suffix(path / path.resolve().name, ending) for ending in STORES)
    stores = [path] if path.suffix in STORES else [*candidates]
    return next((store for store in stores if store.exists()), None)


MAP_NAMES = ("sic", "sic_uncertainty", "status_flag")
RASTERS = {"sic": "_float.tif", "sic_uncertainty": "_uncertainty.tif", "status_flag": "_flags.tif"}


def read_maps(folder: Path) -> xr.Dataset | None:
    """`sic`, `sic_uncertainty` and `status_flag` of a product, (y, x) in memory, its grid in attrs.

    They are read from the Zarr store, NetCDF or GeoTIFFs; None where it has none of these.
    """
    stem = folder / folder.name
    if add_suffix(stem, ".zarr").exists():
        return _load_maps(xr.open_zarr(add_suffix(stem, ".zarr"), chunks=None))
    if add_suffix(stem, ".nc").exists():
        return _load_maps(xr.open_dataset(add_suffix(stem, ".nc")))
    if all(add_suffix(stem, ending).exists() for ending in RASTERS.values()):
        return _from_rasters(stem)
    return None


def _load_maps(opened: xr.Dataset) -> xr.Dataset:
    with closing(opened):
        maps: xr.Dataset = opened[list(MAP_NAMES)].isel(time=0, drop=True).load()
        return maps.assign_attrs(opened.attrs)


def _from_rasters(stem: Path) -> xr.Dataset:
    values = {}
    for name, ending in RASTERS.items():
        with rasterio.open(add_suffix(stem, ending)) as raster:
            values[name] = ("y", "x"), raster.read(1)
    entry = read_provenance(stem.parent)["grid"]
    left, _, _, top = entry["bounds_m"]
    rows, columns = entry["shape"]
    crs, cell = entry["crs"], entry["cell_m"]
    grid = Grid(crs=crs, left=left, top=top, cell=cell, shape=(rows, columns))
    maps = xr.Dataset(values, coords=coordinates(grid), attrs={"crs": crs})
    maps["status_flag"] = maps["status_flag"].astype(np.uint16)
    return maps


KM = 1e-3


@xr.register_dataset_accessor("seaice")  # type: ignore[no-untyped-call]
class ProductAccessor:
    """Methods of an opened product: `product.seaice.plot()`, `.at(30, 80)`, `.flag("coast")`."""

    def __init__(self, product: xr.Dataset) -> None:
        self._product = product

    @overload
    def at(self, longitude: float, latitude: float) -> Cell: ...

    @overload
    def at(self, longitude: ArrayLike, latitude: ArrayLike) -> Cell | xr.Dataset: ...

    def at(self, longitude: ArrayLike, latitude: ArrayLike) -> Cell | xr.Dataset:
        """Values and flags at one or more places, in degrees east and north.

        Parameters
        ----------
        longitude, latitude : numbers, or arrays of one dimension and one length

        Returns
        -------
        Cell or xr.Dataset
            One place on one day: a `Cell`, which prints its flags in words. Otherwise the
            product's variables, (point,), (time,) or (time, point).

        Raises
        ------
        SettingsError
            If a place lies outside the product.
        """
        days = self._product.sizes.get("time", 1)
        if np.ndim(longitude) == np.ndim(latitude) == 0 and days == 1:
            east, north = np.asarray(longitude, float), np.asarray(latitude, float)
            return cell_at(select_single_day(self._product, "at"), float(east), float(north))
        return cells_at(self._product, longitude, latitude)

    def flag(self, name: str) -> xr.DataArray:
        """Mask of the cells with a flag, with the shape of `status_flag`.

        Parameters
        ----------
        name : of docs/product.md, such as "coast"

        Raises
        ------
        UnknownNameError
            If there is no such flag.
        """
        names = {flag.name.lower(): flag for flag in Flag if flag.name}
        if name not in names:
            raise UnknownNameError(
                f"a flag {name!r}", f"one of {', '.join(names)}", "take one of them"
            )
        return ((self._product["status_flag"] & names[name]) > 0).rename(name)

    def ice_edge(self) -> NDArray[np.object_]:
        """The 15 % contour of a day: shapely lines on the product's plane, m.

        Raises
        ------
        SettingsError
            If the dataset holds several days.
        """
        return ice_edge(select_single_day(self._product, "ice_edge"))

    def extent(self) -> xr.DataArray:
        """Sea-ice extent: area of cells with 15 % ice or more, km2; NaN cells are ignored.

        Source: the definition of extent of NSIDC's Sea Ice Index, G02135.
        """
        extent = (self._ground() * (self._product["sic"] >= EDGE)).sum(("y", "x"))
        return _in_km2(extent, "sea_ice_extent", "sea-ice extent: ground of cells with 15 % ice")

    def area(self) -> xr.DataArray:
        """Sea-ice area: cell area times concentration, km2; cells without a value are ignored."""
        area = (self._ground() * self._product["sic"]).sum(("y", "x"))
        return _in_km2(area, "sea_ice_area", "sea-ice area: ground times concentration")

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the concentration of a day like the product's quicklook, on new or given axes.

        Returns
        -------
        matplotlib.axes.Axes
            Its title is the date; x and y are km on the product's plane.

        Raises
        ------
        SettingsError
            If the dataset holds several days.
        """
        from matplotlib import pyplot

        from seaice.product.quicklook import draw_map

        day = select_single_day(self._product, "plot")
        drawn_axes = axes or pyplot.subplots(figsize=(8, 8), layout="constrained")[1]
        draw_map(day, drawn_axes)
        time = str(day["time"].values)[:10] if "time" in day.coords else ""
        drawn_axes.set_title(str(day.attrs.get("date", time)))
        return drawn_axes

    def _ground(self) -> xr.DataArray:
        areas = cell_areas(grid_of(self._product)) * KM**2
        return xr.DataArray(areas, dims=("y", "x"), name="km2")


def _in_km2(values: xr.DataArray, name: str, long_name: str) -> xr.DataArray:
    """Set CF attributes and the name."""
    values.attrs = {"standard_name": name, "long_name": long_name, "units": "km2"}
    return values.rename(name)
