"""Scenes of the AI4Arctic / ASIP Sea Ice Dataset as AMSR2 scenes with a chart.

Source of the layout: Buus-Hinkler et al. 2022, "AI4Arctic Sea Ice Challenge Dataset" (doi
10.11583/DTU.c.6244065) and its manual. AMSR2 brightness temperature (`btemp_6_9h` ...
`btemp_89_0v`) lies on cells of 2 km, each of which covers the same number of radar pixels (25 of
80 m in the ready-to-train files, 50 of 40 m in the raw ones). Positions are tie points of the
radar image.

- Ready to train (`*_prep.nc`): brightness temperature is standardized with the mean and standard
  deviation of the whole set; a cell whose 14 channels are all exactly 0 has no measurement. `SIC`
  holds classes of tenths, 0 to 10, and 255 where it is masked. The files of the test set have
  their chart in another file, `*_prep_reference.nc`.
- Raw: brightness temperature in kelvin; the chart is `polygon_icechart` with `polygon_codes`.
"""

import re
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.cf import TB_RANGE
from seaice.errors import NoInputError
from seaice.evaluate.charts import CHARTED_FRACTION, Chart, sigrid_concentration
from seaice.evaluate.fields.formats import tie_points, total_codes
from seaice.instrument import BANDS, CHANNELS
from seaice.io.hdf5 import open_netcdf, translate_errors

__all__ = ["MEAN_STD", "class_concentrations", "is_ai4arctic", "native_name", "read_ai4arctic"]

Array = NDArray[np.floating]

#: K, mean and standard deviation with which the ready-to-train files are standardized: statistics
#: of the training set, published with it (doi 10.11583/DTU.21316608)
MEAN_STD: dict[str, tuple[float, float]] = {
    "btemp_6_9h": (148.84698, 61.64847),
    "btemp_6_9v": (203.51945, 38.66643),
    "btemp_7_3h": (149.89897, 61.67545),
    "btemp_7_3v": (204.20534, 38.66622),
    "btemp_10_7h": (153.89169, 60.87525),
    "btemp_10_7v": (208.90409, 36.24496),
    "btemp_18_7h": (165.68026, 52.61787),
    "btemp_18_7v": (218.58683, 28.06039),
    "btemp_23_8h": (182.20894, 42.88716),
    "btemp_23_8v": (226.39647, 22.11758),
    "btemp_36_5h": (185.19472, 38.64444),
    "btemp_36_5v": (228.20590, 17.65265),
    "btemp_89_0h": (212.53746, 22.58497),
    "btemp_89_0v": (241.25748, 16.31096),
}
STANDARDIZED = 50.0  #: K: values that stay below are standardized, brightness is never so low
CELL = (1000.0, 4000.0)  #: m, sides of AMSR2 cells that are plausible
UNEVEN = 0.03  #: fraction of a pixel count by which image and AMSR2 grid may differ in size
#: Classes of `SIC`: codes 0, 1, 2 and 55 became 0, codes 91 and 92 became 10, tenths are in between
CLASS_CODES = {0: 1, **{tenth: 10 * tenth for tenth in range(1, 10)}, 10: 91}
CLASS_VALUES = {0: 0.0, **{tenth: tenth / 10 for tenth in range(1, 10)}, 10: 1.0}
MOMENT = re.compile(r"(?<!\d)(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")


def native_name(channel: str) -> str:
    """The data set's name of a channel.

    >>> native_name("tb89h"), native_name("tb6v")
    ('btemp_89_0h', 'btemp_6_9v')
    """
    label = BANDS[channel[2:-1]].label.replace(".", "_")
    return f"btemp_{label}{channel[-1]}"


def is_ai4arctic(dataset: xr.Dataset) -> bool:
    """Whether a file is a scene of the data set, ready to train or raw, with AMSR2 channels."""
    return {"btemp_89_0h", "btemp_89_0v"} <= set(dataset.variables)


