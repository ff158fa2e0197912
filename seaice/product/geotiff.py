"""Maps as cloud-optimised GeoTIFFs for QGIS and other GIS programs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.shutil import copy

from seaice import __version__
from seaice.grid.grid import grid_of
from seaice.product.style import (
    LAND,
    NO_DATA,
    PD_RAMP,
    TB_RAMP,
    Colour,
    Ramp,
    Style,
    colour_table,
    flags_style,
    fraction_style,
    kelvin_style,
    percent_style,
    uncertainty_style,
)
from seaice.retrieval.flags import Flag

__all__ = ["Raster", "rasters", "to_percent", "write_geotiff"]

BLOCK = 512  #: cells a side
COG_OPTIONS = MappingProxyType(
    {
        "compress": "DEFLATE",
        "level": 1,  # two thirds of the time of level 6, files 4 % larger
        "predictor": "YES",
        "blocksize": BLOCK,
        "num_threads": "ALL_CPUS",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """One raster band and how it is stored and drawn."""

    values: NDArray[np.generic]  #: (y, x)
    description: str
    unit: str
    nodata: float | None
    overviews: Literal["nearest", "average"]  #: resampling of the overviews
    style: Style  #: how QGIS draws it
    colours: Mapping[int, Colour] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def to_percent(product: xr.Dataset) -> NDArray[np.uint8]:
    """Concentration as a byte raster: 0-100 %, 254 land, 255 no data.

    Returns
    -------
    (y, x) uint8
    """
    sic = product["sic"].values
    land = (product["status_flag"].values & Flag.LAND) > 0
    whole = np.where(np.isnan(sic), NO_DATA, np.rint(np.clip(sic, 0, 1) * 100))
    return np.where(land, LAND, whole).astype(np.uint8)


def rasters(product: xr.Dataset) -> dict[str, Raster]:
    """The rasters of a product, by the suffix of their file name."""
    meanings = ", ".join(f"{flag.value} {str(flag.name).lower()}" for flag in Flag)
    return {
        "": Raster(
            values=to_percent(product),
            description=f"sea-ice concentration, {LAND} land, {NO_DATA} no data",
            unit="%",
            nodata=NO_DATA,
            overviews="nearest",
            style=percent_style(),
            colours=colour_table(),
        ),
        "_float": _fraction_raster(
            product["sic"], "sea-ice concentration, 0 to 1", fraction_style()
        ),
        "_raw": _fraction_raster(
            product["sic_raw"],
            "sea-ice concentration before filters and corrections, 0 to 1",
            fraction_style(),
        ),
        "_uncertainty": _fraction_raster(
            product["sic_uncertainty"],
            "one standard deviation of the sea-ice concentration",
            uncertainty_style(),
        ),
        "_flags": Raster(
            values=product["status_flag"].values.astype(np.uint16, copy=False),
            description="why a cell has its value",
            unit="1",
            nodata=None,
            overviews="nearest",
            style=flags_style(np.unique(product["status_flag"].values)),
            tags={"BITS": meanings},
        ),
        "_tb89h": _kelvin_raster(
            product["tb89h"], "refined brightness temperature, 89 GHz H", TB_RAMP
        ),
        "_tb89v": _kelvin_raster(
            product["tb89v"], "refined brightness temperature, 89 GHz V", TB_RAMP
        ),
        "_pd": _kelvin_raster(product["pd"], "polarization difference, 89 GHz V - H", PD_RAMP),
    }


def _kelvin_raster(values: xr.DataArray, description: str, ramp: Ramp) -> Raster:
    return _float_raster(values, description, "K", kelvin_style(ramp))


def _fraction_raster(values: xr.DataArray, description: str, style: Style) -> Raster:
    return _float_raster(values, description, "1", style)


def _float_raster(values: xr.DataArray, description: str, unit: str, style: Style) -> Raster:
    """A float32 raster, NaN where there is no value."""
    return Raster(
        values=values.values.astype(np.float32, copy=False),
        description=description,
        unit=unit,
        nodata=np.nan,
        overviews="average",
        style=style,
    )


def write_geotiff(raster: Raster, product: xr.Dataset, path: Path) -> None:
    """Write one raster of a product as a COG with overviews, in the product's own projection."""
    grid = grid_of(product)
    rows, columns = grid.shape
    with rasterio.open(
        "",
        "w+",
        driver="MEM",  # builds overviews before compression, so that nothing is compressed twice
        count=1,
        height=rows,
        width=columns,
        dtype=raster.values.dtype,
        crs=grid.crs,
        transform=grid.transform,
        nodata=raster.nodata,
    ) as file:
        file.write(raster.values, 1)
        file.build_overviews(_overview_factors(grid.shape), Resampling[raster.overviews])
        file.set_band_description(1, raster.description)
        file.set_band_unit(1, raster.unit)
        if raster.colours:
            file.write_colormap(1, raster.colours)
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=f"{raster.description}; {product.attrs['date']} UTC",
            TIFFTAG_SOFTWARE=f"seaice {__version__}",
            STATUS=product.attrs.get("status", "final"),
            **raster.tags,
        )
        copy(file, path, driver="COG", **COG_OPTIONS)


def _overview_factors(shape: tuple[int, int]) -> list[int]:
    """Downsampling factor of each overview; the last one fits into one block.

    >>> _overview_factors((7168, 4864)), _overview_factors((300, 200))
    ([2, 4, 8, 16], [])
    """
    halvings = max(math.ceil(math.log2(max(shape) / BLOCK)), 0)
    return [2**n for n in range(1, halvings + 1)]
