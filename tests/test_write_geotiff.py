"""A raster in a file is the array it was made of, where it was, and GIS programs take it."""

from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from products import made_product
from rasterio.enums import ColorInterp
from rio_cogeo import cog_validate

from seaice.grid.dataset import grid_of
from seaice.sic.flags import Flag
from seaice.write.geotiff import percent, rasters, write_geotiff
from seaice.write.style import LAND, NO_DATA, colour_of, colour_table, write_qml


@pytest.fixture(scope="module", params=["north", "south"])
def written(request, tmp_path_factory):
    product = made_product(request.param, side=(150, 140))
    folder = tmp_path_factory.mktemp("rasters")
    for ending, raster in rasters(product).items():
        write_geotiff(raster, product, folder / f"map{ending}.tif")
    return product, folder


@pytest.mark.parametrize("ending", ["", "_float", "_uncertainty", "_flags"])
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
    for ending, name in (("_float", "sic"), ("_uncertainty", "sic_uncertainty")):
        with rasterio.open(folder / f"map{ending}.tif") as file:
            assert np.isnan(file.nodata)
            np.testing.assert_array_equal(file.read(1), product[name].values)
    with rasterio.open(folder / "map_flags.tif") as file:
        np.testing.assert_array_equal(file.read(1), product["status_flag"].values)
        assert "1 land" in file.descriptions[0]


def test_percent_is_the_concentration_to_half_a_percent_and_says_the_rest(written):
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


def test_land_is_land_even_where_a_concentration_was_left():
    product = made_product()
    product["sic"] = product["sic"].fillna(0.5)
    assert ((percent(product) == LAND) == (product["status_flag"].values == Flag.LAND)).all()


def test_the_style_paints_what_the_colour_table_paints(tmp_path):
    write_qml(tmp_path / "map.qml")
    renderer = ElementTree.parse(tmp_path / "map.qml").getroot().find("pipe/rasterrenderer")
    items = renderer.findall("rastershader/colorrampshader/item")
    assert renderer.get("type") == "singlebandpseudocolor"
    table = colour_table()
    for item in items:
        red, green, blue = bytes.fromhex(item.get("color").removeprefix("#"))
        assert table[int(item.get("value"))] == (red, green, blue, 255)
    assert [item.get("label") for item in items][-1] == "land"
    assert str(NO_DATA) not in {item.get("value") for item in items}
