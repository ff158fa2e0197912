"""Files of AI4Arctic, written here with the names and the scaling that its manual describes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.errors import NoInputError
from seaice.evaluate.ai4arctic import MEAN_STD, native_name, read_ai4arctic
from seaice.evaluate.scenes import open_scenes
from seaice.instrument import CHANNELS
from tests.support.synthetic_scenes import brightness, grid_positions, half_ice, positions

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
PUBLISHED = SHARED / "real" / "ai4arctic_mean_std.json"
ROWS, COLUMNS = 64, 70
PIXELS = 25  #: of 80 m along a cell of 2 km
LINES, SAMPLES = ROWS * PIXELS + 3, COLUMNS * PIXELS + 4
NAME = "20210301T184332_dmi_prep"
CELLS = ("2km_grid_lines", "2km_grid_samples")
IMAGE = ("sar_lines", "sar_samples")


def tenths():
    """Classes of the chart, (line, sample): polygons with straight borders."""
    line, sample = np.mgrid[:LINES, :SAMPLES]
    classes = np.full((LINES, SAMPLES), 10, np.uint8)
    classes[sample > 0.3 * SAMPLES + 0.1 * line] = 6
    classes[sample > 0.6 * SAMPLES] = 0
    classes[:200, :300] = 255
    return classes


def ready_to_train(*, chart=True, dtype=np.float32):
    sic = half_ice(ROWS, COLUMNS)
    layers = {}
    for name, kelvin in brightness(sic).items():
        mean, std = MEAN_STD[native_name(name)]
        values = (kelvin - mean) / std
        values[:5, :7] = 0  # no measurement
        layers[native_name(name)] = (CELLS, values.astype(dtype))
    tie = np.meshgrid(np.linspace(0, LINES - 1, 21), np.linspace(0, SAMPLES - 1, 21), indexing="ij")
    # pixel (0, 0) lies at the outer corner of cell (0, 0)
    latitude, longitude = positions(*((place + 0.5) / PIXELS - 0.5 for place in tie))
    points = ("sar_line_2dgrid_points", "sar_sample_2dgrid_points")
    layers["sar_grid2d_latitude"] = points, latitude
    layers["sar_grid2d_longitude"] = points, longitude
    classes = tenths() if chart else np.full((LINES, SAMPLES), 255, np.uint8)
    layers["SIC"] = IMAGE, classes
    layers["t2m"] = CELLS, np.zeros((ROWS, COLUMNS), np.float32)
    return xr.Dataset(layers, attrs={"scene_id": f"{NAME}.nc"})


def write(scene, path):
    packing = {name: {"zlib": True} for name in scene.data_vars if scene[name].ndim == 2}
    scene.to_netcdf(path, engine="h5netcdf", encoding=packing)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("ai4arctic")
    write(ready_to_train(), place / f"{NAME}.nc")
    return place


@pytest.fixture(scope="module")
def scene(folder):
    return read_ai4arctic(folder / f"{NAME}.nc")


def test_brightness_is_in_kelvin_again(scene):
    for name, kelvin in brightness(half_ice(ROWS, COLUMNS)).items():
        read = scene[name].values
        assert np.isnan(read[:5, :7]).all()
        known = np.isfinite(read)
        assert known.sum() == read.size - 35
        assert np.abs(read - kelvin)[known].max() < 1e-3


def test_cells_lie_where_the_tie_points_say(scene):
    latitude, longitude = grid_positions(ROWS, COLUMNS)
    assert np.abs(scene["latitude"].values - latitude).max() < 50 / 111e3
    east = np.cos(np.radians(latitude)) * (scene["longitude"].values - longitude)
    assert np.abs(east).max() < 50 / 111e3


def test_charted_cells_are_means_of_their_pixels(scene):
    classes = tenths()[: ROWS * PIXELS, : COLUMNS * PIXELS].astype(float)
    classes[classes == 255] = np.nan
    blocks = classes.reshape(ROWS, PIXELS, COLUMNS, PIXELS)
    with np.errstate(invalid="ignore"):
        charted = np.isfinite(blocks).mean((1, 3)) >= 0.5
    expected = np.where(
        charted, np.nanmean(np.where(charted[:, None, :, None], blocks, 0), (1, 3)), np.nan
    )
    chart = scene["sic_chart"].values
    assert np.array_equal(np.isfinite(chart), charted)
    assert np.nanmax(np.abs(chart / 10 - expected)) < 1e-4
    assert not charted[:8, :12].any()
    deviation = scene["sic_uncertainty"].values
    assert deviation[charted].min() > 2  # classes are tenths: 0 is up to 10 %, 10 is from 90 % on
    inner = np.isclose(chart, 60)
    assert deviation[inner] == pytest.approx(100 * np.hypot(0.1, 0.1 / np.sqrt(12)), abs=1e-3)


def test_the_scene_is_scored_as_any_other(folder):
    (scene,) = open_scenes(folder)
    assert scene.name == NAME
    assert scene.cell == pytest.approx(2, rel=0.02)
    assert str(scene.swath["time"].values[0]) == "2021-03-01T18:43:32.000000000"
    assert scene.swath["tb89v"].shape == (1, ROWS, COLUMNS)


def test_the_chart_of_a_test_scene_is_in_its_reference_file(tmp_path, scene):
    write(ready_to_train(chart=False), tmp_path / f"{NAME}.nc")
    assert "sic_chart" not in read_ai4arctic(tmp_path / f"{NAME}.nc")
    charts = tmp_path / "references"
    charts.mkdir()
    reference = xr.Dataset({"SIC": (IMAGE, tenths())})
    reference["SIC"].encoding["_FillValue"] = np.uint8(255)
    reference.to_netcdf(charts / f"{NAME}_reference.nc", engine="h5netcdf")
    there = read_ai4arctic(tmp_path / f"{NAME}.nc", charts)
    assert there["sic_chart"].equals(scene["sic_chart"])


def test_raw_files_hold_kelvin_and_polygons(tmp_path, scene):
    """The same chart as polygons of 40 m pixels, and brightness in kelvin."""
    raw = ready_to_train().drop_vars(["SIC", "sar_grid2d_latitude", "sar_grid2d_longitude"])
    for name, kelvin in brightness(half_ice(ROWS, COLUMNS)).items():
        raw[native_name(name)] = CELLS, kelvin
    codes = {10: 91, 6: 60, 0: 1, 255: -9}
    numbers = {10: 3, 6: 4, 0: 5, 255: 7}
    classes = tenths()
    polygon = np.vectorize(numbers.get, otypes=[np.int16])(np.unique(classes))
    polygon = polygon[np.unique(classes, return_inverse=True)[1].reshape(classes.shape)]
    raw["polygon_icechart"] = IMAGE, polygon.repeat(2, 0).repeat(2, 1)
    lines = ["id;CT;CA;SA", *(f"{numbers[c]};{codes[c]};-9;-9" for c in codes)]
    raw["polygon_codes"] = ("polygon",), np.array(lines, object)
    line, sample = np.meshgrid(
        np.linspace(0, 2 * LINES - 1, 21), np.linspace(0, 2 * SAMPLES - 1, 21), indexing="ij"
    )
    latitude, longitude = positions(
        (line + 0.5) / PIXELS / 2 - 0.5, (sample + 0.5) / PIXELS / 2 - 0.5
    )
    shuffled = np.random.default_rng(0).permutation(line.size)
    for name, values in zip(
        ("line", "sample", "latitude", "longitude"),
        (line, sample, latitude, longitude),
        strict=True,
    ):
        raw[f"sar_grid_{name}"] = ("sar_grid_points",), values.ravel()[shuffled]
    path = write(raw, tmp_path / "S1A_EW_GRDM_1SDH_20210301T184332_icechart.nc")
    read = read_ai4arctic(path)
    assert np.abs(read["tb18v"] - scene["tb18v"]).max() < 1e-3
    assert np.abs(read["latitude"] - scene["latitude"]).max() < 1e-3
    # 9+/10 is 95 % and less than 1/10 is 5 % where the raw codes are known
    classes = scene["sic_chart"].values
    assert read["sic_chart"].values[np.isclose(classes, 100)] == pytest.approx(95)
    assert read["sic_chart"].values[np.isclose(classes, 0)] == pytest.approx(5)
    assert read["sic_chart"].values[np.isclose(classes, 60)] == pytest.approx(60)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="no published statistics beside the project")
def test_the_scaling_is_the_published_one():
    published = json.loads(PUBLISHED.read_text())
    assert MEAN_STD.keys() == {native_name(name) for name in CHANNELS}
    for name, (mean, std) in MEAN_STD.items():
        assert mean == pytest.approx(published[name]["mean"], abs=1e-4)
        assert std == pytest.approx(published[name]["std"], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda scene: scene.drop_vars(["sar_grid2d_latitude"]), "tie points"),
        (lambda scene: scene.isel(sar_lines=slice(0, 900)), "AMSR2 cells over"),
        (lambda scene: scene.assign(btemp_89_0v=scene["btemp_89_0v"] + 40), "89_0v from"),
        (lambda scene: scene.assign(btemp_89_0v=scene["btemp_89_0v"] * np.nan), "measurement"),
        (lambda scene: scene.drop_attrs(), "no time"),
    ],
)
def test_files_that_are_not_as_published_are_refused(tmp_path, change, words):
    path = write(change(ready_to_train()), tmp_path / "scene.nc")
    with pytest.raises(NoInputError, match=words):
        read_ai4arctic(path)