def read_ai4arctic(path: Path, charts: Path | None = None) -> xr.Dataset:
    """A scene in the layout that `seaice.io.scene` reads, with its chart.

    Parameters
    ----------
    path : of the scene, ready to train or raw
    charts : another folder in which `*_reference.nc` of a ready-to-train test scene may lie

    Returns
    -------
    Dataset
        (y, x) each: `tb89h` ... in kelvin, `latitude`, `longitude` in degrees, and, where the
        scene has a chart, `sic_chart` and `sic_uncertainty` in percent; attribute `time`

    Raises
    ------
    NoInputError
        If channels, tie points or the time are absent, the AMSR2 grid does not fit the radar
        image, or brightness temperature is neither kelvin nor standardized.
    """
    needed = {native_name(name) for name in CHANNELS}
    needed |= {"SIC", "polygon_icechart", "polygon_codes"}
    needed |= {f"sar_grid_{axis}" for axis in ("line", "sample", "latitude", "longitude")}
    needed |= {f"sar_grid2d_{axis}" for axis in ("latitude", "longitude")}
    with translate_errors(path), open_netcdf(path, decode_times=False) as file:
        shape = _image_shape(path, file)
        raw = "polygon_icechart" in file.variables
        names = [
            name for name in file.variables if name in needed or (raw and name == "distance_map")
        ]
        scene = file[names].load().assign_attrs(file.attrs)
    kelvin = _brightness(path, scene)
    rows, columns = next(iter(kelvin.values())).shape
    pixels = _pixels_per_cell(path, shape, (rows, columns))
    latitude, longitude = _positions(path, scene, shape, (rows, columns), pixels)
    layers = {name: (("y", "x"), values.astype(np.float32)) for name, values in kelvin.items()}
    chart = _chart(path, scene, (rows, columns), pixels, charts)
    if chart is not None:
        layers["sic_chart"] = ("y", "x"), (100 * chart.sic).astype(np.float32)
        layers["sic_uncertainty"] = ("y", "x"), (100 * chart.uncertainty).astype(np.float32)
    return xr.Dataset(
        layers,
        coords={"latitude": (("y", "x"), latitude), "longitude": (("y", "x"), longitude)},
        attrs={"time": _moment(path, scene), "title": f"AI4Arctic scene {path.stem}"},
    )


def _image_shape(path: Path, file: xr.Dataset) -> tuple[int, int]:
    """Lines and samples of the radar image."""
    for name in ("SIC", "polygon_icechart", "nersc_sar_primary", "distance_map"):
        if name in file.variables and file[name].ndim == 2:
            lines, samples = file[name].shape
            return lines, samples
    raise _unusable(f"{path}, without SIC, polygon_icechart or nersc_sar_primary")


def _pixels_per_cell(path: Path, image: tuple[int, int], grid: tuple[int, int]) -> int:
    """Radar pixels along a cell's side: the AMSR2 grid leaves out what is less than a cell."""
    ratios = [size / cells for size, cells in zip(image, grid, strict=True)]
    pixels = round(min(ratios))
    if pixels < 1 or max(abs(ratio - pixels) for ratio in ratios) > max(UNEVEN * pixels, 0.5):
        raise _unusable(
            f"{path} with {grid[0]} x {grid[1]} AMSR2 cells over {image[0]} x {image[1]} pixels"
        )
    return pixels


