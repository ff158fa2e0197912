"""NSIDC's gridded files, and scenes on image grids."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from seaice.errors import GranuleError, NoInputError
from seaice.grid.grid import NORTH, SOUTH, grid_of
from seaice.grid.gridding import daily_map_from_au_si6, grid_day
from seaice.instrument import CHANNELS, LOW_CHANNELS
from seaice.io.nsidc import find_au_si6, read_au_si6
from seaice.io.scene import read_scene
from tests.support.granules import make_swath, write_au_si6, write_scene

SHARED = Path(os.environ.get("SEAICE_SHARED", Path(__file__).parents[1].parent / "shared"))
SCENE = SHARED / "real" / "amsr2_scene_20190823_franz_josef_land.nc"


@pytest.fixture(scope="module")
def au_si6(tmp_path_factory):
    """Fields with every sentinel: 0 (fill), 40 K and 400 K; the top row differs."""
    fields = {}
    for pole, grid in (("NH", NORTH), ("SH", SOUTH)):
        h, v = np.full(grid.shape, 200.0), np.full(grid.shape, 240.5)
        h[0], v[0] = 111.1, 222.2
        h[5, :3] = v[5, :3] = 0, 40, 400
        fields[pole] = h, v
    return write_au_si6(tmp_path_factory.mktemp("au"), fields)


@pytest.mark.parametrize(("hemisphere", "grid"), [("north", NORTH), ("south", SOUTH)])
def test_gridded_brightness_temperatures_become_a_daily_map(au_si6, hemisphere, grid):
    day = daily_map_from_au_si6(au_si6, grid)
    assert grid_of(day) == grid
    assert day.attrs["hemisphere"] == hemisphere
    assert set(CHANNELS) < set(day)
    np.testing.assert_allclose(day["tb89h"][0], 111.1, atol=1e-4)
    np.testing.assert_allclose(day["tb89v"][1], 240.5, atol=1e-4)
    assert np.isnan(day["tb89v"].values[5, :3]).all()
    assert day["n_obs"].values[5, :4].tolist() == [0, 0, 0, 1]
    assert day.attrs["missing_channels"] == list(LOW_CHANNELS)
    assert day.attrs["date"] == "2020-03-03"


def test_a_crop_of_a_gridded_day_is_the_crop(au_si6):
    grid = NORTH.crop(slice(0, 8), slice(1, 9))
    whole = daily_map_from_au_si6(au_si6, NORTH)
    xr.testing.assert_identical(
        daily_map_from_au_si6(au_si6, grid), whole.isel(y=slice(0, 8), x=slice(1, 9))
    )


def test_a_crop_without_brightness_temperatures_is_an_error(au_si6):
    with pytest.raises(NoInputError, match="another region"):
        daily_map_from_au_si6(au_si6, NORTH.crop(slice(5, 6), slice(0, 3)))


def test_gridded_days_are_found_by_date(au_si6):
    assert find_au_si6(au_si6.parent, date(2020, 3, 3)) == [au_si6]
    assert find_au_si6(au_si6.parent, date(2020, 3, 4)) == []


def test_a_bad_gridded_file_is_refused_with_a_reason(tmp_path):
    only_south = write_au_si6(tmp_path, {"SH": [np.full(SOUTH.shape, 0.0)] * 2})
    with pytest.raises(GranuleError, match="NpPolarGrid06km"):
        read_au_si6(only_south, "north")
    with pytest.raises(GranuleError, match="empty"):
        read_au_si6(only_south, "south")
    with pytest.raises(GranuleError, match="ends in its day"):
        read_au_si6(tmp_path / "day.he5", "north")


@pytest.fixture(scope="module")
def made():
    swath = make_swath(60, phase=1250.0)
    swath["tb89h"][0, 3, 4] = np.nan
    swath["tb89v"][0, 3, 5] = 655.35
    return swath


TITLE = "made, 2020-03-03 03:30 UTC"


def test_a_scene_is_a_swath_of_one_horn(made, tmp_path):
    swath = read_scene(write_scene(tmp_path / "scene.nc", made, title=TITLE))
    columns = made.sizes["pixel_low"]
    assert swath.sizes == {
        "horn": 1, "scan": 60, "pixel": columns, "pixel_low": columns, "band": 6
    }  # fmt: skip
    for name in CHANNELS:
        expected = made[name].values.reshape(-1, 60, made[name].shape[-1])[0][:, :columns]
        result = swath[name].values.reshape(60, columns)
        known = np.isfinite(result)
        np.testing.assert_array_equal(result[known], expected[known])
    assert np.isnan(swath["tb89h"].values[0, 3, 4])
    assert np.isnan(swath["tb89v"].values[0, 3, 5])
    assert swath["quality_flag"].values[0, 3, 3:7].tolist() == [0, 1, 1, 0]
    assert (swath["time"] == np.datetime64("2020-03-03T03:30")).all()
    day = grid_day([swath], NORTH, date(2020, 3, 3))
    assert day.attrs["missing_channels"] == []


def test_channel_names_of_this_package_are_read_too(made, tmp_path):
    theirs = write_scene(tmp_path / "theirs.nc", made, title=TITLE)
    ours = tmp_path / "ours.nc"
    with xr.open_dataset(theirs) as scene:
        short = {name: name.split("p")[0] + name[-1] for name in scene if name[2:4] != "10"}
        scene.rename(short | {"tb10p7h": "tb10h", "tb10p7v": "tb10v"}).to_netcdf(ours)
    a, b = read_scene(theirs), read_scene(ours)
    xr.testing.assert_equal(a, b)


@pytest.mark.parametrize(
    ("attributes", "moment"),
    [
        ({"time": "2020-03-03T04:05:06Z", "title": TITLE}, "2020-03-03T04:05:06"),
        ({"source": "GW1AM2_202003030243_200A_L1SGBTBR_2220220.h5, by DMI"}, "2020-03-03T03:08"),
    ],
)
def test_the_time_is_read_from_any_known_attribute(made, tmp_path, attributes, moment):
    swath = read_scene(write_scene(tmp_path / "scene.nc", made, **attributes))
    assert (swath["time"] == np.datetime64(moment)).all()


def test_low_frequencies_may_be_missing_but_89_may_not(made, tmp_path):
    with xr.open_dataset(write_scene(tmp_path / "scene.nc", made, title=TITLE)) as scene:
        scene.drop_vars("tb18p7h").to_netcdf(tmp_path / "less.nc")
        scene.drop_vars("tb89p0h").to_netcdf(tmp_path / "none.nc")
        scene.drop_vars("latitude").to_netcdf(tmp_path / "nowhere.nc")
    assert read_scene(tmp_path / "less.nc").attrs["missing_channels"] == ["tb18h"]
    with pytest.raises(GranuleError, match="tb89h"):
        read_scene(tmp_path / "none.nc")
    with pytest.raises(GranuleError, match="latitude"):
        read_scene(tmp_path / "nowhere.nc")


def test_files_that_are_not_scenes_are_refused(made, tmp_path):
    with pytest.raises(GranuleError, match="no time"):
        read_scene(write_scene(tmp_path / "timeless.nc", made))
    (tmp_path / "text.nc").write_text("no NetCDF")
    with pytest.raises(GranuleError, match="cannot be read"):
        read_scene(tmp_path / "text.nc")
    with pytest.raises(GranuleError, match="no file absent"):
        read_scene(tmp_path / "absent.nc")


@pytest.mark.skipif(not SCENE.exists(), reason="the real scene is not on this machine")
def test_the_real_scene_is_at_franz_josef_land():
    swath = read_scene(SCENE)
    assert swath.attrs["missing_channels"] == []
    assert (swath["time"] == np.datetime64("2019-08-23T03:30")).all()
    assert len(swath.attrs["sources"]) == 2
    day = grid_day([swath], NORTH, date(2019, 8, 23))
    seen = day["n_obs"].values > 0
    x, y = np.meshgrid(day["x"], day["y"])
    assert abs(x[seen].mean() - 1.0e6) < 2e5
    assert abs(y[seen].mean() - 1.8e5) < 2e5
    assert float(day["tb89v"].mean()) == pytest.approx(float(swath["tb89v"].mean()), abs=1)
