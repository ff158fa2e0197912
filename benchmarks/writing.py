"""A finished product to its files, format by format, beside writing the same bytes to the disk."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import zoom
from tests.products import made_product

from benchmarks.measure import Row, interleaved, peak
from seaice.config import Format
from seaice.grid.grid import NORTH, coordinates
from seaice.product.folder import write_product
from seaice.product.netcdf_zarr import DECIMAL_DIGITS
from seaice.retrieval.flags import Flag

#: of crops in coarse cells: a 64th and a quarter of the north, which is on the line through both
SMALL, LARGE = (224, 152), (896, 608)
QUICK: tuple[Format, ...] = ("zarr", "geotiff", "quicklook")


def made(side: tuple[int, int]) -> xr.Dataset:
    """A product with an ice edge of all sizes, a third land, and noise in every digit."""
    random = np.random.default_rng(0)
    grid = NORTH.crop(slice(600, 600 + side[0]), slice(400, 400 + side[1])).refine(4)
    shape = grid.shape
    rough = sum(_waves(random, shape, 2**n) * 2.0**-n for n in range(2, 7))
    sic = np.clip(0.5 + 3 * rough, 0, 1)
    land = _waves(random, shape, 4) > 0.25
    product = made_product()
    maps = {}
    for name, values in product.items():
        field = np.full(shape, values.values.flat[0])
        if name in DECIMAL_DIGITS:
            spread = 60.0 if DECIMAL_DIGITS[str(name)] == 2 else 1.0
            field = (100 * (spread > 1) + spread * sic + random.normal(0, 1e-3, shape)).astype("f4")
            field = np.where(land, np.float32("nan"), field.clip(0, 300 if spread > 1 else 1))
        maps[name] = ("y", "x"), field, values.attrs
    flags = np.where(land, Flag.LAND, 0).astype(np.uint16)
    maps["status_flag"] = ("y", "x"), flags, product["status_flag"].attrs
    return xr.Dataset(maps, coordinates(grid), product.attrs)


def _waves(random: np.random.Generator, shape: tuple[int, int], parts: int) -> np.ndarray:
    coarse = random.normal(0, 1, (parts + 1, parts + 1))
    return zoom(coarse, [n / (parts + 1) for n in shape], order=1)[: shape[0], : shape[1]]


def written(product: xr.Dataset, formats: tuple[Format, ...]) -> int:
    """Bytes of the files."""
    with tempfile.TemporaryDirectory() as folder:
        return sum(file.size for file in write_product(product, Path(folder) / "p", formats))


def onto_disk(size: int) -> None:
    """As many bytes, at once, until the disk has them."""
    with tempfile.TemporaryFile() as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())


def rows(runs: int) -> Iterator[Row]:
    """Every format by itself, then those of a quick map together."""
    small, large = made(SMALL), made(LARGE)
    cells = [product["sic"].size for product in (small, large)]
    whole = 16 * NORTH.shape[0] * NORTH.shape[1]
    for formats in (*((each,) for each in ("zarr", "netcdf", "geotiff", "quicklook")), QUICK):
        size = written(large, formats)
        taken = interleaved(
            {
                "small": lambda f=formats: written(small, f),
                "large": lambda f=formats: written(large, f),
                "disk": lambda s=size: onto_disk(s),
            },
            max(runs // 2, 1),
        )
        line = np.polyfit(cells, [taken[each].cpu for each in ("small", "large")], 1)
        yield Row(
            subject="writing",
            what=" + ".join(formats),
            sizes=f"{cells[1] / 1e6:.1f} million cells, {size / 1e6:.1f} MB",
            ours=taken["large"],
            limit_is="the same bytes to the disk",
            limit=taken["disk"].cpu,
            peak=peak(),
            note=f"the whole north by the line through two sizes: {np.polyval(line, whole):.0f} s "
            "of processor time",
        )
