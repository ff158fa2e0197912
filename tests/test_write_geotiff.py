"""A raster file holds the values and positions of its array, and GIS programs read it."""

from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from pyproj import CRS
from rasterio.enums import ColorInterp
from rio_cogeo import cog_validate

from seaice.grid.grid import grid_of
from seaice.product import geotiff
from seaice.product.geotiff import rasters, to_percent, write_geotiff
from seaice.product.qgis import write_projection, write_qml
from seaice.product.style import (
    FLAG_COLOURS,
    LAND,
    NO_DATA,
    NO_DATA_COLOUR,
    colour_of,
    colour_table,
    flags_style,
    percent_style,
)
from seaice.retrieval.flags import Flag
from tests.support.products import made_product


@pytest.fixture(scope="module", params=["north", "south"])
def written(request, tmp_path_factory):
    product = made_product(request.param, side=(150, 140))
    folder = tmp_path_factory.mktemp("rasters")
    for ending, raster in rasters(product).items():
        write_geotiff(raster, product, folder / f"map{ending}.tif")
        write_projection(product.attrs["crs"], folder / f"map{ending}.tif.aux.xml")
    return product, folder


@pytest.mark.parametrize("ending", ["", "_float", "_raw", "_uncertainty", "_flags"])
def test_every_raster_is_a_valid_cog_where_it_belongs(written, ending):
    product, folder = written
    path = folder / f"map{ending}.tif"
    valid, errors, warnings = cog_validate(path, strict=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as file:
        assert f"EPSG:{file.crs.to_epsg()}" == product.attrs["crs"]
        assert tuple(file.bounds) == grid_of(product).bounds
        assert file.overviews(1)
        assert file.tags()["AREA_OR_POINT"] == "Area"
        row, column = 100, 200
        x, y = float(product["x"][column]), float(product["y"][row])
        assert file.index(x, y) == (row, column)


def test_float_rasters_hold_the_very_numbers(written):
    product, folder = written
    for ending, name in (
        ("_float", "sic"),
        ("_raw", "sic_raw"),
        ("_uncertainty", "sic_uncertainty"),
    ):
        with rasterio.open(folder / f"map{ending}.tif") as file:
            assert np.isnan(file.nodata)
            np.testing.assert_array_equal(file.read(1), product[name].values)
    with rasterio.open(folder / "map_flags.tif") as file:
        np.testing.assert_array_equal(file.read(1), product["status_flag"].values)
        assert file.descriptions[0] == "why a cell has its value"
        assert file.tags()["BITS"].startswith("1 land, 2 coast, 4 no_input")


def test_percent_raster_is_accurate_to_half_a_percent_and_marks_land_and_no_data(written):
    product, folder = written
    with rasterio.open(folder / "map.tif") as file:
        stored = file.read(1)
        assert file.dtypes == ("uint8",)
        assert file.nodata == NO_DATA
        assert file.units == ("%",)
        assert file.colorinterp == (ColorInterp.palette,)
        assert file.colormap(1)[0] == (*colour_of(0), 255)
        assert file.colormap(1)[100] == (255, 255, 255, 255)
    sic, flags = product["sic"].values, product["status_flag"].values
    known = np.isfinite(sic)
    np.testing.assert_allclose(stored[known] / 100, sic[known], atol=0.005 + 1e-6)
    np.testing.assert_array_equal(stored == LAND, flags == Flag.LAND)
    np.testing.assert_array_equal(stored == NO_DATA, flags == Flag.NO_INPUT)


def test_overviews_never_mix_land_into_percent(written):
    _, folder = written
    with rasterio.open(folder / "map.tif", overview_level=0) as file:
        values = np.unique(file.read(1))
    assert set(values) <= {*range(101), LAND, NO_DATA}


def test_overviews_of_numbers_are_means_of_valid_cells(written):
    _, folder = written
    with rasterio.open(folder / "map_float.tif") as file:
        cells, factors = file.read(1).astype(float), file.overviews(1)
    for level, factor in enumerate(factors):
        with rasterio.open(folder / "map_float.tif", overview_level=level) as file:
            overview = file.read(1)
        rows, columns = (size // factor for size in cells.shape)  # whole blocks
        blocks = cells[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
        there = np.isfinite(blocks)
        count = there.sum((1, 3))
        means = np.where(there, blocks, 0).sum((1, 3))[count > 0] / count[count > 0]
        stored = overview[:rows, :columns]
        np.testing.assert_allclose(stored[count > 0], means, atol=1e-6)
        assert np.isnan(stored[count == 0]).all()


def test_bytes_are_the_same_by_one_thread_and_by_many(written, tmp_path, monkeypatch):
    product, folder = written
    one_thread = geotiff.COG_OPTIONS | {"num_threads": "1"}
    monkeypatch.setattr(geotiff, "COG_OPTIONS", one_thread)
    for ending, raster in rasters(product).items():
        write_geotiff(raster, product, tmp_path / "alone.tif")
        assert (tmp_path / "alone.tif").read_bytes() == (folder / f"map{ending}.tif").read_bytes()


def test_land_is_land_even_where_a_concentration_was_left():
    product = made_product()
    product["sic"] = product["sic"].fillna(0.5)
    assert ((to_percent(product) == LAND) == (product["status_flag"].values == Flag.LAND)).all()


def test_the_style_paints_what_the_colour_table_paints(tmp_path):
    write_qml(percent_style(), tmp_path / "map.qml")
    renderer = ElementTree.parse(tmp_path / "map.qml").getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    items = renderer.findall("rastershader/colorrampshader/item")
    painted = {int(item.get("value")): _rgb(item.get("color")) for item in items}
    assert painted.pop(NO_DATA) == _rgb(renderer.get("nodataColor")) == NO_DATA_COLOUR
    assert painted == {value: colour_table()[value][:3] for value in painted}
    between = [np.interp(range(101), list(painted)[:-1], band) for band in _bands(painted)]
    table = [colour_of(percent) for percent in range(101)]
    np.testing.assert_allclose(np.transpose(between), table, atol=2)
    assert [item.get("label") for item in items][-3:] == ["100 %", "land", "no data"]


def _rgb(code):
    return tuple(bytes.fromhex(code.removeprefix("#")))


def _bands(painted):
    return np.transpose([colour for value, colour in painted.items() if value <= 100])


def test_every_flag_and_every_pair_of_flags_has_a_class_and_a_colour_of_its_own():
    assert set(FLAG_COLOURS) == set(Flag)
    combinations = {0, *Flag, *(one | other for one in Flag for other in Flag)}
    stops = flags_style(combinations).stops
    assert {stop.value for stop in stops} == combinations
    assert (
        len({stop.colour for stop in stops})
        == len({stop.label for stop in stops})
        == len(combinations)
    )


def test_the_projection_beside_a_raster_is_the_one_in_it(written):
    product, folder = written
    note = ElementTree.parse(folder / "map.tif.aux.xml").getroot()
    assert note.tag == "PAMDataset"
    said = CRS(note.findtext("SRS"))
    assert said == CRS(product.attrs["crs"])
    assert said.ellipsoid.semi_major_metre == 6378273  # Hughes 1980, not WGS 84
    assert not (folder / "map.tif.aux.xml").read_text().startswith("<?xml")  # GDAL skips those


def test_gdal_reads_what_each_value_of_the_flags_means(tmp_path):
    """GDAL takes the table from our note into a file of another kind, and from that into a note."""
    product = made_product()
    product["status_flag"].values[0, 0] = Flag.WEATHER_DISAGREEMENT | Flag.COAST
    raster = rasters(product)["_flags"]
    write_geotiff(raster, product, tmp_path / "map.tif")
    write_projection(product.attrs["crs"], tmp_path / "map.tif.aux.xml", legend=raster.style.stops)
    rasterio.shutil.copy(tmp_path / "map.tif", tmp_path / "copy.img", driver="HFA")
    with rasterio.Env(GTIFF_WRITE_RAT_TO_PAM="YES"):  # GDAL 3.11 and later would keep it inside
        rasterio.shutil.copy(tmp_path / "copy.img", tmp_path / "copy.tif", driver="GTiff")
    table = (
        ElementTree.parse(tmp_path / "copy.tif.aux.xml")
        .getroot()
        .find("PAMRasterBand/GDALRasterAttributeTable")
    )
    names = [column.findtext("Name") for column in table.findall("FieldDefn")]
    rows = [
        dict(zip(names, (cell.text for cell in row), strict=True)) for row in table.findall("Row")
    ]
    assert {int(row["Value"]): row["Class_Names"] for row in rows} == {
        0: "no flag",
        1: "land",
        2: "coast",
        4: "no input",
        4098: "weather disagreement + coast",
    }
    assert (rows[1]["Red"], rows[1]["Green"], rows[1]["Blue"]) == ("150", "148", "143")
