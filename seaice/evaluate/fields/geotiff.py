"""Charts and maps of concentration as GeoTIFF: percent or fraction, any CRS, any direction."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioIOError

from seaice.errors import NoInputError
from seaice.evaluate.fields.field import Field
from seaice.evaluate.fields.told import as_fraction, day_in_name, time_of
from seaice.grid.grid import Grid
from seaice.io.hdf5 import MAX_CELLS

__all__ = ["read_geotiff"]


def read_geotiff(path: Path) -> Field:
    """The first band of a raster, 0-1.

    Whole numbers, and anything that reaches above 1, are percent; what lies outside 0 to 100 %, or
    is the file's own `nodata`, is absent. The time is that of the tag `TIFFTAG_DATETIME` or of the
    file's name.

    Raises
    ------
    NoInputError
        If it is no raster, has no CRS, or holds no concentration.
    """
    try:
        with rasterio.open(path) as raster:
            if raster.width * raster.height > MAX_CELLS:
                raise _unusable(f"{path} of {raster.width} x {raster.height} cells")
            band = raster.read(1, masked=True)
            scale, offset = raster.scales[0], raster.offsets[0]
            crs, transform, tags = raster.crs, raster.transform, raster.tags()
    except RasterioIOError as error:
        raise _unusable(f"{path}, which is no raster ({error})") from error
    if crs is None:
        raise _unusable(f"{path}, which does not say where it lies (no CRS)")
    whole = np.issubdtype(band.dtype, np.integer) and scale == 1
    sic = as_fraction(band.astype(np.float32).filled(np.nan) * scale + offset, whole)
    if not np.isfinite(sic).any():
        raise _unusable(f"{path}, which holds nothing between 0 and 100 %")
    return Field(
        name=path.stem,
        lattice=Grid.from_affine(crs=crs.to_wkt(), transform=transform, shape=sic.shape),
        sic=sic,
        time=_tagged(tags.get("TIFFTAG_DATETIME", "")) or day_in_name(path.name),
    )


def _tagged(text: str) -> np.datetime64 | None:
    """TIFF writes 2019:08:23 03:30:00."""
    day, _, clock = text.partition(" ")
    return time_of(f"{day.replace(':', '-')}T{clock}") if clock else None


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a GeoTIFF whose first band is sea-ice concentration, percent or fraction, with a CRS",
        "give another file, or write its CRS into it with `gdal_edit -a_srs`",
    )
