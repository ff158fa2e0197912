"""Ice charts of services on the cells of a scene: SIGRID-3 polygons, GeoTIFF, pairing by date."""

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine
from pyproj import Transformer
from typer.testing import CliRunner

from seaice.cli import app
from seaice.errors import NoInputError
from seaice.evaluate.charts import Cells, find_chart, read_chart, sigrid_concentration
from seaice.evaluate.scenes import open_scenes
from seaice.train.samples import SampleSet
from seaice.workflow.training.scene_samples import chart_weight, write_scene_samples
from tests.support.synthetic_scenes import CELL, COLUMNS, CRS, ROWS, half_ice, plane, scene_of

MOMENT = np.datetime64("2021-03-01T05:00")
#: CT and its range in tenths, table of concentration codes of SIGRID-3
RANGES = {
    **{10 * tenth: (tenth, tenth) for tenth in range(1, 10)},
    12: (1, 2), 13: (1, 3), 23: (2, 3), 24: (2, 4), 34: (3, 4), 35: (3, 5), 45: (4, 5),
    46: (4, 6), 56: (5, 6), 57: (5, 7), 67: (6, 7), 68: (6, 8), 78: (7, 8), 79: (7, 9),
    81: (8, 10), 89: (8, 9), 91: (9, 10), 92: (10, 10), 55: (0, 0), 0: (0, 0), 1: (0, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    column, row = np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))
    x, y = plane(row, column)
    return Cells(x=x, y=y, crs=CRS)


def corner(row, column):
    """x and y of the corner between four cells of the scene."""
    return plane(row - 0.5, column - 0.5)


def box(top, left, bottom, right):
    """A rectangle along the rows and columns of the scene, on its plane."""
    places = ((top, left), (top, right), (bottom, right), (bottom, left))
    return shapely.Polygon([corner(*place) for place in places])


def write_polygons(path, polygons, fields, crs="EPSG:4326"):
    """Polygons of the scene's plane in another CRS, each edge with vertices every 500 m."""
    to_other = Transformer.from_crs(CRS, crs, always_xy=True)
    moved = shapely.transform(
        shapely.segmentize(np.array(polygons), 500.0),
        lambda points: np.stack(to_other.transform(*points.T), axis=1),
    )
    pyogrio.raw.write(
        path,
        shapely.to_wkb(moved),
        field_data=[np.array(values, object) for values in fields.values()],
        fields=list(fields),
        geometry_type="Polygon" if path.suffix == ".shp" else "Unknown",
        crs=crs,
    )


@pytest.mark.parametrize("code", RANGES)
def test_codes_are_the_middle_of_their_range(code):
    low, high = RANGES[code]
    value, deviation = sigrid_concentration(code)
    assert value == pytest.approx((low + high) / 20)
    # a uniform distribution over the range is the least that is not known
    assert deviation >= (high - low) / 10 / np.sqrt(12) - 1e-12
    assert (deviation == 0) == (code in (0, 55, 92))


@pytest.mark.parametrize("code", [-9, 99, 73, 93, 11, 100])
def test_other_codes_are_not_charted(code):
    assert np.isnan(sigrid_concentration(code)).all()


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3413", "EPSG:6931"])
@pytest.mark.parametrize("suffix", [".shp", ".gpkg"])
def test_polygons_lie_where_they_were_drawn(cells, tmp_path, crs, suffix):
    path = tmp_path / f"chart{suffix}"
    parts = [box(0, 0, 40, 90), box(40, 0, 110, 30), box(40, 30, 110, 60), box(40, 60, 110, 90)]
    fields = {
        "CT": ["92", "46", "-9", "92"],
        "CA": ["-9", "40", "-9", "-9"],
        "POLY_TYPE": ["I", "I", "W", "L"],
    }
    write_polygons(path, parts, fields, crs)
    chart = read_chart(path, cells)
    inner = np.s_[2:-2, 2:-2]
    assert (chart.sic[:39] == 1).all()
    assert (chart.sic[41:, :29] == 0.5).all()
    assert (chart.sic[41:, 31:59] == 0).all()
    assert np.isnan(chart.sic[41:, 61:]).all()  # land is not charted, though its CT is 92
    deviation = chart.uncertainty[41:, :29]
    assert deviation == pytest.approx(np.hypot(0.2 / np.sqrt(12), 0.1))
    assert not chart.uncertainty[:39].any()
    assert np.isfinite(chart.sic[inner]).any()