def _brightness(path: Path, scene: xr.Dataset) -> dict[str, Array]:
    """(row, column) K of every channel that the file has, NaN where there is no measurement."""
    there = [name for name in CHANNELS if native_name(name) in scene.variables]
    stored = {name: np.asarray(scene[native_name(name)].values, float) for name in there}
    shapes = {values.shape for values in stored.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise _unusable(f"{path} with channels of the shapes {sorted(shapes)}")
    measured = np.isfinite(stored["tb89v"]) & ~np.all(
        [values == 0 for values in stored.values()], axis=0
    )
    if not measured.any():
        raise _unusable(f"{path} without a measurement of btemp_89_0v")
    standardized = np.abs(stored["tb89v"][measured]).max() < STANDARDIZED
    kelvin = {}
    for name, values in stored.items():
        mean, std = MEAN_STD[native_name(name)] if standardized else (0.0, 1.0)
        kelvin[name] = np.where(measured, mean + std * values, np.nan)
    low, high = kelvin["tb89v"][measured].min(), kelvin["tb89v"][measured].max()
    if low < TB_RANGE[0] or high > TB_RANGE[1]:
        raise _unusable(f"{path} with btemp_89_0v from {low:.0f} to {high:.0f} K")
    return kelvin


def _positions(
    path: Path, scene: xr.Dataset, image: tuple[int, int], grid: tuple[int, int], pixels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Latitude and longitude of the cells' centres, (row, column) degrees."""
    from scipy.interpolate import RectBivariateSpline  # slow to import, and only needed here

    tie = tie_points(scene, str(path), image)
    crs = "EPSG:3411" if np.nanmean(tie.latitude) > 0 else "EPSG:3412"
    to_plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    plane = to_plane.transform(tie.longitude, tie.latitude)
    lines, samples = ((np.arange(count) + 0.5) * pixels - 0.5 for count in grid)
    x, y = (
        RectBivariateSpline(tie.line, tie.sample, values, kx=1, ky=1)(lines, samples)
        for values in plane
    )
    sides = [float(np.median(np.hypot(*np.diff([x, y], axis=axis)))) for axis in (1, 2)]
    if not all(CELL[0] <= side <= CELL[1] for side in sides):
        raise _unusable(f"{path} with AMSR2 cells of {sides[0]:.0f} x {sides[1]:.0f} m")
    longitude, latitude = to_plane.transform(x, y, direction="INVERSE")
    return latitude.astype(np.float32), longitude.astype(np.float32)


def _chart(
    path: Path, scene: xr.Dataset, grid: tuple[int, int], pixels: int, charts: Path | None
) -> Chart | None:
    """Means of the chart over each cell; None where the scene has none."""
    if "polygon_icechart" in scene.variables:
        codes = total_codes(scene)
        if "distance_map" in scene.variables:
            codes = np.where(scene["distance_map"].values == 0, np.int16(-9), codes)
        there = [int(code) for code in range(100) if not np.isnan(sigrid_concentration(code)[0])]
        table = {code: sigrid_concentration(code) for code in there}
        return _block_means(codes, table, grid, pixels)
    classes = scene["SIC"].values if "SIC" in scene.variables else None
    if classes is None or not (classes <= 10).any():
        classes = _reference(path, charts)
    if classes is None:
        return None
    return _block_means(classes, class_concentrations(), grid, pixels)


def class_concentrations() -> dict[int, tuple[float, float]]:
    """Concentration and standard deviation, 0-1, of each class of `SIC`.

    >>> class_concentrations()[0], class_concentrations()[10][0]
    ((0.0, 0.02886751345948129), 1.0)
    """
    return {
        tenth: (value, sigrid_concentration(CLASS_CODES[tenth])[1])
        for tenth, value in CLASS_VALUES.items()
    }


def _reference(path: Path, charts: Path | None) -> NDArray[np.generic] | None:
    """`SIC` of the file that holds the chart of a test scene; None if there is no such file."""
    stem = path.stem.removesuffix("_prep")
    folders = [path.parent, *([charts] if charts is not None else [])]
    for folder in folders:
        for name in (f"{stem}_prep_reference.nc", f"{stem}_reference.nc"):
            other = folder / name
            if other.exists():
                with translate_errors(other), open_netcdf(other, decode_times=False) as file:
                    if "SIC" in file.variables:
                        return np.asarray(file["SIC"].values)
    return None


def _block_means(
    classes: NDArray[np.generic],
    table: dict[int, tuple[float, float]],
    grid: tuple[int, int],
    pixels: int,
) -> Chart:
    """Mean concentration and uncertainty of the charted pixels of each cell.

    Parameters
    ----------
    classes : (line, sample) classes or codes
    table : concentration and standard deviation of each class; others are not charted
    grid : rows and columns of cells
    pixels : along a cell's side
    """
    sic, uncertainty, count = (np.zeros(grid) for _ in range(3))
    lines, samples = (cells * pixels for cells in grid)
    inside = np.asarray(classes)[:lines, :samples]
    for number, (value, deviation) in table.items():
        here = inside == number
        if not here.any():
            continue
        blocks = here.reshape(grid[0], pixels, grid[1], pixels).sum((1, 3))
        sic += value * blocks
        uncertainty += deviation * blocks
        count += blocks
    charted = count >= CHARTED_FRACTION * pixels**2
    count = np.maximum(count, 1)
    return Chart(sic=np.where(charted, sic / count, np.nan), uncertainty=uncertainty / count)


def _moment(path: Path, scene: xr.Dataset) -> str:
    """UTC, of the radar image."""
    for text in (
        str(scene.attrs.get("scene_id", "")),
        str(scene.attrs.get("original_id", "")),
        path.name,
    ):
        if result := MOMENT.search(text):
            year, month, day, hour, minute, second = result.groups()
            return f"{year}-{month}-{day} {hour}:{minute}:{second}"
    raise _unusable(f"{path}, whose attributes and name hold no time")


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a scene of AI4Arctic as it was published, ready to train or raw",
        "fetch the file again, or leave it out",
    )
