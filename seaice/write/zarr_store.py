"""A product as a Zarr v3 store that xarray opens as it was."""

import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.errors import ZarrUserWarning

from seaice.write.cf import described

__all__ = ["write_zarr"]

CHUNK = 512  #: cells a side: what is read at once; a variable's chunks share one file (shard)


def write_zarr(product: xr.Dataset, path: Path) -> None:
    """Write the product with CF metadata; chunks (1, 512, 512) in one shard a variable and day.

    The metadata are gathered in one place as well: xarray asks for that first and warns where it
    is missing.
    """
    cf = described(product)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        cf.to_zarr(
            path,
            mode="w",
            zarr_format=3,
            consolidated=True,
            encoding={
                str(name): _encoding(values, f"seconds since {product.attrs['date']}")
                for name, values in cf.items()
                if "y" in values.dims
            },
        )


def _encoding(values: xr.DataArray, clock: str) -> dict[str, object]:
    rows, columns = values.sizes["y"], values.sizes["x"]
    kind: dict[str, object] = {}
    if np.issubdtype(values.dtype, np.floating):
        kind = {"_FillValue": np.float32("nan")}
    elif np.issubdtype(values.dtype, np.datetime64):
        kind = {"units": clock, "dtype": "float64", "_FillValue": np.nan}
    return kind | {
        "chunks": (1, CHUNK, CHUNK),
        "shards": (1, -(-rows // CHUNK) * CHUNK, -(-columns // CHUNK) * CHUNK),
    }