def test_cells_that_a_border_crosses_are_the_mean_by_area(cells, tmp_path):
    """A border turned against the rows: area of ice is conserved, as polygons have it."""
    path = tmp_path / "chart.gpkg"
    whole = box(10, 10, 100, 80)
    ice = shapely.intersection(
        whole, shapely.Polygon([corner(0, 0), corner(0, 70), corner(110, 20), corner(110, 0)])
    )
    water = whole.difference(ice)
    assert water.geom_type == "Polygon"
    write_polygons(path, [ice, water], {"CT": ["92", "55"]}, CRS)
    chart = read_chart(path, cells)
    area = np.nansum(chart.sic) * (1e3 * CELL) ** 2
    assert area == pytest.approx(ice.area, rel=0.003)
    crossed = (chart.sic > 0) & (chart.sic < 1)
    assert 60 < crossed.sum() < 300
    assert np.isfinite(chart.sic).sum() == pytest.approx(90 * 70, rel=0.01)


def test_a_shapefile_without_concentration_or_projection_is_refused(cells, tmp_path):
    path = tmp_path / "chart.shp"
    write_polygons(path, [box(0, 0, 9, 9)], {"NAME": ["ice"]})
    with pytest.raises(NoInputError, match="NAME"):
        read_chart(path, cells)
    write_polygons(tmp_path / "other.shp", [box(0, 0, 9, 9)], {"CT": ["92"]})
    (tmp_path / "other.prj").unlink()
    with pytest.raises(NoInputError, match="without a CRS"):
        read_chart(tmp_path / "other.shp", cells)
    (tmp_path / "broken.shp").write_bytes(b"no shapes here")
    with pytest.raises(NoInputError, match="cannot be read"):
        read_chart(tmp_path / "broken.shp", cells)


