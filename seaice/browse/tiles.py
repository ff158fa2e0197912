"""The COGs of a product in, square pictures whose colours are numbers out.

A page colours them itself, so that a click can tell the value, of a static copy too.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.windows import Window

from seaice.errors import UnknownNameError
from seaice.product.folder import add_suffix

__all__ = ["ABSENT", "KELVIN_FROM", "SIDE", "TILES", "deepest", "tile"]

SIDE = 256  #: pixels along a side
ABSENT = 255  #: no value
KELVIN_FROM = 50.0  #: K, of brightness temperatures, told in whole kelvin from here on
Bytes = NDArray[np.uint8]

#: kind of tile -> the rasters of its red, green and blue, by the end of their names
TILES = {
    "sic": (".tif", "_uncertainty.tif", "_raw.tif"),
    "flags": ("_flags.tif",),
    "tb": ("_tb89h.tif", "_tb89v.tif", "_pd.tif"),
}


def deepest(shape: tuple[int, int]) -> int:
    """The level at which a pixel is a cell; at level 0 the whole map is one tile.

    >>> deepest((200, 256)), deepest((2752, 2112))
    (0, 4)
    """
    return max(0, int(np.ceil(np.log2(max(shape) / SIDE))))


def tile(stem: Path, kind: str, level: int, column: int, row: int) -> bytes | None:
    """One tile of a product as PNG; None where it lies outside the map.

    Parameters
    ----------
    stem : of the product's files
    kind : of `TILES`
    level : 0 shows the whole map; each further one twice as fine, to that of `deepest`
    column, row : from the upper left corner

    Returns
    -------
    bytes
        PNG of `SIDE` x `SIDE` pixels. "sic": concentration, uncertainty and unfiltered
        concentration, percent, 254 land, 255 absent. "flags": low and high byte. "tb": H and V,
        K above 50, and V - H in half kelvin; 255 absent.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if kind not in TILES:
        raise UnknownNameError(f"tiles of {kind!r}", f"one of {', '.join(TILES)}", "ask for one")
    read = [_read(add_suffix(stem, ending), level, column, row) for ending in TILES[kind]]
    stored = [values for values in read if values is not None]
    if len(stored) < len(read):
        return None
    bands = {"sic": _concentration, "flags": _flags, "tb": _temperature}[kind](stored)
    picture = BytesIO()
    Image.fromarray(np.stack(bands, axis=-1)).save(picture, "PNG", compress_level=3)
    return picture.getvalue()


def _read(path: Path, level: int, column: int, row: int) -> NDArray[np.generic] | None:
    """The cells of a tile, thinned as the level asks, filled up where the map ends."""
    with rasterio.open(path) as raster:
        top = deepest(raster.shape)
        if not 0 <= level <= top or column < 0 or row < 0:
            return None
        step = 2 ** (top - level)
        first = Window(column * SIDE * step, row * SIDE * step, SIDE * step, SIDE * step)
        if first.col_off >= raster.width or first.row_off >= raster.height:
            return None
        window = first.intersection(Window(0, 0, raster.width, raster.height))
        size = (-(-window.height // step), -(-window.width // step))
        values = raster.read(1, window=window, out_shape=size)
        empty = 255 if raster.dtypes[0] == "uint8" else 0 if raster.nodata is None else np.nan
    whole: NDArray[np.generic] = np.full((SIDE, SIDE), empty, values.dtype)
    whole[: size[0], : size[1]] = values
    return whole


def _concentration(held: list[NDArray[np.generic]]) -> list[Bytes]:
    percent, uncertainty, raw = held
    return [percent.astype(np.uint8), _whole(uncertainty, 100.0), _whole(raw, 100.0)]


def _flags(held: list[NDArray[np.generic]]) -> list[Bytes]:
    (flags,) = (each.astype(np.uint16) for each in held)
    low, high = (flags & 255).astype(np.uint8), (flags >> 8).astype(np.uint8)
    return [low, high, np.zeros_like(low)]


def _temperature(held: list[NDArray[np.generic]]) -> list[Bytes]:
    h, v, difference = held
    return [_whole(h, 1.0, KELVIN_FROM), _whole(v, 1.0, KELVIN_FROM), _whole(difference, 2.0)]


def _whole(values: NDArray[np.generic], times: float, start: float = 0.0) -> Bytes:
    """Values as whole numbers from 0 to 250; absent ones as 255."""
    steps = np.rint((values.astype(np.float32) - start) * times)
    return np.where(np.isnan(steps), ABSENT, np.clip(steps, 0, 250)).astype(np.uint8)
