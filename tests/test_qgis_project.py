"""The project of a product, opened in QGIS: every layer is drawn, and days are animated."""

import json
import os
import subprocess
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from matplotlib.image import imread

from seaice.grid.grid import grid_of
from seaice.product.folder import write_product
from seaice.product.netcdf_zarr import round_values
from seaice.product.qgis import LAYER_TYPES, ProjectDay, write_project
from seaice.product.style import LAND_COLOUR, NO_DATA_COLOUR, PD_RAMP, PERCENT_RAMP, TB_RAMP
from seaice.retrieval.flags import Flag
from tests.support.products import made_product

PYTHON = "/usr/bin/python3"  # QGIS comes with the system's Python and speaks to no other
SESSION = Path(__file__).parent.joinpath("support", "qgis_project_session.py")
MAGENTA = (255, 0, 255)
IN_LAND, IN_GAP = (30, 40), (105, 110)
RAMPS = {"sic": PERCENT_RAMP, "tb89h": TB_RAMP, "tb89v": TB_RAMP, "pd": PD_RAMP}
DAYS = ("2020-03-03", "2020-03-04")


def written(product, out):
    folder = out / f"seaice_sic_{product.hemisphere}_{product.date.replace('-', '')}_v0.1"
    write_product(product, folder, ("geotiff", "geopackage"))
    return folder


def project_of(path):
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        return fromstring(archive.read(name))


def test_a_project_refers_to_existing_files_by_relative_paths(tmp_path):
    folder = written(made_product(), tmp_path)
    project = project_of(folder / f"{folder.name}.qgz")
    sources = [layer.findtext("datasource") for layer in project.iter("maplayer")]
    assert len(sources) == len(LAYER_TYPES)
    for source in sources:
        assert source.startswith("./")
        assert (folder / source.partition("|")[0]).exists()


def test_the_same_product_makes_the_same_project(tmp_path):
    one, other = (
        (folder / f"{folder.name}.qgz").read_bytes()
        for folder in (written(made_product(), tmp_path / part) for part in "ab")
    )
    assert one == other


def test_without_a_geopackage_its_layers_are_left_out(tmp_path):
    folder = tmp_path / "seaice_sic_north_20200303_v0.1"
    write_product(made_product(), folder, ("geotiff",))
    kinds = {
        layer.get("type") for layer in project_of(folder / f"{folder.name}.qgz").iter("maplayer")
    }
    assert kinds == {"raster"}


def ramp(stops, values):
    at, colours = zip(*stops, strict=True)
    return np.stack([np.interp(values, at, band) for band in np.transpose(colours)], axis=-1)


def pixels(path, fraction=3):
    picture = np.rint(imread(path)[..., :3] * 255).astype(int)
    return picture[fraction // 2 :: fraction, fraction // 2 :: fraction]


@pytest.fixture(scope="module", params=["north", "south"])
def seen(request, tmp_path_factory):
    """What QGIS says of a project of two days, the products, and the folder of pictures."""
    asked = [PYTHON, "-c", "import qgis.core"]
    if not Path(PYTHON).exists() or subprocess.run(asked, capture_output=True).returncode:
        pytest.skip(f"{PYTHON} cannot import qgis: install Debian's python3-qgis to see the map")
    out = tmp_path_factory.mktemp("project")
    products = [made_product(request.param, date=day) for day in DAYS]
    products[1]["sic"] = 1 - products[1]["sic"]
    grid = grid_of(products[0])
    days = [
        ProjectDay(
            stem=folder / folder.name,
            date=date.fromisoformat(day),
            crs=grid.crs,
            bounds=grid.bounds,
        )
        for day, folder in zip(DAYS, (written(each, out) for each in products), strict=True)
    ]
    write_project(days, out, out / "days.qgz")
    done = subprocess.run(
        [PYTHON, str(SESSION), str(out), "3", str(out / "days.qgz")],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(out)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [round_values(product) for product in products], out


in_qgis = pytest.mark.desktop


@in_qgis
def test_the_project_opens_in_the_projection_of_the_product(seen):
    result, products, _ = seen
    assert result["opened"]
    assert result["crs"] == products[0].crs
    assert len(result["layers"]) == 2 * len(LAYER_TYPES)
    for layer in result["layers"].values():
        assert layer["valid"], layer
        assert layer["crs"] == products[0].crs
        assert "7030" not in layer["ellipsoid"]  # WGS84


@in_qgis
def test_every_raster_has_its_colours_cell_by_cell(seen):
    result, products, _ = seen
    for name, stops in RAMPS.items():
        for product in products:
            day = product.date.replace("-", "")
            drawn = pixels(result["layers"][f"{name}_{day}"]["picture"])
            values = product[name].values
            there = np.isfinite(values)
            shown = np.rint(values * 100) if name == "sic" else values
            np.testing.assert_allclose(drawn[there], ramp(stops, shown)[there], atol=3)
    sic = pixels(result["layers"]["sic_20200303"]["picture"])
    assert tuple(sic[IN_LAND]) == LAND_COLOUR
    assert tuple(sic[IN_GAP]) == NO_DATA_COLOUR


@in_qgis
def test_land_covers_land_and_nothing_else(seen):
    result, products, _ = seen
    land = pixels(result["layers"]["land_20200303"]["picture"])
    is_land = (products[0]["status_flag"].values & Flag.LAND) > 0
    assert (land[is_land] == LAND_COLOUR).all()
    assert (land[~is_land] == MAGENTA).all()


@in_qgis
def test_the_ice_edge_runs_between_ice_and_water(seen):
    result, products, _ = seen
    edge = pixels(result["layers"]["ice_edge_20200303"]["picture"], 1)
    drawn = (edge == (214, 39, 40)).all(axis=-1)
    rows, columns = np.nonzero(drawn)
    assert len(rows) > 100
    sic = np.nan_to_num(products[0]["sic"].values, nan=0.15)
    for row, column in zip(rows[::50] // 3, columns[::50] // 3, strict=True):
        near = sic[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        assert near.min() <= 0.15 <= near.max()


@in_qgis
def test_lines_of_the_graticule_are_drawn_and_labelled(seen):
    result, _, _ = seen
    graticule = pixels(result["layers"]["graticule_20200303"]["picture"], 1)
    assert (graticule != MAGENTA).any(axis=-1).sum() > 300


@in_qgis
def test_days_are_played_one_after_another(seen):
    """What is drawn in the first second is the first day alone, and so for the last."""
    result, products, _ = seen
    assert result["moments"] == ["2020-03-03T00:00:00Z", "2020-03-04T23:59:59Z"]
    assert result["navigation"] == 1
    for product, picture in zip(products, result["played"], strict=True):
        sic = product["sic"].values
        drawn, expected = pixels(picture), ramp(PERCENT_RAMP, np.rint(sic * 100))
        alike = np.abs(drawn - expected).max(axis=-1) <= 3
        assert alike[np.isfinite(sic)].mean() > 0.9  # all but edge and graticule
