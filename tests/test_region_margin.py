"""A region's map is the part of a larger region's map, to its rim."""

import numpy as np
import pytest
import xarray as xr

from seaice.grid.grid import grid_of
from tests.support.days import REGION, run, write_five_days

LARGER = "-140,77,-114,83"
NAMES = ("sic", "sic_raw", "sic_uncertainty", "status_flag", "tb89h", "tb89v", "n_obs")


@pytest.fixture(scope="module")
def granules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("granules")
    write_five_days(folder)
    return folder


def products(granules, out, *more):
    """Products of the region and of the larger one; tie points of the day depend on the region."""
    settings = out / "settings.toml"
    settings.write_text('[write]\nformats = ["zarr"]\n[sic]\ntie_points = "published"\n')
    for region in (REGION, LARGER):
        told = ("--settings", settings, "--region", region, *more)
        result = run("daily", granules, out, *told)
        assert result.exit_code == 0, result.output
    stores = sorted(out.glob("seaice_sic_*/*.zarr"), key=lambda path: "-140" in path.name)
    return [xr.open_zarr(store).isel(time=0).load() for store in stores]


def part_of(larger, region):
    rows, columns = grid_of(region).within(grid_of(larger))
    return larger.isel(y=rows, x=columns)


def test_a_region_is_the_same_part_of_a_larger_region(granules, tmp_path):
    region, larger = products(granules, tmp_path)
    part = part_of(larger, region)
    assert np.isfinite(region["sic"].values[[0, -1]]).any()  # something lies at the rim
    for name in NAMES:
        np.testing.assert_allclose(part[name], region[name], atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_so_it_is_by_networks(granules, tmp_path):
    methods = ("--sr", "pmdrnet", "--sic", "xception_aspp", "--precision", "float32")
    region, larger = products(granules, tmp_path, *methods)
    part = part_of(larger, region)
    np.testing.assert_allclose(part["tb89v"], region["tb89v"], atol=0.3)
    difference = np.abs(part["sic"].values - region["sic"].values)
    known = np.isfinite(region["sic"].values)
    assert (np.isfinite(part["sic"].values) == known).all()
    assert (difference[known] <= 0.01).mean() > 0.999
