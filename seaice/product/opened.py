"""Open products as xarray datasets: one day, or several along time."""

from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from seaice.errors import NoInputError, SettingsError
from seaice.grid.grid import grid_of
from seaice.write.names import named
from seaice.write.season.layout import STATUS
from seaice.write.season.store import open_season

__all__ = ["open_product", "open_products"]

STORES = (".zarr", ".nc")  #: of a product's folder, in the order in which they are looked for

#: What a variable's encoding keeps once it is opened: how numbers are stored. Chunks, shards and
#: compression belong to the file that was read, and contradict the dataset's dimensions.
NUMBERS = ("_FillValue", "dtype", "units", "calendar", "scale_factor", "add_offset")

#: of a product, what it calls whether it is final: `day_status`, as in the store of a season
STATUSES = {"provisional": 1, "final": 2}


def open_product(path: str | Path) -> xr.Dataset:
    """Open a product, or a season of them; values are read when they are asked for.

    Parameters
    ----------
    path : the folder of a product, its Zarr store or NetCDF file, or the Zarr store of a season

    Returns
    -------
    xr.Dataset
        Variables of docs/product.md, (y, x) of one day, or (time, y, x) of a season. Concentration
        is a fraction, temperature K; x and y are m on the plane of attrs["crs"]. The accessor
        `.seaice` draws it, finds cells by longitude and latitude, and tells their reasons.

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
    import seaice.product.accessor  # noqa: F401  registers `.seaice`

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
        return _plain(open_season(store).chunk(time=1))
    opened = xr.open_zarr(store) if store.suffix == ".zarr" else xr.open_dataset(store, chunks={})
    return _plain(opened).isel(time=0)


def open_products(paths: str | Path | Iterable[str | Path]) -> xr.Dataset:
    """Open products of several days as one dataset along time; values are read when asked for.

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
    found = _listed(paths)
    if not found:
        raise NoInputError(
            "no products",
            "folders such as products/seaice_sic_north_20200303_v0.1",
            "name some of them, or the folder that holds them",
        )
    opened = [_along_time(open_product(path)) for path in found]
    _check_together(opened, found)
    bare = [_without_positions(each, opened) for each in opened]
    together = xr.concat(
        bare,
        dim="time",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="drop_conflicts",
    )
    return together.sortby("time")


def _listed(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The products that are meant, one by one."""
    if not isinstance(paths, str | Path):
        return [Path(path) for path in paths]
    path = Path(paths)
    if _store_of(path) is not None or not path.is_dir():
        return [path]
    return sorted(each for each in path.iterdir() if each.is_dir() and _store_of(each) is not None)


def _along_time(product: xr.Dataset) -> xr.Dataset:
    """A product of one day, or a season, with a dimension time and the status of each day."""
    if "time" in product.dims:
        return product
    status = np.uint8(STATUSES.get(str(product.attrs.get("product_status")), 0))
    days = product.expand_dims("time")
    return days.assign({STATUS: ("time", np.full(days.sizes["time"], status))})


def _check_together(opened: list[xr.Dataset], paths: list[Path]) -> None:
    """Refuse products that cannot stand along one axis of time.

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


def _without_positions(product: xr.Dataset, others: list[xr.Dataset]) -> xr.Dataset:
    """Without variables that not all have, as the longitude and latitude of a NetCDF file."""
    shared: set[Hashable] = set.intersection(*(set(each.variables) for each in others))
    return product.drop_vars(set(product.variables) - shared)


def _plain(opened: xr.Dataset) -> xr.Dataset:
    """As xarray and its extensions want it: `crs` a coordinate, no encoding of the file's layout.

    rioxarray, odc-geo and others look for the grid mapping among the coordinates.
    """
    made = opened.drop_vars("time_bnds", errors="ignore").set_coords("crs")
    made["time"].attrs.pop("bounds", None)
    for variable in made.variables.values():
        kept = {key: value for key, value in variable.encoding.items() if key in NUMBERS}
        variable.encoding = kept
    made.encoding = {}
    return made


def _is_season(store: Path) -> bool:
    return store.suffix == ".zarr" and STATUS in zarr.open_group(store, mode="r")


def _store_of(path: Path) -> Path | None:
    """The Zarr store or NetCDF file of a product."""
    inside = (named(path / path.resolve().name, ending) for ending in STORES)
    stores = [path] if path.suffix in STORES else [*inside]
    return next((store for store in stores if store.exists()), None)
