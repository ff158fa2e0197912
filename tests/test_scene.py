"""One image-grid scene makes the product of a day, on its own ground, and says it stood alone."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from seaice.cli import app
from seaice.grid.grid import HEMISPHERES
from seaice.instrument import BANDS
from seaice.workflow.scene import ground_of
from tests.support.granules import field, scan_positions

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
REAL = SHARED / "real" / "amsr2_scene_20190823_franz_josef_land.nc"


def write_scene(path, sign=1):
    """A scene of 60 x 70 cells, as DMI spells its channels, in the north (or its mirror)."""
    phase = 1350 if sign > 0 else 1600  # sea in either hemisphere
    latitude, longitude = (p[:, 200:270] for p in scan_positions(phase + 1.5 * np.arange(60)))
    variables = {
        f"tb{band.label.replace('.', 'p')}{pol}": (
            ("y", "x"),
            field(latitude, longitude, 190.0 + 30 * (pol == "v")).astype(np.float32),
        )
        for band in BANDS.values()
        for pol in "hv"
    }
    for name in ("tb89p0h", "tb89p0v"):
        variables[name][1][:10, :10] = np.nan
    scene = xr.Dataset(
        variables
        | {
            "latitude": (("y", "x"), sign * latitude.astype(np.float32)),
            "longitude": (("y", "x"), longitude.astype(np.float32)),
        },
        attrs={"title": "made, as if seen at 2020-03-03 10:00:00"},
    )
    scene.to_netcdf(path)


def run_scene(file, out):
    told = ["scene", str(file), "-o", str(out), "--sr", "bicubic", "--sic", "asi"]
    return CliRunner().invoke(app, told)


def opened(out):
    (folder,) = out.glob("seaice_sic_*")
    product = xr.open_zarr(next(folder.glob("*.zarr"))).isel(time=0).load()
    return product, json.loads(next(folder.glob("seaice_sic_*.json")).read_text())


def flagged(product, name):
    flag = product["status_flag"]
    masks = dict(zip(flag.attrs["flag_meanings"].split(), flag.attrs["flag_masks"], strict=True))
    return ((flag & masks[name]) > 0).values


def assert_stood_alone(product, document):
    seen = product["sic"].notnull().values
    assert seen.any()
    assert flagged(product, "single_overpass")[seen].all()
    assert flagged(product, "substituted_frame")[seen].all()
    np.testing.assert_array_equal(~seen, flagged(product, "land") | flagged(product, "no_input"))
    assert [frame["substituted"] for frame in document["frames"]] == [True, True, False, True, True]
    assert document["status"] == "provisional"


@pytest.mark.parametrize(("sign", "hemisphere"), [(1, "north"), (-1, "south")])
def test_a_scene_becomes_a_product_on_the_part_of_the_grid_it_covers(tmp_path, sign, hemisphere):
    write_scene(tmp_path / "a scene.nc", sign)
    result = run_scene(tmp_path / "a scene.nc", tmp_path / "out")
    assert result.exit_code == 0, result.output
    product, document = opened(tmp_path / "out")
    assert product.attrs["hemisphere"] == hemisphere
    assert_stood_alone(product, document)
    whole = HEMISPHERES[hemisphere].refine(4)
    for axis, centres in (("x", whole.x), ("y", whole.y)):
        assert np.isin(product[axis].values, centres).all()


def test_the_ground_of_a_scene_holds_every_cell_of_it_with_room(tmp_path):
    from pyproj import Transformer

    from seaice.io.scene import read_scene

    write_scene(tmp_path / "scene.nc")
    scene = read_scene(tmp_path / "scene.nc")
    _, grid = ground_of(scene)
    to_plane = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = to_plane.transform(scene["longitude"].values, scene["latitude"].values)
    left, bottom, right, top = grid.bounds
    room = 4 * grid.cell
    assert np.nanmin(x) - left >= room <= right - np.nanmax(x)
    assert np.nanmin(y) - bottom >= room <= top - np.nanmax(y)


@pytest.mark.parametrize("content", [b"not NetCDF", None])
def test_a_file_that_is_no_scene_is_refused(tmp_path, content):
    file = tmp_path / "scene.nc"
    if content is not None:
        file.write_bytes(content)
    result = run_scene(file, tmp_path / "out")
    assert result.exit_code == 2
    assert "Do next: " in result.output
    assert "netcdf4 library" not in result.output  # what xarray would advise
    assert list((tmp_path / "out").glob("seaice_sic_*")) == []


def test_a_granule_given_as_a_scene_is_refused(tmp_path):
    from tests.support.days import write_day

    result = run_scene(write_day(tmp_path), tmp_path / "out")
    assert result.exit_code == 2
    assert "Do next: " in result.output


@pytest.mark.skipif(not REAL.exists(), reason="the real scene is not beside this checkout")
def test_the_real_scene(tmp_path):
    result = run_scene(REAL, tmp_path / "out")
    assert result.exit_code == 0, result.output
    product, document = opened(tmp_path / "out")
    assert product.attrs["date"] == "2019-08-23"
    assert_stood_alone(product, document)
    assert flagged(product, "land").any()
