"""A product's folder, file or season in; the dataset a notebook starts from out."""

from pathlib import Path

import xarray as xr
import zarr

from seaice.errors import NoInputError
from seaice.write.names import named
from seaice.write.season.layout import STATUS
from seaice.write.season.store import open_season

__all__ = ["open_product"]

STORES = (".zarr", ".nc")  #: of a product's folder, in the order in which they are looked for


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
    if store.suffix == ".zarr" and STATUS in zarr.open_group(store, mode="r"):
        return open_season(store)
    opened = xr.open_zarr(store) if store.suffix == ".zarr" else xr.open_dataset(store, chunks={})
    return opened.drop_vars("time_bnds", errors="ignore").isel(time=0)


def _store_of(path: Path) -> Path | None:
    """The Zarr store or NetCDF file of a product."""
    inside = (named(path / path.resolve().name, ending) for ending in STORES)
    stores = [path] if path.suffix in STORES else [*inside]
    return next((store for store in stores if store.exists()), None)
