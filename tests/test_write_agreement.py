"""One cell, one place, one value: through every file and every program that opens it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import xarray as xr
from pyproj import CRS, Transformer

from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from seaice.product.netcdf_zarr import round_values
from tests.support.products import made_product

CELLS = ((10, 20), (50, 200), (130, 10))  #: (row, column), not symmetric in any way
QGIS = "/usr/bin/python3"  # QGIS comes with the system's Python
IDENTIFY = """
import json, sys
from qgis.core import QgsApplication, QgsPointXY, QgsRasterLayer
application = QgsApplication([], False)
application.initQgis()
def identified(name):
    layer = QgsRasterLayer(name, "map")
    extent = layer.extent()
    values = [layer.dataProvider().sample(QgsPointXY(*at), 1)[0] for at in json.loads(sys.argv[2])]
    return {"crs": layer.crs().toWkt(), "values": values,
            "bounds": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]}
print(json.dumps(identified(sys.argv[1])))
application.exitQgis()
"""
LOCATE = """
import json, sys
from qgis.core import (QgsApplication, QgsCoordinateReferenceSystem, QgsCoordinateTransform,
                       QgsPointXY, QgsProject, QgsVectorLayer)
application = QgsApplication([], False)
application.initQgis()
def located(name):
    layer = QgsVectorLayer(name, "lines", "ogr")
    plane, round_earth = layer.crs(), QgsCoordinateReferenceSystem("EPSG:4326")
    back = QgsCoordinateTransform(plane, round_earth, QgsProject.instance())
    return [[at.x(), at.y()] for at in
            (back.transform(QgsPointXY(*corner)) for corner in json.loads(sys.argv[2]))]
print(json.dumps(located(sys.argv[1])))
application.exitQgis()
"""


@pytest.fixture(scope="module", params=["north", "south"])
def written_product(request, tmp_path_factory):
    """A product whose every cell has a value of its own, as it is written, and its folder."""
    product = round_values(made_product(request.param))
    place = tmp_path_factory.mktemp("agreement") / "p"
    formats = ("geotiff", "netcdf", "zarr", "geopackage")
    files = {file.name: place / file.name for file in write_product(product, place, formats)}
    return product, {ending: path for name, path in files.items() for ending in [_ending(name)]}


def _ending(name):
    """What follows the version: `.nc`, `_float.tif`."""
    return name.partition("_v0.1")[2]


def ground(crs, x, y):
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)


def expected(product, cell):
    """Longitude, latitude and value by the definition of the grid alone."""
    grid = grid_of(product)
    longitude, latitude = grid.lonlat()
    return longitude[cell], latitude[cell], product["sic"].values[cell]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_xarray_finds_the_cell(written_product, ending, cell):
    """The file tells its own projection: nothing of ours is asked."""
    product, files = written_product
    opener = xr.open_zarr if ending == ".zarr" else xr.open_dataset
    with opener(files[ending]) as cf:
        sic = cf["sic"].isel(time=0)
        crs = CRS.from_cf(cf[sic.attrs.get("grid_mapping", sic.encoding.get("grid_mapping"))].attrs)
        row, column = cell
        place = ground(crs, float(cf["x"][column]), float(cf["y"][row]))
        value = float(sic.sel(x=cf["x"][column], y=cf["y"][row]))
        if ending == ".nc":
            result = float(cf["longitude"][cell]), float(cf["latitude"][cell])
            np.testing.assert_allclose(result, place, atol=0.7e-4)
    longitude, latitude, sic = expected(product, cell)
    np.testing.assert_allclose(place, (longitude, latitude), atol=1e-6)
    assert value == sic


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ending", [".tif", "_float.tif"])
def test_gdal_finds_the_cell_in_a_geotiff(written_product, ending, cell):
    product, files = written_product
    longitude, latitude, sic = expected(product, cell)
    with rasterio.open(files[ending]) as file:
        place = ground(file.crs, *file.xy(*cell))
        (value,) = next(file.sample([file.xy(*cell)]))
    np.testing.assert_allclose(place, (longitude, latitude), atol=1e-6)
    assert (value == sic) if ending == "_float.tif" else (value == np.rint(sic * 100))


@pytest.mark.parametrize("cell", CELLS)
def test_gdal_finds_the_cell_in_netcdf(written_product, cell):
    product, files = written_product
    with rasterio.Env() as env:
        if "netCDF" not in env.drivers():
            pytest.skip("this GDAL reads no NetCDF")
    longitude, latitude, sic = expected(product, cell)
    with rasterio.open(f"netcdf:{files['.nc']}:sic") as file:
        place = ground(file.crs, *file.xy(*cell))
        (value,) = next(file.sample([file.xy(*cell)]))
    np.testing.assert_allclose(place, (longitude, latitude), atol=1e-6)
    assert value == sic


@pytest.mark.parametrize("cell", CELLS)
def test_the_polygon_around_the_cell_has_its_class(written_product, cell):
    product, files = written_product
    longitude, latitude, sic = expected(product, cell)
    facts, _, geometry, fields = pyogrio.raw.read(files[".gpkg"], layer="ice_classes")
    to_plane = Transformer.from_crs("EPSG:4326", facts["crs"], always_xy=True)
    point = shapely.Point(to_plane.transform(longitude, latitude))
    (inside,) = np.flatnonzero(shapely.contains(shapely.from_wkb(geometry), point))
    result = dict(zip(facts["fields"], fields, strict=True))
    assert result["sic_from"][inside] <= sic <= result["sic_to"][inside]


def asked_of_qgis(script, *words, home):
    """What a script prints as JSON that runs in QGIS's own Python."""
    there = [QGIS, "-c", "import qgis.core"]
    if not Path(QGIS).exists() or subprocess.run(there, capture_output=True).returncode:
        pytest.skip(f"{QGIS} cannot import qgis: install Debian's python3-qgis to ask it")
    done = subprocess.run(
        [QGIS, "-c", script, *words],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.desktop
def test_qgis_finds_the_cells(written_product, tmp_path):
    product, files = written_product
    grid = grid_of(product)
    places = json.dumps([grid.centre(*cell) for cell in CELLS])
    for name in (str(files["_float.tif"]), f'NETCDF:"{files[".nc"]}":sic'):
        result = asked_of_qgis(IDENTIFY, name, places, home=tmp_path)
        np.testing.assert_allclose(result["bounds"], grid.bounds, atol=1e-3)
        np.testing.assert_allclose(result["values"], [product["sic"].values[c] for c in CELLS])
        ellipsoid = CRS(result["crs"]).ellipsoid
        assert ellipsoid.semi_major_metre == 6378273


@pytest.mark.desktop
def test_qgis_finds_the_place_of_a_line(written_product, tmp_path):
    """Corners of the product, by the plane that QGIS believes the GeoPackage to lie on."""
    product, files = written_product
    grid = grid_of(product)
    corners = [[grid.bounds[0], grid.bounds[1]], [grid.bounds[2], grid.bounds[3]]]
    for layer in ("ice_edge", "ice_classes", "graticule"):
        source = f"{files['.gpkg']}|layername={layer}"
        result = asked_of_qgis(LOCATE, source, json.dumps(corners), home=tmp_path)
        plain = [ground(grid.crs, *corner) for corner in corners]
        np.testing.assert_allclose(result, plain, atol=1e-5)  # 1 m; WGS84 would be 150 m off
