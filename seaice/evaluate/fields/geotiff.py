"""Charts and maps of concentration as GeoTIFF: percent or fraction, any CRS, any direction."""

import re
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError

from seaice.errors import NoInputError
from seaice.evaluate.fields.field import Field, Lattice
from seaice.ingest.netcdf import MOST_CELLS

__all__ = ["day_in_name", "read_geotiff"]

DAY = re.compile(r"(?<!\d)(19|20)(\d{2})-?([01]\d)-?([0-3]\d)(?:[T_]?([0-2]\d)([0-5]\d))?")


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
            if raster.width * raster.height > MOST_CELLS:
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
        lattice=Lattice(crs=crs.to_wkt(), transform=transform, shape=sic.shape),
        sic=sic,
        time=_tagged(tags.get("TIFFTAG_DATETIME", "")) or day_in_name(path.name),
    )


def as_fraction(values: NDArray[np.floating], whole: bool) -> NDArray[np.float32]:
    """Percent or fraction to fraction; anything else, such as codes of land, to NaN.

    Parameters
    ----------
    whole : the file keeps whole numbers, which nobody would use for fractions

    >>> as_fraction(np.array([0, 50, 100, 120.0]), True).tolist()
    [0.0, 0.5, 1.0, nan]
    """
    with np.errstate(invalid="ignore"):
        percent = whole or bool((values > 1.001).any())
        fraction = np.asarray(values / (100 if percent else 1), np.float32)
        return np.where((fraction >= 0) & (fraction <= 1), fraction, np.float32("nan"))


def day_in_name(name: str) -> np.datetime64 | None:
    """The time that a file's name tells: to the minute, or noon of the day.

    >>> day_in_name("asi-AMSR2-n6250-20160417-v5.4.nc")
    np.datetime64('2016-04-17T12:00')
    >>> day_in_name("S1A_EW_20190823T0330.tif")
    np.datetime64('2019-08-23T03:30')
    """
    found = DAY.search(name)
    if found is None:
        return None
    century, year, month, day, hour, minute = found.groups()
    return _time(f"{century}{year}-{month}-{day}T{hour or 12}:{minute or '00'}")


def _tagged(text: str) -> np.datetime64 | None:
    """TIFF writes 2019:08:23 03:30:00."""
    day, _, clock = text.partition(" ")
    return _time(f"{day.replace(':', '-')}T{clock}") if clock else None


def _time(text: str) -> np.datetime64 | None:
    try:
        return np.datetime64(text)
    except ValueError:
        return None


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a GeoTIFF whose first band is sea-ice concentration, percent or fraction, with a CRS",
        "give another file, or write its CRS into it with `gdal_edit -a_srs`",
    )
