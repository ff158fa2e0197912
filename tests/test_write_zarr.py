"""xarray reads back the values that were written, with CF metadata."""

import warnings

import numpy as np
import pytest
import xarray as xr
import zarr
from pyproj import CRS

from seaice.product.metadata import grid_mapping, to_cf
from seaice.product.netcdf_zarr import write_zarr
from seaice.retrieval.flags import Flag
from tests.support.products import made_product


@pytest.fixture(scope="module")
def product():
    return made_product()


@pytest.fixture(scope="module")
def store(product, tmp_path_factory):
    path = tmp_path_factory.mktemp("zarr") / "map.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_zarr(product, path)
    return path


def test_every_number_comes_back(product, store):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = xr.open_zarr(store)
    for name in product:
        assert back[name].dtype == product[name].dtype, name
        assert back[name].dims == ("time", "y", "x")
        np.testing.assert_array_equal(back[name].values[0], product[name].values)
    np.testing.assert_array_equal(back["x"], product["x"])
    np.testing.assert_array_equal(back["y"], product["y"])
    assert back["time"].values[0] == np.datetime64("2020-03-03T12:00")
    bounds = np.array([["2020-03-03", "2020-03-04"]], "datetime64[ns]")
    np.testing.assert_array_equal(back["time_bnds"], bounds)


def test_it_is_zarr_3_chunked_and_sharded(store):
    array = zarr.open_group(store, mode="r")["sic"]
    assert array.metadata.zarr_format == 3
    assert array.chunks == (1, 512, 512)
    assert array.shards == (1, 512, 512)


def test_a_large_map_is_one_shard_a_variable(tmp_path):
    product = made_product(side=(140, 150))
    write_zarr(product[["sic", "status_flag"]].assign_attrs(product.attrs), tmp_path / "map.zarr")
    array = zarr.open_group(tmp_path / "map.zarr", mode="r")["sic"]
    assert array.shards == (1, 1024, 1024)
    assert len([path for path in (tmp_path / "map.zarr/sic/c").rglob("*") if path.is_file()]) == 1


def test_flags_can_be_decoded_from_the_attributes_of_the_file(product, store):
    flag = xr.open_zarr(store)["status_flag"]
    meanings = dict(zip(flag.attrs["flag_meanings"].split(), flag.attrs["flag_masks"], strict=True))
    assert meanings == {str(bit.name).lower(): int(bit) for bit in Flag}
    land = (flag.values[0] & meanings["land"]) > 0
    np.testing.assert_array_equal(land, product["status_flag"].values == 1)


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3411", 90.0), ("EPSG:3412", -90.0)])
def test_the_grid_mapping_is_complete_and_means_the_projection(crs, pole):
    mapping = grid_mapping(crs)
    required = {
        "grid_mapping_name",
        "straight_vertical_longitude_from_pole",
        "latitude_of_projection_origin",
        "standard_parallel",
        "false_easting",
        "false_northing",
    }
    assert required <= mapping.keys()
    assert mapping["latitude_of_projection_origin"] == pole
    plain = {key: value for key, value in mapping.items() if key != "crs_wkt"}
    assert CRS.from_cf(plain).to_cf()["standard_parallel"] == mapping["standard_parallel"]
    assert CRS.from_cf(mapping).to_epsg() == int(crs.split(":")[1])


def test_every_map_names_its_grid_mapping_and_unit(product):
    cf = to_cf(product)
    for name in product:
        assert cf[name].attrs["grid_mapping"] == "crs"
        assert "long_name" in cf[name].attrs
    assert cf.attrs["Conventions"].startswith("CF-1.11")
    for name in cf["sic"].attrs["ancillary_variables"].split():
        assert name in cf