def write_raster(path, values, crs, cell, left, top, count=1):
    values = values if values.ndim == 3 else values[None]
    profile = {
        "driver": "GTiff",
        "height": values.shape[1],
        "width": values.shape[2],
        "count": count,
        "dtype": values.dtype,
        "crs": crs,
        "transform": Affine.translation(left, top) @ Affine.scale(cell, -cell),
        "nodata": 255 if values.dtype == np.uint8 else np.nan,
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:6931"])
def test_a_raster_of_another_grid_is_read_where_it_lies(cells, tmp_path, crs):
    """A field that is a function of the place: the chart shows it wherever it is sampled."""
    to_other = Transformer.from_crs(CRS, crs, always_xy=True)
    x, y = to_other.transform(cells.x, cells.y)
    left, top = x.min() + 20e3, y.max() + 10e3
    size = int((np.ptp(x) + 40e3) / 1000), int((np.ptp(y) + 40e3) / 1000)
    x_at = left + 1000 * (np.arange(size[0]) + 0.5)
    y_at = top - 1000 * (np.arange(size[1]) + 0.5)
    field = 50 + 40 * np.sin(x_at / 60e3)[None] * np.cos(y_at / 50e3)[:, None]
    write_raster(
        tmp_path / "chart.tif", np.stack([field, field / 10]).astype(np.float32), crs, 1000, left,
        top, count=2,
    )  # fmt: skip
    chart = read_chart(tmp_path / "chart.tif", cells)
    expected = 0.5 + 0.4 * np.sin(x / 60e3) * np.cos(y / 50e3)
    inside = x > left + 3000
    known = np.isfinite(chart.sic)
    assert known[inside].all()
    assert not known[x < left - 3000].any()
    assert np.abs(chart.sic - expected)[inside].max() < 0.02
    assert chart.uncertainty[inside] == pytest.approx(expected[inside] / 10, abs=0.003)


def test_a_raster_without_a_crs_must_have_the_scenes_shape(cells, tmp_path):
    percent = np.zeros((ROWS - 1, COLUMNS), np.uint8)
    write_raster(tmp_path / "chart.tif", percent, None, 1, 0, 0)
    with pytest.raises(NoInputError, match="rows and columns"):
        read_chart(tmp_path / "chart.tif", cells)


def test_a_chart_that_covers_nothing_is_not_open_water(cells, tmp_path):
    write_raster(tmp_path / "far.tif", np.zeros((9, 9), np.uint8), "EPSG:3413", 1000.0, -3e6, 3e6)
    assert np.isnan(read_chart(tmp_path / "far.tif", cells).sic).all()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Two scenes in one folder, charts of their days in another."""
    scenes, charts = tmp_path_factory.mktemp("scenes"), tmp_path_factory.mktemp("charts")
    sic = half_ice()
    scene_of(sic).to_netcdf(scenes / "one.nc", engine="h5netcdf")
    scene_of(sic, time="2021-03-05 05:00").to_netcdf(scenes / "two.nc", engine="h5netcdf")
    ice, water = box(0, 0, 110, 50), box(0, 50, 110, 90)
    fields = {"CT": ["91", "01"]}
    write_polygons(charts / "ice_20210301.shp", [ice, water], fields)
    write_polygons(charts / "elsewhere_20210301.shp", [box(500, 0, 510, 90)] * 2, fields)
    write_polygons(charts / "late_20210303.shp", [water, ice], fields)
    xr.Dataset({"sic": (("y", "x"), 100 * sic)}).to_netcdf(charts / "two.nc", engine="h5netcdf")
    (charts / "readme_20210301.txt").write_text("no chart")
    return scenes, charts


def test_charts_are_paired_by_date_and_by_cover(service):
    scenes, charts = service
    by_name, by_date = find_chart(scenes / "one.nc", MOMENT, charts)
    assert not by_name
    assert [[path.stem for path in group] for group in by_date] == [
        ["elsewhere_20210301", "ice_20210301"]
    ]
    one, two = open_scenes(scenes, charts)
    assert (one.name, two.name) == ("one", "two")
    assert np.allclose(one.chart[:, :49], 0.95)
    assert np.allclose(one.chart[:, 52:], 0.05)
    assert np.allclose(two.chart, half_ice())  # by its name, though nothing has its date


def test_a_scene_without_a_chart_is_said_and_not_used(service, tmp_path, caplog):
    scenes, _ = service
    with pytest.raises(NoInputError, match="no scene with a chart"):
        open_scenes(scenes, tmp_path)
    assert "without a chart" in caplog.text
    with pytest.raises(NoInputError, match="no folder"):
        open_scenes(scenes, tmp_path / "absent")


def test_uncertain_charts_weigh_less_in_samples(service, tmp_path):
    scenes, charts = service
    names = [
        name for _, name in write_scene_samples(scenes, tmp_path / "t.zarr", "train", 32, charts)
    ]
    assert names == ["one", "two"]
    samples = SampleSet.open(tmp_path / "t.zarr")
    numbers = np.asarray(SampleSet.open(tmp_path / "t.zarr").arrays["weight"][:]) / 255
    charted = np.asarray(samples.arrays["truth_sic"][:]) != 255
    scene_of_sample = samples_scenes(tmp_path / "t.zarr")
    first = numbers[scene_of_sample == 0][charted[scene_of_sample == 0]]
    expected = chart_weight(np.array([0.1 / np.sqrt(12)]))[0]
    assert np.median(first) == pytest.approx(expected, abs=1 / 255)
    second = numbers[scene_of_sample == 1][charted[scene_of_sample == 1]]
    assert (second == 1).all()  # NetCDF without sic_uncertainty


def samples_scenes(path):
    import zarr

    return np.asarray(zarr.open_group(path, mode="r")["scene"][:])


def test_the_command_takes_a_folder_of_charts(service, tmp_path):
    scenes, charts = service
    words = ["samples", "--scenes", str(scenes), "--charts", str(charts)]
    result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "train.zarr")])
    assert result.exit_code == 0, result.output
    assert "two: " in result.output
    alone = CliRunner().invoke(app, ["evaluate", "--charts", str(charts)])
    assert alone.exit_code == 2
    assert "--scenes" in alone.output
