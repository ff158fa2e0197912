"""CF and ACDD metadata, checked by the IOOS compliance checker."""

import json
import warnings

import netCDF4
import numpy as np
import pytest
import xarray as xr
from compliance_checker.runner import CheckSuite, ComplianceChecker

from seaice.config import WriteSettings
from seaice.grid.grid import HEMISPHERES, grid_of
from seaice.product.metadata import geospatial_extent
from seaice.product.netcdf_zarr import write_netcdf, write_zarr
from tests.support.products import made_product

ISSUER = WriteSettings(
    institution="An Ice Service",
    creator_name="Duty scientist",
    creator_email="ice@example.org",
    creator_url="https://example.org/ice",
    naming_authority="org.example",
    doi="10.1234/ice",
    license="CC-BY-4.0",
).issuer
#: A map has no height, and its one time is noon of the day that it covers; the Zarr store leaves
#: positions to x, y and the projection.
NOT_OURS = ("vertical", "Date time mismatch")
NOT_IN_ZARR = ("Data for possible l",)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def from_zarr(product, path):
    """Our Zarr store as a NetCDF; JSON keeps no types, so ranges and masks get them back."""
    write_zarr(product, path.with_suffix(".zarr"))
    back = xr.open_zarr(path.with_suffix(".zarr"))
    for values in back.variables.values():
        own = values.encoding.get("dtype", values.dtype)
        for name in {"valid_range", "flag_masks"} & values.attrs.keys():
            values.attrs[name] = np.array(values.attrs[name], own)
        kept = {"_FillValue", "dtype", "units", "calendar"} & values.encoding.keys()
        values.encoding = {"_FillValue": None} | {name: values.encoding[name] for name in kept}
    back.to_netcdf(path)


@pytest.fixture(
    scope="module", params=[("north", "netcdf"), ("south", "netcdf"), ("north", "zarr")]
)
def file(request, tmp_path_factory):
    hemisphere, kind = request.param
    product = made_product(hemisphere)
    product.attrs["issuer"] = ISSUER
    path = tmp_path_factory.mktemp("metadata") / "map.nc"
    {"netcdf": write_netcdf, "zarr": from_zarr}[kind](product, path)
    return path


def complaints(path, rules, weight):
    """What the checker has to say of a file; a complaint of high weight is an error."""
    metadata = path.with_suffix(".json")
    CheckSuite.load_all_available_checkers()
    ComplianceChecker.run_checker(
        str(path), [rules], 0, "strict", output_filename=str(metadata), output_format="json"
    )
    (report,) = json.loads(metadata.read_text()).values()
    failed = [
        each for each in report[f"{weight}_priorities"] if each["value"][0] < each["value"][1]
    ]
    return [message for each in failed for message in each["msgs"]]


@pytest.mark.parametrize("weight", ["high", "medium", "low"])
def test_cf_has_nothing_to_say(file, weight):
    assert complaints(file, "cf:1.11", weight) == []


def test_acdd_misses_nothing_that_a_map_can_have(file):
    assert complaints(file, "acdd:1.3", "high") == []
    zarr = file.with_suffix(".zarr").exists()
    excused = NOT_OURS + (NOT_IN_ZARR if zarr else ())
    warned = complaints(file, "acdd:1.3", "medium")
    assert [message for message in warned if not any(word in message for word in excused)] == []


def test_the_checker_would_complain(tmp_path):
    product = made_product()
    write_netcdf(product, tmp_path / "map.nc")
    with netCDF4.Dataset(tmp_path / "map.nc", "a") as file:
        file["sic"].units = "K"
        del file.title
    assert complaints(tmp_path / "map.nc", "cf:1.11", "high")
    assert complaints(tmp_path / "map.nc", "acdd:1.3", "high")


def test_without_an_issuer_only_its_contacts_are_missing(tmp_path):
    write_netcdf(made_product(), tmp_path / "map.nc")
    assert complaints(tmp_path / "map.nc", "acdd:1.3", "high") == []
    warned = complaints(tmp_path / "map.nc", "acdd:1.3", "medium")
    theirs = {line for line in warned if not any(word in line for word in NOT_OURS)}
    assert theirs == {
        f"{name} not present"
        for name in (
            "creator_url",
            "creator_email",
            "publisher_url",
            "publisher_email",
            "naming_authority",
        )
    }


def test_a_catalogue_finds_who_signs_and_what_is_meant(file):
    with xr.open_dataset(file) as cf:
        metadata = cf.attrs
    assert ISSUER.items() <= metadata.items()
    assert metadata["publisher_email"] == metadata["creator_email"]
    assert metadata["metadata_link"] == "https://doi.org/10.1234/ice"
    assert metadata["product_status"] == "final"
    assert json.loads(metadata["tie_points"])["open water"] == 47.0
    assert metadata["id"].endswith("_20200303_v0.1")


@pytest.mark.parametrize("hemisphere", ["north", "south"])
def test_limits_hold_every_cell(hemisphere):
    grid = grid_of(made_product(hemisphere))
    longitude, latitude = grid.lonlat()
    metadata = geospatial_extent(grid)
    assert metadata["geospatial_lat_min"] == pytest.approx(latitude.min(), abs=1e-3)
    assert metadata["geospatial_lat_max"] == pytest.approx(latitude.max(), abs=1e-3)
    assert metadata["geospatial_lon_min"] == pytest.approx(longitude.min(), abs=1e-3)
    assert metadata["geospatial_lon_max"] == pytest.approx(longitude.max(), abs=1e-3)


def test_limits_of_a_whole_hemisphere_go_round_the_pole():
    north, south = (geospatial_extent(HEMISPHERES[name]) for name in ("north", "south"))
    assert (north["geospatial_lat_max"], south["geospatial_lat_min"]) == (90, -90)
    assert north["geospatial_lat_min"] == pytest.approx(31.0, abs=0.1)
    assert (north["geospatial_lon_min"], north["geospatial_lon_max"]) == (-180, 180)


def test_limits_of_a_map_across_180_degrees_run_eastwards():
    row, column = HEMISPHERES["north"].locate(-2.1e6, 2.1e6)
    bering = HEMISPHERES["north"].crop(slice(row - 20, row + 20), slice(column - 20, column + 20))
    metadata = geospatial_extent(bering)
    assert 170 < metadata["geospatial_lon_min"] < 180
    assert -180 < metadata["geospatial_lon_max"] < -170


def test_netcdf_holds_the_very_numbers_and_where_they_are(tmp_path):
    product = made_product()
    write_netcdf(product, tmp_path / "map.nc")
    longitude, latitude = grid_of(product).lonlat()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = xr.open_dataset(tmp_path / "map.nc").load()
    for name in product:
        assert back[name].dims == ("time", "y", "x")
        np.testing.assert_array_equal(back[name].values[0], product[name].values, err_msg=name)
    np.testing.assert_allclose(back["longitude"], longitude, atol=0.7e-4)
    np.testing.assert_allclose(back["latitude"], latitude, atol=0.7e-4)
    with netCDF4.Dataset(tmp_path / "map.nc") as file:
        for name in product:
            assert file[name].filters()["zlib"]
            assert file[name].dimensions == ("time", "y", "x")
        assert np.isnan(file["sic"]._FillValue)
        assert file["status_flag"].flag_masks.dtype == file["status_flag"].dtype == np.uint16
